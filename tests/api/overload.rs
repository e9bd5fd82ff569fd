//! More than can be done (docs/security.md PWD-7, PWD-8, GQL-8, OPS-1; docs/faults.md F11, F32, F33, F35, F38): what is answered is answered
//! well, the rest is asked to wait, and nothing is left behind.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::{LOGIN, Mode, Person, Program, TestApp, eventually, in_both_modes};

/// The program itself on the database of `app`, with further settings.
fn program(app: &TestApp, further: &[(&str, &str)], files: Option<usize>) -> (Program, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings: Vec<(&str, &str)> =
        ["DATABASE_URL", "AUTHQL_SECRET", "AUTHQL_PUBLIC_URL", "AUTHQL_RATE_LIMITS"]
            .map(|name| (name, app.setting(name)))
            .to_vec();
    settings.extend(further);
    let program = match files {
        None => Program::start(folder.path(), &settings),
        Some(files) => Program::start_with_files(files, folder.path(), &settings),
    };
    (program, folder)
}

/// A number of kilobytes that the system tells of a process.
fn kilobytes(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
}

/// The bytes of a request.
fn request(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn login(person: &Person) -> Value {
    json!({"query": LOGIN, "variables": {"input": {"email": person.email, "password": person.password}}})
}

#[cfg(target_os = "linux")] // Elsewhere there is no /proc.
#[tokio::test(flavor = "multi_thread")]
async fn of_three_hundred_logins_each_is_answered_and_memory_is_bounded() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let tokens = ada.login(&app).await;
    let (program, _folder) = program(&app, &[("AUTHQL_HASH_LANES", "2")], None);
    let before = kilobytes(program.pid(), "VmRSS:");
    let url = format!("{}/graphql", program.url);
    let attempts = join_all((0..300).map(|_| async {
        let response = app.client.post(&url).json(&login(&ada)).send().await.unwrap();
        let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (wait, response.json::<Value>().await.unwrap())
    }));
    let me = async {
        let me =
            app.client.post(&url).bearer_auth(&tokens.access).json(&json!({"query": "{ me { email } }"}));
        me.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let (answers, me) = tokio::join!(attempts, me);
    assert_eq!(me["data"]["me"]["email"], ada.email, "{me}");
    let mut successes = 0;
    for (wait, answer) in answers {
        if answer["data"]["login"]["__typename"] == "LoginSuccess" {
            successes += 1;
            continue;
        }
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "SERVICE_UNAVAILABLE", "{answer}");
        let seconds = extensions["retryAfterSeconds"].as_u64().unwrap();
        assert!(seconds >= 1, "{answer}");
        assert_eq!(wait.as_deref(), Some(seconds.to_string().as_str()));
    }
    assert!(successes > 0, "nobody was served");
    let growth = kilobytes(program.pid(), "VmHWM:").saturating_sub(before);
    assert!(growth < 400 * 1024, "{growth} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_slow_clients_are_no_hindrance() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let me = request(&json!({"query": "{ __typename }"}));
    let whole = request(&login(&ada));
    let slow = join_all((0..400).map(|number| {
        let (url, me, whole) = (&app.url, &me, &whole);
        async move {
            let mut socket = connect(url).await;
            match number % 4 {
                0 => {}
                1 => socket.write_all(b"POST /graphql HTTP/1.1\r\nHost: loc").await.unwrap(),
                2 => socket.write_all(&whole[..whole.len() - 1]).await.unwrap(),
                // Requests whose answers nobody reads.
                _ => socket.write_all(&me.repeat(50)).await.unwrap(),
            }
            socket
        }
    }))
    .await;
    let tokens = ada.login(&app).await;
    assert_eq!(tokens.refresh(&app).await.me(&app).await, Some(ada.email));
    assert_eq!(slow.len(), 400, "they were there all the while");
}

/// Reads until the answer contains `done`.
async fn read_until(socket: &mut TcpStream, done: &str) {
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(done) {
        assert!(socket.read_buf(&mut answer).await.unwrap() > 0, "the connection was closed");
    }
}

/// A client whose request is being answered: the server waits for its body.
async fn begin(url: &str, request: &[u8]) -> TcpStream {
    let head = String::from_utf8_lossy(request);
    let (head, _) = head.split_once("\r\n\r\n").unwrap();
    let mut socket = connect(url).await;
    socket.write_all(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    read_until(&mut socket, "100 Continue").await;
    socket
}

/// Sends what [`begin`] has not sent.
async fn complete(socket: &mut TcpStream, request: &[u8]) {
    let body = String::from_utf8_lossy(request);
    socket.write_all(body.split_once("\r\n\r\n").unwrap().1.as_bytes()).await.unwrap();
}

/// How many of these the server has not closed.
fn still_open(sockets: &[TcpStream]) -> usize {
    let is_open = |socket: &&TcpStream| {
        socket.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    sockets.iter().filter(is_open).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_files_run_out_silent_clients_make_room_and_nobody_else_notices() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    // 64 places, of which an address may have 8.
    let (program, _folder) = program(&app, &[], Some(128));
    let login = request(&login(&ada));
    let mut early = begin(&program.url, &login).await;
    // Twice as many as there are files for.
    let mut crowd = Vec::new();
    for _ in 0..128 {
        crowd.push(connect(&program.url).await);
    }
    let mut late = connect(&program.url).await;
    late.write_all(&login).await.unwrap();
    read_until(&mut late, "LoginSuccess").await;
    eventually("the crowd is down to its share", async || (still_open(&crowd) < 8).then_some(())).await;
    complete(&mut early, &login).await;
    read_until(&mut early, "LoginSuccess").await;
    program.signal("TERM");
    drop((early, late, crowd));
    assert_eq!(program.wait().await.code(), Some(0), "it has been the same process all the while");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_every_client_is_being_answered_new_ones_wait() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    // A proxy may have all 64 places.
    let trusted = [("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32")];
    let (program, _folder) = program(&app, &trusted, Some(128));
    let request = request(&json!({"query": "{ __typename }"}));
    let answer = r#"{"data":{"__typename":"Query"}}"#;
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(begin(&program.url, &request).await);
    }
    let mut late = connect(&program.url).await;
    late.write_all(&request).await.unwrap();
    // Nobody is closed for it, but one that has been answered.
    for socket in &mut crowd {
        complete(socket, &request).await;
        read_until(socket, answer).await;
    }
    read_until(&mut late, answer).await;
}

#[cfg(target_os = "linux")] // Elsewhere, 127.0.0.1 is the only address of the loopback network.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_all_silent_connections_keeps_nobody_out() {
    async fn connect_from(address: &str, url: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        socket.connect(url.trim_start_matches("http://").parse().unwrap()).await.unwrap()
    }

    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let (program, _folder) = program(&app, &[], Some(1024));
    for sent in [&b""[..], b"POST /graphql HTTP/1.1\r\nHost: loc"] {
        // One address, and one in each of ten networks.
        for networks in [1, 10] {
            let mut crowd = Vec::new();
            for number in 0..960 {
                let mut socket = connect_from(&format!("127.0.{}.1", number % networks), &program.url).await;
                // Those that were closed meanwhile cannot be written to.
                let _ = socket.write_all(sent).await;
                crowd.push(socket);
            }
            // Much less than the thirty seconds that a header may take.
            let mut socket = connect_from("127.0.0.2", &program.url).await;
            socket.write_all(&request(&login(&ada))).await.unwrap();
            timeout(Duration::from_secs(5), read_until(&mut socket, "LoginSuccess")).await.unwrap();
            let most = if networks == 1 { 120 } else { 959 };
            eventually("somebody made room", async || (still_open(&crowd) <= most).then_some(())).await;
        }
    }
}

in_both_modes! {
    with &[("AUTHQL_HASH_LANES", "1")];

    async fn clients_that_hang_up_leave_nothing_behind(app: TestApp) {
        let ada = app.registered("Ada").await;
        let gone = (0..150).map(|number| {
            let (app, ada) = (&app, &ada);
            async move {
                let mut socket = connect(&app.url).await;
                let query = "mutation ($input: RegisterInput!) { register(input: $input) { __typename } }";
                let input = json!({"email": format!("gone{number}@example.com"), "password": ada.password});
                let body = match number % 3 {
                    0 => login(ada),
                    _ => json!({"query": query, "variables": {"input": input}}),
                };
                socket.write_all(&request(&body)).await.unwrap();
                // Some go at once, and some when a few others have been served.
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
            }
        });
        join_all(gone).await;
        for _ in 0..10 {
            eventually("the lane is free", async || {
                (ada.try_login(&app).await["__typename"] == "LoginSuccess").then_some(())
            })
            .await;
        }
        // An account without its mail, or a mail without an account, would be half a registration.
        let mut database = app.database().await;
        let count = "SELECT count(*) FROM users WHERE NOT EXISTS (SELECT FROM outbox WHERE user_id = users.id)";
        let halves: i64 = sqlx::query_scalar(count).fetch_one(&mut database).await.unwrap();
        assert_eq!(halves, 0);
        eventually("every mail that is owed is sent", async || (app.mails("pending").await == 0).then_some(())).await;
        let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut database).await.unwrap();
        assert_eq!(app.mails("sent").await, users);
    }

    async fn a_locked_table_is_not_waited_for_without_end(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        let mut holder = app.database().await;
        sqlx::raw_sql("BEGIN; LOCK TABLE sessions").execute(&mut holder).await.unwrap();
        // More than there are connections: some wait for the lock, the others for a connection.
        let answers = join_all((0..40).map(|_| tokens.try_refresh(&app))).await;
        for answer in answers {
            assert_eq!(answer["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{answer}");
        }
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        tokens.refresh(&app).await;
    }
}
