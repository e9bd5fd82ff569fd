//! What must survive (FAULTS.md F1, F2, F4, F9, F18): Redis and Postgres killed, flushed and hung.

use crate::support::{TestApp, eventually};

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
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let (ended, living) = (ada.login(&app).await, ada.login(&app).await);
    ended.logout(&app).await;
    let _: String = app.redis.as_ref().unwrap().command("FLUSHALL").await;
    assert_eq!(ended.me(&app).await, None);
    assert!(living.me(&app).await.is_some());
    living.refresh(&app).await;
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_hinders_no_logout() {
    let Some(app) = TestApp::on_servers().await else { return };
    let tokens = app.registered("Ada").await.login(&app).await;
    let _: String = app.redis.as_ref().unwrap().command("REPLICAOF 127.0.0.1 1").await;
    assert_eq!(tokens.logout(&app).await, 1);
    assert_eq!(tokens.me(&app).await, None);
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
