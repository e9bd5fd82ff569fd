//! The documents that may be run, where an operator has listed them: those that its own front ends were built with.
//!
//! The list is the manifest that graphql-codegen writes (`persistedDocuments`): ids, which are hashes, and documents. Clients
//! name a document by its id, or send its text; in both cases it is that of the list that is run.

use std::collections::HashMap;

use async_graphql::Request;
use serde_json::Value;

use super::document::{self, DocumentError};

/// The prefix of an id that is a hash, in the draft on persisted documents.
const SHA256: &str = "sha256:";

/// The documents that may be run.
#[derive(Debug)]
pub struct TrustedDocuments {
    by_id: HashMap<String, String>,
    /// The ids by [plain](plain) texts.
    ids: HashMap<String, String>,
}

/// Why a text is no list of documents.
#[derive(Debug, thiserror::Error)]
pub enum TrustedDocumentsError {
    /// It is not one JSON object of texts.
    #[error("is no manifest ({0}): it is a JSON object with the hash of each document and its text")]
    Malformed(#[source] serde_json::Error),
    /// It has no documents: nobody could do anything.
    #[error("has no documents in it")]
    Empty,
    /// One of them could never be run.
    #[error("has the document {0}, which cannot be run: {1}")]
    Document(String, #[source] DocumentError),
}

impl TrustedDocuments {
    /// Reads a manifest. Every document of it is checked as if it were to be run.
    ///
    /// # Errors
    /// See [`TrustedDocumentsError`].
    pub fn parse(manifest: &str) -> Result<Self, TrustedDocumentsError> {
        let by_id: HashMap<String, String> =
            serde_json::from_str(manifest).map_err(TrustedDocumentsError::Malformed)?;
        if by_id.is_empty() {
            return Err(TrustedDocumentsError::Empty);
        }
        for (id, text) in &by_id {
            document::check(text).map_err(|error| TrustedDocumentsError::Document(id.clone(), error))?;
        }
        let ids = by_id.iter().map(|(id, text)| (plain(text), id.clone())).collect();
        Ok(Self { by_id, ids })
    }

    /// Lets a request go on that sends, or names, one of the documents. A text decides where there is one, so that nobody has
    /// another one run under a name that is known.
    fn admit(&self, request: &mut Request, named: Option<&str>) -> Result<(), DocumentError> {
        let found = if request.query.is_empty() {
            let id = named.or_else(|| persisted_hash(request)).ok_or(DocumentError::NotFound)?;
            self.by_id
                .get(id)
                .or_else(|| self.by_id.get(id.strip_prefix(SHA256)?))
                .ok_or(DocumentError::NotFound)?
        } else {
            let id = self.ids.get(&plain(&request.query)).ok_or(DocumentError::NotTrusted)?;
            &self.by_id[id]
        };
        // Also where it came as a text: what is run is what the operator has listed, however the two are read.
        request.query.clone_from(found);
        Ok(())
    }
}

/// Finds the document of a request: the one that it sends, or, where `trusted` lists all that may be run, that of the list which
/// it sends or names; `named` is its `documentId`.
///
/// # Errors
/// See [`DocumentError`].
pub fn find_document(
    trusted: Option<&TrustedDocuments>,
    request: &mut Request,
    named: Option<&str>,
) -> Result<(), DocumentError> {
    match trusted {
        Some(trusted) => trusted.admit(request, named),
        None if request.query.is_empty() && (named.is_some() || persisted_hash(request).is_some()) => {
            Err(DocumentError::NotSupported)
        }
        None => Ok(()),
    }
}

/// The hash by which Apollo's clients name a document.
fn persisted_hash(request: &Request) -> Option<&str> {
    let async_graphql::Value::Object(persisted) = request.extensions.get("persistedQuery")? else {
        return None;
    };
    match persisted.get("sha256Hash")? {
        async_graphql::Value::String(hash) => Some(hash),
        _ => None,
    }
}

/// The `documentId` of a body.
#[must_use]
pub fn document_id(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("documentId")?.as_str().map(str::to_owned)
}

/// A document without what means nothing: white space, commas and comments (GraphQL 2.1.7). Clients print the same document in
/// different ways.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut is_apart = false;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => string(rest),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if c == '#' || c == ',' || c.is_whitespace() {
            is_apart = true;
            continue;
        }
        // Two words that it stood between stay two.
        if is_apart && is_part(c) && plain.ends_with(is_part) {
            plain.push(' ');
        }
        plain.push_str(token);
        is_apart = false;
    }
    plain
}

/// Whether a character is part of a word, so that two of them need something between them.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the string that a text begins with; of all of it where the string has no end.
fn string(text: &str) -> usize {
    let (quotes, escape) = if text.starts_with("\"\"\"") { ("\"\"\"", "\\\"\"\"") } else { ("\"", "\\") };
    let mut at = quotes.len();
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        at += if rest.starts_with(escape) { escape.len() } else { c.len_utf8() };
        if rest.starts_with(escape) && escape.len() == 1 {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"abc123": "query Me { me { email name } }", "def456": "mutation Out { logout(input: {}) { __typename } }"}"#;

    fn run(query: &str, named: Option<&str>) -> Result<String, &'static str> {
        let mut request = Request::new(query);
        let admitted = TrustedDocuments::parse(MANIFEST).unwrap().admit(&mut request, named);
        admitted.map(|()| request.query).map_err(|error| error.code())
    }

    #[test]
    fn a_document_of_the_list_is_run_by_id_and_by_text() {
        assert_eq!(run("", Some("abc123")).unwrap(), "query Me { me { email name } }");
        assert_eq!(run("", Some("sha256:abc123")).unwrap(), "query Me { me { email name } }");
        assert!(run("query Me{me{email,name}}", None).is_ok());
        assert!(run("# comment\nquery Me {\n  me {\n    email\n    name\n  }\n}\n", None).is_ok());
    }

    #[test]
    fn nothing_else_is() {
        assert_eq!(run("query Me { me { emailname } }", None), Err("DOCUMENT_NOT_TRUSTED"));
        assert_eq!(run("query Me { me { email } }", Some("abc123")), Err("DOCUMENT_NOT_TRUSTED"));
        assert_eq!(run("", Some("nonsense")), Err("PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(run("", None), Err("PERSISTED_QUERY_NOT_FOUND"));
    }

    #[test]
    fn a_list_that_could_not_be_run_is_refused() {
        for (manifest, expected) in [
            ("[]", "is no manifest"),
            ("{", "is no manifest"),
            (r#"{"a": 1}"#, "is no manifest"),
            ("{}", "has no documents"),
            (r#"{"a": "query {"}"#, "has the document a, which cannot be run"),
            (
                r#"{"a": "mutation { login { a } b: login { a } }"}"#,
                "has the document a, which cannot be run",
            ),
        ] {
            let error = TrustedDocuments::parse(manifest).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_in_strings_means_something() {
        assert_ne!(plain(r#"{ a(b: "x, y # z") }"#), plain(r#"{ a(b: "x y") }"#));
        assert_eq!(plain(r#"{ a(b: "x \" # y"), # z"#), r#"{a(b:"x \" # y")"#);
        assert_eq!(plain("{ a(b: \"\"\"x \\\"\"\" , y\"\"\") , }"), "{a(b:\"\"\"x \\\"\"\" , y\"\"\")}");
        assert_eq!(plain("{ a(b: \"no end }"), "{a(b:\"no end }");
        assert_eq!(plain("{a b}"), "{a b}");
        assert_ne!(plain("{a b}"), plain("{ab}"));
    }
}
