//! Passwords on lanes of their own: memory is bounded by their number, and the async threads never hash.
//!
//! New hashes are argon2id (RFC 9106). Those that accounts brought along from another system are verified too, on the same
//! lanes, until the first login of each replaces them.

mod argon2id;
mod fair_queue;
mod foreign;
mod job_queue;
mod pepper;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use self::pepper::Peppers;

use self::argon2id::{Argon2Hash, Argon2id};
use self::foreign::ForeignHash;
use self::job_queue::{Job, JobQueue, Reply};
use crate::domain::{Password, PasswordPolicy, Requester, Weakness};
use crate::ports::{HashFormats, Match, PasswordHasher, Unexpected, UnusableHash};

/// The longest text of a hash, in bytes. The longest that anybody writes is under 200.
const LONGEST: usize = 512;

/// [`PasswordHasher`] with threads that do nothing else. They end when it is dropped.
pub struct HashingLanes(Arc<JobQueue>);

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
        // From here on, for those that were started are to end where one is not.
        let started = Self(Arc::new(JobQueue::new(lanes)));
        for number in 1..=lanes {
            let (queue, lane) = (Arc::clone(&started.0), Lane(argon2id.clone()));
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || lane.run(&queue))
                .map_err(|error| Unexpected::fault("no thread for hashing", error))?;
        }
        Ok(started)
    }

    /// Waits for the answer to a job that replies to what it is given.
    async fn answer<T>(
        &self,
        requester: Requester,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.0.push(requester, job(reply));
        answer.await.map_err(lane_died)?
    }
}

impl Drop for HashingLanes {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[async_trait]
impl PasswordHasher for HashingLanes {
    async fn hash(&self, password: Password, requester: Requester) -> Result<String, Unexpected> {
        self.answer(requester, |reply| Job::Hash(password, reply)).await
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        requester: Requester,
    ) -> Result<Match, Unexpected> {
        self.answer(requester, |reply| Job::Verify(password, hash, reply)).await
    }

    async fn check_strength(
        &self,
        password: Password,
        policy: PasswordPolicy,
        known: Vec<String>,
        requester: Requester,
    ) -> Result<Option<Weakness>, Unexpected> {
        self.answer(requester, |reply| Job::CheckStrength(password, policy, known, reply)).await
    }
}

/// One thread, and what it hashes with.
struct Lane(Argon2id);

impl Lane {
    /// Works until the queue is closed.
    fn run(mut self, queue: &JobQueue) {
        give_way();
        while let Some((requester, job)) = queue.take() {
            let began = Instant::now();
            // A panic, which has its line in the log, costs this password its answer, and no other: without a lane, nobody
            // could log in. Of what is kept from one to the next, nothing is read.
            let done = catch_unwind(AssertUnwindSafe(|| self.work(job)));
            queue.finish(requester, done.is_ok().then(|| began.elapsed()));
        }
    }

    /// The result of a send is of no interest: a client that went away gets no answer.
    fn work(&mut self, job: Job) {
        match job {
            Job::Hash(password, reply) => drop(reply.send(self.0.hash(&password))),
            Job::Verify(password, hash, reply) => drop(reply.send(self.verify(&password, hash.as_deref()))),
            Job::CheckStrength(password, policy, known, reply) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                drop(reply.send(Ok(password.check_strength(policy, &known).err())));
            }
        }
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
