//! The life of keys, step by step (docs/security.md KEY-2, KEY-3).

use super::*;

const ROTATION: TimeDelta = TimeDelta::days(90);

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn key(number: i32, created_at: DateTime<Utc>, activates_at: DateTime<Utc>) -> SigningKey {
    let id = KeyId::parse(&format!("key-{number}")).unwrap();
    SigningKey { number, id, public: [0; 32], created_at, activates_at, gone_at: None }
}

/// What a store does with the keys that are due.
fn maintained(mut ring: KeyRing, now: DateTime<Utc>) -> KeyRing {
    while let Some(handover) = ring.due(ROTATION, now) {
        let number = ring.0.last().map_or(1, |last| last.number + 1);
        for old in &mut ring.0 {
            if let Some((_, gone_at)) = handover.outgoing.filter(|(outgoing, _)| *outgoing == old.number) {
                old.gone_at = Some(gone_at);
            }
        }
        ring.0.push(key(number, now, handover.at));
    }
    ring
}

fn states(ring: &KeyRing, now: DateTime<Utc>) -> Vec<KeyState> {
    ring.keys().iter().map(|key| ring.state(key, now)).collect()
}

use KeyState::{Active, Gone, Next, Retiring};

#[test]
fn the_first_key_begins_at_once_and_has_a_successor() {
    let ring = maintained(KeyRing::default(), start());
    assert_eq!(states(&ring, start()), [Active, Next]);
    assert_eq!(ring.next(start()).unwrap().activates_at, start() + ROTATION);
}

#[test]
fn next_becomes_active_when_its_time_comes() {
    let ring = maintained(KeyRing::default(), start());
    let handover = start() + ROTATION;
    assert_eq!(states(&ring, handover - TimeDelta::seconds(1)), [Active, Next]);
    assert_eq!(states(&ring, handover), [Retiring, Active]);
}

#[test]
fn active_becomes_retiring_and_verifies_until_its_last_token_has_expired() {
    let ring = maintained(KeyRing::default(), start());
    let last_token_expires = start() + ROTATION + TimeDelta::minutes(15);
    assert!(ring.keys()[0].verifies(last_token_expires + TimeDelta::seconds(59)));
    assert_eq!(ring.state(&ring.keys()[0], last_token_expires), Retiring);
}

#[test]
fn retiring_becomes_gone_after_that() {
    let ring = maintained(KeyRing::default(), start());
    let later = start() + ROTATION + RETIREMENT;
    assert_eq!(states(&ring, later), [Gone, Active]);
    assert!(!ring.keys()[0].verifies(later));
}

#[test]
fn a_successor_is_published_before_it_is_needed_and_not_sooner() {
    let ring = maintained(KeyRing::default(), start());
    let handover = start() + ROTATION;
    assert_eq!(ring.due(ROTATION, handover - PUBLICATION - TimeDelta::seconds(1)), None);
    let at = handover + ROTATION;
    let due = Handover { at, outgoing: Some((2, at + RETIREMENT)) };
    assert_eq!(ring.due(ROTATION, handover - PUBLICATION), Some(due));
    assert_eq!(
        states(&maintained(ring, handover - PUBLICATION), handover - PUBLICATION),
        [Active, Next, Next]
    );
}

#[test]
fn after_a_long_stop_the_key_that_has_begun_meanwhile_signs() {
    let later = start() + ROTATION * 5;
    let ring = maintained(maintained(KeyRing::default(), start()), later);
    assert_eq!(states(&ring, later), [Gone, Active, Next]);
    assert_eq!(ring.next(later).unwrap().activates_at, later + PUBLICATION * 2);
}

#[test]
fn a_clock_that_is_behind_signs_with_the_first_key_all_the_same() {
    let ring = maintained(KeyRing::default(), start());
    let behind = start() - CLOCK_SKEW;
    assert_eq!(states(&ring, behind), [Active, Next]);
}

#[test]
fn a_key_is_hastened_no_further_than_the_caches_of_verifiers_allow() {
    let ring = maintained(KeyRing::default(), start());
    let soon = start() + TimeDelta::minutes(1);
    assert_eq!(ring.hasten(soon).unwrap().1.at, start() + PUBLICATION);
    let later = start() + TimeDelta::days(1);
    let (next, handover) = ring.hasten(later).unwrap();
    let at = later + NOTICE;
    assert_eq!(next.number, 2);
    assert_eq!(handover, Handover { at, outgoing: Some((1, at + RETIREMENT)) });
    // One that is about to begin anyway is not put off.
    let eve = start() + ROTATION - TimeDelta::seconds(1);
    assert_eq!(ring.hasten(eve).unwrap().1.at, start() + ROTATION);
}

#[test]
fn when_the_active_key_is_taken_away_the_next_one_has_begun_by_every_clock() {
    let mut ring = maintained(KeyRing::default(), start());
    let now = start() + TimeDelta::days(1);
    let (next, at) = ring.replace(&ring.keys()[0].id, now).unwrap();
    assert_eq!((next.number, at), (2, now - CLOCK_SKEW));
    assert_eq!(ring.replace(&ring.keys()[1].id, now), None, "the next key leaves no gap");

    ring.0.remove(0);
    ring.0[0].activates_at = at;
    let behind = now - CLOCK_SKEW;
    assert_eq!(states(&maintained(ring, behind), behind), [Active, Next]);
}

#[test]
fn a_next_key_that_is_taken_away_is_replaced_in_time() {
    let mut ring = maintained(KeyRing::default(), start());
    ring.0.remove(1);
    let now = start() + TimeDelta::days(1);
    let ring = maintained(ring, now);
    assert_eq!(states(&ring, now), [Active, Next]);
    assert_eq!(ring.next(now).unwrap().activates_at, start() + ROTATION);
}

#[test]
fn a_key_id_is_short_and_plain() {
    assert!(KeyId::parse(&"x".repeat(64)).is_some());
    for text in ["", "../../dev/null", "a b", &"x".repeat(65)] {
        assert_eq!(KeyId::parse(text), None, "{text}");
    }
}
