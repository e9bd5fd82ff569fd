//! Whose turn it is on the hashing lanes: fair queueing between networks, so that nobody gets more by being numerous.
//!
//! Networks take turns at each level: /48, /56, /64 of IPv6; /24 and address of IPv4. Known and unknown requesters have half
//! of the lanes and of the room each. No threads here: `job_queue.rs` has them.

use std::collections::VecDeque;

use crate::domain::{ClientNetwork, Requester};

/// Work that somebody waits for.
pub(super) trait Job {
    /// Whether nobody waits any longer. Such a job costs no turn, and its room is given to others.
    fn is_abandoned(&self) -> bool;
}

/// Jobs that wait for a lane, and how many are on lanes.
pub(super) struct FairQueue<J> {
    known: Class<J>,
    unknown: Class<J>,
    /// How many jobs of each class may wait.
    room: usize,
    /// Where the job came from that was taken last.
    served: Path,
    known_is_next: bool,
}

/// The jobs of the known, or of the unknown.
struct Class<J> {
    waiting: Network<J>,
    /// Where the job of this class came from that was taken last, if one was since the class last was empty.
    served: Option<Path>,
    on_lanes: usize,
}

/// What waits of one network: its narrower ones, the next in turn first, or jobs, where there is none narrower. One that has
/// nothing left is removed.
struct Network<J> {
    narrower: VecDeque<(Step, Network<J>)>,
    jobs: VecDeque<(Requester, J)>,
}

/// The networks of a requester, the widest first.
type Path = Vec<Step>;
/// `None` is the network of those who have none: operators, and tests.
type Step = Option<ClientNetwork>;

impl<J: Job> FairQueue<J> {
    /// A queue in which `room` jobs may wait.
    pub(super) fn new(room: usize) -> Self {
        Self {
            known: Class::new(),
            unknown: Class::new(),
            room: room / 2,
            served: Path::new(),
            known_is_next: true,
        }
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.known.waiting.len() + self.unknown.waiting.len()
    }

    /// Adds a job. Where its class has no room left, the newest job of the longest queue has none, and is given back: that
    /// may be this one.
    #[must_use = "its owner waits for an answer"]
    pub(super) fn push(&mut self, requester: Requester, job: J) -> Option<J> {
        let path = path(requester);
        let class = if requester.is_known { &mut self.known } else { &mut self.unknown };
        if class.waiting.len() >= self.room {
            class.waiting.remove_abandoned();
        }
        if class.waiting.is_empty() {
            class.served = None;
        }
        let served = class.served.as_ref().unwrap_or(&self.served);
        class.waiting.push(&path, served, (requester, job));
        let is_too_much = class.waiting.len() > self.room;
        is_too_much.then(|| class.waiting.push_out(&path)).flatten()
    }

    /// The job that a free lane has to do next. [`finish`](Self::finish) MUST be called when it is done.
    ///
    /// The class that has fewer lanes goes first. So each gets half of them as soon as it wants them, and no lane is idle
    /// while anybody waits.
    pub(super) fn take(&mut self) -> Option<(Requester, J)> {
        let known_first = match self.known.on_lanes.cmp(&self.unknown.on_lanes) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.known_is_next,
            std::cmp::Ordering::Greater => false,
        };
        let (first, second) = if known_first {
            (&mut self.known, &mut self.unknown)
        } else {
            (&mut self.unknown, &mut self.known)
        };
        let (requester, job) = first.take().or_else(|| second.take())?;
        self.served = path(requester);
        self.known_is_next = !requester.is_known;
        Some((requester, job))
    }

    /// Says that a lane is done with a job of this requester.
    pub(super) fn finish(&mut self, requester: Requester) {
        let class = if requester.is_known { &mut self.known } else { &mut self.unknown };
        class.on_lanes = class.on_lanes.saturating_sub(1);
    }
}

impl<J: Job> Class<J> {
    fn new() -> Self {
        Self { waiting: Network::new(), served: None, on_lanes: 0 }
    }

    fn take(&mut self) -> Option<(Requester, J)> {
        let (requester, job) = self.waiting.take()?;
        self.served = Some(path(requester));
        self.on_lanes += 1;
        Some((requester, job))
    }
}

impl<J: Job> Network<J> {
    fn new() -> Self {
        Self { narrower: VecDeque::new(), jobs: VecDeque::new() }
    }

    fn len(&self) -> usize {
        self.jobs.len() + self.narrower.iter().map(|(_, network)| network.len()).sum::<usize>()
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.narrower.is_empty()
    }

    /// Adds a job of the network that `path` leads to.
    fn push(&mut self, path: &[Step], served: &[Step], job: (Requester, J)) {
        let Some((step, path)) = path.split_first() else {
            self.jobs.push_back(job);
            return;
        };
        let at = self.narrower.iter().position(|(other, _)| other == step).unwrap_or_else(|| {
            // A newcomer goes last, but before the network that has just had its turn. That one is passed no more until it
            // has had another turn in this class, for now the newcomer will be the one that was served.
            let last = self.narrower.back().map(|(last, _)| last);
            let at = self.narrower.len() - usize::from(last.is_some() && last == served.first());
            self.narrower.insert(at, (*step, Self::new()));
            at
        });
        self.narrower[at].1.push(path, below(*step, served), job);
    }

    /// Takes the oldest job of the network whose turn it is.
    fn take(&mut self) -> Option<(Requester, J)> {
        while let Some((requester, job)) = self.jobs.pop_front() {
            if !job.is_abandoned() {
                return Some((requester, job));
            }
        }
        while let Some((step, mut network)) = self.narrower.pop_front() {
            let taken = network.take();
            if !network.is_empty() {
                self.narrower.push_back((step, network));
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Removes the newest job of the network that has most, and within it likewise. Of several, that is the one that `path`
    /// leads to: only who has less than another pushes it out, or two of them could do so for ever.
    fn push_out(&mut self, path: &[Step]) -> Option<J> {
        let longest = self.narrower.iter().enumerate().max_by_key(|(_, (step, network))| {
            let is_own = path.first() == Some(step);
            (network.len(), is_own)
        });
        let Some((at, (step, _))) = longest else { return self.jobs.pop_back().map(|(_, job)| job) };
        let path = below(*step, path);
        let network = &mut self.narrower[at].1;
        let job = network.push_out(path);
        if network.is_empty() {
            self.narrower.remove(at);
        }
        job
    }

    fn remove_abandoned(&mut self) {
        self.jobs.retain(|(_, job)| !job.is_abandoned());
        self.narrower.retain_mut(|(_, network)| {
            network.remove_abandoned();
            !network.is_empty()
        });
    }
}

fn path(requester: Requester) -> Path {
    match requester.networks {
        Some(networks) => networks.narrowest_first().rev().map(|(network, _)| Some(network)).collect(),
        None => vec![None],
    }
}

/// What of a path lies within this network.
fn below(step: Step, path: &[Step]) -> &[Step] {
    match path.split_first() {
        Some((first, rest)) if *first == step => rest,
        Some(_) | None => &[],
    }
}

#[cfg(test)]
mod tests;
