//! What happened, as the person sees it and as the operator does (docs/security.md AUD-1, AUD-5, DAT-1, DAT-2).

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::program::output;
use crate::support::{LOGIN, Mode, Person, TestApp, Tokens, eventually, in_both_modes};

const EVENTS: &str = "query ($first: Int, $after: String, $last: Int, $before: String) { me { \
    securityEvents(first: $first, after: $after, last: $last, before: $before) { \
    edges { cursor node { id kind outcome createdAt count device ipAddress sessionId } } \
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }";
const NODE: &str = "query ($id: ID!) { node(id: $id) { __typename ... on SecurityEvent { id kind } } }";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// What `me.securityEvents` answers.
async fn page(app: &TestApp, tokens: &Tokens, arguments: Value) -> Value {
    let answer = app.graphql(EVENTS, arguments, Some(&tokens.access)).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["me"]["securityEvents"].clone()
}

async fn events(app: &TestApp, tokens: &Tokens) -> Vec<Value> {
    let page = page(app, tokens, json!({"first": 100})).await;
    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

async fn kinds(app: &TestApp, tokens: &Tokens) -> Vec<String> {
    let events = events(app, tokens).await;
    events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

/// The kinds of all rows about accounts, oldest first.
async fn rows(app: &TestApp) -> Vec<String> {
    let all = "SELECT kind FROM security_events WHERE user_id IS NOT NULL ORDER BY id";
    sqlx::query_scalar(all).fetch_all(&mut app.database().await).await.unwrap()
}

/// Waits until what was refused has been written.
async fn refusals(app: &TestApp, kind: &str) -> i64 {
    eventually(&format!("{kind} is written"), async || {
        let times = "SELECT sum(times)::bigint FROM security_events WHERE kind = $1";
        let times: Option<i64> =
            sqlx::query_scalar(times).bind(kind).fetch_one(&mut app.database().await).await.unwrap();
        times
    })
    .await
}

in_both_modes! {
    async fn a_person_sees_what_happened_to_the_account_newest_first(app: TestApp) {
        let ada = app.registered("Ada").await;
        let wrong = Person { password: "a wrong password".to_owned(), ..ada.clone() };
        assert_eq!(wrong.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        assert_eq!(refusals(&app, "login_failed").await, 1);
        let input = json!({"input": {"email": ada.email, "password": ada.password}});
        let login = app.graphql_with(&[("user-agent", FIREFOX)], LOGIN, input, None).await;
        let tokens = Tokens::read(&login["data"]["login"]["tokens"]);
        assert_eq!(kinds(&app, &tokens).await, ["LOGGED_IN", "LOGIN_FAILED", "REGISTERED"]);

        let events = events(&app, &tokens).await;
        let newest = &events[0];
        assert_eq!((&newest["outcome"], &newest["count"]), (&json!("SUCCEEDED"), &json!(1)));
        assert_eq!((&newest["device"], &newest["ipAddress"]), (&json!("Firefox on Linux"), &json!("127.0.0.1")));
        assert_eq!(events[1]["outcome"], "REFUSED");
        assert_eq!((&events[1]["device"], &events[1]["sessionId"]), (&Value::Null, &Value::Null));
        let session = app.graphql(NODE, json!({"id": newest["sessionId"]}), Some(&tokens.access)).await;
        assert_eq!(session["data"]["node"]["__typename"], "Session", "{session}");
    }

    async fn each_change_of_an_account_leaves_its_event(app: TestApp) {
        let ada = app.registered("Ada").await;
        assert_eq!(ada.register(&app).await["__typename"], "RegisterSuccess");
        let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        app.mutate("verifyEmail", json!({"token": token}), None).await;
        let (phone, laptop) = (ada.login(&app).await, ada.login(&app).await);
        phone.refresh(&app).await;
        phone.logout(&app).await;
        assert_eq!(phone.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        refusals(&app, "refresh_refused").await;
        app.mutate("updateProfile", json!({"name": "Ada Augusta"}), Some(&laptop.access)).await;
        let new = "a much better password, 1843";
        let change = json!({"currentPassword": "a wrong password", "newPassword": new});
        app.mutate("changePassword", change, Some(&laptop.access)).await;
        refusals(&app, "password_wrong").await;
        let change = json!({"currentPassword": ada.password, "newPassword": new});
        app.mutate("changePassword", change, Some(&laptop.access)).await;
        let other = json!({"newEmail": "lovelace@example.com", "currentPassword": new});
        app.mutate("requestEmailChange", other, Some(&laptop.access)).await;
        let token = app.letter_about("lovelace@example.com", "Confirm").await.token("confirmEmailChange");
        app.mutate("confirmEmailChange", json!({"token": token}), None).await;
        app.mutate("requestPasswordReset", json!({"email": "lovelace@example.com"}), None).await;
        app.mutate("logout", json!({"everywhere": true}), Some(&laptop.access)).await;
        let expected = [
            "registered",
            "registration_repeated",
            "email_verified",
            "logged_in",
            "logged_in",
            "logged_out",
            "refresh_refused",
            "profile_changed",
            "password_wrong",
            "password_changed",
            "email_change_requested",
            "email_changed",
            "password_reset_requested",
            "logged_out_everywhere",
        ];
        assert_eq!(rows(&app).await, expected);
    }

    async fn a_stolen_session_and_its_end_can_be_read_afterwards(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (stolen, other) = (ada.login(&app).await, ada.login(&app).await);
        stolen.refresh(&app).await.refresh(&app).await;
        assert_eq!(stolen.refusal(&app).await, "REFRESH_TOKEN_REUSED");
        let seen = kinds(&app, &other).await;
        assert_eq!(seen[0], "REFRESH_TOKEN_REUSED");
        assert_eq!(seen.len(), 4, "a refresh that succeeds leaves no row: {seen:?}");
    }

    async fn failed_logins_are_counted_and_name_no_stranger(app: TestApp) {
        let ada = app.registered("Ada").await;
        let wrong = Person { password: "a wrong password".to_owned(), ..ada.clone() };
        let nobody = Person::new("Nobody");
        for _ in 0..10 {
            assert_eq!(wrong.try_login(&app).await["code"], "INVALID_CREDENTIALS");
            assert_eq!(nobody.try_login(&app).await["code"], "INVALID_CREDENTIALS");
        }
        assert_eq!(refusals(&app, "login_failed").await, 1, "the others are counted, not written one by one");
        let mut app = app;
        app.stop().await;
        assert_eq!(refusals(&app, "login_failed").await, 10);
        assert_eq!(rows(&app).await, ["registered", "login_failed"]);
    }

    async fn events_are_paged_in_both_directions(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut tokens = ada.login(&app).await;
        for _ in 0..3 {
            app.advance(TimeDelta::minutes(1)).await;
            tokens = ada.login(&app).await;
        }
        let all = page(&app, &tokens, json!({})).await;
        let cursor = |at: usize| all["edges"][at]["cursor"].clone();
        let (mut forwards, mut after) = (Vec::new(), Value::Null);
        for has_next in [true, true, false] {
            let page = page(&app, &tokens, json!({"first": 2, "after": after})).await;
            assert_eq!(page["pageInfo"]["hasNextPage"], has_next, "{page}");
            after = page["pageInfo"]["endCursor"].clone();
            forwards.extend(page["edges"].as_array().unwrap().clone());
        }
        assert_eq!(&json!(forwards), &all["edges"]);
        let last = page(&app, &tokens, json!({"last": 2, "before": cursor(4)})).await;
        assert_eq!(last["edges"], json!([all["edges"][2], all["edges"][3]]));
        for arguments in [json!({"first": -1}), json!({"after": "nonsense"}), json!({"first": 1, "last": 1})] {
            let answer = app.graphql(EVENTS, arguments, Some(&tokens.access)).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        }
    }

    async fn an_event_is_nobody_elses(app: TestApp) {
        let ada = app.registered("Ada").await.login(&app).await;
        let bob = app.registered("Bob").await.login(&app).await;
        let id = events(&app, &ada).await[0]["id"].clone();
        let own = app.graphql(NODE, json!({"id": id}), Some(&ada.access)).await;
        assert_eq!(own["data"]["node"], json!({"__typename": "SecurityEvent", "id": id, "kind": "LOGGED_IN"}));
        let foreign = app.graphql(NODE, json!({"id": id}), Some(&bob.access)).await;
        assert_eq!(foreign["data"], json!({"node": null}));
        assert_eq!(kinds(&app, &bob).await, ["LOGGED_IN", "REGISTERED"]);
    }

    async fn old_events_are_forgotten(app: TestApp) {
        let mut app = app;
        let ada = app.registered("Ada").await;
        ada.login(&app).await;
        app.advance(TimeDelta::days(366)).await;
        let tokens = ada.login(&app).await;
        // What is old is looked for at the start as well.
        app.restart().await;
        eventually("they are gone", async || {
            (kinds(&app, &tokens).await == ["LOGGED_IN"]).then_some(())
        })
        .await;
    }
}

/// What comes after a deletion leaves nothing personal either: the address is noted, and nobody there to note it for.
#[tokio::test]
async fn what_was_refused_of_a_deleted_account_leaves_no_row() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let tokens = ada.login(&app).await;
    let wrong = Person { password: "a wrong password".to_owned(), ..ada.clone() };
    wrong.try_login(&app).await;
    app.mutate("deleteAccount", json!({"currentPassword": ada.password}), Some(&tokens.access)).await;
    wrong.try_login(&app).await;
    app.stop().await;
    let personal = "SELECT count(*) FROM security_events \
        WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL OR request_id IS NOT NULL";
    let count: i64 = sqlx::query_scalar(personal).fetch_one(&mut app.database().await).await.unwrap();
    assert_eq!(count, 0);
    assert!(rows(&app).await.contains(&"account_deleted".to_owned()));
}

#[tokio::test]
async fn an_operator_asks_for_events_on_the_command_line() {
    let Some(app) = TestApp::on_servers().await else { return };
    let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
    let request = [("x-request-id", "from-the-proxy")];
    let input = json!({"input": {"email": ada.email, "password": ada.password}});
    app.graphql_with(&request, LOGIN, input, None).await;
    bob.login(&app).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = app.operator_settings();
    let ask = |arguments: &[&str]| {
        let answer = output(folder.path(), &settings, &[&["events"], arguments].concat());
        let complaint = String::from_utf8(answer.stderr).unwrap();
        (answer.status.code(), String::from_utf8(answer.stdout).unwrap(), complaint)
    };
    let (code, lines, complaint) = ask(&["--user", "ADA@example.com"]);
    assert_eq!(code, Some(0), "{complaint}");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].starts_with("TIME") && lines[1].contains("logged_in") && lines[2].contains("registered")
    );
    assert!(lines[1].contains("127.0.0.1") && lines[1].ends_with("from-the-proxy"), "{}", lines[1]);

    let (_, json, _) = ask(&["--json", "--kind", "logged_in", "--since", "1h"]);
    let events: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[1]["request"], "from-the-proxy");
    let (_, one, _) = ask(&["--json", "--user", events[1]["user"].as_str().unwrap(), "--limit", "1"]);
    assert_eq!(serde_json::from_str::<Value>(one.trim()).unwrap(), events[1]);
    let (_, keys, _) = ask(&["--json", "--kind", "signing_key_added"]);
    assert!(keys.lines().count() >= 1 && keys.contains("\"user\":null"), "{keys}");
    let (code, _, complaint) = ask(&["--kind", "nonsense"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("the kinds are registered,"), "{complaint}");
}

#[tokio::test]
async fn what_an_operator_does_with_an_account_is_an_event_of_it() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.jsonl"), "{\"email\": \"bob@example.com\"}\n").unwrap();
    for arguments in [
        ["users", "import", "users.jsonl"],
        ["users", "disable", &ada.email],
        ["users", "disable", &ada.email],
        ["users", "enable", &ada.email],
        ["users", "enable", &ada.email],
    ] {
        let done = output(folder.path(), &app.operator_settings(), &arguments);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    assert_eq!(rows(&app).await, ["registered", "account_added", "account_disabled", "account_enabled"]);
    let done = output(folder.path(), &app.operator_settings(), &["users", "delete", &ada.email]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(rows(&app).await.last().map(String::as_str), Some("account_deleted"));
}
