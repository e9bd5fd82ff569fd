//! nginx.conf in front of the program, on the machine's own nginx, over HTTPS (docs/security.md TLS-2, TLS-4, TLS-5, LOG-7).

use std::io::ErrorKind;

use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Edge, Mode, Person, TestApp, eventually};

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

/// The first bytes of a TLS handshake.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01";

/// A client that sends this and no more.
async fn visitor(port: u16, sent: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // It may be closed already.
    let _ = socket.write_all(sent).await;
    socket
}

/// Waits until so many of these are not closed.
async fn are_left(number: usize, sockets: &[TcpStream]) {
    let is_open = |socket: &&TcpStream| {
        socket.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    let what = format!("{number} connections are left");
    eventually(&what, async || (sockets.iter().filter(is_open).count() == number).then_some(())).await;
}

/// A thousand connections and one worker that has no more than that: one address does not get them all.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn connections_without_whole_headers_keep_nobody_else_out() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let few = [
        ("worker_processes auto", "worker_processes 1"),
        ("worker_connections 8192", "worker_connections 1024"),
    ];
    let Some(edge) = Edge::changed(&few, &app).await else { return };
    for (port, sent) in [(edge.https, HALF_A_HELLO), (edge.http, b"GET / HTTP/1.1\r\nHost: loc")] {
        let mut crowd = Vec::new();
        for _ in 0..1100 {
            crowd.push(visitor(port, sent).await);
        }
        let answer = edge.curl("/graphql?query=%7B__typename%7D", &["--interface", "127.0.0.2"]);
        assert!(answer.contains("Query"), "{answer}");
        are_left(256, &crowd).await;
    }
}

/// The address of a client with that number.
type Address = fn(usize) -> String;

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_by_client_and_by_owner() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    // The test says whom each connection is from.
    let believing = [("listen 443;", "listen 443 proxy_protocol;\nset_real_ip_from 127.0.0.1;")];
    let Some(edge) = Edge::changed(&believing, &app).await else { return };
    let networks: [(Address, usize, usize); 7] = [
        (|host| format!("2001:db8:1:2::{host}"), 300, 256),
        (|host| format!("2001:db8::{host}"), 300, 256),
        (|host| format!("2001::4:5:6:7:{host}"), 300, 256),
        (|host| format!("192.0.2.{}", host % 250), 300, 300),
        (|host| format!("::ffff:203.0.113.{}", host % 250), 300, 300),
        (|net| format!("2001:db8:2:{net}::1"), 1100, 1024),
        (|host| format!("198.51.100.{}", host % 250), 1100, 1024),
    ];
    for (address, sent, left) in networks {
        let mut crowd = Vec::new();
        for number in 0..sent {
            let address = address(number);
            let (family, here) = if address.contains(':') { ("TCP6", "::1") } else { ("TCP4", "127.0.0.1") };
            let introduction = format!("PROXY {family} {address} {here} 4711 443\r\n");
            crowd.push(visitor(edge.https, &[introduction.as_bytes(), HALF_A_HELLO].concat()).await);
        }
        are_left(left, &crowd).await;
    }
}
