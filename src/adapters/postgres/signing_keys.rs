//! Signing keys in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{corrupt, unexpected};
use crate::domain::{EventId, EventKind, Handover, KeyId, SigningKey};
use crate::ports::{SealedSeed, SigningKeys, StoredKey, Unexpected};

/// [`SigningKeys`] in the table `signing_keys`.
pub struct PgSigningKeys(pub(super) PgPool);

#[async_trait]
impl SigningKeys for PgSigningKeys {
    async fn load(&self) -> Result<Vec<StoredKey>, Unexpected> {
        let rows = sqlx::query!(
            "SELECT number, kid, public_key, sealed_seed, created_at, activates_at, gone_at
             FROM signing_keys"
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        let stored = rows.into_iter().map(|row| {
            let key = SigningKey {
                number: row.number,
                id: KeyId::parse(&row.kid).ok_or_else(|| corrupt("the kid of a signing key"))?,
                public: row.public_key.try_into().map_err(|_| corrupt("a public key"))?,
                created_at: row.created_at,
                activates_at: row.activates_at,
                gone_at: row.gone_at,
            };
            Ok(StoredKey { key, sealed: SealedSeed(row.sealed_seed) })
        });
        stored.collect()
    }

    async fn add(
        &self,
        stored: &StoredKey,
        outgoing: Option<(i32, DateTime<Utc>)>,
    ) -> Result<(), Unexpected> {
        let kind = EventKind::SigningKeyAdded;
        let StoredKey { key, sealed } = stored;
        sqlx::query!(
            "WITH added AS (
                 INSERT INTO signing_keys (number, kid, public_key, sealed_seed, created_at, activates_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT ON CONSTRAINT signing_keys_pkey DO NOTHING
                 RETURNING number
             ), event AS (
                 INSERT INTO security_events (id, kind, outcome, occurred_at, key_id)
                 SELECT $9, $10, $11, $5, $2
                 FROM added
             )
             UPDATE signing_keys
             SET gone_at = $8
             FROM added
             WHERE signing_keys.number = $7",
            key.number,
            key.id.as_str(),
            key.public.as_slice(),
            sealed.0,
            key.created_at,
            key.activates_at,
            outgoing.map(|(number, _)| number),
            outgoing.map(|(_, gone_at)| gone_at),
            Uuid::from(EventId::generate(key.created_at)),
            kind.as_str(),
            kind.outcome().as_str(),
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn hasten(
        &self,
        number: i32,
        handover: Handover,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Unexpected> {
        let kind = EventKind::SigningKeyHastened;
        sqlx::query_scalar!(
            "WITH planned AS (
                 SELECT number, activates_at
                 FROM signing_keys
                 WHERE number = $1
                 FOR UPDATE
             ), hastened AS (
                 UPDATE signing_keys
                 SET activates_at = LEAST(planned.activates_at, $2)
                 FROM planned
                 WHERE signing_keys.number = planned.number
                 RETURNING signing_keys.activates_at, kid, planned.activates_at > $2 AS is_earlier
             ), event AS (
                 INSERT INTO security_events (id, kind, outcome, occurred_at, key_id)
                 SELECT $5, $6, $7, $8, kid
                 FROM hastened
                 WHERE is_earlier
             ), outgoing AS (
                 UPDATE signing_keys
                 SET gone_at = LEAST(gone_at, $4)
                 FROM hastened
                 WHERE number = $3
             )
             SELECT activates_at FROM hastened",
            number,
            handover.at,
            handover.outgoing.map(|(number, _)| number),
            handover.outgoing.map(|(_, gone_at)| gone_at),
            Uuid::from(EventId::generate(now)),
            kind.as_str(),
            kind.outcome().as_str(),
            now,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)
    }

    async fn retire(
        &self,
        id: &KeyId,
        successor: Option<(i32, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) -> Result<bool, Unexpected> {
        let kind = EventKind::SigningKeyRetired;
        // Deleted, not dated: an instance whose clock is behind must refuse its tokens as well.
        let retired = sqlx::query_scalar!(
            "WITH retired AS (
                 DELETE FROM signing_keys
                 WHERE kid = $1
                 RETURNING number
             ), event AS (
                 INSERT INTO security_events (id, kind, outcome, occurred_at, key_id)
                 SELECT $4, $5, $6, $7, $1
                 FROM retired
             ), successor AS (
                 UPDATE signing_keys
                 SET activates_at = LEAST(activates_at, $3)
                 FROM retired
                 WHERE signing_keys.number = $2
             )
             SELECT number FROM retired",
            id.as_str(),
            successor.map(|(number, _)| number),
            successor.map(|(_, at)| at),
            Uuid::from(EventId::generate(now)),
            kind.as_str(),
            kind.outcome().as_str(),
            now,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(retired.is_some())
    }

    async fn reseal(&self, stored: &StoredKey, sealed: &SealedSeed) -> Result<(), Unexpected> {
        sqlx::query!(
            "UPDATE signing_keys
             SET sealed_seed = $3
             WHERE kid = $1 AND sealed_seed = $2",
            stored.key.id.as_str(),
            stored.sealed.0,
            sealed.0,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<(), Unexpected> {
        sqlx::query!("DELETE FROM signing_keys WHERE gone_at <= $1", before)
            .execute(&self.0)
            .await
            .map_err(unexpected)?;
        Ok(())
    }
}
