//! What an answer gives the client's device to keep, so that its later attempts are told from those of strangers. How it
//! travels, the transport knows.

use std::sync::{Mutex, PoisonError};

/// The device token of an answer, if it has one.
#[derive(Debug, Default)]
pub struct NewDeviceToken(Mutex<Option<String>>);

impl NewDeviceToken {
    /// What the resolvers have left.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn set(&self, token: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}
