//! What is admitted, and what each refusal says.

use async_graphql::Variables;
use async_graphql::parser::types::{FieldDefinition, TypeKind, TypeSystemDefinition};
use serde_json::json;

use super::count::CONNECTIONS;
use super::*;

fn admitted(document: &str) -> Result<bool, String> {
    admit(&mut Request::new(document), true).map_err(|error| error.to_string())
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
        assert!(refusal(document).contains("more than one operation that checks a password"), "{document}");
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
fn a_field_costs_as_much_as_its_page_has_entries() {
    let cost = |arguments: &str, variables: serde_json::Value| {
        // An entry costs 31 in each of the two.
        let list = format!("sessions{arguments} {{ edges {{ {} }} }} ", "a ".repeat(30));
        let document = format!("query q($n: Int, $d: Int = 100) {{ me {{ {list} b: {list} }} }}");
        let request = Request::new(document).variables(Variables::from_json(variables));
        admit(&mut { request }, true).map_err(|error| error.to_string())
    };
    for (arguments, variables) in [
        ("(first: 100)", json!({})),
        ("(last: 100)", json!({})),
        ("(first: 1, last: 100)", json!({})),
        ("(first: $n)", json!({"n": 100})),
        ("(first: $d)", json!({})),
        // What is refused later counts as the longest page.
        ("(first: 2000000000)", json!({})),
    ] {
        let refusal = cost(arguments, variables).unwrap_err();
        assert!(refusal.contains("costs more than 5000"), "{arguments}: {refusal}");
    }
    for (arguments, variables) in [
        ("", json!({})),
        ("(first: 20)", json!({})),
        ("(first: $n)", json!({"n": 20})),
        ("(first: $n)", json!({})),
        ("(first: $d)", json!({"d": 5})),
    ] {
        assert_eq!(cost(arguments, variables), Ok(false), "{arguments}");
    }
}

#[test]
fn every_list_of_the_schema_has_its_cost() {
    let schema = async_graphql::parser::parse_schema(crate::graphql::sdl()).unwrap();
    let mut pages = Vec::new();
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let TypeKind::Object(object) = definition.node.kind else { continue };
        let fields = object.fields.into_iter().map(|field| field.node);
        let is_page = |field: &FieldDefinition| field.ty.node.to_string().ends_with("Connection!");
        pages.extend(fields.filter(is_page).map(|field| field.name.node.to_string()));
    }
    pages.sort_unstable();
    assert_eq!(pages, CONNECTIONS);
}

#[test]
fn fragments_count_as_often_as_they_are_spread() {
    let bomb = repeat(25, |number| format!("fragment f{number} on Query {{ ...f{0} ...f{0} }} ", number + 1));
    let document = format!("{{ ...f0 }} {bomb} fragment f25 on Query {{ a }}");
    assert!(refusal(&document).contains("as often as they are spread"));
    assert!(
        refusal("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }").contains("500 fields")
    );
}

#[test]
fn the_schema_is_shown_where_it_may_be() {
    for document in
        ["{ __schema { types { name } } }", "{ ...F } fragment F on Query { __type(name: \"A\") { name } }"]
    {
        assert_eq!(admitted(document), Ok(false));
        let refusal = admit(&mut Request::new(document), false).unwrap_err();
        assert_eq!(refusal.code(), "INTROSPECTION_DISABLED");
        assert!(refusal.to_string().contains("AUTHQL_INTROSPECTION=on"), "{refusal}");
    }
    assert!(matches!(admit(&mut Request::new("{ a { __typename } }"), false), Ok(false)));
}

#[test]
fn a_variable_that_needs_a_value_has_one() {
    let document =
        "query a($x: Int!, $y: Int, $z: Int! = 1) { a(x: $x, y: $y, z: $z) } query b($w: Int!) { a(x: $w) }";
    for (variables, expected) in [
        (json!({}), Err("the variable $x needs a value")),
        (json!({"x": null}), Err("the variable $x needs a value")),
        (json!({"x": 0}), Ok(false)),
    ] {
        let request = Request::new(document).operation_name("a");
        let mut request = request.variables(Variables::from_json(variables));
        assert_eq!(
            admit(&mut request, true).map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }
}

#[test]
fn a_syntax_error_names_its_place_and_shows_nothing_of_the_document() {
    let refusal = refusal("{ me { secret-word");
    assert!(refusal.starts_with("the document cannot be read: line 1, column 14: expected"), "{refusal}");
    assert!(!refusal.contains("secret"), "{refusal}");
}

/// What tools ask first: `getIntrospectionQuery` of graphql-js with every option.
const OF_TOOLS: &str = "{ __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
    fragment FullType on __Type { kind name description specifiedByURL isOneOf fields(includeDeprecated: true) { name description
    args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
    inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

#[test]
fn the_whole_schema_is_the_most_that_introspection_gets() {
    assert_eq!(admitted(OF_TOOLS), Ok(false));
    for nested in [
        "{ __schema { types { possibleTypes { interfaces { possibleTypes { name } } } } } }",
        r#"{ __type(name: "User") { fields { type { ofType { fields { name } } } } } }"#,
        "{ __schema { types { ...F } } } fragment F on __Type { interfaces { ... { fields { name } } } }",
        "{ __schema { queryType { fields { type { enumValues { name } } } } } }",
    ] {
        assert!(refusal(nested).contains("from type to type"), "{nested}");
    }
    let fields = "__schema { types { fields { name description type { kind name ofType { kind name ofType { name } } } } } }";
    let again = format!("{{ {} }}", repeat(15, |number| format!("a{number}: {fields} ")));
    assert!(refusal(&again).contains("more of the schema than all of it"), "{again}");
}

/// The table of lists is kept by hand: this fails when the schema has outgrown it.
#[tokio::test]
async fn no_list_of_the_schema_is_longer_than_its_price() {
    let schema = crate::graphql::builder().finish();
    let answer = schema.execute(OF_TOOLS).await.data.into_json().unwrap();
    let mut found = std::collections::BTreeMap::new();
    count_lists(&answer, &mut found);
    for (list, price) in super::count::INTROSPECTION_LISTS {
        let entries = found.get(list).copied().unwrap_or_default();
        assert!(entries > 0 && entries <= price, "{list}: {entries} of {price}");
    }
}

/// How many entries the lists of each name have together.
fn count_lists(value: &serde_json::Value, found: &mut std::collections::BTreeMap<String, usize>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if let serde_json::Value::Array(entries) = value {
                    *found.entry(name.clone()).or_default() += entries.len();
                }
                count_lists(value, found);
            }
        }
        serde_json::Value::Array(entries) => entries.iter().for_each(|entry| count_lists(entry, found)),
        _ => {}
    }
}
