//! What Postgres has rolled back is done again (docs/faults.md F12).

use std::future::Future;

use crate::ports::Unexpected;

/// How often at most.
const TRIES: u32 = 4;

/// Does `work`, a whole transaction, and does it again when Postgres has rolled it back to end a deadlock or a conflict of
/// serialization. Rows of one table are locked in the order of their ids, but not
/// all transactions take the tables in one order, and an operator in psql keeps to none.
pub(super) async fn again<T, F>(work: impl Fn() -> F) -> Result<T, Unexpected>
where
    F: Future<Output = Result<T, Unexpected>>,
{
    for _ in 1..TRIES {
        match work().await {
            Err(error) if was_rolled_back(&error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a transaction is done again");
            }
            outcome => return outcome,
        }
    }
    work().await
}

fn was_rolled_back(error: &Unexpected) -> bool {
    let Unexpected::Unavailable { source, .. } = error else { return false };
    let refusal = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    // serialization_failure and deadlock_detected.
    refusal.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40001" || code == "40P01")
}
