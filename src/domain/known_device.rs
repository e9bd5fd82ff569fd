//! Devices that somebody has signed in on before: what an attacker does not have, however many networks they own.

use super::{DeviceId, Pseudonym};

/// A browser or an app, and the accounts that were signed in on it. It keeps this itself, sealed; no table does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDevice {
    /// Which one it is.
    pub id: DeviceId,
    accounts: Vec<Pseudonym>,
}

impl KnownDevice {
    /// The most accounts that one device is known for: people share computers, and no token may grow without end.
    pub const MOST_ACCOUNTS: usize = 5;

    /// A device and the accounts it is known for, the latest first.
    #[must_use]
    pub fn new(id: DeviceId, accounts: impl IntoIterator<Item = Pseudonym>) -> Self {
        Self { id, accounts: accounts.into_iter().take(Self::MOST_ACCOUNTS).collect() }
    }

    /// Whether this account was signed in on it.
    #[must_use]
    pub fn knows(&self, account: Pseudonym) -> bool {
        self.accounts.contains(&account)
    }

    /// The accounts that it is known for, the latest first.
    #[must_use]
    pub fn accounts(&self) -> &[Pseudonym] {
        &self.accounts
    }

    /// The same device after this account has signed in on it.
    #[must_use]
    pub fn with(self, account: Pseudonym) -> Self {
        let others = self.accounts.into_iter().filter(|known| *known != account);
        Self::new(self.id, std::iter::once(account).chain(others))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_device_is_known_for_the_latest_few_who_signed_in_on_it() {
        let account = |number| Pseudonym([number; 16]);
        let mut device = KnownDevice::new(DeviceId::generate(DateTime::UNIX_EPOCH), []);
        for number in 0..6 {
            device = device.with(account(number));
        }
        assert!(!device.knows(account(0)) && (1..6).all(|number| device.knows(account(number))));
        device = device.with(account(1)).with(account(6));
        assert!(
            device.knows(account(1)) && !device.knows(account(2)),
            "the one that is longest ago makes room"
        );
    }
}
