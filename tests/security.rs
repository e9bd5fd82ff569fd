//! docs/security.md: each requirement once, and no test that does not exist.

use std::fs;
use std::path::Path;

/// How many requirements each family has.
const FAMILIES: [(&str, usize); 14] = [
    ("REG", 10),
    ("PWD", 11),
    ("LOG", 9),
    ("TOK", 12),
    ("REF", 12),
    ("OUT", 7),
    ("CSR", 6),
    ("GQL", 12),
    ("TLS", 8),
    ("MAI", 8),
    ("AUD", 5),
    ("KEY", 4),
    ("DAT", 3),
    ("OPS", 7),
];

fn read(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The rows of the tables: id and proof.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.filter(|(id, _)| *id != "id").collect()
}

#[test]
fn each_requirement_is_there_once() {
    let page = read("docs/security.md");
    let found: Vec<&str> = rows(&page).into_iter().map(|(id, _)| id).collect();
    let expected: Vec<String> = FAMILIES
        .iter()
        .flat_map(|(family, count)| (1..=*count).map(move |number| format!("{family}-{number}")))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn each_has_a_test_that_exists_or_says_why_not() {
    let page = read("docs/security.md");
    let mut named = 0;
    for (id, proof) in rows(&page) {
        let tests: Vec<(&str, &str)> = proof.split('`').filter_map(|part| part.split_once(".rs::")).collect();
        for (file, test) in &tests {
            let source = read(&format!("{file}.rs"));
            assert!(source.contains(&format!("fn {test}(")), "{id} names {test}, which is not in {file}.rs");
        }
        named += tests.len();
        let is_open = proof.starts_with("Not ") || proof.contains("not tested");
        assert!(!tests.is_empty() || is_open, "{id} neither names a test nor says that there is none");
    }
    assert!(named > 150, "only {named} tests were found");
}
