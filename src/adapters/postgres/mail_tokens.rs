//! One-time tokens in Postgres. A token is used up by one statement, inside of the transaction of what it causes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::unexpected;
use crate::domain::{MailTokenPurpose, PresentedMailToken};
use crate::ports::Unexpected;

/// What a token was mailed to whom for.
pub(super) struct Holder {
    pub(super) user_id: Uuid,
    pub(super) email: String,
    pub(super) email_canonical: String,
}

/// Uses up a token. `None`, and nothing changes, unless it works. Of any number of parallel calls one gets it.
pub(super) async fn consume(
    connection: &mut PgConnection,
    token: PresentedMailToken,
    now: DateTime<Utc>,
) -> Result<Option<Holder>, Unexpected> {
    sqlx::query_as!(
        Holder,
        "UPDATE mail_tokens
         SET consumed_at = $4
         WHERE id = $1 AND purpose = $2 AND digest = $3 AND consumed_at IS NULL AND expires_at > $4
         RETURNING user_id, email, email_canonical",
        Uuid::from(token.id),
        token.purpose.as_str(),
        &token.digest.0,
        now,
    )
    .fetch_optional(connection)
    .await
    .map_err(unexpected)
}

/// Makes the tokens of an account for these purposes worthless.
pub(super) async fn void(
    connection: &mut PgConnection,
    user_id: Uuid,
    purposes: &[MailTokenPurpose],
    now: DateTime<Utc>,
) -> Result<(), Unexpected> {
    let purposes: Vec<String> = purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect();
    sqlx::query!(
        "UPDATE mail_tokens
         SET consumed_at = $3
         WHERE user_id = $1 AND purpose = ANY($2) AND consumed_at IS NULL",
        user_id,
        &purposes,
        now,
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(())
}
