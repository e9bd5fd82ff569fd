//! The layers of docs/design.md#layers, kept by reading the sources.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may name of this crate, besides itself.
const LAYERS: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("ports", &["domain"]),
    ("services", &["ports", "domain"]),
    ("graphql", &["services", "domain"]),
    ("http", &["graphql", "services", "domain"]),
    ("worker", &["services", "domain"]),
    ("adapters", &["ports", "domain"]),
    ("config", &["domain"]),
];

/// Where each library may be named, and nowhere else.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("async_graphql", &["graphql", "http/graphql.rs"]),
    ("garde", &["graphql"]),
    ("async_graphql_axum", &["http"]),
    ("axum", &["http"]),
    ("tower_http", &["http"]),
    ("hyper", &["http/connections.rs", "http/connections"]),
    ("hyper_util", &["http/connections.rs"]),
    ("sqlx", &["adapters/postgres"]),
    ("bb8_redis", &["adapters/redis"]),
    ("redis", &["adapters/redis"]),
    ("lettre", &["adapters/smtp"]),
    ("argon2", &["adapters/password_hashing"]),
    ("bcrypt", &["adapters/password_hashing"]),
    ("scrypt", &["adapters/password_hashing"]),
    ("jsonwebtoken", &["adapters/jwt.rs"]),
    ("ipnet", &["domain/network.rs"]),
    ("minijinja", &["adapters/templates"]),
    ("toml", &["adapters/templates"]),
];

/// Every source file, with its path below `src` and its code without comments.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code: Vec<&str> =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), code.join("\n")));
            }
        }
    }
    assert!(files.len() > 30, "the sources were not found");
    files
}

/// The names that follow `prefix::` in a text, as in `crate::domain::User`, groups as in `crate::{http, worker}` included.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let end_of_name = |c: char| !c.is_alphanumeric() && c != '_';
    code.split(prefix)
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        })
        .map(|rest| rest.split(end_of_name).next().unwrap_or_default())
        .collect()
}

#[test]
fn imports_point_downwards() {
    let mut seen = 0;
    for (path, code) in sources() {
        let layer = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else { continue };
        for name in names_after(&code, "crate::") {
            seen += 1;
            assert!(name == layer || allowed.contains(&name), "{} names crate::{name}", path.display());
        }
    }
    assert!(seen > 50, "only {seen} imports were found");
}

#[test]
fn each_library_stays_in_its_layer() {
    for (library, homes) in LIBRARIES {
        let mut seen = 0;
        for (path, code) in sources() {
            let named = code
                .match_indices(&format!("{library}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if named {
                seen += 1;
                assert!(
                    homes.iter().any(|home| path.starts_with(home)),
                    "{} names {library}",
                    path.display()
                );
            }
        }
        assert!(seen > 0, "nobody uses {library}");
    }
}
