//! What a server for others needs, and what contradicts itself.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::parse;
use super::{ConfigError, Environment, HttpConfig, StoresConfig};
use crate::domain::{Origins, OriginsError, TrustedProxies, TrustedProxiesError, is_loopback};

pub(super) fn previous_secret(
    environment: &Environment,
    present: Option<&SecretString>,
) -> Result<Option<SecretString>, ConfigError> {
    const NAME: &str = "AUTHQL_SECRET_PREVIOUS";
    let previous = environment.secret(NAME)?;
    let Some(secret) = &previous else { return Ok(None) };
    parse::check_secret(NAME, secret)?;
    match present {
        None => Err(ConfigError::new(
            NAME,
            "is set, and AUTHQL_SECRET is not: set AUTHQL_SECRET to the secret that takes its place",
        )),
        Some(present) if present.expose_secret() == secret.expose_secret() => Err(ConfigError::new(
            NAME,
            "is the same as AUTHQL_SECRET: unset it, or set it to the other secret",
        )),
        Some(_) => Ok(previous),
    }
}

pub(super) fn http(environment: &Environment) -> Result<HttpConfig, ConfigError> {
    let given = environment.get("AUTHQL_LISTEN")?;
    let text = given.unwrap_or("127.0.0.1:8080");
    let listen: SocketAddr = text.parse().map_err(|_| {
        ConfigError::new("AUTHQL_LISTEN", "is not an address with a port: write it as 127.0.0.1:8080")
    })?;
    let web_address = |name| environment.get(name)?.map(|text| web_address(name, text)).transpose();
    let public_url = web_address("AUTHQL_PUBLIC_URL")?.unwrap_or_else(|| format!("http://{listen}"));
    let frontend_url = web_address("AUTHQL_FRONTEND_URL")?;
    let origins = origins(environment.get("AUTHQL_ALLOWED_ORIGINS")?.unwrap_or_default(), &public_url)?;
    let trusted_proxies = trusted_proxies(environment.get("AUTHQL_TRUSTED_PROXIES")?.unwrap_or_default())?;
    Ok(HttpConfig {
        listen,
        is_port_fixed: given.is_some(),
        public_url,
        frontend_url,
        origins,
        trusted_proxies,
    })
}

fn origins(text: &str, public_url: &str) -> Result<Origins, ConfigError> {
    Origins::parse(text, public_url).map_err(|error| {
        let advice = match &error {
            OriginsError::Wildcard(part) => {
                format!("has `{part}`, and pages of strangers could act for their visitors: name each origin, such as https://app.example.com")
            }
            OriginsError::NoScheme(part) => {
                format!("has `{part}` without its scheme: write it as https://app.example.com, or http://localhost:5173")
            }
            OriginsError::TooMuch(part) => {
                format!("has `{part}`, which is more than an origin: leave out what follows the host and the port, the last slash too")
            }
            OriginsError::Insecure(part) => {
                format!("has `{part}`, a page that could be changed on its way: make it https://")
            }
            OriginsError::Malformed(part) => {
                format!("has `{part}`, which is no origin: write it as https://app.example.com, or http://localhost:5173")
            }
        };
        ConfigError::new("AUTHQL_ALLOWED_ORIGINS", advice)
    })
}

fn trusted_proxies(text: &str) -> Result<TrustedProxies, ConfigError> {
    TrustedProxies::parse(text).map_err(|error| {
        let advice = match &error {
            TrustedProxiesError::Malformed(part) => {
                format!("has `{part}`, which is no network: write networks with commas between them, such as 127.0.0.1/32,10.0.0.0/8")
            }
            TrustedProxiesError::Everybody(part) => {
                format!("has `{part}`, so that every client could choose its address: name the networks of your own proxies only")
            }
        };
        ConfigError::new("AUTHQL_TRUSTED_PROXIES", advice)
    })
}

fn web_address(name: &str, text: &str) -> Result<String, ConfigError> {
    let refused = |advice| Err(ConfigError::new(name, advice));
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
            refused("is not a web address: write it as https://auth.example.com")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() => {
            refused("has more than an address: leave out what follows ? or #, and user names")
        }
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
            refused("is http:// on a public host, where tokens could be read on the way: make it https://")
        }
        Ok(_) => Ok(text.trim_end_matches('/').to_owned()),
        Err(_) => refused("is not a web address: write it as https://auth.example.com"),
    }
}

/// Servers outlive this process and are shared by several, so nothing that they rely on may be made up at the start.
pub(super) fn require_what_servers_need(
    environment: &Environment,
    http: &HttpConfig,
    stores: &StoresConfig,
    has_secret: bool,
    has_smtp: bool,
) -> Result<(), ConfigError> {
    let is_set = |name| environment.get(name).map(|value| value.is_some());
    let is_public =
        !http.listen.ip().is_loopback() || Url::parse(&http.public_url).is_ok_and(|url| !is_loopback(&url));
    for (name, present) in
        [("DATABASE_URL", stores.database_url.is_some()), ("REDIS_URL", stores.redis_url.is_some())]
    {
        if is_public && !present {
            return Err(ConfigError::new(
                name,
                "is missing, and this server is for the public (AUTHQL_LISTEN or AUTHQL_PUBLIC_URL is no loopback address): set it to a running server",
            ));
        }
    }
    if stores.database_url.is_some() && !has_secret {
        return Err(ConfigError::new(
            "AUTHQL_SECRET",
            "is missing, and DATABASE_URL is set: set it to the output of `openssl rand -base64 32`, the same for all instances",
        ));
    }
    if stores.database_url.is_some() && !is_set("AUTHQL_PUBLIC_URL")? {
        return Err(ConfigError::new(
            "AUTHQL_PUBLIC_URL",
            "is missing, and DATABASE_URL is set: set it to the address that clients use, such as https://auth.example.com",
        ));
    }
    // With templates of the operator's own, their brand.toml may name the sender.
    if has_smtp && !is_set("AUTHQL_MAIL_FROM")? && !is_set("AUTHQL_MAIL_TEMPLATES")? {
        return Err(ConfigError::new(
            "AUTHQL_MAIL_FROM",
            "is missing, and SMTP_URL is set: set it to the sender of mails, such as `authql <no-reply@example.com>`",
        ));
    }
    if is_public && !has_smtp {
        return Err(ConfigError::new(
            "SMTP_URL",
            "is missing, and this server is for the public, where nobody may read the mailbox page: set it to smtps://user:password@host",
        ));
    }
    Ok(())
}
