//! Somebody with an address of their own, as a proxy in front of authql shows them.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::app::TestApp;
use super::person::Person;

/// Makes `X-Forwarded-For` count.
pub const BEHIND_A_PROXY: (&str, &str) = ("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32");

/// A client at an address, and what it keeps between its requests.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub address: String,
    /// The device token, once it has one.
    pub device: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// A code other than `RATE_LIMITED`.
    Refused(String),
    /// With `retryAfterSeconds`.
    Limited(Option<i64>),
}

impl Visitor {
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), device: None }
    }

    /// Runs a mutation that takes one input, and keeps the device token of the answer.
    pub async fn tries(&mut self, app: &TestApp, name: &str, input: Value, bearer: Option<&str>) -> Outcome {
        let (outcome, headers) = self.send(app, name, input, bearer).await;
        if let Some(token) = headers.get("x-device-token") {
            self.device = Some(token.to_str().unwrap().to_owned());
        }
        outcome
    }

    pub async fn tries_password(&mut self, app: &TestApp, of: &Person, password: &str) -> Outcome {
        self.tries(app, "login", json!({"email": of.email, "password": password}), None).await
    }

    /// Tries so many wrong passwords one after the other; answers how many were looked at.
    pub async fn guesses(&mut self, app: &TestApp, of: &Person, times: usize) -> usize {
        let mut looked_at = 0;
        for _ in 0..times {
            let outcome = self.tries_password(app, of, "a wrong password").await;
            looked_at += usize::from(outcome == Outcome::Refused("INVALID_CREDENTIALS".to_owned()));
        }
        looked_at
    }

    async fn send(
        &self,
        app: &TestApp,
        name: &str,
        input: Value,
        bearer: Option<&str>,
    ) -> (Outcome, HeaderMap) {
        let pascal = name[..1].to_uppercase() + &name[1..];
        let query = format!(
            "mutation ($input: {pascal}Input!) {{ {name}(input: $input) {{ __typename \
             ... on AuthFailure {{ code retryAfterSeconds }} }} }}"
        );
        let mut request = app.client.post(format!("{}/graphql", app.url));
        request = request.header("X-Forwarded-For", &self.address);
        if let Some(token) = &self.device {
            request = request.header("X-Device-Token", token);
        }
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let body = json!({"query": query, "variables": {"input": input}});
        let response = request.json(&body).send().await.unwrap();
        let headers = response.headers().clone();
        let answer: Value = response.json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        let result = &answer["data"][name];
        let outcome = match result["code"].as_str() {
            None => Outcome::Success,
            Some("RATE_LIMITED") => Outcome::Limited(result["retryAfterSeconds"].as_i64()),
            Some(code) => Outcome::Refused(code.to_owned()),
        };
        (outcome, headers)
    }
}
