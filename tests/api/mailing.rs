//! The way of a mail (docs/security.md MAI, docs/faults.md F13 to F16, F20). On a real SMTP conversation.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use chrono::TimeDelta;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use sqlx::Row;

use crate::support::{
    Leash, Mode, Mood, Person, Program, SmtpSink, TestApp, TlsDoor, eventually, find_program, free_port,
    make_certificate, program,
};

/// The state of the only mail, how often it was tried, and what was said at the last failure.
async fn only_mail(app: &TestApp) -> (String, i32, Option<String>) {
    let row = sqlx::query("SELECT state, attempts, last_error FROM outbox")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn a_mail_is_text_and_html_with_a_stable_id() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let letter = app.smtp.as_ref().unwrap().wait_for(1).await.remove(0);
    assert_eq!((letter.from.as_str(), &letter.to), ("no-reply@example.org", &ada.email));
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM outbox").fetch_one(&mut app.database().await).await.unwrap();
    assert_eq!(letter.id, id.to_string());
    assert!(letter.text.contains("Sign in with ada@example.com"), "{}", letter.text);
    assert!(letter.html.contains("<strong>ada@example.com</strong>"), "{}", letter.html);
    eventually("it is recorded as sent", async || (only_mail(&app).await.0 == "sent").then_some(())).await;
}

#[tokio::test]
async fn mail_waits_for_its_server_and_arrives_once() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.smtp.as_mut().unwrap().stop().await;
    let ada = app.registered("Ada").await;
    eventually("it has been tried in vain", async || (only_mail(&app).await.1 >= 2).then_some(())).await;
    app.smtp.as_mut().unwrap().restart().await;
    app.advance(TimeDelta::minutes(1)).await;
    let letters = app.letters_to(&ada.email, 1).await;
    eventually("it is recorded as sent", async || (only_mail(&app).await.0 == "sent").then_some(())).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(app.letters().await.len(), 1);
}

#[tokio::test]
async fn a_greylisted_mail_is_tried_again() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sink = app.smtp.as_ref().unwrap();
    sink.set_mood(Mood::Greylisting);
    let ada = app.registered("Ada").await;
    sink.wait_for_offers(2).await;
    sink.set_mood(Mood::Friendly);
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);
    let (_, _, reply) = only_mail(&app).await;
    assert!(reply.unwrap().contains("greylisted, come back later"));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_a_dead_letter_with_the_reply() {
    let Some(app) = TestApp::on_servers().await else { return };
    app.smtp.as_ref().unwrap().set_mood(Mood::Refusing);
    app.registered("Ada").await;
    let reply = eventually("it is given up", async || match only_mail(&app).await {
        (state, attempts, reply) if state == "dead" => Some((attempts, reply.unwrap())),
        _ => None,
    })
    .await;
    assert_eq!(reply.0, 1);
    assert!(reply.1.contains("no such person here"), "{}", reply.1);
}

/// A slip of the operator's is no fault of the mails.
#[tokio::test]
async fn a_wrong_password_for_the_mail_server_costs_no_mail() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let (wrong, right) =
        (app.setting("SMTP_URL").replace("smtp://", "smtp://ada:wrong@"), app.setting("SMTP_URL").to_owned());
    app.set("SMTP_URL", &wrong);
    app.restart().await;
    let ada = app.registered("Ada").await;
    app.smtp.as_ref().unwrap().wait_for_offers(2).await;
    assert_eq!(only_mail(&app).await.0, "pending");
    app.set("SMTP_URL", &right);
    app.restart().await;
    app.advance(TimeDelta::minutes(1)).await;
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_holds_up_nobody_else() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sink = app.smtp.as_ref().unwrap();
    sink.set_mood(Mood::Silent);
    app.registered("Ada").await;
    sink.wait_for_offers(1).await;
    sink.set_mood(Mood::Friendly);
    let bob = app.registered("Bob").await;
    assert_eq!(app.letters_to(&bob.email, 1).await.len(), 1);
}

#[tokio::test]
async fn junk_in_the_list_and_a_broken_row_stop_nobody() {
    let Some(app) = TestApp::on_servers().await else { return };
    let broken = "INSERT INTO outbox (id, kind, recipient, locale, queued_at, due_at) VALUES \
        (gen_random_uuid(), 'nonsense', 'ada@example.com', 'en', now(), now() - interval '1 day'), \
        (gen_random_uuid(), 'welcome', 'no address', 'en', now(), now() - interval '1 day')";
    sqlx::query(broken).execute(&mut app.database().await).await.unwrap();
    let redis = app.redis.as_ref().unwrap();
    let _: i64 = redis.command("LPUSH authql:mail junk \u{7f} 0 {}").await;
    let ada = app.registered("Ada").await;
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);
    let buried = "SELECT last_error FROM outbox WHERE state = 'dead' AND kind = 'welcome'";
    let reason: String = eventually("the broken row is given up", async || {
        sqlx::query_scalar(buried).fetch_optional(&mut app.database().await).await.unwrap()
    })
    .await;
    assert!(reason.contains("an e-mail address"), "{reason}");
    let unknown: String = sqlx::query_scalar("SELECT state FROM outbox WHERE kind = 'nonsense'")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap();
    assert_eq!(unknown, "pending", "a newer version may know this kind");
}

#[tokio::test]
async fn mail_on_its_way_is_handed_back_at_the_end_and_sent_by_the_next() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.smtp.as_ref().unwrap().set_mood(Mood::Silent);
    let ada = app.registered("Ada").await;
    app.smtp.as_ref().unwrap().wait_for_offers(1).await;
    app.stop().await;
    let (state, attempts, _) = only_mail(&app).await;
    assert_eq!((state.as_str(), attempts), ("pending", 0), "handed back, and the try does not count");
    app.smtp.as_ref().unwrap().set_mood(Mood::Friendly);
    app.restart().await;
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);
}

/// F13: the wait grows with each try, nothing is lost, and what has waited arrives once.
#[tokio::test]
async fn mail_waits_longer_and_longer_while_its_server_is_down() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.smtp.as_mut().unwrap().stop().await;
    let people = join_all((0..20).map(async |number| app.registered(&format!("Ada{number}")).await)).await;
    let mut longest = 0.0_f64;
    for hours in [0, 1, 2] {
        app.advance(TimeDelta::hours(hours)).await;
        let waits = eventually("each has been tried some more", async || {
            let rows: Vec<(i32, f64)> = sqlx::query_as(
                "SELECT attempts, extract(epoch FROM due_at - queued_at)::float8 FROM outbox WHERE last_error IS NOT NULL",
            )
            .fetch_all(&mut app.database().await)
            .await
            .unwrap();
            let tried = rows.len() == people.len() && rows.iter().all(|(_, due)| *due > longest);
            tried.then_some(rows)
        })
        .await;
        longest = waits.iter().map(|(_, due)| *due).fold(0.0, f64::max);
    }
    assert!(longest >= 3.0 * 3600.0, "{longest}");
    app.smtp.as_mut().unwrap().restart().await;
    app.advance(TimeDelta::hours(5)).await;
    eventually("all have arrived", async || (app.mails("sent").await == 20).then_some(())).await;
    let letters = app.letters().await;
    assert_eq!(letters.len(), 20, "and once each");
}

/// F14.
#[tokio::test]
async fn a_greylisted_mail_arrives_once_at_the_third_try() {
    let Some(app) = TestApp::on_servers().await else { return };
    app.smtp.as_ref().unwrap().set_mood(Mood::GreylistingTwice);
    app.registered("Ada").await;
    eventually("it is recorded as sent", async || (only_mail(&app).await.0 == "sent").then_some(())).await;
    assert_eq!((app.letters().await.len(), only_mail(&app).await.1), (1, 3));
}

/// F14: at any other step too, and whatever it says while it is not about the mail.
#[tokio::test]
async fn a_server_that_is_busy_or_stumbles_or_wants_none_of_us_is_tried_again() {
    for mood in [Mood::Busy, Mood::Blocking, Mood::Stumbling] {
        let Some(app) = TestApp::on_servers().await else { return };
        let sink = app.smtp.as_ref().unwrap();
        sink.set_mood(mood);
        let ada = app.registered("Ada").await;
        sink.wait_for_offers(2).await;
        sink.set_mood(Mood::Friendly);
        assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1, "{mood:?}");
    }
}

/// F15.
#[tokio::test]
async fn one_recipient_who_is_refused_is_given_up_at_once_and_nobody_else() {
    let Some(app) = TestApp::on_servers().await else { return };
    let (nobody, ada) = (app.registered("Nobody").await, app.registered("Ada").await);
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);
    eventually("it is given up", async || (app.mails("dead").await == 1).then_some(())).await;
    app.smtp.as_ref().unwrap().set_mood(Mood::RefusingData);
    app.registered("Bob").await;
    eventually("this too", async || (app.mails("dead").await == 2).then_some(())).await;
    let dead: Vec<(String, i32, String)> = sqlx::query_as(
        "SELECT recipient, attempts, last_error FROM outbox WHERE state = 'dead' ORDER BY recipient",
    )
    .fetch_all(&mut app.database().await)
    .await
    .unwrap();
    assert!(dead.iter().all(|(_, attempts, _)| *attempts == 1), "{dead:?}");
    assert!(dead[0].0 == "bob@example.com" && dead[0].2.contains("not a mail for me"), "{dead:?}");
    assert!(dead[1].0 == nobody.email && dead[1].2.contains("no such person here"), "{dead:?}");
}

/// F17: the server took it, and its answer was lost.
#[tokio::test]
async fn a_lost_answer_makes_one_duplicate_that_can_be_recognised() {
    let Some(app) = TestApp::on_servers().await else { return };
    app.smtp.as_ref().unwrap().set_mood(Mood::Losing);
    let ada = app.registered("Ada").await;
    let letters = app.letters_to(&ada.email, 2).await;
    eventually("it is recorded as sent", async || (only_mail(&app).await.0 == "sent").then_some(())).await;
    assert_eq!(app.letters().await.len(), 2);
    assert_eq!(letters[0], letters[1], "the same mail with the same Message-ID");
}

/// F20: a mail that kills each worker that claims it is put aside in the end.
#[tokio::test]
async fn a_mail_that_nobody_survives_is_put_aside() {
    let Some(app) = TestApp::on_servers().await else { return };
    let poisoned = "INSERT INTO outbox (id, kind, recipient, locale, queued_at, due_at, attempts) VALUES \
        (gen_random_uuid(), 'welcome', 'ada@example.com', 'en', now(), now() - interval '1 day', 100), \
        (gen_random_uuid(), 'nonsense', 'ada@example.com', 'en', now() - interval '3 days', now() - interval '1 day', 3)";
    sqlx::query(poisoned).execute(&mut app.database().await).await.unwrap();
    eventually("both are given up", async || (app.mails("dead").await == 2).then_some(())).await;
    let bob = app.registered("Bob").await;
    assert_eq!(app.letters_to(&bob.email, 1).await.len(), 1);
    assert_eq!(app.letters().await.len(), 1);
}

/// MAI-7: nobody on the way can talk authql out of TLS.
#[tokio::test]
async fn without_starttls_no_mail_is_sent_in_clear() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let plain = app.setting("SMTP_URL").to_owned();
    app.set("SMTP_URL", plain.trim_end_matches("?tls=none"));
    app.restart().await;
    let ada = app.registered("Ada").await;
    let reply = eventually("it has been tried", async || only_mail(&app).await.2).await;
    assert!(app.letters().await.is_empty() && only_mail(&app).await.0 == "pending", "{reply}");
    app.set("SMTP_URL", &plain);
    app.restart().await;
    app.advance(TimeDelta::minutes(10)).await;
    app.letters_to(&ada.email, 1).await;
}

/// MAI-7: nor does a certificate that nobody vouches for get one.
#[tokio::test]
async fn a_server_with_a_wrong_certificate_gets_no_mail() {
    let Some(openssl) = find_program("openssl") else { return };
    let Some(mut app) = TestApp::on_servers().await else { return };
    let folder = tempfile::tempdir().unwrap();
    make_certificate(&openssl, folder.path());
    let port = free_port();
    let mut server = Command::new(openssl)
        .args([
            "s_server",
            "-quiet",
            "-accept",
            &format!("127.0.0.1:{port}"),
            "-cert",
            "fullchain.pem",
            "-key",
            "privkey.pem",
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let leash = Leash::on(server.id(), "TERM", folder.path()).unwrap();
    app.set("SMTP_URL", &format!("smtps://localhost:{port}"));
    app.restart().await;
    app.registered("Ada").await;
    eventually("it has been tried", async || {
        only_mail(&app).await.2.filter(|reply| reply.to_lowercase().contains("certificate"))
    })
    .await;
    assert_eq!(only_mail(&app).await.0, "pending");
    drop(leash);
    server.wait().unwrap();
}

/// Over TLS from the start and after STARTTLS, with a user and a password.
#[tokio::test]
async fn a_server_with_a_good_certificate_gets_its_mail() {
    let Some(openssl) = find_program("openssl") else { return };
    let certificate = tempfile::tempdir().unwrap();
    make_certificate(&openssl, certificate.path());
    let roots = certificate.path().join("fullchain.pem");
    for (scheme, after_starttls) in [("smtps", false), ("smtp", true)] {
        let sink = SmtpSink::start().await;
        let door = TlsDoor::to(sink.port(), certificate.path(), after_starttls).await;
        let (folder, url) = (program::folder(), format!("{scheme}://ada:right@localhost:{}", door.port));
        let program = Program::start(
            folder.path(),
            &[
                ("SMTP_URL", &url),
                ("SSL_CERT_FILE", roots.to_str().unwrap()),
                ("AUTHQL_MAIL_FROM", "authql <no-reply@example.org>"),
            ],
        );
        for (number, person) in ["Ada", "Bob"].into_iter().enumerate() {
            let person = Person::new(person);
            let input = serde_json::json!({"email": person.email, "password": person.password});
            let query = "mutation ($input: RegisterInput!) { register(input: $input) { __typename } }";
            let body = serde_json::json!({"query": query, "variables": {"input": input}});
            let request = reqwest::Client::new().post(format!("{}/graphql", program.url)).json(&body);
            assert!(request.send().await.unwrap().text().await.unwrap().contains("RegisterSuccess"));
            assert_eq!(sink.wait_for(number + 1).await[number].to, person.email);
        }
        assert_eq!(sink.logins(), 1, "the line was kept");
        program.signal("TERM");
        assert_eq!(program.wait().await.code(), Some(0));
    }
}

#[tokio::test]
async fn mails_keep_to_their_pace() {
    let settings = &[("AUTHQL_MAIL_RATE", "2/1h"), ("AUTHQL_MAIL_CONCURRENCY", "4")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, settings).await.unwrap();
    let ada = app.registered("Ada").await;
    app.registered("Bob").await;
    app.letters_to(&ada.email, 1).await;
    // The second has to wait for half an hour, and keeps nobody from ending.
    let mut app = app;
    app.stop().await;
    assert_eq!((app.mails("sent").await, app.mails("pending").await), (1, 1));
}

/// A link that would not work is not sent.
#[tokio::test]
async fn a_mail_whose_link_has_expired_is_not_sent() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    app.letters_to(&ada.email, 1).await;
    app.smtp.as_mut().unwrap().stop().await;
    app.mutate("requestPasswordReset", serde_json::json!({"email": ada.email}), None).await;
    app.advance(TimeDelta::hours(2)).await;
    app.smtp.as_mut().unwrap().restart().await;
    eventually("it is put aside", async || (app.mails("suppressed").await == 1).then_some(())).await;
    assert_eq!(app.letters().await.len(), 1);
}

/// DAT-2, MAI-8.
#[tokio::test]
async fn what_has_grown_old_is_forgotten() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    ada.login(&app).await.logout(&app).await;
    let living = ada.login(&app).await;
    app.letters_to(&ada.email, 1).await;
    eventually("it is recorded as sent", async || (app.mails("sent").await == 1).then_some(())).await;
    let count = async |app: &TestApp, what: &str| -> i64 {
        let rows = format!("SELECT count(*) FROM {what}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&mut app.database().await).await.unwrap()
    };
    app.advance(TimeDelta::days(9)).await;
    let ended = "UPDATE sessions SET end_recorded_at = end_recorded_at - interval '9 days'";
    sqlx::query(ended).execute(&mut app.database().await).await.unwrap();
    let living = living.refresh(&app).await;
    app.restart().await;
    eventually("it is tidied up", async || (count(&app, "mail_tokens").await == 0).then_some(())).await;
    assert_eq!(
        count(&app, "outbox WHERE recipient = '' AND recipient_name IS NULL AND state = 'sent'").await,
        1
    );
    assert_eq!(count(&app, "sessions").await, 1);
    assert!(living.me(&app).await.is_some());
    app.advance(TimeDelta::days(90)).await;
    app.restart().await;
    eventually("nothing is left", async || {
        (count(&app, "outbox").await + count(&app, "sessions").await == 0).then_some(())
    })
    .await;
}

/// A thousand registrations, and a peer that greylists, stumbles, cuts the line instead of answering, hangs, and dies: every
/// mail arrives, twice only where the answer to the first was not heard, and of each it can be said what happened to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_mails_arrive_through_a_storm() {
    const PEOPLE: usize = 1000;
    let settings = &[("AUTHQL_MAIL_CONCURRENCY", "16")];
    let Some(mut app) = TestApp::start_with(Mode::Servers, settings).await else { return };
    let mut sink = app.smtp.take().unwrap();
    sink.set_mood(Mood::Stormy);
    let everybody = stream::iter(0..PEOPLE)
        .map(|number| Person::new(&format!("Ada{number}")))
        .for_each_concurrent(16, async |person| {
            assert_eq!(person.register(&app).await["__typename"], "RegisterSuccess");
        });
    let weather = async {
        for goal in [100, 300, 500, 700] {
            sink.wait_for(goal).await;
            sink.stop().await;
            sink.restart().await;
        }
    };
    tokio::join!(everybody, weather);
    for left in (0..50).rev() {
        eventually("twenty more have come to their end", async || {
            (app.mails("pending").await <= 3 + 20 * left).then_some(())
        })
        .await;
    }
    // Some may still hang, for the minute that a mail may take, or until the peer dies.
    sink.set_mood(Mood::Friendly);
    sink.stop().await;
    sink.restart().await;
    eventually("each mail has come to its end", async || (app.mails("pending").await == 0).then_some(()))
        .await;

    let unanswered = sink.unanswered();
    let mut copies: HashMap<String, usize> = HashMap::new();
    for letter in sink.letters() {
        *copies.entry(letter.id).or_default() += 1;
    }
    let rows: Vec<(uuid::Uuid, String, i32, Option<String>)> =
        sqlx::query_as("SELECT id, state, attempts, last_error FROM outbox")
            .fetch_all(&mut app.database().await)
            .await
            .unwrap();
    assert_eq!(rows.len(), PEOPLE);
    for (id, state, attempts, reply) in rows {
        let id = id.to_string();
        let (arrived, unheard) = (
            copies.get(&id).copied().unwrap_or_default(),
            unanswered.iter().filter(|other| **other == id).count(),
        );
        match state.as_str() {
            "sent" => assert_eq!(arrived, 1 + unheard, "{id} after {attempts} tries: {reply:?}"),
            "dead" => assert!(arrived == 0 && reply.is_some_and(|reply| reply.contains("not a mail for me"))),
            other => panic!("{id} is {other}"),
        }
    }
    assert_eq!((app.mails("sent").await, app.mails("dead").await), (i64::try_from(PEOPLE).unwrap() - 1, 1));
}

#[tokio::test]
async fn a_mail_in_the_mailbox_is_escaped() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let mallory = Person { name: "<script>alert(1)".to_owned(), ..Person::new("Mallory") };
    mallory.register(&app).await;
    let letter = app.letters_to(&mallory.email, 1).await.remove(0);
    assert!(
        letter.html.contains("&lt;script&gt;alert(1)") && !letter.html.contains("<script>"),
        "{}",
        letter.html
    );
}
