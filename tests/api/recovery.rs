//! Confirming an address, and getting back in without the password (docs/security.md REG-8, REG-9, PWD-11, MAI-6, MAI-8).

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Mode, Person, Program, TestApp, eventually, in_both_modes, program};

const NEW_PASSWORD: &str = "a quite different staple";

async fn verify(app: &TestApp, token: &str) -> Value {
    app.mutate("verifyEmail", json!({"token": token}), None).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Value {
    app.mutate("resetPassword", json!({"token": token, "newPassword": password}), None).await
}

/// Asks for a reset, and answers the token from the mail.
async fn reset_token(app: &TestApp, person: &Person) -> String {
    let asked = app.mutate("requestPasswordReset", json!({"email": person.email}), None).await;
    assert_eq!(asked, json!({"__typename": "RequestPasswordResetSuccess", "email": person.email}));
    app.letter_about(&person.email, "Set a new password").await.token("resetPassword")
}

async fn is_verified(app: &TestApp, person: &Person) -> bool {
    person.try_login(app).await["user"]["emailVerified"].as_bool().unwrap()
}

in_both_modes! {
    async fn the_link_of_the_welcome_confirms_the_address_once(app: TestApp) {
        let ada = app.registered("Ada").await;
        assert!(!is_verified(&app, &ada).await);
        let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        let verified = verify(&app, &token).await;
        assert_eq!(verified, json!({"__typename": "VerifyEmailSuccess", "email": "ada@example.com"}));
        assert!(is_verified(&app, &ada).await);
        assert_eq!(verify(&app, &token).await["code"], "MAIL_TOKEN_INVALID");
        assert!(is_verified(&app, &ada).await);
    }

    async fn a_token_is_for_one_purpose_and_one_time(app: TestApp) {
        let ada = app.registered("Ada").await;
        let verifying = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        let resetting = reset_token(&app, &ada).await;
        for (mutation, token) in
            [("verifyEmail", &resetting), ("confirmEmailChange", &resetting), ("confirmEmailChange", &verifying)]
        {
            let refused = app.mutate(mutation, json!({"token": token}), None).await;
            assert_eq!(refused["code"], "MAIL_TOKEN_INVALID", "{mutation}");
        }
        assert_eq!(reset(&app, &verifying, NEW_PASSWORD).await["code"], "MAIL_TOKEN_INVALID");
        for token in ["", "authql_verify_", "null", &verifying[..verifying.len() - 1], &format!("{verifying}A")] {
            assert_eq!(verify(&app, token).await["code"], "MAIL_TOKEN_INVALID", "{token}");
        }
        assert_eq!(verify(&app, &verifying).await["__typename"], "VerifyEmailSuccess");
    }

    async fn of_parallel_uses_of_a_token_one_succeeds(app: TestApp) {
        let ada = app.registered("Ada").await;
        let token = reset_token(&app, &ada).await;
        let passwords: Vec<String> = (0..12).map(|number| format!("{NEW_PASSWORD} {number}")).collect();
        let answers = join_all(passwords.iter().map(|password| reset(&app, &token, password))).await;
        let winners: Vec<usize> = (0..12).filter(|number| answers[*number]["__typename"] == "ResetPasswordSuccess").collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let ada = Person { password: passwords[winners[0]].clone(), ..ada };
        ada.login(&app).await;
    }

    async fn a_reset_ends_every_session_and_tells_the_owner(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (phone, laptop) = (ada.login(&app).await, ada.login(&app).await);
        let bystander = app.registered("Bob").await.login(&app).await;
        let token = reset_token(&app, &ada).await;
        let done = reset(&app, &token, NEW_PASSWORD).await;
        assert_eq!(done, json!({"__typename": "ResetPasswordSuccess", "endedSessions": 2}));
        for session in [phone, laptop] {
            assert_eq!(session.me(&app).await, None);
            assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        }
        assert!(bystander.me(&app).await.is_some());
        assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        app.letter_about(&ada.email, "Your password at authql was changed").await;
        let ada = Person { password: NEW_PASSWORD.to_owned(), ..ada };
        // Whoever got the mail has the address.
        assert!(is_verified(&app, &ada).await);
        assert_eq!(reset(&app, &token, "yet another staple of horses").await["code"], "MAIL_TOKEN_INVALID");
    }

    async fn a_weak_password_is_refused_and_the_token_still_works(app: TestApp) {
        let ada = Person { email: "lovelace@example.com".to_owned(), ..Person::new("Ada") };
        ada.register(&app).await;
        let token = reset_token(&app, &ada).await;
        for (password, code) in [("short", "TOO_SHORT"), ("password1234", "TOO_COMMON"), ("lovelace1", "TOO_COMMON")] {
            let refused = reset(&app, &token, password).await;
            assert_eq!(refused["code"], "VALIDATION_FAILED", "{refused}");
            assert_eq!(refused["fields"][0]["path"], json!(["newPassword"]));
            assert_eq!(refused["fields"][0]["code"], code, "{password}");
        }
        assert_eq!(reset(&app, &token, NEW_PASSWORD).await["__typename"], "ResetPasswordSuccess");
    }

    async fn tokens_expire(app: TestApp) {
        let ada = app.registered("Ada").await;
        let verifying = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        let resetting = reset_token(&app, &ada).await;
        app.advance(TimeDelta::minutes(61)).await;
        assert_eq!(reset(&app, &resetting, NEW_PASSWORD).await["code"], "MAIL_TOKEN_INVALID");
        app.advance(TimeDelta::days(7)).await;
        assert_eq!(verify(&app, &verifying).await["code"], "MAIL_TOKEN_INVALID");
    }

    async fn a_new_password_makes_older_links_worthless(app: TestApp) {
        let ada = app.registered("Ada").await;
        let first = reset_token(&app, &ada).await;
        app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
        let letters = app.letters_to(&ada.email, 3).await;
        let second = letters.iter().map(|letter| &letter.subject).filter(|subject| subject.starts_with("Set")).count();
        assert_eq!(second, 2);
        let newest = letters.last().unwrap().token("resetPassword");
        assert_eq!(reset(&app, &newest, NEW_PASSWORD).await["__typename"], "ResetPasswordSuccess");
        assert_eq!(reset(&app, &first, "yet another staple of horses").await["code"], "MAIL_TOKEN_INVALID");
    }

    async fn an_address_with_and_without_an_account_are_answered_alike(app: TestApp) {
        let ada = app.registered("Ada").await;
        app.letters_to(&ada.email, 1).await;
        for mutation in ["requestPasswordReset", "resendVerification"] {
            let known = app.try_mutate(mutation, json!({"email": "ada@example.com"}), None).await.to_string();
            let unknown = app.try_mutate(mutation, json!({"email": "bob@example.com"}), None).await.to_string();
            assert_eq!(known.replace("ada@", "bob@"), unknown);
        }
        // Each request has left one row, and the strangers' name nobody.
        let rows = "SELECT recipient, last_error FROM outbox WHERE state = 'suppressed'";
        let rows: Vec<(String, String)> = sqlx::query_as(rows).fetch_all(&mut app.database().await).await.unwrap();
        let expected = (String::new(), "no account has this address".to_owned());
        assert_eq!(rows, [expected.clone(), expected]);
        assert_eq!(app.letters_to(&ada.email, 3).await.len(), 3);
    }

    async fn a_confirmed_address_gets_no_further_confirmation(app: TestApp) {
        let ada = app.registered("Ada").await;
        let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        let again = app.mutate("resendVerification", json!({"email": "ADA@example.com"}), None).await;
        assert_eq!(again["__typename"], "ResendVerificationSuccess");
        let second = app.letter_about(&ada.email, "Confirm your address").await.token("verifyEmail");
        assert_eq!(verify(&app, &second).await["__typename"], "VerifyEmailSuccess");
        assert_eq!(verify(&app, &token).await["__typename"], "VerifyEmailSuccess", "both mails are good");
        app.mutate("resendVerification", json!({"email": ada.email}), None).await;
        assert_eq!(app.mails("suppressed").await, 1);
    }

    async fn nobody_is_buried_in_mail(app: TestApp) {
        let ada = app.registered("Ada").await;
        for _ in 0..8 {
            let asked = app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
            assert_eq!(asked["__typename"], "RequestPasswordResetSuccess");
        }
        // The welcome, and five links for a new password.
        assert_eq!(app.letters_to(&ada.email, 6).await.len(), 6);
        assert_eq!(app.mails("suppressed").await, 3);
        app.advance(TimeDelta::hours(1)).await;
        app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
        app.letters_to(&ada.email, 7).await;
    }

    async fn malformed_input_is_told_by_field(app: TestApp) {
        for mutation in ["requestPasswordReset", "resendVerification"] {
            let refused = app.mutate(mutation, json!({"email": "ada@"}), None).await;
            assert_eq!(refused["fields"][0]["path"], json!(["email"]));
        }
    }

    async fn no_token_is_at_rest(app: TestApp) {
        let ada = app.registered("Ada").await;
        let token = reset_token(&app, &ada).await;
        let rows = "SELECT string_agg(mail_tokens::text, ' ') || string_agg(outbox::text, ' ') FROM mail_tokens JOIN outbox USING (id)";
        let rows: String = sqlx::query_scalar(rows).fetch_one(&mut app.database().await).await.unwrap();
        let secret = token.strip_prefix("authql_reset_").unwrap();
        assert!(rows.contains("reset_password") && !rows.contains(&secret[22..]), "{rows}");
    }
}

/// REG-9.
mod where_a_confirmed_address_is_required {
    use super::*;

    in_both_modes! {
        with &[("AUTHQL_LOGIN_REQUIRES", "verified_email")];

        async fn only_whoever_knows_the_password_learns_of_it(app: TestApp) {
            let ada = app.registered("Ada").await;
            let stranger = Person { password: "wrong horse battery staple".to_owned(), ..ada.clone() };
            assert_eq!(stranger.try_login(&app).await, Person::new("Nobody").try_login(&app).await);
            assert_eq!(ada.try_login(&app).await["code"], "EMAIL_NOT_VERIFIED");
            let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
            verify(&app, &token).await;
            let session = ada.login(&app).await;
            // Asked again at each refresh.
            sqlx::query("UPDATE users SET email_verified_at = NULL").execute(&mut app.database().await).await.unwrap();
            assert_eq!(session.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        }
    }
}

/// REG-1: told only where the operator has chosen to tell.
mod where_a_taken_address_is_revealed {
    use super::*;

    in_both_modes! {
        with &[("AUTHQL_REVEAL_TAKEN_EMAIL", "on")];

        async fn a_registration_says_so_and_changes_nothing(app: TestApp) {
            let ada = app.registered("Ada").await;
            app.advance(TimeDelta::minutes(11)).await;
            let again = Person { password: NEW_PASSWORD.to_owned(), ..ada.clone() };
            assert_eq!(again.register(&app).await["code"], "EMAIL_TAKEN");
            app.letter_about(&ada.email, "You already have an account").await;
            ada.login(&app).await;
        }
    }
}

/// The secret was changed while a mail waited, and while a link was in a mailbox.
#[tokio::test]
async fn a_link_survives_a_change_of_the_secret() {
    const NEXT: &str = "b4Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";
    let mut app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
    let previous = app.setting("AUTHQL_SECRET").to_owned();
    app.set("AUTHQL_SECRET_PREVIOUS", &previous);
    app.set("AUTHQL_SECRET", NEXT);
    app.restart().await;
    assert_eq!(verify(&app, &token).await["__typename"], "VerifyEmailSuccess");
}

/// The same statements for nobody as for somebody, or the time of the answer would tell.
#[tokio::test]
async fn an_address_without_an_account_costs_the_same_statements() {
    let folder = program::folder();
    let settings = [("AUTHQL_LOG", "info,sqlx=trace"), ("AUTHQL_LOG_FORMAT", "json")];
    let program = Program::start(folder.path(), &settings);
    let send = async |name: &str, input: Value, request_id: &str| {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ __typename }} }}");
        let body = json!({"query": query, "variables": {"input": input}});
        let request = reqwest::Client::new().post(format!("{}/graphql", program.url)).json(&body);
        let answer = request.header("x-request-id", request_id).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains("Success"));
    };
    // What was run in this request, as the library logs it, up to the commit.
    let statements = async |request_id: &str| {
        eventually("it is logged", async || {
            let log = program.log();
            let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let own = lines.filter(|line| line["spans"][0]["request.id"] == request_id);
            let summaries: Vec<String> =
                own.filter_map(|line| Some(line["summary"].as_str()?.to_owned())).collect();
            (summaries.last().is_some_and(|last| last == "COMMIT")).then_some(summaries)
        })
        .await
    };
    let ada = Person::new("Ada");
    send("register", json!({"email": ada.email, "password": ada.password}), "registration").await;
    for name in ["requestPasswordReset", "resendVerification"] {
        let (known, unknown) = (format!("{name}-known"), format!("{name}-unknown"));
        send(name, json!({"email": ada.email}), &known).await;
        send(name, json!({"email": "nobody@example.com"}), &unknown).await;
        let (known, unknown) = (statements(&known).await, statements(&unknown).await);
        assert!(known == unknown && known.len() >= 6, "{known:#?} {unknown:#?}");
    }
}
