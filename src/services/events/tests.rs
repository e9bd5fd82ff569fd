//! Refusals, without the database that they are written to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;
use crate::domain::{DeviceInfo, EmailAddress};
use crate::services::repetitions::lines::Lines;

/// Keeps what it is told, or fails to.
#[derive(Default)]
struct Journal {
    kept: Mutex<Vec<NotedEvent>>,
    is_failing: Mutex<bool>,
}

fn missing() -> Unexpected {
    Unexpected::unavailable("this test", "has no more")
}

#[async_trait]
impl SecurityEvents for Journal {
    async fn record(&self, noted: &[NotedEvent]) -> Result<(), Unexpected> {
        if *self.is_failing.lock().unwrap() {
            return Err(missing());
        }
        self.kept.lock().unwrap().extend_from_slice(noted);
        Ok(())
    }

    async fn list(&self, _: UserId, _: Page<EventId>) -> Result<Vec<SecurityEvent>, Unexpected> {
        Err(missing())
    }

    async fn find(&self, _: UserId, _: EventId) -> Result<Option<SecurityEvent>, Unexpected> {
        Err(missing())
    }

    async fn search(&self, _: &EventFilter) -> Result<Vec<SecurityEvent>, Unexpected> {
        Err(missing())
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}

/// For tests of other services: notes that nobody reads.
pub(crate) fn unread() -> Arc<Refusals> {
    Arc::new(Refusals::new(Arc::new(Stopped), Arc::<Journal>::default()))
}

fn refusals() -> (Arc<Journal>, Refusals) {
    let journal = Arc::<Journal>::default();
    (journal.clone(), Refusals::new(Arc::new(Stopped), journal))
}

/// Somebody at this address of a network.
fn at(host: u16) -> Caller {
    let [high, low] = host.to_be_bytes();
    Caller { device: DeviceInfo::new(None, Some([198, 51, high, low].into())), request_id: None }
}

fn ada() -> EventSubject {
    EventSubject::Address(EmailAddress::parse("ada@example.com").unwrap())
}

fn times(journal: &Journal) -> Vec<u32> {
    journal.kept.lock().unwrap().iter().map(|event| event.times).collect()
}

#[tokio::test]
async fn the_first_refusal_is_written_at_once_and_its_repetitions_are_counted() {
    let (journal, refusals) = refusals();
    for _ in 0..1000 {
        refusals.note(EventKind::LoginFailed, ada(), &at(1));
        refusals.note(EventKind::Throttled, ada(), &at(1));
    }
    refusals.write().await;
    assert_eq!(times(&journal), [1, 1]);
    refusals.write().await;
    refusals.finish().await;
    assert_eq!(times(&journal), [1, 1, 999, 999]);
    refusals.note(EventKind::LoginFailed, ada(), &at(1));
    refusals.finish().await;
    assert_eq!(times(&journal), [1, 1, 999, 999, 1]);
}

#[tokio::test]
async fn what_is_different_is_kept_apart_up_to_a_limit() {
    let (journal, refusals) = refusals();
    for host in 0..5000 {
        refusals.note(EventKind::LoginFailed, ada(), &at(host));
    }
    refusals.finish().await;
    assert_eq!(times(&journal).len(), MOST_SORTS);
}

#[tokio::test]
async fn a_database_that_does_not_answer_takes_no_refusal_with_it_and_gathers_none_without_end() {
    let (journal, refusals) = refusals();
    *journal.is_failing.lock().unwrap() = true;
    for host in 0..10_000 {
        refusals.note(EventKind::LoginFailed, ada(), &at(host));
        if host % 1000 == 0 {
            refusals.finish().await;
        }
    }
    assert_eq!(times(&journal), [0; 0]);
    assert_eq!(refusals.lock().pending.len(), MOST_PENDING);
    *journal.is_failing.lock().unwrap() = false;
    refusals.finish().await;
    assert_eq!(times(&journal).len(), MOST_PENDING);
}

#[tokio::test]
async fn what_is_about_nobody_is_not_written() {
    let (journal, refusals) = refusals();
    refusals.note(EventKind::RefreshRefused, EventSubject::Unknown, &at(1));
    refusals.finish().await;
    assert_eq!(times(&journal), [0; 0]);
}

/// What is logged while this many refusals are noted, and when the minute is over.
fn logged(refusals: &Refusals, note: impl Fn(&Refusals)) -> Lines {
    Lines::of(|| {
        note(refusals);
        refusals.count_anew();
        refusals.count_anew();
    })
}

#[test]
fn ten_thousand_refusals_from_one_address_are_two_lines() {
    for subject in [ada(), EventSubject::Unknown] {
        let (_, refusals) = refusals();
        let lines = logged(&refusals, |refusals| {
            for _ in 0..10_000 {
                refusals.note(EventKind::RefreshRefused, subject.clone(), &at(1));
            }
        });
        assert_eq!(lines.with(""), 2, "{lines:?}");
        assert_eq!(lines.with("security event, refused repeatedly"), 1);
        assert_eq!(lines.with("event.times=9999"), 1, "{lines:?}");
    }
}

#[test]
fn what_comes_from_everywhere_is_as_many_lines_as_there_are_sorts_and_none_is_uncounted() {
    let (_, refusals) = refusals();
    let lines = logged(&refusals, |refusals| {
        for turn in 0..10_000 {
            refusals.note(EventKind::Throttled, ada(), &at(turn));
            refusals.note(EventKind::Throttled, ada(), &at(1));
        }
    });
    assert_eq!(lines.with(""), MOST_SORTS + 2, "the first of each, what repeated itself, and the rest");
    assert_eq!(lines.with("event.times=10000"), 1);
    assert_eq!(lines.with("too many different sorts for a line or a row each times=8000"), 1);
}
