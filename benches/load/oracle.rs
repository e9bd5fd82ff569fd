//! Whether the time of an answer tells who has an account: pairs of requests in turns, one about an account and one about
//! nobody (docs/security.md REG-2, LOG-2).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{PASSWORD, Server};

/// How many pairs.
const PAIRS: usize = 101;

pub(super) async fn run() {
    let server = Server::start(&[("AUTHQL_RATE_LIMITS", "off")]);
    let (friend, stranger) =
        (|number| format!("friend{number}@example.com"), |number| format!("stranger{number}@example.com"));
    for number in 0..PAIRS {
        server.time("register", &friend(number), Some(PASSWORD)).await;
    }
    // A registration that is repeated at once is answered in a shorter way.
    server.run("UPDATE users SET created_at = created_at - interval '1 day'").await;
    println!("the time of an answer, with an account and without (median of {PAIRS} pairs):");
    for (operation, password) in
        [("login", Some("a wrong password")), ("requestPasswordReset", None), ("register", Some(PASSWORD))]
    {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for number in 0..PAIRS {
            let (friend, stranger) = (friend(number), stranger(number));
            // Whoever is first is not always the same.
            if number % 2 == 0 {
                known.push(server.time(operation, &friend, password).await);
                unknown.push(server.time(operation, &stranger, password).await);
            } else {
                unknown.push(server.time(operation, &stranger, password).await);
                known.push(server.time(operation, &friend, password).await);
            }
        }
        let (known, unknown) = (median(known), median(unknown));
        let difference = (known / unknown - 1.0) * 100.0;
        println!("  {operation:<21} {known:>6.2} ms and {unknown:>6.2} ms: {difference:+.1} %");
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

impl Server {
    async fn time(&self, operation: &str, email: &str, password: Option<&str>) -> Duration {
        let mut input = json!({"email": email});
        if let Some(password) = password {
            input["password"] = password.into();
        }
        let kind = format!("{}{}Input", operation[..1].to_uppercase(), &operation[1..]);
        let query = format!("mutation ($input: {kind}!) {{ {operation}(input: $input) {{ __typename }} }}");
        let body = json!({"query": query, "variables": {"input": input}});
        let asked = Instant::now();
        let answer: Value = self.ask(body, None, "192.0.2.1").await;
        let time = asked.elapsed();
        assert!(answer.get("errors").is_none(), "{answer}");
        time
    }
}
