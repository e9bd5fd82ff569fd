//! Signing keys over their life, on several instances (docs/security.md KEY-2, KEY-3, TOK-5).

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use authql::ports::Clock;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::program::{output, printed};
use crate::support::{Mode, TestApp, Tokens, eventually, in_both_modes};

const NEW_SECRET: &str = "q3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";

/// The `kid` of a token.
fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The `kid`s of the published key set, oldest first.
async fn published(app: &TestApp) -> Vec<String> {
    let url = format!("{}/.well-known/jwks.json", app.url);
    let set: Value = app.client.get(url).send().await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// `authql keys …` with the settings of a running instance.
fn keys(app: &TestApp, arguments: &[&str]) -> Output {
    output(Path::new("/"), &app.operator_settings(), &[&["keys"], arguments].concat())
}

in_both_modes! {
    async fn the_key_set_is_one_step_ahead(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        let url = format!("{}/.well-known/jwks.json", app.url);
        let response = app.client.get(url).send().await.unwrap();
        for (name, value) in [
            ("content-type", "application/jwk-set+json"),
            ("cache-control", "public, max-age=300"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
        let set: Value = response.json().await.unwrap();
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0]["kid"], kid(&tokens.access));
        for key in keys {
            let x = key["x"].as_str().unwrap();
            let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
            let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, thumbprint.as_bytes());
            let kid = URL_SAFE_NO_PAD.encode(thumbprint);
            assert_eq!(
                *key,
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
            );
        }
    }

    async fn keys_follow_each_other_by_themselves(app: TestApp) {
        let ada = app.registered("Ada").await;
        let first = published(&app).await;
        assert_eq!(kid(&ada.login(&app).await.access), first[0]);
        app.advance(TimeDelta::days(90)).await;
        let tokens = ada.login(&app).await;
        assert_eq!(kid(&tokens.access), first[1], "no reload is needed for that");
        let ahead = eventually("the one after is published", async || {
            let keys = published(&app).await;
            (keys.len() == 3).then_some(keys)
        })
        .await;
        assert_eq!(ahead[..2], first[..]);
        app.advance(TimeDelta::minutes(17)).await;
        assert_eq!(published(&app).await, ahead[1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_under_load_without_one_refused_good_token() {
    let Some(one) = TestApp::start_with(Mode::Servers, &[("AUTHQL_KEY_ROTATION", "1h")]).await else {
        return;
    };
    let other = one.sister().await;
    let ada = one.registered("Ada").await;
    let first = ada.login(&one).await;
    let mut signed_by = vec![kid(&first.access)];
    let (newest, _) = watch::channel(first);
    let done: [AtomicUsize; 2] = Default::default();
    // Asks with the newest token again and again, and counts what was answered.
    let asking = async |app: &TestApp, done: &AtomicUsize| {
        loop {
            let token = newest.borrow().clone();
            let me = token.me(app).await;
            assert_eq!(me.as_deref(), Some(ada.email.as_str()), "a good token was refused");
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let answered = async |count: usize| {
        for done in &done {
            let goal = done.load(Ordering::Relaxed) + count;
            eventually("requests go on", async || (done.load(Ordering::Relaxed) >= goal).then_some(())).await;
        }
    };
    let rotating = async {
        for round in 0..30 {
            // A token is at most 14 of its 15 minutes old while it is asked with.
            one.advance(TimeDelta::minutes(14)).await;
            answered(5).await;
            // In 14 real minutes each instance would have looked 840 times: once has to do.
            up_to_date(&one, &other).await;
            let (app, sister) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
            let fresh = newest.borrow().refresh(app).await;
            assert!(fresh.me(sister).await.is_some());
            signed_by.push(kid(&fresh.access));
            newest.send_replace(fresh);
            answered(5).await;
        }
    };
    tokio::select! {
        () = rotating => {}
        () = asking(&one, &done[0]) => {}
        () = asking(&one, &done[0]) => {}
        () = asking(&other, &done[1]) => {}
        () = asking(&other, &done[1]) => {}
    }
    signed_by.dedup();
    println!("{done:?} requests on the two instances, signed by {} keys", signed_by.len());
    assert!(signed_by.len() >= 6, "seven hours of hourly rotation: {signed_by:?}");
}

/// Waits until the next key is stored, and both instances publish what is stored.
async fn up_to_date(one: &TestApp, other: &TestApp) {
    let mut database = one.database().await;
    eventually("both instances have looked", async || {
        let stored: Vec<(String, bool)> = sqlx::query_as(
            "SELECT kid, activates_at > $1 + interval '10 minutes'
             FROM signing_keys
             WHERE gone_at IS NULL OR gone_at > $1
             ORDER BY number",
        )
        .bind(one.clock.now())
        .fetch_all(&mut database)
        .await
        .unwrap();
        let is_ahead = stored.last().is_some_and(|(_, is_next)| *is_next);
        let stored: Vec<String> = stored.into_iter().map(|(kid, _)| kid).collect();
        (is_ahead && published(one).await == stored && published(other).await == stored).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_retired_key_is_refused_everywhere_and_its_sessions_go_on() {
    let Some(one) = TestApp::on_servers().await else { return };
    let other = one.sister().await;
    let tokens = one.registered("Ada").await.login(&one).await;
    let [active, next] = &published(&one).await[..] else { panic!("not two keys") };
    assert_eq!(kid(&tokens.access), *active);

    printed(keys(&one, &["retire", active]));
    let began = std::time::Instant::now();
    for app in [&one, &other] {
        eventually("its tokens are refused", async || tokens.me(app).await.is_none().then_some(())).await;
        println!("refused after {:?}", began.elapsed());
    }
    let fresh = tokens.refresh(&other).await;
    assert_eq!(kid(&fresh.access), *next, "the next one began at once");
    for app in [&one, &other] {
        assert!(fresh.me(app).await.is_some());
        let keys = eventually("there is a next one again", async || {
            let keys = published(app).await;
            (keys.len() == 2).then_some(keys)
        })
        .await;
        assert!(keys[0] == *next && !keys.contains(active), "{keys:?}");
    }
    let refused = keys(&one, &["retire", active]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.contains("there is no key") && complaint.contains("authql keys list"), "{complaint}");
}

#[tokio::test]
async fn an_operator_lists_and_rotates_keys() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let before = published(&app).await;
    let list = printed(keys(&app, &["list"]));
    let words: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..3], ["KID", "STATE", "SIGNS"]);
    assert_eq!((words[1][0], words[1][1]), (before[0].as_str(), "active"));
    assert_eq!((words[2][0], words[2][1]), (before[1].as_str(), "next"));

    // It was published only just now: verifiers may keep a set without it for five minutes.
    let rotated = printed(keys(&app, &["rotate"]));
    assert!(rotated.starts_with(&format!("The key {} signs from ", before[1])), "{rotated}");
    let ada = app.registered("Ada").await;
    assert_eq!(kid(&ada.login(&app).await.access), before[0]);
    eventually("the one after is published", async || (published(&app).await.len() == 3).then_some(())).await;
    app.advance(TimeDelta::minutes(11)).await;
    assert_eq!(kid(&ada.login(&app).await.access), before[1]);

    let nowhere = output(Path::new("/"), &[], &["keys", "list"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8(nowhere.stderr).unwrap().starts_with("authql: DATABASE_URL is missing: keys"));
}

#[tokio::test]
async fn the_secret_can_be_changed_without_a_logout() {
    let Some(mut one) = TestApp::on_servers().await else { return };
    let old_secret = one.setting("AUTHQL_SECRET").to_owned();
    let mut other = one.sister().await;
    let tokens = one.registered("Ada").await.login(&one).await;

    // First everybody learns to read what is made under the new one, …
    for app in [&mut one, &mut other] {
        app.set("AUTHQL_SECRET_PREVIOUS", NEW_SECRET);
        app.restart().await;
        assert!(tokens.me(app).await.is_some());
    }
    // … then one after the other makes it.
    one.set("AUTHQL_SECRET", NEW_SECRET);
    one.set("AUTHQL_SECRET_PREVIOUS", &old_secret);
    one.restart().await;
    let new = tokens.refresh(&one).await;
    assert!(tokens.me(&one).await.is_some() && new.me(&other).await.is_some());
    let new = new.refresh(&other).await;
    other.set("AUTHQL_SECRET", NEW_SECRET);
    other.set("AUTHQL_SECRET_PREVIOUS", &old_secret);
    other.restart().await;
    let new = new.refresh(&other).await;

    // At last the old one is forgotten, and opens nothing any more.
    for app in [&mut one, &mut other] {
        app.set("AUTHQL_SECRET_PREVIOUS", "");
        app.restart().await;
        assert!(new.me(app).await.is_some());
    }
    new.refresh(&one).await;
    let names = ["DATABASE_URL", "REDIS_URL", "SMTP_URL", "AUTHQL_MAIL_FROM", "AUTHQL_PUBLIC_URL"];
    let mut settings = names.map(|name| (name, one.setting(name))).to_vec();
    settings.extend([("AUTHQL_SECRET", old_secret.as_str()), ("AUTHQL_LISTEN", "127.0.0.1:0")]);
    let refused = output(Path::new("/"), &settings, &["serve"]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(
        complaint.contains("opens under neither AUTHQL_SECRET nor AUTHQL_SECRET_PREVIOUS"),
        "{complaint}"
    );
}

#[tokio::test]
async fn instances_that_start_together_agree_on_the_first_keys() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    sqlx::query("DELETE FROM signing_keys").execute(&mut app.database().await).await.unwrap();
    let sisters = join_all((0..4).map(|_| app.sister())).await;
    let ada = sisters[0].registered("Ada").await;
    let tokens: Vec<Tokens> = join_all(sisters.iter().map(|sister| ada.login(sister))).await;
    for sister in &sisters {
        assert_eq!(published(sister).await, published(&sisters[0]).await);
        for token in &tokens {
            assert!(token.me(sister).await.is_some());
        }
    }
    assert_eq!(published(&sisters[0]).await.len(), 2);
}

#[tokio::test]
async fn no_seed_lies_open_in_the_database() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as("SELECT public_key, sealed_seed FROM signing_keys")
        .fetch_all(&mut app.database().await)
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    for (public, sealed) in rows {
        assert_eq!(sealed.len(), 12 + 32 + 16, "nonce, ciphertext and tag");
        for window in sealed.windows(32) {
            let pair = Ed25519KeyPair::from_seed_unchecked(window).unwrap();
            assert_ne!(pair.public_key().as_ref(), public);
        }
    }
}

#[tokio::test]
async fn a_row_that_nobody_sealed_is_never_published_or_trusted() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let before = published(&app).await;
    let forged = "INSERT INTO signing_keys (number, kid, public_key, sealed_seed, created_at, activates_at)
        SELECT 99, 'forged', sha256('mine'), sealed_seed, created_at, created_at FROM signing_keys LIMIT 1";
    sqlx::query(forged).execute(&mut app.database().await).await.unwrap();
    // The instance has looked when it has forgotten a key that is taken away after it.
    printed(keys(&app, &["retire", &before[1]]));
    let after = eventually("it has looked", async || {
        let keys = published(&app).await;
        (!keys.contains(&before[1])).then_some(keys)
    })
    .await;
    assert_eq!(after, before[..1]);
    let ada = app.registered("Ada").await;
    assert_eq!(kid(&ada.login(&app).await.access), before[0]);
}
