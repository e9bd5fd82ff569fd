//! Creating accounts (docs/security.md REG).

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Mode, Person, TestApp, in_both_modes};

const REGISTER: &str = "mutation ($input: RegisterInput!) { register(input: $input) { __typename \
    ... on RegisterSuccess { email } ... on AuthFailure { code fields { path code } } } }";

async fn register(app: &TestApp, input: Value) -> Value {
    app.graphql(REGISTER, json!({"input": input}), None).await
}

/// The problems that were found, as `path: CODE`.
fn problems(answer: &Value) -> Vec<String> {
    let failure = &answer["data"]["register"];
    assert_eq!(failure["code"], "VALIDATION_FAILED", "{answer}");
    let problem = |field: &Value| {
        format!("{}: {}", field["path"][0].as_str().unwrap(), field["code"].as_str().unwrap())
    };
    failure["fields"].as_array().unwrap().iter().map(problem).collect()
}

in_both_modes! {
    async fn a_new_account_is_welcomed_by_name(app: TestApp) {
        let ada = app.registered("Ada").await;
        let letters = app.letters_to(&ada.email, 1).await;
        assert_eq!(letters[0].subject, "Welcome to authql");
        assert!(letters[0].text.starts_with("Hello Ada,\n\nYour account is ready."), "{}", letters[0].text);
        assert!(letters[0].html.contains(">Hello Ada,</p>"), "{}", letters[0].html);
    }

    async fn a_taken_address_is_answered_the_same_and_its_owner_is_told(app: TestApp) {
        let ada = app.registered("Ada").await;
        app.letters_to(&ada.email, 1).await;
        app.advance(TimeDelta::minutes(11)).await;
        let input = |email: &str| json!({"email": email, "password": "another correct horse battery"});
        let taken = register(&app, input("ADA@Example.com")).await;
        let mut free = register(&app, input("BOB@Example.com")).await;
        free["data"]["register"]["email"] = json!("ADA@Example.com");
        assert_eq!(taken, free);

        let letters = app.letters_to(&ada.email, 2).await;
        assert_eq!(letters[1].subject, "You already have an account at authql");
        assert_eq!(letters[1].to, "ada@example.com");
        // Nothing has changed: the old password works, and the new one does not.
        ada.login(&app).await;
        let stranger = Person { password: "another correct horse battery".to_owned(), ..ada };
        assert_eq!(stranger.try_login(&app).await["code"], "INVALID_CREDENTIALS");
    }

    async fn all_problems_of_an_input_are_told_at_once(app: TestApp) {
        let answer = register(
            &app,
            json!({"email": "ada@", "password": "short", "name": "A\u{0}da", "locale": "english please"}),
        )
        .await;
        let mut found = problems(&answer);
        found.sort();
        assert_eq!(
            found,
            ["email: INVALID_FORMAT", "locale: INVALID_FORMAT", "name: INVALID_FORMAT", "password: TOO_SHORT"]
        );
    }

    async fn each_problem_has_its_code(app: TestApp) {
        for (email, password, expected) in [
            ("", "correct horse battery staple", "email: REQUIRED"),
            (&*format!("{}@example.com", "a".repeat(65)), "correct horse battery staple", "email: TOO_LONG"),
            ("ada@example.com", "", "password: REQUIRED"),
            ("ada@example.com", "password1234", "password: TOO_COMMON"),
            ("lovelace@example.com", "lovelace1", "password: TOO_COMMON"),
            ("ada@example.com", &*"x".repeat(2000), "password: TOO_LONG"),
            ("ada@example.com", "correct horse\u{0}battery", "password: INVALID_FORMAT"),
        ] {
            let answer = register(&app, json!({"email": email, "password": password})).await;
            assert_eq!(problems(&answer), [expected]);
        }
    }

    async fn fifty_registrations_of_one_address_make_one_account(app: TestApp) {
        let input = json!({"email": "ada@example.com", "password": "correct horse battery staple"});
        let attempts = (0..50).map(|_| register(&app, input.clone()));
        for answer in join_all(attempts).await {
            assert_eq!(answer["data"]["register"]["__typename"], "RegisterSuccess", "{answer}");
        }
        let mut connection = app.database().await;
        let accounts: i64 =
            sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut connection).await.unwrap();
        assert_eq!(accounts, 1);
        assert!(app.letters_to("ada@example.com", 1).await[0].subject.starts_with("Welcome"));
        // Its owner has the welcome, and needs no word about the others.
        assert_eq!(app.mails("suppressed").await, 49);

        // Later ones are told, but nobody is buried in mail: an hour has room for five.
        app.advance(TimeDelta::minutes(11)).await;
        join_all((0..50).map(|_| register(&app, input.clone()))).await;
        app.letters_to("ada@example.com", 5).await;
        assert_eq!(app.mails("suppressed").await, 49 + 46);
    }

    async fn only_declared_fields_can_be_set(app: TestApp) {
        let answer = register(
            &app,
            json!({"email": "ada@example.com", "password": "correct horse battery staple", "role": "admin"}),
        )
        .await;
        assert!(answer["data"].is_null(), "{answer}");
        let mut connection = app.database().await;
        let accounts: i64 =
            sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut connection).await.unwrap();
        assert_eq!(accounts, 0);
    }

    async fn no_password_is_stored(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut connection = app.database().await;
        let row: String =
            sqlx::query_scalar("SELECT users::text FROM users").fetch_one(&mut connection).await.unwrap();
        assert!(row.contains("$argon2id$v=19$m=7168,t=1,p=1$"), "{row}");
        assert!(!row.contains(&ada.password), "{row}");
    }

    /// Whole, as it comes out of an SMTP conversation or onto the mailbox page.
    async fn a_mail_is_in_the_language_of_its_reader(app: TestApp) {
        let input = json!({"email": "ada@example.com", "password": "correct horse battery staple", "name": "Ада", "locale": "ru-RU"});
        app.mutate("register", input, None).await;
        let letter = app.letter_about("ada@example.com", "Добро пожаловать в authql").await;
        assert!(letter.html.contains("<html lang=\"ru\">") && letter.html.contains("<p"), "{}", letter.html);
        let token = letter.token("verifyEmail");
        assert!(letter.html.contains(&token), "{}", letter.html);
        let text = "\
Здравствуйте, Ада!

Ваша учётная запись готова. Для входа используйте адрес ada@example.com и пароль, который вы выбрали.

Пожалуйста, подтвердите, что это ваш адрес, чтобы мы знали: наши письма до вас доходят.

Подтвердить адрес:
http://localhost/confirm#verifyEmail=TOKEN

Ссылка сработает один раз и действует 7 дней. Если учётную запись создали не вы, просто не обращайте внимания на это письмо.

--\x20
authql · отправлено на ada@example.com";
        assert_eq!(letter.text.replace(&token, "TOKEN").trim_end(), text);
    }
}

/// docs/faults.md F29.
#[tokio::test]
async fn two_instances_make_one_account_of_an_address() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let input = json!({"email": "ada@example.com", "password": "correct horse battery staple"});
    let attempts =
        (0..100).map(|number| register(if number % 2 == 0 { &app } else { &sister }, input.clone()));
    for answer in join_all(attempts).await {
        assert_eq!(answer["data"]["register"]["__typename"], "RegisterSuccess", "{answer}");
    }
    let letters = app.letters_to("ada@example.com", 1).await;
    assert!(letters[0].subject.starts_with("Welcome"));
    assert_eq!(app.mails("suppressed").await, 99);
}
