//! nginx with the checked-in configuration, in front of authql.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{TestApp, eventually, find_program, free_port, make_certificate};

/// A running nginx with the checked-in configuration. Ended by its own signal when dropped.
pub struct Edge {
    pub https: u16,
    pub http: u16,
    folder: TempDir,
    nginx: Child,
}

impl Edge {
    /// In front of `app`. `None`, after saying so, where nginx, openssl or curl is missing.
    pub async fn in_front_of(app: &TestApp) -> Option<Self> {
        Self::named("localhost", app).await
    }

    /// The same, known by another name than its certificate says.
    pub async fn named(host: &str, app: &TestApp) -> Option<Self> {
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
            ("server_name localhost", &format!("server_name {host}")),
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

    /// The folder of its certificate: `fullchain.pem` and `privkey.pem`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("run/certificate")
    }

    /// What curl prints, headers first, for a request to `https://localhost`.
    pub fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--include", "--max-time", "20", "--resolve"])
            .arg(format!("localhost:{}:127.0.0.1", self.https))
            .arg("--cacert")
            .arg(self.certificate().join("fullchain.pem"))
            .args(arguments)
            .arg(format!("https://localhost:{}{path}", self.https))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The body of the answer to a GraphQL document.
    pub fn graphql(&self, query: &str, bearer: Option<&str>) -> Value {
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
