//! Floods of passwords, and how everybody else fares, first without limits and then with them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::server::{PASSWORD, Server};

/// How long each attack goes on.
const ATTACK: Duration = Duration::from_secs(15);
/// How many attack at once.
const ATTACKERS: usize = 300;
/// How often somebody looks at their account meanwhile.
const LOOKS: Duration = Duration::from_millis(20);

pub(super) async fn run() {
    println!("without limits, {ATTACKERS} clients that log in as often as they may:");
    let server = Server::start(&[("AUTHQL_RATE_LIMITS", "off")]);
    let token = server.sign_up().await;
    let before = server.kilobytes("VmRSS:");
    let quiet = server.look_around(&token, &AtomicBool::new(false)).await;
    let counts =
        server.attack(&token, |_, _| ("ada@example.com".to_owned(), PASSWORD, "192.0.2.1".into())).await;
    println!("  `me` quiet            {quiet}");
    counts.print("logged in");
    let growth = server.kilobytes("VmHWM:").saturating_sub(before) / 1024;
    println!("  memory                {} MB before, at most {growth} MB more", before / 1024);
    drop(server);

    println!("with the default limits, {ATTACKERS} clients that guess:");
    for (what, everybody, many_networks) in [
        ("one account, one network", false, false),
        ("one account, 900 networks", false, true),
        ("many accounts, one network", true, false),
    ] {
        let server = Server::start(&[("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")]);
        let token = server.sign_up().await;
        println!(" {what}");
        let guess = |client: usize, number: usize| {
            let account = if everybody { format!("a{client}n{number}") } else { "ada".to_owned() };
            let network = if many_networks { client * 3 + number % 3 } else { 0 };
            let address = format!("10.{}.{}.1", network / 256, network % 256);
            (format!("{account}@example.com"), "a wrong password", address)
        };
        server.attack(&token, guess).await.print("looked at");
    }
}

/// What became of an attack, and how everybody else fared.
struct Counts {
    looked_at: usize,
    told_to_wait: usize,
    unavailable: usize,
    seconds: f64,
    me: Latency,
}

/// What half of the requests took at most, and what 95 % did.
struct Latency(Duration, Duration);

impl Server {
    /// Somebody who looks at their account again and again, at least for a while and until it is over.
    async fn look_around(&self, token: &str, is_going_on: &AtomicBool) -> Latency {
        let (mut times, began) = (Vec::new(), Instant::now());
        while is_going_on.load(Ordering::Relaxed) || began.elapsed() < ATTACK / 3 {
            let asked = Instant::now();
            let me = self.ask(json!({"query": "{ me { email } }"}), Some(token), "192.0.2.1").await;
            assert_eq!(me["data"]["me"]["email"], "ada@example.com", "{me}");
            times.push(asked.elapsed());
            tokio::time::sleep(LOOKS).await;
        }
        times.sort();
        Latency(times[times.len() / 2], times[times.len() * 95 / 100])
    }

    /// Everybody tries what `guess` says, again and again, and somebody looks at their account meanwhile.
    async fn attack<'a>(
        &self,
        token: &str,
        guess: impl Fn(usize, usize) -> (String, &'a str, String),
    ) -> Counts {
        let (looked_at, told_to_wait, unavailable) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let (is_going_on, began) = (AtomicBool::new(true), Instant::now());
        let attackers = join_all((0..ATTACKERS).map(|client| {
            let (guess, looked_at, told_to_wait, unavailable) =
                (&guess, &looked_at, &told_to_wait, &unavailable);
            async move {
                for number in 0.. {
                    if began.elapsed() > ATTACK {
                        break;
                    }
                    let (email, password, address) = guess(client, number);
                    let answer = self.login(&email, password, &address).await;
                    let count = match answer["data"]["login"]["code"].as_str() {
                        Some("RATE_LIMITED") => told_to_wait,
                        None if answer.get("errors").is_some() => unavailable,
                        _ => looked_at,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    // Who only wants to log in comes back when they are told to; attackers come back at once.
                    if let Some(seconds) = answer["errors"][0]["extensions"]["retryAfterSeconds"].as_u64() {
                        tokio::time::sleep(Duration::from_secs(seconds)).await;
                    }
                }
            }
        }));
        let attack = async {
            attackers.await;
            is_going_on.store(false, Ordering::Relaxed);
        };
        let ((), me) = tokio::join!(attack, self.look_around(token, &is_going_on));
        Counts {
            looked_at: looked_at.into_inner(),
            told_to_wait: told_to_wait.into_inner(),
            unavailable: unavailable.into_inner(),
            seconds: began.elapsed().as_secs_f64(),
            me,
        }
    }
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "these are small")]
    fn print(&self, what: &str) {
        let Self { looked_at, told_to_wait, unavailable, seconds, me } = self;
        println!("  `me` meanwhile        {me}");
        println!(
            "  {what}             {looked_at} in {seconds:.0} s: {:.1} a second",
            *looked_at as f64 / seconds
        );
        println!("  refused               {told_to_wait} RATE_LIMITED, {unavailable} SERVICE_UNAVAILABLE");
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "p50 {:.1} ms, p95 {:.1} ms", milliseconds(self.0), milliseconds(self.1))
    }
}
