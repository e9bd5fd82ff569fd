//! Mails as files: what the zero-configuration mode shows on its mailbox page instead of sending.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::fs;

use crate::adapters::templates::Templates;
use crate::domain::Mail;
use crate::ports::{Mailbox, Mailer, SendError, StoredMail, Unexpected};

/// How many mails the page shows.
const SHOWN: usize = 100;

/// [`Mailer`] and [`Mailbox`] on a folder with one JSON file a mail, named by its id.
pub struct FileMailbox {
    folder: PathBuf,
    templates: Templates,
}

impl FileMailbox {
    /// Keeps mails in `folder`, which must exist.
    #[must_use]
    pub fn new(folder: PathBuf, templates: Templates) -> Self {
        Self { folder, templates }
    }
}

#[async_trait]
impl Mailer for FileMailbox {
    async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let content = self.templates.render(mail).map_err(|error| SendError::Permanent(error.to_string()))?;
        let stored = StoredMail {
            id: mail.id.to_string(),
            kind: mail.kind.as_str().to_owned(),
            from: self.templates.sender().to_owned(),
            to: mail.to.mailbox(),
            subject: content.subject,
            date: mail.queued_at,
            text: content.text,
            html: content.html,
        };
        // Written aside and renamed, so that the page never reads half a mail; a second try replaces the first.
        let name = self.folder.join(format!("{}.json", mail.id));
        let aside = name.with_extension("new");
        let written = async {
            fs::write(&aside, serde_json::to_vec_pretty(&stored)?).await?;
            fs::rename(&aside, &name).await
        };
        written.await.map_err(|error: std::io::Error| SendError::Transient(error.to_string()))
    }
}

#[async_trait]
impl Mailbox for FileMailbox {
    async fn list(&self) -> Result<Vec<StoredMail>, Unexpected> {
        let unreadable = |error: std::io::Error| Unexpected::fault("the mailbox cannot be read", error);
        let mut names = Vec::new();
        let mut entries = fs::read_dir(&self.folder).await.map_err(unreadable)?;
        while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                names.push(entry.path());
            }
        }
        // Names are UUIDv7, so their order is that of time.
        names.sort_unstable();
        let mut mails = Vec::new();
        for name in names.into_iter().rev().take(SHOWN) {
            let text = fs::read(&name).await.map_err(unreadable)?;
            mails.push(serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?);
        }
        Ok(mails)
    }
}
