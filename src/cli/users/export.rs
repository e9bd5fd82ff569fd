//! `authql users export`.

use std::io::{BufWriter, ErrorKind, Write};

use authql::services::UserDesk;

use super::super::Outcome;
use super::record::Record;

/// How many accounts are read at once.
const PAGE: u32 = 1000;

pub(super) async fn run(desk: &UserDesk, with_hashes: bool) -> Outcome {
    match print(desk, with_hashes).await {
        // Whoever reads has enough, as `head` has.
        Err(error) if is_broken_pipe(&*error) => Ok(()),
        outcome => outcome,
    }
}

async fn print(desk: &UserDesk, with_hashes: bool) -> Outcome {
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut last = None;
    loop {
        let page = desk.page(last, PAGE).await?;
        let Some(account) = page.last() else { break };
        last = Some(account.user.id);
        for mut account in page {
            if !with_hashes {
                account.password_hash = None;
            }
            serde_json::to_writer(&mut output, &Record::from(account))?;
            output.write_all(b"\n")?;
        }
    }
    output.flush()?;
    Ok(())
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.or(json) == Some(ErrorKind::BrokenPipe)
}
