//! A database that was brought back from a backup (docs/security.md DAT-3).

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::program::{output, printed};
use crate::support::{Person, TestApp, Tokens, eventually};

/// Copies the database of a stopped instance, and brings the copy back.
struct Backup {
    database: String,
    admin: PgConnection,
}

impl Backup {
    async fn of(app: &TestApp) -> Self {
        let database = app.setting("DATABASE_URL").rsplit('/').next().unwrap().to_owned();
        let admin = app.setting("DATABASE_URL").replace(&database, "postgres");
        let mut backup = Self { database, admin: PgConnection::connect(&admin).await.unwrap() };
        backup.run(&format!("CREATE DATABASE backup_{0} TEMPLATE {0}", backup.database)).await;
        backup
    }

    async fn restore(mut self) {
        self.run(&format!("DROP DATABASE {} WITH (FORCE)", self.database)).await;
        self.run(&format!("ALTER DATABASE backup_{0} RENAME TO {0}", self.database)).await;
    }

    async fn run(&mut self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut self.admin).await.unwrap();
    }
}

/// `authql …` with the settings of an instance.
fn operate(app: &TestApp, arguments: &[&str]) -> String {
    printed(output(Path::new("/"), &app.operator_settings(), arguments))
}

async fn is_refused(tokens: &Tokens, app: &TestApp) -> bool {
    tokens.me(app).await.is_none() && tokens.refusal(app).await == "REFRESH_TOKEN_INVALID"
}

#[tokio::test]
async fn no_token_of_before_lives_on_in_a_restored_database() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let (ended, rotated, quiet) = (ada.login(&app).await, ada.login(&app).await, ada.login(&app).await);
    app.stop().await;
    let backup = Backup::of(&app).await;
    app.restart().await;
    ended.logout(&app).await;
    let rotated_later = rotated.refresh(&app).await.refresh(&app).await;
    let begun_later = Person::new("Bob");
    begun_later.register(&app).await;
    let begun_later = begun_later.login(&app).await;
    app.stop().await;
    backup.restore().await;

    let said = operate(&app, &["sessions", "end-all"]);
    assert_eq!(said, "Everybody has to log in again: 3 sessions were ended, and 2 signing keys replaced.\n");
    app.restart().await;
    for tokens in [&ended, &rotated, &rotated_later, &quiet, &begun_later] {
        assert!(is_refused(tokens, &app).await);
    }
    let events = operate(&app, &["events", "--kind", "session_ended_by_operator"]);
    assert_eq!(events.matches("session_ended_by_operator").count(), 3, "{events}");
    assert_eq!(ada.login(&app).await.refresh(&app).await.me(&app).await, Some(ada.email));
}

/// It can be done at any time, and spares whoever logs in afterwards.
#[tokio::test]
async fn everybody_is_logged_out_of_running_instances_at_once() {
    let Some(app) = TestApp::on_servers().await else { return };
    let ada = app.registered("Ada").await;
    let sister = app.sister().await;
    let tokens = ada.login(&app).await;
    assert!(tokens.me(&sister).await.is_some());
    operate(&app, &["sessions", "end-all"]);
    for app in [&app, &sister] {
        eventually("it is refused", async || is_refused(&tokens, app).await.then_some(())).await;
    }
    // One whose key was retired a moment after it was used has to refresh.
    let tokens = ada.login(&app).await;
    eventually("new keys sign", async || tokens.refresh(&app).await.me(&sister).await).await;
}
