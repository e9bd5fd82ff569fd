//! What comes again and again is told once and then counted, so that a flood of requests is no flood of lines (docs/security.md
//! AUD-5, BUD-7).

use std::collections::HashMap;
use std::hash::Hash;

/// How many sorts are told apart in a period. What goes beyond is only a number.
pub(crate) const MOST_SORTS: usize = 2000;

/// What has come in this period, by sort.
pub(crate) struct Repetitions<S, T> {
    sorts: HashMap<S, Sort<T>>,
    beyond: u64,
}

struct Sort<T> {
    told: u32,
    repeated: Option<Repeated<T>>,
}

/// What a sort came to, besides what was told at once.
pub(crate) struct Repeated<T> {
    /// The last one.
    pub(crate) last: T,
    /// How many there were.
    pub(crate) times: u32,
}

impl<S, T> Default for Repetitions<S, T> {
    fn default() -> Self {
        Self { sorts: HashMap::new(), beyond: 0 }
    }
}

impl<S: Eq + Hash, T> Repetitions<S, T> {
    /// Hands back what is to be told at once: the first `told` of a sort. All others are counted.
    pub(crate) fn note(&mut self, sort: S, one: T, told: u32) -> Option<T> {
        let has_room = self.sorts.len() < MOST_SORTS;
        match self.sorts.get_mut(&sort) {
            Some(sort) if sort.told < told => {
                sort.told += 1;
                Some(one)
            }
            Some(sort) => {
                let times = sort.repeated.as_ref().map_or(0, |repeated| repeated.times);
                sort.repeated = Some(Repeated { last: one, times: times.saturating_add(1) });
                None
            }
            None if has_room => {
                self.sorts.insert(sort, Sort { told: 1, repeated: None });
                Some(one)
            }
            None => {
                self.beyond += 1;
                None
            }
        }
    }

    /// Ends the period. Answers what was counted in it, and how many were of too many sorts.
    pub(crate) fn take(&mut self) -> (Vec<Repeated<T>>, u64) {
        let repeated = self.sorts.drain().filter_map(|(_, sort)| sort.repeated).collect();
        (repeated, std::mem::take(&mut self.beyond))
    }
}

#[cfg(test)]
pub(crate) mod lines;
