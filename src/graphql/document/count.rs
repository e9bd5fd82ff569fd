//! What an operation asks for, counted.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

use super::super::paging::{DEFAULT_PAGE, MAX_PAGE};
use super::{DocumentError, too_much};

/// The most fields and spreads, each as often as it is reached. The introspection query of tools has about 220.
const MAX_SELECTIONS: usize = 500;
/// The most aliases.
const MAX_ALIASES: usize = 15;
/// The most directives of a document, and of one field.
const MAX_DIRECTIVES: (usize, usize) = (50, 3);
/// The deepest field. That of introspection, which asks nothing of the services, may be deeper.
const MAX_DEPTH: usize = 6;
const MAX_INTROSPECTION_DEPTH: usize = 20;

/// The most that a document may cost: a field costs 1, for each entry of the page that it is in.
const MAX_COST: usize = 5_000;
/// The most that introspection may cost: what the query of tools costs, and half as much again.
const MAX_INTROSPECTION_COST: usize = 45_000;
/// How many entries the lists of introspection have in all, over the whole schema: rounded up, so that it may grow. A list
/// within the types costs what all of them have together.
pub(super) const INTROSPECTION_LISTS: [(&str, usize); 8] = [
    ("args", 120),
    ("directives", 10),
    ("enumValues", 200),
    ("fields", 400),
    ("inputFields", 100),
    ("interfaces", 20),
    ("possibleTypes", 100),
    ("types", 150),
];
/// Those that lead from a type to others. One of them on the way down: `possibleTypes { interfaces { possibleTypes … } }` would
/// multiply with each step (graphql-js has a rule of that kind, `MaxIntrospectionDepthRule`).
const LISTS_OF_A_TYPE: [&str; 5] = ["enumValues", "fields", "inputFields", "interfaces", "possibleTypes"];

/// The fields that are pages.
pub(super) const CONNECTIONS: [&str; 2] = ["securityEvents", "sessions"];

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

/// The variables that could be the size of a page.
pub(super) fn numbers(variables: &Variables) -> HashMap<Name, Value> {
    let numbers = variables.iter().filter(|(_, value)| matches!(value, Value::Number(_)));
    numbers.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What has been met of one operation.
pub(super) struct Count<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    numbers: &'a HashMap<Name, Value>,
    introspection: bool,
    selections: usize,
    cost: usize,
    introspection_cost: usize,
    aliases: usize,
    directives: usize,
    credentials: usize,
}

/// Where a selection stands.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// The deepest that is allowed here.
    deepest: usize,
    /// How many entries the pages around it may have.
    times: usize,
    /// Whether the fields are those of the mutation itself.
    is_root: bool,
    /// Where they are of the schema itself: whether a list of a type is on the way to them.
    introspection: Option<bool>,
}

impl<'a> Count<'a> {
    /// Nothing counted yet. `numbers` are the variables of the request that are numbers.
    pub(super) fn new(
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        numbers: &'a HashMap<Name, Value>,
        introspection: bool,
    ) -> Self {
        Self {
            document,
            operation,
            numbers,
            introspection,
            selections: 0,
            cost: 0,
            introspection_cost: 0,
            aliases: 0,
            directives: 0,
            credentials: 0,
        }
    }

    pub(super) fn operation(mut self) -> Result<(), DocumentError> {
        let operation = self.operation;
        self.directives(&operation.directives)?;
        let is_mutation = operation.ty == OperationType::Mutation;
        let place =
            Place { depth: 1, deepest: MAX_DEPTH, times: 1, is_root: is_mutation, introspection: None };
        self.selection_set(&operation.selection_set.node, place)
    }

    fn selection_set(&mut self, set: &SelectionSet, place: Place) -> Result<(), DocumentError> {
        for selection in &set.items {
            self.selections += 1;
            if self.selections > MAX_SELECTIONS {
                return Err(too_much(format!(
                    "asks for more than {MAX_SELECTIONS} fields, fragments counted as often as they are spread"
                )));
            }
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, place)?,
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.node.directives)?;
                    self.selection_set(&fragment.node.selection_set.node, place)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives)?;
                    // One that is not there is left to the validation.
                    let document = self.document;
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.selection_set(&fragment.node.selection_set.node, place)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, place: Place) -> Result<(), DocumentError> {
        let Place { depth, deepest, times, is_root, introspection } = place;
        self.directives(&field.directives)?;
        if depth > deepest {
            return Err(too_much(format!("is deeper than {deepest} fields")));
        }
        let cost = if introspection.is_some() { &mut self.introspection_cost } else { &mut self.cost };
        *cost += times;
        if self.introspection_cost > MAX_INTROSPECTION_COST {
            return Err(too_much("asks for more of the schema than all of it".to_owned()));
        }
        if self.cost > MAX_COST {
            return Err(too_much(format!(
                "costs more than {MAX_COST}, where each field costs 1 for each entry of its page: ask for shorter pages"
            )));
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
        let is_introspection = name.starts_with("__") && name != "__typename";
        if is_introspection && !self.introspection {
            return Err(DocumentError::Introspection);
        }
        let deepest = if is_introspection { MAX_INTROSPECTION_DEPTH } else { deepest };
        let introspection = introspection.or(is_introspection.then_some(false));
        let (times, introspection) = match introspection {
            Some(is_within) => introspection_list(name, times, is_within)?,
            None if CONNECTIONS.contains(&name) => (times * self.page_size(field), None),
            None => (times, None),
        };
        self.selection_set(
            &field.selection_set.node,
            Place { depth: depth + 1, deepest, times, is_root: false, introspection },
        )
    }

    /// How many entries a page may have. One that is refused later has none that cost anything.
    fn page_size(&self, field: &Field) -> usize {
        let sizes = ["first", "last"].into_iter().filter_map(|name| {
            let argument = field.get_argument(name)?.node.clone();
            match argument.into_const_with(|name| Ok::<_, Infallible>(self.number(&name))) {
                Ok(Value::Number(number)) => usize::try_from(number.as_u64()?).ok(),
                Ok(_) => None,
            }
        });
        sizes.max().unwrap_or(DEFAULT_PAGE.into()).min(MAX_PAGE.into())
    }

    fn number(&self, name: &Name) -> Value {
        let default = || {
            let definition = self
                .operation
                .variable_definitions
                .iter()
                .find(|definition| definition.node.name.node == *name);
            definition.and_then(|definition| Some(definition.node.default_value.as_ref()?.node.clone()))
        };
        self.numbers.get(name).cloned().or_else(default).unwrap_or_default()
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

/// How many entries a field of introspection leads to, and whether a list of a type is on the way to them.
fn introspection_list(
    name: &str,
    times: usize,
    is_within: bool,
) -> Result<(usize, Option<bool>), DocumentError> {
    let is_of_a_type = LISTS_OF_A_TYPE.contains(&name);
    if is_of_a_type && is_within {
        return Err(too_much(
            "follows the schema from type to type: ask for the fields, values or types of one type at a time"
                .to_owned(),
        ));
    }
    let all = INTROSPECTION_LISTS.iter().find(|(list, _)| *list == name).map(|(_, all)| *all);
    Ok((all.unwrap_or(times), Some(is_within || is_of_a_type)))
}
