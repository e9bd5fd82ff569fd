//! Keeping the keys of access tokens: what every instance does with them by itself, and what an operator can ask for.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::instrument;

use crate::domain::{EventKind, KeyId, KeyRing, KeyState, SigningKey};
use crate::ports::{Clock, KeyVault, NewKey, OpenKey, SigningKeys, StoredKey, Tokens, Unexpected};

/// How often an instance looks for changes. A key signs long after it was published, so this bounds only how soon a retired
/// one is refused.
const RELOAD: Duration = Duration::from_secs(1);
/// How long one look may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many keys can be due at once, and then some for other instances that were quicker.
const MAX_ROUNDS: u32 = 8;

/// The keys of access tokens. They move from state to state by themselves; this publishes the next one in time, hears of
/// what other instances and operators did, and forgets those that are gone.
pub struct Signing {
    clock: Arc<dyn Clock>,
    keys: Arc<dyn SigningKeys>,
    vault: Arc<dyn KeyVault>,
    tokens: Arc<dyn Tokens>,
    rotation: TimeDelta,
    in_use: RwLock<Vec<OpenKey>>,
}

/// Why the keys are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// A key that is in use was sealed under a secret that is not configured here.
    #[error("the signing key {0} opens under no secret that is configured")]
    Sealed(KeyId),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl Signing {
    /// Keys that sign for `rotation` each. None is in use before the first [`keep`](Self::keep).
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        keys: Arc<dyn SigningKeys>,
        vault: Arc<dyn KeyVault>,
        tokens: Arc<dyn Tokens>,
        rotation: TimeDelta,
    ) -> Self {
        Self { clock, keys, vault, tokens, rotation, in_use: RwLock::default() }
    }

    /// Takes over the keys as they are stored now, and publishes a further one if it is due.
    ///
    /// # Errors
    /// See [`SigningError`]. The keys that could be opened are in use all the same.
    pub async fn keep(&self) -> Result<(), SigningError> {
        for _ in 0..MAX_ROUNDS {
            let stored = self.keys.load().await?;
            self.adopt(&stored).await?;
            let now = self.clock.now();
            let ring = ring(&stored);
            let forgotten = KeyRing::forgotten(now);
            if ring.keys().iter().any(|key| key.gone_at.is_some_and(|gone_at| gone_at <= forgotten)) {
                self.keys.purge(forgotten).await?;
            }
            let Some(handover) = ring.due(self.rotation, now) else { return Ok(()) };
            let NewKey { id, public, sealed } = self.vault.make()?;
            let number = ring.keys().last().map_or(1, |newest| newest.number.saturating_add(1));
            let key =
                SigningKey { number, id, public, created_at: now, activates_at: handover.at, gone_at: None };
            self.keys.add(&StoredKey { key, sealed }, handover.outgoing).await?;
        }
        Err(Unexpected::unavailable("the set of signing keys", "it kept changing").into())
    }

    /// [Keeps](Self::keep) the keys for as long as it is polled. A failure is no reason to stop: the keys at hand go on
    /// working.
    pub async fn keep_up(&self) {
        let mut ticks = interval(RELOAD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            ticks.tick().await;
            let outcome = timeout(PATIENCE, self.keep())
                .await
                .unwrap_or_else(|elapsed| Err(Unexpected::unavailable("Postgres", elapsed).into()));
            let has_failed = outcome.is_err();
            match outcome {
                Ok(()) if is_failing => tracing::info!("the signing keys are kept up to date again"),
                Err(error) if !is_failing => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the signing keys are not kept up to date; those at hand go on working"
                ),
                Ok(()) | Err(_) => {}
            }
            is_failing = has_failed;
        }
    }

    /// The keys that others verify tokens with: also the next ones, so that every copy of the set has a key before it signs.
    #[must_use]
    pub fn published(&self) -> Vec<SigningKey> {
        let now = self.clock.now();
        let in_use = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        in_use.iter().map(|open| &open.key).filter(|key| key.verifies(now)).cloned().collect()
    }

    /// Every key that is stored, oldest first, and its state.
    ///
    /// # Errors
    /// [`Unexpected`] when they cannot be read.
    pub async fn list(&self) -> Result<Vec<(SigningKey, KeyState)>, Unexpected> {
        let now = self.clock.now();
        let ring = ring(&self.keys.load().await?);
        Ok(ring.keys().iter().map(|key| (key.clone(), ring.state(key, now))).collect())
    }

    /// Lets the next key begin as soon as everybody knows it, and publishes the one after it. Answers which one, and when.
    ///
    /// # Errors
    /// See [`SigningError`].
    #[instrument(name = "service.rotate_keys", skip_all)]
    pub async fn rotate(&self) -> Result<(KeyId, DateTime<Utc>), SigningError> {
        // There always is a next key after this.
        self.keep().await?;
        let (ring, now) = (ring(&self.keys.load().await?), self.clock.now());
        let missing = || Unexpected::unavailable("the next signing key", "it has just been taken away");
        let (next, handover) = ring.hasten(now).ok_or_else(missing)?;
        let at = self.keys.hasten(next.number, handover, now).await?.ok_or_else(missing)?;
        self.keep().await?;
        if at < next.activates_at {
            tracing::info!(
                event.kind = EventKind::SigningKeyHastened.as_str(),
                key.id = %next.id,
                %at,
                "the next signing key was told to begin"
            );
        }
        Ok((next.id.clone(), at))
    }

    /// Takes a key away at once, for one that somebody else may have. Its tokens are refused as soon as the instances have
    /// looked; sessions do not depend on it. Where it was the active one, the next one begins. `false` when there is none.
    ///
    /// Needs no key to be opened: this is also how those go whose secret is lost.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be stored; repeating it is safe.
    #[instrument(name = "service.retire_key", skip_all)]
    pub async fn retire(&self, id: &KeyId) -> Result<bool, Unexpected> {
        let ring = ring(&self.keys.load().await?);
        let now = self.clock.now();
        let successor = ring.replace(id, now).map(|(next, at)| (next.number, at));
        let is_retired = self.keys.retire(id, successor, now).await?;
        if is_retired {
            tracing::warn!(
                event.kind = EventKind::SigningKeyRetired.as_str(),
                key.id = %id,
                "a signing key was retired"
            );
        }
        Ok(is_retired)
    }

    /// Takes every key away and publishes new ones: for when tokens may be about that nobody has a record of. Answers how many
    /// were taken away.
    ///
    /// # Errors
    /// See [`SigningError`]; repeating it is safe.
    #[instrument(name = "service.replace_keys", skip_all)]
    pub async fn replace_all(&self) -> Result<usize, SigningError> {
        let mut retired = 0;
        for stored in self.keys.load().await? {
            retired += usize::from(self.retire(&stored.key.id).await?);
        }
        self.keep().await?;
        Ok(retired)
    }

    /// Puts the stored keys into use. One that is in use already is not opened again: it may have been sealed under a newer
    /// secret meanwhile.
    async fn adopt(&self, stored: &[StoredKey]) -> Result<(), SigningError> {
        let present = self.in_use.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now();
        let (mut opened, mut resealed, mut shut) = (Vec::new(), Vec::new(), None);
        for row in stored {
            let key = row.key.clone();
            let known = present.iter().find(|open| open.key.id == key.id && open.key.public == key.public);
            if let Some(open) = known {
                opened.push(OpenKey { key, seed: Arc::clone(&open.seed) });
            } else if let Some((seed, sealed)) = self.vault.open(row) {
                resealed.extend(sealed.map(|sealed| (row, sealed)));
                opened.push(OpenKey { key, seed: Arc::new(seed) });
            } else if key.verifies(now) {
                shut = Some(key.id);
            }
        }
        opened.sort_unstable_by_key(|open| open.key.number);
        if !present.iter().map(|open| &open.key).eq(opened.iter().map(|open| &open.key)) {
            self.tokens.use_keys(&opened)?;
            *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = opened;
        }
        for (row, sealed) in resealed {
            self.keys.reseal(row, &sealed).await?;
            tracing::info!(key.id = %row.key.id, "a signing key was sealed under the present secret");
        }
        shut.map_or(Ok(()), |id| Err(SigningError::Sealed(id)))
    }
}

fn ring(stored: &[StoredKey]) -> KeyRing {
    KeyRing::new(stored.iter().map(|row| row.key.clone()).collect())
}
