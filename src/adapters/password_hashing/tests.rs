use super::*;

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn lane() -> Lane {
    Lane(Argon2id::new(64, 1).unwrap())
}

fn vet(hash: &str) -> Result<(), UnusableHash> {
    KnownFormats.vet(hash)
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
    let mut costlier = Lane(Argon2id::new(128, 2).unwrap());
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
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA$c2FsdHNhbHRzYWx0c2FsdA$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM",
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

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_refused() {
    let (jobs, _queue) = sync_channel(1);
    let lanes = HashingLanes { jobs, pace: Arc::new(AtomicU64::new(20_000)) };
    let (reply, _answer) = oneshot::channel();
    lanes.enqueue(Job::Hash(password("correct horse"), reply)).unwrap();
    let refusal = lanes.hash(password("correct horse")).await.unwrap_err();
    let Unexpected::Overloaded { retry_after, .. } = refusal else { panic!("{refusal:?}") };
    assert_eq!(retry_after, Duration::from_millis(64 * 20));
}
