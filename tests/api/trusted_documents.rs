//! Servers that run only the documents of their own front ends.

use std::fs;

use serde_json::{Value, json};

use crate::support::program::output;
use crate::support::{Mode, TestApp};

const ME: &str = "query Me { me { email } }";
const LOGOUT: &str = "mutation Out { logout(input: {}) { __typename } }";

/// A server with these two documents.
async fn start() -> TestApp {
    let folder = tempfile::tempdir().unwrap().keep();
    let file = folder.join("persisted-documents.json");
    fs::write(&file, json!({"aaa111": ME, "bbb222": LOGOUT}).to_string()).unwrap();
    let settings = [("AUTHQL_TRUSTED_DOCUMENTS", file.to_str().unwrap())];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    fs::remove_dir_all(folder).unwrap();
    app
}

async fn post(app: &TestApp, body: Value) -> Value {
    app.client.post(format!("{}/graphql", app.url)).json(&body).send().await.unwrap().json().await.unwrap()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_listed_document_is_run_however_it_is_named() {
    let app = start().await;
    for body in [
        json!({"documentId": "aaa111"}),
        json!({"documentId": "sha256:aaa111"}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aaa111"}}}),
        json!({"query": ME}),
        json!({"query": "query Me {\n  me {\n    email\n  }\n}", "operationName": "Me"}),
    ] {
        let answer = post(&app, body.clone()).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED", "{body}: it was run");
        assert_eq!(answer["data"], json!({"me": null}));
    }
    let logout = post(&app, json!({"documentId": "bbb222"})).await;
    assert_eq!(logout, json!({"data": {"logout": {"__typename": "LogoutSuccess"}}}));
    let url = format!("{}/graphql?documentId=aaa111", app.url);
    let answer: Value = app.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(code(&answer), "UNAUTHENTICATED");
    let url = format!("{}/graphql?documentId=bbb222", app.url);
    assert_eq!(app.client.get(url).send().await.unwrap().status(), 405, "a mutation, by whatever name");
}

#[tokio::test]
async fn nothing_else_is_run_and_nothing_can_be_registered() {
    let app = start().await;
    let other = "{ me { email name } }";
    for (body, expected) in [
        (json!({"query": other}), "DOCUMENT_NOT_TRUSTED"),
        (json!({"query": other, "documentId": "aaa111"}), "DOCUMENT_NOT_TRUSTED"),
        (
            json!({"query": other, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ccc"}}}),
            "DOCUMENT_NOT_TRUSTED",
        ),
        (json!({"extensions": {"persistedQuery": {"sha256Hash": "ccc"}}}), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({"documentId": "ccc"}), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({"variables": {}}), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({"query": "{ __schema { types { name } } }"}), "DOCUMENT_NOT_TRUSTED"),
    ] {
        for _ in 0..2 {
            let answer = post(&app, body.clone()).await;
            assert_eq!(code(&answer), expected, "{body}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
}

#[tokio::test]
async fn without_a_list_a_client_learns_that_it_has_to_send_its_documents() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let named = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aaa111"}}});
    let answer = post(&app, named).await;
    assert_eq!(code(&answer), "PERSISTED_QUERY_NOT_SUPPORTED");
}

#[test]
fn a_list_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("{", "AUTHQL_TRUSTED_DOCUMENTS names a file that is no manifest"),
        ("{}", "AUTHQL_TRUSTED_DOCUMENTS names a file that has no documents"),
        (
            r#"{"a": "{ me"}"#,
            "AUTHQL_TRUSTED_DOCUMENTS names a file that has the document a, which cannot be run",
        ),
    ] {
        fs::write(folder.path().join("list.json"), text).unwrap();
        let refused = output(folder.path(), &[("AUTHQL_TRUSTED_DOCUMENTS", "list.json")], &["serve"]);
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert!(complaint.contains(expected), "{complaint}");
        assert_eq!(refused.status.code(), Some(2));
    }
    let missing = output(folder.path(), &[("AUTHQL_TRUSTED_DOCUMENTS", "missing.json")], &["serve"]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("names a file that cannot be read"));
    let both = [("AUTHQL_TRUSTED_DOCUMENTS", "list.json"), ("AUTHQL_GRAPHIQL", "on")];
    let refused = output(folder.path(), &both, &["serve"]);
    assert!(String::from_utf8(refused.stderr).unwrap().starts_with("authql: AUTHQL_GRAPHIQL is on, and"));
}
