//! A running program and its client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use authql::adapters::embedded;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

pub(super) const PASSWORD: &str = "correct horse battery staple";
const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) { __typename \
    ... on LoginSuccess { tokens { accessToken refreshToken } } ... on AuthFailure { code } } }";

/// A running program and its client.
pub(super) struct Server {
    child: Child,
    url: String,
    client: Client,
    folder: TempDir,
}

impl Server {
    pub(super) fn start(settings: &[(&str, &str)]) -> Self {
        // PostgreSQL does not run as root but as another user, who has to be able to enter.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        let folder = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_authql"))
            .current_dir(folder.path())
            .env("AUTHQL_LOG", "warn")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = banner.find(|line| line.contains("/graphql")).unwrap();
        // It may not have finished, and somebody has to listen.
        std::thread::spawn(move || banner.for_each(drop));
        let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
        Self { child, url, client: Client::new(), folder }
    }

    pub(super) async fn ask(&self, body: Value, bearer: Option<&str>, address: &str) -> Value {
        ask(&self.client, &self.url, body, bearer, address).await
    }

    /// A client with connections of its own.
    pub(super) fn peer(&self) -> Peer {
        Peer { url: self.url.clone(), client: Client::new() }
    }

    pub(super) async fn login(&self, email: &str, password: &str, address: &str) -> Value {
        let input = json!({"email": email, "password": password});
        self.ask(json!({"query": LOGIN, "variables": {"input": input}}), None, address).await
    }

    /// An account, and an access token of it.
    pub(super) async fn sign_up(&self) -> String {
        let query = "mutation ($input: RegisterInput!) { register(input: $input) { __typename } }";
        let input = json!({"email": "ada@example.com", "password": PASSWORD});
        self.ask(json!({"query": query, "variables": {"input": input}}), None, "192.0.2.1").await;
        let login = self.login("ada@example.com", PASSWORD, "192.0.2.1").await;
        login["data"]["login"]["tokens"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// An account of somebody at this address, who signs in once.
    pub(super) async fn sign_up_at(&self, email: &str, address: &str) {
        let query = "mutation ($input: RegisterInput!) { register(input: $input) { __typename } }";
        let input = json!({"email": email, "password": PASSWORD});
        self.ask(json!({"query": query, "variables": {"input": input}}), None, address).await;
        self.login(email, PASSWORD, address).await;
    }

    /// Logs Ada in on a device that may be known; answers what it is to keep as well.
    pub(super) async fn login_on(&self, device: Option<&str>, address: &str) -> (Value, Option<String>) {
        self.login_as("ada@example.com", device, address).await
    }

    /// The same of anybody.
    pub(super) async fn login_as(
        &self,
        email: &str,
        device: Option<&str>,
        address: &str,
    ) -> (Value, Option<String>) {
        login_as(&self.client, &self.url, email, device, address).await
    }

    /// Asks for another path than the API's.
    pub(super) async fn get(&self, path: &str) {
        let url = self.url.replace("/graphql", path);
        self.client.get(url).send().await.unwrap().bytes().await.unwrap();
    }

    /// The same, and reads the answer.
    pub(super) async fn get_json(&self, path: &str) -> Value {
        let url = self.url.replace("/graphql", path);
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Runs a statement in its private database.
    pub(super) async fn run(&self, statement: &'static str) {
        let data = self.folder.path().join("data");
        let socket = [data.join("run"), data.join("postgres/run")].into_iter().find(|path| path.exists());
        let options = PgConnectOptions::new_without_pgpass().socket(socket.unwrap()).port(embedded::PORT);
        let options = options.username(embedded::USER).database(embedded::DATABASE);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }

    /// The processor time of all its threads so far, those of PostgreSQL and Redis left out.
    pub(super) fn processor_time(&self) -> Duration {
        self.time_of_threads(|_| true)
    }

    /// The same without the hashing lanes.
    pub(super) fn processor_time_outside_lanes(&self) -> Duration {
        self.time_of_threads(|name| !name.starts_with("hashing"))
    }

    fn time_of_threads(&self, counts: impl Fn(&str) -> bool) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let times = tasks.filter_map(|task| {
            let folder = task.ok()?.path();
            let name = std::fs::read_to_string(folder.join("comm")).ok()?;
            let schedule = std::fs::read_to_string(folder.join("schedstat")).ok()?;
            let time = schedule.split(' ').next()?.parse().ok().map(Duration::from_nanos)?;
            counts(&name).then_some(time)
        });
        times.sum()
    }

    /// A number that Linux tells of the process.
    pub(super) fn kilobytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

/// A client with connections of its own, for a thread of its own.
pub(super) struct Peer {
    url: String,
    client: Client,
}

impl Peer {
    /// Logs in on a device that may be known; answers what it is to keep as well.
    pub(super) async fn login_as(
        &self,
        email: &str,
        device: Option<&str>,
        address: &str,
    ) -> (Value, Option<String>) {
        login_as(&self.client, &self.url, email, device, address).await
    }

    pub(super) async fn ask(&self, body: Value, bearer: Option<&str>, address: &str) -> Value {
        ask(&self.client, &self.url, body, bearer, address).await
    }
}

async fn login_as(
    client: &Client,
    url: &str,
    email: &str,
    device: Option<&str>,
    address: &str,
) -> (Value, Option<String>) {
    let input = json!({"email": email, "password": PASSWORD});
    let body = json!({"query": LOGIN, "variables": {"input": input}});
    let mut request = client.post(url).header("X-Forwarded-For", address).json(&body);
    if let Some(token) = device {
        request = request.header("X-Device-Token", token);
    }
    let response = request.send().await.unwrap();
    let token = response.headers().get("x-device-token").map(|token| token.to_str().unwrap().to_owned());
    (response.json().await.unwrap(), token)
}

async fn ask(client: &Client, url: &str, body: Value, bearer: Option<&str>, address: &str) -> Value {
    let mut request = client.post(url).header("X-Forwarded-For", address).json(&body);
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().json().await.unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
