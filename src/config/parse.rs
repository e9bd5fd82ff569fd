//! How settings are written, and what their texts must be like.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::Rate;

/// A setting that cannot be used: one sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {advice}")]
pub struct ConfigError {
    name: String,
    advice: String,
}

impl ConfigError {
    /// The setting, and what is wrong with it and what to do.
    pub(crate) fn new(name: &str, advice: impl Into<String>) -> Self {
        let advice: String = advice.into();
        Self { name: name.to_owned(), advice: advice.trim_end_matches('.').to_owned() }
    }
}

/// A duration within its bounds.
pub(super) fn duration(name: &str, text: &str, least: &str, most: &str) -> Result<TimeDelta, ConfigError> {
    let duration = read_duration(text).ok_or_else(|| {
        ConfigError::new(name, "is no duration: write a number and s, m, h or d, such as 90s or 15m")
    })?;
    let is_allowed = read_duration(least).is_some_and(|least| least <= duration)
        && read_duration(most).is_some_and(|most| duration <= most);
    if is_allowed {
        Ok(duration)
    } else {
        Err(ConfigError::new(name, format!("is out of range: it may be {least} to {most}")))
    }
}

/// A duration such as `90s`, `15m`, `12h` or `30d`. `None` for everything else.
#[must_use]
pub fn read_duration(text: &str) -> Option<TimeDelta> {
    if text == "0" {
        return Some(TimeDelta::zero());
    }
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: i64 = number.parse().ok()?;
    match unit {
        "ms" => TimeDelta::try_milliseconds(number),
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    }
}

/// A rate such as `60/1m`, or `None` for `off`.
pub(super) fn rate(name: &str, text: &str) -> Result<Option<Rate>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let read = || {
        let (count, period) = text.split_once('/')?;
        let period = read_duration(period)?.to_std().ok().filter(|period| !period.is_zero())?;
        Some(Rate { count: count.parse().ok()?, period })
    };
    read().map(Some).ok_or_else(|| {
        ConfigError::new(name, "is no rate: write a number and the time for it, such as 60/1m, or `off`")
    })
}

/// A whole number within its bounds.
pub(super) fn number(name: &str, text: &str, least: u32, most: u32) -> Result<u32, ConfigError> {
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        ConfigError::new(name, format!("is no number from {least} to {most}: write such a number"))
    })
}

/// A secret must be as hard to guess as 32 random bytes would be, as far as its text can tell.
pub(super) fn check_secret(name: &str, secret: &SecretString) -> Result<(), ConfigError> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < 32 {
        return Err(ConfigError::new(
            name,
            "is too short: give it at least 32 random bytes, such as the output of `openssl rand -base64 32`",
        ));
    }
    let repeats = (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b));
    if repeats || entropy_bits(bytes) < 100.0 {
        return Err(ConfigError::new(
            name,
            "is easy to guess: give it random bytes, such as the output of `openssl rand -base64 32`",
        ));
    }
    Ok(())
}

/// Shannon's estimate for the whole text, from how often each byte occurs: 32 random hexadecimal digits come to about
/// 115 bits, 32 equal ones to none, an English sentence of that length to about 120.
#[expect(clippy::cast_precision_loss, reason = "lengths of settings are small")]
fn entropy_bits(bytes: &[u8]) -> f64 {
    let total = bytes.len() as f64;
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| f64::from(count) * (total / f64::from(count)).log2())
        .sum()
}

/// How many letters have to be changed, added or left out to turn one name into the other (Levenshtein).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
