use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::domain::ClientNetworks;

/// A job that can be told from others.
#[derive(Debug, Clone)]
struct Numbered {
    number: usize,
    is_abandoned: Rc<Cell<bool>>,
}

impl Job for Numbered {
    fn is_abandoned(&self) -> bool {
        self.is_abandoned.get()
    }
}

fn job(number: usize) -> Numbered {
    Numbered { number, is_abandoned: Rc::default() }
}

fn abandoned(number: usize) -> Numbered {
    Numbered { number, is_abandoned: Rc::new(Cell::new(true)) }
}

fn unknown(address: &str) -> Requester {
    Requester::unknown(Some(ClientNetworks::of(address.parse().unwrap())))
}

fn known(address: &str) -> Requester {
    Requester { is_known: true, ..unknown(address) }
}

/// Queues as many jobs as there are addresses, numbered from `first`, and has room for each.
fn push_each(queue: &mut FairQueue<Numbered>, first: usize, requesters: &[Requester]) {
    for (number, requester) in (first..).zip(requesters) {
        assert!(queue.push(*requester, job(number)).is_none(), "there is no room for {number}");
    }
}

/// What one lane does, one after the other, until nothing waits.
fn drain(queue: &mut FairQueue<Numbered>) -> Vec<usize> {
    std::iter::from_fn(|| {
        let (requester, job) = queue.take()?;
        queue.finish(requester);
        Some(job.number)
    })
    .collect()
}

#[test]
fn networks_take_turns_at_each_level() {
    let mut queue = FairQueue::new(64);
    let addresses = [
        "2001:db8:1:100::1",
        "2001:db8:1:100::2",
        "2001:db8:1:101::1",
        "2001:db8:1:200::1",
        "2001:db8:1:200::1",
        "2001:db8:2::1",
        "2001:db8:2::1",
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
    ];
    push_each(&mut queue, 0, &addresses.map(unknown));
    push_each(&mut queue, 10, &[Requester::default(), Requester::default()]);
    // By /48 and /24; then by /56 and address; then by /64.
    assert_eq!(drain(&mut queue), [0, 5, 7, 10, 3, 6, 9, 11, 2, 8, 4, 1]);
    assert_eq!(queue.len(), 0);
}

/// docs/security.md BUD-3. The first of the two is the one that the lane was at.
#[test]
fn a_login_waits_for_two_hashes_of_a_flood_at_most() {
    let [flood, home] = ["2001:db8:1", "2001:db8:2"];
    for (is_flood_known, is_login_known) in [
        (Some(false), false),
        (Some(false), true),
        (Some(true), false),
        (Some(true), true),
        (None, false),
        (None, true),
    ] {
        for begun in 1..20 {
            let mut queue = FairQueue::new(64);
            push_each(&mut queue, 0, &[known("192.0.2.1"), unknown("192.0.2.1")]);
            assert_eq!(drain(&mut queue).len(), 2, "the flood finds a queue that somebody else has used");
            for number in 1..=100 {
                // From as many narrow networks as it likes, in both classes where that is undecided.
                let address = format!("{flood}:{number:x}::1");
                let is_known = is_flood_known.unwrap_or(number % 2 == 0);
                drop(queue.push(Requester { is_known, ..unknown(&address) }, job(number)));
            }
            for _ in 1..begun {
                let (requester, _) = queue.take().unwrap();
                queue.finish(requester);
            }
            let (on_lane, _) = queue.take().unwrap();
            let login = Requester { is_known: is_login_known, ..unknown(&format!("{home}::1")) };
            let pushed_out = queue.push(login, job(0)).map(|job| job.number);
            assert_ne!(pushed_out, Some(0), "it is refused");
            queue.finish(on_lane);
            let waits_for = 1 + drain(&mut queue).iter().position(|number| *number == 0).unwrap();
            let case = format!("a flood of known {is_flood_known:?}, a login of known {is_login_known}");
            assert!(waits_for <= 2, "{case}: it waits for {waits_for} after {begun}");
        }
    }
}

/// Or the unknown of a network whose known are always served would wait for ever.
#[test]
fn newcomers_pass_a_network_once_and_not_again() {
    let mut queue = FairQueue::new(64);
    let [owner, stranger] = [known("192.0.2.1"), unknown("192.0.2.1")];
    push_each(&mut queue, 1, &[owner, owner, owner, stranger]);
    let mut served = Vec::new();
    let mut take = |queue: &mut FairQueue<Numbered>| {
        let (requester, job) = queue.take().unwrap();
        queue.finish(requester);
        served.push(job.number);
    };
    for newcomer in [10, 11] {
        take(&mut queue);
        push_each(&mut queue, newcomer, &[unknown("198.51.100.1")]);
        take(&mut queue);
    }
    assert_eq!(served, [1, 10, 2, 4]);
}

#[test]
fn the_newest_job_of_the_longest_queue_makes_room() {
    let mut queue = FairQueue::new(16);
    let addresses = [
        "2001:db8:1:100::1",
        "2001:db8:1:100::1",
        "2001:db8:1:100::1",
        "2001:db8:1:200::1",
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
        "198.51.100.1",
    ];
    push_each(&mut queue, 0, &addresses.map(unknown));
    let mut pushed_out = |address, number| queue.push(unknown(address), job(number)).unwrap().number;
    assert_eq!(pushed_out("2001:db8:1:200::1", 10), 2, "of the longest /48, the longest /56");
    assert_eq!(pushed_out("2001:db8:1:100::1", 11), 11, "its own is the longest");
    assert_eq!(
        pushed_out("192.0.2.9", 12),
        5,
        "its own /24 is among the longest, another address of it the longest"
    );
    assert_eq!(pushed_out("198.51.100.1", 13), 10, "who has fewer pushes out who has more");
    assert_eq!(pushed_out("198.51.100.1", 14), 14, "and is refused where all have as many");
    assert_eq!(drain(&mut queue), [0, 4, 7, 3, 6, 13, 1, 12]);
}

#[test]
fn each_class_has_half_of_the_room() {
    let mut queue = FairQueue::new(4);
    let [stranger, owner] = [unknown("192.0.2.1"), known("192.0.2.1")];
    push_each(&mut queue, 0, &[stranger, stranger]);
    assert_eq!(queue.push(stranger, job(2)).unwrap().number, 2);
    push_each(&mut queue, 3, &[owner, owner]);
    assert_eq!(queue.push(owner, job(5)).unwrap().number, 5);
    assert_eq!(drain(&mut queue), [3, 0, 4, 1]);
}

#[test]
fn the_known_get_half_of_the_lanes_as_these_become_free() {
    for lanes in [2_usize, 3, 4, 5] {
        let mut queue = FairQueue::new(640);
        let [stranger, owner] = [unknown("192.0.2.1"), known("198.51.100.1")];
        push_each(&mut queue, 0, &[stranger; 100]);
        let mut on_lanes: VecDeque<Requester> = (0..lanes).map(|_| queue.take().unwrap().0).collect();
        assert!(on_lanes.iter().all(|requester| !requester.is_known), "no lane is idle");
        push_each(&mut queue, 100, &[owner; 100]);
        for finished in 1..50 {
            queue.finish(on_lanes.pop_front().unwrap());
            on_lanes.push_back(queue.take().unwrap().0);
            let known = on_lanes.iter().filter(|requester| requester.is_known).count();
            let least = (lanes / 2).min(finished);
            assert!((least..=lanes.div_ceil(2)).contains(&known), "{known} of {lanes} after {finished}");
        }
    }
}

#[test]
fn abandoned_jobs_cost_no_turn_and_no_room() {
    let mut queue = FairQueue::new(8);
    let [flood, home] = [unknown("192.0.2.1"), unknown("198.51.100.1")];
    push_each(&mut queue, 0, &[flood, home]);
    assert!(queue.push(flood, abandoned(2)).is_none());
    assert!(queue.push(home, abandoned(3)).is_none());
    assert!(queue.push(flood, job(4)).is_none(), "abandoned jobs make room first");
    assert!(queue.push(unknown("203.0.113.1"), abandoned(5)).is_none());
    assert!(queue.push(known("203.0.113.1"), abandoned(6)).is_none());
    assert_eq!(drain(&mut queue), [0, 1, 4]);
    assert_eq!(queue.len(), 0);
    assert!(queue.unknown.waiting.is_empty() && queue.known.waiting.is_empty(), "no network is left");
}

/// What happens to a queue.
#[derive(Debug, Clone)]
enum Action {
    Push(bool, usize),
    Abandon(prop::sample::Index),
    Take,
    Finish(prop::sample::Index),
}

const ADDRESSES: [&str; 9] = [
    "2001:db8:1:100::1",
    "2001:db8:1:101::1",
    "2001:db8:1:200::1",
    "2001:db8:2:100::1",
    "2001:db8:2:200::1",
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.1",
    "198.51.100.2",
];

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (any::<bool>(), 0..=ADDRESSES.len()).prop_map(|(is_known, place)| Action::Push(is_known, place)),
        1 => any::<prop::sample::Index>().prop_map(Action::Abandon),
        4 => Just(Action::Take),
        3 => any::<prop::sample::Index>().prop_map(Action::Finish),
    ]
}

/// What a queue is known to hold.
#[derive(Default)]
struct Model {
    waiting: Vec<(Requester, Numbered)>,
    /// How often the second network was served in a class since the first, beside it, began to wait or was served.
    passed: HashMap<(bool, Path, Path), usize>,
}

impl Model {
    fn waiting_in(&self, is_known: bool) -> impl Iterator<Item = &(Requester, Numbered)> {
        self.waiting.iter().filter(move |(requester, _)| requester.is_known == is_known)
    }

    fn remove(&mut self, number: usize) -> (Requester, Numbered) {
        let at = self.waiting.iter().position(|(_, job)| job.number == number);
        self.waiting.remove(at.expect("what comes out of the queue waited in it"))
    }

    /// How many wait in the same class and in this network.
    fn count(&self, is_known: bool, network: &[Step]) -> usize {
        self.waiting_in(is_known).filter(|(requester, _)| path(*requester).starts_with(network)).count()
    }

    /// Whoever keeps waiting is passed once by each network beside it.
    fn serve(&mut self, served: Requester) {
        let (is_known, served) = (served.is_known, path(served));
        for level in 0..served.len() {
            let (beside, to) = (&served[..level], served[..=level].to_vec());
            self.passed.retain(|(class, waiting, _), _| *class != is_known || *waiting != to);
            let mut passed: Vec<Path> = self
                .waiting_in(is_known)
                .filter_map(|(requester, _)| Some(path(*requester).get(..=level)?.to_vec()))
                .filter(|other| other.starts_with(beside) && *other != to)
                .collect();
            passed.sort();
            passed.dedup();
            for waiting in passed {
                let times = self.passed.entry((is_known, waiting, to.clone())).or_default();
                *times += 1;
                assert!(*times <= 1, "served twice while another waits");
            }
        }
    }

    fn forget_who_waits_no_longer(&mut self) {
        let mut passed = std::mem::take(&mut self.passed);
        passed.retain(|(is_known, waiting, _), _| self.count(*is_known, waiting) > 0);
        self.passed = passed;
    }
}

/// That of these jobs, the one pushed out is the newest of the longest queue, level by level.
fn assert_longest(model: &Model, (requester, job): &(Requester, Numbered)) {
    let path = path(*requester);
    for level in 0..path.len() {
        let own = model.count(requester.is_known, &path[..=level]);
        for (other, _) in model.waiting_in(requester.is_known) {
            let other = super::path(*other);
            if other.len() > level && other[..level] == path[..level] {
                assert!(own >= model.count(requester.is_known, &other[..=level]), "there is a longer one");
            }
        }
    }
    let mut beside = model.waiting_in(requester.is_known).filter(|(other, _)| super::path(*other) == path);
    assert!(beside.all(|(_, other)| other.number <= job.number), "there is a newer one");
}

/// Whether something waits of a network, and of each that is kept within it.
fn holds_work((_, network): &(Step, Network<Numbered>)) -> bool {
    !network.is_empty() && network.narrower.iter().all(holds_work)
}

proptest! {
    /// Whatever is pushed and taken: each job comes out once, there is room for no more than was said, and networks take
    /// turns.
    #[test]
    fn no_job_is_lost_and_no_network_is_served_twice_before_another(
        actions in prop::collection::vec(action(), 1..200),
    ) {
        const ROOM: usize = 6;
        let (mut queue, mut model) = (FairQueue::new(2 * ROOM), Model::default());
        let (mut on_lanes, mut last_was_known) = (Vec::<Requester>::new(), None);
        for (number, action) in actions.into_iter().enumerate() {
            match action {
                Action::Push(is_known, place) => {
                    let networks = ADDRESSES.get(place).map(|text| ClientNetworks::of(text.parse().unwrap()));
                    let requester = Requester { networks, is_known };
                    let job = job(number);
                    model.waiting.push((requester, job.clone()));
                    if let Some(out) = queue.push(requester, job) {
                        prop_assert_eq!(model.waiting_in(is_known).count(), ROOM + 1, "there was room");
                        let out = model.waiting.iter().find(|(_, job)| job.number == out.number).unwrap().clone();
                        prop_assert_eq!(out.0.is_known, is_known);
                        assert_longest(&model, &out);
                        model.remove(out.1.number);
                    }
                }
                Action::Abandon(index) if !model.waiting.is_empty() => {
                    let (_, job) = model.waiting.remove(index.index(model.waiting.len()));
                    job.is_abandoned.set(true);
                }
                Action::Take => {
                    let Some((requester, job)) = queue.take() else {
                        prop_assert_eq!(model.waiting.len(), 0, "a lane is idle while somebody waits");
                        continue;
                    };
                    let lanes = |known| on_lanes.iter().filter(|other| other.is_known == known).count();
                    let (own, others) = (lanes(requester.is_known), lanes(!requester.is_known));
                    if model.waiting_in(!requester.is_known).count() > 0 {
                        prop_assert!(own <= others, "the other class has fewer lanes");
                        let is_turn = own < others || last_was_known != Some(requester.is_known);
                        prop_assert!(is_turn, "it was the turn of the other class");
                    }
                    prop_assert_eq!(model.remove(job.number).0, requester);
                    model.serve(requester);
                    on_lanes.push(requester);
                    last_was_known = Some(requester.is_known);
                }
                Action::Finish(index) if !on_lanes.is_empty() => {
                    queue.finish(on_lanes.remove(index.index(on_lanes.len())));
                }
                Action::Abandon(_) | Action::Finish(_) => {}
            }
            model.forget_who_waits_no_longer();
            for class in [&queue.known, &queue.unknown] {
                prop_assert!(class.waiting.len() <= ROOM);
                prop_assert!(class.waiting.narrower.iter().all(holds_work), "an empty network is kept");
            }
        }
        let mut left: Vec<usize> = model.waiting.iter().map(|(_, job)| job.number).collect();
        let mut drained = drain(&mut queue);
        left.sort_unstable();
        drained.sort_unstable();
        prop_assert_eq!(drained, left);
        prop_assert!(queue.known.waiting.is_empty() && queue.unknown.waiting.is_empty());
    }
}
