//! Who may have a connection, and who loses one when there are too many.
//!
//! A connection is *silent* from when it is made, and from when an answer has been written, until the headers of its next
//! request are complete. Bytes of unfinished headers change nothing. Only silent connections are closed to make room.

mod table;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::table::Table;
use crate::domain::{ClientNetworks, TrustedProxies};

/// The part of all places that one address or /64 may hold: an eighth. Wider networks get the multiples of
/// [`ClientNetworks`], at most a half.
const SHARE: usize = 8;

/// All places, and who has them.
pub(super) struct Places {
    most: usize,
    trusted: TrustedProxies,
    table: Mutex<Table>,
    changed: Notify,
}

/// What becomes of a newcomer.
pub(super) enum Admission {
    /// It has a place.
    Admitted(Arc<Place>),
    /// Its network holds its share, and every connection of that is being answered.
    Refused,
    /// All places are taken. One of them may become free after [`Places::changed`].
    Full,
}

impl Places {
    pub(super) fn new(most: usize, trusted: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { most, trusted, table: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a newcomer, for which silent connections may be closed: of its own networks where these hold their
    /// share, of anybody where all places are taken.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Admission {
        // A proxy speaks for many people, whose number nobody knows here.
        let networks = (!self.trusted.contains(peer)).then(|| ClientNetworks::of(peer));
        let mut table = self.lock();
        for (network, times) in networks.iter().flat_map(|networks| networks.narrowest_first()) {
            let times = usize::try_from(times.get()).unwrap_or(usize::MAX);
            let share = (self.most / SHARE).max(1).saturating_mul(times);
            if table.held(network) < share {
                continue;
            }
            let Some(silent) = table.longest_silent(network) else { return Admission::Refused };
            table.close(silent);
        }
        if table.open() >= self.most {
            if !table.is_one_leaving()
                && let Some(silent) = table.longest_silent_of_the_largest()
            {
                table.close(silent);
            }
            return Admission::Full;
        }
        let close = CancellationToken::new();
        let id = table.enter(networks, close.clone());
        drop(table);
        let places = Arc::clone(self);
        Admission::Admitted(Arc::new(Place { places, id, is_answered: AtomicBool::new(false), close }))
    }

    /// When a connection has ended or become silent since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    /// Whether an answer has been handed over, but perhaps not written yet.
    is_answered: AtomicBool,
    close: CancellationToken,
}

impl Place {
    /// Until somebody else gets this place.
    pub(super) async fn is_taken_away(&self) {
        self.close.cancelled().await;
    }

    /// The headers of a request are complete. `None` if the connection is being closed: then nothing must be begun.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Answering> {
        self.is_answered.store(false, Ordering::Relaxed);
        self.places.lock().speak(self.id).then(|| Answering(Arc::clone(self)))
    }

    /// Everything that was handed over has been written.
    pub(super) fn flushed(&self) {
        if self.is_answered.swap(false, Ordering::Relaxed) {
            self.places.lock().fall_silent(self.id);
            self.places.changed.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().leave(self.id);
        self.places.changed.notify_one();
    }
}

/// Held while a request is being answered, until the answer has been handed over.
pub(super) struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "192.0.2.1";

    fn places(most: usize) -> Arc<Places> {
        Places::new(most, TrustedProxies::parse("10.0.0.0/8").unwrap())
    }

    fn admitted(places: &Arc<Places>, peer: &str) -> Arc<Place> {
        match places.admit(peer.parse().unwrap()) {
            Admission::Admitted(place) => place,
            Admission::Refused => panic!("{peer} is refused"),
            Admission::Full => panic!("there is no place for {peer}"),
        }
    }

    fn is_full(places: &Arc<Places>, peer: &str) -> bool {
        matches!(places.admit(peer.parse().unwrap()), Admission::Full)
    }

    /// Which of these have to go.
    fn closed(places: &[Arc<Place>]) -> Vec<usize> {
        (0..places.len()).filter(|number| places[*number].close.is_cancelled()).collect()
    }

    fn answer(place: &Arc<Place>) {
        drop(place.begin().unwrap());
        place.flushed();
    }

    #[test]
    fn an_address_over_its_share_loses_who_is_silent_longest() {
        let places = places(32);
        let stranger = admitted(&places, "198.51.100.1");
        let mut crowd: Vec<_> = (0..4).map(|_| admitted(&places, ADA)).collect();
        assert_eq!(closed(&crowd), [0; 0]);
        answer(&crowd[0]);
        let answering = crowd[1].begin();
        crowd.push(admitted(&places, ADA));
        assert_eq!(closed(&crowd), [2], "0 was answered after that, and 1 is being answered");
        crowd.push(admitted(&places, ADA));
        crowd.push(admitted(&places, ADA));
        assert_eq!(closed(&crowd), [0, 2, 3]);
        assert!(!stranger.close.is_cancelled());
        drop(answering);
        assert!(crowd[0].begin().is_none(), "a request that comes too late is not begun");
    }

    #[test]
    fn who_is_being_answered_is_never_closed() {
        let places = places(16);
        let crowd = [admitted(&places, ADA), admitted(&places, ADA)];
        let answering: Vec<_> = crowd.iter().map(Place::begin).collect();
        assert!(matches!(places.admit(ADA.parse().unwrap()), Admission::Refused));
        admitted(&places, "192.0.2.2");
        // Handed over is not written.
        drop(answering);
        assert!(matches!(places.admit(ADA.parse().unwrap()), Admission::Refused));
        crowd[1].flushed();
        admitted(&places, ADA);
        assert_eq!(closed(&crowd), [1]);
    }

    #[test]
    fn whoever_owns_many_addresses_holds_half_of_the_places() {
        let nets: [fn(u8) -> String; 2] =
            [|host| format!("192.0.2.{host}"), |net| format!("2001:db8:1:{net:x}00::1")];
        for address in nets {
            let places = places(64);
            let crowd: Vec<_> = (0..64).map(|number| admitted(&places, &address(number))).collect();
            assert_eq!(closed(&crowd), (0..32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn when_all_places_are_taken_the_largest_network_makes_room() {
        let places = places(16);
        let small = [admitted(&places, "203.0.113.1"), admitted(&places, "203.0.113.2")];
        let large: Vec<_> = (0..6).map(|host| admitted(&places, &format!("192.0.2.{host}"))).collect();
        let proxy: Vec<_> = (0..8).map(|_| admitted(&places, "10.0.0.1")).collect();
        let newcomer = "198.51.100.1";
        assert!(is_full(&places, newcomer) && is_full(&places, newcomer), "until that one has gone");
        assert_eq!((closed(&small), closed(&large), closed(&proxy)), (vec![], vec![0], vec![]));
        drop(large);
        admitted(&places, newcomer);
    }

    #[test]
    fn who_is_silent_is_found_wherever_it_is_and_proxies_last() {
        let places = places(16);
        let busy: Vec<_> = (0..7).map(|host| admitted(&places, &format!("192.0.2.{host}"))).collect();
        let _answering: Vec<_> = busy.iter().map(Place::begin).collect();
        let other = [admitted(&places, "203.0.113.1")];
        let proxy: Vec<_> = (0..8).map(|_| admitted(&places, "10.0.0.1")).collect();
        let newcomer = "198.51.100.1";
        assert!(is_full(&places, newcomer));
        assert_eq!((closed(&busy), closed(&other), closed(&proxy)), (vec![], vec![0], vec![]));
        drop(other);
        let heir = admitted(&places, newcomer);
        let _answering_too = heir.begin();
        assert!(is_full(&places, newcomer));
        assert_eq!((closed(&busy), closed(&[heir]), closed(&proxy)), (vec![], vec![], vec![0]));
    }

    #[tokio::test]
    async fn a_newcomer_waits_while_nobody_is_silent() {
        let places = places(8);
        let proxy: Vec<_> = (0..8).map(|_| admitted(&places, "10.0.0.1")).collect();
        let mut answering: Vec<_> = proxy.iter().map(Place::begin).collect();
        assert!(is_full(&places, ADA));
        assert_eq!(closed(&proxy), [0; 0]);
        answering.remove(3);
        proxy[3].flushed();
        places.changed().await;
        assert!(is_full(&places, ADA));
        assert_eq!(closed(&proxy), [3]);
    }

    #[test]
    fn nothing_is_kept_of_who_has_gone() {
        let places = places(16);
        let crowd: Vec<_> = (0..8).map(|net| admitted(&places, &format!("2001:db8:{net}::1"))).collect();
        crowd.iter().for_each(answer);
        let answering = crowd[0].begin();
        drop((crowd, answering));
        assert!(places.lock().is_empty());
    }
}
