//! An account as one line of JSON: what `export` writes and `import` reads.

use authql::domain::{EmailAddress, Locale, PersonName, User, UserId};
use authql::services::AccountRecord;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One line. A name that is not among these is refused: a misspelt `passwordHash` would make accounts without passwords.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    pub(super) email: String,
    #[serde(default)]
    email_verified: Since,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    disabled: Since,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<String>,
}

/// Whether something holds, and since when if that is known.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected true, false or since when, such as \"2026-01-31T12:00:00Z\"")]
enum Since {
    Is(bool),
    At(DateTime<Utc>),
}

impl Default for Since {
    fn default() -> Self {
        Self::Is(false)
    }
}

impl Since {
    fn at(self, otherwise: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Is(holds) => holds.then_some(otherwise),
            Self::At(at) => Some(at),
        }
    }
}

impl Record {
    /// Reads a line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        // The library counts lines as well, and each text here is one.
        serde_json::from_slice(line)
            .map_err(|error| error.to_string().replace(" at line 1 column", " at column"))
    }

    /// The account, made `now` unless the line says when. An address counts as confirmed since then, and an account as shut
    /// since `now`, where the line does not say since when.
    pub(super) fn into_account(self, now: DateTime<Utc>) -> Result<AccountRecord, String> {
        let created_at = self.created_at.unwrap_or(now);
        let id = match self.id {
            Some(id) if id.is_nil() => return Err("id: the nil UUID is nobody's".to_owned()),
            Some(id) => id.into(),
            None => UserId::generate(created_at),
        };
        let user = User {
            id,
            email: EmailAddress::parse(&self.email).map_err(|error| format!("email: {error}"))?,
            email_verified_at: self.email_verified.at(created_at),
            name: PersonName::parse(&self.name.unwrap_or_default())
                .map_err(|error| format!("name: {error}"))?,
            locale: self
                .locale
                .map_or(Ok(Locale::default()), |tag| Locale::parse(&tag))
                .map_err(|error| format!("locale: {error}"))?,
            created_at,
        };
        Ok(AccountRecord { user, password_hash: self.password_hash, disabled_at: self.disabled.at(now) })
    }
}

impl From<AccountRecord> for Record {
    fn from(account: AccountRecord) -> Self {
        let AccountRecord { user, password_hash, disabled_at } = account;
        Self {
            id: Some(user.id.into()),
            email: user.email.as_str().to_owned(),
            email_verified: user.email_verified_at.map_or_else(Since::default, Since::At),
            name: user.name.map(|name| name.as_str().to_owned()),
            locale: Some(user.locale.as_str().to_owned()),
            created_at: Some(user.created_at),
            disabled: disabled_at.map_or_else(Since::default, Since::At),
            password_hash,
        }
    }
}
