//! Documents that are made from the schema at random, variables that fit and do not, and headers that no client sends
//! (docs/security.md GQL-10, GQL-12, PWD-10). Whatever comes, the server answers, and nothing of its inside can be read in it.

use std::fmt::Write;
use std::future::ready;

use futures_util::StreamExt;
use futures_util::stream::iter;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{Mode, TestApp, Tokens};

/// How many documents each root field is asked with.
const DOCUMENTS: usize = 500;
/// How many are under way at once.
const AT_ONCE: usize = 8;

const SCHEMA: &str = "{ __schema { queryType { name } mutationType { name } types { kind name
    fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } } enumValues { name } possibleTypes { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Pieces of JSON that stand for texts.
const TEXTS: &[&str] = &[
    r#""""#,
    r#"" ""#,
    r#""ada@example.com""#,
    r#""b@example.org""#,
    r#""correct horse battery staple""#,
    r#""\u0000""#,
    r#""a\u0000b@example.com""#,
    r#""\ud800""#,
    r#""x\udfffy""#,
    r#""\ud83e\udd80""#,
    r#""\ufeffada@example.com""#,
    r#""\u202e""#,
    r#""' OR 1=1; --""#,
    r#""a@b.c\r\nBcc: x@y.z""#,
    r#""%00%s%n""#,
    r#""{{ 7*7 }}""#,
    r#""ru""#,
    r#""en-US-x-private""#,
    r#""VXNlcjowMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTc""#,
    r#""U2Vzc2lvbjo""#,
    r#""eyJhbGciOiJub25lIn0.e30.""#,
    r#""\\""#,
];
/// Pieces of JSON that stand for anything else.
const OTHERS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1",
    "100",
    "2147483648",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1.5",
    "1e308",
    "[]",
    "{}",
    r#"{"a": 1}"#,
    "[[[[[[1]]]]]]",
    r#"[{"input": []}]"#,
];

/// Numbers by chance, the same in each run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Makes documents for a schema.
struct Writer {
    types: Vec<Value>,
    chance: Chance,
}

impl Writer {
    fn find(&self, name: &str) -> Option<&Value> {
        self.types.iter().find(|one| one["name"] == name)
    }

    /// JSON for an argument of this type, most of the time.
    fn value(&mut self, of: &Value, depth: usize) -> String {
        if self.chance.one_in(8) || depth > 6 {
            let any = [TEXTS, OTHERS].concat();
            return (*self.chance.of(&any)).to_owned();
        }
        match of["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&of["ofType"].clone(), depth),
            _ if self.chance.one_in(6) => "null".to_owned(),
            "LIST" => {
                let items: Vec<String> =
                    (0..self.chance.below(3)).map(|_| self.value(&of["ofType"].clone(), depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            "INPUT_OBJECT" => {
                let fields = self.find(of["name"].as_str().unwrap()).unwrap()["inputFields"].clone();
                let mut parts = Vec::new();
                for field in fields.as_array().unwrap() {
                    if !self.chance.one_in(6) {
                        parts.push(format!("{}:{}", field["name"], self.value(&field["type"], depth + 1)));
                    }
                }
                if self.chance.one_in(10) {
                    parts.push(format!("\"extra\":{}", self.chance.of(OTHERS)));
                }
                format!("{{{}}}", parts.join(","))
            }
            "SCALAR" => match of["name"].as_str().unwrap() {
                "Int" => {
                    (*self.chance.of(&["0", "1", "20", "100", "-1", "2147483647", "2147483648"])).to_owned()
                }
                "Boolean" => (*self.chance.of(&["true", "false"])).to_owned(),
                _ if self.chance.one_in(20) => format!("\"{}\"", "xж".repeat(self.chance.below(1500))),
                _ => (*self.chance.of(TEXTS)).to_owned(),
            },
            _ => "\"NO_SUCH_VALUE\"".to_owned(),
        }
    }

    /// A selection of fields of this type, with the arguments of their own.
    fn selection(&mut self, of: &str, depth: usize) -> String {
        let found = self.find(of).cloned().unwrap_or_default();
        let mut text = " { __typename".to_owned();
        for possible in found["possibleTypes"].as_array().into_iter().flatten() {
            if !self.chance.one_in(3) && depth < 5 {
                let name = possible["name"].as_str().unwrap();
                let inner = self.selection(name, depth + 1);
                write!(text, " ... on {name}{inner}").unwrap();
            }
        }
        for field in found["fields"].as_array().into_iter().flatten() {
            if self.chance.one_in(2) {
                let name = field["name"].as_str().unwrap();
                let mut arguments = Vec::new();
                for argument in field["args"].as_array().unwrap() {
                    if self.chance.one_in(2) {
                        let literal = literal(&self.value(&argument["type"], 5));
                        arguments.push(format!("{}: {literal}", argument["name"].as_str().unwrap()));
                    }
                }
                let arguments =
                    if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
                let inner = self.inner(&field["type"], depth);
                write!(text, " {name}{arguments}{inner}").unwrap();
            }
        }
        if self.chance.one_in(40) {
            text += " noSuchField";
        }
        text + " }"
    }

    /// What follows a field of this type.
    fn inner(&mut self, of: &Value, depth: usize) -> String {
        let mut named = of;
        while !named["ofType"].is_null() {
            named = &named["ofType"];
        }
        match named["kind"].as_str().unwrap() {
            "OBJECT" | "INTERFACE" | "UNION" if depth < 6 => {
                let name = named["name"].as_str().unwrap().to_owned();
                self.selection(&name, depth + 1)
            }
            _ => String::new(),
        }
    }

    /// The body of a request for a root field: variables where `is_named`, and otherwise literals.
    fn body(&mut self, operation: &str, field: &Value) -> String {
        let name = field["name"].as_str().unwrap();
        let (mut definitions, mut arguments, mut variables) = (Vec::new(), Vec::new(), Vec::new());
        for argument in field["args"].as_array().unwrap() {
            let argument_name = argument["name"].as_str().unwrap();
            let value = self.value(&argument["type"], 0);
            if self.chance.one_in(4) {
                arguments.push(format!("{argument_name}: {}", literal(&value)));
            } else {
                definitions.push(format!("${argument_name}: {}", signature(&argument["type"])));
                arguments.push(format!("{argument_name}: ${argument_name}"));
                variables.push(format!("\"{argument_name}\":{value}"));
            }
        }
        let enclosed = |parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
        };
        let selection = self.inner(&field["type"], 1);
        let document = format!(
            "{operation} Q{} {{ {name}{}{selection} }}",
            enclosed(&definitions),
            enclosed(&arguments)
        );
        format!("{{\"query\":{},\"variables\":{{{}}}}}", json!(document), variables.join(","))
    }
}

/// A piece of JSON as a document has it: names without quotes.
fn literal(json: &str) -> String {
    let mut text = json.to_owned();
    for (at, _) in json.rmatch_indices("\":") {
        if let Some(start) =
            text[..at].rfind('"').filter(|start| text[start + 1..at].chars().all(char::is_alphanumeric))
        {
            text.remove(at);
            text.remove(start);
        }
    }
    text
}

/// A type as a document writes it.
fn signature(of: &Value) -> String {
    match of["kind"].as_str().unwrap() {
        "NON_NULL" => signature(&of["ofType"]) + "!",
        "LIST" => format!("[{}]", signature(&of["ofType"])),
        _ => of["name"].as_str().unwrap().to_owned(),
    }
}

/// What no answer may show.
fn check(status: u16, body: &str, request: &str) {
    assert!(status < 500, "{status} {body}\n{request}");
    for inside in [
        "INTERNAL_SERVER_ERROR",
        "sqlx",
        "ostgres",
        "relation \"",
        "constraint",
        "panicked",
        ".rs:",
        "redis",
        "0x00",
    ] {
        assert!(!body.contains(inside), "{inside} is in {body}\n{request}");
    }
}

/// Sends a body. Answers whether something of it was run.
async fn send(app: &TestApp, body: String, bearer: Option<&str>) -> bool {
    let mut request = app
        .client
        .post(format!("{}/graphql", app.url))
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .body(body.clone());
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let answer = response.text().await.unwrap();
    check(status, &answer, &body);
    answer.starts_with("{\"data\"")
}

/// Somebody who is signed in, whatever was changed before.
async fn tokens(app: &TestApp, number: usize) -> Tokens {
    app.registered(&format!("Ada{number}")).await.login(app).await
}

#[tokio::test]
async fn five_hundred_documents_of_each_root_field_are_answered() {
    let explored = [("AUTHQL_INTROSPECTION", "on")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &explored).await.unwrap();
    let schema = app.graphql(SCHEMA, json!({}), None).await["data"]["__schema"].take();
    let types = schema["types"].as_array().unwrap().clone();
    let mut writer = Writer { types, chance: Chance(0x9E37_79B9_7F4A_7C15) };
    let mut seen = 0;
    for (operation, root) in [("query", &schema["queryType"]), ("mutation", &schema["mutationType"])] {
        let fields = writer.find(root["name"].as_str().unwrap()).unwrap()["fields"].clone();
        for field in fields.as_array().unwrap() {
            let tokens = tokens(&app, seen).await;
            let bodies: Vec<(String, bool)> =
                (0..DOCUMENTS).map(|_| (writer.body(operation, field), writer.chance.one_in(2))).collect();
            let (app, access) = (&app, &tokens.access);
            let run = iter(bodies)
                .map(|(body, signed_in)| send(app, body, signed_in.then_some(access)))
                .buffer_unordered(AT_ONCE)
                .filter(|was_run| ready(*was_run))
                .count()
                .await;
            assert!(run > DOCUMENTS / 10, "of {} only {run} were run", field["name"]);
            seen += 1;
        }
    }
    assert!(seen >= 16, "only {seen} root fields were found");
    assert!(tokens(&app, seen).await.me(&app).await.is_some(), "it lives, and does its work");
}

#[tokio::test]
async fn headers_and_bodies_that_no_client_sends_are_answered() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let mut chance = Chance(0x2545_F491_4F6C_DD1D);
    let names = [
        "authorization",
        "accept",
        "cookie",
        "x-forwarded-for",
        "origin",
        "x-token-delivery",
        "x-device-token",
        "x-request-id",
        "user-agent",
        "content-type",
    ];
    let pieces: [&[u8]; 16] = [
        b"Bearer ",
        b"Basic ",
        b"\xff\xfe",
        b"application/json",
        b"*/*",
        b";q=",
        b"9e999",
        b"-1",
        b",",
        b"; ",
        b"=",
        b"__Host-authql-refresh=",
        b"http://",
        b"null",
        b"127.0.0.1",
        b"\t",
    ];
    for _ in 0..DOCUMENTS {
        let mut request =
            app.client.post(format!("{}/graphql", app.url)).header("content-type", "application/json");
        let mut sent = String::new();
        for name in names {
            if chance.one_in(3) {
                let bytes: Vec<u8> = (0..chance.below(6)).flat_map(|_| chance.of(&pieces).to_vec()).collect();
                write!(sent, "{name}: {} ", bytes.escape_ascii()).unwrap();
                request =
                    request.header(HeaderName::from_static(name), HeaderValue::from_bytes(&bytes).unwrap());
            }
        }
        let body = match chance.below(6) {
            0 => "{".repeat(chance.below(5000)),
            1 => format!("{{\"query\":\"{{me{{email}}}}\",\"variables\":{}}}", "[".repeat(200)),
            2 => "\u{feff}{\"query\":\"{ me { email } }\"}".to_owned(),
            3 => (*chance.of(OTHERS)).to_owned(),
            4 => format!("{{\"query\":{},\"extensions\":{}}}", chance.of(TEXTS), chance.of(OTHERS)),
            _ => "{\"query\":\"{ me { email } }\"}".to_owned(),
        };
        let response = request.body(body.clone()).send().await.unwrap();
        let status = response.status().as_u16();
        check(status, &response.text().await.unwrap(), &(sent + &body));
    }
    assert!(tokens(&app, 0).await.me(&app).await.is_some());
}
