//! Which passwords there can be, and that nothing of them is lost (docs/security.md PWD-1, PWD-2, PWD-4, PWD-5, PWD-10).

use serde_json::{Value, json};

use crate::support::{Mode, Person, TestApp, in_both_modes};

/// Somebody who wants this password.
fn wanting(password: &str) -> Person {
    Person { password: password.to_owned(), ..Person::new("Ada") }
}

/// Why it cannot be had, or was not taken.
fn refusal(answer: &Value) -> (&str, &str) {
    assert_eq!(
        (&answer["code"], &answer["fields"][0]["path"]),
        (&json!("VALIDATION_FAILED"), &json!(["password"])),
        "{answer}"
    );
    let text = |name: &str| answer["fields"][0][name].as_str().unwrap();
    (text("code"), text("message"))
}

in_both_modes! {
    async fn no_end_of_a_password_is_cut_off(app: TestApp) {
        let ada = wanting(&format!("{} and an end of its own", "correct horse battery staple ".repeat(3)));
        assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
        for length in [72, 100, ada.password.len() - 1] {
            let cut = wanting(&ada.password[..length]);
            assert_eq!(cut.try_login(&app).await["code"], "INVALID_CREDENTIALS", "{length} bytes of it");
        }
        ada.login(&app).await;
    }

    async fn a_password_has_up_to_256_characters_of_any_script(app: TestApp) {
        let text = "жёлтый конверт у окна, 風が吹いている 🌊 ".repeat(10);
        let longest: String = text.chars().take(256).collect();
        assert_eq!(refusal(&wanting(&format!("{longest}!")).register(&app).await).0, "TOO_LONG");
        let ada = wanting(&longest);
        assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
        ada.login(&app).await;
        // What nobody can have costs no hash at a login either.
        assert_eq!(refusal(&wanting(&format!("{longest}!")).try_login(&app).await).0, "TOO_LONG");
        assert_eq!(refusal(&wanting(&"🌊".repeat(257)).try_login(&app).await).0, "TOO_LONG");
        assert_eq!(refusal(&wanting("correct\0horse").try_login(&app).await).0, "INVALID_FORMAT");
    }

    async fn one_password_is_one_however_a_keyboard_writes_it_and_spaces_count(app: TestApp) {
        let ada = wanting(" cafe\u{301} au lait, s'il vous plai\u{302}t ");
        assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
        ada.login(&app).await;
        wanting(" caf\u{e9} au lait, s'il vous pla\u{ee}t ").login(&app).await;
        for other in [ada.password.trim(), &ada.password.to_uppercase(), &ada.password.replace(", ", ",")] {
            assert_eq!(wanting(other).try_login(&app).await["code"], "INVALID_CREDENTIALS", "{other}");
        }
    }

    async fn a_password_that_is_tried_early_is_refused_with_the_reason(app: TestApp) {
        for (password, reason) in [
            ("sunshine", "This password is easy to guess: it is one of the passwords that are tried first."),
            ("fqrg7cs493", "This password is easy to guess: it is one of the passwords that are tried first."),
            ("ada@example.com", "This password is easy to guess: it is made of what others know of you."),
            ("qwertyuiop[]", "This password is easy to guess: it is a straight row of keys."),
            ("abcabcabcabc", "This password is easy to guess: it repeats itself."),
        ] {
            let answer = wanting(password).register(&app).await;
            assert_eq!(refusal(&answer), ("TOO_COMMON", reason), "{password}");
        }
    }

    async fn a_text_that_is_none_is_refused_before_the_database_sees_it(app: TestApp) {
        for text in [r"\ud800 horse battery", r"horse \udc00 battery"] {
            let body = format!(
                r#"{{"query": "mutation ($input: LoginInput!) {{ login(input: $input) {{ __typename }} }}",
                    "variables": {{"input": {{"email": "ada@example.com", "password": "{text}"}}}}}}"#
            );
            let request = app.client.post(format!("{}/graphql", app.url)).header("Content-Type", "application/json");
            let response = request.body(body).send().await.unwrap();
            assert_eq!(response.status(), 400);
            let answer: Value = response.json().await.unwrap();
            assert!(answer.get("data").is_none() && answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
            assert!(!answer.to_string().contains("battery"), "{answer}");
        }
        for email in ["\u{feff}ada@example.com", "ada@example.com\u{feff}", "ada\0@example.com"] {
            let answer = Person { email: email.to_owned(), ..Person::new("Ada") }.try_login(&app).await;
            assert_eq!((&answer["code"], &answer["fields"][0]["code"]), (&json!("VALIDATION_FAILED"), &json!("INVALID_FORMAT")), "{email:?}");
        }
    }
}

#[tokio::test]
async fn an_operator_who_asks_for_longer_passwords_locks_nobody_out() {
    let mut app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = wanting("k3!Vx-9qW");
    assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
    app.set("AUTHQL_PASSWORD_MIN_LENGTH", "15");
    app.restart().await;
    ada.login(&app).await;
    let bob = Person { email: "bob@example.com".to_owned(), ..ada };
    let answer = bob.register(&app).await;
    assert_eq!(refusal(&answer), ("TOO_SHORT", "Use at least 15 characters."));
}
