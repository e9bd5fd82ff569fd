//! Hashes here are those of `sha1sum`.

use std::collections::BTreeSet;
use std::fs::OpenOptions;

use tempfile::NamedTempFile;

use super::*;

/// Of `café au lait, toujours` in NFC, `password`, and `correct horse battery staple`: in the order of lists.
const CAFE: &str = "1FAFF926CF798B35CD27371A7D9ACFBD9C38B2AA";
const PASSWORD: &str = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8";
const STAPLE: &str = "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42";

/// A file with this text.
fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn open(text: &str) -> SortedLines {
    let lines = SortedLines::open(file(text).path()).unwrap();
    lines.check().unwrap();
    lines
}

/// What an operator reads about a file with this text.
fn complaint(text: &str) -> String {
    Sha1List::open(file(text).path()).map(drop).unwrap_err().to_string()
}

/// Three hundred hashes of random bytes, which are the same in each run.
fn hashes() -> BTreeSet<[u8; HASH]> {
    let hashes: BTreeSet<_> = (0..300_u32).map(|number| *sha1(&number.to_be_bytes())).collect();
    assert_eq!(hashes.len(), 300);
    hashes
}

fn hex(hash: &[u8; HASH]) -> String {
    let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.concat()
}

/// Each way in which lists are written: what follows a hash, and whether the last line has a break.
fn spellings() -> impl Iterator<Item = (Vec<&'static str>, &'static str, bool)> {
    let counts: [&[&str]; 3] = [&[""], &[":1", ":52256179", ":18446744073709551615"], &["", ":7"]];
    counts.into_iter().flat_map(|counts| {
        [("\n", true), ("\n", false), ("\r\n", true), ("\r\n", false)]
            .map(|(line_break, ends_with_it)| (counts.to_vec(), line_break, ends_with_it))
    })
}

fn write<'a>(
    hashes: impl Iterator<Item = &'a [u8; HASH]>,
    counts: &[&str],
    line_break: &str,
    ends_with_it: bool,
) -> String {
    let lines: Vec<String> =
        hashes.zip(counts.iter().cycle()).map(|(hash, count)| hex(hash) + count).collect();
    lines.join(line_break) + if ends_with_it { line_break } else { "" }
}

#[test]
fn every_hash_is_found_however_its_file_is_written_and_no_other() {
    let hashes = hashes();
    for (counts, line_break, ends_with_it) in spellings() {
        let text = write(hashes.iter(), &counts, line_break, ends_with_it);
        for lines in [open(&text), open(&text.to_lowercase())] {
            for hash in &hashes {
                assert!(lines.contains(hash).unwrap(), "{} {counts:?} {line_break:?}", hex(hash));
                for other in [hash[HASH - 1].wrapping_add(1), hash[HASH - 1].wrapping_sub(1)] {
                    let mut neighbour = *hash;
                    neighbour[HASH - 1] = other;
                    assert!(!lines.contains(&neighbour).unwrap(), "{}", hex(&neighbour));
                }
            }
            for absent in [[0; HASH], [u8::MAX; HASH]] {
                assert!(!lines.contains(&absent).unwrap());
            }
        }
    }
}

#[test]
fn short_files_are_searched_to_their_ends() {
    let hashes: Vec<[u8; HASH]> = hashes().into_iter().collect();
    for (counts, line_break, ends_with_it) in spellings() {
        for size in 1..5 {
            let lines = open(&write(hashes[..size].iter(), &counts, line_break, ends_with_it));
            for (at, hash) in hashes[..5].iter().enumerate() {
                assert_eq!(lines.contains(hash).unwrap(), at < size, "line {at} of {size}, {line_break:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_password_is_looked_up_by_the_hash_of_its_normal_form() {
    let list = Sha1List::open(file(&format!("{CAFE}:2\n{STAPLE}:4\n")).path()).unwrap();
    for (text, is_breached) in [
        ("correct horse battery staple", true),
        ("cafe\u{301} au lait, toujours", true),
        ("correct horse battery stapler", false),
        ("Correct horse battery staple", false),
        ("password", false),
    ] {
        let password = Password::parse(text).unwrap();
        assert_eq!(list.contains(&password).await.unwrap(), is_breached, "{text}");
    }
}

#[test]
fn a_file_that_is_no_sorted_list_is_refused_with_what_to_do() {
    let sorted = format!("{CAFE}:2\n{PASSWORD}:5\n{STAPLE}:4\n");
    assert!(Sha1List::open(file(&sorted).path()).is_ok());
    for (text, expected) in [
        (String::new(), "is empty: fill it with"),
        ("\r\n\n".to_owned(), "is empty: fill it with"),
        ("password\n".to_owned(), "has no SHA-1 hash of 40 hexadecimal digits in the line at byte 0"),
        // NTLM hashes, a file of one range, and SHA-256.
        (format!("{}:5\n", &CAFE[..32]), "no SHA-1 hash"),
        (format!("{}:5\n", &CAFE[5..]), "no SHA-1 hash"),
        (format!("{CAFE}{}\n", &CAFE[..24]), "no SHA-1 hash"),
        (sorted.replace(':', ";"), "no SHA-1 hash"),
        (sorted.replace(":5", ":"), "in the line at byte 43"),
        (sorted.replace("5BAA", "+BAA"), "in the line at byte 43"),
        (sorted.replace(":4", ":4:4"), "in the line at byte 86"),
        (format!("{CAFE}{}\n", " ".repeat(500)), "in the line at byte 0"),
        (
            format!("{STAPLE}:4\n{CAFE}:2\n"),
            "is not sorted by hash at byte 43: sort it with `LC_ALL=C sort -f`",
        ),
        (format!("{CAFE}\n{STAPLE}\n{PASSWORD}\n"), "is not sorted by hash at byte 82"),
    ] {
        assert!(complaint(&text).contains(expected), "{text}: {}", complaint(&text));
    }
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), &folder.path().join("missing")] {
        let complaint = Sha1List::open(path).map(drop).unwrap_err().to_string();
        assert!(complaint.starts_with("cannot be read"), "{complaint}");
    }
}

#[tokio::test]
async fn what_could_not_be_looked_up_is_not_said_to_be_absent() {
    let absent = Password::parse("seven green bottles on a wall").unwrap();
    let text = write(hashes().iter(), &[":3"], "\n", true);
    let file = file(&text);
    let list = Sha1List::open(file.path()).unwrap();
    assert!(!list.contains(&absent).await.unwrap());

    let backwards: Vec<&str> = text.lines().rev().collect();
    fs::write(file.path(), backwards.join("\n") + "\n").unwrap();
    let unsorted = list.contains(&absent).await.unwrap_err();
    assert!(matches!(unsorted, Unexpected::Unavailable { .. }), "{unsorted:?}");

    fs::write(file.path(), "#".repeat(text.len())).unwrap();
    let no_list = list.contains(&absent).await.unwrap_err();
    assert!(matches!(no_list, Unexpected::Unavailable { .. }), "{no_list:?}");

    OpenOptions::new().write(true).open(file.path()).unwrap().set_len(0).unwrap();
    let cut = list.contains(&absent).await.unwrap_err();
    assert!(matches!(cut, Unexpected::Unavailable { .. }), "{cut:?}");
}

#[tokio::test]
async fn nobody_waits_without_end_for_a_disk_that_hangs() {
    let mut list = Sha1List::open(file(&format!("{STAPLE}\n")).path()).unwrap();
    list.time_limit = Duration::from_millis(1);
    let _hanging = list.lookups.acquire_many(u32::try_from(LOOKUPS).unwrap()).await.unwrap();
    let password = Password::parse("correct horse battery staple").unwrap();
    let late = list.contains(&password).await.unwrap_err();
    assert!(matches!(late, Unexpected::Unavailable { .. }), "{late:?}");
}
