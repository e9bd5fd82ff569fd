//! Starting, continuing and ending sessions (docs/security.md LOG, REF, OUT).

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Mode, Person, TestApp, Tokens, eventually, in_both_modes};

const LOGOUT: &str = "mutation ($input: LogoutInput!) { logout(input: $input) { __typename \
    ... on LogoutSuccess { endedSessions } } }";

in_both_modes! {
    async fn a_login_tells_who_one_is_and_opens_the_account(app: TestApp) {
        let ada = app.registered("Ada").await;
        let login = ada.try_login(&app).await;
        assert_eq!(login["user"]["email"], "ada@example.com");
        assert_eq!(login["user"]["name"], "Ada");
        assert_eq!(login["user"]["emailVerified"], false);
        let tokens = Tokens::read(&login["tokens"]);
        let me = tokens.try_me(&app).await;
        assert_eq!(me["data"]["me"]["id"], login["user"]["id"]);
        assert!(me.get("errors").is_none(), "{me}");
    }

    async fn an_address_is_recognised_in_every_spelling(app: TestApp) {
        let ada = app.registered("Ada").await;
        let shouting = Person { email: " ADA@EXAMPLE.COM ".to_owned(), ..ada };
        shouting.login(&app).await;
    }

    async fn a_wrong_password_and_an_unknown_address_are_answered_the_same(app: TestApp) {
        let ada = app.registered("Ada").await;
        let wrong = Person { password: "wrong horse battery staple".to_owned(), ..ada.clone() };
        let refused = wrong.try_login(&app).await;
        assert_eq!(refused["code"], "INVALID_CREDENTIALS");
        assert_eq!(refused, Person::new("Nobody").try_login(&app).await);

        sqlx::query("UPDATE users SET disabled_at = now()").execute(&mut app.database().await).await.unwrap();
        assert_eq!(refused, ada.try_login(&app).await);
    }

    async fn each_login_is_a_session_of_its_own(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (phone, laptop) = (ada.login(&app).await, ada.login(&app).await);
        assert_eq!(phone.logout(&app).await, 1);
        assert_eq!(phone.me(&app).await, None);
        assert_eq!(laptop.me(&app).await, Some(ada.email));
    }

    async fn a_refresh_swaps_the_pair(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        let second = first.refresh(&app).await;
        assert_ne!(first.refresh, second.refresh);
        assert_ne!(first.access, second.access);
        assert!(second.me(&app).await.is_some());
        second.refresh(&app).await;
    }

    async fn a_repeated_refresh_gets_the_same_successor(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        let answered = first.refresh(&app).await;
        app.advance(TimeDelta::seconds(25)).await;
        let repeated = first.refresh(&app).await;
        assert_eq!(answered.refresh, repeated.refresh);
        assert!(repeated.me(&app).await.is_some());
        repeated.refresh(&app).await;
    }

    async fn a_hundred_parallel_refreshes_rotate_once(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        let attempts = (0..100).map(|_| first.refresh(&app));
        let successors: HashSet<String> =
            futures_util::future::join_all(attempts).await.into_iter().map(|tokens| tokens.refresh).collect();
        assert_eq!(successors.len(), 1);
        let generation: i32 =
            sqlx::query_scalar("SELECT generation FROM sessions").fetch_one(&mut app.database().await).await.unwrap();
        assert_eq!(generation, 2);
    }

    async fn a_replayed_refresh_token_ends_its_session_and_no_other(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (stolen, other) = (ada.login(&app).await, ada.login(&app).await);
        let newest = stolen.refresh(&app).await.refresh(&app).await;
        assert_eq!(stolen.refusal(&app).await, "REFRESH_TOKEN_REUSED");

        assert_eq!(newest.me(&app).await, None);
        assert_eq!(newest.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(stolen.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert!(other.me(&app).await.is_some());
        other.refresh(&app).await;
        let letters = app.letters_to(&ada.email, 2).await;
        assert_eq!(letters[1].subject, "You were signed out on one device at authql");
        let told = "SELECT count(*) FROM security_events WHERE kind = 'refresh_token_reused'";
        let told: i64 = sqlx::query_scalar(told).fetch_one(&mut app.database().await).await.unwrap();
        assert_eq!(told, 1);
    }

    async fn the_predecessor_is_reuse_once_the_window_has_passed(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        let second = first.refresh(&app).await;
        assert!(second.me(&app).await.is_some());
        app.advance(TimeDelta::seconds(31)).await;
        assert_eq!(first.refusal(&app).await, "REFRESH_TOKEN_REUSED");
        assert_eq!(second.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }

    async fn a_laptop_that_slept_through_the_answer_keeps_its_session(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        assert!(first.me(&app).await.is_some());
        let lost = first.refresh(&app).await;
        app.advance(TimeDelta::hours(23)).await;
        let again = first.refresh(&app).await;
        assert_eq!(again.refresh, lost.refresh);
        // Now that the successor has been shown, its predecessor is a copy in the wrong hands.
        assert!(again.me(&app).await.is_some());
        assert_eq!(first.refusal(&app).await, "REFRESH_TOKEN_REUSED");
    }

    async fn a_lost_answer_is_given_again_for_a_day_only(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        first.refresh(&app).await;
        app.advance(TimeDelta::hours(25)).await;
        assert_eq!(first.refusal(&app).await, "REFRESH_TOKEN_REUSED");
    }

    async fn a_session_ends_when_it_is_idle_for_too_long(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        app.advance(TimeDelta::days(29)).await;
        let second = first.refresh(&app).await;
        app.advance(TimeDelta::days(29)).await;
        let third = second.refresh(&app).await;
        app.advance(TimeDelta::days(30)).await;
        assert_eq!(third.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }

    async fn no_refresh_extends_a_session_beyond_its_absolute_limit(app: TestApp) {
        let mut tokens = app.registered("Ada").await.login(&app).await;
        for _ in 0..8 {
            app.advance(TimeDelta::days(11)).await;
            tokens = tokens.refresh(&app).await;
        }
        app.advance(TimeDelta::days(3)).await;
        assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }

    async fn a_logout_ends_both_tokens_at_once_and_can_be_repeated(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        assert_eq!(tokens.logout(&app).await, 1);
        assert_eq!(tokens.me(&app).await, None);
        assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(tokens.logout(&app).await, 0);
    }

    async fn a_logout_needs_only_one_of_the_two_tokens(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        // By the access token alone, and long after it has expired.
        app.advance(TimeDelta::hours(1)).await;
        let answer = app.graphql(LOGOUT, json!({"input": {}}), Some(&tokens.access)).await;
        assert_eq!(answer["data"]["logout"]["endedSessions"], 1, "{answer}");
        assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }

    async fn a_logout_without_a_session_ends_none(app: TestApp) {
        for (input, bearer) in [
            (json!({}), None),
            (json!({}), Some("nonsense")),
            (json!({"refreshToken": "nonsense"}), None),
            (json!({"everywhere": true}), None),
        ] {
            let answer = app.graphql(LOGOUT, json!({"input": input}), bearer).await;
            assert_eq!(answer["data"]["logout"]["endedSessions"], 0, "{answer}");
        }
    }

    async fn a_logout_everywhere_ends_every_session_of_the_account(app: TestApp) {
        let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
        let (phone, laptop) = (ada.login(&app).await, ada.login(&app).await);
        let other = bob.login(&app).await;
        let input = json!({"input": {"refreshToken": phone.refresh, "everywhere": true}});
        let answer = app.graphql(LOGOUT, input.clone(), None).await;
        assert_eq!(answer["data"]["logout"]["endedSessions"], 2, "{answer}");
        assert_eq!((phone.me(&app).await, laptop.me(&app).await), (None, None));
        assert_eq!(laptop.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(other.me(&app).await, Some(bob.email));
        // The token of a session that has ended gives no power over the others.
        let again = ada.login(&app).await;
        assert_eq!(app.graphql(LOGOUT, input, None).await["data"]["logout"]["endedSessions"], 0);
        assert!(again.me(&app).await.is_some());
    }

    async fn a_refresh_of_a_disabled_account_is_refused(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        sqlx::query("UPDATE users SET disabled_at = now()").execute(&mut app.database().await).await.unwrap();
        assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(tokens.me(&app).await, None);
    }

    async fn what_is_no_refresh_token_is_refused(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        for refresh in ["", "nonsense", "a.b.c", tokens.access.as_str()] {
            let forged = Tokens { refresh: refresh.to_owned(), ..tokens.clone() };
            assert_eq!(forged.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        }
        tokens.refresh(&app).await;
    }

    async fn a_password_is_hashed_again_when_the_cost_has_changed(app: TestApp) {
        let mut app = app;
        let ada = app.registered("Ada").await;
        app.set("AUTHQL_HASH_ITERATIONS", "3");
        app.restart().await;
        let hash = async || -> String {
            let mut connection = app.database().await;
            sqlx::query_scalar("SELECT password_hash FROM users").fetch_one(&mut connection).await.unwrap()
        };
        let wrong = Person { password: "wrong horse battery staple".to_owned(), ..ada.clone() };
        assert_eq!(wrong.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        assert!(hash().await.contains("m=7168,t=1,"), "a guess changes nothing");
        ada.login(&app).await;
        assert!(hash().await.contains("m=7168,t=3,"));
        ada.login(&app).await;
    }

    async fn sessions_survive_a_restart(app: TestApp) {
        let mut app = app;
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        app.restart().await;
        assert_eq!(tokens.me(&app).await, Some(ada.email));
        tokens.refresh(&app).await;
    }

    async fn neither_tokens_nor_their_text_are_stored(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await.refresh(&app).await;
        let row: String = sqlx::query_scalar("SELECT sessions::text FROM sessions")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
        for token in [&tokens.access, &tokens.refresh] {
            for part in token.split('.') {
                assert!(!row.contains(part), "{row}");
            }
        }
    }
}

/// RFC 9700 4.14.2 across instances, and docs/design.md#sessions: one living branch, whoever is asked.
#[tokio::test]
async fn two_instances_rotate_a_token_once() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let first = app.registered("Ada").await.login(&app).await;
    let attempts = (0..100).map(|number| first.refresh(if number % 2 == 0 { &app } else { &sister }));
    let successors: HashSet<String> =
        futures_util::future::join_all(attempts).await.into_iter().map(|tokens| tokens.refresh).collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn a_logout_on_one_instance_is_known_to_the_other() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let tokens = app.registered("Ada").await.login(&app).await;
    assert!(tokens.me(&sister).await.is_some());
    assert_eq!(tokens.logout(&app).await, 1);
    eventually("the other has heard", async || tokens.me(&sister).await.is_none().then_some(())).await;
    let keys: Vec<String> = app.redis.as_ref().unwrap().command("KEYS authql:ended:*").await;
    assert_eq!(keys.len(), 1);
    let ttl: i64 = app.redis.as_ref().unwrap().command(&format!("TTL {}", keys[0])).await;
    assert!((900..=960).contains(&ttl), "{ttl}");
}

/// docs/faults.md F28: whichever comes first at the row, nothing lives after a logout that was answered.
#[tokio::test]
async fn no_refresh_outruns_a_logout() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let ada = app.registered("Ada").await;
    for round in 0..200 {
        let tokens = ada.login(&app).await;
        let instances = if round % 2 == 0 { [&app, &sister] } else { [&sister, &app] };
        let (answer, ended) = tokio::join!(tokens.try_refresh(instances[0]), tokens.logout(instances[1]));
        assert_eq!(ended, 1);
        let refresh = &answer["data"]["refresh"];
        if refresh["__typename"] == "RefreshSuccess" {
            let successor = Tokens::read(&refresh["tokens"]);
            assert_eq!(successor.refusal(instances[0]).await, "REFRESH_TOKEN_INVALID");
            assert_eq!(successor.me(instances[1]).await, None);
        } else {
            assert_eq!(refresh["code"], "REFRESH_TOKEN_INVALID", "{answer}");
        }
    }
}
