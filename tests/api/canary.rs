//! What is secret is in no log and in no answer about a failure, however much is logged and whatever fails (docs/security.md AUD-2,
//! AUD-3, AUD-4).

use serde_json::{Value, json};

use crate::support::program::output;
use crate::support::{LOGIN, Line, Mood, Program, Proxy, REFRESH, SmtpSink, Target, TestApp, eventually};

const SECRET: &str = "Y2FuYXJ5IGNhbmFyeQ8zKq7tLw2xVd5mRb9uHs4jTe1n";
const PEPPER: &str = "UGVwcGVyIG9mIGEgY2FuYXJ5b3VzeS1Rz7kLw3xVb8m2e";
const DATABASE_PASSWORD: &str = "canary-of-postgres-5d1e";
const REDIS_PASSWORD: &str = "canary-of-redis-7a2f";
const SMTP_PASSWORD: &str = "canary-of-smtp-9b3c";
const PASSWORD: &str = "canary bird in 1 coal mine";
const NEW_PASSWORD: &str = "another bird, a deeper mine";
const EMAIL: &str = "canary.bird@example.com";

/// Sends a body as it is, with these headers; answers status and body.
async fn send(program: &Program, body: String, headers: &[(&str, &str)]) -> String {
    let mut request = reqwest::Client::new()
        .post(format!("{}/graphql", program.url))
        .header("content-type", "application/json")
        .header("user-agent", "Canary\tBird/1.0");
    for (name, text) in headers {
        request = request.header(*name, *text);
    }
    request.body(body).send().await.unwrap().text().await.unwrap()
}

async fn graphql(program: &Program, query: &str, input: Value, bearer: &str) -> Value {
    let body = json!({"query": query, "variables": {"input": input}}).to_string();
    let authorization = format!("Bearer {bearer}");
    let headers = [("authorization", authorization.as_str())];
    let answer = send(program, body, if bearer.is_empty() { &[] } else { &headers }).await;
    serde_json::from_str(&answer).unwrap()
}

/// A mutation that answers nothing but how it went.
fn mutation(name: &str, input: &str) -> String {
    format!(
        "mutation ($input: {input}!) {{ {name}(input: $input) {{ __typename ... on AuthFailure {{ code message fields {{ message }} }} }} }}"
    )
}

// The lines to the servers are served while the program starts.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_whatever_happens() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let (sink, redis) = (app.smtp.take().unwrap(), app.redis.take().unwrap());
    let _: String = redis.command(&format!("CONFIG SET requirepass {REDIS_PASSWORD}")).await;
    forget_keys(&app).await;
    let (postgres, database) = postgres(&app).await;
    let line_to_redis =
        Proxy::to(Target::Port(redis.url().rsplit(':').next().unwrap().parse().unwrap())).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&postgres, &database, &line_to_redis, &sink);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let program = Program::start(folder.path(), &settings);

    let register = mutation("register", "RegisterInput");
    let registered = graphql(&program, &register, json!({"email": EMAIL, "password": PASSWORD}), "").await;
    assert_eq!(registered["data"]["register"]["__typename"], "RegisterSuccess", "{registered}");
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let login = graphql(&program, LOGIN, credentials.clone(), "").await["data"]["login"]["tokens"].take();
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text(&login, "accessToken"), text(&login, "refreshToken"));
    let refreshed = graphql(&program, REFRESH, json!({"refreshToken": refresh}), &access).await;
    let refreshed = &refreshed["data"]["refresh"]["tokens"];
    let (next_access, next_refresh) = (text(refreshed, "accessToken"), text(refreshed, "refreshToken"));
    let ask = mutation("requestPasswordReset", "RequestPasswordResetInput");
    graphql(&program, &ask, json!({"email": EMAIL}), "").await;
    let letters = sink.wait_for(2).await;
    let mailed =
        letters.iter().find(|letter| letter.text.contains("#resetPassword=")).unwrap().token("resetPassword");

    // What fails: in the documents, in the bodies, and because servers are away.
    let mut failures = broken(&program, &access, &refresh).await;
    let reset = mutation("resetPassword", "ResetPasswordInput");
    let weak = graphql(&program, &reset, json!({"token": mailed, "newPassword": "password"}), "").await;
    failures.push(weak.to_string());
    sink.set_mood(Mood::Silent);
    line_to_redis.set(Line::Cut);
    graphql(&program, &ask, json!({"email": EMAIL}), "").await;
    postgres.set(Line::Cut);
    failures.push(graphql(&program, LOGIN, credentials.clone(), "").await.to_string());
    failures.push(graphql(&program, REFRESH, json!({"refreshToken": next_refresh}), "").await.to_string());
    postgres.set(Line::Open);
    line_to_redis.set(Line::Open);
    sink.set_mood(Mood::Friendly);
    eventually("it is well again", async || {
        let answer =
            graphql(&program, &reset, json!({"token": mailed, "newPassword": NEW_PASSWORD}), "").await;
        (answer["data"]["resetPassword"]["__typename"] == "ResetPasswordSuccess").then_some(())
    })
    .await;
    failures.push(panics(&app, &program, &json!({"email": EMAIL, "password": NEW_PASSWORD})).await);
    assert!(
        failures.iter().all(|failure| failure.contains("\"errors\"") || failure.contains("AuthFailure")),
        "{failures:?}"
    );
    let reused = graphql(&program, REFRESH, json!({"refreshToken": refresh}), "").await;
    failures.push(reused.to_string());
    let log = eventually("the last event is logged", async || {
        let log = program.log();
        log.contains("\"refresh_refused\"").then_some(log)
    })
    .await;
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));

    assert!(
        ["\"level\":\"TRACE\"", "\"event.kind\":\"logged_in\"", "\"panic.location\""]
            .iter()
            .all(|part| log.contains(part)),
        "so much is logged"
    );
    let secrets = [
        SECRET,
        PEPPER,
        DATABASE_PASSWORD,
        REDIS_PASSWORD,
        PASSWORD,
        NEW_PASSWORD,
        &access,
        &refresh,
        &next_access,
        &next_refresh,
        &mailed,
    ];
    check(&log, &failures.concat(), &secrets);
}

/// Nothing secret is in either, and the log is one JSON object a line.
fn check(log: &str, failures: &str, secrets: &[&str]) {
    for secret in secrets {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} is in the log");
        assert!(!failures.contains(secret), "{secret} is in an answer: {failures}");
    }
    assert_eq!(log.lines().find(|line| line.contains(EMAIL)), None, "addresses of mail are personal");
    for line in log.lines() {
        let read = serde_json::from_str::<Value>(line);
        assert!(read.is_ok_and(|line| line.is_object()), "no line of ours: {line}");
    }
}

/// What the program is told.
fn settings(
    postgres: &Proxy,
    database: &str,
    redis: &Proxy,
    sink: &SmtpSink,
) -> [(&'static str, String); 10] {
    [
        (
            "DATABASE_URL",
            format!("postgres://authql:{DATABASE_PASSWORD}@127.0.0.1:{}/{database}", postgres.port),
        ),
        ("REDIS_URL", format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{}", redis.port)),
        ("SMTP_URL", sink.url()),
        ("AUTHQL_SECRET", SECRET.to_owned()),
        ("AUTHQL_PEPPER", PEPPER.to_owned()),
        ("AUTHQL_PUBLIC_URL", "http://localhost".to_owned()),
        ("AUTHQL_MAIL_FROM", "authql <no-reply@example.org>".to_owned()),
        ("AUTHQL_MAIL_RETRY_MIN", "50ms".to_owned()),
        ("AUTHQL_LISTEN", "127.0.0.1:0".to_owned()),
        ("AUTHQL_LOG", "trace".to_owned()),
    ]
}

/// The answer to a login that panics, because Postgres gives it a moment that no library can read.
async fn panics(app: &TestApp, program: &Program, credentials: &Value) -> String {
    let mut database = app.database().await;
    sqlx::raw_sql("UPDATE users SET created_at = 'infinity'").execute(&mut database).await.unwrap();
    let answer = graphql(program, LOGIN, credentials.clone(), "").await;
    sqlx::raw_sql("UPDATE users SET created_at = now()").execute(&mut database).await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{answer}");
    answer.to_string()
}

/// Answers to requests that are broken in themselves.
async fn broken(program: &Program, access: &str, refresh: &str) -> Vec<String> {
    vec![
        send(
            program,
            format!("{{\"query\": \"mutation {{ login(input: {{ password: \\\"{PASSWORD}\\\" \"}}"),
            &[],
        )
        .await,
        send(program, format!("{{\"query\": \"{{ me }}\", \"password\": \"{PASSWORD}\""), &[]).await,
        send(program, format!("{{\"query\": \"{{ me(password: \\\"{PASSWORD}\\\") {{ id }} }}\"}}"), &[])
            .await,
        send(
            program,
            json!({"query": "{ me { id } }"}).to_string(),
            &[("authorization", &format!("Bearer {access}x"))],
        )
        .await,
        send(program, json!({"query": "{ me { id } }"}).to_string(), &[("cookie", &format!("a={refresh}"))])
            .await,
        send(program, format!("password={PASSWORD}"), &[("content-type", "text/plain")]).await,
    ]
}

/// Servers that are not there, or do not let authql in, are named without their passwords.
#[tokio::test]
async fn a_start_that_fails_says_nothing_secret() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let real = app.setting("DATABASE_URL");
    let smtp = format!("smtp://canary:{SMTP_PASSWORD}@127.0.0.1:1?tls=none");
    let redis = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:1");
    for database in [
        format!("postgres://authql:{DATABASE_PASSWORD}@127.0.0.1:1/authql"),
        format!("postgres://authql:{DATABASE_PASSWORD}@[nonsense/authql"),
        format!("mysql://authql:{DATABASE_PASSWORD}@localhost/authql"),
    ] {
        let settings = [
            ("DATABASE_URL", database.as_str()),
            ("AUTHQL_SECRET", SECRET),
            ("AUTHQL_PUBLIC_URL", "http://localhost"),
            ("AUTHQL_LOG", "trace"),
        ];
        refuses(folder.path(), &settings);
    }
    for (name, text) in [
        ("REDIS_URL", format!("http://:{REDIS_PASSWORD}@localhost")),
        ("SMTP_URL", format!("smtp://canary:{SMTP_PASSWORD}@")),
        ("SMTP_URL", format!("smtp://canary:{SMTP_PASSWORD}@localhost?tls=perhaps")),
        ("AUTHQL_SECRET", SECRET[..20].to_owned()),
    ] {
        let mut settings = vec![
            ("DATABASE_URL", real),
            ("AUTHQL_PUBLIC_URL", "http://localhost"),
            ("AUTHQL_MAIL_FROM", "a@example.org"),
            ("AUTHQL_LISTEN", "127.0.0.1:0"),
            ("AUTHQL_LOG", "trace"),
            (name, text.as_str()),
        ];
        if name != "AUTHQL_SECRET" {
            settings.push(("AUTHQL_SECRET", SECRET));
        }
        refuses(folder.path(), &settings);
    }
    // It starts, and cannot send: what the worker says of it names no password either.
    let settings = [
        ("DATABASE_URL", real),
        ("REDIS_URL", redis.as_str()),
        ("SMTP_URL", smtp.as_str()),
        ("AUTHQL_SECRET", SECRET),
        ("AUTHQL_PUBLIC_URL", "http://localhost"),
        ("AUTHQL_MAIL_FROM", "a@example.org"),
        ("AUTHQL_MAIL_RETRY_MIN", "10ms"),
        ("AUTHQL_LISTEN", "127.0.0.1:0"),
        ("AUTHQL_LOG", "trace"),
    ];
    forget_keys(&app).await;
    let program = Program::start(folder.path(), &settings);
    let register = mutation("register", "RegisterInput");
    graphql(&program, &register, json!({"email": EMAIL, "password": PASSWORD}), "").await;
    eventually("a mail could not be sent", async || {
        let tried = "SELECT last_error FROM outbox WHERE attempts > 0 AND last_error IS NOT NULL";
        let error: Option<String> =
            sqlx::query_scalar(tried).fetch_optional(&mut app.database().await).await.unwrap();
        error
    })
    .await;
    let log = program.log();
    program.signal("TERM");
    program.wait().await;
    for secret in [SMTP_PASSWORD, REDIS_PASSWORD, SECRET, PASSWORD, EMAIL] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

fn refuses(folder: &std::path::Path, settings: &[(&str, &str)]) {
    let refused = output(folder, settings, &["serve"]);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap() + &String::from_utf8(refused.stdout).unwrap();
    for secret in [DATABASE_PASSWORD, REDIS_PASSWORD, SMTP_PASSWORD, &SECRET[..20]] {
        assert!(!said.contains(secret), "{secret} was said: {said}");
    }
}

/// Those of another secret than the one that is looked for.
async fn forget_keys(app: &TestApp) {
    sqlx::raw_sql("DELETE FROM signing_keys").execute(&mut app.database().await).await.unwrap();
}

/// A line to the Postgres of the tests, and the name of the database.
async fn postgres(app: &TestApp) -> (Proxy, String) {
    let url = app.setting("DATABASE_URL");
    let (folder, database) = url.strip_prefix("postgres://authql@").unwrap().rsplit_once('/').unwrap();
    let socket = folder.split(':').next().unwrap().replace("%2F", "/") + "/.s.PGSQL.5432";
    (Proxy::to(Target::Socket(socket.into())).await, database.to_owned())
}
