//! Argon2id on lanes of its own: memory is bounded by their number, and the async threads never hash.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::domain::Password;
use crate::ports::{Match, PasswordHasher, Unexpected};

/// How many passwords may wait for each lane: about a second of work at the default cost.
const QUEUE_PER_LANE: usize = 64;
/// Bytes of a hash.
const OUTPUT: usize = 32;

/// [`PasswordHasher`] with argon2id (RFC 9106).
pub struct Argon2Lanes {
    jobs: SyncSender<Job>,
}

/// One password for a lane. The reply goes nowhere when nobody waits any longer.
enum Job {
    Hash(Password, oneshot::Sender<Result<String, Unexpected>>),
    Verify(Password, Option<String>, oneshot::Sender<Result<Match, Unexpected>>),
}

impl Argon2Lanes {
    /// Starts `lanes` threads, each with `memory_kib` KiB of its own for as long as it lives.
    ///
    /// # Errors
    /// When argon2 does not take the cost, or the system gives no threads.
    pub fn start(lanes: usize, memory_kib: u32, iterations: u32) -> Result<Self, Unexpected> {
        let params = Params::new(memory_kib, iterations, 1, Some(OUTPUT)).map_err(argon2_fault)?;
        let (jobs, queue) = sync_channel(lanes * QUEUE_PER_LANE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 1..=lanes {
            let queue = Arc::clone(&queue);
            let lane = Lane { params: params.clone(), memory: Vec::new() };
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || lane.run(&queue))
                .map_err(|error| Unexpected::fault("no thread for hashing", error))?;
        }
        Ok(Self { jobs })
    }

    fn enqueue(&self, job: Job) -> Result<(), Unexpected> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Unexpected::unavailable("password hashing", "the queue is full"),
            TrySendError::Disconnected(_) => Unexpected::fault("password hashing", "no lane is left"),
        })
    }
}

#[async_trait]
impl PasswordHasher for Argon2Lanes {
    async fn hash(&self, password: Password) -> Result<String, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Hash(password, reply))?;
        answer.await.map_err(lane_died)?
    }

    async fn verify(&self, password: Password, phc: Option<String>) -> Result<Match, Unexpected> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Verify(password, phc, reply))?;
        answer.await.map_err(lane_died)?
    }
}

/// What one thread hashes with.
struct Lane {
    params: Params,
    memory: Vec<Block>,
}

impl Lane {
    /// Works until the last sender is gone.
    fn run(mut self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            // The result of a send is of no interest: a client that went away gets no answer.
            match next {
                Ok(Job::Hash(_, reply)) if reply.is_closed() => {}
                Ok(Job::Verify(_, _, reply)) if reply.is_closed() => {}
                Ok(Job::Hash(password, reply)) => drop(reply.send(self.hash(&password))),
                Ok(Job::Verify(password, phc, reply)) => {
                    drop(reply.send(self.verify(&password, phc.as_deref())));
                }
                Err(_) => return,
            }
        }
    }

    fn hash(&mut self, password: &Password) -> Result<String, Unexpected> {
        let salt = Salt::generate();
        let params = self.params.clone();
        let output = self.compute(Algorithm::Argon2id, Version::V0x13, &params, password, &salt)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(argon2_fault)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    fn verify(&mut self, password: &Password, phc: Option<&str>) -> Result<Match, Unexpected> {
        let Some(phc) = phc else {
            let params = self.params.clone();
            self.compute(Algorithm::Argon2id, Version::V0x13, &params, password, &Salt::generate())?;
            return Ok(Match::No);
        };
        let stored = PasswordHash::new(phc).map_err(argon2_fault)?;
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(argon2_fault)?;
        let version =
            stored.version.map_or(Ok(Version::default()), Version::try_from).map_err(argon2_fault)?;
        let params = Params::try_from(&stored).map_err(argon2_fault)?;
        let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
            return Err(argon2_fault("a stored hash lacks its salt or its output"));
        };
        let output = self.compute(algorithm, version, &params, password, &salt)?;
        // `Output` compares in constant time.
        if output != expected {
            return Ok(Match::No);
        }
        let is_current =
            algorithm == Algorithm::Argon2id && version == Version::V0x13 && params == self.params;
        Ok(if is_current { Match::Yes } else { Match::Outdated })
    }

    fn compute(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        params: &Params,
        password: &Password,
        salt: &Salt,
    ) -> Result<Output, Unexpected> {
        if self.memory.len() < params.block_count() {
            self.memory.resize(params.block_count(), Block::default());
        }
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let mut output = [0; OUTPUT];
        let output = &mut output[..params.output_len().unwrap_or(OUTPUT).min(OUTPUT)];
        let memory = &mut self.memory[..params.block_count()];
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt.as_ref(), output, memory)
            .map_err(argon2_fault)?;
        Output::new(output).map_err(argon2_fault)
    }
}

fn argon2_fault(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unexpected {
    Unexpected::fault("a password hash failed", error)
}

fn lane_died(error: oneshot::error::RecvError) -> Unexpected {
    Unexpected::fault("a hashing lane died", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn lane() -> Lane {
        Lane { params: Params::new(64, 1, 1, Some(OUTPUT)).unwrap(), memory: Vec::new() }
    }

    #[test]
    fn a_hash_is_a_salted_phc_string_that_verifies() {
        let mut lane = lane();
        let phc = lane.hash(&password("correct horse")).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_ne!(phc, lane.hash(&password("correct horse")).unwrap());
        assert_eq!(lane.verify(&password("correct horse"), Some(&phc)).unwrap(), Match::Yes);
        assert_eq!(lane.verify(&password("correct house"), Some(&phc)).unwrap(), Match::No);
    }

    #[test]
    fn a_hash_of_other_parameters_still_verifies() {
        let phc = lane().hash(&password("correct horse")).unwrap();
        let mut costlier = Lane { params: Params::new(128, 2, 1, Some(OUTPUT)).unwrap(), memory: Vec::new() };
        assert_eq!(costlier.verify(&password("correct horse"), Some(&phc)).unwrap(), Match::Outdated);
        assert_eq!(costlier.verify(&password("correct house"), Some(&phc)).unwrap(), Match::No);
    }

    #[test]
    fn nobody_has_the_password_of_an_unknown_account() {
        assert_eq!(lane().verify(&password("correct horse"), None).unwrap(), Match::No);
    }

    #[test]
    fn the_output_of_the_reference_implementation_verifies() {
        // `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1` of the reference implementation.
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(lane().verify(&password("password"), Some(phc)).unwrap(), Match::Outdated);
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_is_refused() {
        let (jobs, _queue) = sync_channel(1);
        let lanes = Argon2Lanes { jobs };
        let (reply, _answer) = oneshot::channel();
        lanes.enqueue(Job::Hash(password("correct horse"), reply)).unwrap();
        let refusal = lanes.hash(password("correct horse")).await.unwrap_err();
        assert!(matches!(refusal, Unexpected::Unavailable { .. }), "{refusal:?}");
    }
}
