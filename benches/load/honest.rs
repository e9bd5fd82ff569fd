//! What being prepared for attacks costs a request that attacks nobody: processor time of the program, with its limits and
//! without them, in turns.

use std::cell::RefCell;
use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_graphql::Request;
use async_graphql::parser::parse_query;
use authql::graphql;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{PASSWORD, Server};

/// How often the two servers take turns.
const ROUNDS: usize = 7;
const REFRESH: &str = "mutation ($input: RefreshInput!) { refresh(input: $input) { __typename \
    ... on RefreshSuccess { tokens { accessToken refreshToken } } } }";
const ME: &str =
    "{ me { id email emailVerified createdAt sessions { edges { node { id createdAt device } } } } }";

pub(super) async fn run() {
    count_documents();
    in_turns("in memory", &[]).await;
    match Redis::start() {
        Some(redis) => in_turns("in Redis", &[("REDIS_URL", &redis.url)]).await,
        None => println!("Redis is not installed: limits that are counted there are not measured"),
    }
}

/// The count of a document, beside the parsing that has to be done anyway.
fn count_documents() {
    const TIMES: u32 = 20_000;
    let time = |work: &dyn Fn()| {
        let began = Instant::now();
        (0..TIMES).for_each(|_| work());
        began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
    };
    let parsed = time(&|| drop(black_box(parse_query(ME).unwrap())));
    let admitted = time(&|| {
        black_box(graphql::admit(&mut Request::new(ME), false).unwrap());
    });
    println!(
        "a document of {} characters: parsed in {parsed:.1} µs, parsed and counted in {admitted:.1} µs",
        ME.len()
    );
}

/// Two servers, one with limits that nobody meets and one without any.
async fn in_turns(where_counted: &str, settings: &[(&str, &str)]) {
    let generous = [("AUTHQL_RATE_LIMIT_NETWORK", "1000000/1s"), ("AUTHQL_RATE_LIMIT_ACCOUNT", "1000000/1s")];
    let limited = Visitor::at(Server::start(&[settings, &generous].concat())).await;
    let free = Visitor::at(Server::start(&[settings, &[("AUTHQL_RATE_LIMITS", "off")]].concat())).await;
    println!("limits counted {where_counted}, processor time of a request (median of {ROUNDS} turns):");
    for (what, times) in [("me", 1500), ("refresh", 700), ("login", 60)] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // Whoever is first is not always the same.
            if round % 2 == 0 {
                with.push(limited.cost(what, times).await);
                without.push(free.cost(what, times).await);
            } else {
                without.push(free.cost(what, times).await);
                with.push(limited.cost(what, times).await);
            }
        }
        let (with, without) = (median(with), median(without));
        let more = (with.as_secs_f64() / without.as_secs_f64() - 1.0) * 100.0;
        println!("  {what:<8} {with:>9.1?} with limits, {without:>9.1?} without: {more:+.1} %");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Somebody with an account, and a session in it.
struct Visitor {
    server: Server,
    access: String,
    refresh: RefCell<String>,
}

impl Visitor {
    async fn at(server: Server) -> Self {
        let access = server.sign_up().await;
        Self { server, access, refresh: RefCell::default() }
    }

    /// The processor time of one request, of so many.
    async fn cost(&self, what: &str, times: u32) -> Duration {
        // No session may be refreshed without end.
        let login = self.server.login("ada@example.com", PASSWORD, "192.0.2.1").await;
        let token = login["data"]["login"]["tokens"]["refreshToken"].as_str().unwrap();
        token.clone_into(&mut self.refresh.borrow_mut());
        let before = self.server.processor_time();
        for _ in 0..times {
            self.ask(what).await;
        }
        self.server.processor_time().saturating_sub(before) / times
    }

    async fn ask(&self, what: &str) {
        match what {
            "me" => {
                let me = self.server.ask(json!({"query": ME}), Some(&self.access), "192.0.2.1").await;
                assert_eq!(me["data"]["me"]["email"], "ada@example.com", "{me}");
            }
            "refresh" => {
                let input = json!({"refreshToken": *self.refresh.borrow()});
                let body = json!({"query": REFRESH, "variables": {"input": input}});
                let answer: Value = self.server.ask(body, None, "192.0.2.1").await;
                let next = answer["data"]["refresh"]["tokens"]["refreshToken"].as_str();
                next.unwrap_or_else(|| panic!("{answer}")).clone_into(&mut self.refresh.borrow_mut());
            }
            _ => {
                let login = self.server.login("ada@example.com", PASSWORD, "192.0.2.1").await;
                assert_eq!(login["data"]["login"]["__typename"], "LoginSuccess", "{login}");
            }
        }
    }
}

/// A Redis of this measurement's own.
struct Redis {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, url: format!("redis://127.0.0.1:{port}"), _folder: folder })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
