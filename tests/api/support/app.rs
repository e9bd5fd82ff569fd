//! authql, started as production starts it: from settings, on port 0, with its router, worker and database.

use std::sync::Arc;

use authql::app::App;
use authql::config::{Config, Environment};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::clock::TestClock;
use super::mail::{Letter, eventually};
use super::person::Person;
use super::postgres::new_database;
use super::redis::TestRedis;
use super::smtp::SmtpSink;

/// Which adapters stand behind the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The in-process twins and the mailbox page.
    ZeroConfiguration,
    /// Redis and SMTP.
    Servers,
}

/// A running authql with what it runs on.
pub struct TestApp {
    pub url: String,
    pub clock: Arc<TestClock>,
    pub redis: Option<TestRedis>,
    pub smtp: Option<SmtpSink>,
    pub client: reqwest::Client,
    settings: Vec<(&'static str, String)>,
    shutdown: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    _data: TempDir,
}

impl TestApp {
    pub async fn start(mode: Mode) -> Self {
        Self::start_with(mode, &[]).await.expect("nothing is missing")
    }

    /// `None`, after saying so, where Redis is not installed.
    pub async fn on_servers() -> Option<Self> {
        Self::start_with(Mode::Servers, &[]).await
    }

    /// With further settings.
    pub async fn start_with(mode: Mode, further: &[(&'static str, &str)]) -> Option<Self> {
        let data = tempfile::tempdir().unwrap();
        let mut settings = vec![
            ("DATABASE_URL", new_database().await),
            ("AUTHQL_SECRET", "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=".to_owned()),
            ("AUTHQL_PUBLIC_URL", "http://localhost".to_owned()),
            ("AUTHQL_DATA_DIR", data.path().to_str().unwrap().to_owned()),
            ("AUTHQL_HASH_MEMORY", "7168".to_owned()),
            ("AUTHQL_HASH_ITERATIONS", "1".to_owned()),
            ("AUTHQL_MAIL_RETRY_MIN", "50ms".to_owned()),
            // Every test comes from one address.
            ("AUTHQL_RATE_LIMITS", "off".to_owned()),
        ];
        let (mut redis, mut smtp) = (None, None);
        if mode == Mode::Servers {
            let server = TestRedis::start()?;
            settings.push(("REDIS_URL", server.url()));
            redis = Some(server);
            let sink = SmtpSink::start().await;
            settings.push(("SMTP_URL", sink.url()));
            settings.push(("AUTHQL_MAIL_FROM", "authql <no-reply@example.org>".to_owned()));
            smtp = Some(sink);
        }
        settings.extend(further.iter().map(|(name, text)| (*name, (*text).to_owned())));
        let mut app = Self {
            url: String::new(),
            clock: Arc::new(TestClock::new()),
            redis,
            smtp,
            client: reqwest::Client::new(),
            settings,
            shutdown: None,
            task: None,
            _data: data,
        };
        app.run().await;
        Some(app)
    }

    /// A second instance on the same database, Redis and SMTP server, with the same clock.
    pub async fn sister(&self) -> Self {
        self.sister_with(&[], Arc::clone(&self.clock)).await
    }

    /// A second instance with other settings or another clock.
    pub async fn sister_with(&self, other: &[(&'static str, &str)], clock: Arc<TestClock>) -> Self {
        let mut settings = self.settings.clone();
        settings.retain(|(name, _)| other.iter().all(|(changed, _)| changed != name));
        settings.extend(other.iter().map(|(name, text)| (*name, (*text).to_owned())));
        let mut sister = Self {
            url: String::new(),
            clock,
            redis: None,
            smtp: None,
            client: reqwest::Client::new(),
            settings,
            shutdown: None,
            task: None,
            _data: tempfile::tempdir().unwrap(),
        };
        sister.run().await;
        sister
    }

    async fn run(&mut self) {
        let environment: Environment = self.settings.iter().cloned().collect();
        let config = Config::from_environment(&environment).unwrap();
        let (is_port_fixed, listen) = (config.http.is_port_fixed, config.http.listen);
        let clock: Arc<dyn authql::ports::Clock> = self.clock.clone();
        let app = App::build(config, clock).await.unwrap();
        let address = if is_port_fixed { listen } else { "127.0.0.1:0".parse().unwrap() };
        let listener = TcpListener::bind(address).await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let (shutdown, stopped) = oneshot::channel::<()>();
        self.shutdown = Some(shutdown);
        self.task = Some(tokio::spawn(async move {
            app.run(listener, async move { drop(stopped.await) }).await;
        }));
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(&mut self) {
        drop(self.shutdown.take());
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    /// Moves every clock there is: that of the instances, and, by moving what they have recorded, those of the database and
    /// of Redis.
    pub async fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
        sqlx::query(
            "UPDATE sessions SET rotation_recorded_at = rotation_recorded_at - make_interval(secs => $1)",
        )
        .bind(by.as_seconds_f64())
        .execute(&mut self.database().await)
        .await
        .unwrap();
        if let Some(redis) = &self.redis {
            redis.age_limits(by).await;
        }
    }

    /// Changes a setting for the next start. An empty one counts as none.
    pub fn set(&mut self, name: &'static str, text: &str) {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, text.to_owned()));
    }

    /// The setting of that name.
    pub fn setting(&self, name: &str) -> &str {
        &self.settings.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// The settings that an operator's commands beside it need.
    pub fn operator_settings(&self) -> Vec<(&'static str, &str)> {
        let names = [
            "DATABASE_URL",
            "REDIS_URL",
            "AUTHQL_SECRET",
            "AUTHQL_PUBLIC_URL",
            "AUTHQL_BREACHED_PASSWORDS",
            "AUTHQL_PEPPER",
            "AUTHQL_PEPPER_PREVIOUS",
        ];
        let theirs = self.settings.iter().filter(|(name, _)| names.contains(name));
        theirs.map(|(name, text)| (*name, text.as_str())).collect()
    }

    /// A connection to its database.
    pub async fn database(&self) -> sqlx::PgConnection {
        <sqlx::PgConnection as sqlx::Connection>::connect(self.setting("DATABASE_URL")).await.unwrap()
    }

    /// Sends a document, and answers the whole body.
    pub async fn graphql(&self, query: &str, variables: Value, bearer: Option<&str>) -> Value {
        self.graphql_with(&[], query, variables, bearer).await
    }

    /// The same with further headers.
    pub async fn graphql_with(
        &self,
        headers: &[(&str, &str)],
        query: &str,
        variables: Value,
        bearer: Option<&str>,
    ) -> Value {
        let mut request = self.client.post(format!("{}/graphql", self.url));
        for (name, text) in headers {
            request = request.header(*name, *text);
        }
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let body = json!({"query": query, "variables": variables});
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// Runs a mutation that takes one input, and answers its result.
    pub async fn mutate(&self, name: &str, input: Value, bearer: Option<&str>) -> Value {
        let answer = self.try_mutate(name, input, bearer).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"][name].clone()
    }

    /// The same, whatever comes of it: the whole body.
    pub async fn try_mutate(&self, name: &str, input: Value, bearer: Option<&str>) -> Value {
        let (initial, rest) = name.split_at(1);
        let pascal = initial.to_uppercase() + rest;
        let success = match name {
            "register"
            | "verifyEmail"
            | "resendVerification"
            | "requestPasswordReset"
            | "requestEmailChange"
            | "confirmEmailChange" => "email",
            "resetPassword" | "changePassword" | "deleteAccount" | "logout" => "endedSessions",
            "revokeSession" => "session { id }",
            "updateProfile" => "user { id email emailVerified name locale }",
            other => panic!("what {other} answers is not known here"),
        };
        let document = format!(
            "mutation ($input: {pascal}Input!) {{ {name}(input: $input) {{ __typename ... on {pascal}Success {{ {success} }} \
             ... on AuthFailure {{ code message fields {{ path code message }} retryAfterSeconds }} }} }}"
        );
        self.graphql(&document, json!({"input": input}), bearer).await
    }

    /// The newest mail for an address with this beginning of its subject, once it is there.
    pub async fn letter_about(&self, address: &str, subject: &str) -> Letter {
        eventually(&format!("a mail \"{subject}\" arrives"), async || {
            self.letters()
                .await
                .into_iter()
                .rfind(|letter| letter.to == address && letter.subject.starts_with(subject))
        })
        .await
    }

    /// How many mails there are in this state.
    pub async fn mails(&self, state: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM outbox WHERE state = $1")
            .bind(state)
            .fetch_one(&mut self.database().await)
            .await
            .unwrap()
    }

    /// Somebody who is registered, under an address of their own.
    pub async fn registered(&self, name: &str) -> Person {
        let person = Person::new(name);
        assert_eq!(person.register(self).await["__typename"], "RegisterSuccess");
        person
    }

    /// What has arrived for an address, once it is that many mails.
    pub async fn letters_to(&self, address: &str, count: usize) -> Vec<Letter> {
        eventually("the mails arrive", async || {
            let letters: Vec<Letter> =
                self.letters().await.into_iter().filter(|letter| letter.to == address).collect();
            (letters.len() >= count).then_some(letters)
        })
        .await
    }

    /// All mails that have arrived, oldest first.
    pub async fn letters(&self) -> Vec<Letter> {
        if let Some(sink) = &self.smtp {
            return sink.letters();
        }
        let response = self.client.get(format!("{}/mailbox.json", self.url)).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        body["mails"].as_array().unwrap().iter().rev().map(Letter::from_json).collect()
    }
}
