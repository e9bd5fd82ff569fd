//! `authql users import`: reads the file, adds its accounts in batches, and keeps account of what was left out.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use authql::services::{AccountRecord, Imported, UserDesk};
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::Outcome;
use super::record::Record;

/// How many lines are added at once: many, because each commit waits for the disk.
const BATCH: usize = 1000;
/// The longest line that can be an account, in bytes.
const LONGEST: u64 = 16 * 1024;
/// How often the progress is told where there is no terminal, in lines.
const MILESTONE: usize = 100_000;

pub(super) async fn run(desk: &UserDesk, file: &Path) -> Outcome {
    let mut import =
        Import::of(file).map_err(|error| format!("{} cannot be read ({error})", file.display()))?;
    while let Some(batch) = import.read_batch(desk.now())? {
        let (lines, accounts): (Vec<Source>, Vec<AccountRecord>) = batch.into_iter().unzip();
        let outcomes = desk.import(accounts).await?;
        import.record(lines, &outcomes)?;
    }
    import.finish()
}

/// Where an account stands in the file.
struct Source {
    line: usize,
    email: String,
    has_password: bool,
}

/// A line that is left out, as it is reported.
#[derive(Serialize)]
struct Refused {
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    reason: String,
}

/// An import under way.
struct Import {
    input: BufReader<File>,
    /// How many lines have been read.
    line: usize,
    /// The canonical addresses of the file, and the line of each: what is there twice was two accounts where it comes from.
    seen: HashMap<String, usize>,
    added: usize,
    without_password: usize,
    there: usize,
    refused: usize,
    /// Those of the present batch.
    refusals: Vec<Refused>,
    report: Report,
    bar: ProgressBar,
}

impl Import {
    fn of(file: &Path) -> std::io::Result<Self> {
        let input = File::open(file)?;
        let bar = ProgressBar::new(input.metadata()?.len());
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}, {eta} to go");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("0 accounts");
        Ok(Self {
            input: BufReader::new(input),
            line: 0,
            seen: HashMap::new(),
            added: 0,
            without_password: 0,
            there: 0,
            refused: 0,
            refusals: Vec::new(),
            report: Report::beside(file)?,
            bar,
        })
    }

    /// The next accounts. `None` at the end of the file.
    fn read_batch(&mut self, now: DateTime<Utc>) -> std::io::Result<Option<Vec<(Source, AccountRecord)>>> {
        let (mut batch, mut text) = (Vec::with_capacity(BATCH), Vec::new());
        let end = self.line + BATCH;
        while self.line < end {
            text.clear();
            let length = self.input.by_ref().take(LONGEST).read_until(b'\n', &mut text)?;
            if length == 0 {
                let is_over = batch.is_empty() && self.refusals.is_empty();
                return Ok((!is_over).then_some(batch));
            }
            self.line += 1;
            self.bar.inc(length as u64);
            if length as u64 == LONGEST && !text.ends_with(b"\n") {
                self.bar.inc(self.input.skip_until(b'\n')? as u64);
                self.refuse(None, format!("the line is longer than {LONGEST} bytes"));
            } else if !text.trim_ascii().is_empty() {
                batch.extend(self.read(text.trim_ascii(), now));
            }
        }
        Ok(Some(batch))
    }

    /// Reads the present line. `None` after refusing it.
    fn read(&mut self, text: &[u8], now: DateTime<Utc>) -> Option<(Source, AccountRecord)> {
        let record = Record::parse(text).map_err(|reason| self.refuse(None, reason)).ok()?;
        let email = record.email.clone();
        let account = record.into_account(now).and_then(|account| {
            match self.seen.insert(account.user.email.canonical(), self.line) {
                Some(earlier) => Err(format!("email: line {earlier} has this address too")),
                None => Ok(account),
            }
        });
        match account {
            Ok(account) => {
                let has_password = account.password_hash.is_some();
                Some((Source { line: self.line, email, has_password }, account))
            }
            Err(reason) => {
                self.refuse(Some(email), reason);
                None
            }
        }
    }

    /// Takes down what became of a batch.
    fn record(&mut self, lines: Vec<Source>, outcomes: &[Imported]) -> std::io::Result<()> {
        for (source, outcome) in lines.into_iter().zip(outcomes) {
            match outcome {
                Imported::Added => {
                    self.added += 1;
                    self.without_password += usize::from(!source.has_password);
                }
                Imported::AlreadyThere => self.there += 1,
                Imported::Refused(refusal) => {
                    let Source { line, email, .. } = source;
                    self.refusals.push(Refused { line, email: Some(email), reason: refusal.to_string() });
                }
            }
        }
        self.refusals.sort_unstable_by_key(|refused| refused.line);
        self.report.write(&self.refusals)?;
        self.refused += self.refusals.len();
        self.refusals.clear();
        self.bar.set_message(format!("{} accounts, {} lines refused", self.added, self.refused));
        if self.bar.is_hidden() && self.line.is_multiple_of(MILESTONE) {
            // Nobody has to look.
            let _ = writeln!(std::io::stderr(), "{} lines read", self.line);
        }
        Ok(())
    }

    /// Leaves the present line out.
    fn refuse(&mut self, email: Option<String>, reason: String) {
        self.refusals.push(Refused { line: self.line, email, reason });
    }

    fn finish(self) -> Outcome {
        self.bar.finish_and_clear();
        let Self { added, without_password, there, refused, .. } = self;
        let by_mail = match without_password {
            0 => String::new(),
            _ => {
                format!(" {without_password} of those added have no password: their owners set one by mail.")
            }
        };
        let said = format!("{added} accounts were added, {there} were there already.{by_mail}");
        if refused == 0 {
            say!("{said}");
            return Ok(());
        }
        // Nobody has to read it: the lines that were refused count.
        let _ = writeln!(std::io::stdout(), "{said}");
        let report = self.report.path.display();
        Err(format!("{refused} of {} lines were refused: {report} says which, and why", self.line).into())
    }
}

/// The refused lines, in a file that is made for the first of them. It names addresses, so nobody else may read it.
struct Report {
    path: PathBuf,
    file: Option<File>,
}

impl Report {
    /// In place of that of an earlier import of the same file.
    fn beside(file: &Path) -> std::io::Result<Self> {
        let mut path = OsString::from(file);
        path.push(".refused.jsonl");
        let path = PathBuf::from(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Self { path, file: None }),
        }
    }

    fn write(&mut self, refusals: &[Refused]) -> std::io::Result<()> {
        if refusals.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                none.insert(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?)
            }
        };
        let mut text = Vec::new();
        for refused in refusals {
            serde_json::to_writer(&mut text, refused)?;
            text.push(b'\n');
        }
        file.write_all(&text)
    }
}
