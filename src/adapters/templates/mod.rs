//! What mails say and look like: templates beside this file, compiled into the binary, and what an operator puts in their
//! place.
//!
//! A mail has the same parts in each language and form: `en/welcome.jinja` sets them (`subject`, `heading`, `body` …) with the
//! help of `en/common.jinja`, and `layout.html` and `layout.txt` arrange them. Each template can use what those before it
//! set. In HTML every value is escaped; `{{ email|strong }}` is the only markup that a text has.

mod brand;
mod check;
mod error;
mod files;
mod form;
mod sample;
mod words;

use std::path::PathBuf;

use minijinja::Value;

pub use self::error::TemplateError;
pub use self::files::FILES;

use self::brand::Brand;
use self::files::Files;
use self::form::{Form, Values};
use super::smtp;
use crate::domain::{Language, Mail, PersonName};

/// Who sends mails if nobody says otherwise.
const USUAL_SENDER: &str = "authql <no-reply@localhost>";

/// What an operator has settled about mails.
#[derive(Debug, Clone)]
pub struct Stationery {
    /// The folder of what replaces the built-in files, as `AUTHQL_MAIL_TEMPLATES` names it.
    pub folder: Option<PathBuf>,
    /// The sender, as `AUTHQL_MAIL_FROM` names it. Wins over that of the folder's `brand.toml`.
    pub sender: Option<String>,
    /// The host that mails speak of when neither brand nor sender has a name.
    pub site: String,
    /// Where links lead.
    pub frontend_url: String,
}

/// The compiled templates, and what is the same in every mail.
pub struct Templates {
    text: Form,
    html: Form,
    brand: Brand,
    product: String,
    sender: Option<String>,
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
    /// Compiles the templates, and writes a sample of each mail with them, so that what is wrong shows now.
    ///
    /// # Errors
    /// [`TemplateError`], a sentence for the operator.
    pub fn load(stationery: &Stationery) -> Result<Self, TemplateError> {
        let files = Files::read(stationery.folder.as_deref())?;
        let brand = files.brand()?;
        let sender = stationery.sender.clone().or_else(|| brand.sender.clone());
        let name =
            smtp::sender(sender.as_deref().unwrap_or(USUAL_SENDER)).ok().and_then(|sender| sender.name);
        let templates = Self {
            text: Form::text(&files)?,
            html: Form::html(&files)?,
            product: brand.name.clone().or(name).unwrap_or_else(|| stationery.site.clone()),
            brand,
            sender,
            frontend_url: stationery.frontend_url.clone(),
        };
        templates.check(&files)?;
        Ok(templates)
    }

    /// The `From` header. `None` when nobody has chosen one.
    #[must_use]
    pub fn chosen_sender(&self) -> Option<&str> {
        self.sender.as_deref()
    }

    /// The `From` header.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.chosen_sender().unwrap_or(USUAL_SENDER)
    }

    /// Writes a mail.
    ///
    /// # Errors
    /// When a template asks for what there is not.
    pub fn render(&self, mail: &Mail) -> Result<Content, TemplateError> {
        let language = Language::of(&mail.locale);
        let values = self.values(mail, language);
        let (parts, text) = self.text.render(language, mail.kind, values.clone())?;
        let (_, html) = self.html.render(language, mail.kind, values)?;
        let subject = parts.get("subject").map(ToString::to_string).unwrap_or_default();
        Ok(Content { subject, text, html })
    }

    /// Samples of all mails in a language, in the order of an account's life.
    ///
    /// # Errors
    /// See [`render`](Self::render).
    pub fn samples(&self, language: Language) -> Result<Vec<(Mail, Content)>, TemplateError> {
        sample::mails(language).map(|mail| self.render(&mail).map(|content| (mail, content))).collect()
    }

    fn values(&self, mail: &Mail, language: Language) -> Values {
        let (light, dark) = (&self.brand.accent, &self.brand.accent_dark);
        let purpose = mail.kind.purpose();
        let name = mail.name.as_ref().filter(|name| !name.could_pass_for_a_link());
        [
            ("product", Value::from(&self.product)),
            ("email", mail.to.as_str().into()),
            ("name", name.map(PersonName::as_str).into()),
            ("date", words::moment(language, mail.queued_at).into()),
            ("link", self.link(mail).into()),
            ("validity", purpose.map(|purpose| words::span(language, purpose.lifetime())).into()),
            ("language", language.tag().into()),
            ("logo", self.brand.logo.as_deref().into()),
            ("accent", light.to_string().into()),
            ("on_accent", light.ink().into()),
            ("accent_dark", dark.to_string().into()),
            ("on_accent_dark", dark.ink().into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Where the link of a mail leads. The fragment names the mutation and carries its token: it stays in the browser, so
    /// that no server, log or `Referer` on the way has it, and nothing is used up by somebody who only follows links.
    fn link(&self, mail: &Mail) -> Option<String> {
        let mutation = mail.kind.purpose()?.mutation();
        Some(format!("{}/confirm#{mutation}={}", self.frontend_url, mail.token.as_ref()?.expose()))
    }
}

#[cfg(test)]
mod tests;
