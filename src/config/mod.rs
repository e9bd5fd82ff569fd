//! Settings: read once from the environment (and `.env`), checked as a whole, and handed on as typed values.
//!
//! A wrong, weak, contradictory or unknown setting stops the start with one sentence that names it and says what to do.

mod environment;
mod limits;
mod parse;
mod passwords;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::SecretString;

use crate::domain::{
    CLOCK_SKEW, Lifetimes, LimitPolicy, LoginRequirement, Origins, PasswordPolicy, Rate, RetryPolicy,
    RotationPolicy, SessionCap, TrustedProxies,
};

pub use environment::Environment;
pub use parse::{ConfigError, read_duration};

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    /// Addresses.
    pub http: HttpConfig,
    /// Where data is kept.
    pub stores: StoresConfig,
    /// What every key is derived from; generated and kept in the data folder when `None`. Read from `AUTHQL_SECRET`.
    pub secret: Option<SecretString>,
    /// What else opens: the secret before the present one, or the one to come. Read from `AUTHQL_SECRET_PREVIOUS`.
    pub previous_secret: Option<SecretString>,
    /// How long a signing key signs. Read from `AUTHQL_KEY_ROTATION`.
    pub key_rotation: TimeDelta,
    /// Tokens and sessions.
    pub sessions: SessionsConfig,
    /// Passwords.
    pub passwords: PasswordsConfig,
    /// Accounts.
    pub accounts: AccountsConfig,
    /// How often what may be tried. Read from `AUTHQL_RATE_LIMITS`, `AUTHQL_RATE_LIMIT_NETWORK` and
    /// `AUTHQL_RATE_LIMIT_ACCOUNT`.
    pub limits: LimitPolicy,
    /// Mails.
    pub mail: MailConfig,
    /// How long it can be seen what happened to accounts, sessions and keys. Read from `AUTHQL_EVENT_RETENTION`.
    pub event_retention: TimeDelta,
    /// What helps exploring, and strangers too.
    pub explore: ExploreConfig,
    /// The log.
    pub log: LogConfig,
}

/// Addresses.
#[derive(Debug)]
pub struct HttpConfig {
    /// Where the API listens. Read from `AUTHQL_LISTEN`.
    pub listen: SocketAddr,
    /// Whether the operator named the port: then a taken one is an error, otherwise the next free one is used.
    pub is_port_fixed: bool,
    /// The address that clients use, without a slash at its end; the issuer of tokens. Read from `AUTHQL_PUBLIC_URL`.
    pub public_url: String,
    /// The address that links in mails begin with, without a slash at its end; our own `/confirm` when `None`. Read from
    /// `AUTHQL_FRONTEND_URL`.
    pub frontend_url: Option<String>,
    /// Whose pages may use the API: the server's own, and those that are named. Read from `AUTHQL_ALLOWED_ORIGINS`.
    pub origins: Origins,
    /// Whose `X-Forwarded-For` counts. Read from `AUTHQL_TRUSTED_PROXIES`.
    pub trusted_proxies: TrustedProxies,
}

/// Where data is kept.
#[derive(Debug)]
pub struct StoresConfig {
    /// The folder of the zero-configuration mode. Read from `AUTHQL_DATA_DIR`.
    pub data_dir: PathBuf,
    /// The Postgres server; a private one in the data folder when `None`. Read from `DATABASE_URL`.
    pub database_url: Option<SecretString>,
    /// The Redis server; in-process twins when `None`. Read from `REDIS_URL`.
    pub redis_url: Option<SecretString>,
}

/// Tokens and sessions.
#[derive(Debug, Clone, Copy)]
pub struct SessionsConfig {
    /// How long they live. Read from `AUTHQL_ACCESS_TTL`, `AUTHQL_REFRESH_TTL`, `AUTHQL_SESSION_MAX_AGE`.
    pub lifetimes: Lifetimes,
    /// What a refresh may do. Read from `AUTHQL_REFRESH_REPLAY_WINDOW`, `AUTHQL_REFRESH_LOST_ANSWER` and, for logins too,
    /// `AUTHQL_LOGIN_REQUIRES`.
    pub rotation: RotationPolicy,
    /// How many of them an account may have at once. Read from `AUTHQL_SESSIONS_PER_ACCOUNT`.
    pub cap: SessionCap,
}

/// Passwords.
#[derive(Debug, Clone)]
pub struct PasswordsConfig {
    /// What a new one must be like. Read from `AUTHQL_PASSWORD_MIN_LENGTH`.
    pub policy: PasswordPolicy,
    /// The list of those that nobody may choose any more. Read from `AUTHQL_BREACHED_PASSWORDS`.
    pub breached: Option<PathBuf>,
    /// How many are hashed at once. Read from `AUTHQL_HASH_LANES`.
    pub lanes: usize,
    /// argon2's `m`, in KiB. Read from `AUTHQL_HASH_MEMORY`.
    pub memory_kib: u32,
    /// argon2's `t`. Read from `AUTHQL_HASH_ITERATIONS`.
    pub iterations: u32,
    /// argon2's `K`, what new hashes are made with besides; nothing when `None`. Read from `AUTHQL_PEPPER`.
    pub pepper: Option<SecretString>,
    /// What old ones, or those of other instances, were made with. Read from `AUTHQL_PEPPER_PREVIOUS`.
    pub previous_pepper: Option<SecretString>,
}

/// Accounts.
#[derive(Debug, Clone, Copy)]
pub struct AccountsConfig {
    /// Whether whoever asks is told that an address has an account. Read from `AUTHQL_REVEAL_TAKEN_EMAIL`.
    pub reveals_taken: bool,
}

/// Mails.
#[derive(Debug)]
pub struct MailConfig {
    /// The SMTP server; the mailbox page when `None`. Read from `SMTP_URL`.
    pub smtp_url: Option<SecretString>,
    /// The sender; that of `brand.toml` when `None`. Read from `AUTHQL_MAIL_FROM`.
    pub sender: Option<String>,
    /// The folder whose files replace the built-in templates. Read from `AUTHQL_MAIL_TEMPLATES`.
    pub templates: Option<PathBuf>,
    /// When a mail is tried again. Read from `AUTHQL_MAIL_RETRY_MIN`.
    pub retry: RetryPolicy,
    /// How many mails this instance sends at once. Read from `AUTHQL_MAIL_CONCURRENCY`.
    pub concurrency: usize,
    /// How many mails this instance sends in a time; as many as it can when `None`. Read from `AUTHQL_MAIL_RATE`.
    pub rate: Option<Rate>,
    /// How long it can be seen to whom mails went. Read from `AUTHQL_MAIL_RETENTION`.
    pub retention: TimeDelta,
}

/// What helps exploring, and strangers too.
#[derive(Debug, Clone)]
pub struct ExploreConfig {
    /// Whether browsers find GraphiQL at `/graphql`. Read from `AUTHQL_GRAPHIQL`.
    pub graphiql: bool,
    /// Whether the schema can be asked for. Read from `AUTHQL_INTROSPECTION`.
    pub introspection: bool,
    /// The manifest of the documents that may be run; all may where it is `None`. Read from `AUTHQL_TRUSTED_DOCUMENTS`.
    pub trusted_documents: Option<PathBuf>,
}

/// The log.
#[derive(Debug)]
pub struct LogConfig {
    /// What is logged: a level, or directives such as `info,authql=debug`. Read from `AUTHQL_LOG`.
    pub filter: String,
    /// How. Read from `AUTHQL_LOG_FORMAT`.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that is wrong.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        environment.refuse_unknown_names()?;
        let stores = StoresConfig {
            data_dir: environment.get("AUTHQL_DATA_DIR")?.unwrap_or("data").into(),
            database_url: environment.secret("DATABASE_URL")?,
            redis_url: environment.secret("REDIS_URL")?,
        };
        let secret = environment.secret("AUTHQL_SECRET")?;
        if let Some(secret) = &secret {
            parse::check_secret("AUTHQL_SECRET", secret)?;
        }
        let previous_secret = server::previous_secret(environment, secret.as_ref())?;
        let smtp_url = environment.secret("SMTP_URL")?;
        let has_servers = stores.database_url.is_some() || stores.redis_url.is_some() || smtp_url.is_some();
        let http = server::http(environment)?;
        server::require_what_servers_need(environment, &http, &stores, secret.is_some(), smtp_url.is_some())?;
        Ok(Self {
            sessions: sessions(environment)?,
            passwords: passwords::passwords(environment, [secret.as_ref(), previous_secret.as_ref()])?,
            accounts: AccountsConfig {
                reveals_taken: environment.switch("AUTHQL_REVEAL_TAKEN_EMAIL", false)?,
            },
            limits: limits::limits(environment)?,
            mail: MailConfig {
                smtp_url,
                sender: environment.get("AUTHQL_MAIL_FROM")?.map(str::to_owned),
                templates: environment.get("AUTHQL_MAIL_TEMPLATES")?.map(PathBuf::from),
                retry: RetryPolicy {
                    first_wait: environment.duration("AUTHQL_MAIL_RETRY_MIN", "10s", "1ms", "1h")?,
                },
                concurrency: environment.number("AUTHQL_MAIL_CONCURRENCY", 8, 1, 256)? as usize,
                rate: environment.rate("AUTHQL_MAIL_RATE", "off")?,
                // Not sooner than limits look back at what an address has had.
                retention: environment.duration("AUTHQL_MAIL_RETENTION", "7d", "1d", "365d")?,
            },
            event_retention: environment.duration("AUTHQL_EVENT_RETENTION", "365d", "1d", "3650d")?,
            explore: explore(environment, !has_servers)?,
            log: log(environment)?,
            http,
            stores,
            secret,
            previous_secret,
            key_rotation: environment.duration("AUTHQL_KEY_ROTATION", "90d", "1h", "3650d")?,
        })
    }
}

/// Exploring is on `by_default`, unless documents have to be trusted: GraphiQL's are not.
fn explore(environment: &Environment, by_default: bool) -> Result<ExploreConfig, ConfigError> {
    let trusted_documents = environment.get("AUTHQL_TRUSTED_DOCUMENTS")?.map(PathBuf::from);
    let by_default = by_default && trusted_documents.is_none();
    let graphiql = environment.switch("AUTHQL_GRAPHIQL", by_default)?;
    if graphiql && trusted_documents.is_some() {
        return Err(ConfigError::new(
            "AUTHQL_GRAPHIQL",
            "is on, and AUTHQL_TRUSTED_DOCUMENTS runs nothing that is written in it: switch one of them off",
        ));
    }
    let introspection = environment.switch("AUTHQL_INTROSPECTION", by_default)?;
    Ok(ExploreConfig { graphiql, introspection, trusted_documents })
}

fn sessions(environment: &Environment) -> Result<SessionsConfig, ConfigError> {
    let access = environment.duration("AUTHQL_ACCESS_TTL", "15m", "1s", "15m")?;
    let idle = environment.duration("AUTHQL_REFRESH_TTL", "30d", "1m", "365d")?;
    let absolute = environment.duration("AUTHQL_SESSION_MAX_AGE", "90d", "1m", "3650d")?;
    let replay_window = environment.duration("AUTHQL_REFRESH_REPLAY_WINDOW", "30s", "0s", "10m")?;
    let lost_answer = environment.duration("AUTHQL_REFRESH_LOST_ANSWER", "24h", "0", "30d")?;
    let requirement = match environment.get("AUTHQL_LOGIN_REQUIRES")? {
        None | Some("any") => LoginRequirement::Any,
        Some("verified_email") => LoginRequirement::VerifiedEmail,
        Some(_) => {
            let advice = "is neither `any` nor `verified_email`: write one of them";
            return Err(ConfigError::new("AUTHQL_LOGIN_REQUIRES", advice));
        }
    };
    let cap = environment.number("AUTHQL_SESSIONS_PER_ACCOUNT", 100, 1, 10_000)?;
    let cap = SessionCap::new(cap)
        .ok_or_else(|| ConfigError::new("AUTHQL_SESSIONS_PER_ACCOUNT", "is zero: write 1 at least"))?;
    let longer = |name, than| {
        ConfigError::new(name, format!("is longer than {than}, and would have no effect: make it shorter"))
    };
    if access > idle {
        return Err(longer("AUTHQL_ACCESS_TTL", "AUTHQL_REFRESH_TTL"));
    }
    if idle > absolute {
        return Err(longer("AUTHQL_REFRESH_TTL", "AUTHQL_SESSION_MAX_AGE"));
    }
    if replay_window > idle {
        return Err(longer("AUTHQL_REFRESH_REPLAY_WINDOW", "AUTHQL_REFRESH_TTL"));
    }
    Ok(SessionsConfig {
        lifetimes: Lifetimes { access, idle, absolute },
        rotation: RotationPolicy {
            replay_window: replay_window.to_std().unwrap_or_default(),
            lost_answer: lost_answer.to_std().unwrap_or_default(),
            idle,
            requirement,
        },
        cap,
    })
}

fn log(environment: &Environment) -> Result<LogConfig, ConfigError> {
    let filter = environment.get("AUTHQL_LOG")?.unwrap_or("info").to_owned();
    // A bare word that is no level would be taken for the name of a module, and silence everything else.
    let is_bare_name = |directive: &str| {
        !directive.contains(['=', '['])
            && directive.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_err()
    };
    if filter.split(',').any(is_bare_name) || tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
        let advice =
            "is no log filter: write a level such as `info`, or directives such as `info,authql=debug`";
        return Err(ConfigError::new("AUTHQL_LOG", advice));
    }
    let format = match environment.get("AUTHQL_LOG_FORMAT")? {
        None => LogFormat::Auto,
        Some("human") => LogFormat::Human,
        Some("json") => LogFormat::Json,
        Some(_) => {
            return Err(ConfigError::new(
                "AUTHQL_LOG_FORMAT",
                "is neither `human` nor `json`: write one of them",
            ));
        }
    };
    Ok(LogConfig { filter, format })
}

impl HttpConfig {
    /// Where links in mails lead.
    #[must_use]
    pub fn frontend_url(&self) -> &str {
        self.frontend_url.as_deref().unwrap_or(&self.public_url)
    }

    /// Lets links follow the server to the port that was free, where nobody has said what its address is. The issuer of
    /// tokens stays: those of the last run are good on any port.
    pub fn listens_on(&mut self, address: SocketAddr) {
        if self.public_url == format!("http://{}", self.listen) {
            self.frontend_url.get_or_insert_with(|| format!("http://{address}"));
        }
    }
}

impl SessionsConfig {
    /// The longest that an access token may still be honoured after its session has ended, clocks that differ included.
    #[must_use]
    pub fn blacklist_ttl(&self) -> TimeDelta {
        self.lifetimes.access + CLOCK_SKEW
    }
}

#[cfg(test)]
mod tests;
