//! What a document may ask for, decided before anything of it is validated or run (SECURITY.md LOG-6, GQL-2, GQL-7).
//!
//! Fragments are followed as often as they are spread, so that a few lines cannot stand for a million fields; whatever has
//! been followed so far stops the count as soon as it is too much.

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Request, ServerError};

/// The most characters of a document.
const MAX_CHARACTERS: usize = 15_000;
/// The most tokens of a document.
const MAX_TOKENS: usize = 1_000;
/// The most brackets of any kind that are open at once. The parser calls itself for each, and a stack that overflows ends the
/// whole process (RUSTSEC-2022-0037). The introspection query of tools has 14.
const MAX_OPEN: usize = 50;
/// The most operations of a document.
const MAX_OPERATIONS: usize = 10;
/// The most fields and spreads, each as often as it is reached. The introspection query of tools has about 220.
const MAX_SELECTIONS: usize = 500;
/// The most aliases.
const MAX_ALIASES: usize = 15;
/// The most directives of a document, and of one field.
const MAX_DIRECTIVES: (usize, usize) = (50, 3);
/// The deepest field. That of introspection, which asks nothing of the services, may be deeper.
const MAX_DEPTH: usize = 6;
const MAX_INTROSPECTION_DEPTH: usize = 20;

/// The operations that check a password or a token, or cause a mail. One in a request: a mutation goes on after a failed field, so twenty
/// aliased logins would be twenty guesses.
const CREDENTIAL_OPERATIONS: [&str; 11] = [
    "changePassword",
    "confirmEmailChange",
    "deleteAccount",
    "login",
    "refresh",
    "register",
    "requestEmailChange",
    "requestPasswordReset",
    "resendVerification",
    "resetPassword",
    "verifyEmail",
];

/// Why a document is not run.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is no GraphQL.
    #[error("the document cannot be read: {0}")]
    Syntax(String),
    /// It asks for too much.
    #[error("the document {0}")]
    TooMuch(String),
}

impl DocumentError {
    /// The code that clients see.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "GRAPHQL_PARSE_FAILED",
            Self::TooMuch(_) => "GRAPHQL_VALIDATION_FAILED",
        }
    }
}

/// Parses the document of a request and checks that it asks for no more than it may. Answers whether the operation that
/// would run is a mutation.
///
/// # Errors
/// See [`DocumentError`].
pub fn admit(request: &mut Request) -> Result<bool, DocumentError> {
    check_text(&request.query)?;
    let chosen = request.operation_name.clone();
    let document = request.parsed_query().map_err(|error| DocumentError::Syntax(without_source(&error)))?;
    if document.operations.iter().count() > MAX_OPERATIONS {
        return Err(too_much(format!("has more than {MAX_OPERATIONS} operations")));
    }
    let mut is_mutation = false;
    for (name, operation) in document.operations.iter() {
        let mut count = Count { document, selections: 0, aliases: 0, directives: 0, credentials: 0 };
        count.operation(&operation.node)?;
        if chosen.is_none() || name.map(Name::as_str) == chosen.as_deref() {
            is_mutation |= operation.node.ty == OperationType::Mutation;
        }
    }
    Ok(is_mutation)
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

/// What has been met of one operation.
struct Count<'a> {
    document: &'a ExecutableDocument,
    selections: usize,
    aliases: usize,
    directives: usize,
    credentials: usize,
}

impl Count<'_> {
    fn operation(&mut self, operation: &OperationDefinition) -> Result<(), DocumentError> {
        self.directives(&operation.directives)?;
        let is_mutation = operation.ty == OperationType::Mutation;
        self.selection_set(&operation.selection_set.node, 1, MAX_DEPTH, is_mutation)
    }

    /// `is_root` while the fields are those of the mutation itself.
    fn selection_set(
        &mut self,
        set: &SelectionSet,
        depth: usize,
        deepest: usize,
        is_root: bool,
    ) -> Result<(), DocumentError> {
        for selection in &set.items {
            self.selections += 1;
            if self.selections > MAX_SELECTIONS {
                return Err(too_much(format!(
                    "asks for more than {MAX_SELECTIONS} fields, fragments counted as often as they are spread"
                )));
            }
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, depth, deepest, is_root)?,
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.node.directives)?;
                    self.selection_set(&fragment.node.selection_set.node, depth, deepest, is_root)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives)?;
                    // One that is not there is left to the validation.
                    let document = self.document;
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.selection_set(&fragment.node.selection_set.node, depth, deepest, is_root)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        depth: usize,
        deepest: usize,
        is_root: bool,
    ) -> Result<(), DocumentError> {
        self.directives(&field.directives)?;
        if depth > deepest {
            return Err(too_much(format!("is deeper than {deepest} fields")));
        }
        self.aliases += usize::from(field.alias.is_some());
        if self.aliases > MAX_ALIASES {
            return Err(too_much(format!("has more than {MAX_ALIASES} aliases")));
        }
        let name = field.name.node.as_str();
        self.credentials += usize::from(is_root && CREDENTIAL_OPERATIONS.contains(&name));
        if self.credentials > 1 {
            return Err(too_much(
                "has more than one operation that checks a password or a token, or sends a mail, such as login: send \
                 each in a request of its own"
                    .to_owned(),
            ));
        }
        let deepest = if name.starts_with("__") { MAX_INTROSPECTION_DEPTH } else { deepest };
        self.selection_set(&field.selection_set.node, depth + 1, deepest, false)
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), DocumentError> {
        let (of_document, of_field) = MAX_DIRECTIVES;
        self.directives += directives.len();
        if directives.len() > of_field || self.directives > of_document {
            return Err(too_much(format!(
                "has more than {of_document} directives, or more than {of_field} in one place"
            )));
        }
        Ok(())
    }
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
mod tests {
    use super::*;

    fn admitted(document: &str) -> Result<bool, String> {
        admit(&mut Request::new(document)).map_err(|error| error.to_string())
    }

    fn repeat(times: usize, part: impl Fn(usize) -> String) -> String {
        (0..times).map(part).collect::<Vec<_>>().concat()
    }

    fn refusal(document: &str) -> String {
        admitted(document).expect_err(document)
    }

    #[test]
    fn what_clients_send_is_admitted() {
        assert_eq!(admitted("{ me { sessions { edges { node { id } } } } }"), Ok(false));
        let login = "mutation { login(input: {}) { ... on LoginSuccess { user { sessions { edges { node { id } } } } } } }";
        assert_eq!(admitted(login), Ok(true));
        assert_eq!(
            admitted("mutation { a: logout(input: {}) { __typename } login(input: {}) { __typename } }"),
            Ok(true)
        );
    }

    #[test]
    fn one_credential_operation_is_run_in_a_request() {
        for document in [
            "mutation { login { a } b: login { a } }",
            "mutation { login { a } register { a } }",
            "mutation { login { a } ...F } fragment F on Mutation { refresh { a } }",
            "mutation { ... { login { a } } ... { b: login { a } } }",
            "mutation { login { a } b: login @skip(if: true) { a } }",
        ] {
            assert!(
                refusal(document).contains("more than one operation that checks a password"),
                "{document}"
            );
        }
        // A field of that name elsewhere is none.
        assert_eq!(admitted("mutation { login { login register } }"), Ok(true));
    }

    #[test]
    fn every_size_has_its_limit() {
        let aliases = repeat(16, |number| format!("a{number}: __typename "));
        let operations = repeat(11, |number| format!("query q{number} {{ a }} "));
        for (document, expected) in [
            (format!("{{ a }} #{}", "x".repeat(15_000)), "more than 15000 characters"),
            ("{".repeat(14_000), "more than 50 brackets"),
            (format!("{{ a(b: {}{}) }}", "[".repeat(400), "]".repeat(400)), "more than 50 brackets"),
            ("x ".repeat(1_001), "more than 1000 tokens"),
            (operations, "more than 10 operations"),
            (format!("{{ {aliases} }}"), "more than 15 aliases"),
            ("{ a { b { c { d { e { f { g } } } } } } }".to_owned(), "deeper than 6 fields"),
            ("{ a @b @b @b @b }".to_owned(), "more than 3 in one place"),
            (format!("{{ {} }}", "a ".repeat(501)), "more than 500 fields"),
        ] {
            let refusal = refusal(&document);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn fragments_count_as_often_as_they_are_spread() {
        let bomb =
            repeat(25, |number| format!("fragment f{number} on Query {{ ...f{0} ...f{0} }} ", number + 1));
        let document = format!("{{ ...f0 }} {bomb} fragment f25 on Query {{ a }}");
        assert!(refusal(&document).contains("as often as they are spread"));
        assert!(
            refusal("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }")
                .contains("500 fields")
        );
    }

    #[test]
    fn a_syntax_error_names_its_place_and_shows_nothing_of_the_document() {
        let refusal = refusal("{ me { secret-word");
        assert!(refusal.starts_with("the document cannot be read: line 1, column 14: expected"), "{refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}
