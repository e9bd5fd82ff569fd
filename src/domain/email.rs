//! E-mail addresses: what is accepted, and which spellings are the same account (docs/security.md REG-5, REG-6).

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::is_nfc;

/// The longest local part, in bytes (RFC 5321 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// The longest address, in bytes (RFC 5321 4.5.3.1.3, less the angle brackets).
const MAX_ADDRESS: usize = 254;

/// An address that mail can be sent to, as its owner wrote it, with the form that decides whose it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    written: String,
    local: String,
    domain: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressError {
    /// Nothing but spaces.
    #[error("an e-mail address is needed")]
    Missing,
    /// Over 64 bytes before the `@`, or over 254 in all.
    #[error("an e-mail address has at most 254 characters, and 64 before the @")]
    TooLong,
    /// Not `local@domain`, or with characters that no mailbox here may have.
    #[error("this is not an e-mail address such as ada@example.com")]
    Malformed,
}

impl EmailAddress {
    /// Reads an address, ignoring ASCII spaces around it.
    ///
    /// Accepted is the dot-atom form of RFC 5322 3.4.1 with the letters of RFC 6531, at a domain name with at least two
    /// labels (IDNA 2008). Display names, comments, quoted local parts and IP literals are refused.
    ///
    /// # Errors
    /// See [`EmailAddressError`].
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        let written = text.trim_matches(' ');
        if written.is_empty() {
            return Err(EmailAddressError::Missing);
        }
        if written.len() > MAX_ADDRESS {
            return Err(EmailAddressError::TooLong);
        }
        let (local, domain) = written.rsplit_once('@').ok_or(EmailAddressError::Malformed)?;
        if local.len() > MAX_LOCAL {
            return Err(EmailAddressError::TooLong);
        }
        // Normalising would turn K (KELVIN SIGN) into the letter K, so what is not in normal form is refused instead.
        if !is_dot_atom(local) || !is_nfc(local) {
            return Err(EmailAddressError::Malformed);
        }
        let domain = domain_name(domain).ok_or(EmailAddressError::Malformed)?;
        if local.len() + 1 + domain.len() > MAX_ADDRESS {
            return Err(EmailAddressError::TooLong);
        }
        Ok(Self { written: written.to_owned(), local: local.to_owned(), domain })
    }

    /// The address as its owner wrote it, for showing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The address to send to: the local part as written, the domain as an ASCII name.
    #[must_use]
    pub fn mailbox(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The form that is unique among accounts. Only ASCII letters are folded, so that no look-alike (`K` KELVIN SIGN,
    /// `İ`, `ß`) becomes somebody else's address (CVE-2021-3424).
    #[must_use]
    pub fn canonical(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }
}

/// Addresses are personal: logs and panics show that there is one, not which.
impl std::fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

fn is_dot_atom(local: &str) -> bool {
    let is_atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// The A-label form of a domain name in lower case. `None` unless it has two labels and a top level that is no number.
fn domain_name(domain: &str) -> Option<String> {
    // UTS 46 takes them away: what is shown and what is mailed to would differ.
    if domain.contains(is_invisible) {
        return None;
    }
    let name = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .ok()?
        .into_owned();
    let (_, top) = name.rsplit_once('.')?;
    (!top.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

/// Whether Unicode has it ignored (`Default_Ignorable_Code_Point`), joiners left out: IDNA 2008 has rules for those.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, EmailAddressError> {
        EmailAddress::parse(text).map(|address| address.canonical())
    }

    #[test]
    fn spellings_of_one_mailbox_are_one_account() {
        for text in ["ada@example.com", "  ada@example.com ", "ADA@EXAMPLE.COM", "Ada@eXample.com"] {
            assert_eq!(canonical(text).as_deref(), Ok("ada@example.com"), "{text}");
        }
        assert_eq!(canonical("ada@bücher.example").as_deref(), Ok("ada@xn--bcher-kva.example"));
        assert_eq!(canonical("ada@BÜCHER.example").as_deref(), Ok("ada@xn--bcher-kva.example"));
    }

    #[test]
    fn look_alikes_stay_apart() {
        assert_eq!(canonical("\u{212a}ate@example.com"), Err(EmailAddressError::Malformed));
        assert_ne!(canonical("\u{130}nes@example.com"), canonical("ines@example.com"));
        assert_ne!(canonical("stra\u{df}e@example.com"), canonical("strasse@example.com"));
        assert_ne!(canonical("ada@stra\u{df}e.example"), canonical("ada@strasse.example"));
    }

    #[test]
    fn what_was_written_is_kept_for_showing_and_sending() {
        let address = EmailAddress::parse(" Ada.Lovelace+tag@BÜCHER.example ").unwrap();
        assert_eq!(address.as_str(), "Ada.Lovelace+tag@BÜCHER.example");
        assert_eq!(address.mailbox(), "Ada.Lovelace+tag@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let malformed = [
            "ada",
            "@example.com",
            "ada@",
            "ada@@example.com",
            "ada@localhost",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "ada@example..com",
            "ada@-example.com",
            "ada@exa_mple.com",
            "a..da@example.com",
            ".ada@example.com",
            "\"ada lovelace\"@example.com",
            "Ada <ada@example.com>",
            "ada(comment)@example.com",
            "ada@example.com, bob@example.com",
            "ada@example.com\r\nBcc: bob@example.com",
            "ada\0@example.com",
            "ada\u{202e}@example.com",
            "ada\u{2028}@example.com",
            "ada@exam\u{ad}ple.com",
            "ada@example.com\u{feff}",
            "ada@example.\u{200b}com",
            "ada@exam\0ple.com",
            "\tada@example.com",
            "e\u{301}mile@example.com",
        ];
        for text in malformed {
            assert_eq!(canonical(text), Err(EmailAddressError::Malformed), "{text:?}");
        }
        assert_eq!(canonical("  "), Err(EmailAddressError::Missing));
        assert_eq!(canonical(&format!("{}@example.com", "a".repeat(65))), Err(EmailAddressError::TooLong));
        assert_eq!(canonical(&format!("a@{}.com", "a.".repeat(130))), Err(EmailAddressError::TooLong));
    }
}
