//! argon2: hashing with the current parameters, and verifying hashes of any.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, ParamsBuilder, Version};

use super::pepper::Peppers;
use crate::domain::Password;
use crate::ports::{Match, Unexpected, UnusableHash};

/// Bytes of a new hash.
const OUTPUT: usize = 32;
/// Under so many bytes, some other password would be found to match.
const SHORTEST_OUTPUT: usize = 16;
/// The most memory of an imported hash: 256 MiB, as libsodium's `MODERATE`.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The most memory times iterations of an imported hash: half a second to a second.
const MAX_WORK_KIB: u64 = 1024 * 1024;

/// argon2id with memory that is kept from one hash to the next.
#[derive(Clone)]
pub(super) struct Argon2id {
    params: Params,
    peppers: Peppers,
    memory: Vec<Block>,
}

/// A hash of argon2, of any variant and cost.
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

impl Argon2id {
    pub(super) fn new(memory_kib: u32, iterations: u32, peppers: Peppers) -> Result<Self, Unexpected> {
        let mut params = ParamsBuilder::new();
        params.m_cost(memory_kib).t_cost(iterations).p_cost(1).output_len(OUTPUT);
        let params = params.keyid(peppers.present_id()).build().map_err(fault)?;
        Ok(Self { params, peppers, memory: Vec::new() })
    }

    /// What it keeps from one hash to the next.
    #[cfg(test)]
    pub(super) fn memory_kib(&self) -> usize {
        self.memory.capacity()
    }

    /// Hashes with a salt of its own, into a PHC string.
    pub(super) fn hash(&mut self, password: &Password) -> Result<String, Unexpected> {
        let salt = Salt::generate();
        let params = self.params.clone();
        let output = self.compute(Algorithm::Argon2id, Version::V0x13, &params, password, &salt)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(fault)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    /// Whether the pepper of this hash is here, if it has one.
    pub(super) fn has_pepper_of(&self, stored: &Argon2Hash) -> bool {
        self.peppers.key(stored.key_id()).is_some()
    }

    pub(super) fn verify(&mut self, password: &Password, stored: &Argon2Hash) -> Result<Match, Unexpected> {
        let Argon2Hash { algorithm, version, params, salt, output } = stored;
        // `Output` compares in constant time.
        if self.compute(*algorithm, *version, params, password, salt)? != *output {
            return Ok(Match::No);
        }
        let is_current =
            *algorithm == Algorithm::Argon2id && *version == Version::V0x13 && *params == self.params;
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
        let own_blocks = self.params.block_count();
        if self.memory.is_empty() {
            self.memory.resize(own_blocks, Block::default());
        }
        // A hash that needs more than ours do gives back what it needed: the memory of a lane does not grow for good.
        let mut borrowed = Vec::new();
        let memory = if params.block_count() <= own_blocks {
            &mut self.memory[..params.block_count()]
        } else {
            borrowed.resize(params.block_count(), Block::default());
            &mut borrowed
        };
        let mut output = [0; Output::MAX_LENGTH];
        let output = &mut output[..params.output_len().unwrap_or(OUTPUT)];
        let pepper = self.peppers.key(params.keyid()).ok_or_else(|| fault("its pepper is not here"))?;
        Argon2::new_with_secret(pepper, algorithm, version, params.clone())
            .map_err(fault)?
            .hash_password_into_with_memory(password.as_bytes(), salt.as_ref(), output, memory)
            .map_err(fault)?;
        Output::new(output).map_err(fault)
    }
}

impl Argon2Hash {
    /// Reads a PHC string. `None` when it is of no variant of argon2.
    pub(super) fn parse(text: &str) -> Option<Result<Self, UnusableHash>> {
        text.starts_with("$argon2").then(|| Self::read(text).ok_or(UnusableHash::Malformed("argon2")))
    }

    fn read(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        // With the length of the output.
        let params = Params::try_from(&hash).ok()?;
        let PasswordHash { algorithm, version, salt, hash, .. } = hash;
        let output = hash?;
        let is_usable = params.data().is_empty() && output.len() >= SHORTEST_OUTPUT;
        is_usable.then_some(Self {
            algorithm: Algorithm::try_from(algorithm.as_str()).ok()?,
            // Without a version it is of the first one, which wrote none.
            version: version.map_or(Ok(Version::V0x10), Version::try_from).ok()?,
            params,
            salt: salt?,
            output,
        })
    }

    /// Which pepper it was made with: empty where it was none.
    pub(super) fn key_id(&self) -> &[u8] {
        self.params.keyid()
    }

    /// Whether a login may cost as much.
    pub(super) fn check_cost(&self) -> Result<(), UnusableHash> {
        let memory = self.params.m_cost();
        if memory > MAX_MEMORY_KIB {
            return Err(UnusableHash::TooCostly("argon2", "over 256 MiB of memory (m above 262144)"));
        }
        if u64::from(memory) * u64::from(self.params.t_cost()) > MAX_WORK_KIB {
            return Err(UnusableHash::TooCostly("argon2", "too long (m times t above 1048576)"));
        }
        Ok(())
    }
}

fn fault(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unexpected {
    Unexpected::fault("a password hash failed", error)
}
