//! Accounts: who somebody is here.

use chrono::{DateTime, Utc};

use super::{EmailAddress, UserId};

/// A person's account, without its password.
#[derive(Debug, Clone)]
pub struct User {
    /// Never reassigned.
    pub id: UserId,
    /// The address used to sign in.
    pub email: EmailAddress,
    /// When the address was confirmed; `None` until then.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language of mails.
    pub locale: Locale,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// How often the password of an account has been changed. What was checked against an older one is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordVersion(pub i32);

/// Whether somebody may be signed in whose address is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRequirement {
    /// They may.
    Any,
    /// Not before they have confirmed it.
    VerifiedEmail,
}

impl LoginRequirement {
    /// Whether this account may be signed in.
    #[must_use]
    pub fn is_met_by(self, user: &User) -> bool {
        match self {
            Self::Any => true,
            Self::VerifiedEmail => user.email_verified_at.is_some(),
        }
    }
}

/// How a person wants to be called: 1 to 100 characters without control characters, spaces around it removed.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    /// Over 100 code points.
    #[error("a name has at most 100 characters")]
    TooLong,
    /// With control characters or line breaks.
    #[error("a name has no control characters or line breaks")]
    Malformed,
}

impl PersonName {
    /// Reads a name. `None` when there is nothing but white space: then there is no name.
    ///
    /// # Errors
    /// See [`PersonNameError`].
    pub fn parse(text: &str) -> Result<Option<Self>, PersonNameError> {
        let text = text.trim();
        if text.chars().count() > 100 {
            return Err(PersonNameError::TooLong);
        }
        // U+2028 and U+2029 break lines, U+202A to U+202E and U+2066 to U+2069 reorder what stands around them.
        let misleading =
            |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if text.contains(misleading) {
            return Err(PersonNameError::Malformed);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a mail program could make a link of something in it. Whoever registers the address of a stranger chooses the
    /// name that the stranger reads, and could have us send an advertisement.
    #[must_use]
    pub fn could_pass_for_a_link(&self) -> bool {
        let is_inside = |dot: &[char]| dot[1] == '.' && !dot[0].is_whitespace() && !dot[2].is_whitespace();
        let letters: Vec<char> = self.0.chars().collect();
        self.0.contains(['/', '@', ':']) || letters.windows(3).any(is_inside)
    }
}

impl std::fmt::Debug for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonName(…)")
    }
}

/// A language tag in the shape of BCP 47, such as `en` or `pt-BR`; English unless somebody says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(pub(super) String);

/// The text is not shaped like a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a language tag such as en or pt-BR")]
pub struct LocaleError;

impl Locale {
    /// Reads a tag: a language of two or three letters, then subtags of up to eight letters and digits, 35 bytes in all.
    ///
    /// # Errors
    /// [`LocaleError`] when the text has another shape.
    pub fn parse(text: &str) -> Result<Self, LocaleError> {
        let mut subtags = text.split('-');
        let language = subtags.next().unwrap_or_default();
        let is_language =
            (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
        let is_subtag =
            |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        if text.len() <= 35 && is_language && subtags.all(is_subtag) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LocaleError)
        }
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_kept_harmless() {
        assert_eq!(PersonName::parse(" Ada ").unwrap().unwrap().as_str(), "Ada");
        assert_eq!(PersonName::parse("  ").unwrap(), None);
        assert_eq!(PersonName::parse(&"a".repeat(101)).unwrap_err(), PersonNameError::TooLong);
        for text in ["Ada\r\nBcc: bob", "Ada\0", "Ada\u{202e}"] {
            assert_eq!(PersonName::parse(text).unwrap_err(), PersonNameError::Malformed, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_told_from_an_address_of_something() {
        let could = |name| PersonName::parse(name).unwrap().unwrap().could_pass_for_a_link();
        for name in ["Ada", "Dr. Ada Lovelace", "Ada L.", "Мария-Луиза", "O'Neill", "J. R. R. Tolkien"]
        {
            assert!(!could(name), "{name}");
        }
        for name in
            ["Win at example.com", "https://example", "example/free", "ada@example", "tel:123", "пример.рф"]
        {
            assert!(could(name), "{name}");
        }
    }

    #[test]
    fn a_locale_is_a_language_tag() {
        for tag in ["en", "ru", "pt-BR", "zh-Hant-TW", "de-CH-1996"] {
            assert_eq!(Locale::parse(tag).unwrap().as_str(), tag);
        }
        for text in ["", "e", "english", "en_US", "en-", "../en", "en-Ĳ", &"en-abc".repeat(9)] {
            assert_eq!(Locale::parse(text), Err(LocaleError), "{text}");
        }
    }
}
