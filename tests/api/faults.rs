//! What must survive (docs/faults.md F1, F2, F4, F9, F18): Redis and Postgres killed, flushed, shut and hung.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Line, Proxy, Target, TestApp, eventually, quiet_and_under_load};

#[tokio::test]
async fn without_redis_everything_works_and_mail_arrives() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let before = app.registered("Before").await;
    app.letters_to(&before.email, 1).await;
    let ended = before.login(&app).await;
    ended.logout(&app).await;
    app.redis.as_mut().unwrap().kill();

    assert_eq!(ended.me(&app).await, None, "what was revoked stays so");
    let ada = app.registered("Ada").await;
    let tokens = ada.login(&app).await.refresh(&app).await;
    assert_eq!(tokens.me(&app).await.as_deref(), Some(ada.email.as_str()));
    assert_eq!(tokens.logout(&app).await, 1);
    assert_eq!(tokens.me(&app).await, None);
    assert_eq!(app.letters_to(&ada.email, 1).await.len(), 1);

    app.redis.as_mut().unwrap().restart();
    assert_eq!(tokens.me(&app).await, None, "also when Redis is back, and empty");
    let bob = app.registered("Bob").await;
    assert_eq!(app.letters_to(&bob.email, 1).await.len(), 1);
    assert!(bob.login(&app).await.me(&app).await.is_some());
}

#[tokio::test]
async fn a_flushed_redis_revives_no_token_and_logs_nobody_out() {
    quiet_and_under_load(async |app| {
        let ada = app.registered("Ada").await;
        let (ended, living) = (ada.login(app).await, ada.login(app).await);
        ended.logout(app).await;
        let _: String = app.redis.as_ref().unwrap().command("FLUSHALL").await;
        assert_eq!(ended.me(app).await, None);
        assert!(living.me(app).await.is_some());
        living.refresh(app).await;
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_hinders_no_logout() {
    quiet_and_under_load(async |app| {
        let tokens = app.registered("Ada").await.login(app).await;
        let _: String = app.redis.as_ref().unwrap().command("REPLICAOF 127.0.0.1 1").await;
        assert_eq!(tokens.logout(app).await, 1);
        assert_eq!(tokens.me(app).await, None);
    })
    .await;
}

#[tokio::test]
async fn without_postgres_the_answer_is_unavailable_and_never_unauthenticated() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let tokens = ada.login(&app).await;
    let database = app.setting("DATABASE_URL").rsplit('/').next().unwrap().to_owned();
    let admin = app.setting("DATABASE_URL").replace(&database, "postgres");
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&admin).await.unwrap();
    let mut allow = async |allowed: bool| {
        let statement = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(&database)
            .execute(&mut admin)
            .await
            .unwrap();
    };
    let ready = async || app.client.get(format!("{}/health/ready", app.url)).send().await.unwrap().status();

    allow(false).await;
    let me = tokens.try_me(&app).await;
    assert_eq!(me["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{me}");
    assert_eq!(me["data"]["me"], serde_json::Value::Null);
    let refresh = tokens.try_refresh(&app).await;
    assert_eq!(refresh["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{refresh}");
    assert!(!me.to_string().contains("database"), "no driver text in an answer: {me}");
    assert_eq!(ready().await, 503);
    let live = app.client.get(format!("{}/health/live", app.url)).send().await.unwrap();
    assert_eq!(live.status(), 204);

    allow(true).await;
    eventually("it is ready again", async || (ready().await == 204).then_some(())).await;
    assert_eq!(tokens.refresh(&app).await.me(&app).await, Some(ada.email));
}

/// F8: the statement is committed, and nobody hears of it. The program reaches Postgres over a line that freezes
/// once what was sent has gone out.
#[tokio::test]
async fn a_refresh_whose_commit_was_not_heard_is_answered_by_its_repetition() {
    let Some((app, sister, line)) = instance_on_a_line().await else { return };
    let database = app.setting("DATABASE_URL").rsplit('/').next().unwrap();
    let tokens = app.registered("Ada").await.login(&app).await.refresh(&sister).await;

    // A lock keeps the statement from its end until the line is frozen; then it commits unheard.
    let mut holder = app.database().await;
    sqlx::raw_sql("BEGIN; SELECT FROM sessions FOR UPDATE").execute(&mut holder).await.unwrap();
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1";
    let freeze = async {
        let mut observer = app.database().await;
        eventually("the refresh waits for the lock", async || {
            let waiting: bool =
                sqlx::query_scalar(waits).bind(database).fetch_one(&mut observer).await.unwrap();
            waiting.then_some(())
        })
        .await;
        line.set(Line::Frozen);
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        eventually("it is committed", async || {
            let generation: i32 =
                sqlx::query_scalar("SELECT generation FROM sessions").fetch_one(&mut observer).await.unwrap();
            (generation == 3).then_some(())
        })
        .await;
        line.set(Line::Cut);
    };
    let (unheard, ()) = tokio::join!(tokens.try_refresh(&sister), freeze);
    assert_eq!(unheard["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{unheard}");
    let successor = tokens.refresh(&app).await;
    line.set(Line::Open);
    let again = eventually("the line works again", async || {
        let answer = tokens.try_refresh(&sister).await;
        answer["data"]["refresh"]["tokens"]["refreshToken"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(again, successor.refresh);
    successor.refresh(&sister).await;
}

/// F8, for a registration: its owner has one account and one mail, and the repetition is answered as the first would
/// have been.
#[tokio::test]
async fn a_registration_whose_commit_was_not_heard_is_answered_by_its_repetition() {
    let Some((app, sister, line)) = instance_on_a_line().await else { return };
    // The commit waits for a lock of ours until the line is frozen; then it happens unheard.
    let waits_at_commit = "CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(8); RETURN NULL; END; $$;
        CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_at_commit()";
    let mut holder = app.database().await;
    sqlx::raw_sql(waits_at_commit).execute(&mut holder).await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_lock(8)").execute(&mut holder).await.unwrap();
    let ada = crate::support::Person::new("Ada");
    let input = serde_json::json!({"email": ada.email, "password": ada.password});
    let freeze = async {
        let mut observer = app.database().await;
        let waits =
            "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 8 AND NOT granted";
        eventually("the commit waits for the lock", async || {
            let is_waiting: bool = sqlx::query_scalar(waits).fetch_one(&mut observer).await.unwrap();
            is_waiting.then_some(())
        })
        .await;
        line.set(Line::Frozen);
        sqlx::raw_sql("SELECT pg_advisory_unlock(8)").execute(&mut holder).await.unwrap();
        eventually("it is committed", async || {
            let accounts: i64 =
                sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut observer).await.unwrap();
            (accounts == 1).then_some(())
        })
        .await;
        line.set(Line::Cut);
    };
    let (unheard, ()) = tokio::join!(sister.try_mutate("register", input.clone(), None), freeze);
    assert_eq!(unheard["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{unheard}");
    let repeated = app.mutate("register", input, None).await;
    assert_eq!(repeated, serde_json::json!({"__typename": "RegisterSuccess", "email": ada.email}));
    ada.login(&app).await;
    assert!(app.letter_about(&ada.email, "Welcome").await.text.contains("/confirm#verifyEmail="));
    assert_eq!((app.mails("suppressed").await, app.letters().await.len()), (1, 1));
}

/// F9: the line to Postgres hangs with a statement on it.
#[tokio::test]
async fn a_database_that_hangs_is_not_waited_for_without_end() {
    let Some((app, sister, line)) = instance_on_a_line().await else { return };
    let tokens = app.registered("Ada").await.login(&app).await.refresh(&sister).await;
    line.set(Line::Frozen);
    for _ in 0..2 {
        let body = serde_json::json!({"query": "mutation ($token: String) { refresh(input: { refreshToken: $token }) { __typename } }",
            "variables": {"token": tokens.refresh}});
        let answer = app.client.post(format!("{}/graphql", sister.url)).json(&body).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{answer}");
    }
    let alive = app.client.get(format!("{}/health/live", sister.url)).send().await.unwrap();
    assert_eq!(alive.status(), 204);
    line.set(Line::Cut);
    line.set(Line::Open);
    let again = eventually("the line works again", async || {
        let answer = tokens.try_refresh(&sister).await;
        (answer["data"]["refresh"]["__typename"] == "RefreshSuccess").then_some(())
    });
    again.await;
}

/// An instance, and a second one that reaches the same Postgres over a line.
async fn instance_on_a_line() -> Option<(TestApp, TestApp, Proxy)> {
    let app = TestApp::on_servers().await?;
    let url = app.setting("DATABASE_URL").to_owned();
    let (folder, database) = url.strip_prefix("postgres://authql@").unwrap().rsplit_once('/').unwrap();
    let socket = folder.split(':').next().unwrap().replace("%2F", "/") + "/.s.PGSQL.5432";
    let line = Proxy::to(Target::Socket(socket.into())).await;
    let through = format!("postgres://authql@127.0.0.1:{}/{database}", line.port);
    let sister = app.sister_with(&[("DATABASE_URL", &through)], Arc::clone(&app.clock)).await;
    Some((app, sister, line))
}

/// F12: somebody's psql locks rows crosswise, and Postgres ends the deadlock by rolling back what waited first, which is ours.
#[tokio::test]
async fn a_transaction_that_a_deadlock_rolled_back_is_done_again() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let (first, second) = (ada.login(&app).await, ada.login(&app).await);
    let psql = Psql::locking_the_latest_session(&app).await;
    let everywhere = json!({"refreshToken": first.refresh, "everywhere": true});
    let (ended, ()) = tokio::join!(
        app.mutate("logout", everywhere, None),
        psql.lock_crosswise(&app, ENDS_SESSIONS, "SELECT FROM sessions FOR UPDATE")
    );
    assert_eq!(ended["endedSessions"], 2, "{ended}");
    assert!(first.me(&app).await.is_none() && second.me(&app).await.is_none());

    let (first, second) = (ada.login(&app).await, ada.login(&app).await);
    let psql = Psql::locking_the_latest_session(&app).await;
    let change = json!({"currentPassword": ada.password, "newPassword": "a quite different staple"});
    let (changed, ()) = tokio::join!(
        app.mutate("changePassword", change, Some(&first.access)),
        psql.lock_crosswise(&app, ENDS_SESSIONS, "SELECT FROM users FOR UPDATE")
    );
    assert_eq!(changed["__typename"], "ChangePasswordSuccess", "{changed}");
    assert!(first.me(&app).await.is_some() && second.me(&app).await.is_none());
    let told = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM outbox WHERE kind = 'password_changed'");
    assert_eq!(told.fetch_one(&mut app.database().await).await.unwrap(), 1);
}

/// What the statement that ends sessions has, and no other.
const ENDS_SESSIONS: &str = "%num_nonnulls(user_agent, ip_address, signed_in_from%FOR UPDATE%";

/// Somebody's transaction.
struct Psql(sqlx::PgConnection);

impl Psql {
    async fn locking_the_latest_session(app: &TestApp) -> Self {
        let mut connection = app.database().await;
        let latest = "SET deadlock_timeout = '1min'; BEGIN; SELECT FROM sessions WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1 FOR UPDATE";
        sqlx::raw_sql(latest).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Locks what a statement of ours has locked that waits for us.
    async fn lock_crosswise(mut self, app: &TestApp, waiting: &str, ours: &'static str) {
        let mut observer = app.database().await;
        let waits = "SELECT count(*) FROM pg_stat_activity \
            WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE $1";
        eventually("ours waits for the lock", async || {
            let count = sqlx::query_scalar::<_, i64>(waits).bind(waiting);
            (count.fetch_one(&mut observer).await.unwrap() > 0).then_some(())
        })
        .await;
        // It is granted, because ours is rolled back.
        sqlx::raw_sql(ours).execute(&mut self.0).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.unwrap();
    }
}
