//! What an operator reads after each mistake.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const SECRET: &str = "q3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";

fn read(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_environment(&settings.iter().copied().collect())
}

fn complaint(settings: &[(&str, &str)]) -> String {
    read(settings).unwrap_err().to_string()
}

/// A complete server setting, with one thing changed.
fn server_with(name: &'static str, text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![
        ("DATABASE_URL", "postgres://authql@localhost/authql"),
        ("REDIS_URL", "redis://localhost"),
        ("SMTP_URL", "smtps://localhost"),
        ("AUTHQL_SECRET", SECRET),
        ("AUTHQL_PUBLIC_URL", "https://auth.example.com"),
        ("AUTHQL_MAIL_FROM", "authql <no-reply@example.com>"),
    ];
    settings.retain(|(known, _)| *known != name);
    settings.push((name, text));
    settings
}

#[test]
fn nothing_needs_to_be_set() {
    let config = read(&[]).unwrap();
    assert_eq!(config.http.public_url, "http://127.0.0.1:8080");
    assert!(!config.http.is_port_fixed && config.explore.graphiql && config.explore.introspection);
    assert_eq!(config.sessions.lifetimes.access, TimeDelta::minutes(15));
    assert_eq!(config.sessions.lifetimes.absolute, TimeDelta::days(90));
    assert_eq!(config.passwords.memory_kib, 19_456);
    assert_eq!(Some(config.sessions.cap), SessionCap::new(100));
}

#[test]
fn links_lead_to_the_front_end_or_to_where_the_server_really_is() {
    let moved = "127.0.0.1:8081".parse().unwrap();
    let frontend_url = |settings: &[(&str, &str)]| {
        let mut http = read(settings).unwrap().http;
        http.listens_on(moved);
        http.frontend_url().to_owned()
    };
    assert_eq!(frontend_url(&[]), "http://127.0.0.1:8081");
    assert_eq!(frontend_url(&[("AUTHQL_PUBLIC_URL", "http://localhost:9000/")]), "http://localhost:9000");
    assert_eq!(
        frontend_url(&[("AUTHQL_FRONTEND_URL", "https://app.example.com/")]),
        "https://app.example.com"
    );
}

#[test]
fn servers_are_all_that_a_public_server_needs() {
    let config = read(&server_with("AUTHQL_LISTEN", "0.0.0.0:80")).unwrap();
    assert!(config.http.is_port_fixed && !config.explore.graphiql && !config.explore.introspection);
    assert_eq!(config.http.public_url, "https://auth.example.com");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        complaint(&[("AUTHQL_ACESS_TTL", "1m")]),
        "AUTHQL_ACESS_TTL is no setting of authql: did you mean AUTHQL_ACCESS_TTL?"
    );
    assert!(complaint(&[("AUTHQL_COLOUR_OF_THE_SKY", "blue")]).contains("see the table in README.md"));
    assert!(read(&[("HOME", "/"), ("DATABASE_URLS", "x")]).is_ok());
}

#[test]
fn each_wrong_text_is_refused_by_name() {
    for (name, text, advice) in [
        ("AUTHQL_ACCESS_TTL", "15", "is no duration: write a number and s, m, h or d"),
        ("AUTHQL_ACCESS_TTL", "16m", "is out of range: it may be 1s to 15m"),
        ("AUTHQL_ACCESS_TTL", "-1m", "is no duration"),
        ("AUTHQL_REFRESH_TTL", "99999999999999999999d", "is no duration"),
        ("AUTHQL_REFRESH_REPLAY_WINDOW", "11m", "may be 0s to 10m"),
        ("AUTHQL_KEY_ROTATION", "59m", "may be 1h to 3650d"),
        ("AUTHQL_SESSIONS_PER_ACCOUNT", "0", "is no number from 1 to 10000"),
        ("AUTHQL_SESSIONS_PER_ACCOUNT", "10001", "is no number from 1 to 10000"),
        ("AUTHQL_PASSWORD_MIN_LENGTH", "7", "is no number from 8 to 128"),
        ("AUTHQL_HASH_LANES", "0", "is no number from 1 to 64"),
        ("AUTHQL_HASH_MEMORY", "1024", "is no number from 7168"),
        ("AUTHQL_LOG", "infos", "is no log filter: write a level such as `info`"),
        ("AUTHQL_LOG", "info,authql", "is no log filter"),
        ("AUTHQL_MAIL_RATE", "60", "is no rate: write a number and the time for it"),
        ("AUTHQL_MAIL_RATE", "0/1m", "is no rate"),
        ("AUTHQL_MAIL_RATE", "60/0s", "is no rate"),
        ("AUTHQL_MAIL_CONCURRENCY", "0", "is no number from 1 to 256"),
        ("AUTHQL_LOGIN_REQUIRES", "verified", "is neither `any` nor `verified_email`"),
        ("AUTHQL_GRAPHIQL", "true", "is neither `on` nor `off`"),
        ("AUTHQL_LISTEN", "8080", "is not an address with a port"),
        ("AUTHQL_TRUSTED_PROXIES", "10.0.0.0/8,nginx", "has `nginx`, which is no network"),
        ("AUTHQL_TRUSTED_PROXIES", "0.0.0.0/0", "every client could choose its address"),
        ("AUTHQL_ALLOWED_ORIGINS", "*", "has `*`, and pages of strangers could act for their visitors"),
        ("AUTHQL_ALLOWED_ORIGINS", "https://*.example.com", "name each origin"),
        (
            "AUTHQL_ALLOWED_ORIGINS",
            "app.example.com",
            "without its scheme: write it as https://app.example.com",
        ),
        (
            "AUTHQL_ALLOWED_ORIGINS",
            "https://app.example.com/",
            "leave out what follows the host and the port",
        ),
        ("AUTHQL_ALLOWED_ORIGINS", "https://app.example.com/login", "which is more than an origin"),
        ("AUTHQL_ALLOWED_ORIGINS", "http://app.example.com", "make it https://"),
        ("AUTHQL_ALLOWED_ORIGINS", "https://app example.com", "which is no origin"),
        ("AUTHQL_PUBLIC_URL", "auth.example.com", "is not a web address"),
        ("AUTHQL_PUBLIC_URL", "http://auth.example.com", "make it https://"),
        ("AUTHQL_FRONTEND_URL", "app.example.com", "is not a web address"),
        ("AUTHQL_PUBLIC_URL", "https://auth.example.com/?a=b", "has more than an address"),
    ] {
        let complaint = complaint(&[(name, text)]);
        assert!(complaint.starts_with(name) && complaint.contains(advice), "{complaint}");
    }
}

#[test]
fn contradictions_are_refused() {
    assert!(complaint(&[("AUTHQL_REFRESH_TTL", "91d")]).contains("is longer than AUTHQL_SESSION_MAX_AGE"));
    assert!(complaint(&[("AUTHQL_REFRESH_TTL", "1m")]).contains("is longer than AUTHQL_REFRESH_TTL"));
    let twice = complaint(&[("AUTHQL_SECRET", SECRET), ("AUTHQL_SECRET_FILE", "/run/secret")]);
    assert!(twice.contains("is given twice"), "{twice}");
}

#[test]
fn a_weak_secret_is_refused() {
    for (text, advice) in [
        ("changeme", "is too short"),
        ("0123456789012345678901234567890", "is too short"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "is easy to guess"),
        ("password12password12password12password12", "is easy to guess"),
        ("0000000000000000000000000000000000000001", "is easy to guess"),
    ] {
        let complaint = complaint(&[("AUTHQL_SECRET", text)]);
        assert!(complaint.starts_with("AUTHQL_SECRET") && complaint.contains(advice), "{text}: {complaint}");
        assert!(!complaint.contains(text), "the secret itself is not repeated");
    }
    assert!(read(&[("AUTHQL_SECRET", SECRET)]).is_ok());
    assert!(read(&[("AUTHQL_SECRET", "5d41402abc4b2a76b9719d911017c592")]).is_ok());
}

#[test]
fn a_previous_secret_is_another_one_and_as_good() {
    let with = |previous| complaint(&[("AUTHQL_SECRET", SECRET), ("AUTHQL_SECRET_PREVIOUS", previous)]);
    assert!(with(SECRET).contains("AUTHQL_SECRET_PREVIOUS is the same as AUTHQL_SECRET"));
    assert!(with("changeme").starts_with("AUTHQL_SECRET_PREVIOUS is too short"));
    assert!(complaint(&[("AUTHQL_SECRET_PREVIOUS", SECRET)]).contains("and AUTHQL_SECRET is not"));
    let other = "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";
    assert!(read(&[("AUTHQL_SECRET", SECRET), ("AUTHQL_SECRET_PREVIOUS", other)]).is_ok());
}

#[test]
fn a_pepper_is_a_secret_of_its_own() {
    let other = "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";
    assert!(read(&[]).unwrap().passwords.pepper.is_none());
    for name in ["AUTHQL_PEPPER", "AUTHQL_PEPPER_PREVIOUS"] {
        assert!(complaint(&[(name, "changeme")]).starts_with(&format!("{name} is too short")));
        for secret in ["AUTHQL_SECRET", "AUTHQL_SECRET_PREVIOUS"] {
            let mut settings = vec![("AUTHQL_SECRET", SECRET), ("AUTHQL_SECRET_PREVIOUS", other)];
            let theirs = settings.iter().find(|(known, _)| *known == secret).unwrap().1;
            settings.push((name, theirs));
            let expected = format!("{name} is the same as AUTHQL_SECRET or AUTHQL_SECRET_PREVIOUS");
            assert!(complaint(&settings).starts_with(&expected), "{}", complaint(&settings));
        }
    }
    let same = complaint(&[("AUTHQL_PEPPER", other), ("AUTHQL_PEPPER_PREVIOUS", other)]);
    assert!(same.starts_with("AUTHQL_PEPPER_PREVIOUS is the same as AUTHQL_PEPPER: "), "{same}");
    let both = read(&[("AUTHQL_PEPPER", SECRET), ("AUTHQL_PEPPER_PREVIOUS", other)]).unwrap().passwords;
    assert!(both.pepper.is_some() && both.previous_pepper.is_some());
    // A pepper is taken away like this.
    assert!(read(&[("AUTHQL_PEPPER_PREVIOUS", other)]).unwrap().passwords.previous_pepper.is_some());
}

/// As other secrets are.
#[test]
fn a_pepper_is_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pepper");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, other) in
        [("AUTHQL_PEPPER_FILE", "AUTHQL_PEPPER"), ("AUTHQL_PEPPER_PREVIOUS_FILE", "AUTHQL_PEPPER_PREVIOUS")]
    {
        let settings = [(name, file.to_str().unwrap())];
        let passwords = read(&settings).unwrap().passwords;
        assert_eq!(passwords.pepper.is_some(), other == "AUTHQL_PEPPER");
        assert_eq!(passwords.previous_pepper.is_some(), other != "AUTHQL_PEPPER");
        assert!(complaint(&[settings[0], (other, SECRET)]).contains("is given twice"));
    }
}

#[test]
fn a_public_server_needs_its_servers() {
    for name in
        ["DATABASE_URL", "REDIS_URL", "SMTP_URL", "AUTHQL_SECRET", "AUTHQL_PUBLIC_URL", "AUTHQL_MAIL_FROM"]
    {
        let complaint = complaint(&server_with(name, ""));
        assert!(complaint.starts_with(&format!("{name} is missing")), "{complaint}");
    }
    assert!(complaint(&[("AUTHQL_LISTEN", "0.0.0.0:8080")]).starts_with("DATABASE_URL is missing"));
}

/// Whether it does, the templates tell.
#[test]
fn a_folder_of_templates_may_name_the_sender() {
    let mut settings = server_with("AUTHQL_MAIL_FROM", "");
    settings.push(("AUTHQL_MAIL_TEMPLATES", "/etc/authql/mail"));
    let mail = read(&settings).unwrap().mail;
    assert_eq!((mail.sender, mail.templates), (None, Some("/etc/authql/mail".into())));
}

#[test]
fn rates_are_read_and_switched_off_alone_or_together() {
    let limits = |settings: &[(&str, &str)]| read(settings).unwrap().limits;
    let minute = Duration::from_mins(1);
    let rate =
        |count, minutes: u32| NonZeroU32::new(count).map(|count| Rate { count, period: minutes * minute });
    let default = limits(&[]);
    assert_eq!((default.network, default.account), (rate(60, 1), rate(6, 10)));
    let off = limits(&[("AUTHQL_RATE_LIMITS", "off"), ("AUTHQL_RATE_LIMIT_NETWORK", "5/1h")]);
    assert_eq!((off.network, off.account, off.session), (None, None, None));
    let one = limits(&[("AUTHQL_RATE_LIMIT_NETWORK", "off"), ("AUTHQL_RATE_LIMIT_ACCOUNT", "3/2m")]);
    assert_eq!((one.network, one.account), (None, rate(3, 2)));
    for text in ["60", "0/1m", "60/0s", "60/1", "/1m", "1m/60"] {
        let complaint = complaint(&[("AUTHQL_RATE_LIMIT_ACCOUNT", text)]);
        assert!(complaint.starts_with("AUTHQL_RATE_LIMIT_ACCOUNT is no rate"), "{text}: {complaint}");
    }
}

#[test]
fn a_secret_is_read_from_a_file_that_nobody_else_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let name = file.to_str().unwrap();
    let complaint = |settings: &[(&str, &str)]| read(settings).map(drop).unwrap_err().to_string();
    assert!(complaint(&[("AUTHQL_SECRET_FILE", name)]).contains("cannot be read"));

    fs::write(&file, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(complaint(&[("AUTHQL_SECRET_FILE", name)]).contains("chmod 600"));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(read(&[("AUTHQL_SECRET_FILE", name)]).unwrap().secret.is_some());
    fs::write(&file, "").unwrap();
    assert!(complaint(&[("AUTHQL_SECRET_FILE", name)]).contains("names an empty file"));
}
