//! The way of a mail (SECURITY.md MAI, FAULTS.md F13 to F16, F20). On a real SMTP conversation.

use chrono::TimeDelta;
use sqlx::Row;

use crate::support::{Mode, Mood, Person, TestApp, eventually};

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

#[tokio::test]
async fn a_mail_in_the_mailbox_is_escaped() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let mallory = Person { name: "<script>alert(1)</script>".to_owned(), ..Person::new("Mallory") };
    mallory.register(&app).await;
    let letter = app.letters_to(&mallory.email, 1).await.remove(0);
    assert!(!letter.html.contains("<script>"), "{}", letter.html);
}
