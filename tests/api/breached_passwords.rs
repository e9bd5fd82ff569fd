//! Passwords that were found in data breaches (docs/security.md PWD-5).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{complaint, output, printed};
use crate::support::{Mode, Person, TestApp, in_both_modes};
use crate::users::users_given;

/// In the list.
const BREACHED: &str = "seven green bottles on a wall";
/// Not in it.
const UNHEARD_OF: &str = "yet another staple of horses";
/// What `sha1sum` makes of it, between two others.
const LIST: &str = "000000005AD76BD555C1D6D771DE417A4B87E4B4:10\r\n\
    BCFBB77B706781451A1728B3CFDFF710023BE2A2:3\r\n\
    FFFFFFFEE791CBAC0F6305CAF0CEE06BBE131160:2\r\n";

/// The list in a file, and its name.
fn list() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("breached.txt");
    fs::write(&file, LIST).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn wanting(password: &str) -> Person {
    Person { password: password.to_owned(), ..Person::new("Ada") }
}

fn assert_refused(answer: &Value, field: &str) {
    let expected = json!([{
        "path": [field],
        "code": "TOO_COMMON",
        "message": "This password is easy to guess: it has appeared in a data breach.",
    }]);
    assert_eq!((&answer["code"], &answer["fields"]), (&json!("VALIDATION_FAILED"), &expected), "{answer}");
}

in_both_modes! {
    async fn a_password_from_a_breach_can_be_chosen_nowhere_and_still_opens_its_account(app: TestApp) {
        let mut app = app;
        let ada = wanting(BREACHED);
        assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
        let (_folder, file) = list();
        app.set("AUTHQL_BREACHED_PASSWORDS", &file);
        app.restart().await;

        let bob = Person { email: "bob@example.com".to_owned(), ..ada.clone() };
        assert_refused(&bob.register(&app).await, "password");
        // The same where there is an account.
        assert_refused(&ada.register(&app).await, "password");
        assert_eq!(Person { password: UNHEARD_OF.to_owned(), ..bob }.register(&app).await["__typename"], "RegisterSuccess");

        let session = ada.login(&app).await;
        let change = json!({"currentPassword": BREACHED, "newPassword": BREACHED});
        assert_refused(&app.mutate("changePassword", change, Some(&session.access)).await, "newPassword");

        app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
        let token = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");
        let reset = |password: &str| json!({"token": token, "newPassword": password});
        assert_refused(&app.mutate("resetPassword", reset(BREACHED), None).await, "newPassword");
        // That has not used it up.
        assert_eq!(app.mutate("resetPassword", reset(UNHEARD_OF), None).await["__typename"], "ResetPasswordSuccess");
        wanting(UNHEARD_OF).login(&app).await;
    }
}

/// Without the list, nobody can tell which passwords are in it.
#[tokio::test]
async fn while_the_list_cannot_be_read_no_password_is_chosen_and_every_account_opens() {
    let (_folder, file) = list();
    let settings = [("AUTHQL_BREACHED_PASSWORDS", &*file)];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let ada = app.registered("Ada").await;
    fs::write(&file, "").unwrap();

    for password in [BREACHED, UNHEARD_OF] {
        let input = json!({"email": "bob@example.com", "password": password});
        let answer = app.try_mutate("register", input, None).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{answer}");
    }
    let accounts = sqlx::query_scalar("SELECT count(*) FROM users");
    assert_eq!(accounts.fetch_one(&mut app.database().await).await.ok(), Some(1_i64));
    ada.login(&app).await;

    fs::write(&file, LIST).unwrap();
    app.registered("Bob").await;
}

#[tokio::test]
async fn an_operator_cannot_choose_it_for_somebody_either() {
    let (_folder, file) = list();
    let settings = [("AUTHQL_BREACHED_PASSWORDS", &*file)];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let (told, code) = complaint(users_given(&app, &["create", "ada@example.com"], BREACHED));
    assert!(
        told.contains("ada@example.com: this password is easy to guess: it has appeared in a data breach"),
        "{told}"
    );
    assert_eq!(code, 1);

    // Where the list is not at hand, an account can be shut all the same.
    let ada = app.registered("Ada").await;
    fs::remove_file(&file).unwrap();
    let (told, code) = complaint(users_given(&app, &["create", "bob@example.com"], &ada.password));
    assert_eq!((told.contains("AUTHQL_BREACHED_PASSWORDS names a file"), code), (true, 2), "{told}");
    printed(users_given(&app, &["disable", &ada.email], ""));
    assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
}

#[test]
fn a_list_that_is_none_stops_the_start() {
    let (folder, file) = list();
    let sorted: Vec<&str> = LIST.lines().collect();
    for (text, expected) in [
        ("", "AUTHQL_BREACHED_PASSWORDS names a file that is empty: fill it with"),
        (
            "password\n",
            "AUTHQL_BREACHED_PASSWORDS names a file that has no SHA-1 hash of 40 hexadecimal digits in the line at byte 0",
        ),
        (
            &[sorted[1], sorted[0]].join("\n"),
            "AUTHQL_BREACHED_PASSWORDS names a file that is not sorted by hash at byte 43: sort it",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let (told, code) =
            complaint(output(folder.path(), &[("AUTHQL_BREACHED_PASSWORDS", &*file)], &["serve"]));
        assert!(told.contains(expected), "{told}");
        assert_eq!(code, 2);
    }
    let missing = [("AUTHQL_BREACHED_PASSWORDS", "missing.txt")];
    let (told, code) = complaint(output(Path::new("/"), &missing, &["serve"]));
    assert!(told.contains("AUTHQL_BREACHED_PASSWORDS names a file that cannot be read"), "{told}");
    assert_eq!(code, 2);
}
