//! No reference in the repository leads nowhere: pages, headings, files, and the ids of requirements and faults.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is made by builds and by servers, and what other tools wrote.
const LEFT_OUT: [&str; 9] =
    [".git", ".sqlx", "build", "data", "dist", "gql", "node_modules", "target", "package-lock.json"];
/// Where ids of requirements and faults are cited.
const CITING: [&str; 3] = ["src", "tests", "benches"];
/// Hyphens and digits after three capitals that are no requirements.
const NO_FAMILIES: [&str; 2] = ["SHA", "UTF"];
/// Pages of the planning of this project, which no reader has.
const FOREIGN: [&str; 4] = ["DESIGN", "FAULTS", "CONVENTIONS", "STACK"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the repository, by its path below the root.
fn texts() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if LEFT_OUT.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(files.len() > 200, "the files were not found");
    files
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// A page without its blocks of code, in which brackets mean other things.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let kept = page.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings.
fn anchors(page: &str) -> HashSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// What is wrong with a reference `target` that is relative to `folder`, a page and perhaps a heading of it.
fn fault_of(folder: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = root().join(folder).join(file);
    if !path.exists() {
        return Some(format!("{target} does not exist"));
    }
    let anchor = anchor.filter(|_| is_page(&path))?;
    let is_there = anchors(&prose(&fs::read_to_string(&path).unwrap())).contains(anchor);
    (!is_there).then(|| format!("{file} has no heading {anchor}"))
}

/// The parts of a text that consist of these characters.
fn words(text: &str, is_part: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty())
}

#[test]
fn each_link_of_a_page_leads_somewhere() {
    let mut seen = 0;
    for (path, text) in texts().iter().filter(|(path, _)| is_page(path)) {
        let prose = prose(text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains(':')) {
            seen += 1;
            let (folder, target) = match target.strip_prefix('#') {
                Some(_) => {
                    (path.parent().unwrap(), format!("{}{target}", path.file_name().unwrap().display()))
                }
                None => (path.parent().unwrap(), target.to_owned()),
            };
            let fault = fault_of(folder, &target);
            assert_eq!(fault, None, "in {}", path.display());
        }
    }
    assert!(seen > 40, "only {seen} links were found");
}

#[test]
fn each_page_that_is_named_exists() {
    let mut seen = 0;
    for (path, text) in texts() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "./_-#".contains(c);
        for word in words(&text, is_part).map(|word| word.trim_end_matches('.')) {
            let is_name = word.starts_with("docs/") && is_page(Path::new(word.split('#').next().unwrap()));
            if is_name {
                seen += 1;
                assert_eq!(fault_of(Path::new(""), word), None, "in {}", path.display());
            }
        }
    }
    assert!(seen > 40, "only {seen} pages were named");
}

/// A page says where something is in the code: `src/…`.
#[test]
fn each_file_that_a_page_names_exists() {
    let mut seen = 0;
    for (path, text) in texts().iter().filter(|(path, _)| is_page(path)) {
        let prose = prose(text);
        for name in prose.split('`').skip(1).step_by(2) {
            let is_name = CITING
                .iter()
                .chain(&["migrations", "clients", "examples"])
                .any(|folder| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
            if is_name {
                seen += 1;
                let beside = root().join(path.parent().unwrap()).join(name);
                assert!(root().join(name).exists() || beside.exists(), "{} names {name}", path.display());
            }
        }
    }
    assert!(seen > 30, "only {seen} files were named");
}

#[test]
fn each_id_that_is_cited_is_on_its_page() {
    let read = |page: &str| fs::read_to_string(root().join(page)).unwrap();
    let pages = [read("docs/security.md"), read("docs/faults.md")];
    let known: HashSet<&str> = pages
        .iter()
        .flat_map(|page| page.lines())
        .filter_map(|line| line.split("| ").nth(1))
        .map(str::trim)
        .collect();
    let is_number = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let mut seen = 0;
    for (path, text) in texts() {
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        if !is_code || !CITING.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for word in words(&text, |c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            let is_requirement = word.split_once('-').is_some_and(|(family, number)| {
                let is_family = family.len() == 3 && family.bytes().all(|b| b.is_ascii_uppercase());
                is_family && !NO_FAMILIES.contains(&family) && is_number(number)
            });
            if is_requirement || word.strip_prefix('F').is_some_and(is_number) {
                seen += 1;
                assert!(known.contains(word), "{} cites {word}, which is on no page", path.display());
            }
        }
    }
    assert!(seen > 150, "only {seen} ids were found");
}

#[test]
fn nothing_is_cited_that_no_reader_has() {
    // The one at the root says how to report a hole, and is linked to from pages alone.
    let report = "SECURITY".to_owned() + ".md";
    for (path, text) in texts() {
        for word in words(&text, |c| c.is_ascii_alphanumeric() || "._".contains(c)) {
            let name = word.trim_end_matches('.');
            let is_foreign = FOREIGN.iter().any(|page| name.strip_prefix(page) == Some(".md"));
            assert!(!is_foreign, "{} cites {name}", path.display());
            assert!(name != report || is_page(&path), "{} cites {name}", path.display());
        }
        for page in FOREIGN {
            let cited = format!("{page} ");
            let is_cited = text
                .split(&cited)
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c == '§' || c.is_ascii_digit()));
            assert!(!is_cited, "{} cites {page}", path.display());
        }
    }
}
