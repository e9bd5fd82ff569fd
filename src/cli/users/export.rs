//! `authql users export`.

use std::io::{BufWriter, Write};

use authql::services::UserDesk;

use super::super::Outcome;
use super::record::Record;

/// How many accounts are read at once.
const PAGE: u32 = 1000;

pub(super) async fn run(desk: &UserDesk, with_hashes: bool) -> Outcome {
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
