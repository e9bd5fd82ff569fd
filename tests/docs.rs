//! The tables of docs/security.md and docs/faults.md: each row once, nothing empty, and no test that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many requirements each family of docs/security.md has.
const FAMILIES: [(&str, usize); 15] = [
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
    ("BUD", 10),
];

/// How many faults docs/faults.md has.
const FAULTS: usize = 38;

/// The requirements that nothing proves yet. The list only ever gets shorter.
const NOT_YET: [&str; 4] = ["BUD-6", "BUD-8", "BUD-9", "BUD-10"];

/// The cell of a row that has the proof: in docs/security.md, and in docs/faults.md.
const PROOF_OF_SECURITY: usize = 2;
const PROOF_OF_FAULTS: usize = 4;

fn read(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The rows of the tables of a page, without their heads: each cell of each.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let inner = page.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows = inner.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter(|cells| cells[0] != "id" && !cells[0].starts_with("--")).collect()
}

/// Checks the tests that a proof names, and answers how many there are.
fn named_tests(id: &str, proof: &str) -> usize {
    let tests: Vec<(&str, &str)> = proof.split('`').filter_map(|part| part.split_once(".rs::")).collect();
    for (file, test) in &tests {
        let source = read(&format!("{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{id} names {test}, which is not in {file}.rs");
    }
    tests.len()
}

#[test]
fn each_requirement_is_there_once() {
    let page = read("docs/security.md");
    let found: Vec<&str> = rows(&page).iter().map(|cells| cells[0]).collect();
    let expected: Vec<String> = FAMILIES
        .iter()
        .flat_map(|(family, count)| (1..=*count).map(move |number| format!("{family}-{number}")))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn each_fault_is_there_once() {
    let page = read("docs/faults.md");
    let rows = rows(&page);
    let found: BTreeSet<&str> = rows.iter().map(|cells| cells[0]).collect();
    let expected: Vec<String> = (1..=FAULTS).map(|number| format!("F{number}")).collect();
    assert_eq!(found, expected.iter().map(String::as_str).collect());
    assert_eq!(rows.len(), FAULTS, "a fault is there twice");
}

#[test]
fn no_cell_is_empty() {
    for (page, cells) in [("docs/security.md", 4), ("docs/faults.md", 5)] {
        let text = read(page);
        for row in rows(&text) {
            let is_whole = row.len() == cells && row.iter().all(|cell| !cell.is_empty());
            assert!(is_whole, "{page}: {} has not {cells} cells with something in each", row[0]);
        }
    }
}

#[test]
fn each_requirement_has_a_test_that_exists_or_says_why_not() {
    let page = read("docs/security.md");
    let mut named = 0;
    for row in rows(&page) {
        let (id, proof) = (row[0], row[PROOF_OF_SECURITY]);
        let tests = named_tests(id, proof);
        named += tests;
        let is_expected = NOT_YET.contains(&id);
        assert_eq!(
            proof == "not yet",
            is_expected,
            "{id} is on the list of what is not proved yet, or says so: one of both"
        );
        let is_open = is_expected || proof.starts_with("Not ") || proof.contains("not tested");
        assert!(tests > 0 || is_open, "{id} neither names a test nor says that there is none");
    }
    assert!(named > 150, "only {named} tests were found");
}

#[test]
fn each_fault_has_a_test_that_exists_or_says_that_none_does() {
    let page = read("docs/faults.md");
    let mut named = 0;
    for row in rows(&page) {
        let (id, proof) = (row[0], row[PROOF_OF_FAULTS]);
        let tests = named_tests(id, proof);
        named += tests;
        assert!(tests > 0 || proof.starts_with("Not proved"), "{id} neither names a test nor says why not");
    }
    assert!(named > 50, "only {named} tests were found");
}
