//! Where settings come from: the process environment, then `.env`; each secret also from a file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::parse::{self, ConfigError};
use crate::domain::Rate;

/// Every setting there is, apart from [`SECRETS`].
const NAMES: &[&str] = &[
    "AUTHQL_LISTEN",
    "AUTHQL_DATA_DIR",
    "AUTHQL_PUBLIC_URL",
    "AUTHQL_FRONTEND_URL",
    "AUTHQL_ALLOWED_ORIGINS",
    "AUTHQL_TRUSTED_PROXIES",
    "AUTHQL_LOGIN_REQUIRES",
    "AUTHQL_REVEAL_TAKEN_EMAIL",
    "AUTHQL_ACCESS_TTL",
    "AUTHQL_REFRESH_TTL",
    "AUTHQL_SESSION_MAX_AGE",
    "AUTHQL_SESSIONS_PER_ACCOUNT",
    "AUTHQL_REFRESH_REPLAY_WINDOW",
    "AUTHQL_REFRESH_LOST_ANSWER",
    "AUTHQL_KEY_ROTATION",
    "AUTHQL_PASSWORD_MIN_LENGTH",
    "AUTHQL_BREACHED_PASSWORDS",
    "AUTHQL_HASH_LANES",
    "AUTHQL_HASH_MEMORY",
    "AUTHQL_HASH_ITERATIONS",
    "AUTHQL_RATE_LIMITS",
    "AUTHQL_RATE_LIMIT_NETWORK",
    "AUTHQL_RATE_LIMIT_ACCOUNT",
    "AUTHQL_GRAPHIQL",
    "AUTHQL_INTROSPECTION",
    "AUTHQL_TRUSTED_DOCUMENTS",
    "AUTHQL_MAIL_FROM",
    "AUTHQL_MAIL_TEMPLATES",
    "AUTHQL_MAIL_RETRY_MIN",
    "AUTHQL_MAIL_CONCURRENCY",
    "AUTHQL_MAIL_RATE",
    "AUTHQL_MAIL_RETENTION",
    "AUTHQL_EVENT_RETENTION",
    "AUTHQL_LOG",
    "AUTHQL_LOG_FORMAT",
];

/// The settings that may also be given as the name of a file, in a variable with `_FILE` at its end.
const SECRETS: [&str; 7] = [
    "DATABASE_URL",
    "REDIS_URL",
    "SMTP_URL",
    "AUTHQL_SECRET",
    "AUTHQL_SECRET_PREVIOUS",
    "AUTHQL_PEPPER",
    "AUTHQL_PEPPER_PREVIOUS",
];

/// Setting names and their texts.
#[derive(Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process environment, completed by the file `.env` of the working folder where there is one.
    ///
    /// # Errors
    /// When `.env` cannot be read, or holds something that is no assignment.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut environment = Self::default();
        match dotenvy::from_filename_iter(".env") {
            Ok(lines) => {
                for line in lines {
                    let (name, text) =
                        line.map_err(|error| ConfigError::new(".env", dotenv_advice(&error)))?;
                    environment.0.insert(name, text);
                }
            }
            Err(error) if error.not_found() => {}
            Err(error) => return Err(ConfigError::new(".env", dotenv_advice(&error))),
        }
        environment.0.extend(std::env::vars_os().filter_map(|(name, text)| {
            // A name or a text that is no Unicode is none of ours.
            Some((name.into_string().ok()?, text.into_string().ok()?))
        }));
        Ok(environment)
    }

    /// The text of a setting. An empty text counts as none, as in `docker-compose.yml`.
    pub(super) fn get(&self, name: &'static str) -> Result<Option<&str>, ConfigError> {
        let text = self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        match text {
            Some(text) if text.contains(char::is_control) => {
                Err(ConfigError::new(name, "has a control character: write it on one line"))
            }
            text => Ok(text),
        }
    }

    /// A secret, given as it is or as the name of a file.
    pub(super) fn secret(&self, name: &'static str) -> Result<Option<SecretString>, ConfigError> {
        let file = self.0.get(&format!("{name}_FILE")).filter(|file| !file.is_empty());
        match (self.get(name)?, file) {
            (Some(_), Some(_)) => {
                Err(ConfigError::new(name, format!("is given twice: unset it, or unset {name}_FILE")))
            }
            (Some(text), None) => Ok(Some(text.into())),
            (None, Some(file)) => read_secret(name, Path::new(file)).map(Some),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn duration(
        &self,
        name: &'static str,
        default: &str,
        least: &str,
        most: &str,
    ) -> Result<TimeDelta, ConfigError> {
        parse::duration(name, self.get(name)?.unwrap_or(default), least, most)
    }

    pub(super) fn number(
        &self,
        name: &'static str,
        default: u32,
        least: u32,
        most: u32,
    ) -> Result<u32, ConfigError> {
        self.get(name)?.map_or(Ok(default), |text| parse::number(name, text, least, most))
    }

    pub(super) fn rate(&self, name: &'static str, default: &str) -> Result<Option<Rate>, ConfigError> {
        parse::rate(name, self.get(name)?.unwrap_or(default))
    }

    pub(super) fn switch(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.get(name)? {
            None => Ok(default),
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(_) => Err(ConfigError::new(name, "is neither `on` nor `off`: write one of them")),
        }
    }

    /// A slip in a name would silently leave a default in force.
    pub(super) fn refuse_unknown_names(&self) -> Result<(), ConfigError> {
        let known = || NAMES.iter().copied().chain(SECRETS);
        let is_known = |name: &str| {
            known().any(|known| name == known)
                || SECRETS.iter().any(|secret| name.strip_suffix("_FILE") == Some(secret))
        };
        let Some(unknown) = self.0.keys().find(|name| name.starts_with("AUTHQL_") && !is_known(name)) else {
            return Ok(());
        };
        let advice = match known().min_by_key(|known| parse::distance(known, unknown)) {
            Some(nearest) if parse::distance(nearest, unknown) <= 4 => {
                format!("is no setting of authql: did you mean {nearest}?")
            }
            _ => "is no setting of authql: unset it, or see the table in README.md".to_owned(),
        };
        Err(ConfigError::new(unknown, advice))
    }
}

impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(settings: I) -> Self {
        Self(settings.into_iter().map(|(name, text)| (name.into(), text.into())).collect())
    }
}

/// The names only: texts may be secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn read_secret(name: &'static str, file: &Path) -> Result<SecretString, ConfigError> {
    let name = format!("{name}_FILE");
    let metadata = fs::metadata(file).map_err(|error| {
        ConfigError::new(&name, format!("names a file that cannot be read ({error}): check its path"))
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let advice = format!(
            "names a file that others can read: run `chmod 600 {}`, or mount it with mode 0400",
            file.display()
        );
        return Err(ConfigError::new(&name, advice));
    }
    let text = fs::read_to_string(file).map_err(|error| {
        ConfigError::new(&name, format!("names a file that cannot be read ({error}): check its owner"))
    })?;
    match text.trim() {
        "" => Err(ConfigError::new(&name, "names an empty file: write the secret into it")),
        text => Ok(text.into()),
    }
}

/// What is wrong with `.env`, without the line itself, which may hold a secret.
fn dotenv_advice(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::Io(error) => format!("cannot be read ({error}): check its permissions"),
        _ => "has a line that is no assignment: write each as NAME='text'".to_owned(),
    }
}
