//! Moments and spans of time, as each language says them.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::domain::Language;

/// `24 November 2026 at 21:32 UTC`: to be read after "on", or in Russian without a preposition.
pub(super) fn moment(language: Language, at: DateTime<Utc>) -> String {
    let month = months(language)[at.month0() as usize];
    match language {
        Language::English => at.format(&format!("%-d {month} %Y at %H:%M UTC")).to_string(),
        Language::Russian => at.format(&format!("%-d {month} %Y года в %H:%M UTC")).to_string(),
    }
}

/// `7 days`, `24 hours`, `1 hour`: in the largest unit of which there are at least two, or one hour. In the accusative, as
/// after "for" and after "действует".
pub(super) fn span(language: Language, span: TimeDelta) -> String {
    let (count, unit) = match span.num_minutes() {
        minutes if minutes % (24 * 60) == 0 && minutes >= 48 * 60 => (minutes / (24 * 60), Unit::Day),
        minutes if minutes % 60 == 0 => (minutes / 60, Unit::Hour),
        minutes => (minutes, Unit::Minute),
    };
    format!("{count} {}", unit.name(language, count))
}

enum Unit {
    Day,
    Hour,
    Minute,
}

impl Unit {
    fn name(&self, language: Language, count: i64) -> &'static str {
        match language {
            Language::English => {
                let [one, many] = match self {
                    Self::Day => ["day", "days"],
                    Self::Hour => ["hour", "hours"],
                    Self::Minute => ["minute", "minutes"],
                };
                if count == 1 { one } else { many }
            }
            Language::Russian => {
                let [one, few, many] = match self {
                    Self::Day => ["день", "дня", "дней"],
                    Self::Hour => ["час", "часа", "часов"],
                    Self::Minute => ["минуту", "минуты", "минут"],
                };
                match (count % 10, count % 100) {
                    (_, 11..=14) => many,
                    (1, _) => one,
                    (2..=4, _) => few,
                    _ => many,
                }
            }
        }
    }
}

fn months(language: Language) -> [&'static str; 12] {
    match language {
        Language::English => [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        Language::Russian => [
            "января",
            "февраля",
            "марта",
            "апреля",
            "мая",
            "июня",
            "июля",
            "августа",
            "сентября",
            "октября",
            "ноября",
            "декабря",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, Russian};

    #[test]
    fn a_moment_has_the_month_by_name() {
        let at = "2026-03-08T07:05:59Z".parse().unwrap();
        assert_eq!(moment(English, at), "8 March 2026 at 07:05 UTC");
        assert_eq!(moment(Russian, at), "8 марта 2026 года в 07:05 UTC");
        let at = "2026-12-31T23:59:00Z".parse().unwrap();
        assert_eq!(moment(Russian, at), "31 декабря 2026 года в 23:59 UTC");
    }

    #[test]
    fn a_span_agrees_with_its_number() {
        for (minutes, english, russian) in [
            (1, "1 minute", "1 минуту"),
            (23, "23 minutes", "23 минуты"),
            (30, "30 minutes", "30 минут"),
            (60, "1 hour", "1 час"),
            (3 * 60, "3 hours", "3 часа"),
            (12 * 60, "12 hours", "12 часов"),
            (24 * 60, "24 hours", "24 часа"),
            (2 * 1440, "2 days", "2 дня"),
            (7 * 1440, "7 days", "7 дней"),
            (21 * 1440, "21 days", "21 день"),
        ] {
            let minutes = TimeDelta::minutes(minutes);
            assert_eq!((span(English, minutes), span(Russian, minutes)), (english.into(), russian.into()));
        }
    }
}
