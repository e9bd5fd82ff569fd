//! Documents that ask for too much (docs/security.md LOG-6, GQL-1 to GQL-4, GQL-7). None is run, and the process lives.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Mode, TestApp, in_both_modes};

/// What GraphiQL and code generators ask first.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } types { ...FullType }
    directives { name description locations args { ...InputValue } } } }
    fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description
    args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue }
    interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef } }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

/// The messages of a document that is not run.
fn refusals(answer: &Value) -> Vec<&str> {
    assert!(answer.get("data").is_none(), "{answer}");
    assert!(answer.to_string().len() < 4096, "{answer}");
    answer["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str().unwrap()).collect()
}

in_both_modes! {
    with &[("AUTHQL_INTROSPECTION", "on")];

    async fn twenty_guesses_in_one_request_are_none(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut document = "mutation {".to_owned();
        for number in 0..20 {
            let password = if number == 13 { &ada.password } else { "a wrong password" };
            write!(
                document,
                r#" a{number}: login(input: {{ email: "{}", password: "{password}" }}) {{ ... on LoginSuccess {{ tokens {{ accessToken }} }} }}"#,
                ada.email
            )
            .unwrap();
        }
        let answer = app.graphql(&(document + "}"), json!({}), None).await;
        assert!(refusals(&answer)[0].contains("more than one operation that checks a password"), "{answer}");
        let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
        assert_eq!(sessions, 0);
    }

    async fn bombs_are_refused_and_the_process_lives(app: TestApp) {
        let mut fragments = String::new();
        for number in 0..30 {
            write!(fragments, " fragment f{number} on Query {{ ...f{0} ...f{0} }}", number + 1).unwrap();
        }
        fragments += " fragment f30 on Query { __typename }";
        for document in [
            "{".repeat(14_000),
            "{a".repeat(400),
            format!("{{a(b:{}{})}}", "[".repeat(400), "]".repeat(400)),
            format!("{{a(b:{}1{})}}", "{a:".repeat(300), "}".repeat(300)),
            format!("{{ ...f0 }} {fragments}"),
            format!("{{ __typename }} {fragments}"),
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(),
            format!("{{ {} }}", "__typename ".repeat(900)),
        ] {
            let answer = app.graphql(&document, json!({}), None).await;
            assert!(!refusals(&answer).is_empty(), "{answer}");
        }
        let answer = app.graphql("{ __typename }", json!({}), None).await;
        assert_eq!(answer["data"]["__typename"], "Query");
    }

    async fn errors_are_few_and_short(app: TestApp) {
        let answer = app.graphql(&format!("{{ {} }}", "nothing ".repeat(100)), json!({}), None).await;
        assert_eq!(refusals(&answer).len(), 5);
        let long = app.graphql(&format!("{{ {} }}", "x".repeat(5000)), json!({}), None).await;
        assert!(refusals(&long)[0].chars().count() <= 200, "{long}");
    }

    async fn tools_can_still_ask_for_the_schema(app: TestApp) {
        let answer = app.graphql(INTROSPECTION, json!({}), None).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        assert!(answer["data"]["__schema"]["types"].as_array().unwrap().len() > 20);
    }
}
