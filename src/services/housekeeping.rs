//! Forgetting what is of no use any longer, so that neither the database nor what is known of people grows without end
//! (docs/security.md DAT-2, MAI-8).

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{MissedTickBehavior, interval};
use tracing::instrument;

use crate::ports::{Archive, Clock, Purged, Retention, Unexpected};
use crate::services::Endings;

/// How often this instance tidies up.
const PERIOD: Duration = Duration::from_mins(10);
/// How long it can be seen that there was a mail, and what became of it.
const MAILS: TimeDelta = TimeDelta::days(90);
/// How long an ended session stays: longer than any instance can meet its tokens.
const SESSIONS: TimeDelta = TimeDelta::days(1);
/// How long an expired token stays.
const MAIL_TOKENS: TimeDelta = TimeDelta::days(1);
/// How long wrong passwords are held against an account after the last one. An attacker who waits that long has to wait it
/// for each hundred.
const PASSWORD_FAILURES: TimeDelta = TimeDelta::days(90);

/// What is forgotten, and when.
pub struct Housekeeping {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) endings: Arc<Endings>,
    /// How long it can be seen to whom mails went.
    pub(crate) recipients: TimeDelta,
    /// How long it can be seen what happened to accounts, sessions and keys.
    pub(crate) events: TimeDelta,
}

impl Housekeeping {
    /// Tidies up from time to time, for as long as it is polled. What fails is left to the next time.
    pub async fn keep(&self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.tidy().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "tidying up is left to the next time"
                );
            }
        }
    }

    /// Ends sessions whose end was begun and not finished, and forgets everything that is old enough.
    ///
    /// # Errors
    /// [`Unexpected`] when the database does not answer; what was forgotten until then stays so.
    #[instrument(name = "service.tidy", skip_all)]
    pub async fn tidy(&self) -> Result<(), Unexpected> {
        self.endings.finish_owed().await?;
        let now = self.clock.now();
        let retention = Retention {
            recipients: now - self.recipients,
            mails: now - self.recipients.max(MAILS),
            sessions: now - SESSIONS,
            mail_tokens: now - MAIL_TOKENS,
            events: now - self.events,
            password_failures: now - PASSWORD_FAILURES,
        };
        loop {
            let purged = self.archive.purge(retention).await?;
            if purged == Purged::default() {
                return Ok(());
            }
            tracing::info!(
                recipients = purged.recipients,
                mails = purged.mails,
                sessions = purged.sessions,
                mail_tokens = purged.mail_tokens,
                events = purged.events,
                password_failures = purged.password_failures,
                "old rows were purged"
            );
        }
    }
}
