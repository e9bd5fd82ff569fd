//! Any number of sessions of an account ends (docs/security.md BUD-7).

use std::path::Path;

use serde_json::{Value, json};

use crate::support::program::{output, printed};
use crate::support::{LOGOUT, Mode, Person, TestApp, Tokens, eventually};

const NEW_PASSWORD: &str = "a longer horse battery staple";

/// Stores live sessions, each with an event, as that many sign-ins do.
async fn insert_sessions(app: &TestApp, person: &Person, count: i32) {
    sqlx::query(
        "WITH new AS (
             INSERT INTO sessions
                (id, user_id, generation, created_at, rotated_at, expires_at, absolute_expires_at, user_agent,
                 ip_address, signed_in_from, device_id, epoch, rotation_recorded_at)
             SELECT gen_random_uuid(), users.id, 1, $3, $3, $3 + interval '30 days', $3 + interval '90 days', 'curl/8',
                 '192.0.2.1', '192.0.2.1', users.id, session_epoch, clock_timestamp() - interval '1 hour'
             FROM users, generate_series(1, $2)
             WHERE email_canonical = $1
             RETURNING id, user_id
         )
         INSERT INTO security_events (id, user_id, session_id, kind, outcome, occurred_at, ip_address)
         SELECT id, user_id, id, 'logged_in', 'succeeded', $3, '192.0.2.1'
         FROM new",
    )
    .bind(&person.email)
    .bind(count)
    .bind(authql::ports::Clock::now(&*app.clock))
    .execute(&mut app.database().await)
    .await
    .unwrap();
}

async fn number(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut app.database().await).await.unwrap()
}

async fn execute(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&mut app.database().await).await.unwrap();
}

/// How many sessions of somebody have rows that have not ended.
async fn unended(app: &TestApp, person: &Person) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*)
         FROM sessions
         JOIN users ON users.id = user_id
         WHERE ended_at IS NULL AND email_canonical = $1",
    )
    .bind(&person.email)
    .fetch_one(&mut app.database().await)
    .await
    .unwrap()
}

/// What a client gets, which may be a word that it took too long.
async fn send(app: &TestApp, document: &str, input: Value, tokens: Option<&Tokens>) -> Value {
    let mut request = app.client.post(format!("{}/graphql", app.url));
    if let Some(tokens) = tokens {
        request = request.bearer_auth(&tokens.access);
    }
    let body = json!({"query": document, "variables": {"input": input}});
    request.json(&body).send().await.unwrap().json().await.unwrap()
}

fn document(name: &str) -> String {
    let pascal = name[..1].to_uppercase() + &name[1..];
    format!(
        "mutation ($input: {pascal}Input!) {{ {name}(input: $input) {{ __typename ... on AuthFailure {{ code }} }} }}"
    )
}

/// Somebody with a session, another one that is to end, and so many more.
async fn somebody(app: &TestApp, name: &str, count: i32) -> (Person, Tokens, Tokens) {
    let person = app.registered(name).await;
    let (here, there) = (person.login(app).await, person.login(app).await);
    insert_sessions(app, &person, count).await;
    (person, here, there)
}

fn users(app: &TestApp, arguments: &[&str]) -> String {
    printed(output(Path::new("/"), &app.operator_settings(), &[&["users"], arguments].concat()))
}

#[tokio::test]
async fn an_account_with_600_000_sessions_is_shut_and_deleted() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, _, there) = somebody(&app, "Ada", 600_000).await;
    let told = users(&app, &["disable", &ada.email]);
    assert!(told.contains("its 600002 sessions were ended"), "{told}");
    assert_eq!(unended(&app, &ada).await, 0);
    assert_eq!(there.me(&app).await, None);

    let told = users(&app, &["delete", &ada.email]);
    assert!(told.contains("had no session"), "{told}");
    assert_eq!(number(&app, "SELECT count(*) FROM users").await, 0);
    let personal = "SELECT count(*) FROM sessions WHERE num_nonnulls(user_agent, ip_address, signed_in_from, device_id) > 0";
    assert_eq!(number(&app, personal).await, 0);
    assert_eq!(number(&app, "SELECT count(*) FROM sessions").await, 600_002);
    let personal =
        "SELECT count(*) FROM security_events WHERE num_nonnulls(ip_address, user_agent, request_id) > 0";
    assert_eq!(number(&app, personal).await, 0);
    assert!(number(&app, "SELECT count(*) FROM security_events").await > 600_000);
}

/// Ending 24,000 sessions takes longer here than one statement may, and than a client waits.
#[tokio::test]
async fn what_a_person_ends_has_ended_at_once_and_is_finished_when_the_client_has_gone() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, ada_tokens, other_of_ada) = somebody(&app, "Ada", 24_000).await;
    let (bob, bob_tokens, other_of_bob) = somebody(&app, "Bob", 24_000).await;
    let (cyd, _, other_of_cyd) = somebody(&app, "Cyd", 24_000).await;
    let (dan, dan_tokens, other_of_dan) = somebody(&app, "Dan", 24_000).await;
    app.mutate("requestPasswordReset", json!({"email": cyd.email}), None).await;
    let token = app.letter_about(&cyd.email, "Set a new password").await.token("resetPassword");
    execute(
        &app,
        "CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END; $$",
    )
    .await;
    execute(
        &app,
        "CREATE TRIGGER takes_long BEFORE UPDATE OF ended_at ON sessions FOR EACH ROW
             WHEN (right(NEW.id::text, 1) < '8') EXECUTE FUNCTION take_long()",
    )
    .await;

    let change = json!({"currentPassword": bob.password, "newPassword": NEW_PASSWORD});
    let reset = json!({"token": token, "newPassword": NEW_PASSWORD});
    let (change_document, reset_document, delete_document) =
        (document("changePassword"), document("resetPassword"), document("deleteAccount"));
    let answers = async {
        tokio::join!(
            send(&app, LOGOUT, json!({"refreshToken": ada_tokens.refresh, "everywhere": true}), None),
            send(&app, &change_document, change, Some(&bob_tokens)),
            send(&app, &reset_document, reset, None),
            send(&app, &delete_document, json!({"currentPassword": dan.password}), Some(&dan_tokens)),
        )
    };
    let meanwhile = async {
        for (person, there) in
            [(&ada, &other_of_ada), (&bob, &other_of_bob), (&cyd, &other_of_cyd), (&dan, &other_of_dan)]
        {
            eventually("the session is dead, whether or not its row has ended", async || {
                let answer = there.try_refresh(&app).await;
                (answer["data"]["refresh"]["code"] == "REFRESH_TOKEN_INVALID").then_some(())
            })
            .await;
            assert!(unended(&app, person).await > 0, "the rows of {} take longer", person.name);
        }
        // Begun while the others are being ended, between two steps that take long.
        eventually("Ada signs in", async || {
            let login = ada.try_login(&app).await;
            (login["__typename"] == "LoginSuccess").then(|| Tokens::read(&login["tokens"]))
        })
        .await
    };
    let ((logout, changed, was_reset, deleted), ada_new) = tokio::join!(answers, meanwhile);
    for answer in [&logout, &changed, &was_reset, &deleted] {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{answer}");
    }

    execute(&app, "DROP TRIGGER takes_long ON sessions").await;
    // The same once more, with the token of a session that has ended: this one waits for it.
    let input = json!({"refreshToken": ada_tokens.refresh, "everywhere": true});
    let again = send(&app, LOGOUT, input, None).await;
    assert_eq!(again["data"]["logout"]["__typename"], "LogoutSuccess", "{again}");
    assert_eq!(unended(&app, &ada).await, 1);
    assert!(ada_new.me(&app).await.is_some() && ada_new.try_refresh(&app).await["errors"].is_null());
    assert_eq!(other_of_ada.me(&app).await, None);
    for (person, left) in [(&bob, 1), (&cyd, 0), (&dan, 0)] {
        eventually("all of them end", async || (unended(&app, person).await == left).then_some(())).await;
    }
    assert!(bob_tokens.me(&app).await.is_some());
    bob_tokens.refresh(&app).await;
    for there in [&other_of_bob, &other_of_cyd, &other_of_dan] {
        eventually("the mirror knows", async || there.me(&app).await.is_none().then_some(())).await;
    }
    for person in [&bob, &cyd] {
        Person { password: NEW_PASSWORD.to_owned(), ..person.clone() }.login(&app).await;
    }
    eventually("the account goes with its last session", async || {
        (number(&app, "SELECT count(*) FROM users").await == 3).then_some(())
    })
    .await;
    assert_eq!(number(&app, "SELECT count(*) FROM users WHERE ending_sessions IS NOT NULL").await, 0);
}

#[tokio::test]
async fn what_a_process_left_is_finished_at_the_next_start() {
    let mut app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, _, _) = somebody(&app, "Ada", 3000).await;
    let (_, bob_tokens, _) = somebody(&app, "Bob", 3000).await;
    execute(
        &app,
        "UPDATE users
         SET session_epoch = session_epoch + 1,
             ending_sessions = CASE email_canonical WHEN 'bob@example.com' THEN 'deleted' ELSE 'logout' END",
    )
    .await;
    assert_eq!(bob_tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    let ada_new = ada.login(&app).await;
    app.restart().await;
    eventually("Ada's sessions end", async || (unended(&app, &ada).await == 1).then_some(())).await;
    eventually("Bob's account goes", async || {
        (number(&app, "SELECT count(*) FROM users").await == 1).then_some(())
    })
    .await;
    assert!(ada_new.me(&app).await.is_some());
    let reasons = "SELECT count(*) FROM sessions WHERE end_reason IN ('logout', 'deleted')";
    assert_eq!(number(&app, reasons).await, 6004);
}

#[tokio::test]
async fn an_account_that_is_being_deleted_is_not_opened_again_and_deleting_it_again_finishes() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, _, _) = somebody(&app, "Ada", 3000).await;
    execute(
        &app,
        "UPDATE users SET session_epoch = session_epoch + 1, ending_sessions = 'deleted', disabled_at = now()",
    )
    .await;
    for command in ["enable", "disable"] {
        let refused = output(Path::new("/"), &app.operator_settings(), &["users", command, &ada.email]);
        assert!(!refused.status.success(), "{command}");
    }
    let told = users(&app, &["delete", &ada.email]);
    assert!(told.contains("its 3002 sessions were ended"), "{told}");
    assert_eq!(number(&app, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn an_account_that_is_shut_by_hand_loses_all_its_sessions() {
    let mut app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, here, there) = somebody(&app, "Ada", 3000).await;
    execute(&app, "UPDATE users SET disabled_at = now()").await;
    assert_eq!(unended(&app, &ada).await, 1002, "the first ones end at once");
    for session in [&here, &there] {
        assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }
    // Opened again before the rest has ended: they stay dead.
    users(&app, &["enable", &ada.email]);
    for session in [&here, &there] {
        assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }
    app.restart().await;
    eventually("the rest ends", async || (unended(&app, &ada).await == 0).then_some(())).await;
}
