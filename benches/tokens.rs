//! What the work on tokens costs: `cargo bench --bench tokens`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use authql::adapters::jwt::JwtTokens;
use authql::adapters::root_secret::{RootSecret, RootSecrets};
use authql::adapters::seal::AesGcmVault;
use authql::domain::{Lifetimes, Session, SigningKey, TokenPair, UserId};
use authql::ports::{KeyVault, NewKey, OpenKey, StoredKey, Tokens};
use chrono::{DateTime, TimeDelta};
use secrecy::ExposeSecret;

/// How many tokens. All are remembered.
const COUNT: u32 = 10_000;

fn main() {
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let secrets = RootSecrets { present: RootSecret::new(&"secret".into()), previous: None };
    let vault = AesGcmVault::new(&secrets).unwrap();
    let NewKey { id, public, sealed } = vault.make().unwrap();
    let key = SigningKey { number: 1, id, public, created_at: now, activates_at: now, gone_at: None };
    let (seed, _) = vault.open(&StoredKey { key: key.clone(), sealed }).unwrap();
    let tokens = JwtTokens::new("https://auth.example.com", TimeDelta::minutes(15), &secrets).unwrap();
    tokens.use_keys(&[OpenKey { key, seed: Arc::new(seed) }]).unwrap();
    let lifetimes = Lifetimes {
        access: TimeDelta::minutes(15),
        idle: TimeDelta::days(30),
        absolute: TimeDelta::days(90),
    };
    let session = Session::start(UserId::generate(now), lifetimes, now);

    let mut pairs = Vec::new();
    time("both tokens issued", || pairs.extend((0..COUNT).map(|_| tokens.issue(&session, now).unwrap())));
    let each = |work: &dyn Fn(&TokenPair)| pairs.iter().for_each(work);
    let read_access = |pair: &TokenPair| {
        black_box(tokens.read_access(pair.access.text.expose_secret(), now).unwrap());
    };
    time("access token verified", || each(&read_access));
    time("access token remembered", || each(&read_access));
    time("refresh token verified", || {
        each(&|pair| {
            black_box(tokens.read_refresh(pair.refresh.text.expose_secret()).unwrap());
        });
    });
}

fn time(what: &str, work: impl FnOnce()) {
    let began = Instant::now();
    work();
    println!("{what:<24} {:>7.2} µs", began.elapsed().as_secs_f64() * 1e6 / f64::from(COUNT));
}
