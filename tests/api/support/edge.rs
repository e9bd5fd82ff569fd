//! nginx with the checked-in configuration, in front of authql.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{STRICT, TestApp, eventually, find_program, free_port, make_certificate};

/// Where Debian's package `libnginx-mod-stream` puts it. Other builds of nginx have it inside.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A running nginx with the checked-in configuration. Ended by its own signal when dropped.
pub struct Edge {
    pub https: u16,
    pub http: u16,
    folder: TempDir,
    nginx: Child,
}

impl Edge {
    /// In front of `app`. `None`, after saying so, where nginx, its stream module, openssl or curl is missing.
    pub async fn in_front_of(app: &TestApp) -> Option<Self> {
        Self::changed(&[], app).await
    }

    /// The same, known by another name than its certificate says.
    pub async fn named(host: &str, app: &TestApp) -> Option<Self> {
        Self::changed(&[("server_name localhost", &format!("server_name {host}"))], app).await
    }

    /// The same, with other strings in place of some of the configuration's.
    pub async fn changed(changes: &[(&str, &str)], app: &TestApp) -> Option<Self> {
        let (nginx, openssl) = (find_program("nginx")?, find_program("openssl")?);
        find_program("curl")?;
        // nginx started by root gives its workers to another user, who has to reach the folder.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let (https, http) = (free_port(), free_port());
        let upstream = app.url.trim_start_matches("http://");
        let run = folder.path().join("run");
        make_certificate(&openssl, &run.join("certificate"));

        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx.conf");
        let mut text = fs::read_to_string(source).unwrap();
        let (acme, log) = (folder.path().join("acme"), folder.path().join("access.log"));
        let (listen_https, listen_http) =
            (format!("listen 127.0.0.1:{https}"), format!("listen 127.0.0.1:{http}"));
        let server = format!("server {upstream}");
        fs::create_dir_all(&acme).unwrap();
        let own = [
            ("/run/nginx", run.to_str().unwrap()),
            ("/var/www/acme", acme.to_str().unwrap()),
            ("/dev/stdout", log.to_str().unwrap()),
            ("listen 443", listen_https.as_str()),
            ("listen 80", listen_http.as_str()),
            ("server authql-1:8080", server.as_str()),
            ("server authql-2:8080", server.as_str()),
        ];
        for (there, here) in changes.iter().copied().chain(own) {
            assert!(text.contains(there), "nginx.conf no longer has `{there}`");
            text = text.replace(there, here);
        }
        if Path::new(STREAM_MODULE).exists() {
            text.insert_str(0, &format!("load_module {STREAM_MODULE};\n"));
        }
        let config = folder.path().join("nginx.conf");
        fs::write(&config, text).unwrap();
        let checked = Command::new(&nginx).arg("-t").arg("-c").arg(&config).output().unwrap();
        let complaint = String::from_utf8_lossy(&checked.stderr);
        if complaint.contains(r#"unknown directive "stream""#) && std::env::var_os(STRICT).is_none() {
            println!("left out: nginx has no stream module here (./dev test installs it)");
            return None;
        }
        assert!(checked.status.success(), "{complaint}");
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
