//! In-process twins of the Redis and SMTP adapters: what the zero-configuration mode runs on.

mod blacklist;
mod data_folder;
mod mail_queue;
mod mailbox;

pub use blacklist::LocalBlacklist;
pub use data_folder::{DataFolder, DataFolderError};
pub use mail_queue::LocalMailQueue;
pub use mailbox::FileMailbox;
