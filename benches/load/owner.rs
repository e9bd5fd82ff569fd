//! What an honest person notices of seven attacks at once (docs/security.md BUD-5): `-- owner`. Attacks go on from many networks
//! while the owner of the account that they are about logs in, refreshes, looks, and sets a new password by mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::latency::Latency;
use super::server::{PASSWORD, Peer, Server};

/// Where the owner is at home.
const HOME: &str = "203.0.113.9";
/// How often the owner does each thing: within the budget of a known device.
const ROUNDS: usize = 12;
const WAIT: Duration = Duration::from_millis(400);
const LEET: &str =
    "4@8({[<369&#!1/|0$5+7%24@8({[<369&#!1/|0$5+7%24@8({[<369&#!1/|0$5+7%24@8({[<369&#!1/|0$5+7%24@8({[<";

pub(super) async fn run() {
    let server = Server::start(&[("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")]);
    server.sign_up_at("ada@example.com", HOME).await;
    for number in 0..10 {
        server.sign_up_at(&format!("eve{number}@example.com"), "198.51.100.9").await;
    }
    let login = server.login("ada@example.com", PASSWORD, HOME).await;
    assert_eq!(login["data"]["login"]["__typename"], "LoginSuccess", "{login}");
    server.run("UPDATE sessions SET created_at = created_at - interval '2 days'").await;
    println!("an owner, quiet:");
    let quiet = server.be_the_owner().await;
    quiet.print(None);
    // The budgets of the owner begin anew.
    drop(server);
    let server = Server::start(&[("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")]);
    server.sign_up_at("ada@example.com", HOME).await;
    for number in 0..10 {
        server.sign_up_at(&format!("eve{number}@example.com"), "198.51.100.9").await;
    }
    server.run("UPDATE sessions SET created_at = created_at - interval '2 days'").await;
    let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let attack = tokio::task::spawn_blocking({
        let (peer, is_over, sent) = (server.peer(), Arc::clone(&is_over), Arc::clone(&sent));
        // They give way on this machine, as they would if they were on another one.
        move || {
            let _ = rustix::process::setpriority_process(None, 19);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(attack_in_every_way(&peer, &is_over, &sent));
        }
    });
    let owner = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let honest = server.be_the_owner().await;
        is_over.store(true, Ordering::Relaxed);
        honest
    };
    let began = Instant::now();
    let (attacked, honest) = tokio::join!(attack, owner);
    attacked.unwrap();
    let sent = sent.load(Ordering::Relaxed) as u64;
    println!("the same under attack ({} requests a second):", sent / began.elapsed().as_secs().max(1));
    honest.print(Some(&quiet));
}

/// How long the owner waited for each thing.
struct Honest {
    known_device: Vec<Duration>,
    new_device: Vec<Duration>,
    refresh: Vec<Duration>,
    me: Vec<Duration>,
    /// From the request for a link to the new password, the mail and a retry included.
    reset: Duration,
}

impl Honest {
    fn print(&self, quiet: Option<&Self>) {
        let line = |what: &str, times: &[Duration], before: Option<&[Duration]>| {
            let now = Latency::of(times.to_vec());
            let ratio = before.map_or_else(String::new, |before| {
                format!(
                    ", {:.1} times the quiet median",
                    now.p50.as_secs_f64() / Latency::of(before.to_vec()).p50.as_secs_f64()
                )
            });
            println!("  {what:<22} {now}{ratio}");
        };
        line("login, known device", &self.known_device, quiet.map(|quiet| &quiet.known_device[..]));
        line("login, new device", &self.new_device, quiet.map(|quiet| &quiet.new_device[..]));
        line("refresh", &self.refresh, quiet.map(|quiet| &quiet.refresh[..]));
        line("me", &self.me, quiet.map(|quiet| &quiet.me[..]));
        println!("  reset by mail          {:.1} s", self.reset.as_secs_f64());
    }
}

impl Server {
    async fn be_the_owner(&self) -> Honest {
        let mut honest = Honest {
            known_device: Vec::new(),
            new_device: Vec::new(),
            refresh: Vec::new(),
            me: Vec::new(),
            reset: Duration::ZERO,
        };
        let (_, device, _) = self.honest_login(None, &mut Vec::new()).await;
        for _ in 0..ROUNDS {
            let (access, _, refresh) = self.honest_login(device.as_deref(), &mut honest.known_device).await;
            self.honest_login(None, &mut honest.new_device).await;
            let asked = Instant::now();
            let answer = self.ask(mutation("refresh", json!({"refreshToken": refresh})), None, HOME).await;
            honest.refresh.push(asked.elapsed());
            assert!(answer["data"]["refresh"]["code"].is_null(), "{answer}");
            let asked = Instant::now();
            let me = self.ask(json!({"query": "{ me { email } }"}), Some(&access), HOME).await;
            honest.me.push(asked.elapsed());
            assert_eq!(me["data"]["me"]["email"], "ada@example.com", "{me}");
            tokio::time::sleep(WAIT).await;
        }
        honest.reset = self.honest_reset().await;
        honest
    }

    /// Logs in at home; answers access token, device token and refresh token.
    async fn honest_login(
        &self,
        device: Option<&str>,
        times: &mut Vec<Duration>,
    ) -> (String, Option<String>, String) {
        let asked = Instant::now();
        let (answer, token) = self.login_on(device, HOME).await;
        times.push(asked.elapsed());
        let tokens = &answer["data"]["login"]["tokens"];
        let text = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("accessToken"), token, text("refreshToken"))
    }

    async fn honest_reset(&self) -> Duration {
        let asked = Instant::now();
        let answer =
            self.ask(mutation("requestPasswordReset", json!({"email": "ada@example.com"})), None, HOME).await;
        assert!(answer["data"]["requestPasswordReset"]["code"].is_null(), "{answer}");
        loop {
            // The newest link for the owner, whoever asked for it.
            let mails: Value = self.get_json("/mailbox.json").await;
            let newest = mails["mails"].as_array().unwrap().iter().find(|mail| {
                mail["to"].as_str().is_some_and(|to| to.contains("ada@example.com"))
                    && mail["text"].as_str().is_some_and(|text| text.contains("#resetPassword="))
            });
            if let Some(mail) = newest {
                let text = mail["text"].as_str().unwrap();
                let token = text.split("#resetPassword=").nth(1).unwrap().split_whitespace().next().unwrap();
                let input = json!({"token": token, "newPassword": "a quite different staple"});
                let answer = self.ask(mutation("resetPassword", input), None, HOME).await;
                if answer["errors"].is_null() && answer["data"]["resetPassword"]["code"].is_null() {
                    return asked.elapsed();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The attacks, all at once. Silent connections and writes of signed-in people are not among them.
async fn attack_in_every_way(peer: &Peer, is_over: &AtomicBool, sent: &AtomicUsize) {
    let clients = (0..96_usize).map(|client| async move {
        let (mut number, mut device) = (0_usize, None);
        while !is_over.load(Ordering::Relaxed) {
            number += 1;
            sent.fetch_add(1, Ordering::Relaxed);
            let somewhere = format!("10.{}.{}.7", client, number % 250);
            match client % 8 {
                // Guesses at the owner's account from everywhere, and at any account from a /48.
                0 => drop(peer.ask(guess("ada@example.com"), None, &somewhere).await),
                1 => {
                    let address = format!("2001:db8:7:{:x}::1", number % 65_536);
                    drop(peer.ask(guess(&format!("a{client}n{number}@example.com")), None, &address).await);
                }
                // The costliest passwords, and tokens that are none.
                2 => drop(
                    peer.ask(
                        mutation("register", json!({"email": "x", "password": LEET})),
                        None,
                        "198.51.100.7",
                    )
                    .await,
                ),
                3 => drop(
                    peer.ask(mutation("verifyEmail", json!({"token": "junk"})), None, "203.0.113.77").await,
                ),
                // Links for the owner, and registrations, from everywhere.
                4 => drop(
                    peer.ask(
                        mutation("requestPasswordReset", json!({"email": "ada@example.com"})),
                        None,
                        &somewhere,
                    )
                    .await,
                ),
                5 => {
                    let input =
                        json!({"email": format!("b{client}n{number}@example.com"), "password": PASSWORD});
                    drop(peer.ask(mutation("register", input), None, &somewhere).await);
                }
                // Own accounts on devices that are known.
                6 => {
                    let email = format!("eve{}@example.com", client % 10);
                    let (_, token) = peer.login_as(&email, device.as_deref(), "198.51.100.9").await;
                    device = token.or(device);
                }
                _ => drop(peer.ask(json!({"query": "{ __typename }"}), None, &somewhere).await),
            }
        }
    });
    join_all(clients).await;
}

fn guess(email: &str) -> Value {
    mutation("login", json!({"email": email, "password": "a wrong password"}))
}

fn mutation(name: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query =
        format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ ... on AuthFailure {{ code }} }} }}");
    let mut body = json!({"query": query, "variables": {}});
    body["variables"]["input"] = input;
    body
}
