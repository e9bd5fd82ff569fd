//! No lane is free (docs/security.md BUD-2): each mutation of the schema, with each kind of argument, by each kind of caller, meets
//! `RATE_LIMITED` when it is repeated. A mutation without a row here fails.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{BEHIND_A_PROXY, Mode, Person, TestApp, Tokens};

const SETTINGS: &[(&str, &str)] = &[
    ("AUTHQL_RATE_LIMITS", "on"),
    BEHIND_A_PROXY,
    // So low that the test is quick, and so slow that nothing is refilled meanwhile.
    ("AUTHQL_RATE_LIMIT_NETWORK", "12/24h"),
    ("AUTHQL_RATE_LIMIT_ACCOUNT", "3/24h"),
    ("AUTHQL_HASH_LANES", "2"),
];
/// How often each is repeated at most: fewer times than a session may enter, so that each mutation needs a budget of its own.
const MOST: usize = 2_000;
const STRONG: &str = "a quite different staple";
const OTHER: &str = "another staple of horses";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Stranger,
    KnownDevice,
    SignedIn,
    /// In cookie mode, with a genuine refresh token in the cookie.
    Cookie,
}

const LANES: [Lane; 4] = [Lane::Stranger, Lane::KnownDevice, Lane::SignedIn, Lane::Cookie];

/// What is known to somebody who calls.
struct World {
    person: Person,
    tokens: Tokens,
    device: String,
    /// Genuine tokens from mails.
    verify: String,
    reset: String,
    change: String,
}

type Input = fn(&World, usize) -> Value;

/// Each mutation, and the arguments it is called with: what succeeds, what fails, what is malformed, what is worthless.
const ROWS: &[(&str, &[Input])] = &[
    (
        "changePassword",
        &[
            |world, number| {
                let own = [&*world.person.password, OTHER];
                json!({"currentPassword": own[number % 2], "newPassword": own[(number + 1) % 2]})
            },
            |_, _| json!({"currentPassword": "wrong", "newPassword": STRONG}),
            |_, _| json!({"currentPassword": "", "newPassword": ""}),
        ],
    ),
    ("confirmEmailChange", &[|world, _| json!({"token": world.change}), |_, _| json!({"token": "junk"})]),
    ("deleteAccount", &[|_, _| json!({"currentPassword": "wrong"}), |_, _| json!({"currentPassword": ""})]),
    (
        "login",
        &[
            |world, _| json!({"email": world.person.email, "password": world.person.password}),
            |world, _| json!({"email": world.person.email, "password": "wrong"}),
            |_, number| json!({"email": format!("nobody{number}@example.com"), "password": "wrong"}),
            |_, _| json!({"email": "nobody", "password": ""}),
        ],
    ),
    (
        "logout",
        &[
            |world, _| json!({"refreshToken": world.tokens.refresh}),
            |_, _| json!({"refreshToken": "junk"}),
            |_, _| json!({}),
        ],
    ),
    (
        "refresh",
        &[
            |world, _| json!({"refreshToken": world.tokens.refresh}),
            |_, _| json!({"refreshToken": "junk"}),
            |_, _| json!({}),
        ],
    ),
    (
        "register",
        &[
            |_, number| json!({"email": format!("new{number}@example.com"), "password": STRONG}),
            |world, _| json!({"email": world.person.email, "password": STRONG}),
            |_, _| json!({"email": "x", "password": "4@8({[<369&#!1/|0$5+7%2".repeat(4)}),
            |_, _| json!({"email": "a@example.com", "password": ""}),
        ],
    ),
    (
        "requestEmailChange",
        &[
            |world, number| json!({"newEmail": format!("moved{number}@example.com"), "currentPassword": world.person.password}),
            |_, _| json!({"newEmail": "a@example.com", "currentPassword": "wrong"}),
            |_, _| json!({"newEmail": "x", "currentPassword": ""}),
        ],
    ),
    (
        "requestPasswordReset",
        &[
            |world, _| json!({"email": world.person.email}),
            |_, number| json!({"email": format!("nobody{number}@example.com")}),
            |_, _| json!({"email": "x"}),
        ],
    ),
    (
        "resendVerification",
        &[
            |world, _| json!({"email": world.person.email}),
            |_, number| json!({"email": format!("nobody{number}@example.com")}),
            |_, _| json!({"email": "x"}),
        ],
    ),
    (
        "resetPassword",
        &[
            |world, _| json!({"token": world.reset, "newPassword": "password1"}),
            |_, _| json!({"token": "junk", "newPassword": STRONG}),
            |_, _| json!({"token": "", "newPassword": ""}),
        ],
    ),
    (
        "revokeSession",
        &[
            |_, _| json!({"id": "U2Vzc2lvbjowMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTc"}),
            |_, _| json!({"id": "junk"}),
        ],
    ),
    (
        "updateProfile",
        &[
            |_, number| json!({"name": format!("Name {number}")}),
            |_, _| json!({}),
            |_, _| json!({"name": "x".repeat(200)}),
        ],
    ),
    ("verifyEmail", &[|world, _| json!({"token": world.verify}), |_, _| json!({"token": "junk"})]),
];

/// The mutations of the checked-in schema.
fn mutations() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let schema = std::fs::read_to_string(file).unwrap();
    let (_, mutation) = schema.split_once("type Mutation {").unwrap();
    let (mutation, _) = mutation.split_once("\n}").unwrap();
    // Fields stand two spaces in; their arguments four.
    let fields =
        mutation.lines().filter_map(|line| line.strip_prefix("  ")?.split_once('(').map(|(name, _)| name));
    fields
        .filter(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_mutation_of_the_schema_has_a_row() {
    let rows: BTreeSet<String> = ROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(mutations(), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_repeated_meets_a_limit() {
    let app = TestApp::start_with(Mode::ZeroConfiguration, SETTINGS).await.unwrap();
    let combinations: Vec<(&str, usize, Input, Lane)> = ROWS
        .iter()
        .flat_map(|(name, inputs)| inputs.iter().enumerate().map(move |(at, input)| (*name, at, *input)))
        .flat_map(|(name, at, input)| LANES.map(|lane| (name, at, input, lane)))
        .collect();
    // Some at a time: each has a network and a person of its own.
    for (batch, some) in combinations.chunks(16).enumerate() {
        let endless = join_all(some.iter().enumerate().map(|(number, (name, at, input, lane))| {
            let app = &app;
            let address = format!("10.{batch}.{number}.1");
            async move {
                let world = World::new(app, &format!("p{batch}n{number}"), &address).await;
                let met = world.repeat(app, &address, name, *input, *lane).await;
                (!met).then(|| format!("{name} with its argument {at} by {lane:?}"))
            }
        }))
        .await;
        let endless: Vec<String> = endless.into_iter().flatten().collect();
        assert!(endless.is_empty(), "nothing stops {endless:?}");
    }
}

impl World {
    async fn new(app: &TestApp, name: &str, address: &str) -> Self {
        let person = Person::new(name);
        let headers = [("x-forwarded-for", address)];
        let send = async |name: &str, input: Value, bearer: Option<&str>| {
            let answer = app.graphql_with(&headers, &document(name), json!({"input": input}), bearer).await;
            assert_eq!(answer["data"][name]["code"], Value::Null, "{answer}");
            answer
        };
        send("register", json!({"email": person.email, "password": person.password}), None).await;
        let input = json!({"email": person.email, "password": person.password});
        let login = "mutation ($input: LoginInput!) { login(input: $input) { ... on LoginSuccess { tokens { accessToken refreshToken } } } }";
        let request = app.client.post(format!("{}/graphql", app.url)).header("x-forwarded-for", address);
        let response =
            request.json(&json!({"query": login, "variables": {"input": input}})).send().await.unwrap();
        let device = response.headers()["x-device-token"].to_str().unwrap().to_owned();
        let answer: Value = response.json().await.unwrap();
        let tokens = Tokens::read(&answer["data"]["login"]["tokens"]);
        send("requestPasswordReset", json!({"email": person.email}), None).await;
        let new = format!("{name}new@example.com");
        let input = json!({"newEmail": new, "currentPassword": person.password});
        send("requestEmailChange", input, Some(&tokens.access)).await;
        let (verify, reset, change) = tokio::join!(
            app.letter_about(&person.email, "Welcome"),
            app.letter_about(&person.email, "Set a new password"),
            app.letter_about(&new, "Confirm your new address"),
        );
        Self {
            verify: verify.token("verifyEmail"),
            reset: reset.token("resetPassword"),
            change: change.token("confirmEmailChange"),
            person,
            tokens,
            device,
        }
    }

    /// Whether a caller who does the same again and again is told to wait.
    async fn repeat(&self, app: &TestApp, address: &str, name: &str, input: Input, lane: Lane) -> bool {
        let cookie = format!("authql-refresh={}", self.tokens.refresh);
        let mut headers = vec![("x-forwarded-for", address)];
        match lane {
            Lane::Stranger | Lane::SignedIn => {}
            Lane::KnownDevice => headers.push(("x-device-token", &self.device)),
            Lane::Cookie => headers.extend([
                ("x-token-delivery", "cookie"),
                ("origin", "http://localhost"),
                ("cookie", &cookie),
            ]),
        }
        let bearer = (lane == Lane::SignedIn).then_some(&*self.tokens.access);
        for number in 0..MOST {
            let variables = json!({"input": input(self, number)});
            let answer = app.graphql_with(&headers, &document(name), variables, bearer).await;
            let codes = [&answer["data"][name]["code"], &answer["errors"][0]["extensions"]["code"]];
            if codes.into_iter().any(|code| code == "RATE_LIMITED") {
                return true;
            }
        }
        false
    }
}

fn document(name: &str) -> String {
    let pascal = name[..1].to_uppercase() + &name[1..];
    format!(
        "mutation ($input: {pascal}Input!) {{ {name}(input: $input) {{ __typename ... on AuthFailure {{ code }} }} }}"
    )
}
