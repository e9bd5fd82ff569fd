//! What is ours says under which licence it is, and what is of others is carried with theirs.

use std::fs;
use std::path::{Path, PathBuf};

const OURS: &str = "MIT OR Apache-2.0";
/// The packages of this repository that npm can install.
const PACKAGES: [&str; 6] = [
    "clients/js",
    "clients/proof",
    "examples/apollo-react",
    "examples/urql-react",
    "examples/verify/node",
    "tests/node",
];
const VENDOR: &str = "src/http/pages/graphiql/vendor";

fn path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn everything_of_ours_has_one_licence() {
    assert!(read("Cargo.toml").contains(&format!("\nlicense = \"{OURS}\"\n")));
    for package in PACKAGES {
        for file in ["package.json", "package-lock.json"] {
            // Its own comes before those of its dependencies.
            let text = read(&format!("{package}/{file}"));
            let stated = text.split("\"license\": \"").nth(1).and_then(|rest| rest.split('"').next());
            assert_eq!(stated, Some(OURS), "{package}/{file}");
        }
    }
    for text in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(read(text).contains("Copyright") && read(text).contains("the authql authors"), "{text}");
    }
}

#[test]
fn what_graphiql_is_made_of_is_in_the_program_with_its_licences() {
    let pages = read("src/http/pages.rs");
    let mut texts = 0;
    for entry in fs::read_dir(path(VENDOR)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "renew.sh" {
            assert!(pages.contains(&format!("vendor/{name}\"")), "{name} is not in the program");
            texts += usize::from(name.ends_with(".LICENSE.txt"));
        }
    }
    assert!(texts >= 5, "only {texts} licences were found");
}

#[test]
fn each_vendored_package_is_in_the_notices() {
    let provenance = read(&format!("{VENDOR}/PROVENANCE.md"));
    let notices = read("THIRD-PARTY-NOTICES.md");
    // The rows that end in a checksum: package, version, its file, its name here, its licence.
    let rows = provenance.lines().filter(|line| line.ends_with(" |") && line.len() > 100);
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, package, version, _, name, licence, checksum, _] = cells[..] else { continue };
        if checksum.len() != 64 {
            continue;
        }
        seen += 1;
        let noted = notices.lines().any(|line| {
            line.starts_with(&format!("| {package}"))
                && line.contains(&format!("| {version} | {licence} |"))
                && (!name.ends_with(".LICENSE.txt") || line.contains(name))
        });
        assert!(noted, "THIRD-PARTY-NOTICES.md has not {package} {version} ({licence}) and its text");
    }
    assert!(seen >= 9, "only {seen} files were found");
}
