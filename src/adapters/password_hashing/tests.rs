use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use secrecy::SecretString;

use super::*;
use crate::domain::ClientNetworks;

const PEPPER: &str = "q3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";
const OTHER_PEPPER: &str = "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=";

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn lane() -> Lane {
    lane_with(None, None)
}

/// A lane with these peppers.
fn lane_with(present: Option<&str>, previous: Option<&str>) -> Lane {
    Lane(Argon2id::new(64, 1, peppers(present, previous)).unwrap())
}

fn peppers(present: Option<&str>, previous: Option<&str>) -> Peppers {
    let [present, previous] = [present, previous].map(|pepper| pepper.map(SecretString::from));
    Peppers::new(present.as_ref(), previous.as_ref()).unwrap()
}

fn vet(hash: &str) -> Result<(), UnusableHash> {
    KnownFormats(Peppers::default()).vet(hash)
}

#[test]
fn a_hash_is_a_salted_phc_string_that_verifies() {
    let mut lane = lane();
    let phc = lane.0.hash(&password("correct horse")).unwrap();
    assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
    assert_ne!(phc, lane.0.hash(&password("correct horse")).unwrap());
    assert_eq!(lane.verify(&password("correct horse"), Some(&phc)).unwrap(), Match::Yes);
    assert_eq!(lane.verify(&password("correct house"), Some(&phc)).unwrap(), Match::No);
}

#[test]
fn a_hash_of_other_parameters_still_verifies() {
    let phc = lane().0.hash(&password("correct horse")).unwrap();
    let mut costlier = Lane(Argon2id::new(128, 2, Peppers::default()).unwrap());
    assert_eq!(costlier.verify(&password("correct horse"), Some(&phc)).unwrap(), Match::Outdated);
    assert_eq!(costlier.verify(&password("correct house"), Some(&phc)).unwrap(), Match::No);
}

#[test]
fn nobody_has_the_password_of_an_unknown_account() {
    assert_eq!(lane().verify(&password("correct horse"), None).unwrap(), Match::No);
}

#[test]
fn hashes_that_other_programs_made_verify_and_are_outdated() {
    for hash in [
        // The reference implementation of argon2, by argon2-cffi 25.1.
        "$argon2i$v=16$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$VtDxiJ81aZtfL5Wz1jkfFXPy8wMkYhvw8aK65dUvdl0",
        "$argon2i$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$VtDxiJ81aZtfL5Wz1jkfFXPy8wMkYhvw8aK65dUvdl0",
        "$argon2i$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$5SpZuXP0TGXUyRU0K/Noa2bftFxEI7Y7f8U9SS5IhKs",
        "$argon2d$v=16$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$obdAbiJDv25Y13CaCnUHz6gqQebevtWwvCPzQ0hCIeI",
        "$argon2d$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$aUkhROHAd+vE4oqQ28qC7j09doS1BGwSXsoV9K3sq2E",
        "$argon2id$v=16$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$kEyCPBP1Q2hses971kJX2B/WqdJvhvX+6e0V+5jTG1c",
        "$argon2id$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$/ZLeeEdvUYpPhmNVfaaZPDWlJhn56NfRJekEhmpE3pU",
        "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$gw5tl5fBqqsWH+FSea9RDZOaO9qcVPBqw2AYxiad+83nhjcvWll4LegVjLh9IHfogou4R4sOtdsEnPuJr7votQ",
        // libxcrypt 4.4.
        "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        // passlib 1.7 on OpenSSL.
        "$scrypt$ln=10,r=8,p=2$//79++++MTIzNDU2Nzg5$qJxNM0Au/JTUVm8dh6xIkKjPxTsr4waDtEBZ2pOCMUE",
        "$pbkdf2-sha256$1000$//79....MTIzNDU2Nzg5$moth9iwy82SD7SewJt2CVdvrhqxB3RUWw8Ib/nEy.jA",
        "$pbkdf2-sha512$1000$//79....MTIzNDU2Nzg5$0/v.sLoNhX8qCnhgO2UAGQppldum/h/6KCbZcPFI08o/ubZmGd4JOW8RXdW08kXz3i/StaSod9J8O1AHi/cAQg",
        // Python's hashlib on OpenSSL, written as PHC strings.
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHRzYWx0c2FsdA$EHLBej+uEvxlmr0QnHnceg1vM6h1wbwSP5XErh3SmizNDWZsIi28RPGARe0EssjGRoiACzxgHjNvqwJY1zxKig",
        // Django 5.2.
        "pbkdf2_sha256$1000$NaClNaClNaClNaClNaClNa$pcoEeOKdU29ad7CREHyoIszxaCZuhS476TlVjDMs2+M=",
    ] {
        assert_eq!(vet(hash), Ok(()), "{hash}");
        let mut lane = lane();
        assert_eq!(lane.verify(&password("correct horse"), Some(hash)).unwrap(), Match::Outdated, "{hash}");
        assert_eq!(lane.verify(&password("correct house"), Some(hash)).unwrap(), Match::No, "{hash}");
        assert_eq!(lane.verify(&password("Correct horse"), Some(hash)).unwrap(), Match::No, "{hash}");
    }
}

#[test]
fn the_output_of_the_reference_implementation_verifies() {
    // `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1` of the reference implementation.
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let mut lane = lane();
    assert_eq!(lane.verify(&password("password"), Some(phc)).unwrap(), Match::Outdated);
    assert!(lane.0.memory_kib() <= 64, "what a costly hash needed is given back");
}

#[test]
fn bcrypt_reads_bytes_and_stops_at_the_seventy_second() {
    // libxcrypt 4.4, of 72 digits and of `pässwörd`.
    let long = "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C";
    let umlauts = "$2y$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC";
    let digits = "0123456789".repeat(7) + "ab";
    let mut lane = lane();
    assert_eq!(lane.verify(&password(&digits), Some(long)).unwrap(), Match::Outdated);
    assert_eq!(lane.verify(&password(&format!("{digits} and more")), Some(long)).unwrap(), Match::Outdated);
    assert_eq!(lane.verify(&password(&digits[..71]), Some(long)).unwrap(), Match::No);
    assert_eq!(lane.verify(&password("pässwörd"), Some(umlauts)).unwrap(), Match::Outdated);
    assert_eq!(lane.verify(&password("passwörd"), Some(umlauts)).unwrap(), Match::No);
}

#[test]
fn a_hash_that_would_make_logins_slow_is_refused_at_import() {
    let salt_and_hash = "c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM";
    for (most, too_much) in [
        ("$argon2id$v=19$m=262144,t=4,p=1$", "$argon2id$v=19$m=262145,t=1,p=1$"),
        ("$argon2i$v=19$m=1024,t=1024,p=1$", "$argon2i$v=19$m=1024,t=1025,p=1$"),
        ("$scrypt$ln=17,r=8,p=2$", "$scrypt$ln=17,r=8,p=3$"),
        ("$scrypt$ln=15,r=32,p=1$", "$scrypt$ln=18,r=8,p=1$"),
        ("$pbkdf2-sha256$i=2000000$", "$pbkdf2-sha256$i=2000001$"),
    ] {
        assert_eq!(vet(&format!("{most}{salt_and_hash}")), Ok(()), "{most}");
        let refusal = vet(&format!("{too_much}{salt_and_hash}"));
        assert!(matches!(refusal, Err(UnusableHash::TooCostly(..))), "{too_much}: {refusal:?}");
    }
    let bcrypt =
        |cost: u32| vet(&format!("$2b${cost:02}$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"));
    assert_eq!(bcrypt(14), Ok(()));
    let reason = bcrypt(15).unwrap_err().to_string();
    assert_eq!(reason, "this bcrypt hash would cost a login too long (a cost above 14)");
}

#[test]
fn what_is_no_whole_hash_is_refused_at_import() {
    for text in
        ["", "secret", "5f4dcc3b5aa765d61d8327deb882cf99", "$1$salt$hash", "$2x$04$", "plain$text", "!"]
    {
        assert_eq!(vet(text), Err(UnusableHash::Unknown), "{text}");
    }
    for text in [
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
        "$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$+4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$04$ébcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAAAAAAAAAAAAAA$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$argon2id$v=19$m=64,t=1,p=1,data=AAAA$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$argon2x$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$scrypt$ln=64,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "$scrypt$ln=10,r=8$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        // An output that some other password would match before long.
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPU",
        "$pbkdf2-sha256$1000$//79....MTIzNDU2Nzg5$moth9iwy82SD7Q",
        "$pbkdf2-sha256$i=0$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
        "pbkdf2_sha256$1000$NaClNaCl$pcoEeOKdU29ad7CREHyoIszxaCZuhS476TlVjDMs2+M=$more",
    ] {
        assert!(matches!(vet(text), Err(UnusableHash::Malformed(_))), "{text}: {:?}", vet(text));
    }
    assert_eq!(vet(&format!("$scrypt${}", "a".repeat(10_000))), Err(UnusableHash::Unknown));
}

/// docs/security.md PWD-9. The pepper is argon2's secret value, so that any implementation verifies with it.
#[test]
fn a_hash_with_a_pepper_is_that_of_the_reference_implementation() {
    // `argon2_ctx` of the reference implementation, with PEPPER as its secret; the key id by HMAC-SHA256 in Python.
    let phc = "$argon2id$v=19$m=64,t=1,p=1,keyid=sePEX3r7650$c2FsdHNhbHRzYWx0c2FsdA$M9wYnxaay/lvHPav/EYC7FyHVLIh9602xbdk5hTIOUQ";
    let mut lane = lane_with(Some(PEPPER), None);
    assert_eq!(lane.verify(&password("correct horse"), Some(phc)).unwrap(), Match::Yes);
    assert_eq!(lane.verify(&password("correct house"), Some(phc)).unwrap(), Match::No);
    let new = lane.0.hash(&password("correct horse")).unwrap();
    assert!(new.starts_with("$argon2id$v=19$m=64,t=1,p=1,keyid=sePEX3r7650$"), "{new}");
    // Whoever takes the key id away has a hash of something else.
    let bare = new.replace(",keyid=sePEX3r7650", "");
    assert_eq!(lane.verify(&password("correct horse"), Some(&bare)).unwrap(), Match::No);
}

#[test]
fn a_pepper_is_introduced_changed_and_taken_away_without_a_new_password() {
    let (none, one, other) = (None, Some(PEPPER), Some(OTHER_PEPPER));
    for (made_with, present, previous, expected) in [
        (none, none, none, Match::Yes),
        (none, one, none, Match::Outdated),
        (one, one, none, Match::Yes),
        (one, one, other, Match::Yes),
        (one, other, one, Match::Outdated),
        (one, none, one, Match::Outdated),
        (none, none, one, Match::Yes),
        (one, other, none, Match::No),
        (one, none, none, Match::No),
    ] {
        let phc = lane_with(made_with, None).0.hash(&password("correct horse")).unwrap();
        let mut lane = lane_with(present, previous);
        let case = format!("made with {made_with:?}, verified with {present:?} and {previous:?}");
        assert_eq!(lane.verify(&password("correct horse"), Some(&phc)).unwrap(), expected, "{case}");
        assert_eq!(lane.verify(&password("correct house"), Some(&phc)).unwrap(), Match::No, "{case}");
        let new = lane.0.hash(&password("correct horse")).unwrap();
        assert_eq!(lane.verify(&password("correct horse"), Some(&new)).unwrap(), Match::Yes, "{case}");
    }
}

#[test]
fn hashes_of_other_programs_are_given_the_pepper() {
    let bcrypt = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    let mut lane = lane_with(Some(PEPPER), None);
    assert_eq!(lane.verify(&password("correct horse"), Some(bcrypt)).unwrap(), Match::Outdated);
}

/// LOG-2, for accounts whose pepper is lost.
#[test]
fn a_hash_whose_pepper_is_not_here_costs_what_an_unknown_account_does() {
    let phc = lane_with(Some(PEPPER), None).0.hash(&password("correct horse")).unwrap();
    let mut lane = lane_with(Some(OTHER_PEPPER), None);
    assert_eq!(lane.0.memory_kib(), 0, "nothing has been hashed yet");
    assert_eq!(lane.verify(&password("correct horse"), Some(&phc)).unwrap(), Match::No);
    assert_eq!(lane.0.memory_kib(), 64);
}

#[test]
fn only_hashes_whose_pepper_is_here_are_taken_at_import() {
    let phc = lane_with(Some(PEPPER), None).0.hash(&password("correct horse")).unwrap();
    let vet = |present, previous| KnownFormats(peppers(present, previous)).vet(&phc);
    assert_eq!(vet(Some(PEPPER), None), Ok(()));
    assert_eq!(vet(Some(OTHER_PEPPER), Some(PEPPER)), Ok(()));
    assert_eq!(vet(Some(OTHER_PEPPER), None), Err(UnusableHash::UnknownPepper));
    assert_eq!(vet(None, None), Err(UnusableHash::UnknownPepper));
}

#[test]
fn a_pepper_that_was_forgotten_is_told_from_one_that_was_given_up() {
    let hash = |pepper| lane_with(pepper, None).0.hash(&password("correct horse")).unwrap();
    let (none, one, other) = (hash(None), hash(Some(PEPPER)), hash(Some(OTHER_PEPPER)));
    let missing = |present, previous, hashes: &[&String]| {
        let hashes: Vec<String> = hashes.iter().copied().cloned().collect();
        peppers(present, previous).find_missing(&hashes)
    };
    assert_eq!(missing(None, None, &[]), None);
    assert_eq!(missing(Some(OTHER_PEPPER), None, &[&none]), None, "the first pepper there is");
    assert_eq!(missing(None, None, &[&none, &one]).as_deref(), Some("sePEX3r7650"));
    assert_eq!(missing(Some(OTHER_PEPPER), None, &[&none, &one]).as_deref(), Some("sePEX3r7650"));
    assert_eq!(missing(Some(OTHER_PEPPER), Some(PEPPER), &[&one]), None);
    assert_eq!(missing(None, Some(PEPPER), &[&one]), None);
    assert_eq!(missing(Some(OTHER_PEPPER), None, &[&one, &other]), None, "most have moved on");
}

/// Lanes without a thread, whose last password took 20 ms.
fn idle_lanes() -> HashingLanes {
    let lanes = HashingLanes(Arc::new(JobQueue::new(1)));
    lanes.0.finish(Requester::default(), Some(Duration::from_millis(20)));
    lanes
}

fn start_lane(lanes: &HashingLanes) -> thread::JoinHandle<()> {
    let queue = Arc::clone(&lanes.0);
    thread::spawn(move || lane().run(&queue))
}

fn from(address: &str) -> Requester {
    Requester::unknown(Some(ClientNetworks::of(address.parse().unwrap())))
}

/// Hashes that have taken their places in the queue, one for each requester. They answer in the order in which they are
/// done, each with its number.
fn waiting<'a>(lanes: &'a HashingLanes, requesters: &[Requester]) -> FuturesUnordered<Hashing<'a>> {
    let mut waiting: FuturesUnordered<Hashing<'a>> = FuturesUnordered::new();
    for (number, requester) in requesters.iter().copied().enumerate() {
        let hashing = lanes.hash(password("correct horse"), requester);
        waiting.push(Box::pin(async move { (number, hashing.await) }));
    }
    assert!(waiting.next().now_or_never().is_none(), "one was answered at once");
    waiting
}

type Hashing<'a> = BoxFuture<'a, (usize, Result<String, Unexpected>)>;

fn retry_after(answer: Result<String, Unexpected>) -> Duration {
    match answer {
        Err(Unexpected::Overloaded { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_refused() {
    let lanes = idle_lanes();
    let _flood = waiting(&lanes, &[from("192.0.2.1"); 64]);
    let answer = lanes.hash(password("correct horse"), from("192.0.2.1")).await;
    assert_eq!(retry_after(answer), Duration::from_millis(64 * 20));
    let _known = waiting(&lanes, &[Requester { is_known: true, ..from("192.0.2.1") }; 64]);
    let answer = lanes.hash(password("correct horse"), from("192.0.2.1")).await;
    assert_eq!(retry_after(answer), Duration::from_millis(128 * 20));
}

#[tokio::test]
async fn what_is_pushed_out_of_the_queue_is_refused_and_nothing_else_is() {
    let lanes = idle_lanes();
    let mut flood = waiting(&lanes, &[from("192.0.2.1"); 64]);
    let mut login = waiting(&lanes, &[from("198.51.100.1")]);
    let (number, answer) = flood.next().now_or_never().flatten().expect("one is pushed out");
    assert_eq!(number, 63, "the newest");
    assert_eq!(retry_after(answer), Duration::from_millis(64 * 20));
    let lane = start_lane(&lanes);
    login.next().await.unwrap().1.unwrap();
    while let Some((_, answer)) = flood.next().await {
        answer.unwrap();
    }
    drop((flood, login));
    drop(lanes);
    lane.join().unwrap();
}

/// BUD-3.
#[tokio::test]
async fn a_login_does_not_wait_for_the_flood_of_another_network() {
    let lanes = idle_lanes();
    let mut requesters = [from("192.0.2.1"); 21];
    requesters[20] = from("198.51.100.1");
    let waiting = waiting(&lanes, &requesters);
    let lane = start_lane(&lanes);
    let done: Vec<usize> = waiting.map(|(number, answer)| answer.map(|_| number).unwrap()).collect().await;
    let waits_for = done.iter().position(|number| *number == 20).unwrap();
    assert!(waits_for <= 2, "it waits for {waits_for}");
    assert_eq!(done.len(), 21);
    drop(lanes);
    lane.join().unwrap();
}

#[tokio::test]
async fn a_client_that_has_gone_leaves_its_place() {
    let lanes = idle_lanes();
    drop(waiting(&lanes, &[from("192.0.2.1"); 64]));
    let _others = waiting(&lanes, &[from("192.0.2.1"); 64]);
    let answer = lanes.hash(password("correct horse"), from("192.0.2.1")).await;
    assert_eq!(retry_after(answer), Duration::from_millis(64 * 20));
}

#[test]
fn lanes_end_when_nobody_can_ask_them_any_more() {
    let lanes = HashingLanes::start(3, 64, 1, Peppers::default()).unwrap();
    let queue = Arc::downgrade(&lanes.0);
    drop(lanes);
    let began = Instant::now();
    while queue.strong_count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "a lane goes on");
        thread::yield_now();
    }
}
