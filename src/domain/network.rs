//! Where requests come from: a client's address is taken from the socket, or from proxies that the operator trusts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks of proxies that may say whom a request comes from. Nobody is trusted by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Why a text is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustedProxiesError {
    /// One part of it is neither a network nor an address.
    #[error("`{0}` is no network")]
    Malformed(String),
    /// One part of it is the whole internet, whose every client could then choose an address.
    #[error("`{0}` is everybody")]
    Everybody(String),
}

impl TrustedProxies {
    /// Reads networks such as `10.0.0.0/8` and single addresses, with commas between them.
    ///
    /// # Errors
    /// [`TrustedProxiesError`] for the first part that is wrong.
    pub fn parse(text: &str) -> Result<Self, TrustedProxiesError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// The address of the client, given the other end of the connection and the `X-Forwarded-For` headers, first to last.
    ///
    /// Each proxy appends whom it was connected to, so the list is believed from its end for as long as trusted proxies
    /// wrote it: the first address that is none of theirs is the client's, and what stands before it may be invented. A part
    /// that is no address makes the whole list worthless, and the peer the client.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let peer = peer.to_canonical();
        let mut client = peer;
        for part in forwarded_for.rev().flat_map(|header| header.rsplit(',')) {
            if !self.contains(client) {
                break;
            }
            let Some(address) = address(part.trim()) else { return peer };
            client = address;
        }
        client
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network that attempts are counted with. Whoever holds a wide one holds many narrow ones, so several are counted side
/// by side: [`ClientNetworks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNetwork(IpNet);

/// The networks of one client, the narrowest first: the address and the /24 of IPv4; the /64, /56 and /48 of IPv6, which are
/// what providers give to one customer. It is never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetworks(IpAddr);

impl ClientNetworks {
    /// The networks of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// Each of them, the narrowest first, and how many times as much as the narrowest it may try.
    #[must_use]
    pub fn narrowest_first(self) -> impl DoubleEndedIterator<Item = (ClientNetwork, NonZeroU32)> {
        let networks = match self.0 {
            IpAddr::V4(address) => IPV4.map(|(prefix, times)| (v4(address, prefix), times)).to_vec(),
            IpAddr::V6(address) => IPV6.map(|(prefix, times)| (v6(address, prefix), times)).to_vec(),
        };
        networks.into_iter()
    }

    /// The narrowest: one client, or few.
    #[must_use]
    pub fn narrowest(self) -> ClientNetwork {
        match self.0 {
            IpAddr::V4(address) => v4(address, IPV4[0].0),
            IpAddr::V6(address) => v6(address, IPV6[0].0),
        }
    }

    /// The widest: what one owner may hold all of.
    #[must_use]
    pub fn widest(self) -> ClientNetwork {
        match self.0 {
            IpAddr::V4(address) => v4(address, IPV4[IPV4.len() - 1].0),
            IpAddr::V6(address) => v6(address, IPV6[IPV6.len() - 1].0),
        }
    }
}

/// The lengths of the prefixes that are counted, and how many times as much as the narrowest network each may try. A
/// neighbour of one abuser must not notice; a fixed multiple is all that a wide network gets.
const IPV4: [(u8, NonZeroU32); 2] = [(32, NonZeroU32::MIN), (24, FOUR)];
const IPV6: [(u8, NonZeroU32); 3] = [(64, NonZeroU32::MIN), (56, TWO), (48, FOUR)];
const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
const FOUR: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

fn v4(address: Ipv4Addr, prefix: u8) -> ClientNetwork {
    ClientNetwork(Ipv4Net::new_assert(address, prefix).trunc().into())
}

fn v6(address: Ipv6Addr, prefix: u8) -> ClientNetwork {
    ClientNetwork(Ipv6Net::new_assert(address, prefix).trunc().into())
}

impl std::fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn network(text: &str) -> Result<IpNet, TrustedProxiesError> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    match network {
        Ok(network) if network.prefix_len() == 0 => Err(TrustedProxiesError::Everybody(text.to_owned())),
        Ok(network) => Ok(network),
        Err(_) => Err(TrustedProxiesError::Malformed(text.to_owned())),
    }
}

/// An address as proxies write it, some of them with the port. IPv4 that is dressed up as IPv6 is IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom a request of `peer` with these headers comes from, where `127.0.0.1` and `10.0.0.0/8` are trusted.
    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = TrustedProxies::parse("127.0.0.1, 10.0.0.0/8,fd00::/8").unwrap();
        trusted.client(peer.parse().unwrap(), headers.iter().copied()).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let nobody = TrustedProxies::default();
        assert_eq!(
            nobody.client("127.0.0.1".parse().unwrap(), ["192.0.2.1"].into_iter()).to_string(),
            "127.0.0.1"
        );
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        assert_eq!(client("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_the_client_wrote_itself_is_not_believed() {
        assert_eq!(client("127.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["nonsense, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn trusted_proxies_in_a_row_are_passed_over() {
        assert_eq!(client("127.0.0.1", &["203.0.113.9,198.51.100.7, 10.1.1.1 ,10.2.2.2"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.7", "10.1.1.1"]), "198.51.100.7");
        // A client inside the trusted network.
        assert_eq!(client("127.0.0.1", &["10.1.1.1, 10.2.2.2"]), "10.1.1.1");
    }

    #[test]
    fn a_list_that_cannot_be_read_leaves_the_peer() {
        for header in ["", "unknown", "198.51.100.7, _hidden", "198.51.100.7,", "198.51.100.300, 10.1.1.1"] {
            assert_eq!(client("127.0.0.1", &[header]), "127.0.0.1", "{header}");
        }
    }

    #[test]
    fn ipv4_is_recognised_in_each_dress() {
        assert_eq!(client("::ffff:127.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
    }

    #[test]
    fn a_client_is_counted_with_each_network_that_one_owner_may_hold() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1/32 x1, 192.0.2.0/24 x4"),
            ("::ffff:192.0.2.7", "192.0.2.7/32 x1, 192.0.2.0/24 x4"),
            ("2001:db8:1:234:3:4:5:6", "2001:db8:1:234::/64 x1, 2001:db8:1:200::/56 x2, 2001:db8:1::/48 x4"),
        ] {
            let networks = ClientNetworks::of(address.parse().unwrap());
            let listed: Vec<(ClientNetwork, NonZeroU32)> = networks.narrowest_first().collect();
            let text: Vec<String> =
                listed.iter().map(|(network, times)| format!("{network} x{times}")).collect();
            assert_eq!(text.join(", "), expected);
            assert_eq!(Some(networks.narrowest()), listed.first().map(|(network, _)| *network));
            assert_eq!(Some(networks.widest()), listed.last().map(|(network, _)| *network));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["localhost", "10.0.0.0/33", "10.0.0/8", "127.0.0.1/32;10.0.0.0/8"] {
            let error = TrustedProxies::parse(text).unwrap_err();
            assert_eq!(error, TrustedProxiesError::Malformed(text.to_owned()));
        }
        for text in ["0.0.0.0/0", "::/0"] {
            let error = TrustedProxies::parse(text).unwrap_err();
            assert_eq!(error, TrustedProxiesError::Everybody(text.to_owned()));
        }
    }
}
