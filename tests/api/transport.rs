//! GraphQL over HTTP (docs/security.md CSR-1, CSR-2, GQL-1, GQL-4, GQL-5, GQL-9, TLS-2, TLS-3), health, and the pages.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Mode, TestApp, in_both_modes};

async fn post(app: &TestApp, content_type: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = app.client.post(format!("{}/graphql", app.url)).header("content-type", content_type);
    request.body(body).send().await.unwrap()
}

async fn get(app: &TestApp, path: &str, accept: &str) -> Response {
    app.client.get(format!("{}{path}", app.url)).header("accept", accept).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

in_both_modes! {
    with &[("AUTHQL_GRAPHIQL", "on"), ("AUTHQL_INTROSPECTION", "on")];

    async fn only_json_reaches_the_schema(app: TestApp) {
        let body = r#"{"query": "{ __typename }"}"#;
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "?"]
        {
            let response = post(&app, content_type, body).await;
            assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        }
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(post(&app, content_type, body).await.status(), StatusCode::OK, "{content_type}");
        }
    }

    async fn what_is_no_request_is_told_so_in_json(app: TestApp) {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"[{"query": "{ __typename }"}]"#,
            r#"{"query": 1}"#,
            r#"{"query": ""}"#,
        ] {
            let response = post(&app, "application/json", body).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{answer}");
        }
        let large = post(&app, "application/json", format!(r#"{{"query": "{}"}}"#, " ".repeat(65_536))).await;
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(get(&app, "/nowhere", "*/*").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(get(&app, "/graphql", "image/png").await.status(), StatusCode::NOT_ACCEPTABLE);
        let deleted = app.client.delete(format!("{}/graphql", app.url)).send().await.unwrap();
        assert_eq!((deleted.status(), header(&deleted, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, POST"));
    }

    async fn get_is_for_queries(app: TestApp) {
        let answer: Value = get(&app, "/graphql?query={__typename}", "*/*").await.json().await.unwrap();
        assert_eq!(answer, json!({"data": {"__typename": "Query"}}));
        let mutation = get(&app, "/graphql?query=mutation{logout(input:{}){__typename}}", "*/*").await;
        assert_eq!((mutation.status(), header(&mutation, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
        let named = "/graphql?query=query+a{__typename}+mutation+b{logout(input:{}){__typename}}&operationName=";
        assert_eq!(get(&app, &format!("{named}a"), "*/*").await.status(), StatusCode::OK);
        assert_eq!(get(&app, &format!("{named}b"), "*/*").await.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(get(&app, "/graphql", "*/*").await.status(), StatusCode::BAD_REQUEST);
    }

    async fn the_status_depends_on_what_the_client_accepts(app: TestApp) {
        let ask = async |query: &str, accept: &str| {
            let request = app.client.post(format!("{}/graphql", app.url)).header("accept", accept);
            let response = request.json(&json!({"query": query})).send().await.unwrap();
            let (status, media_type) = (response.status(), header(&response, "content-type").to_owned());
            (status.as_u16(), media_type, response.json::<Value>().await.unwrap())
        };
        for (query, code) in [("{ me", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")] {
            let (status, media_type, answer) = ask(query, "application/graphql-response+json").await;
            assert_eq!((status, media_type.as_str()), (400, "application/graphql-response+json; charset=utf-8"));
            assert!(answer.get("data").is_none(), "{answer}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], code);
            for accept in ["application/json", "*/*"] {
                let (status, media_type, same) = ask(query, accept).await;
                assert_eq!((status, media_type.as_str()), (200, "application/json; charset=utf-8"));
                assert_eq!(same, answer);
            }
        }
        let (status, _, answer) = ask("{ me { id } }", "application/graphql-response+json").await;
        assert_eq!((status, &answer["data"]), (200, &json!({"me": null})));
    }

    async fn the_media_type_is_the_one_that_the_client_wants_most(app: TestApp) {
        let new = "application/graphql-response+json; charset=utf-8";
        let old = "application/json; charset=utf-8";
        for (accept, expected) in [
            // What Apollo Client and urql send.
            ("application/graphql-response+json,application/json;q=0.9", new),
            ("application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed", new),
            ("application/json;q=0.5, application/graphql-response+json", new),
            ("application/graphql-response+json;q=0.1, */*", old),
            ("Application/JSON", old),
            ("application/graphql-response+json;q=0, application/json;q=0.1", old),
        ] {
            let response = get(&app, "/graphql?query={__typename}", accept).await;
            assert_eq!(header(&response, "content-type"), expected, "{accept}");
        }
        let refused = get(&app, "/graphql?query={__typename}", "application/json;q=0").await;
        assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
    }

    async fn a_value_that_does_not_fit_is_the_clients_mistake(app: TestApp) {
        let ask = async |body: Value| {
            let request = app.client.post(format!("{}/graphql", app.url));
            let request = request.header("accept", "application/graphql-response+json").json(&body);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        };
        let login = "mutation ($input: LoginInput!) { login(input: $input) { __typename } }";
        for variables in [json!({}), json!({"input": null})] {
            let (status, answer) = ask(json!({"query": login, "variables": variables})).await;
            let error = &answer["errors"][0];
            assert_eq!((status, &error["extensions"]["code"]), (400, &json!("BAD_USER_INPUT")));
            assert_eq!(error["message"], "The variable $input needs a value.");
            assert!(answer.get("data").is_none(), "{answer}");
        }
        let tokens = app.registered("Ada").await.login(&app).await;
        let query = "query ($n: Int) { me { sessions(first: $n) { edges { cursor } } } }";
        let answer = app.graphql(query, json!({"n": 99_999_999_999_i64}), Some(&tokens.access)).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    }

    async fn what_clients_add_is_ignored(app: TestApp) {
        let body = json!({
            "query": "{ __typename }",
            "extensions": {"clientLibrary": {"name": "@apollo/client", "version": "4.3.0"}},
            "id": "from-another-protocol",
        });
        let text = post(&app, "application/json", body.to_string()).await.text().await.unwrap();
        assert_eq!(text, r#"{"data":{"__typename":"Query"}}"#);
    }

    async fn a_document_without_a_field_left_has_empty_data(app: TestApp) {
        let query = "query ($signedIn: Boolean!) { me @include(if: $signedIn) { id } }";
        let answer = app.graphql(query, json!({"signedIn": false}), None).await;
        assert_eq!(answer, json!({"data": {}}));
    }

    async fn code_generators_find_the_schema(app: TestApp) {
        let response = get(&app, "/schema.graphql", "*/*").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(response.text().await.unwrap(), authql::graphql::sdl());
    }

    async fn fields_come_in_the_order_of_the_request(app: TestApp) {
        let body = r#"{"query": "{ zebra: __typename apple: __typename }"}"#;
        let text = post(&app, "application/json", body).await.text().await.unwrap();
        assert_eq!(text, r#"{"data":{"zebra":"Query","apple":"Query"}}"#);
    }

    async fn a_fault_names_its_request(app: TestApp) {
        sqlx::query("DROP TABLE outbox").execute(&mut app.database().await).await.unwrap();
        let query = r#"mutation { register(input: { email: "ada@example.com", password: "correct horse battery" }) { __typename } }"#;
        let request = app.client.post(format!("{}/graphql", app.url)).json(&json!({"query": query}));
        let response = request.send().await.unwrap();
        let request_id = header(&response, "x-request-id").to_owned();
        let answer: Value = response.json().await.unwrap();
        let error = &answer["errors"][0];
        assert_eq!(error["message"], "Something went wrong on our side.");
        assert_eq!(error["extensions"], json!({"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}));
        assert!(!answer.to_string().contains("outbox"), "{answer}");
    }
}

#[tokio::test]
async fn every_answer_is_kept_from_caches_and_frames() {
    let app = TestApp::start_with(
        Mode::ZeroConfiguration,
        &[("AUTHQL_GRAPHIQL", "on"), ("AUTHQL_INTROSPECTION", "on")],
    )
    .await
    .unwrap();
    for path in ["/graphql?query={__typename}", "/nowhere", "/health/live", "/mailbox.json"] {
        let response = get(&app, path, "*/*").await;
        assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(
            header(&response, "content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(header(&response, "x-request-id").len(), 36, "{path}");
    }
}

#[tokio::test]
async fn introspection_and_graphiql_are_off_unless_asked_for() {
    let app = TestApp::start_with(
        Mode::ZeroConfiguration,
        &[("AUTHQL_GRAPHIQL", "off"), ("AUTHQL_INTROSPECTION", "off")],
    )
    .await
    .unwrap();
    for query in ["{ __schema { types { name } } }", r#"{ __type(name: "User") { name } }"#] {
        let answer = app.graphql(query, json!({}), None).await;
        assert!(answer.get("data").is_none(), "{answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "INTROSPECTION_DISABLED");
        assert!(error["message"].as_str().unwrap().contains("set AUTHQL_INTROSPECTION=on"), "{error}");
    }
    assert_eq!(get(&app, "/schema.graphql", "*/*").await.status(), StatusCode::NOT_FOUND);
    let misspelt = app.graphql("{ ne { id } }", json!({}), None).await;
    assert!(!misspelt.to_string().contains("Did you mean"), "{misspelt}");
    assert_eq!(get(&app, "/graphql", "text/html").await.status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(get(&app, "/graphql/assets/authql.js", "*/*").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pages_bring_all_that_they_need() {
    let app = TestApp::start_with(
        Mode::ZeroConfiguration,
        &[("AUTHQL_GRAPHIQL", "on"), ("AUTHQL_INTROSPECTION", "on")],
    )
    .await
    .unwrap();
    for page in ["/graphql", "/mailbox"] {
        let response = get(&app, page, "text/html,*/*;q=0.8").await;
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert!(header(&response, "content-security-policy").contains("script-src 'self';"), "{page}");
        let html = response.text().await.unwrap();
        assert!(!html.contains("=\"http") && !html.contains("=\"//"), "{page} reaches for another host");
        let mut assets = 0;
        for attribute in html.split(['"', '\'']).filter(|text| text.contains("assets/")) {
            let path = format!("/{}", attribute.trim_start_matches("./").trim_start_matches('/'));
            assert_eq!(get(&app, &path, "*/*").await.status(), StatusCode::OK, "{path}");
            assets += 1;
        }
        assert!(assets >= 2, "{page} has {assets} assets");
    }
}

#[tokio::test]
async fn the_mailbox_is_not_there_where_mails_are_sent() {
    let Some(app) = TestApp::on_servers().await else { return };
    for path in ["/mailbox", "/mailbox.json", "/mailbox/samples.json", "/mailbox/assets/mailbox.js"] {
        assert_eq!(get(&app, path, "*/*").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_mailbox_is_shown_to_this_machine_alone() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    for (host, expected) in
        [("localhost:8080", 200), ("127.0.0.1", 200), ("evil.example:8080", 404), ("", 404)]
    {
        for path in ["mailbox", "mailbox.json", "mailbox/samples.json"] {
            let request = app.client.get(format!("{}/{path}", app.url)).header("host", host);
            assert_eq!(request.send().await.unwrap().status(), expected, "{host} {path}");
        }
    }
}
