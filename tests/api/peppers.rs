//! Passwords whose hashes need a secret that is not in the database (docs/security.md PWD-9, LOG-1).

use std::fs;
use std::path::Path;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use serde_json::{Value, json};

use crate::support::program::{Program, complaint, output, printed};
use crate::support::{Mode, Person, TestApp, in_both_modes};

const FIRST: &str = "q3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";
/// The id of `FIRST`: of HMAC-SHA256 in Python.
const FIRST_ID: &str = ",keyid=sePEX3r7650$";
const SECOND: &str = "Zk9pW3rT6yUeQ1sXv8bNc4mL7jHg2fDa5oKiR0tYwEz=";

async fn hash_of(app: &TestApp, person: &Person) -> String {
    sqlx::query_scalar("SELECT password_hash FROM users WHERE email = $1")
        .bind(&person.email)
        .fetch_one(&mut app.database().await)
        .await
        .unwrap()
}

/// Whether somebody who has the hash, and this pepper, finds the password to be right.
fn verifies(hash: &str, password: &str, pepper: &str) -> bool {
    let hash = PasswordHash::new(hash).unwrap();
    let params = Params::try_from(&hash).unwrap();
    let argon2 = Argon2::new_with_secret(pepper.as_bytes(), Algorithm::Argon2id, Version::V0x13, params);
    argon2.unwrap().verify_password(password.as_bytes(), &hash).is_ok()
}

/// Restarts it with these peppers.
async fn restart(app: &mut TestApp, present: &str, previous: &str) {
    app.set("AUTHQL_PEPPER", present);
    app.set("AUTHQL_PEPPER_PREVIOUS", previous);
    app.restart().await;
}

fn wrong(person: &Person) -> Person {
    Person { password: "wrong horse battery staple".to_owned(), ..person.clone() }
}

in_both_modes! {
    async fn a_pepper_is_introduced_changed_and_taken_away_and_every_login_works(app: TestApp) {
        let mut app = app;
        let ada = app.registered("Ada").await;
        let plain = hash_of(&app, &ada).await;
        assert!(!plain.contains("keyid") && verifies(&plain, &ada.password, ""), "{plain}");

        restart(&mut app, FIRST, "").await;
        assert_eq!(wrong(&ada).try_login(&app).await["code"], "INVALID_CREDENTIALS");
        assert_eq!(hash_of(&app, &ada).await, plain, "a guess changes nothing");
        ada.login(&app).await;
        let first = hash_of(&app, &ada).await;
        assert!(first.contains(FIRST_ID), "{first}");
        assert!(verifies(&first, &ada.password, FIRST));
        for nothing in [&first, &first.replace(FIRST_ID, "$")] {
            assert!(!verifies(nothing, &ada.password, "") && !verifies(nothing, &ada.password, SECOND));
        }
        ada.login(&app).await;
        assert_eq!(hash_of(&app, &ada).await, first);
        let bob = app.registered("Bob").await;
        assert!(hash_of(&app, &bob).await.contains(FIRST_ID));

        restart(&mut app, SECOND, FIRST).await;
        assert_eq!(wrong(&ada).try_login(&app).await["code"], "INVALID_CREDENTIALS");
        ada.login(&app).await;
        let second = hash_of(&app, &ada).await;
        assert!(second.contains(",keyid=") && !second.contains(FIRST_ID), "{second}");
        assert!(verifies(&second, &ada.password, SECOND));

        restart(&mut app, "", SECOND).await;
        ada.login(&app).await;
        let without = hash_of(&app, &ada).await;
        assert!(!without.contains("keyid") && verifies(&without, &ada.password, ""), "{without}");
        restart(&mut app, "", "").await;
        ada.login(&app).await;
    }
}

#[tokio::test]
async fn without_a_pepper_that_is_in_use_there_is_no_start() {
    let settings = [("AUTHQL_PEPPER", FIRST)];
    let mut app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let ada = app.registered("Ada").await;
    ada.login(&app).await;
    app.stop().await;
    let mut settings = app.operator_settings();
    settings.retain(|(name, _)| *name != "AUTHQL_PEPPER");
    settings.push(("AUTHQL_LISTEN", "127.0.0.1:0"));
    for other in [None, Some(("AUTHQL_PEPPER", SECOND))] {
        let settings: Vec<(&str, &str)> = settings.iter().copied().chain(other).collect();
        let (told, code) = complaint(output(Path::new("/"), &settings, &["serve"]));
        assert!(
            told.contains(
                "hashed with a pepper (sePEX3r7650) that is neither AUTHQL_PEPPER nor AUTHQL_PEPPER_PREVIOUS"
            ),
            "{told}"
        );
        assert_eq!(code, 1);
        // Nor is an account made whose password would be wrong.
        let (told, code) =
            complaint(output(Path::new("/"), &settings, &["users", "create", "bob@example.com"]));
        assert_eq!((told.contains("hashed with a pepper"), code), (true, 1), "{told}");
    }
    app.restart().await;
    ada.login(&app).await;

    // Where it is lost, docs/operating.md has this.
    let lost = "UPDATE users SET password_hash = NULL WHERE password_hash LIKE '%,keyid=sePEX3r7650$%'";
    assert_eq!(sqlx::query(lost).execute(&mut app.database().await).await.unwrap().rows_affected(), 1);
    restart(&mut app, SECOND, "").await;
    assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
}

/// Ada has logged in since the pepper was changed, Bob has not.
#[tokio::test]
async fn who_is_left_with_a_pepper_that_was_given_up_has_a_wrong_password_and_comes_back_by_mail() {
    let settings = [("AUTHQL_PEPPER", FIRST)];
    let mut app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
    restart(&mut app, SECOND, FIRST).await;
    ada.login(&app).await;

    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(
        folder.path(),
        &[app.operator_settings(), vec![("AUTHQL_PEPPER_PREVIOUS", ""), ("AUTHQL_LISTEN", "127.0.0.1:0")]]
            .concat(),
    );
    let login = async |person: &Person| -> Value {
        let document = "mutation ($input: LoginInput!) { login(input: $input) { __typename ... on AuthFailure { code message } } }";
        let input = json!({"email": person.email, "password": person.password});
        let body = json!({"query": document, "variables": {"input": input}});
        let request = app.client.post(format!("{}/graphql", program.url)).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(login(&ada).await["data"]["login"]["__typename"], "LoginSuccess");
    assert!(!program.log().contains("pepper"), "{}", program.log());
    let refused = login(&bob).await;
    assert_eq!(refused["data"]["login"]["code"], "INVALID_CREDENTIALS");
    assert_eq!(refused, login(&wrong(&ada)).await);
    assert_eq!(refused, login(&Person::new("Nobody")).await);
    let log = program.log();
    let line = log.lines().find(|line| line.contains("AUTHQL_PEPPER_PREVIOUS")).unwrap();
    assert!(line.contains("ERROR") && line.contains("sePEX3r7650"), "{line}");
    assert!(!log.contains(FIRST) && !log.contains(SECOND), "{log}");
    program.signal("TERM");
    program.wait().await;

    restart(&mut app, SECOND, "").await;
    app.mutate("requestPasswordReset", json!({"email": bob.email}), None).await;
    let token = app.letter_about(&bob.email, "Set a new password").await.token("resetPassword");
    let reset = json!({"token": token, "newPassword": bob.password});
    assert_eq!(app.mutate("resetPassword", reset, None).await["__typename"], "ResetPasswordSuccess");
    bob.login(&app).await;
}

#[tokio::test]
async fn accounts_move_to_a_server_that_has_their_pepper() {
    let settings = [("AUTHQL_PEPPER", FIRST)];
    let from = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let to = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = from.registered("Ada").await;
    let exported =
        printed(output(Path::new("/"), &from.operator_settings(), &["users", "export", "--with-hashes"]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.jsonl");
    fs::write(&file, exported).unwrap();
    let import = ["users", "import", file.to_str().unwrap()];

    let (told, code) = complaint(output(Path::new("/"), &to.operator_settings(), &import));
    assert_eq!(code, 1, "{told}");
    let report = fs::read_to_string(folder.path().join("accounts.jsonl.refused.jsonl")).unwrap();
    assert!(report.contains("made with a pepper (its keyid) that is not known here"), "{report}");

    let mut to = to;
    restart(&mut to, "", FIRST).await;
    printed(output(Path::new("/"), &to.operator_settings(), &import));
    ada.login(&to).await;
    assert!(!hash_of(&to, &ada).await.contains("keyid"));
}
