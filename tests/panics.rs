//! A panic that has something secret in its message shows it nowhere (docs/security.md AUD-3).
//!
//! In a process of its own: what panics say is settled for all of a process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use authql::app::{self, App};
use authql::config::{Config, Environment};
use authql::ports::Clock;
use authql::telemetry;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::Span;

const DATABASE: &str = "postgres://authql:canary-in-a-panic-4f7d@db/authql";
const PASSWORD: &str = "canary bird in 1 coal mine";

/// A clock that nobody can log in with.
struct BrokenClock;

impl Clock for BrokenClock {
    #[expect(clippy::disallowed_methods, reason = "outside of logins it is an ordinary one")]
    fn now(&self) -> DateTime<Utc> {
        if Span::current().metadata().is_some_and(|span| span.name() == "service.login") {
            // The error quotes what it could not read, as many do.
            let seconds: i64 = serde_json::from_value(json!(DATABASE)).unwrap();
            return DateTime::from_timestamp(seconds, 0).unwrap();
        }
        Utc::now()
    }
}

#[tokio::test]
async fn a_secret_in_the_message_of_a_panic_is_shown_nowhere() {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
    let settings = [
        ("AUTHQL_DATA_DIR", folder.path().join("data").to_str().unwrap().to_owned()),
        ("AUTHQL_LISTEN", "127.0.0.1:0".to_owned()),
        ("AUTHQL_LOG", "trace".to_owned()),
    ];
    let config = Config::from_environment(&settings.into_iter().collect::<Environment>()).unwrap();
    let log = folder.path().join("log");
    let guard = telemetry::start(&config.log, File::create(&log).unwrap()).unwrap();
    let listener = app::listen(&config.http).await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let app = App::build(config, Arc::new(BrokenClock)).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(app.run(listener, async { drop(stopped.await) }));

    let client = reqwest::Client::new();
    let send = async |mutation: &str| {
        let input = format!(r#"{{ email: "ada@example.com", password: "{PASSWORD}" }}"#);
        let body = json!({"query": format!("mutation {{ {mutation}(input: {input}) {{ __typename }} }}")});
        client.post(&url).json(&body).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(send("register").await, r#"{"data":{"register":{"__typename":"RegisterSuccess"}}}"#);
    let answer = send("login").await;
    assert!(answer.contains("INTERNAL_SERVER_ERROR") && !answer.contains("canary"), "{answer}");
    drop(stop);
    running.await.unwrap();
    drop(guard);

    let log = fs::read_to_string(&log).unwrap();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panic")).collect();
    let [panic] = panics[..] else { panic!("{panics:?}") };
    let panic: Value = serde_json::from_str(panic).unwrap();
    assert_eq!(panic["level"], "ERROR", "{panic}");
    assert_eq!(panic["panic.message"], "(withheld: it may have something secret in it)", "{panic}");
    assert!(panic["panic.location"].as_str().unwrap().starts_with("tests/panics.rs:"), "{panic}");
    assert_eq!(panic["span"]["name"], "service.login", "{panic}");
    let shown = log.lines().find(|line| line.contains("canary"));
    assert_eq!(shown, None);
}
