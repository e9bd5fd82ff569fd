//! What an account shows of its owner.

use std::sync::Arc;

use crate::domain::{User, Viewer};
use crate::ports::{Unexpected, Users};

/// The query `me`.
pub struct Accounts {
    pub(crate) users: Arc<dyn Users>,
}

impl Accounts {
    /// The account that a request acts as. `None` when it was shut or deleted this very moment.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be read.
    pub async fn find(&self, viewer: Viewer) -> Result<Option<User>, Unexpected> {
        self.users.find(viewer.user_id).await
    }
}
