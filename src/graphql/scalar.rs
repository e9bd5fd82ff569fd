//! Scalars of our own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{SecondsFormat, SubsecRound, Utc};

/// An instant in time, RFC 3339, always in UTC, for example `2026-03-01T09:30:00Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateTime(pub(super) chrono::DateTime<Utc>);

/// An instant in time, RFC 3339, always in UTC, for example `2026-03-01T09:30:00Z`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(chrono::DateTime::parse_from_rfc3339(text)?.to_utc())),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    /// To the millisecond, which is what clients can hold.
    fn to_value(&self) -> Value {
        Value::String(self.0.trunc_subsecs(3).to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}
