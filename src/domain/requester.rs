//! Whose work waits for a hashing lane.

use super::ClientNetworks;

/// Where the work comes from, as far as the order of the queue depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requester {
    /// The networks of the client. `None` where there is no connection: an operator's command, or a test.
    pub networks: Option<ClientNetworks>,
    /// Whether the account has been signed in on this device or from this network before. Half of the lanes and of the
    /// queue is kept for those.
    pub is_known: bool,
}

impl Requester {
    /// Somebody of whom nothing is known but where they are.
    #[must_use]
    pub fn unknown(networks: Option<ClientNetworks>) -> Self {
        Self { networks, is_known: false }
    }
}
