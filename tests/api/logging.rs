//! A log that nobody reads, or a full disk, holds nothing up (docs/security.md AUD-5, docs/faults.md F37).

use std::fs::File;
use std::io::{PipeReader, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use crate::support::program::{self, command, signal};
use crate::support::{LOGIN, Leash, eventually, free_port};

/// A running program that prints and logs to the same place.
struct Server {
    child: Child,
    url: String,
    client: reqwest::Client,
    folder: TempDir,
    _leash: Leash,
}

impl Server {
    async fn start(output: impl Into<OwnedFd>, level: &str) -> Self {
        let folder = program::folder();
        let address = format!("127.0.0.1:{}", free_port());
        let settings =
            [("AUTHQL_LISTEN", address.as_str()), ("AUTHQL_LOG", level), ("AUTHQL_RATE_LIMITS", "off")];
        let output = output.into();
        let mut serve = command(folder.path(), &settings);
        serve.arg("serve").stdout(output.try_clone().unwrap()).stderr(output);
        let child = serve.spawn().unwrap();
        let leash = Leash::on(child.id(), "INT", folder.path()).unwrap();
        let (url, client) = (format!("http://{address}"), reqwest::Client::new());
        let server = Self { child, url, client, folder, _leash: leash };
        eventually("it is ready", async || {
            let answer = server.client.get(format!("{}/health/ready", server.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        server
    }

    async fn graphql(&self, query: &str, variables: Value, bearer: &str) -> Value {
        let request = self.client.post(format!("{}/graphql", self.url)).bearer_auth(bearer);
        let request = request.json(&json!({"query": query, "variables": variables}));
        let request = request.timeout(Duration::from_secs(10));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Somebody registers, logs in and is known.
    async fn serves(&self, email: &str) {
        let credentials = json!({"email": email, "password": "correct horse battery staple"});
        let register = "mutation ($input: RegisterInput!) { register(input: $input) { __typename } }";
        let registered = self.graphql(register, json!({"input": credentials}), "").await;
        assert_eq!(registered["data"]["register"]["__typename"], "RegisterSuccess", "{registered}");
        let login = self.graphql(LOGIN, json!({"input": credentials}), "").await;
        let token = login["data"]["login"]["tokens"]["accessToken"].as_str().unwrap();
        let me = self.graphql("{ me { email } }", json!({}), token).await;
        assert_eq!(me, json!({"data": {"me": {"email": email}}}));
    }

    /// Has far more logged than a pipe and the queue in front of it hold: each request has two lines with its path at least.
    async fn talk(&self) {
        let path = "x".repeat(16 * 1024);
        for _ in 0..100 {
            let request = self.client.get(format!("{}/{path}", self.url)).timeout(Duration::from_secs(10));
            assert_eq!(request.send().await.unwrap().status(), 404);
        }
    }

    async fn stop(mut self) {
        signal(self.child.id(), "TERM");
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        assert_eq!(ended.await.unwrap().code(), Some(0));
        assert!(!self.folder.path().join("data/postgres/postmaster.pid").exists(), "it came to its end");
    }
}

/// Reads the log up to a line with this text.
async fn read_until(log: &mut Lines<BufReader<Receiver>>, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|last: &String| !last.contains(text)) {
        let line = timeout(Duration::from_secs(30), log.next_line()).await;
        lines.push(line.expect("it comes").unwrap().expect("the program runs"));
    }
    lines
}

fn reading(pipe: PipeReader) -> Lines<BufReader<Receiver>> {
    BufReader::new(Receiver::from_owned_fd(pipe.into()).unwrap()).lines()
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_nothing_up() {
    let (reader, writer) = pipe().unwrap();
    // Not even the start: at this level it logs more than the pipe holds.
    let server = Server::start(writer, "trace").await;
    server.talk().await;
    server.serves("ada@example.com").await;

    let mut log = reading(reader);
    let lines = read_until(&mut log, "lines of the log were dropped").await;
    let report: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(report["level"], "WARN", "{report}");
    assert!(report["dropped"].as_u64().unwrap() > 100, "{report}");
    let answer = server.client.get(format!("{}/it-is-read-again", server.url)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    read_until(&mut log, "it-is-read-again").await;

    server.talk().await;
    server.serves("grace@example.com").await;
    server.stop().await;
}

#[tokio::test]
async fn a_full_disk_holds_nothing_up() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("left out: there is no /dev/full here");
        return;
    };
    let server = Server::start(full.try_clone().unwrap(), "info").await;
    server.serves("ada@example.com").await;
    server.stop().await;

    // Nor does a complaint fail that cannot be made.
    let mut wrong = command(Path::new("/"), &[("AUTHQL_LISTEN", "nowhere")]);
    assert_eq!(wrong.arg("serve").stderr(Stdio::from(full)).status().unwrap().code(), Some(2));
}

#[tokio::test]
async fn a_flood_of_refusals_is_two_lines_a_minute_and_counted_to_the_end() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(log.reopen().unwrap(), "info").await;
    let junk = "mutation { refresh(input: { refreshToken: \"junk\" }) { __typename } }";
    for _ in 0..500 {
        let answer = server.graphql(junk, json!({}), "").await;
        assert_eq!(answer["data"]["refresh"]["__typename"], "AuthFailure", "{answer}");
    }
    server.stop().await;
    let text = std::fs::read_to_string(log.path()).unwrap();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<_> = lines.iter().filter(|line| line["event.kind"] == "refresh_refused").collect();
    let times: u64 = told.iter().map(|line| line["event.times"].as_u64().unwrap_or(1)).sum();
    assert_eq!(times, 500);
    // Half of them in the next minute at most.
    assert!(told.len() <= 4, "{told:?}");
    assert!(text.len() < 20_000, "{} bytes of log for 500 requests", text.len());
}
