//! A private Redis for one test.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::find_program;
use super::leash::Leash;

/// A server on a port of its own, in memory only.
pub struct TestRedis {
    port: u16,
    running: Option<Leash>,
}

impl TestRedis {
    /// `None`, after saying so, where Redis is not installed.
    pub fn start() -> Option<Self> {
        find_program("redis-server")?;
        let mut redis = Self { port: free_port(), running: None };
        redis.restart();
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it as `kill -9` does; what it held is gone.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        let folder = tempfile::tempdir().unwrap().keep();
        let child = Command::new(find_program("redis-server").unwrap())
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .arg("--dir")
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.running = Some(Leash::on(child.id(), "KILL", &folder).unwrap());
        reap(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "Redis did not start");
            std::thread::yield_now();
        }
    }

    /// Lets the budgets of attempts grow older.
    pub async fn age_limits(&self, by: TimeDelta) {
        let script = "for _, key in ipairs(redis.call('KEYS', 'authql:limit:*')) do
            local full_at = redis.call('GET', key) - ARGV[1]
            redis.call('SET', key, string.format('%.0f', full_at), 'KEEPTTL')
        end";
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut aging = redis::cmd("EVAL");
        aging.arg(script).arg(0).arg(by.num_microseconds().unwrap());
        let () = aging.query_async(&mut connection).await.unwrap();
    }

    /// Runs one command, its words separated by spaces.
    pub async fn command<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = command.split(' ');
        redis::cmd(words.next().unwrap())
            .arg(words.collect::<Vec<_>>())
            .query_async(&mut connection)
            .await
            .unwrap()
    }
}

/// A process that has ended stays visible to `kill -0` until somebody waits for it.
fn reap(mut child: std::process::Child) {
    std::thread::spawn(move || child.wait());
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
