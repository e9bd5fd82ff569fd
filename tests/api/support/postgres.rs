//! One private PostgreSQL for the whole run, and a database for each test, copied from a template.

use std::path::PathBuf;
use std::sync::LazyLock;

use authql::adapters::embedded::{PORT, PrivatePostgres, USER};
use authql::adapters::postgres::Database;
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use super::leash::Leash;

/// The server outlives each test, so it has a runtime of its own.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let cluster =
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(Cluster::start())).join().unwrap());
    // Leaked with the cluster: what looks after the server runs in it.
    std::mem::forget(runtime);
    cluster
});

struct Cluster {
    socket_folder: PathBuf,
    _server: PrivatePostgres,
    _leash: Leash,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("authql-tests-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .tempdir()
            .unwrap()
            .keep();
        let server = PrivatePostgres::start(&folder).await.unwrap();
        let leash = Leash::on(server.pid().unsigned_abs(), "INT", &folder).unwrap();
        let cluster =
            Self { socket_folder: server.socket_folder().to_owned(), _server: server, _leash: leash };
        cluster.execute("CREATE DATABASE template").await;
        let template = Database::on_socket(&cluster.socket_folder, PORT, USER, "template");
        template.migrate().await.unwrap();
        template.close().await;
        cluster
    }

    fn url(&self, database: &str) -> String {
        let folder = self.socket_folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{PORT}/{database}")
    }

    async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The URL of a new, migrated database.
pub async fn new_database() -> String {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let cluster = tokio::task::spawn_blocking(|| &*CLUSTER).await.unwrap();
    cluster.execute(&format!("CREATE DATABASE {name} TEMPLATE template")).await;
    cluster.url(&name)
}
