//! What must hold of all templates, an operator's too. It is checked at the start, on a sample of every mail.

use super::error::TemplateError;
use super::files::Files;
use super::form::{self, Values};
use super::{Templates, sample};
use crate::domain::{Language, Mail, MailKind};

/// What `common.jinja` sets for the layouts.
const SHARED_PARTS: [&str; 3] = ["greeting", "link_hint", "footer"];
/// What the template of each mail sets for them; `action`, the words on the button, only where there is a link.
const PARTS: [&str; 6] = ["subject", "preheader", "heading", "body", "action", "closing"];

impl Templates {
    pub(super) fn check(&self, files: &Files) -> Result<(), TemplateError> {
        // Those first that the others lean on.
        let (shared, others): (Vec<_>, Vec<_>) =
            files.overridden().partition(|(name, _)| name.ends_with("/common.jinja"));
        for (template, source) in shared.into_iter().chain(others) {
            self.check_names(template, source)?;
        }
        for language in Language::ALL {
            for mail in sample::mails(language) {
                self.check_mail(&mail, language)?;
                self.check_mail(&Mail { name: None, ..mail }, language)?;
            }
        }
        Ok(())
    }

    /// Finds names that mean nothing, also where no sample comes by.
    fn check_names(&self, template: &str, source: &str) -> Result<(), TemplateError> {
        let is_layout = template.starts_with("layout.");
        let language = Language::ALL.into_iter().find(|language| template.starts_with(language.tag()));
        let mail = sample::mail(MailKind::Welcome, language.unwrap_or(Language::English));
        let mut known = self.values(&mail, Language::of(&mail.locale));
        if !template.ends_with("/common.jinja") {
            known.extend(self.text.parts(&form::path(Language::of(&mail.locale), "common"), &known)?);
        }
        let is_part = |name: &str| is_layout && PARTS.contains(&name);
        let mut wants = self.text.wants(template).into_iter();
        let unknown = wants.find(|name| !(known.contains_key(name) || is_part(name)));
        let Some(unknown) = unknown else { return Ok(()) };
        let parts: &[&str] = if is_layout { &PARTS } else { &[] };
        let names: Vec<&str> = known.keys().map(String::as_str).chain(parts.iter().copied()).collect();
        Err(TemplateError::At {
            file: template.to_owned(),
            line: line_of(&unknown, source),
            fault: format!("there is no `{unknown}`: use {}", names.join(", ")),
        })
    }

    fn check_mail(&self, mail: &Mail, language: Language) -> Result<(), TemplateError> {
        let parts = PARTS.into_iter().filter(|part| mail.token.is_some() || *part != "action").collect();
        let mut values = self.values(mail, language);
        for (name, owed) in [("common", SHARED_PARTS.to_vec()), (mail.kind.as_str(), parts)] {
            let template = form::path(language, name);
            let set = self.text.parts(&template, &values)?;
            let fault = |fault| TemplateError::At { file: template.clone(), line: None, fault };
            if let Some(missing) = owed.iter().find(|part| !has_text(&set, part)) {
                return Err(fault(format!(
                    "`{missing}` is missing: add {{% set {missing} %}} … {{% endset %}}"
                )));
            }
            if let Some(unknown) = set.keys().find(|part| {
                name != "common" && !PARTS.contains(&part.as_str()) && !SHARED_PARTS.contains(&part.as_str())
            }) {
                let parts = PARTS.join(", ");
                return Err(fault(format!(
                    "sets `{unknown}`, which no layout shows: the parts of a mail are {parts}"
                )));
            }
            values.extend(set);
        }
        let content = self.render(mail)?;
        for (layout, whole) in [("layout.txt", &content.text), ("layout.html", &content.html)] {
            if mail.token.is_some() && !whole.contains(sample::TOKEN) {
                let fault = format!("does not show the link of {}: add {{{{ link }}}}", mail.kind.as_str());
                return Err(TemplateError::At { file: layout.to_owned(), line: None, fault });
            }
        }
        Ok(())
    }
}

fn has_text(parts: &Values, part: &str) -> bool {
    parts.get(part).is_some_and(minijinja::Value::is_true)
}

/// The first line that has the name as a whole word.
fn line_of(name: &str, source: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let at = source.lines().position(|line| line.split(|c| !is_word(c)).any(|word| word == name))?;
    Some(at + 1)
}
