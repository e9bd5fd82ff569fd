//! The mail dispatch list of a single instance.

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use crate::domain::MailId;
use crate::ports::{MailQueue, Unexpected};

/// How many announcements may wait. What does not fit is found by the sweep.
const CAPACITY: usize = 10_000;

/// [`MailQueue`] as a channel.
pub struct LocalMailQueue {
    sender: mpsc::Sender<MailId>,
    receiver: Mutex<mpsc::Receiver<MailId>>,
}

impl Default for LocalMailQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

#[async_trait]
impl MailQueue for LocalMailQueue {
    fn push(&self, id: MailId) {
        let _ = self.sender.try_send(id);
    }

    async fn pop(&self) -> Result<MailId, Unexpected> {
        let next = self.receiver.lock().await.recv().await;
        next.ok_or_else(|| Unexpected::fault("the mail queue", "its sender is gone"))
    }
}
