//! The open connections, by network and by how long they have been silent. Everything is found in logarithmic time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_util::sync::CancellationToken;

use crate::domain::{ClientNetwork, ClientNetworks};

/// The open connections. Each has a number.
#[derive(Default)]
pub(super) struct Table {
    connections: HashMap<u64, Connection>,
    /// How many of them have been told to close.
    leaving: usize,
    networks: HashMap<ClientNetwork, Network>,
    /// The widest networks that have somebody silent, by how many connections they hold.
    largest: BTreeSet<(usize, ClientNetwork)>,
    /// Silent connections of trusted proxies.
    proxies: Silent,
    /// The next number of a connection, or of the moment when one falls silent: only the order counts.
    next: u64,
}

/// Connections by the moment since when they are silent.
type Silent = BTreeMap<u64, u64>;

struct Connection {
    /// `None` for a trusted proxy.
    networks: Option<ClientNetworks>,
    silent_since: Option<u64>,
    close: CancellationToken,
}

#[derive(Default)]
struct Network {
    /// Without those that have been told to close.
    held: usize,
    silent: Silent,
}

impl Table {
    /// How many connections have their files, also those that have been told to close.
    pub(super) fn open(&self) -> usize {
        self.connections.len()
    }

    /// Whether a place will be free in a moment.
    pub(super) fn is_one_leaving(&self) -> bool {
        self.leaving > 0
    }

    /// How many connections a network holds.
    pub(super) fn held(&self, network: ClientNetwork) -> usize {
        self.networks.get(&network).map_or(0, |network| network.held)
    }

    /// The connection of a network that has been silent longest.
    pub(super) fn longest_silent(&self, network: ClientNetwork) -> Option<u64> {
        first(&self.networks.get(&network)?.silent)
    }

    /// The same for the network that holds most, of those that have anybody silent. Proxies are the last.
    pub(super) fn longest_silent_of_the_largest(&self) -> Option<u64> {
        let largest = self.largest.last().and_then(|(_, network)| self.longest_silent(*network));
        largest.or_else(|| first(&self.proxies))
    }

    /// Takes in a connection, which is silent at first. Answers its number.
    pub(super) fn enter(&mut self, networks: Option<ClientNetworks>, close: CancellationToken) -> u64 {
        let id = self.number();
        self.connections.insert(id, Connection { networks, silent_since: None, close });
        self.change(networks, |network| network.held += 1);
        self.fall_silent(id);
        id
    }

    /// A connection is no longer silent. Answers whether it may go on.
    pub(super) fn speak(&mut self, id: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let (networks, is_closing) = (connection.networks, connection.close.is_cancelled());
        if let Some(moment) = connection.silent_since.take() {
            self.proxies.remove(&moment);
            self.change(networks, |network| {
                network.silent.remove(&moment);
            });
        }
        !is_closing
    }

    /// A connection is silent from now on.
    pub(super) fn fall_silent(&mut self, id: u64) {
        let moment = self.number();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.silent_since = Some(moment);
        let networks = connection.networks;
        if networks.is_none() {
            self.proxies.insert(moment, id);
        }
        self.change(networks, |network| {
            network.silent.insert(moment, id);
        });
    }

    /// Tells a connection to close. It no longer counts for its networks.
    pub(super) fn close(&mut self, id: u64) {
        self.speak(id);
        let Some(connection) = self.connections.get(&id) else { return };
        connection.close.cancel();
        self.leaving += 1;
        self.change(connection.networks, |network| network.held -= 1);
    }

    /// A connection has been closed, whoever wanted it.
    pub(super) fn leave(&mut self, id: u64) {
        if self.speak(id) {
            self.close(id);
        }
        if self.connections.remove(&id).is_some() {
            self.leaving -= 1;
        }
    }

    /// Changes each of the networks, and keeps the order of the largest.
    fn change(&mut self, networks: Option<ClientNetworks>, change: impl Fn(&mut Network)) {
        let Some(networks) = networks else { return };
        let widest = networks.widest();
        self.largest.remove(&(self.held(widest), widest));
        for (name, _) in networks.narrowest_first() {
            let network = self.networks.entry(name).or_default();
            change(network);
            if network.held == 0 {
                self.networks.remove(&name);
            }
        }
        if self.longest_silent(widest).is_some() {
            self.largest.insert((self.held(widest), widest));
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let Self { connections, leaving, networks, largest, proxies, next: _ } = self;
        let is_one_left = connections.is_empty() && networks.is_empty() && largest.is_empty();
        is_one_left && proxies.is_empty() && *leaving == 0
    }
}

fn first(silent: &Silent) -> Option<u64> {
    silent.first_key_value().map(|(_, id)| *id)
}
