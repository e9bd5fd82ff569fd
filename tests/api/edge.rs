//! nginx.conf in front of the program, on the machine's own nginx, over HTTPS (SECURITY.md TLS-2, TLS-4, TLS-5, LOG-7).

use reqwest::Method;
use serde_json::Value;

use crate::support::{Edge, Mode, Person, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn the_five_operations_pass_through_nginx() {
    let Some(app) = TestApp::on_servers().await else { return };
    let Some(edge) = Edge::in_front_of(&app).await else { return };
    let Person { email, password, .. } = Person::new("Ada");
    let credentials = format!(r#"email: "{email}", password: "{password}""#);
    let register =
        edge.graphql(&format!("mutation {{ register(input: {{ {credentials} }}) {{ __typename }} }}"), None);
    assert_eq!(register["data"]["register"]["__typename"], "RegisterSuccess", "{register}");
    let tokens = "tokens { accessToken refreshToken }";
    let login = edge.graphql(
        &format!("mutation {{ login(input: {{ {credentials} }}) {{ ... on LoginSuccess {{ {tokens} }} }} }}"),
        None,
    );
    let token = |answer: &Value, operation: &str, name: &str| {
        answer["data"][operation]["tokens"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let refresh_token = token(&login, "login", "refreshToken");
    let refresh = edge.graphql(
        &format!(
            r#"mutation {{ refresh(input: {{ refreshToken: "{refresh_token}" }}) {{ ... on RefreshSuccess {{ {tokens} }} }} }}"#
        ),
        None,
    );
    let access_token = token(&refresh, "refresh", "accessToken");
    let me = edge.graphql("{ me { email } }", Some(&access_token));
    assert_eq!(me["data"]["me"]["email"], email, "{me}");
    let logout = edge.graphql(
        "mutation { logout(input: {}) { ... on LogoutSuccess { endedSessions } } }",
        Some(&access_token),
    );
    assert_eq!(logout["data"]["logout"]["endedSessions"], 1, "{logout}");
    let me = edge.graphql("{ me { email } }", Some(&access_token));
    assert_eq!(me["errors"][0]["extensions"]["reason"], "SESSION_ENDED", "{me}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers_once_and_inner_pages_stay_inside() {
    let settings = [
        ("AUTHQL_GRAPHIQL", "on"),
        ("AUTHQL_INTROSPECTION", "on"),
        ("AUTHQL_ALLOWED_ORIGINS", "https://app.localhost"),
    ];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let Some(edge) = Edge::in_front_of(&app).await else { return };
    for (path, arguments, status) in [
        ("/graphql?query=%7B__typename%7D", &[][..], "200"),
        ("/.well-known/jwks.json", &[], "200"),
        ("/schema.graphql", &[], "200"),
        ("/graphql", &["--request", "OPTIONS", "--header", "Origin: https://app.localhost"], "200"),
        ("/nowhere", &[], "404"),
        ("/health/ready", &[], "404"),
        ("/mailbox", &[], "404"),
        ("/graphql", &["--request", "TRACE"], "405"),
        ("/graphql", &["--header", "Content-Type: application/json", "--data", &"x".repeat(70_000)], "413"),
    ] {
        let answer = edge.curl(path, arguments);
        assert!(answer.lines().next().unwrap().contains(status), "{path}: {answer}");
        for header in [
            "strict-transport-security: max-age=63072000; includeSubDomains",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        ] {
            let found = answer.lines().filter(|line| line.eq_ignore_ascii_case(header)).count();
            assert_eq!(found, 1, "{header} of {path}: {answer}");
        }
        assert!(!answer.to_lowercase().contains("server: nginx/"), "{answer}");
    }
    let page = edge.curl("/graphql", &["--header", "Accept: text/html"]);
    assert!(page.contains("script-src 'self'") && page.contains("<html"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_door_stay_outside() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let Some(edge) = Edge::in_front_of(&app).await else { return };
    // Another host name gets no answer at all, and plain HTTP no API.
    let answer = edge.curl("/graphql?query=%7B__typename%7D", &["--header", "Host: evil.example"]);
    assert!(!answer.contains("Query"), "{answer}");
    for method in [Method::GET, Method::POST] {
        let plain = app.client.request(method, format!("http://127.0.0.1:{}/graphql", edge.http));
        assert!(plain.send().await.map_or(true, |response| response.status() == 403));
    }
}

/// The edge overwrites what a client says about itself, and authql believes the edge alone.
#[cfg(target_os = "linux")] // Elsewhere, 127.0.0.2 is no address of the machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_client_passes_through_nginx() {
    let trusted = [("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &trusted).await.unwrap();
    let Some(edge) = Edge::in_front_of(&app).await else { return };
    let Person { email, password, .. } = app.registered("Ada").await;
    let query = format!(
        r#"mutation {{ login(input: {{ email: "{email}", password: "{password}" }}) {{ ... on LoginSuccess {{
            user {{ sessions {{ edges {{ node {{ device ipAddress }} }} }} }} }} }} }}"#
    );
    let body = serde_json::json!({"query": query}).to_string();
    let answer = edge.curl(
        "/graphql",
        &[
            "--interface",
            "127.0.0.2",
            "--header",
            "X-Forwarded-For: 203.0.113.9",
            "--header",
            "Content-Type: application/json",
            "--data",
            &body,
        ],
    );
    assert!(answer.contains(r#"{"device":"curl","ipAddress":"127.0.0.2"}"#), "{answer}");
}
