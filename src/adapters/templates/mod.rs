//! What mails say: templates beside this file, one text and one HTML for each kind, compiled into the binary.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::domain::{Mail, PersonName};

/// All templates, under the names they have here.
const FILES: [(&str, &str); 21] = [
    ("layout.html", include_str!("layout.html")),
    ("welcome.txt", include_str!("welcome.txt")),
    ("welcome.html", include_str!("welcome.html")),
    ("verification.txt", include_str!("verification.txt")),
    ("verification.html", include_str!("verification.html")),
    ("already_registered.txt", include_str!("already_registered.txt")),
    ("already_registered.html", include_str!("already_registered.html")),
    ("password_reset.txt", include_str!("password_reset.txt")),
    ("password_reset.html", include_str!("password_reset.html")),
    ("password_changed.txt", include_str!("password_changed.txt")),
    ("password_changed.html", include_str!("password_changed.html")),
    ("email_change.txt", include_str!("email_change.txt")),
    ("email_change.html", include_str!("email_change.html")),
    ("email_change_requested.txt", include_str!("email_change_requested.txt")),
    ("email_change_requested.html", include_str!("email_change_requested.html")),
    ("email_changed.txt", include_str!("email_changed.txt")),
    ("email_changed.html", include_str!("email_changed.html")),
    ("session_reuse.txt", include_str!("session_reuse.txt")),
    ("session_reuse.html", include_str!("session_reuse.html")),
    ("account_deleted.txt", include_str!("account_deleted.txt")),
    ("account_deleted.html", include_str!("account_deleted.html")),
];

/// The compiled templates, and what is the same in every mail.
pub struct Templates {
    environment: Environment<'static>,
    site: String,
    frontend_url: String,
}

/// A mail as it is read.
#[derive(Debug)]
pub struct Content {
    /// The `Subject` header.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl Templates {
    /// Compiles the templates. `site` is the host that mails speak of, `frontend_url` where their links lead.
    ///
    /// # Errors
    /// When a template is not well formed.
    pub fn new(site: impl Into<String>, frontend_url: impl Into<String>) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "html")) => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        for (name, source) in FILES {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment, site: site.into(), frontend_url: frontend_url.into() })
    }

    /// Writes a mail. The first line of its text template is the subject.
    ///
    /// # Errors
    /// When a template asks for a value that there is not.
    pub fn render(&self, mail: &Mail) -> Result<Content, minijinja::Error> {
        let values = context! {
            site => &self.site,
            email => mail.to.as_str(),
            name => mail.name.as_ref().map(PersonName::as_str),
            link => self.link(mail),
        };
        let render = |ending: &str| {
            self.environment.get_template(&format!("{}.{ending}", mail.kind.as_str()))?.render(&values)
        };
        let text = render("txt")?;
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        Ok(Content { subject: subject.to_owned(), text: text.trim_start().to_owned(), html: render("html")? })
    }

    /// Where the link of a mail leads. The fragment names the mutation and carries its token: it stays in the browser, so
    /// that no server, log or `Referer` on the way has it, and nothing is used up by somebody who only follows links.
    fn link(&self, mail: &Mail) -> Option<String> {
        let mutation = mail.kind.purpose()?.mutation();
        Some(format!("{}/confirm#{mutation}={}", self.frontend_url, mail.token.as_ref()?.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailAddress, Locale, MailId, MailKind, MailToken};

    fn mail(kind: MailKind, name: Option<&str>) -> Mail {
        let queued_at = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Mail {
            id: MailId::generate(queued_at),
            kind,
            to: EmailAddress::parse("ada@example.com").unwrap(),
            name: name.and_then(|name| PersonName::parse(name).unwrap()),
            locale: Locale::default(),
            queued_at,
            token: kind.purpose().map(|_| MailToken::new("a-token".to_owned())),
        }
    }

    fn templates() -> Templates {
        Templates::new("auth.example.com", "https://app.example.com").unwrap()
    }

    #[test]
    fn every_kind_has_a_subject_a_text_and_a_page() {
        let templates = templates();
        for kind in MailKind::ALL {
            for name in [None, Some("Ada")] {
                let content = templates.render(&mail(kind, name)).unwrap();
                assert!(content.subject.contains("auth.example.com"), "{}", content.subject);
                assert!(content.text.contains("ada@example.com"), "{}", content.text);
                assert!(content.html.contains("ada@example.com"), "{}", content.html);
                assert_eq!(content.text.starts_with("Hello Ada,"), name.is_some(), "{}", content.text);
                let link = kind
                    .purpose()
                    .map(|purpose| format!("https://app.example.com/confirm#{}=a-token", purpose.mutation()));
                assert!(link.is_none_or(|link| content.text.contains(&link)), "{}", content.text);
            }
        }
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let templates = templates();
        let content = templates.render(&mail(MailKind::Welcome, Some("<b>Ada</b>"))).unwrap();
        assert!(content.html.contains("&lt;b&gt;Ada&lt;"), "{}", content.html);
        assert!(content.text.contains("Hello <b>Ada</b>,"), "{}", content.text);
    }
}
