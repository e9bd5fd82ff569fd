//! One form of a mail, text or HTML: the same templates, compiled with its layout and its rules of escaping.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, State, UndefinedBehavior, Value, escape_formatter};

use super::error::TemplateError;
use super::files::Files;
use crate::domain::{Language, MailKind};

/// What templates can use, by name.
pub(super) type Values = BTreeMap<String, Value>;

/// The parts that have paragraphs, with empty lines between them. All others are one line.
const PARTS_WITH_PARAGRAPHS: [&str; 2] = ["body", "closing"];

/// The compiled templates of one form.
pub(super) struct Form {
    environment: Environment<'static>,
    layout: &'static str,
}

impl Form {
    pub(super) fn text(files: &Files) -> Result<Self, TemplateError> {
        Self::new(files, "layout.txt", AutoEscape::None)
    }

    pub(super) fn html(files: &Files) -> Result<Self, TemplateError> {
        Self::new(files, "layout.html", AutoEscape::Html)
    }

    fn new(files: &Files, layout: &'static str, escape: AutoEscape) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.set_formatter(|out, state, value| match value.as_str() {
            Some(text) if is_to_be_escaped(state, value) => Ok(out.write_str(&escaped(text))?),
            _ => escape_formatter(out, state, value),
        });
        environment.add_filter("strong", strong);
        for (name, source) in files.templates() {
            environment
                .add_template_owned(name, source.to_owned())
                .map_err(|error| TemplateError::of(&error, name))?;
        }
        Ok(Self { environment, layout })
    }

    /// Writes a mail of this form. Answers all values that its layout could use, and the whole.
    pub(super) fn render(
        &self,
        language: Language,
        kind: MailKind,
        mut values: Values,
    ) -> Result<(Values, String), TemplateError> {
        for name in ["common", kind.as_str()] {
            let parts = self.parts(&path(language, name), &values)?;
            values.extend(parts);
        }
        let render = || self.environment.get_template(self.layout)?.render(Value::from(values.clone()));
        let whole = render().map_err(|error| TemplateError::of(&error, self.layout))?;
        Ok((values, whole))
    }

    /// What a template sets.
    pub(super) fn parts(&self, name: &str, values: &Values) -> Result<Values, TemplateError> {
        let render = || self.environment.get_template(name)?.render_captured(Value::from(values.clone()));
        let captured = render().map_err(|error| TemplateError::of(&error, name))?;
        let state = captured.state();
        let parts = state.exports().into_iter().filter_map(|part| {
            let value = state.lookup(part)?;
            let value = if PARTS_WITH_PARAGRAPHS.contains(&part) { paragraphs(&value) } else { line(&value) };
            Some((part.to_owned(), value))
        });
        Ok(parts.collect())
    }

    /// What a template uses and does not set itself, apart from functions.
    pub(super) fn wants(&self, name: &str) -> Vec<String> {
        let Ok(template) = self.environment.get_template(name) else { return Vec::new() };
        let functions: Vec<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let mut wants: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        wants.retain(|name| !functions.contains(&name.as_str()));
        wants.sort_unstable();
        wants
    }
}

/// The template of that name in a language.
pub(super) fn path(language: Language, name: &str) -> String {
    format!("{}/{name}.jinja", language.tag())
}

/// Each paragraph on a line of its own: mail programs break lines where their window ends.
fn paragraphs(value: &Value) -> Value {
    let text = value.to_string();
    let paragraphs = text.split("\n\n").map(|text| same_kind(value, one_line(text)));
    paragraphs.filter(|paragraph| paragraph.as_str() != Some("")).collect()
}

fn line(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| same_kind(value, one_line(text)))
}

/// Without the breaks of the template; spaces that must not be broken stay.
fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text, escaped already if that of `value` was.
fn same_kind(value: &Value, text: String) -> Value {
    if value.is_safe() { Value::from_safe_string(text) } else { Value::from(text) }
}

/// `{{ email|strong }}`: what stands out in HTML, and is as it is in text.
fn strong(state: &mut State, value: &Value) -> Value {
    match (state.auto_escape(), value.as_str()) {
        (AutoEscape::None, _) | (_, None) => value.clone(),
        (_, Some(text)) if value.is_safe() => Value::from_safe_string(format!("<strong>{text}</strong>")),
        (_, Some(text)) => Value::from_safe_string(format!("<strong>{}</strong>", escaped(text))),
    }
}

fn is_to_be_escaped(state: &State, value: &Value) -> bool {
    !value.is_safe() && *state.auto_escape() == AutoEscape::Html
}

/// For texts and attributes. Unlike that of the library it leaves the slash, so that links can be read in the source.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped.into()
}
