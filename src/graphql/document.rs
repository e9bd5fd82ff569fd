//! What a document may ask for, decided before anything of it is validated or run (docs/security.md LOG-6, GQL-2, GQL-7).
//!
//! Fragments are followed as often as they are spread, so that a few lines cannot stand for a million fields; whatever has
//! been followed so far stops the count as soon as it is too much.

mod count;

use async_graphql::parser::types::{OperationDefinition, OperationType};
use async_graphql::{Name, Request, ServerError, Value};

use self::count::Count;

/// The most characters of a document.
const MAX_CHARACTERS: usize = 15_000;
/// The most tokens of a document.
const MAX_TOKENS: usize = 1_000;
/// The most brackets of any kind that are open at once. The parser calls itself for each, and a stack that overflows ends the
/// whole process (RUSTSEC-2022-0037). The introspection query of tools has 14.
const MAX_OPEN: usize = 50;
/// The most operations of a document.
const MAX_OPERATIONS: usize = 10;
/// Why a document is not run.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is no GraphQL.
    #[error("the document cannot be read: {0}")]
    Syntax(String),
    /// It asks for too much.
    #[error("the document {0}")]
    TooMuch(String),
    /// It asks for the schema, which is not to be had.
    #[error(
        "introspection is off here: set AUTHQL_INTROSPECTION=on, or take the schema from `authql schema`"
    )]
    Introspection,
    /// A variable that must have a value has none.
    #[error("the variable ${0} needs a value")]
    NoValue(String),
    /// It is named by an id that is not known, or not named at all.
    #[error(
        "this server runs only the documents that its front ends were built with, and this id is of none"
    )]
    NotFound,
    /// It is named by an id where documents have to be sent.
    #[error("this server has no list of documents: send the document itself")]
    NotSupported,
    /// It is none of those that the operator has listed.
    #[error("this server runs only the documents that its front ends were built with")]
    NotTrusted,
}

impl DocumentError {
    /// The code that clients see.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "GRAPHQL_PARSE_FAILED",
            Self::TooMuch(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::Introspection => "INTROSPECTION_DISABLED",
            Self::NoValue(_) => "BAD_USER_INPUT",
            Self::NotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::NotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::NotTrusted => "DOCUMENT_NOT_TRUSTED",
        }
    }
}

/// Parses the document of a request and checks that it asks for no more than it may, and for the schema only with
/// `introspection`. Answers whether the operation that would run is a mutation.
///
/// # Errors
/// See [`DocumentError`].
pub fn admit(request: &mut Request, introspection: bool) -> Result<bool, DocumentError> {
    let Inspected { is_mutation, required } = inspect(request, introspection)?;
    // The library would find out while it runs, and answer as if something had been.
    let has_none = |name: &Name| matches!(request.variables.get(name), None | Some(Value::Null));
    match required.into_iter().find(has_none) {
        Some(name) => Err(DocumentError::NoValue(name.to_string())),
        None => Ok(is_mutation),
    }
}

/// Checks a document that is not to be run now.
pub(super) fn check(text: &str) -> Result<(), DocumentError> {
    inspect(&mut Request::new(text), true).map(drop)
}

/// What a document turned out to be.
struct Inspected {
    /// Whether the operation that would run is a mutation.
    is_mutation: bool,
    /// The variables that it must have.
    required: Vec<Name>,
}

fn inspect(request: &mut Request, introspection: bool) -> Result<Inspected, DocumentError> {
    check_text(&request.query)?;
    let (chosen, numbers) = (request.operation_name.clone(), count::numbers(&request.variables));
    let document = request.parsed_query().map_err(|error| DocumentError::Syntax(without_source(&error)))?;
    if document.operations.iter().count() > MAX_OPERATIONS {
        return Err(too_much(format!("has more than {MAX_OPERATIONS} operations")));
    }
    let (mut is_mutation, mut required) = (false, Vec::new());
    for (name, operation) in document.operations.iter() {
        Count::new(document, &operation.node, &numbers, introspection).operation()?;
        if chosen.is_none() || name.map(Name::as_str) == chosen.as_deref() {
            is_mutation |= operation.node.ty == OperationType::Mutation;
            required.extend(required_variables(&operation.node));
        }
    }
    Ok(Inspected { is_mutation, required })
}

/// The variables of an operation that have neither a default nor the permission to be `null`.
fn required_variables(operation: &OperationDefinition) -> impl Iterator<Item = Name> {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    definitions
        .filter(|definition| !definition.var_type.node.nullable && definition.default_value.is_none())
        .map(|definition| definition.name.node.clone())
}

/// What is checked before the parser sees it.
fn check_text(text: &str) -> Result<(), DocumentError> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(too_much(format!("has more than {MAX_CHARACTERS} characters")));
    }
    let (mut tokens, mut open, mut was_word) = (0, 0_usize, false);
    for c in text.chars() {
        // Those in strings and comments too: whoever left them out would have to read them exactly as the parser does.
        match c {
            '{' | '[' | '(' => open += 1,
            '}' | ']' | ')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Err(too_much(format!("opens more than {MAX_OPEN} brackets within each other")));
        }
        let is_part = c.is_alphanumeric() || c == '_';
        // A word is one token, and so is each mark. Strings count as the words in them, which is no less.
        tokens += usize::from(if is_part { !was_word } else { !c.is_whitespace() && c != ',' });
        was_word = is_part;
    }
    if tokens > MAX_TOKENS {
        return Err(too_much(format!("has more than {MAX_TOKENS} tokens")));
    }
    Ok(())
}

fn too_much(what: String) -> DocumentError {
    DocumentError::TooMuch(what)
}

/// What the parser says, without the excerpt of the document that it shows.
fn without_source(error: &ServerError) -> String {
    let place = error
        .locations
        .first()
        .map_or_else(String::new, |at| format!("line {}, column {}: ", at.line, at.column));
    let reason = error.message.lines().last().unwrap_or_default().trim_start_matches([' ', '=']);
    format!("{place}{reason}")
}

#[cfg(test)]
mod tests;
