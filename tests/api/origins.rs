//! Front ends on other origins than the API's (docs/security.md CSR-4).

use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{Mode, TestApp, in_both_modes};

const FRONT_END: &str = "https://app.example.com";
const SETTINGS: &[(&str, &str)] =
    &[("AUTHQL_ALLOWED_ORIGINS", "https://app.example.com,http://localhost:5173")];

/// Origins that are not allowed, however much they look like one that is.
const STRANGERS: [&str; 7] = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://sub.app.example.com",
    "http://localhost:5174",
    "null",
];

async fn preflight(app: &TestApp, origin: &str, headers: &str) -> Response {
    app.client
        .request(Method::OPTIONS, format!("{}/graphql", app.url))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers)
        .send()
        .await
        .unwrap()
}

async fn ask(app: &TestApp, origin: Option<&str>) -> Response {
    let mut request = app.client.post(format!("{}/graphql", app.url));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request.json(&json!({"query": "{ __typename }"})).send().await.unwrap()
}

/// What a header says, its words in order; empty where there is none.
fn words(response: &Response, name: &str) -> Vec<String> {
    let text = response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    let mut words: Vec<_> = text.split(',').map(|word| word.trim().to_lowercase()).collect();
    words.sort();
    words.retain(|word| !word.is_empty());
    words
}

fn allowed_origin(response: &Response) -> Option<&str> {
    response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap())
}

in_both_modes! {
    with SETTINGS;

    async fn a_front_end_that_is_allowed_may_send_what_clients_send(app: TestApp) {
        for origin in [FRONT_END, "http://localhost:5173"] {
            let response = preflight(&app, origin, "authorization,content-type").await;
            assert_eq!(response.status(), 200);
            assert_eq!(allowed_origin(&response), Some(origin));
            assert_eq!(words(&response, "access-control-allow-credentials"), ["true"]);
            assert_eq!(words(&response, "access-control-allow-methods"), ["get", "post"]);
            assert_eq!(words(&response, "access-control-max-age"), ["7200"]);
            assert!(words(&response, "vary").contains(&"origin".to_owned()));
            let headers = words(&response, "access-control-allow-headers");
            for header in
                [
                "authorization",
                "content-type",
                "x-device-token",
                "apollo-require-preflight",
                "x-apollo-operation-name",
            ]
            {
                assert!(headers.contains(&header.to_owned()), "{header} is not among {headers:?}");
            }
            assert!(!headers.contains(&"*".to_owned()));
        }
    }

    async fn a_front_end_that_is_allowed_may_read_answers(app: TestApp) {
        let response = ask(&app, Some(FRONT_END)).await;
        assert_eq!((response.status().as_u16(), allowed_origin(&response)), (200, Some(FRONT_END)));
        assert_eq!(words(&response, "access-control-allow-credentials"), ["true"]);
        let readable = words(&response, "access-control-expose-headers");
        assert_eq!(readable, ["date", "retry-after", "x-device-token", "x-request-id"]);
        // A refusal can be read as well.
        let refused = app.client.post(format!("{}/graphql", app.url)).header("origin", FRONT_END);
        let refused = refused.body("x").send().await.unwrap();
        assert_eq!((refused.status().as_u16(), allowed_origin(&refused)), (415, Some(FRONT_END)));
    }

    async fn a_stranger_is_told_of_no_permission(app: TestApp) {
        for origin in STRANGERS {
            for response in [preflight(&app, origin, "content-type").await, ask(&app, Some(origin)).await] {
                assert_eq!(allowed_origin(&response), None, "{origin}");
                assert!(words(&response, "access-control-allow-credentials").is_empty(), "{origin}");
            }
        }
    }

    async fn caches_are_told_that_answers_depend_on_the_origin(app: TestApp) {
        for origin in [None, Some(FRONT_END), Some("https://evil.example")] {
            let response = ask(&app, origin).await;
            assert!(words(&response, "vary").contains(&"origin".to_owned()), "{origin:?}");
        }
    }
}

#[tokio::test]
async fn nobody_elsewhere_is_allowed_by_default() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    assert_eq!(allowed_origin(&ask(&app, Some(FRONT_END)).await), None);
    // Tokens are verified with the public keys, and these are for everybody.
    let keys = app.client.get(format!("{}/.well-known/jwks.json", app.url)).header("origin", FRONT_END);
    assert_eq!(allowed_origin(&keys.send().await.unwrap()), Some("*"));
}
