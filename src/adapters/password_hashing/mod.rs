//! Passwords on lanes of their own: memory is bounded by their number, and the async threads never hash.
//!
//! New hashes are argon2id (RFC 9106). Those that accounts brought along from another system are verified too, on the same
//! lanes, until the first login of each replaces them.

mod argon2id;
mod foreign;
mod pepper;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use self::pepper::Peppers;

use self::argon2id::{Argon2Hash, Argon2id};
use self::foreign::ForeignHash;
use crate::domain::{Password, PasswordPolicy, Requester, Weakness};
use crate::ports::{HashFormats, Match, PasswordHasher, Unexpected, UnusableHash};

/// How many passwords may wait for each lane: about a second of work at the default cost.
const QUEUE_PER_LANE: u32 = 64;
/// The longest text of a hash, in bytes. The longest that anybody writes is under 200.
const LONGEST: usize = 512;

/// [`PasswordHasher`] with threads that do nothing else.
pub struct HashingLanes {
    jobs: SyncSender<Job>,
    /// How many microseconds a password took lately.
    pace: Arc<AtomicU64>,
}

/// One password for a lane. The reply goes nowhere when nobody waits any longer.
enum Job {
    Hash(Password, oneshot::Sender<Result<String, Unexpected>>),
    Verify(Password, Option<String>, oneshot::Sender<Result<Match, Unexpected>>),
    CheckStrength(Password, PasswordPolicy, Vec<String>, oneshot::Sender<Option<Weakness>>),
}

impl HashingLanes {
    /// Starts `lanes` threads, each with `memory_kib` KiB of its own for as long as it lives.
    ///
    /// # Errors
    /// When argon2 does not take the cost, or the system gives no threads.
    pub fn start(
        lanes: usize,
        memory_kib: u32,
        iterations: u32,
        peppers: Peppers,
    ) -> Result<Self, Unexpected> {
        let argon2id = Argon2id::new(memory_kib, iterations, peppers)?;
        let (jobs, queue) = sync_channel(lanes * QUEUE_PER_LANE as usize);
        let (queue, pace) = (Arc::new(Mutex::new(queue)), Arc::new(AtomicU64::new(0)));
        for number in 1..=lanes {
            let (queue, pace) = (Arc::clone(&queue), Arc::clone(&pace));
            let lane = Lane(argon2id.clone());
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || lane.run(&queue, &pace))
                .map_err(|error| Unexpected::fault("no thread for hashing", error))?;
        }
        Ok(Self { jobs, pace })
    }

    fn enqueue(&self, job: Job) -> Result<(), Unexpected> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                let pace = Duration::from_micros(self.pace.load(Ordering::Relaxed));
                let retry_after = pace.saturating_mul(QUEUE_PER_LANE);
                Unexpected::Overloaded { what: "password hashing", retry_after }
            }
            TrySendError::Disconnected(_) => Unexpected::fault("password hashing", "no lane is left"),
        })
    }
}

#[async_trait]
impl PasswordHasher for HashingLanes {
    async fn hash(&self, password: Password, _requester: Requester) -> Result<String, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Hash(password, reply))?;
        answer.await.map_err(lane_died)?
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        _requester: Requester,
    ) -> Result<Match, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Verify(password, hash, reply))?;
        answer.await.map_err(lane_died)?
    }

    async fn check_strength(
        &self,
        password: Password,
        policy: PasswordPolicy,
        known: Vec<String>,
        _requester: Requester,
    ) -> Result<Option<Weakness>, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::CheckStrength(password, policy, known, reply))?;
        answer.await.map_err(lane_died)
    }
}

/// One thread, and what it hashes with.
struct Lane(Argon2id);

impl Lane {
    /// Works until the last sender is gone.
    fn run(mut self, queue: &Mutex<Receiver<Job>>, pace: &AtomicU64) {
        give_way();
        loop {
            let Ok(job) = queue.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return };
            let began = Instant::now();
            // A panic, which has its line in the log, costs this password its answer, and no other: without a lane, nobody
            // could log in. Of what is kept from one to the next, nothing is read.
            if let Ok(true) = catch_unwind(AssertUnwindSafe(|| self.work(job))) {
                let pace_now = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                pace.store(pace_now, Ordering::Relaxed);
            }
        }
    }

    /// `false` when nobody waits for the answer any longer.
    fn work(&mut self, job: Job) -> bool {
        // The result of a send is of no interest: a client that went away gets no answer.
        match job {
            Job::Hash(_, reply) if reply.is_closed() => return false,
            Job::Verify(_, _, reply) if reply.is_closed() => return false,
            Job::CheckStrength(_, _, _, reply) if reply.is_closed() => return false,
            Job::Hash(password, reply) => drop(reply.send(self.0.hash(&password))),
            Job::Verify(password, hash, reply) => drop(reply.send(self.verify(&password, hash.as_deref()))),
            Job::CheckStrength(password, policy, known, reply) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                drop(reply.send(password.check_strength(policy, &known).err()));
            }
        }
        true
    }

    fn verify(&mut self, password: &Password, hash: Option<&str>) -> Result<Match, Unexpected> {
        let Some(hash) = hash else {
            self.0.hash(password)?;
            return Ok(Match::No);
        };
        match StoredHash::parse(hash).map_err(|error| Unexpected::fault("a stored hash", error))? {
            StoredHash::Argon2(stored) if !self.0.has_pepper_of(&stored) => {
                tracing::error!(
                    pepper.id = pepper::written(stored.key_id()),
                    "a password was refused unseen, because its hash needs a pepper that is not configured: set \
                     AUTHQL_PEPPER_PREVIOUS to it"
                );
                // Whoever waits for the answer learns nothing from it: it is that to a wrong password, at the same cost.
                self.verify(password, None)
            }
            StoredHash::Argon2(stored) => self.0.verify(password, &stored),
            StoredHash::Foreign(stored) => {
                Ok(if stored.is_of(password)? { Match::Outdated } else { Match::No })
            }
        }
    }
}

/// A hash as it stands in a row.
enum StoredHash {
    Argon2(Argon2Hash),
    Foreign(ForeignHash),
}

impl StoredHash {
    fn parse(text: &str) -> Result<Self, UnusableHash> {
        if text.len() > LONGEST {
            return Err(UnusableHash::Unknown);
        }
        match Argon2Hash::parse(text) {
            Some(argon2) => Ok(Self::Argon2(argon2?)),
            None => ForeignHash::parse(text).ok_or(UnusableHash::Unknown)?.map(Self::Foreign),
        }
    }
}

/// The formats that lanes with these peppers can verify.
pub struct KnownFormats(pub Peppers);

impl HashFormats for KnownFormats {
    fn vet(&self, hash: &str) -> Result<(), UnusableHash> {
        match StoredHash::parse(hash)? {
            StoredHash::Argon2(argon2) if self.0.key(argon2.key_id()).is_none() => {
                Err(UnusableHash::UnknownPepper)
            }
            StoredHash::Argon2(argon2) => argon2.check_cost(),
            StoredHash::Foreign(foreign) => foreign.check_cost(),
        }
    }
}

/// Lets the rest of this process, which answers requests, go first. On Linux a priority belongs to a thread; elsewhere it
/// would be that of the whole process.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::warn!(error = &error as &dyn std::error::Error, "passwords are hashed at full priority");
    }
}

fn lane_died(error: oneshot::error::RecvError) -> Unexpected {
    Unexpected::fault("a hashing lane died", error)
}

#[cfg(test)]
mod tests;
