//! What mails say: templates beside this file, one text and one HTML for each kind, compiled into the binary.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::domain::{Mail, PersonName};

/// All templates, under the names they have here.
const FILES: [(&str, &str); 7] = [
    ("layout.html", include_str!("layout.html")),
    ("welcome.txt", include_str!("welcome.txt")),
    ("welcome.html", include_str!("welcome.html")),
    ("already_registered.txt", include_str!("already_registered.txt")),
    ("already_registered.html", include_str!("already_registered.html")),
    ("session_reuse.txt", include_str!("session_reuse.txt")),
    ("session_reuse.html", include_str!("session_reuse.html")),
];

/// The compiled templates, and what is the same in every mail.
pub struct Templates {
    environment: Environment<'static>,
    site: String,
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
    /// Compiles the templates. `site` is the host that mails speak of.
    ///
    /// # Errors
    /// When a template is not well formed.
    pub fn new(site: impl Into<String>) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "html")) => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        for (name, source) in FILES {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment, site: site.into() })
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
        };
        let render = |ending: &str| {
            self.environment.get_template(&format!("{}.{ending}", mail.kind.as_str()))?.render(&values)
        };
        let text = render("txt")?;
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        Ok(Content { subject: subject.to_owned(), text: text.trim_start().to_owned(), html: render("html")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailAddress, Locale, MailId, MailKind};

    fn mail(kind: MailKind, name: Option<&str>) -> Mail {
        let queued_at = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Mail {
            id: MailId::generate(queued_at),
            kind,
            to: EmailAddress::parse("ada@example.com").unwrap(),
            name: name.and_then(|name| PersonName::parse(name).unwrap()),
            locale: Locale::default(),
            queued_at,
        }
    }

    #[test]
    fn every_kind_has_a_subject_a_text_and_a_page() {
        let templates = Templates::new("auth.example.com").unwrap();
        for kind in MailKind::ALL {
            for name in [None, Some("Ada")] {
                let content = templates.render(&mail(kind, name)).unwrap();
                assert!(content.subject.contains("auth.example.com"), "{}", content.subject);
                assert!(content.text.contains("ada@example.com"), "{}", content.text);
                assert!(content.html.contains("ada@example.com"), "{}", content.html);
                assert_eq!(content.text.starts_with("Hello Ada,"), name.is_some(), "{}", content.text);
            }
        }
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let templates = Templates::new("auth.example.com").unwrap();
        let content = templates.render(&mail(MailKind::Welcome, Some("<b>Ada</b>"))).unwrap();
        assert!(content.html.contains("&lt;b&gt;Ada&lt;"), "{}", content.html);
        assert!(content.text.contains("Hello <b>Ada</b>,"), "{}", content.text);
    }
}
