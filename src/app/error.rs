//! Why authql did not start, as sentences for the operator.

use crate::adapters::embedded::EmbeddedError;
use crate::adapters::local::DataFolderError;
use crate::adapters::postgres::DatabaseError;
use crate::adapters::redis::RedisUrlError;
use crate::adapters::smtp::SmtpSettingsError;
use crate::adapters::templates::TemplateError;
use crate::config::ConfigError;
use crate::domain::KeyId;
use crate::ports::Unexpected;
use crate::services::SigningError;

/// Why authql did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// There is no private PostgreSQL.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The mail settings are wrong.
    #[error(transparent)]
    Smtp(#[from] SmtpSettingsError),
    /// The templates of mails are wrong.
    #[error(transparent)]
    Templates(#[from] TemplateError),
    /// Mails are sent, and nobody has said by whom.
    #[error(
        "AUTHQL_MAIL_FROM is missing, and SMTP_URL is set: set it to the sender of mails, such as `authql <no-reply@example.com>`, or name one in brand.toml"
    )]
    NoSender,
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// `REDIS_URL` is not understood.
    #[error(transparent)]
    Redis(#[from] RedisUrlError),
    /// `authql migrate` without a database.
    #[error(
        "DATABASE_URL is missing: set it to the database to migrate; the private one is migrated when the server starts"
    )]
    NothingToMigrate,
    /// `authql keys` without a database.
    #[error(
        "DATABASE_URL is missing: keys are in a server's database, so set DATABASE_URL and AUTHQL_SECRET as for that server; a private PostgreSQL has its own in the data folder, can be reached only while that server runs, and its secret is in the file `secret`"
    )]
    NoKeys,
    /// `authql users` or `authql mail` without a database.
    #[error(
        "DATABASE_URL is missing: accounts and mails are in a server's database, so set DATABASE_URL, AUTHQL_SECRET and AUTHQL_PUBLIC_URL as for that server; a private PostgreSQL can be reached only while its server runs"
    )]
    NoDatabase,
    /// A signing key was sealed under another secret.
    #[error(
        "the signing key {0} in the database opens under neither AUTHQL_SECRET nor AUTHQL_SECRET_PREVIOUS: set AUTHQL_SECRET_PREVIOUS to the secret before this one, or, if it is lost, take the key away with `authql keys retire {0}`"
    )]
    Sealed(KeyId),
    /// Passwords were hashed with another pepper.
    #[error(
        "passwords in the database were hashed with a pepper ({0}) that is neither AUTHQL_PEPPER nor AUTHQL_PEPPER_PREVIOUS: set AUTHQL_PEPPER_PREVIOUS to it, or, if it is lost, do what docs/operating.md says of that"
    )]
    Pepper(String),
    /// The port is taken.
    #[error(
        "AUTHQL_LISTEN names {address}, which cannot be listened on ({source}): choose another port, or stop what uses it"
    )]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The cryptographic library does not work.
    #[error("authql itself is broken here: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StartError {
    /// Whether the settings are at fault, whatever the servers say.
    #[must_use]
    pub fn is_about_settings(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Smtp(_)
            | Self::Templates(_)
            | Self::NoSender
            | Self::Database(DatabaseError::Url(_))
            | Self::Redis(_)
            | Self::NothingToMigrate
            | Self::NoKeys
            | Self::NoDatabase => true,
            Self::DataFolder(_)
            | Self::Embedded(_)
            | Self::Database(_)
            | Self::Sealed(_)
            | Self::Pepper(_)
            | Self::Listen { .. }
            | Self::Broken(_) => false,
        }
    }
}

impl From<Unexpected> for StartError {
    fn from(error: Unexpected) -> Self {
        Self::Broken(error.into())
    }
}

impl From<SigningError> for StartError {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Sealed(key) => Self::Sealed(key),
            SigningError::Unexpected(error) => error.into(),
        }
    }
}
