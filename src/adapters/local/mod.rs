//! In-process twins of the Redis and SMTP adapters: what the zero-configuration mode runs on.

mod data_folder;
mod mail_queue;
mod mailbox;
mod rate_limiter;
mod revocations;

pub use data_folder::{DataFolder, DataFolderError};
pub use mail_queue::LocalMailQueue;
pub use mailbox::FileMailbox;
pub use rate_limiter::LocalRateLimiter;
pub use revocations::LocalRevocations;
