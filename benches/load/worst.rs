//! The costliest value of every argument (docs/security.md BUD-1): `-- worst` searches for it, prints what each costs on the
//! threads that answer everybody, and then lets sixteen clients send nothing else.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::latency::{Latency, percentiles};
use super::server::{PASSWORD, Peer, Server};

/// How often each value is sent: the clock of the scheduler counts in nanoseconds.
const TIMES: u32 = 4;
/// How many clients send nothing but worst inputs, and how long.
const CLIENTS: usize = 16;
const ATTACK: Duration = Duration::from_secs(12);

/// The arguments of each operation, with a value that is good enough for the others to be looked at.
const OPERATIONS: &[(&str, &[(&str, &str)])] = &[
    ("register", &[("email", "new@example.com"), ("password", PASSWORD), ("name", "Ada"), ("locale", "en")]),
    ("login", &[("email", "ada@example.com"), ("password", PASSWORD)]),
    ("refresh", &[("refreshToken", "junk")]),
    ("logout", &[("refreshToken", "junk")]),
    ("verifyEmail", &[("token", "junk")]),
    ("resendVerification", &[("email", "ada@example.com")]),
    ("requestPasswordReset", &[("email", "ada@example.com")]),
    ("resetPassword", &[("token", "junk"), ("newPassword", PASSWORD)]),
    ("changePassword", &[("currentPassword", PASSWORD), ("newPassword", PASSWORD)]),
    ("requestEmailChange", &[("newEmail", "new@example.com"), ("currentPassword", "wrong")]),
    ("confirmEmailChange", &[("token", "junk")]),
    ("updateProfile", &[("name", "Ada"), ("locale", "en")]),
    ("revokeSession", &[("id", "junk")]),
    ("deleteAccount", &[("currentPassword", "wrong")]),
];

pub(super) async fn run() {
    let server = Server::start(&[("AUTHQL_RATE_LIMITS", "off"), ("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")]);
    let access = server.sign_up().await;
    println!(
        "processor time of a request outside the hashing lanes, with the costliest value that was found:"
    );
    for (operation, arguments) in OPERATIONS {
        for (argument, _) in *arguments {
            let mut worst = (Duration::ZERO, String::new());
            for (name, value) in values() {
                let body = body(operation, arguments, argument, &value);
                let cost = server.cost_outside_lanes(&body, &access).await;
                if cost > worst.0 {
                    worst = (cost, name);
                }
            }
            println!("  {operation:<21} {argument:<16} {:>8.0?}  {}", worst.0, worst.1);
        }
    }
    for (name, document) in documents() {
        let cost = server.cost_outside_lanes(&json!({"query": document}), &access).await;
        println!("  a document            {name:<16} {cost:>8.0?}");
    }
    drop(server);
    siege().await;
}

/// Sixteen clients, with the limits as they are, and everybody else. They give way on this machine, as they would if they were
/// on another one.
async fn siege() {
    let server = Server::start(&[("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")]);
    let access = server.sign_up().await;
    let (live, me) = (server.watch_live(ATTACK / 3).await, server.watch_me(&access, ATTACK / 3).await);
    println!("nobody: /health/live {live}, `me` {me}");
    let memory = server.kilobytes("VmRSS:");
    let peer = server.peer();
    let attack = tokio::task::spawn_blocking(move || {
        let _ = rustix::process::setpriority_process(None, 19);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(join_all((0..CLIENTS).map(|client| attack(&peer, client))))
    });
    let (sent, live, me) = tokio::join!(attack, server.watch_live(ATTACK), server.watch_me(&access, ATTACK));
    let (sent, limited) = sent.unwrap().into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let growth = server.kilobytes("VmHWM:").saturating_sub(memory) / 1024;
    println!("{CLIENTS} clients with worst inputs: {sent} requests, {limited} RATE_LIMITED, + {growth} MB");
    println!("  meanwhile: /health/live {live}, `me` {me}");
}

/// One of them: how many requests it has sent, and how many were refused.
async fn attack(peer: &Peer, client: usize) -> (u32, u32) {
    let costly = "4@8({[<369&#!1/|0$5+7%2".repeat(5);
    let costly = &costly[..100];
    let (began, mut limited, mut sent) = (Instant::now(), 0_u32, 0_u32);
    while began.elapsed() < ATTACK {
        let body = match (sent as usize + client) % 3 {
            0 => body("register", OPERATIONS[0].1, "password", costly),
            1 => json!({"query": REGISTER, "variables": {"input": {"email": "x", "password": costly}}}),
            _ => body("resetPassword", OPERATIONS[7].1, "newPassword", costly),
        };
        let answer = peer.ask(body, None, "198.51.100.7").await;
        sent += 1;
        limited += u32::from(answer.to_string().contains("RATE_LIMITED"));
    }
    (sent, limited)
}

const REGISTER: &str =
    "mutation ($input: RegisterInput!) { register(input: $input) { ... on AuthFailure { code } } }";

/// Texts that are costly for one parser or another, in lengths that are just allowed and far beyond.
fn values() -> Vec<(String, String)> {
    let patterns = [
        ("l33t", "4@8({[<369&#!1/|0$5+7%2"),
        ("a", "a"),
        ("digits", "1234567890"),
        ("words", "correct horse "),
        ("emoji", "\u{1f600}"),
        ("combining", "e\u{301}\u{323}\u{302}"),
        ("hangul", "\u{1100}\u{1161}\u{11a8}"),
        ("labels", "ü."),
        ("address", "ü.@xn--"),
        ("base64", "QUFB"),
        ("tag", "en-"),
        ("jwt", "eyJhbGciOiJFZERTQSJ9."),
    ];
    let sized = |(name, pattern): (&str, &str)| {
        let text = |length: usize| pattern.chars().cycle().take(length).collect::<String>();
        [32, 100, 250, 15_000].map(|length| (format!("{name} x {length}"), text(length)))
    };
    let domains = (0..1).flat_map(|_| {
        [("a@", "ü."), ("a@", "xn--zz."), ("ü@", "例え.")]
            .map(|(local, label)| (format!("{local}{label}…"), format!("{local}{}com", label.repeat(40))))
    });
    patterns.into_iter().flat_map(sized).chain(domains).collect()
}

fn documents() -> Vec<(&'static str, String)> {
    let fields = "name description isDeprecated deprecationReason type { kind name ofType { kind name ofType { kind name } } }";
    vec![
        (
            "introspection",
            format!(
                "{{ __schema {{ types {{ kind name description fields {{ {fields} }} enumValues {{ name description }} }} }} }}"
            ),
        ),
        (
            "six of them",
            format!(
                "{{ {} }}",
                (0..3)
                    .map(|n| format!("a{n}: __schema {{ types {{ fields {{ {fields} }} }} }} "))
                    .collect::<Vec<_>>()
                    .concat()
            ),
        ),
        (
            "15 aliases of me",
            format!(
                "{{ {} }}",
                (0..15).map(|n| format!("a{n}: me {{ id email }} ")).collect::<Vec<_>>().concat()
            ),
        ),
        ("900 typenames", format!("{{ {} }}", "__typename ".repeat(490))),
    ]
}

fn body(operation: &str, arguments: &[(&str, &str)], argument: &str, value: &str) -> Value {
    let input: serde_json::Map<String, Value> = arguments
        .iter()
        .map(|(name, usual)| ((*name).to_owned(), json!(if *name == argument { value } else { usual })))
        .collect();
    let kind = format!("{}{}Input", operation[..1].to_uppercase(), &operation[1..]);
    let query = format!(
        "mutation ($input: {kind}!) {{ {operation}(input: $input) {{ ... on AuthFailure {{ code }} }} }}"
    );
    json!({"query": query, "variables": {"input": input}})
}

impl Server {
    /// The processor time of one request on all threads but the hashing lanes.
    async fn cost_outside_lanes(&self, body: &Value, access: &str) -> Duration {
        let before = self.processor_time_outside_lanes();
        for _ in 0..TIMES {
            self.ask(body.clone(), Some(access), "192.0.2.1").await;
        }
        self.processor_time_outside_lanes().saturating_sub(before) / TIMES
    }

    pub(super) async fn watch_live(&self, time: Duration) -> Latency {
        percentiles(time, async || self.get("/health/live").await).await
    }

    pub(super) async fn watch_me(&self, access: &str, time: Duration) -> Latency {
        percentiles(time, async || {
            let me = self.ask(json!({"query": "{ me { email } }"}), Some(access), "192.0.2.1").await;
            assert_eq!(me["data"]["me"]["email"], "ada@example.com", "{me}");
        })
        .await
    }
}
