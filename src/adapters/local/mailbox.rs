//! Mails as files: what the zero-configuration mode shows on its mailbox page instead of sending.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::fs;

use crate::adapters::templates::{Content, Stationery, TemplateError, Templates};
use crate::domain::{Language, Mail};
use crate::ports::{BrokenTemplates, Mailbox, Mailer, SendError, StoredMail, Unexpected};

/// How many mails the page shows.
const SHOWN: usize = 100;

/// [`Mailer`] and [`Mailbox`] on a folder with one JSON file a mail, named by its id.
pub struct FileMailbox {
    folder: PathBuf,
    templates: Templates,
    stationery: Stationery,
}

impl FileMailbox {
    /// Keeps mails in `folder`, which must exist. They are written with `templates`, which are made of `stationery`.
    #[must_use]
    pub fn new(folder: PathBuf, templates: Templates, stationery: Stationery) -> Self {
        Self { folder, templates, stationery }
    }
}

#[async_trait]
impl Mailer for FileMailbox {
    async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let content = self.templates.render(mail).map_err(|error| SendError::Permanent(error.to_string()))?;
        let stored = stored(mail.id.to_string(), mail, content, self.templates.sender());
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

    async fn samples(&self) -> Result<Vec<StoredMail>, BrokenTemplates> {
        let stationery = self.stationery.clone();
        // Reads files, if only a few.
        let written = tokio::task::spawn_blocking(move || samples(&stationery)).await;
        written
            .map_err(|error| BrokenTemplates(error.to_string()))?
            .map_err(|error| BrokenTemplates(error.to_string()))
    }
}

fn samples(stationery: &Stationery) -> Result<Vec<StoredMail>, TemplateError> {
    let templates = Templates::load(stationery)?;
    let mut samples = Vec::new();
    for language in Language::ALL {
        for (mail, content) in templates.samples(language)? {
            let id = format!("{}/{}", language.tag(), mail.kind.as_str());
            samples.push(stored(id, &mail, content, templates.sender()));
        }
    }
    Ok(samples)
}

fn stored(id: String, mail: &Mail, content: Content, from: &str) -> StoredMail {
    StoredMail {
        id,
        kind: mail.kind.as_str().to_owned(),
        from: from.to_owned(),
        to: mail.to.mailbox(),
        subject: content.subject,
        date: mail.queued_at,
        text: content.text,
        html: content.html,
    }
}
