//! What became of a mail, as an operator sees it.

use chrono::{DateTime, Utc};

use super::MailId;

/// How far a mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// It is still to be sent, for the first time or again.
    Pending,
    /// Its server took it.
    Sent,
    /// It was given up: its server refused it for good, or for two days.
    Dead,
    /// It is not sent on purpose.
    Suppressed,
}

/// A row of the outbox. Texts are as they are stored: of a mail that cannot be read, too, it must be seen what became of it.
#[derive(Debug, Clone)]
pub struct MailRecord {
    /// Also its `Message-ID`.
    pub id: MailId,
    /// [`MailKind`](super::MailKind) by name.
    pub kind: String,
    /// The address it goes to. `None` where it was to go to nobody, or that has been forgotten.
    pub recipient: Option<String>,
    /// How far it has come.
    pub state: MailState,
    /// How often it has been tried.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// When it is tried next, or, while a worker has it, when that worker's time is over.
    pub due_at: DateTime<Utc>,
    /// When it was sent, given up or suppressed.
    pub settled_at: Option<DateTime<Utc>>,
    /// What its server said at the last failure, or why it is not sent.
    pub reason: Option<String>,
}

impl MailState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Dead, Self::Suppressed];

    /// Its name in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Suppressed => "suppressed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_states_are_read_back() {
        for state in MailState::ALL {
            assert_eq!(MailState::parse(state.as_str()), Some(state));
        }
    }
}
