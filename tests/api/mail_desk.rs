//! What became of mails, as an operator sees it, and what they can do about it (docs/security.md MAI).

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::program::{complaint, output, printed};
use crate::support::{Mode, Mood, TestApp, eventually};

/// `authql mail …` beside a running instance.
fn mail(app: &TestApp, arguments: &[&str]) -> Output {
    output(Path::new("/"), &app.operator_settings(), &[&["mail"], arguments].concat())
}

/// The mails in this state, newest first.
fn mails(app: &TestApp, state: &str) -> Vec<Value> {
    let list = printed(mail(app, &["list", "--state", state, "--json"]));
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only mail in this state, once there is one.
async fn only(app: &TestApp, state: &str) -> Value {
    eventually(&format!("one mail is {state}"), async || {
        let mut mails = mails(app, state);
        assert!(mails.len() < 2, "{mails:?}");
        mails.pop()
    })
    .await
}

/// Somebody whose welcome was refused by its server for good; the server has thought better of it since.
async fn dead_welcome(app: &TestApp) -> Value {
    let sink = app.smtp.as_ref().unwrap();
    sink.set_mood(Mood::Refusing);
    app.registered("Ada").await;
    let dead = only(app, "dead").await;
    sink.set_mood(Mood::Friendly);
    dead
}

fn id(mail: &Value) -> &str {
    mail["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_operator_sees_what_became_of_each_mail() {
    let Some(app) = TestApp::on_servers().await else { return };
    let dead = dead_welcome(&app).await;
    assert_eq!(
        (&dead["to"], &dead["kind"], &dead["attempts"]),
        (&json!("ada@example.com"), &json!("welcome"), &json!(1))
    );
    assert!(dead["reason"].as_str().unwrap().contains("no such person here"), "{dead}");
    let bob = app.registered("Bob").await;
    app.letters_to(&bob.email, 1).await;
    let sent = only(&app, "sent").await;
    app.mutate("requestPasswordReset", json!({"email": "nobody@example.com"}), None).await;
    let suppressed = only(&app, "suppressed").await;
    assert_eq!(
        (&suppressed["to"], &suppressed["reason"]),
        (&Value::Null, &json!("no account has this address"))
    );

    let list = printed(mail(&app, &["list"]));
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["ID", "STATE", "KIND", "TRIES"]);
    assert_eq!(rows[1][..4], [id(&suppressed), "suppressed", "password_reset", "0"]);
    assert_eq!(rows[2][..4], [id(&sent), "sent", "welcome", "1"]);
    assert_eq!(rows[3][..4], [id(&dead), "dead", "welcome", "1"]);
    assert_eq!((rows[1].last(), rows[3].last()), (Some(&"-"), Some(&"ada@example.com")));
    let limited = printed(mail(&app, &["list", "--limit", "1"]));
    assert_eq!(limited.lines().collect::<Vec<_>>(), list.lines().take(2).collect::<Vec<_>>());

    // A server's reply does not steer the terminal.
    sqlx::query("UPDATE outbox SET last_error = $1 WHERE state = 'dead'")
        .bind("550 \u{1b}[2Jno such\nperson \u{7}here")
        .execute(&mut app.database().await)
        .await
        .unwrap();
    let page = printed(mail(&app, &["show", id(&dead)]));
    let reply = page.lines().last().unwrap();
    assert_eq!(reply, "reply       550  [2Jno such person  here", "{page}");
    assert!(page.contains("\nto          ada@example.com\nstate       dead\ntries       1\n"), "{page}");
    let page: Value = serde_json::from_str(&printed(mail(&app, &["show", id(&sent), "--json"]))).unwrap();
    assert_eq!(page, sent);
}

#[tokio::test]
async fn a_dead_mail_is_tried_again_and_arrives() {
    let Some(app) = TestApp::on_servers().await else { return };
    let dead = dead_welcome(&app).await;
    printed(mail(&app, &["retry", id(&dead)]));
    let letter = app.letters_to("ada@example.com", 1).await.remove(0);
    assert_eq!(letter.id, id(&dead), "with the same Message-ID");
    letter.token("verifyEmail");
    let sent = only(&app, "sent").await;
    assert_eq!((id(&sent), &sent["attempts"]), (id(&dead), &json!(2)));
    let (told, code) = complaint(mail(&app, &["retry", id(&dead)]));
    assert_eq!((told, code), (format!("authql: {}: it is sent, and not dead\n", id(&dead)), 1));
}

#[tokio::test]
async fn all_dead_mails_are_tried_again_but_those_that_help_nobody() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sink = app.smtp.as_ref().unwrap();
    sink.set_mood(Mood::Refusing);
    let people = ["Ada", "Bob", "Carl", "Dora"];
    for name in people {
        app.registered(name).await;
    }
    eventually("all are dead", async || (mails(&app, "dead").len() == 4).then_some(())).await;
    let dead = mails(&app, "dead");
    let of = |email: &str| id(dead.iter().find(|mail| mail["to"] == email).unwrap());
    // The link in one has expired, and whom another one was for has been forgotten.
    for statement in [
        "UPDATE mail_tokens SET expires_at = now() - interval '1 second' WHERE email = 'ada@example.com'",
        "UPDATE outbox SET recipient = '' WHERE recipient = 'bob@example.com'",
    ] {
        sqlx::query(statement).execute(&mut app.database().await).await.unwrap();
    }
    for (email, reason) in [
        ("ada@example.com", "the link in it no longer works; its owner can ask for another one"),
        ("bob@example.com", "whom it was for has been forgotten"),
    ] {
        let (told, code) = complaint(mail(&app, &["retry", of(email)]));
        assert_eq!((told, code), (format!("authql: {}: {reason}\n", of(email)), 1));
    }
    sink.set_mood(Mood::Friendly);
    assert_eq!(printed(mail(&app, &["retry", "--all-dead"])), "2 mails are tried again.\n");
    for email in ["carl@example.com", "dora@example.com"] {
        app.letters_to(email, 1).await;
    }
    assert_eq!(mails(&app, "dead").len(), 2);
    assert_eq!(app.letters().await.len(), 2);
}

#[tokio::test]
async fn a_dropped_mail_is_never_sent() {
    // After the first failure no worker has it in hand for an hour.
    let patience = [("AUTHQL_MAIL_RETRY_MIN", "1h")];
    let Some(mut app) = TestApp::start_with(Mode::Servers, &patience).await else { return };
    app.smtp.as_mut().unwrap().stop().await;
    app.registered("Ada").await;
    let pending = eventually("it has been tried in vain", async || {
        mails(&app, "pending").pop().filter(|mail| mail["reason"].is_string())
    })
    .await;
    assert!(pending["nextTryAt"].is_string() && pending["settledAt"].is_null(), "{pending}");
    printed(mail(&app, &["drop", id(&pending)]));
    app.smtp.as_mut().unwrap().restart().await;
    let bob = app.registered("Bob").await;
    app.letters_to(&bob.email, 1).await;
    let dropped = only(&app, "suppressed").await;
    assert_eq!((id(&dropped), &dropped["reason"]), (id(&pending), &json!("dropped by an operator")));
    assert_eq!(app.letters().await.len(), 1, "what came later has overtaken it");
    let (told, _) = complaint(mail(&app, &["drop", id(&pending)]));
    assert!(told.ends_with(": it is suppressed, and not pending\n"), "{told}");
}

#[tokio::test]
async fn a_slip_at_the_desk_is_explained() {
    let Some(app) = TestApp::on_servers().await else { return };
    let unknown = "0192f0c1-2345-7000-8000-000000000001";
    for (arguments, expected, code) in [
        (&["show", unknown][..], "there is no such mail; they are kept for 90 days", 1),
        (&["retry", unknown], "there is no such mail", 1),
        (&["show", "yesterday's"], "invalid character", 2),
        (&["retry"], "--all-dead", 2),
        (&["retry", unknown, "--all-dead"], "cannot be used with", 2),
        (&["list", "--state", "lost"], "pending, sent, dead, suppressed", 2),
    ] {
        let (told, exit) = complaint(mail(&app, arguments));
        assert!(told.contains(expected), "{told}");
        assert_eq!(exit, code, "{told}");
    }
    let nowhere = complaint(output(Path::new("/"), &[], &["mail", "list"]));
    assert!(nowhere.0.starts_with("authql: DATABASE_URL is missing: accounts and mails"), "{}", nowhere.0);
}
