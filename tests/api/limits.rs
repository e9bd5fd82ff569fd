//! Guessing and flooding (docs/security.md LOG-3, LOG-4, LOG-5, LOG-7, REF-11, REG-10, OPS-4; docs/faults.md F1, F2): attackers get slow,
//! typed, equal answers, and the person under attack logs in as usual.

use std::collections::HashMap;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    BEHIND_A_PROXY, LOGIN, Mode, Outcome, Person, TestApp, Tokens, Visitor, eventually, in_both_modes,
};

const ON: (&str, &str) = ("AUTHQL_RATE_LIMITS", "on");
/// So slowly that nothing is refilled while a test runs.
const SLOW: (&str, &str) = ("AUTHQL_RATE_LIMIT_ACCOUNT", "6/24h");
/// So many guesses that only the count in the database holds them up.
const UNHURRIED: (&str, &str) = ("AUTHQL_RATE_LIMIT_ACCOUNT", "100000/1s");
const NO_NETWORKS: (&str, &str) = ("AUTHQL_RATE_LIMIT_NETWORK", "off");
/// So many lanes that ninety passwords at once fit into their queue.
const MANY_LANES: (&str, &str) = ("AUTHQL_HASH_LANES", "4");

const ATTACKER: &str = "198.51.100.7";
const OWNER: &str = "203.0.113.9";

fn wrong() -> Outcome {
    Outcome::Refused("INVALID_CREDENTIALS".to_owned())
}

/// How often each outcome was met; waits count as one.
fn count(outcomes: impl IntoIterator<Item = Outcome>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for outcome in outcomes {
        let name = match outcome {
            Outcome::Success => "success".to_owned(),
            Outcome::Refused(code) => code,
            Outcome::Limited(Some(wait)) if (1..=100).contains(&wait) => "wait".to_owned(),
            Outcome::Limited(wait) => format!("{wait:?}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// So many wrong passwords at once, each from another address of this form.
async fn parallel_guesses(app: &TestApp, of: &Person, times: usize, network: &str) -> HashMap<String, usize> {
    let guesses = (0..times).map(|number| async move {
        let mut visitor = Visitor::at(&network.replace('*', &number.to_string()));
        visitor.tries_password(app, of, "a wrong password").await
    });
    count(join_all(guesses).await)
}

in_both_modes! {
    with &[ON];

    async fn of_many_parallel_guesses_few_are_looked_at(app: TestApp) {
        // Nobody believes what they say of their addresses.
        let ada = app.registered("Ada").await;
        let counts = parallel_guesses(&app, &ada, 150, "198.51.*.7").await;
        // Six, and as many again if Redis was late for one of them: then this instance counts for itself.
        let looked_at = counts["INVALID_CREDENTIALS"];
        assert!((6..=12).contains(&looked_at) && looked_at + counts["wait"] == 150, "{counts:?}");
        let nobody = Person::new("Nobody");
        let counts = parallel_guesses(&app, &nobody, 30, "198.51.*.7").await;
        let looked_at = counts["INVALID_CREDENTIALS"];
        assert!((6..=12).contains(&looked_at), "an unknown address is no different: {counts:?}");
    }

    async fn a_budget_is_refilled_by_time_and_by_success(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut visitor = Visitor::at(OWNER);
        assert_eq!(visitor.guesses(&app, &ada, 7).await, 6);
        app.advance(TimeDelta::seconds(100)).await;
        assert_eq!(visitor.guesses(&app, &ada, 2).await, 1);
        app.advance(TimeDelta::seconds(100)).await;
        assert_eq!(visitor.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        visitor.device = None;
        assert_eq!(visitor.guesses(&app, &ada, 7).await, 6);
    }

    async fn one_browser_may_be_known_for_several_accounts(app: TestApp) {
        let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
        let mut browser = Visitor::at(OWNER);
        for person in [&ada, &bob] {
            assert_eq!(browser.tries_password(&app, person, &person.password).await, Outcome::Success);
        }
        for person in [&ada, &bob] {
            Visitor::at(OWNER).guesses(&app, person, 7).await;
            assert_eq!(browser.tries_password(&app, person, &person.password).await, Outcome::Success);
        }
    }

    async fn every_password_counts_wherever_it_is_asked_for(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        let (mut visitor, bearer) = (Visitor::at(OWNER), Some(tokens.access.as_str()));
        let inputs = [
            ("changePassword", json!({"currentPassword": "wrong", "newPassword": "a quite different staple"})),
            ("requestEmailChange", json!({"newEmail": "ada@example.org", "currentPassword": "wrong"})),
            ("deleteAccount", json!({"currentPassword": "wrong"})),
        ];
        for _ in 0..2 {
            for (name, input) in &inputs {
                assert_eq!(visitor.tries(&app, name, input.clone(), bearer).await, wrong(), "{name}");
            }
        }
        for (name, input) in inputs {
            let outcome = visitor.tries(&app, name, input, bearer).await;
            assert!(matches!(outcome, Outcome::Limited(Some(1..=100))), "{name}: {outcome:?}");
        }
        // Counted in Postgres with all others: the session is no second way to guess a hundred.
        let failures: i32 = sqlx::query_scalar("SELECT failures FROM password_failures")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
        assert_eq!(failures, 6);
    }

    async fn whoever_is_right_again_and_again_has_a_limit_too(app: TestApp) {
        let ada = app.registered("Ada").await;
        for keeps_device in [true, false] {
            let mut visitor = Visitor::at(OWNER);
            let mut logins = 0;
            loop {
                match visitor.tries_password(&app, &ada, &ada.password).await {
                    Outcome::Success => logins += 1,
                    Outcome::Limited(Some(_)) => break,
                    other => panic!("{other:?}"),
                }
                visitor.device = visitor.device.filter(|_| keeps_device);
                assert!(logins < 100, "no end of it");
            }
            // Thirty that fill the budget again, and then what is left in it.
            assert!((30..=40).contains(&logins), "{logins}");
        }
    }

    async fn quick_refreshes_are_nobodys_concern(app: TestApp) {
        let first = app.registered("Ada").await.login(&app).await;
        let answers = join_all((0..100).map(|_| first.refresh(&app))).await;
        assert!(answers.iter().all(|next| next.refresh == answers[0].refresh));
        let mut tokens = answers[0].clone();
        for _ in 0..30 {
            tokens = tokens.refresh(&app).await;
        }
    }

    async fn a_session_that_is_refreshed_without_end_has_to_wait_and_no_other_has(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (busy, other) = (ada.login(&app).await, ada.login(&app).await);
        let mut is_refused = false;
        for _ in 0..20 {
            let answers = join_all((0..200).map(|_| busy.try_refresh(&app))).await;
            is_refused = answers.iter().any(|answer| answer["data"]["refresh"]["code"] == "RATE_LIMITED");
            if is_refused {
                break;
            }
        }
        assert!(is_refused);
        assert!(other.refresh(&app).await.me(&app).await.is_some());
        let late = eventually("it may go on", async || {
            let answer = busy.try_refresh(&app).await["data"]["refresh"].take();
            (answer["__typename"] == "RefreshSuccess").then(|| Tokens::read(&answer["tokens"]))
        });
        assert!(late.await.me(&app).await.is_some());
    }
}

#[tokio::test]
async fn a_browser_keeps_its_device_token_in_a_cookie() {
    for (public_url, name, secure) in
        [("http://localhost", "authql-device", ""), ("https://localhost", "__Host-authql-device", "; Secure")]
    {
        let settings = [ON, ("AUTHQL_PUBLIC_URL", public_url)];
        let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
        let ada = app.registered("Ada").await;
        let login = async |password: &str, cookie: &str| {
            let body =
                json!({"query": LOGIN, "variables": {"input": {"email": ada.email, "password": password}}});
            let request =
                app.client.post(format!("{}/graphql", app.url)).header("cookie", cookie).json(&body);
            let response = request.send().await.unwrap();
            let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
            (response.json::<Value>().await.unwrap()["data"]["login"]["__typename"].take(), cookie)
        };
        assert_eq!(login("a wrong password", "").await, (json!("AuthFailure"), None));
        let (_, cookie) = login(&ada.password, "").await;
        let cookie = cookie.unwrap();
        let (pair, flags) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with(&format!("{name}=authql_device_")), "{pair}");
        assert_eq!(flags, format!("Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict{secure}"));
        Visitor::at(ATTACKER).guesses(&app, &ada, 7).await;
        assert_eq!(login(&ada.password, "").await.0, "AuthFailure");
        assert_eq!(login(&ada.password, &format!("a=b; {pair}; c=d")).await.0, "LoginSuccess");
    }
}

in_both_modes! {
    with &[ON, BEHIND_A_PROXY, SLOW];

    async fn an_attack_does_not_lock_out_who_was_there_before(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut owner = Visitor::at(OWNER);
        assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        // From many networks, the owner's too.
        for network in 0..5 {
            parallel_guesses(&app, &ada, 8, &format!("198.51.{network}.*")).await;
        }
        for number in 0..70 {
            let stranger = format!("stranger{number}");
            Visitor::at(OWNER).tries_password(&app, &Person::new(&stranger), "a password").await;
        }
        let outcome = Visitor::at(OWNER).tries_password(&app, &ada, &ada.password).await;
        assert!(matches!(outcome, Outcome::Limited(Some(_))), "{outcome:?}");
        assert_eq!(owner.guesses(&app, &ada, 3).await, 3, "their own slips");
        assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, Outcome::Success);

        // The token opens no other account's lane, and a forged one none.
        let bob = app.registered("Bob").await;
        let mut stranger = Visitor { device: owner.device.clone(), ..Visitor::at(ATTACKER) };
        assert_eq!(stranger.guesses(&app, &bob, 8).await, 6);
        let mut forged = owner.device.clone().unwrap();
        let last = forged.pop().unwrap();
        forged.push(if last == 'A' { 'B' } else { 'A' });
        let mut cheat = Visitor { device: Some(forged), ..Visitor::at("198.51.0.7") };
        assert_eq!(cheat.guesses(&app, &ada, 1).await, 0);
    }

    async fn one_network_cannot_use_up_what_all_others_have(app: TestApp) {
        let ada = app.registered("Ada").await;
        assert_eq!(Visitor::at(ATTACKER).guesses(&app, &ada, 10).await, 6);
        assert_eq!(Visitor::at("198.51.100.200").guesses(&app, &ada, 10).await, 6, "a neighbour");
        assert_eq!(Visitor::at("198.51.100.201").guesses(&app, &ada, 2).await, 0, "all neighbours together");
        assert_eq!(Visitor::at(OWNER).tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        let mut looked_at = 0;
        for network in 0..10 {
            looked_at += Visitor::at(&format!("192.0.{network}.1")).guesses(&app, &ada, 8).await;
        }
        assert_eq!(looked_at, 18, "all networks together");
        assert_eq!(Visitor::at("2001:db8::1").guesses(&app, &ada, 1).await, 0);
    }

    async fn a_network_has_a_budget_for_each_thing_it_tries(app: TestApp) {
        let strong = "a quite different staple";
        let spend = async |address: &str, name: &str, input: &dyn Fn(usize) -> Value| {
            let mut visitor = Visitor::at(address);
            for number in 0..700 {
                if let Outcome::Limited(Some(1..)) = visitor.tries(&app, name, input(number), None).await {
                    return number;
                }
            }
            panic!("{name} has no end");
        };
        let email = |number: usize| format!("somebody{number}@example.com");
        let logins = spend("198.51.100.1", "login", &|number| json!({"email": email(number), "password": "a password"})).await;
        // A little of it is refilled meanwhile.
        assert!((60..90).contains(&logins));
        let mails = spend("198.51.100.2", "resendVerification", &|number| json!({"email": email(number)})).await;
        assert!((60..90).contains(&mails));
        let junk = spend("198.51.100.3", "verifyEmail", &|_| json!({"token": "a token"})).await;
        assert!((600..700).contains(&junk));
        let mistakes = spend("198.51.100.4", "login", &|_| json!({"email": "nobody", "password": ""})).await;
        assert!((600..700).contains(&mistakes));

        // Whoever sends junk has shut nothing else: not even for themselves.
        let ada = app.registered("Ada").await;
        let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        let mut neighbour = Visitor::at("198.51.100.3");
        assert_eq!(neighbour.tries(&app, "verifyEmail", json!({"token": token}), None).await, Outcome::Success);
        assert_eq!(neighbour.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        let new = json!({"email": "new@example.com", "password": strong});
        assert_eq!(neighbour.tries(&app, "register", new, None).await, Outcome::Success);
        // Nor has one address for its neighbours.
        let mut neighbour = Visitor::at("198.51.100.200");
        assert_eq!(neighbour.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        assert_eq!(neighbour.tries(&app, "requestPasswordReset", json!({"email": ada.email}), None).await, Outcome::Success);
    }

    async fn a_wide_network_gets_a_fixed_multiple(app: TestApp) {
        for (wide, most) in [("2001:db8:7:*00::1", 240), ("203.0.113.*", 240)] {
            let mut admitted = 0;
            for attempt in 0..10 {
                // Not all at once: a Redis that is late would be counted beside.
                let outcomes = join_all((0..40).map(|number| {
                    let mut visitor = Visitor::at(&wide.replace('*', &number.to_string()));
                    let input = json!({"email": format!("a{number}b{attempt}@example.com")});
                    let app = &app;
                    async move { visitor.tries(app, "resendVerification", input, None).await }
                }));
                admitted += outcomes.await.into_iter().filter(|outcome| *outcome == Outcome::Success).count();
            }
            assert!((most..most + 30).contains(&admitted), "{wide}: {admitted}");
        }
    }

    async fn an_address_is_not_flooded_from_anywhere(app: TestApp) {
        let email = "ada@example.com";
        for (name, input) in [
            ("register", json!({"email": email, "password": "correct horse battery staple"})),
            ("resendVerification", json!({"email": email})),
            ("requestPasswordReset", json!({"email": email})),
        ] {
            for network in 0..5 {
                let mut visitor = Visitor::at(&format!("192.0.{network}.1"));
                let mut asked = 0;
                for _ in 0..7 {
                    asked += usize::from(visitor.tries(&app, name, input.clone(), None).await == Outcome::Success);
                }
                assert_eq!(asked, 6, "{name}");
            }
        }
        // Of ninety that were asked for: of links for a new password five and two more, of all others as many.
        let mails: Vec<(String, i64)> = sqlx::query_as(
            "SELECT kind = 'password_reset' AS reset, count(*) FROM outbox WHERE state <> 'suppressed' GROUP BY 1 ORDER BY 1",
        )
        .fetch_all(&mut app.database().await)
        .await
        .unwrap()
        .into_iter()
        .map(|(reset, count): (bool, i64)| (reset.to_string(), count))
        .collect();
        assert_eq!(mails, [("false".to_owned(), 7), ("true".to_owned(), 7)]);
    }
}

in_both_modes! {
    with &[ON, BEHIND_A_PROXY, UNHURRIED, NO_NETWORKS, MANY_LANES];

    async fn after_a_hundred_wrong_passwords_in_a_row_only_its_mail_opens_an_account(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut owner = Visitor::at(OWNER);
        assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        let mut counts = parallel_guesses(&app, &ada, 60, "198.*.100.7").await;
        if let Some(redis) = &app.redis {
            let _: String = redis.command("FLUSHALL").await;
        }
        for (name, more) in parallel_guesses(&app, &ada, 60, "198.*.100.7").await {
            *counts.entry(name).or_default() += more;
        }
        assert_eq!(counts, HashMap::from([("INVALID_CREDENTIALS".to_owned(), 80), ("None".to_owned(), 40)]));
        let stopped = Outcome::Limited(None);
        assert_eq!(Visitor::at(ATTACKER).tries_password(&app, &ada, &ada.password).await, stopped);

        // What is left is kept for devices that are known, and for nobody after that.
        assert_eq!(owner.guesses(&app, &ada, 25).await, 20);
        assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, stopped);
        let mut elsewhere = Visitor::at("192.0.2.1");
        let asked = elsewhere.tries(&app, "requestPasswordReset", json!({"email": ada.email}), None).await;
        assert_eq!(asked, Outcome::Success);
        let token = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");
        let input = json!({"token": token, "newPassword": "a quite different staple"});
        assert_eq!(elsewhere.tries(&app, "resetPassword", input, None).await, Outcome::Success);
        parallel_guesses(&app, &ada, 90, "198.*.100.7").await;
        let outcome = elsewhere.tries_password(&app, &ada, "a quite different staple").await;
        assert_eq!(outcome, Outcome::Success, "whoever has reset it is no stranger");
        assert_eq!(Visitor::at(ATTACKER).guesses(&app, &ada, 1).await, 1, "and begins anew");
    }
}

#[tokio::test]
async fn registrations_have_a_budget_that_all_networks_share_and_quiet_ones_have_another() {
    let settings = [ON, BEHIND_A_PROXY, ("AUTHQL_RATE_LIMIT_NETWORK", "5/24h")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let register = async |address: &str, name: &str| {
        let input =
            json!({"email": format!("{name}@example.com"), "password": "correct horse battery staple"});
        Visitor::at(address).tries(&app, "register", input, None).await
    };
    let mut outcomes = Vec::new();
    for network in 0..20 {
        for number in 0..5 {
            outcomes.push(register(&format!("192.0.{network}.1"), &format!("a{network}b{number}")).await);
        }
    }
    assert_eq!(count(outcomes)["success"], 100, "twenty times what a network may");
    let mut outcomes = Vec::new();
    for number in 0..5 {
        outcomes.push(register("198.51.100.7", &format!("quiet{number}")).await);
    }
    assert_eq!(count(outcomes)["success"], 2, "what is left for a network that has been quiet");
}

#[tokio::test]
async fn instances_share_their_limits_and_redis_learns_no_address() {
    let Some(app) = TestApp::start_with(Mode::Servers, &[ON, BEHIND_A_PROXY]).await else { return };
    let sister = app.sister().await;
    let ada = app.registered("Ada").await;
    let mut attacker = Visitor::at(ATTACKER);
    assert_eq!(attacker.guesses(&app, &ada, 4).await, 4);
    assert_eq!(attacker.guesses(&sister, &ada, 4).await, 2);

    let keys: Vec<String> = app.redis.as_ref().unwrap().command("KEYS *").await;
    assert!(keys.iter().any(|key| key.starts_with("authql:limit:account-network:")), "{keys:?}");
    for secret in ["ada@", "example", "198.51"] {
        assert!(keys.iter().all(|key| !key.contains(secret)), "{keys:?}");
    }
}

#[tokio::test]
async fn without_redis_each_instance_counts_for_itself() {
    let Some(mut app) = TestApp::start_with(Mode::Servers, &[ON, BEHIND_A_PROXY]).await else { return };
    let ada = app.registered("Ada").await;
    let mut owner = Visitor::at(OWNER);
    assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
    app.redis.as_mut().unwrap().kill();
    let counts = parallel_guesses(&app, &ada, 150, "198.51.100.*").await;
    assert_eq!(counts["INVALID_CREDENTIALS"], 12, "a /24 gets twice what an address gets: {counts:?}");
    assert_eq!(owner.tries_password(&app, &ada, &ada.password).await, Outcome::Success);

    app.redis.as_mut().unwrap().restart();
    let bob = app.registered("Bob").await;
    eventually("Redis counts again", async || {
        Visitor::at(ATTACKER).tries_password(&app, &bob, &bob.password).await;
        let keys: Vec<String> = app.redis.as_ref().unwrap().command("KEYS authql:limit:*").await;
        (!keys.is_empty()).then_some(())
    })
    .await;
}
