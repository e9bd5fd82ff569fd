//! What is wrong with the templates of mails, as sentences for the operator who changed them.

use std::path::PathBuf;

/// Why mails cannot be written. Names are those of the files in the folder of `AUTHQL_MAIL_TEMPLATES`.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder or a file in it cannot be read.
    #[error(
        "AUTHQL_MAIL_TEMPLATES: {path} cannot be read ({source}): check its path, its owner, and that it is UTF-8"
    )]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that replaces nothing, perhaps for a slip in its name.
    #[error(
        "AUTHQL_MAIL_TEMPLATES: {0} replaces nothing: give it the name of a built-in file, such as brand.toml, layout.html or en/welcome.jinja (docs/mail.md lists them), or take it away"
    )]
    UnknownFile(String),
    /// Something in a file.
    #[error("AUTHQL_MAIL_TEMPLATES: {file}{}: {fault}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    At {
        /// Its name.
        file: String,
        /// Where, counted from 1, if that is known.
        line: Option<usize>,
        /// What is wrong.
        fault: String,
    },
}

impl TemplateError {
    /// What minijinja says, in `template` unless it knows better.
    pub(super) fn of(error: &minijinja::Error, template: &str) -> Self {
        let fault = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        Self::At { file: error.name().unwrap_or(template).to_owned(), line: error.line(), fault }
    }
}
