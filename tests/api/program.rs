//! The program: its first start, its end, what it survives, and what it says to an operator.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::program::{command, folder, output, signal};
use crate::support::{Mood, Program, SmtpSink, TestApp, eventually, find_program};

async fn graphql(program: &Program, query: &str, bearer: Option<&str>) -> Value {
    let mut request =
        reqwest::Client::new().post(format!("{}/graphql", program.url)).json(&json!({"query": query}));
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().json().await.unwrap()
}

const REGISTER: &str = r#"mutation { register(input: { email: "ada@example.com", password: "correct horse battery staple" }) { __typename } }"#;
const LOGIN: &str = r#"mutation { login(input: { email: "ada@example.com", password: "correct horse battery staple" }) { ... on LoginSuccess { tokens { accessToken refreshToken } } } }"#;

async fn refresh(program: &Program, token: &str) -> Value {
    let query = format!(
        r#"mutation {{ refresh(input: {{ refreshToken: "{token}" }}) {{ __typename ... on RefreshSuccess {{ tokens {{ refreshToken }} }} }} }}"#
    );
    graphql(program, &query, None).await["data"]["refresh"].take()
}

/// The process of the private PostgreSQL.
fn postmaster(folder: &Path) -> u32 {
    let text = fs::read_to_string(folder.join("data/postgres/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nothing_configured_and_nothing_running_is_enough() {
    let folder = folder();
    let program = Program::start(folder.path(), &[]);
    assert!(program.banner.contains("authql 0.1.0 is running."), "{}", program.banner);
    assert!(program.banner.contains("/mailbox   (mails are shown here"), "{}", program.banner);
    for file in ["secret", "lock"] {
        let mode = fs::metadata(folder.path().join("data").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // The `curl` of the banner works when it is pasted.
    if find_program("curl").is_some() {
        let line = program.banner.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
        let pasted = Command::new("sh").args(["-c", line]).output().unwrap();
        let answer: Value = serde_json::from_slice(&pasted.stdout).unwrap();
        assert_eq!(answer, json!({"data": {"register": {"__typename": "RegisterSuccess"}}}));
    }
    program.signal("INT");
    assert_eq!(program.wait().await.code(), Some(0));
    assert!(!folder.path().join("data/postgres/postmaster.pid").exists(), "the database was stopped");
}

#[tokio::test]
async fn accounts_and_sessions_survive_every_kind_of_end() {
    let folder = folder();
    let program = Program::start(folder.path(), &[]);
    assert_eq!(graphql(&program, REGISTER, None).await["data"]["register"]["__typename"], "RegisterSuccess");
    let login = graphql(&program, LOGIN, None).await;
    let mut token = login["data"]["login"]["tokens"]["refreshToken"].as_str().unwrap().to_owned();
    let mut program = Some(program);
    for end in ["INT", "TERM", "KILL", "KILL with its database"] {
        let running = program.take().unwrap();
        let database = postmaster(folder.path());
        running.signal(end.split(' ').next().unwrap());
        if end.ends_with("database") {
            signal(database, "KILL");
        }
        running.wait().await;
        let next = Program::start(folder.path(), &[]);
        let answer = refresh(&next, &token).await;
        assert_eq!(answer["__typename"], "RefreshSuccess", "after {end}: {answer}");
        token = answer["tokens"]["refreshToken"].as_str().unwrap().to_owned();
        program = Some(next);
    }
    let program = program.unwrap();
    // The database alone: it is started again under the running server.
    signal(postmaster(folder.path()), "KILL");
    eventually("the database is back", async || {
        let answer = refresh(&program, &token).await;
        (answer["__typename"] == "RefreshSuccess").then_some(())
    })
    .await;
    program.signal("INT");
    assert_eq!(program.wait().await.code(), Some(0));
}

/// Else all clients of a proxy that was forgotten would be one network, and nobody would know.
#[tokio::test]
async fn a_proxy_that_nobody_named_is_told_of_once() {
    for (trusted, times) in [("10.0.0.0/8", 1), ("127.0.0.1/32", 0)] {
        let folder = folder();
        let program = Program::start(folder.path(), &[("AUTHQL_TRUSTED_PROXIES", trusted)]);
        for _ in 0..3 {
            let request = reqwest::Client::new().post(format!("{}/graphql", program.url));
            let request =
                request.header("x-forwarded-for", "192.0.2.1").json(&json!({"query": "{ __typename }"}));
            assert!(request.send().await.unwrap().status().is_success());
        }
        program.signal("TERM");
        let log = eventually("the last line is logged", async || {
            Some(program.log()).filter(|log| log.contains("stopping"))
        })
        .await;
        assert_eq!(program.wait().await.code(), Some(0));
        assert_eq!(log.matches("not in AUTHQL_TRUSTED_PROXIES").count(), times, "{log}");
    }
}

#[tokio::test]
async fn a_data_folder_is_used_by_one_at_a_time() {
    let folder = folder();
    let program = Program::start(folder.path(), &[]);
    let second = output(folder.path(), &[], &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(
        complaint.contains("another authql is using data: stop it, or set AUTHQL_DATA_DIR"),
        "{complaint}"
    );
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
}

#[tokio::test]
async fn the_usual_port_gives_way_and_a_named_one_does_not() {
    // Whoever has the usual port, and it may be nobody, the program is not there.
    let usual = TcpListener::bind("127.0.0.1:8080");
    let folder = folder();
    let program = Program::start(folder.path(), &[]);
    assert!(!program.url.ends_with(":8080"), "{}", program.url);
    assert!(program.banner.contains("Port 8080 was taken, so this is port"), "{}", program.banner);
    let address = program.url.trim_start_matches("http://");
    let other = self::folder();
    let second = output(other.path(), &[("AUTHQL_LISTEN", address)], &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(
        complaint.contains("cannot be listened on") && complaint.contains("choose another port"),
        "{complaint}"
    );
    program.signal("TERM");
    program.wait().await;
    drop(usual);
}

#[test]
fn a_wrong_setting_stops_the_start_with_one_sentence() {
    let folder = folder();
    let refused = output(folder.path(), &[("AUTHQL_ACCES_TTL", "1m")], &["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(refused.stderr).unwrap(),
        "authql: AUTHQL_ACCES_TTL is no setting of authql: did you mean AUTHQL_ACCESS_TTL?\n"
    );
    assert!(!folder.path().join("data").exists(), "nothing was made");

    fs::write(folder.path().join(".env"), "AUTHQL_LISTEN=nowhere\n").unwrap();
    let refused = output(folder.path(), &[], &["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8(refused.stderr).unwrap().starts_with("authql: AUTHQL_LISTEN is not an address")
    );
    // The environment wins over `.env`.
    let refused = output(folder.path(), &[("AUTHQL_LISTEN", "0.0.0.0:1")], &["serve"]);
    assert!(String::from_utf8(refused.stderr).unwrap().starts_with("authql: DATABASE_URL is missing"));
}

#[test]
fn a_broken_template_stops_the_start_with_its_file_and_line() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("mail/en")).unwrap();
    let settings = [("AUTHQL_MAIL_TEMPLATES", "mail")];
    let complaint = || {
        let refused = output(folder.path(), &settings, &["serve"]);
        assert_eq!(refused.status.code(), Some(2));
        String::from_utf8(refused.stderr).unwrap()
    };
    fs::write(folder.path().join("mail/en/welcome.jinja"), "{% set subject %}\n{{ produkt }}{% endset %}\n")
        .unwrap();
    let sentence = "authql: AUTHQL_MAIL_TEMPLATES: en/welcome.jinja, line 2: there is no `produkt`: use ";
    assert!(complaint().starts_with(sentence), "{}", complaint());
    fs::remove_file(folder.path().join("mail/en/welcome.jinja")).unwrap();
    fs::write(folder.path().join("mail/brand.toml"), "accent = 'pink'\n").unwrap();
    assert_eq!(
        complaint(),
        "authql: AUTHQL_MAIL_TEMPLATES: brand.toml, line 1: `pink` is no colour: write it as #3b5bdb\n"
    );
}

#[test]
fn templates_are_exported_to_be_changed_and_checked() {
    let folder = folder();
    let run = |arguments: &[&str]| {
        let done = output(folder.path(), &[], arguments);
        (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    };
    let (code, text) = run(&["templates", "export", "some", "en/welcome.jinja", "brand.toml"]);
    assert_eq!((code, text.as_str()), (Some(0), "some/brand.toml\nsome/en/welcome.jinja\n"));
    fs::write(folder.path().join("some/brand.toml"), "name = 'Bees'").unwrap();
    let (_, text) = run(&["templates", "export", "some", "brand.toml"]);
    assert_eq!(text, "some/brand.toml  (was there already, and stays as it is)\n");
    assert_eq!(fs::read_to_string(folder.path().join("some/brand.toml")).unwrap(), "name = 'Bees'");
    assert_eq!(run(&["templates", "check", "some"]).0, Some(0));
    let (code, text) = run(&["templates", "export", "some", "de/welcome.jinja"]);
    assert!(
        code == Some(1) && text.starts_with("authql: there is no template \"de/welcome.jinja\""),
        "{text}"
    );

    assert_eq!(run(&["templates", "export", "all"]).1.lines().count(), 27);
    assert_eq!(
        run(&["templates", "check", "all"]),
        (Some(0), "All mails can be written with it.\n".to_owned())
    );
    fs::write(folder.path().join("all/ru/common.jinja"), "{{ nothing }}").unwrap();
    let (code, text) = run(&["templates", "check", "all"]);
    let sentence = "authql: AUTHQL_MAIL_TEMPLATES: ru/common.jinja, line 1: there is no `nothing`";
    assert!(code == Some(2) && text.starts_with(sentence), "{text}");
}

/// Who replaces templates may name the sender there; somebody has to.
#[test]
fn mails_are_not_sent_without_a_sender() {
    let folder = folder();
    fs::create_dir(folder.path().join("mail")).unwrap();
    let settings = [("AUTHQL_MAIL_TEMPLATES", "mail"), ("SMTP_URL", "smtp://127.0.0.1:1")];
    let refused = output(folder.path(), &settings, &["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.starts_with("authql: AUTHQL_MAIL_FROM is missing, and SMTP_URL is set"), "{complaint}");
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let folder = folder();
    let settings = [
        ("DATABASE_URL", "postgres://authql@127.0.0.1:1/authql"),
        ("AUTHQL_SECRET", "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE="),
        ("AUTHQL_PUBLIC_URL", "http://localhost"),
    ];
    for arguments in [["serve"], ["migrate"]] {
        let refused = output(folder.path(), &settings, &arguments);
        assert_eq!(refused.status.code(), Some(1));
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert!(
            complaint.contains("the database cannot be used") && complaint.contains("check DATABASE_URL"),
            "{complaint}"
        );
    }
    let refused = output(folder.path(), &[], &["migrate"]);
    assert!(String::from_utf8(refused.stderr).unwrap().starts_with("authql: DATABASE_URL is missing"));
}

/// As `head` does.
#[test]
fn whoever_has_read_enough_may_go() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let program = command(Path::new("/"), &[]).arg("schema").stdout(writer).output().unwrap();
    assert_eq!((program.status.code(), program.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn help_and_schema_need_no_settings() {
    let folder = folder();
    let help = output(folder.path(), &[("AUTHQL_NONSENSE", "1")], &["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["serve", "migrate", "schema", "README.md"] {
        assert!(text.contains(word), "{text}");
    }
    let schema = output(folder.path(), &[], &["schema"]);
    assert_eq!(String::from_utf8(schema.stdout).unwrap(), authql::graphql::sdl());
}

#[tokio::test]
async fn a_kill_between_a_registration_and_its_mail_loses_no_mail() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let mut sink = SmtpSink::start().await;
    sink.stop().await;
    let smtp = sink.url();
    let folder = folder();
    let settings: Vec<(&str, &str)> =
        ["DATABASE_URL", "REDIS_URL", "AUTHQL_SECRET", "AUTHQL_PUBLIC_URL", "AUTHQL_MAIL_FROM"]
            .into_iter()
            .map(|name| (name, app.setting(name)))
            .chain([
                ("SMTP_URL", smtp.as_str()),
                ("AUTHQL_LISTEN", "127.0.0.1:0"),
                ("AUTHQL_MAIL_RETRY_MIN", "50ms"),
            ])
            .collect();
    let program = Program::start(folder.path(), &settings);
    assert_eq!(graphql(&program, REGISTER, None).await["data"]["register"]["__typename"], "RegisterSuccess");
    program.signal("KILL");
    program.wait().await;

    sink.restart().await;
    // The killed one may have had the mail in its hands: then its lease has to pass first.
    end_leases(&app).await;
    let program = Program::start(folder.path(), &settings);
    let letters = sink.wait_for(1).await;
    assert_eq!((letters.len(), letters[0].to.as_str()), (1, "ada@example.com"));
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
}

/// docs/faults.md F18: killed with the mail in its hands.
#[tokio::test]
async fn a_mail_whose_worker_was_killed_is_sent_by_the_next() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let sink = app.smtp.take().unwrap();
    let (folder, settings) = (folder(), server_settings(&app));
    let program = Program::start(folder.path(), &settings);
    sink.set_mood(Mood::Silent);
    graphql(&program, REGISTER, None).await;
    sink.wait_for_offers(1).await;
    program.signal("KILL");
    program.wait().await;
    sink.set_mood(Mood::Friendly);
    end_leases(&app).await;
    let program = Program::start(folder.path(), &settings);
    assert_eq!(sink.wait_for(1).await.len(), 1);
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
    assert_eq!((app.mails("sent").await, sink.letters().len()), (1, 1));
}

/// F19: killed when the server has taken the mail, before that could be recorded.
#[tokio::test]
async fn a_worker_that_was_killed_before_it_could_record_makes_one_duplicate() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let sink = app.smtp.take().unwrap();
    let (folder, settings) = (folder(), server_settings(&app));
    let program = Program::start(folder.path(), &settings);
    sink.set_mood(Mood::Holding);
    graphql(&program, REGISTER, None).await;
    sink.wait_for_offers(1).await;
    let mut holder = app.database().await;
    sqlx::raw_sql("BEGIN; SELECT FROM outbox FOR UPDATE").execute(&mut holder).await.unwrap();
    sink.set_mood(Mood::Friendly);
    sink.wait_for(1).await;
    eventually("the record waits for the lock", async || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut app.database().await).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    program.signal("KILL");
    program.wait().await;
    // The statement of the one that was killed must not be carried out by its server process.
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        .execute(&mut holder)
        .await
        .unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    end_leases(&app).await;
    let program = Program::start(folder.path(), &settings);
    let letters = sink.wait_for(2).await;
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
    assert_eq!((letters.len(), app.mails("sent").await), (2, 1));
    assert_eq!(letters[0], letters[1], "the same mail with the same Message-ID");
}

/// The settings of a server that takes the place of `app`.
fn server_settings(app: &TestApp) -> Vec<(&str, &str)> {
    ["DATABASE_URL", "REDIS_URL", "SMTP_URL", "AUTHQL_SECRET", "AUTHQL_PUBLIC_URL", "AUTHQL_MAIL_FROM"]
        .into_iter()
        .map(|name| (name, app.setting(name)))
        .chain([("AUTHQL_LISTEN", "127.0.0.1:0"), ("AUTHQL_MAIL_RETRY_MIN", "50ms")])
        .collect()
}

/// Moves the clock, for the worker that was killed.
async fn end_leases(app: &TestApp) {
    let over = "UPDATE outbox SET due_at = queued_at WHERE state = 'pending'";
    sqlx::query(over).execute(&mut app.database().await).await.unwrap();
}

#[tokio::test]
async fn several_migrate_at_once_and_a_role_without_ddl_can_serve() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    app.stop().await;
    let wiped = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
    sqlx::raw_sql(wiped).execute(&mut app.database().await).await.unwrap();
    let settings: Vec<(&str, &str)> =
        ["DATABASE_URL", "REDIS_URL", "AUTHQL_SECRET", "AUTHQL_PUBLIC_URL", "SMTP_URL", "AUTHQL_MAIL_FROM"]
            .into_iter()
            .map(|name| (name, app.setting(name)))
            .collect();
    let folder = folder();
    let mut migrations: Vec<_> =
        (0..3).map(|_| command(folder.path(), &settings).arg("migrate").spawn().unwrap()).collect();
    for migration in &mut migrations {
        assert!(migration.wait().unwrap().success());
    }

    // A role that may change rows, and nothing else, can serve what another one has migrated.
    let role = format!("server_{}", uuid::Uuid::new_v4().simple());
    let granted = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(granted)).execute(&mut app.database().await).await.unwrap();
    let url = app.setting("DATABASE_URL").replace("authql@", &format!("{role}@"));
    let mut settings = settings;
    settings.retain(|(name, _)| *name != "DATABASE_URL");
    settings.extend([("DATABASE_URL", url.as_str()), ("AUTHQL_LISTEN", "127.0.0.1:0")]);
    let program = Program::start(folder.path(), &settings);
    let answer = graphql(&program, REGISTER, None).await;
    assert_eq!(answer["data"]["register"]["__typename"], "RegisterSuccess", "{answer}");
    program.signal("TERM");
    assert_eq!(program.wait().await.code(), Some(0));
}

#[tokio::test]
async fn a_start_that_waits_for_a_silent_database_can_be_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://authql@{}/authql", silent.local_addr().unwrap());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("AUTHQL_SECRET", "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE="),
        ("AUTHQL_PUBLIC_URL", "http://localhost"),
        ("AUTHQL_LISTEN", "127.0.0.1:0"),
    ];
    let folder = folder();
    let mut child = command(folder.path(), &settings).arg("serve").spawn().unwrap();
    // Whoever connects is waiting from then on.
    let waiting = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    signal(child.id(), "TERM");
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    drop(waiting);
}
