//! The world: one library each, behind the [ports](crate::ports).

pub mod breached_passwords;
pub mod clock;
pub mod device_tokens;
pub mod embedded;
pub mod jwt;
pub mod local;
pub mod mail_tokens;
pub mod password_hashing;
pub mod postgres;
pub mod pseudonyms;
pub mod redis;
pub mod root_secret;
pub mod seal;
pub mod smtp;
pub mod templates;
