//! Mails to nobody: for the check at the start, and for who wants to see what mails look like.

use chrono::DateTime;

use crate::domain::{EmailAddress, Language, Mail, MailId, MailKind, MailToken, PersonName};

/// What stands in place of a token.
pub(super) const TOKEN: &str = "a-sample-which-opens-nothing";

/// One of each kind, in the order of an account's life.
pub(super) fn mails(language: Language) -> impl Iterator<Item = Mail> {
    MailKind::ALL.into_iter().map(move |kind| mail(kind, language))
}

#[expect(clippy::expect_used, reason = "both are constants, and the tests read them")]
pub(super) fn mail(kind: MailKind, language: Language) -> Mail {
    let name = match language {
        Language::English => "Ada",
        Language::Russian => "Ада",
    };
    let queued_at = DateTime::from_timestamp(1_767_366_240, 0).unwrap_or_default();
    Mail {
        id: MailId::generate(queued_at),
        kind,
        to: EmailAddress::parse("ada@example.com").expect("an address"),
        name: PersonName::parse(name).expect("a name"),
        locale: language.into(),
        queued_at,
        token: kind.purpose().map(|_| MailToken::new(TOKEN.to_owned())),
    }
}
