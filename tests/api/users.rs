//! Accounts as an operator handles them (docs/security.md PWD-6, LOG-2, OUT-6).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{command, complaint, output, printed};
use crate::support::{Mode, Person, TestApp, eventually};

/// `authql users …` beside a running instance.
fn users(app: &TestApp, arguments: &[&str]) -> Output {
    output(Path::new("/"), &app.operator_settings(), &[&["users"], arguments].concat())
}

/// The same with something on its standard input.
pub(crate) fn users_given(app: &TestApp, arguments: &[&str], input: &str) -> Output {
    let mut child = command(Path::new("/"), &app.operator_settings())
        .arg("users")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that finds fault with its arguments may be gone before it reads anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// A file with these lines.
fn file(lines: &[String]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What was reported as refused, by line.
fn refused(path: &str) -> Vec<(u64, String)> {
    let report = fs::read_to_string(format!("{path}.refused.jsonl")).unwrap();
    let lines = report.lines().map(|line| {
        let refused: Value = serde_json::from_str(line).unwrap();
        (refused["line"].as_u64().unwrap(), refused["reason"].as_str().unwrap().to_owned())
    });
    lines.collect()
}

async fn hash_of(app: &TestApp, email: &str) -> Option<String> {
    sqlx::query_scalar("SELECT password_hash FROM users WHERE email_canonical = $1")
        .bind(email)
        .fetch_one(&mut app.database().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn imported_accounts_log_in_with_the_passwords_that_they_had_and_are_upgraded() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    // Made by libxcrypt, passlib, hashlib, Django and the reference implementation of argon2, of "correct horse".
    let hashes = [
        "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$scrypt$ln=10,r=8,p=2$//79++++MTIzNDU2Nzg5$qJxNM0Au/JTUVm8dh6xIkKjPxTsr4waDtEBZ2pOCMUE",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$pbkdf2-sha256$1000$//79....MTIzNDU2Nzg5$moth9iwy82SD7SewJt2CVdvrhqxB3RUWw8Ib/nEy.jA",
        "pbkdf2_sha256$1000$NaClNaClNaClNaClNaClNa$pcoEeOKdU29ad7CREHyoIszxaCZuhS476TlVjDMs2+M=",
        "$argon2i$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$5SpZuXP0TGXUyRU0K/Noa2bftFxEI7Y7f8U9SS5IhKs",
        "$argon2d$v=16$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$obdAbiJDv25Y13CaCnUHz6gqQebevtWwvCPzQ0hCIeI",
    ];
    let email = |number: usize| format!("person{number}@example.com");
    let lines: Vec<String> = hashes
        .iter()
        .enumerate()
        .map(|(number, hash)| json!({"email": email(number), "passwordHash": hash}).to_string())
        .collect();
    let (_folder, path) = file(&lines);
    assert_eq!(printed(users(&app, &["import", &path])), "7 accounts were added, 0 were there already.\n");
    for (number, hash) in hashes.iter().enumerate() {
        let person = Person { email: email(number), ..Person::new("Somebody") };
        assert_eq!(person.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        assert_eq!(
            hash_of(&app, &person.email).await.as_deref(),
            Some(*hash),
            "a wrong password changes nothing"
        );
        let person = Person { password: "correct horse".to_owned(), ..person };
        person.login(&app).await;
        let upgraded = hash_of(&app, &person.email).await.unwrap();
        assert!(upgraded.starts_with("$argon2id$v=19$m=7168,t=1,p=1$"), "{upgraded}");
        person.login(&app).await;
        assert_eq!(hash_of(&app, &person.email).await, Some(upgraded), "once is enough");
    }
    assert!(app.letters().await.is_empty(), "nobody is mailed");
}

#[tokio::test]
async fn an_imported_account_without_a_hash_gets_its_password_by_mail() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let (_folder, path) = file(&[json!({"email": "ada@example.com", "emailVerified": true}).to_string()]);
    let told = printed(users(&app, &["import", &path]));
    assert!(told.ends_with("1 of those added have no password: their owners set one by mail.\n"), "{told}");
    let ada = Person::new("Ada");
    assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
    app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
    let token = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");
    let input = json!({"token": token, "newPassword": ada.password});
    assert_eq!(app.mutate("resetPassword", input, None).await["__typename"], "ResetPasswordSuccess");
    ada.login(&app).await;
}

#[tokio::test]
async fn an_import_leaves_out_what_is_no_account_and_says_why() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let id = "0192f0c1-2345-7000-8000-000000000001";
    let lines = [
        json!({"email": "ADA@example.com", "name": "Not Ada", "passwordHash": null}).to_string(),
        json!({"email": "bob@example.com", "id": id, "name": " Bob ", "locale": "ru"}).to_string(),
        String::new(),
        "{\"email\": \"eve@example.com\"".to_owned(),
        json!({"email": "eve@example.com", "password": "plain"}).to_string(),
        json!({"name": "Eve"}).to_string(),
        json!({"email": "eve@localhost"}).to_string(),
        json!({"email": "BOB@example.com"}).to_string(),
        json!({"email": "eve@example.com", "locale": "en_US"}).to_string(),
        json!({"email": "eve1@example.com", "emailVerified": "yes"}).to_string(),
        json!({"email": "eve2@example.com", "passwordHash": "5f4dcc3b5aa765d61d8327deb882cf99"}).to_string(),
        json!({"email": "eve3@example.com", "id": id}).to_string(),
        json!({"email": "eve4@example.com", "name": "x".repeat(20_000)}).to_string(),
        json!({"email": "carl@example.com", "emailVerified": true, "createdAt": "2020-02-29T12:00:00+01:00"})
            .to_string(),
    ];
    let (_folder, path) = file(&lines);
    let result = users(&app, &["import", &path]);
    assert_eq!(
        String::from_utf8_lossy(&result.stdout),
        "2 accounts were added, 1 were there already. 2 of those added have no password: their owners set one by mail.\n"
    );
    let (told, code) = complaint(result);
    assert_eq!(code, 1);
    assert!(
        told.contains(&format!("10 of 14 lines were refused: {path}.refused.jsonl says which")),
        "{told}"
    );
    let reasons = refused(&path);
    let expected = [
        (4, "EOF while parsing an object at column 27"),
        (5, "unknown field `password`"),
        (6, "missing field `email`"),
        (7, "email: this is not an e-mail address"),
        (8, "email: line 2 has this address too"),
        (9, "locale: this is not a language tag"),
        (10, "expected true, false or since when"),
        (11, "this is no password hash that is known here"),
        (12, "another account has this id"),
        (13, "the line is longer than 16384 bytes"),
    ];
    for ((line, reason), (expected_line, beginning)) in reasons.iter().zip(expected) {
        assert_eq!(*line, expected_line, "{reason}");
        assert!(reason.starts_with(beginning), "line {line}: {reason}");
    }
    assert_eq!(reasons.len(), expected.len());

    // Who was there is who they were, and who is new is as the line says.
    assert_eq!(ada.try_login(&app).await["user"]["name"], "Ada");
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', email, name, locale, email_verified_at::date, created_at::date = now()::date)
         FROM users
         WHERE email <> 'ada@example.com'
         ORDER BY created_at",
    )
    .fetch_all(&mut app.database().await)
    .await
    .unwrap();
    assert_eq!(rows, ["carl@example.com en 2020-02-29 f", "bob@example.com Bob ru t"]);

    // The report is that of the last import.
    let (_folder, path) = file(&lines[..2]);
    fs::write(format!("{path}.refused.jsonl"), "{}").unwrap();
    assert_eq!(printed(users(&app, &["import", &path])), "0 accounts were added, 2 were there already.\n");
    assert!(!Path::new(&format!("{path}.refused.jsonl")).exists());
    let (told, code) = complaint(users(&app, &["import", "/nowhere.jsonl"]));
    assert_eq!((told.starts_with("authql: /nowhere.jsonl cannot be read"), code), (true, 1), "{told}");
}

#[tokio::test]
async fn an_import_that_was_killed_is_repeated_and_nothing_is_lost_or_doubled() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let lines: Vec<String> =
        (0..2500).map(|number| json!({"email": format!("person{number}@example.com")}).to_string()).collect();
    let (folder, path) = file(&lines);
    // The first program reads from a pipe that dries up in the middle.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut import = command(Path::new("/"), &app.operator_settings());
    let mut import = import.args(["users", "import"]).arg(&pipe).stdout(Stdio::null()).spawn().unwrap();
    let half = lines[..1300].join("\n");
    let writer = tokio::task::spawn_blocking(move || {
        let mut pipe = fs::OpenOptions::new().write(true).open(pipe).unwrap();
        pipe.write_all(half.as_bytes()).unwrap();
        pipe
    });
    let pipe = writer.await.unwrap();
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut app.database().await).await.unwrap()
    };
    eventually("a batch is there", async || (count().await > 0).then_some(())).await;
    import.kill().unwrap();
    import.wait().unwrap();
    drop(pipe);
    let there = count().await;
    assert_eq!(there, 1000);
    let told = printed(users(&app, &["import", &path]));
    assert!(told.starts_with("1500 accounts were added, 1000 were there already."), "{told}");
    assert_eq!(count().await, 2500);
}

#[tokio::test]
async fn what_is_exported_is_imported_as_it_was() {
    let (from, to) =
        (TestApp::start(Mode::ZeroConfiguration).await, TestApp::start(Mode::ZeroConfiguration).await);
    let (ada, bob) = (from.registered("Ada").await, from.registered("Bob").await);
    from.registered("Carl").await;
    printed(users(&from, &["disable", &bob.email]));
    let token = from.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
    from.mutate("verifyEmail", json!({"token": token}), None).await;

    let without = printed(users(&from, &["export"]));
    assert_eq!(without.lines().count(), 3);
    assert!(!without.contains("argon2") && !without.contains("passwordHash"), "{without}");
    let exported = printed(users(&from, &["export", "--with-hashes"]));
    let lines: Vec<String> = exported.lines().map(str::to_owned).collect();
    let (_folder, path) = file(&lines);
    printed(users(&to, &["import", &path]));
    assert_eq!(printed(users(&to, &["export", "--with-hashes"])), exported);

    let (here, there) = (ada.try_login(&from).await, ada.try_login(&to).await);
    assert_eq!(here["user"], there["user"], "the id as well");
    assert_eq!(there["user"]["emailVerified"], true);
    assert_eq!(bob.try_login(&to).await["code"], "INVALID_CREDENTIALS", "who was shut stays shut");
    printed(users(&to, &["enable", &bob.email]));
    bob.login(&to).await;
}

#[tokio::test]
async fn an_account_is_created_with_a_password_that_nobody_sees() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = Person::new("Ada");
    let arguments = ["create", "Ada@Example.com", "--name", "Ada", "--locale", "ru", "--verified"];
    let told = printed(users_given(&app, &arguments, &format!("{}\r\n", ada.password)));
    assert_eq!(told, "Ada@Example.com has an account.\n");
    let user = ada.try_login(&app).await["user"].take();
    assert_eq!(
        (&user["name"], &user["locale"], &user["emailVerified"]),
        (&json!("Ada"), &json!("ru"), &json!(true))
    );
    for (arguments, input, expected, code) in [
        (["create", "ada@example.com"], &*ada.password, "there is an account with this address already", 1),
        (["create", "lovelace@example.com"], "lovelace1", "this password is easy to guess", 1),
        (["create", "bob@example.com"], "k3!Vx", "use at least 8 characters", 1),
        (["create", "bob@example.com"], "", "a password is needed", 1),
        (["create", "bob"], &*ada.password, "this is not an e-mail address", 2),
    ] {
        let (told, exit) = complaint(users_given(&app, &arguments, input));
        assert!(told.contains(expected), "{told}");
        assert_eq!(exit, code, "{told}");
    }
    let nowhere = complaint(output(Path::new("/"), &[], &["users", "export"]));
    assert!(nowhere.0.starts_with("authql: DATABASE_URL is missing: accounts"), "{}", nowhere.0);
}

#[tokio::test]
async fn a_shut_account_is_out_everywhere_and_comes_back_when_it_is_opened() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
    let (phone, laptop, bystander) = (ada.login(&app).await, ada.login(&sister).await, bob.login(&app).await);
    for instance in [&app, &sister] {
        assert!(phone.me(instance).await.is_some() && laptop.me(instance).await.is_some());
    }
    let told = printed(users(&app, &["disable", " ADA@example.com "]));
    assert_eq!(told, "The account of ADA@example.com is shut, and its 2 sessions were ended.\n");
    for instance in [&app, &sister] {
        // It was announced, so nobody has to wait for the rows to be read.
        assert_eq!((phone.me(instance).await, laptop.me(instance).await), (None, None));
        assert_eq!(ada.try_login(instance).await["code"], "INVALID_CREDENTIALS");
    }
    assert_eq!(phone.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    assert!(bystander.me(&sister).await.is_some());
    let again = printed(users(&app, &["disable", &ada.email]));
    assert_eq!(again, "The account of ada@example.com is shut, and had no session.\n");

    printed(users(&app, &["enable", &ada.email]));
    assert!(ada.login(&sister).await.me(&app).await.is_some());
    assert_eq!(phone.refusal(&app).await, "REFRESH_TOKEN_INVALID", "what has ended stays ended");
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_address_is_free() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    app.letters_to(&ada.email, 1).await;
    let tokens = ada.login(&app).await;
    let told = printed(users(&app, &["delete", &ada.email]));
    assert_eq!(told, "The account of ada@example.com is deleted, and its session was ended.\n");
    eventually("its access token is refused", async || tokens.me(&app).await.is_none().then_some(())).await;
    assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    assert_eq!(ada.try_login(&app).await["code"], "INVALID_CREDENTIALS");
    for command in ["delete", "disable", "enable"] {
        let (told, code) = complaint(users(&app, &[command, &ada.email]));
        assert_eq!(
            (told.as_str(), code),
            ("authql: ada@example.com: there is no account with this address\n", 1)
        );
    }
    ada.register(&app).await;
    ada.login(&app).await;
}
