//! An account has no more sessions than it may have, and a stranger cannot push its owner out (docs/security.md BUD-7).

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{BEHIND_A_PROXY, LOGIN, Mode, Person, TestApp, Tokens, eventually, in_both_modes};

/// Three sessions an account; limits are on, because only then devices are known.
const CAPPED: &[(&str, &str)] = &[
    ("AUTHQL_SESSIONS_PER_ACCOUNT", "3"),
    ("AUTHQL_RATE_LIMITS", "on"),
    ("AUTHQL_RATE_LIMIT_ACCOUNT", "1000/1m"),
    ("AUTHQL_RATE_LIMIT_NETWORK", "1000/1m"),
    BEHIND_A_PROXY,
];

const EVENTS: &str = "{ me { securityEvents(first: 100) { edges { node { kind outcome ipAddress } } } } }";

/// A browser at an address, and what it keeps.
struct Browser {
    address: &'static str,
    device: Option<String>,
}

impl Browser {
    fn at(address: &'static str) -> Self {
        Self { address, device: None }
    }

    async fn login(&mut self, app: &TestApp, person: &Person) -> Tokens {
        let input = json!({"email": person.email, "password": person.password});
        let mut request = app.client.post(format!("{}/graphql", app.url));
        request = request.header("X-Forwarded-For", self.address);
        if let Some(token) = &self.device {
            request = request.header("X-Device-Token", token);
        }
        let body = json!({"query": LOGIN, "variables": {"input": input}});
        let response = request.json(&body).send().await.unwrap();
        self.device =
            response.headers().get("x-device-token").map(|token| token.to_str().unwrap().to_owned());
        assert!(self.device.is_some());
        let answer: serde_json::Value = response.json().await.unwrap();
        Tokens::read(&answer["data"]["login"]["tokens"])
    }
}

/// Stores live sessions of an earlier version, none of which was ever refreshed.
async fn insert_old_sessions(app: &TestApp, person: &Person, count: i32) {
    sqlx::query(
        "INSERT INTO sessions (id, user_id, generation, created_at, rotated_at, expires_at, absolute_expires_at)
         SELECT gen_random_uuid(), users.id, 1, at, at, at + interval '30 days', at + interval '90 days'
         FROM users, generate_series(1, $2) AS number,
             LATERAL (SELECT $3 - number * interval '1 second' AS at) AS begun
         WHERE email_canonical = $1",
    )
    .bind(&person.email)
    .bind(count)
    .bind(authql::ports::Clock::now(&*app.clock))
    .execute(&mut app.database().await)
    .await
    .unwrap();
}

async fn live(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap()
}

async fn notices(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM outbox WHERE kind = 'too_many_sessions'")
        .fetch_one(&mut app.database().await)
        .await
        .unwrap()
}

in_both_modes! { with CAPPED;
    async fn a_browser_displaces_its_own_older_session_first(app: TestApp) {
        let ada = app.registered("Ada").await;
        let phone = Browser::at("203.0.113.7").login(&app, &ada).await;
        let mut laptop = Browser::at("198.51.100.7");
        let first = laptop.login(&app, &ada).await.refresh(&app).await;
        app.advance(TimeDelta::minutes(5)).await;
        let neighbour = Browser::at("192.0.2.7").login(&app, &ada).await;
        // It has moved to the neighbour's network meanwhile.
        laptop.address = "192.0.2.8";
        let second = laptop.login(&app, &ada).await;
        assert_eq!(first.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        for kept in [&phone, &neighbour, &second] {
            assert!(kept.me(&app).await.is_some());
        }
    }

    async fn the_owner_is_told_once_a_week(app: TestApp) {
        let ada = app.registered("Ada").await;
        for _ in 0..3 {
            Browser::at("192.0.2.1").login(&app, &ada).await;
        }
        assert_eq!(notices(&app).await, 0, "so many are allowed");
        for _ in 0..2 {
            Browser::at("192.0.2.1").login(&app, &ada).await;
        }
        let letter = app.letter_about(&ada.email, "A new sign-in ended an older one").await;
        assert!(letter.text.contains("change it now, which also ends all other sessions"), "{}", letter.text);
        app.advance(TimeDelta::days(6)).await;
        Browser::at("192.0.2.1").login(&app, &ada).await;
        assert_eq!(notices(&app).await, 1);
        app.advance(TimeDelta::days(1)).await;
        Browser::at("192.0.2.1").login(&app, &ada).await;
        assert_eq!(notices(&app).await, 2);
    }

    async fn an_account_from_before_the_cap_comes_down_step_by_step(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut laptop = Browser::at("198.51.100.7");
        let kept = laptop.login(&app, &ada).await.refresh(&app).await;
        insert_old_sessions(&app, &ada, 1200).await;
        for expected in [702, 203, 3, 3] {
            Browser::at("192.0.2.1").login(&app, &ada).await;
            assert_eq!(live(&app).await, expected);
        }
        assert!(kept.me(&app).await.is_some());
    }

    async fn where_a_session_was_begun_outlives_refreshes_and_not_the_account(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = Browser::at("192.0.2.1").login(&app, &ada).await;
        let tokens = tokens.refresh(&app).await;
        let places = async || -> (Option<String>, Option<String>, bool) {
            sqlx::query_as("SELECT signed_in_from, ip_address, device_id IS NULL FROM sessions")
                .fetch_one(&mut app.database().await)
                .await
                .unwrap()
        };
        let here = "127.0.0.1".to_owned();
        assert_eq!(places().await, (Some("192.0.2.1".to_owned()), Some(here), false));
        let input = json!({"currentPassword": ada.password});
        let deleted = app.mutate("deleteAccount", input, Some(&tokens.access)).await;
        assert_eq!(deleted["endedSessions"], 1, "{deleted}");
        assert_eq!(places().await, (None, None, true));
    }
}

#[tokio::test]
async fn a_stranger_with_the_password_displaces_nobody_but_themselves() {
    let Some(app) = TestApp::start_with(Mode::Servers, CAPPED).await else { return };
    let ada = app.registered("Ada").await;
    let laptop = Browser::at("198.51.100.7").login(&app, &ada).await.refresh(&app).await;
    let phone = Browser::at("203.0.113.7").login(&app, &ada).await.refresh(&app).await;
    app.advance(TimeDelta::minutes(5)).await;
    let sister = app.sister().await;
    let addresses = ["192.0.2.1", "192.0.2.200", "192.0.3.1", "2001:db8::1", "192.0.3.1", "192.0.2.1"];
    let mut last: Option<Tokens> = None;
    for address in addresses {
        let next = Browser::at(address).login(&app, &ada).await;
        if let Some(last) = last {
            assert_eq!(last.me(&app).await, None, "it ends at once here");
            eventually("it ends on the other instance", async || {
                last.me(&sister).await.is_none().then_some(())
            })
            .await;
            assert_eq!(last.refusal(&sister).await, "REFRESH_TOKEN_INVALID");
        }
        last = Some(next);
    }
    assert_eq!(live(&app).await, 3);
    for theirs in [&laptop, &phone] {
        assert_eq!(theirs.me(&sister).await.as_deref(), Some(ada.email.as_str()));
    }
    phone.refresh(&app).await;

    let answer = app.graphql(EVENTS, json!({}), Some(&laptop.access)).await;
    let events = answer["data"]["me"]["securityEvents"]["edges"].as_array().unwrap().clone();
    let displaced =
        events.iter().map(|edge| &edge["node"]).filter(|node| node["kind"] == "SESSION_DISPLACED");
    let from: Vec<&str> = displaced.map(|node| node["ipAddress"].as_str().unwrap()).collect();
    let expected: Vec<&str> = addresses[1..].iter().rev().copied().collect();
    assert_eq!(from, expected, "each says which sign-in it made room for");
}

#[tokio::test]
async fn parallel_sign_ins_on_two_instances_leave_no_more_than_the_cap() {
    let Some(app) = TestApp::start_with(Mode::Servers, CAPPED).await else { return };
    let ada = app.registered("Ada").await;
    let sister = app.sister().await;
    for _ in 0..3 {
        let logins = (0..8).map(|number| {
            let app = if number % 2 == 0 { &app } else { &sister };
            ada.login(app)
        });
        let tokens = futures_util::future::join_all(logins).await;
        let refreshes = tokens.iter().map(|tokens| tokens.try_refresh(&app));
        let more = (0..4).map(|_| ada.login(&sister));
        tokio::join!(futures_util::future::join_all(refreshes), futures_util::future::join_all(more));
        assert_eq!(live(&app).await, 3);
    }
    assert_eq!(notices(&app).await, 1);
}
