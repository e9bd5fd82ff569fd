//! nginx.conf in front of the program, on the machine's own nginx, over HTTPS (SECURITY.md TLS-2, TLS-4, TLS-5, LOG-7).

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Mode, Person, TestApp, eventually, find_program, free_port, make_certificate};

/// A running nginx with the checked-in configuration. Ended by its own signal when dropped.
struct Edge {
    https: u16,
    http: u16,
    folder: TempDir,
    nginx: Child,
}

impl Edge {
    /// In front of `app`. `None`, after saying so, where nginx, openssl or curl is missing.
    async fn in_front_of(app: &TestApp) -> Option<Self> {
        let (nginx, openssl) = (find_program("nginx")?, find_program("openssl")?);
        find_program("curl")?;
        // nginx started by root gives its workers to another user, who has to reach the folder.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let (https, http) = (free_port(), free_port());
        let upstream = app.url.trim_start_matches("http://");
        let run = folder.path().join("run");
        make_certificate(&openssl, &run.join("certificate"));
        fs::create_dir_all(folder.path().join("acme")).unwrap();

        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx.conf");
        let mut text = fs::read_to_string(source).unwrap();
        for (there, here) in [
            ("/run/nginx", run.to_str().unwrap()),
            ("/var/www/acme", folder.path().join("acme").to_str().unwrap()),
            ("/dev/stdout", folder.path().join("access.log").to_str().unwrap()),
            ("listen 443", &format!("listen 127.0.0.1:{https}")),
            ("listen 80", &format!("listen 127.0.0.1:{http}")),
            ("server authql-1:8080", &format!("server {upstream}")),
            ("server authql-2:8080", &format!("server {upstream}")),
        ] {
            assert!(text.contains(there), "nginx.conf no longer has `{there}`");
            text = text.replace(there, here);
        }
        let config = folder.path().join("nginx.conf");
        fs::write(&config, text).unwrap();
        let checked = Command::new(&nginx).arg("-t").arg("-c").arg(&config).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let nginx = Command::new(&nginx).arg("-c").arg(&config).stderr(Stdio::null()).spawn().unwrap();
        let edge = Self { https, http, folder, nginx };
        eventually("nginx listens", async || TcpStream::connect(("127.0.0.1", https)).ok()).await;
        Some(edge)
    }

    /// What curl prints, headers first, for a request to `https://localhost`.
    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--include", "--max-time", "20", "--resolve"])
            .arg(format!("localhost:{}:127.0.0.1", self.https))
            .arg("--cacert")
            .arg(self.folder.path().join("run/certificate/fullchain.pem"))
            .args(arguments)
            .arg(format!("https://localhost:{}{path}", self.https))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The body of the answer to a GraphQL document.
    fn graphql(&self, query: &str, bearer: Option<&str>) -> Value {
        let body = serde_json::json!({"query": query}).to_string();
        let authorization = format!("Authorization: Bearer {}", bearer.unwrap_or("none"));
        let answer = self.curl(
            "/graphql",
            &["--header", "Content-Type: application/json", "--header", &authorization, "--data", &body],
        );
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.nginx.id().to_string()).status();
        let _ = self.nginx.wait();
    }
}

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
    let app = TestApp::start_with(Mode::ZeroConfiguration, &[("AUTHQL_GRAPHIQL", "on")]).await.unwrap();
    let Some(edge) = Edge::in_front_of(&app).await else { return };
    for (path, arguments, status) in [
        ("/graphql?query=%7B__typename%7D", &[][..], "200"),
        ("/.well-known/jwks.json", &[], "200"),
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
