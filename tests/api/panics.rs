//! A panic while a request is answered is a fault of ours for that request, and for nothing else (docs/faults.md F36).
//!
//! It needs no code that panics on demand: a moment that Postgres knows and chrono does not, `infinity`, makes the library
//! panic that reads the row, while it holds a connection.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::{Mode, Person, Program, TestApp, Tokens, eventually};

const ME: &str = "{ me { email createdAt } }";

/// Of the page that asks.
const ORIGIN: &str = "https://app.example.com";

/// One connection, used for one request after the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn to(program: &Program) -> Self {
        let address = program.url.trim_start_matches("http://");
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// The status, the id of the request, and the body.
    async fn ask_for_me(&mut self, tokens: &Tokens) -> (u16, String, Value) {
        let body = json!({"query": ME}).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            tokens.access,
            body.len()
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).await.unwrap(), 0, "the connection was closed");
        }
        let header = |name: &str| {
            let start = head.to_lowercase().find(&format!("\r\n{name}: ")).unwrap() + name.len() + 4;
            head[start..].lines().next().unwrap().to_owned()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        assert_eq!(header("access-control-allow-origin"), ORIGIN);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, header("x-request-id"), serde_json::from_slice(&body).unwrap())
    }
}

/// Lets the account have been made in the year of that name.
async fn date(app: &TestApp, person: &Person, created_at: &str) {
    sqlx::query("UPDATE users SET created_at = $1::text::timestamptz WHERE email = $2")
        .bind(created_at)
        .bind(&person.email)
        .execute(&mut app.database().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_request_that_panics_is_answered_and_disturbs_nobody() {
    let mut app = TestApp::start(Mode::ZeroConfiguration).await;
    let (ada, grace) = (app.registered("Ada").await, app.registered("Grace").await);
    let (adas, graces) = (ada.login(&app).await, grace.login(&app).await);
    app.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = app.operator_settings();
    settings.extend([
        ("AUTHQL_LISTEN", "127.0.0.1:0"),
        ("AUTHQL_LOG", "trace"),
        ("AUTHQL_ALLOWED_ORIGINS", ORIGIN),
    ]);
    let program = Program::start(folder.path(), &settings);

    date(&app, &ada, "infinity").await;
    let mut connection = Connection::to(&program).await;
    let mut ids = Vec::new();
    // More than there are connections in the pool.
    for _ in 0..30 {
        let (status, id, answer) = connection.ask_for_me(&adas).await;
        let extensions = json!({"code": "INTERNAL_SERVER_ERROR", "requestId": id});
        let error = json!({"message": "Something went wrong on our side.", "extensions": extensions});
        assert_eq!((status, answer), (500, json!({"errors": [error]})));
        ids.push(id);
    }
    // All of them at once, too, and among them somebody whose requests are nothing special.
    let at_once = join_all((0..30).map(async |_| {
        let mut connection = Connection::to(&program).await;
        let (status, id, _) = connection.ask_for_me(&adas).await;
        (status, id, connection.ask_for_me(&graces).await)
    }));
    for (status, id, (next_status, _, next)) in at_once.await {
        assert_eq!((status, next_status), (500, 200));
        assert_eq!(next["data"]["me"]["email"], grace.email, "{next}");
        ids.push(id);
    }
    date(&app, &ada, "1815-12-10").await;
    let (status, _, answer) = connection.ask_for_me(&adas).await;
    assert_eq!((status, &answer["data"]["me"]["email"]), (200, &json!(ada.email)), "{answer}");

    let panics = eventually("each panic is logged", async || {
        let log = program.log();
        let lines = log.lines().filter(|line| line.contains("\"panic.location\""));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines.len() >= ids.len()).then_some(lines)
    })
    .await;
    assert_eq!(panics.len(), ids.len());
    for (line, id) in panics.iter().zip(&ids[..30]) {
        assert_eq!(line["level"], "ERROR", "{line}");
        assert!(line["panic.message"].as_str().unwrap().starts_with("(withheld"), "{line}");
        assert_eq!(line["spans"][0]["request.id"], **id, "{line}");
    }
    assert!(!program.log().contains("overflowed"), "what the library says stays out of the log");
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
}
