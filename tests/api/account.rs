//! What people change about their accounts (docs/security.md PWD-11, REF-7, OUT-6, DAT-1; docs/faults.md F28).

use std::fmt::Write;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Row;

use crate::support::{Mode, Person, TestApp, Tokens, eventually, in_both_modes};

const NEW_PASSWORD: &str = "a quite different staple";

async fn change_password(app: &TestApp, session: &Tokens, current: &str, new: &str) -> Value {
    let input = json!({"currentPassword": current, "newPassword": new});
    app.mutate("changePassword", input, Some(&session.access)).await
}

async fn request_email_change(app: &TestApp, session: &Tokens, person: &Person, new: &str) -> Value {
    let input = json!({"newEmail": new, "currentPassword": person.password});
    app.mutate("requestEmailChange", input, Some(&session.access)).await
}

async fn delete(app: &TestApp, session: &Tokens, password: &str) -> Value {
    app.mutate("deleteAccount", json!({"currentPassword": password}), Some(&session.access)).await
}

in_both_modes! {
    async fn a_changed_password_ends_the_other_sessions(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (here, there) = (ada.login(&app).await, ada.login(&app).await);
        let wrong = change_password(&app, &here, "wrong horse battery staple", NEW_PASSWORD).await;
        assert_eq!(wrong["code"], "INVALID_CREDENTIALS");
        let weak = change_password(&app, &here, &ada.password, "ada12345").await;
        assert_eq!((&weak["code"], &weak["fields"][0]["path"]), (&json!("VALIDATION_FAILED"), &json!(["newPassword"])));
        assert!(there.me(&app).await.is_some());

        let changed = change_password(&app, &here, &ada.password, NEW_PASSWORD).await;
        assert_eq!(changed, json!({"__typename": "ChangePasswordSuccess", "endedSessions": 1}));
        assert!(here.refresh(&app).await.me(&app).await.is_some());
        assert_eq!(there.me(&app).await, None);
        assert_eq!(there.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        app.letter_about(&ada.email, "Your password at authql was changed").await;
        Person { password: NEW_PASSWORD.to_owned(), ..ada }.login(&app).await;
    }

    async fn an_account_moves_to_an_address_that_is_confirmed(app: TestApp) {
        let ada = app.registered("Ada").await;
        let session = ada.login(&app).await;
        let stranger = Person { password: "wrong horse battery staple".to_owned(), ..ada.clone() };
        let refused = request_email_change(&app, &session, &stranger, "lovelace@example.com").await;
        assert_eq!(refused["code"], "INVALID_CREDENTIALS");
        let asked = request_email_change(&app, &session, &ada, "Lovelace@example.com").await;
        assert_eq!(asked, json!({"__typename": "RequestEmailChangeSuccess", "email": "Lovelace@example.com"}));
        app.letter_about(&ada.email, "Your address at authql is about to change").await;
        let token = app.letter_about("Lovelace@example.com", "Confirm your new address").await.token("confirmEmailChange");
        assert_eq!(session.me(&app).await.as_deref(), Some("ada@example.com"), "nothing has moved yet");
        let resetting = app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
        assert_eq!(resetting["__typename"], "RequestPasswordResetSuccess");
        let old_reset = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");

        let moved = app.mutate("confirmEmailChange", json!({"token": token}), None).await;
        assert_eq!(moved, json!({"__typename": "ConfirmEmailChangeSuccess", "email": "Lovelace@example.com"}));
        assert_eq!(session.me(&app).await.as_deref(), Some("Lovelace@example.com"), "the session goes on");
        app.letter_about(&ada.email, "Your address at authql was changed").await;
        assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        let moved = Person { email: "lovelace@example.com".to_owned(), ..ada };
        assert_eq!(moved.try_login(&app).await["user"]["emailVerified"], true);
        // The old mailbox has no say any longer.
        let late = json!({"token": old_reset, "newPassword": NEW_PASSWORD});
        assert_eq!(app.mutate("resetPassword", late, None).await["code"], "MAIL_TOKEN_INVALID");
    }

    async fn a_taken_address_is_asked_for_without_learning_of_it(app: TestApp) {
        let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
        let session = ada.login(&app).await;
        let free = request_email_change(&app, &session, &ada, "cyd@example.com").await.to_string();
        let taken = request_email_change(&app, &session, &ada, &bob.email).await.to_string();
        assert_eq!(free.replace("cyd@", "bob@"), taken);
        app.letter_about(&bob.email, "You already have an account").await;
    }

    async fn of_two_who_want_an_address_the_first_to_confirm_has_it(app: TestApp) {
        let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
        for person in [&ada, &bob] {
            request_email_change(&app, &person.login(&app).await, person, "new@example.com").await;
        }
        let letters = app.letters_to("new@example.com", 2).await;
        let tokens: Vec<String> = letters.iter().map(|letter| letter.token("confirmEmailChange")).collect();
        let confirm = async |token: &String| app.mutate("confirmEmailChange", json!({"token": token}), None).await;
        let (one, other) = tokio::join!(confirm(&tokens[0]), confirm(&tokens[1]));
        let mut outcomes = [&one, &other].map(|answer| answer["code"].as_str().unwrap_or("moved"));
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["MAIL_TOKEN_INVALID", "moved"]);
    }

    async fn a_changed_password_stops_a_move_that_a_thief_began(app: TestApp) {
        let ada = app.registered("Ada").await;
        let session = ada.login(&app).await;
        request_email_change(&app, &session, &ada, "thief@example.com").await;
        let token = app.letter_about("thief@example.com", "Confirm your new address").await.token("confirmEmailChange");
        change_password(&app, &session, &ada.password, NEW_PASSWORD).await;
        assert_eq!(app.mutate("confirmEmailChange", json!({"token": token}), None).await["code"], "MAIL_TOKEN_INVALID");
    }

    async fn a_profile_changes_in_what_is_given(app: TestApp) {
        let ada = app.registered("Ada").await;
        let session = ada.login(&app).await;
        let update = async |input: Value| app.mutate("updateProfile", input, Some(&session.access)).await;
        let user = |answer: &Value| (answer["user"]["name"].clone(), answer["user"]["locale"].clone());
        assert_eq!(user(&update(json!({})).await), (json!("Ada"), json!("en")));
        assert_eq!(user(&update(json!({"locale": "ru"})).await), (json!("Ada"), json!("ru")));
        assert_eq!(user(&update(json!({"name": " Countess "})).await), (json!("Countess"), json!("ru")));
        assert_eq!(user(&update(json!({"name": null, "locale": null})).await), (Value::Null, json!("ru")));
        let refused = update(json!({"name": "a\u{0}b", "locale": "not a tag"})).await;
        assert_eq!(refused["fields"].as_array().unwrap().len(), 2, "{refused}");
    }

    async fn these_need_a_session(app: TestApp) {
        for (mutation, input) in [
            ("changePassword", json!({"currentPassword": "a", "newPassword": NEW_PASSWORD})),
            ("requestEmailChange", json!({"newEmail": "ada@example.com", "currentPassword": "a"})),
            ("updateProfile", json!({})),
            ("deleteAccount", json!({"currentPassword": "a"})),
        ] {
            let answer = app.try_mutate(mutation, input, None).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        }
    }

    async fn a_deleted_account_is_gone_and_its_address_is_free(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (here, there) = (ada.login(&app).await, ada.login(&app).await);
        let id = here.try_me(&app).await["data"]["me"]["id"].clone();
        assert_eq!(delete(&app, &here, "wrong horse battery staple").await["code"], "INVALID_CREDENTIALS");
        let deleted = delete(&app, &here, &ada.password).await;
        assert_eq!(deleted, json!({"__typename": "DeleteAccountSuccess", "endedSessions": 2}));
        for session in [here, there] {
            assert_eq!(session.me(&app).await, None);
            assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        }
        assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        app.letter_about(&ada.email, "Your account at authql was deleted").await;
        ada.register(&app).await;
        let again = ada.login(&app).await;
        assert_ne!(again.try_me(&app).await["data"]["me"]["id"], id, "another person");
    }

    async fn a_login_that_was_checked_before_the_change_starts_no_session(app: TestApp) {
        let ada = app.registered("Ada").await;
        let session = ada.login(&app).await;
        for round in 0..12 {
            let (old, new) = (format!("{NEW_PASSWORD} {round}"), format!("{NEW_PASSWORD} {}", round + 1));
            let old = if round == 0 { ada.password.clone() } else { old };
            let intruder = Person { password: old.clone(), ..ada.clone() };
            let (changed, logins) = tokio::join!(
                change_password(&app, &session, &old, &new),
                join_all((0..3).map(|_| intruder.try_login(&app)))
            );
            assert_eq!(changed["__typename"], "ChangePasswordSuccess", "{changed}");
            for login in logins {
                if login["__typename"] == "LoginSuccess" {
                    assert_eq!(Tokens::read(&login["tokens"]).me(&app).await, None, "round {round}");
                }
            }
        }
        assert!(session.me(&app).await.is_some());
    }

    async fn refreshes_that_race_a_deletion_leave_nothing_alive(app: TestApp) {
        for round in 0..12 {
            let ada = app.registered(&format!("Ada{round}")).await;
            let (here, there) = (ada.login(&app).await, ada.login(&app).await);
            let (deleted, refreshed) =
                tokio::join!(delete(&app, &here, &ada.password), join_all((0..4).map(|_| there.try_refresh(&app))));
            assert_eq!(deleted["__typename"], "DeleteAccountSuccess", "{deleted}");
            for answer in refreshed {
                if answer["data"]["refresh"]["__typename"] == "RefreshSuccess" {
                    let tokens = Tokens::read(&answer["data"]["refresh"]["tokens"]);
                    assert_eq!(tokens.me(&app).await, None, "round {round}");
                    assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
                }
            }
        }
    }
}

/// DAT-1: looks through every table, and every key of Redis.
#[tokio::test]
async fn a_deleted_account_leaves_nothing_personal() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = Person {
        name: "Ada Augusta".to_owned(),
        email: "Countess@example.com".to_owned(),
        ..Person::new("Ada")
    };
    ada.register(&app).await;
    let agent = [("User-Agent", "Difference-Engine/1.0")];
    let input = json!({"input": {"email": ada.email, "password": ada.password}});
    let login = app.graphql_with(&agent, crate::support::LOGIN, input, None).await;
    let session = Tokens::read(&login["data"]["login"]["tokens"]);
    // Something of each kind: used tokens and open ones, mails that were sent and one that waits.
    let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
    app.mutate("verifyEmail", json!({"token": token}), None).await;
    app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
    request_email_change(&app, &session, &ada, "lovelace@example.com").await;
    app.letter_about("lovelace@example.com", "Confirm your new address").await;
    session.refresh(&app).await.refresh(&app).await;
    assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_REUSED");
    app.letter_about(&ada.email, "You were signed out").await;
    let session = ada.login(&app).await;
    sqlx::query("UPDATE outbox SET state = 'pending', settled_at = NULL, due_at = now() + interval '1 day' WHERE kind = 'welcome'")
        .execute(&mut app.database().await)
        .await
        .unwrap();
    let before = everything(&app).await;
    for personal in ["countess", "lovelace", "augusta", "difference-engine", "127.0.0.1", "argon2"] {
        assert!(before.contains(personal), "the test looks in the wrong place for {personal}");
    }

    assert_eq!(delete(&app, &session, &ada.password).await["__typename"], "DeleteAccountSuccess");
    app.letter_about(&ada.email, "Your account at authql was deleted").await;
    eventually("the last mail is recorded as sent", async || {
        let last = "SELECT state FROM outbox WHERE kind = 'account_deleted'";
        let state: String = sqlx::query_scalar(last).fetch_one(&mut app.database().await).await.unwrap();
        (state == "sent").then_some(())
    })
    .await;
    let after = everything(&app).await;
    for personal in ["countess", "lovelace", "augusta", "difference-engine", "127.0.0.1", "argon2"] {
        assert!(!after.contains(personal), "{personal} stayed behind: {after}");
    }
    assert!(after.contains("refresh_token_reused"), "events stay, under a pseudonym");
}

/// An operator deletes by hand: the instances hear of the sessions' ends all the same.
#[tokio::test]
async fn an_account_that_is_deleted_in_the_database_is_signed_out() {
    let Some(app) = TestApp::on_servers().await else { return };
    let session = app.registered("Ada").await.login(&app).await;
    assert!(session.me(&app).await.is_some());
    sqlx::query("DELETE FROM users").execute(&mut app.database().await).await.unwrap();
    eventually("it is signed out", async || session.me(&app).await.is_none().then_some(())).await;
    assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    let row = sqlx::query("SELECT end_reason, user_agent FROM sessions")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "deleted");
}

/// What all tables and all keys of Redis hold, in lower case.
async fn everything(app: &TestApp) -> String {
    let mut connection = app.database().await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert!(tables.len() >= 6, "{tables:?}");
    let mut found = String::new();
    for table in tables.iter().filter(|table| *table != "_sqlx_migrations") {
        let rows = format!("SELECT COALESCE(string_agg(t::text, ' '), '') FROM {table} t");
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&mut connection).await.unwrap();
        found += &text;
    }
    let redis = app.redis.as_ref().unwrap();
    let keys: Vec<String> = redis.command("KEYS *").await;
    for key in &keys {
        let kind: String = redis.command(&format!("TYPE {key}")).await;
        let value: redis::Value = match kind.as_str() {
            "list" => redis.command(&format!("LRANGE {key} 0 -1")).await,
            "hash" => redis.command(&format!("HGETALL {key}")).await,
            _ => redis.command(&format!("GET {key}")).await,
        };
        write!(found, " {key} {value:?}").unwrap();
    }
    found.to_lowercase()
}
