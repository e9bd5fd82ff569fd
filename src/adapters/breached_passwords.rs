//! The list of breached passwords, a file of SHA-1 hashes in their order, as `haveibeenpwned-downloader` writes it.
//!
//! It has tens of gigabytes, so nothing of it is loaded: a lookup is a binary search over its bytes, some 30 short reads,
//! most of which the system answers from memory.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::domain::Password;
use crate::ports::{BreachedPasswords, Unexpected};

/// Bytes of a hash.
const HASH: usize = 20;
/// No line has so many bytes: 40 digits, a colon, a count of at most 20 digits, and a line break are 63.
const TOO_LONG: usize = 64;
/// How many lines are looked at to find out whether a file is what it should be.
const SAMPLES: u64 = 64;
/// How many lookups there are at once. A disk that hangs keeps no more threads than these.
const LOOKUPS: usize = 8;
/// The longest that somebody waits for one.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// [`BreachedPasswords`] in a file of SHA-1 hashes.
pub struct Sha1List {
    lines: Arc<SortedLines>,
    lookups: Arc<Semaphore>,
    time_limit: Duration,
}

/// What is wrong with the file: what follows "names a file that".
#[derive(Debug, thiserror::Error)]
pub enum Sha1ListError {
    /// It is not there, may not be read, or ends too early.
    #[error("cannot be read ({0}): check its path and its permissions")]
    Unreadable(#[from] io::Error),
    /// There is nothing in it.
    #[error("is empty: fill it with `haveibeenpwned-downloader`")]
    Empty,
    /// A line is none, counted in bytes from the beginning.
    #[error(
        "has no SHA-1 hash of 40 hexadecimal digits in the line at byte {0}: let `haveibeenpwned-downloader` write it, into one file"
    )]
    NoHash(u64),
    /// A line is out of order.
    #[error("is not sorted by hash at byte {0}: sort it with `LC_ALL=C sort -f`")]
    Unsorted(u64),
}

impl Sha1List {
    /// Opens the file, and looks at its first line, its last one and some between them. It must stay as it is: a newer one
    /// is to be put in its place by renaming, and is used from the next start on.
    ///
    /// # Errors
    /// See [`Sha1ListError`].
    pub fn open(path: &Path) -> Result<Self, Sha1ListError> {
        let lines = SortedLines::open(path)?;
        lines.check()?;
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        Ok(Self { lines: Arc::new(lines), lookups, time_limit: TIME_LIMIT })
    }
}

#[async_trait]
impl BreachedPasswords for Sha1List {
    async fn contains(&self, password: &Password) -> Result<bool, Unexpected> {
        let hash = sha1(password.as_bytes());
        let (lines, lookups) = (Arc::clone(&self.lines), Arc::clone(&self.lookups));
        let lookup = async move {
            let permit = lookups.acquire_owned().await.map_err(unavailable)?;
            let search = spawn_blocking(move || {
                let found = lines.contains(&hash);
                drop(permit);
                found
            });
            search.await.map_err(unavailable)?.map_err(unavailable)
        };
        timeout(self.time_limit, lookup).await.map_err(unavailable)?
    }
}

/// The file. Line breaks at its end are left out of account.
struct SortedLines {
    file: File,
    length: u64,
}

/// A line: where it begins, where the next one does, and its hash.
struct Line {
    start: u64,
    end: u64,
    hash: [u8; HASH],
}

impl SortedLines {
    fn open(path: &Path) -> Result<Self, Sha1ListError> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file").into());
        }
        let file = File::open(path)?;
        let mut tail = [0; TOO_LONG];
        let size = tail.len().min(usize::try_from(metadata.len()).unwrap_or(usize::MAX));
        let tail = &mut tail[..size];
        file.read_exact_at(tail, metadata.len() - size as u64)?;
        let breaks = tail.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        match metadata.len() - breaks as u64 {
            0 => Err(Sha1ListError::Empty),
            length => Ok(Self { file, length }),
        }
    }

    /// Whether it looks like what it should be, from lines at equal distances.
    fn check(&self) -> Result<(), Sha1ListError> {
        let mut last = [0; HASH];
        for sample in 0..=SAMPLES {
            let line = self.line_at((self.length - 1) * sample / SAMPLES)?;
            if line.hash < last {
                return Err(Sha1ListError::Unsorted(line.start));
            }
            last = line.hash;
        }
        Ok(())
    }

    fn contains(&self, hash: &[u8; HASH]) -> Result<bool, Sha1ListError> {
        let (mut start, mut end) = (0, self.length);
        let (mut least, mut most) = ([0; HASH], [u8::MAX; HASH]);
        while start < end {
            let line = self.line_at(start + (end - start) / 2)?;
            // In a file that is not sorted, not to find a hash would say nothing.
            if !(least..=most).contains(&line.hash) {
                return Err(Sha1ListError::Unsorted(line.start));
            }
            match hash.cmp(&line.hash) {
                Ordering::Equal => return Ok(true),
                Ordering::Less => (end, most) = (line.start, line.hash),
                Ordering::Greater => (start, least) = (line.end, line.hash),
            }
        }
        Ok(false)
    }

    /// The line that the byte at `offset` belongs to.
    fn line_at(&self, offset: u64) -> Result<Line, Sha1ListError> {
        let reach = TOO_LONG.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let from = offset - reach as u64;
        let mut window = [0; 2 * TOO_LONG];
        let size = window.len().min(usize::try_from(self.length - from).unwrap_or(usize::MAX));
        let window = &mut window[..size];
        self.file.read_exact_at(window, from)?;
        let (before, after) = window.split_at(reach);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = after.iter().position(|byte| *byte == b'\n').map_or(size, |at| reach + at + 1);
        let place = from + start as u64;
        let hash = read_line(&window[start..end]).ok_or(Sha1ListError::NoHash(place))?;
        Ok(Line { start: place, end: from + end as u64, hash })
    }
}

/// The hash of a line such as `HASH`, or `HASH:COUNT`, with its break if it has one.
fn read_line(line: &[u8]) -> Option<[u8; HASH]> {
    if line.len() >= TOO_LONG {
        return None;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, count) = line.split_at_checked(2 * HASH)?;
    let is_count = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if !count.is_empty() && !count.strip_prefix(b":").is_some_and(is_count) {
        return None;
    }
    let mut hash = [0; HASH];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(hash)
}

fn digit(text: u8) -> Option<u8> {
    char::from(text).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// SHA-1 says nothing about how passwords are kept here: it is what lists of them are made with.
fn sha1(bytes: &[u8]) -> Zeroizing<[u8; HASH]> {
    let mut hash = Zeroizing::new([0; HASH]);
    hash.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    hash
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unexpected {
    Unexpected::unavailable("the list of breached passwords", error)
}

#[cfg(test)]
mod tests;
