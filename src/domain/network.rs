//! Where requests come from: a client's address is taken from the socket, or from proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

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

/// Whom attempts are counted with: everybody in the /24 of an IPv4 address, or in the /64 of an IPv6 one. A single customer
/// usually has a /64 to themselves, and whoever rents many IPv4 addresses has them side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpNet);

impl ClientNetwork {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => Ipv4Net::new_assert(address, 24).trunc().into(),
            IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().into(),
        };
        Self(network)
    }
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
    fn neighbours_are_counted_together() {
        for (address, network) in [
            ("192.0.2.1", "192.0.2.0/24"),
            ("192.0.2.255", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(ClientNetwork::of(address.parse().unwrap()).to_string(), network);
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
