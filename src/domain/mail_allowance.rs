//! How many mails of one purpose a mailbox gets, where strangers can cause them: few enough to bear, and never so few that its
//! owner gets none (BUD-6).

use chrono::TimeDelta;

use super::Pseudonym;

/// How far back mails are counted.
pub const MAIL_HOUR: TimeDelta = TimeDelta::hours(1);
/// The same in the long run.
pub const MAIL_DAY: TimeDelta = TimeDelta::hours(24);

/// What strangers together can cause in an hour and in a day, and, beside it, what devices and networks of the account can.
const MAX_OF_ALL: (i64, i64) = (5, 15);
/// What one network can cause of that: what is left is for others.
const MAX_OF_ONE: (i64, i64) = (5, 8);
/// What is left in an hour when all else is used up, for networks that have asked for nothing in this hour.
const MAX_RESERVE_AN_HOUR: i64 = 2;

/// Who asks for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailRequester {
    /// A keyed digest of their network.
    pub network: Pseudonym,
    /// Whether the account was used on this device, or from this network, before.
    pub is_known: bool,
}

/// What a mail is counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// What strangers share.
    Shared,
    /// What is kept for devices and networks of the account.
    Known,
    /// What is left when both are used up.
    Reserve,
}

/// What a mailbox has had of one purpose, in the last hour and in the last day.
#[derive(Debug, Clone, Copy, Default)]
pub struct MailHistory {
    /// Of what strangers share.
    pub shared: (i64, i64),
    /// Of what is kept for devices and networks of the account.
    pub known: (i64, i64),
    /// Of what is left when both are used up; in the last hour.
    pub reserve: i64,
    /// What this requester's network has caused, whatever it was counted against.
    pub of_requester: (i64, i64),
    /// Whether a link that was mailed for the same purpose still works. Mails without a link say that it does.
    pub has_good_link: bool,
}

impl Allowance {
    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Known => "known",
            Self::Reserve => "reserve",
        }
    }
}

impl MailHistory {
    /// What one more mail is counted against. `None` where the mailbox has had enough: then it has a link that works, or needs
    /// none.
    #[must_use]
    pub fn allow(&self, requester: MailRequester) -> Option<Allowance> {
        if requester.is_known && is_below(self.known, MAX_OF_ALL) {
            return Some(Allowance::Known);
        }
        if is_below(self.shared, MAX_OF_ALL) && is_below(self.of_requester, MAX_OF_ONE) {
            return Some(Allowance::Shared);
        }
        let is_quiet = self.of_requester.0 == 0 && self.reserve < MAX_RESERVE_AN_HOUR;
        (is_quiet || !self.has_good_link).then_some(Allowance::Reserve)
    }
}

fn is_below((hour, day): (i64, i64), (most_an_hour, most_a_day): (i64, i64)) -> bool {
    hour < most_an_hour && day < most_a_day
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(network: u8) -> MailRequester {
        MailRequester { network: Pseudonym([network; 16]), is_known: false }
    }

    #[test]
    fn one_network_leaves_something_for_others() {
        let spent = MailHistory {
            shared: (0, 8),
            of_requester: (0, 8),
            has_good_link: true,
            ..MailHistory::default()
        };
        assert_eq!(spent.allow(from(1)), Some(Allowance::Reserve), "one an hour");
        let spent_now = MailHistory { of_requester: (1, 9), ..spent };
        assert_eq!(spent_now.allow(from(1)), None);
        let others = MailHistory { of_requester: (0, 0), ..spent };
        assert_eq!(others.allow(from(2)), Some(Allowance::Shared));
    }

    #[test]
    fn what_strangers_have_used_up_is_not_all_there_is() {
        let attacked = MailHistory { shared: (5, 15), has_good_link: true, ..MailHistory::default() };
        assert_eq!(attacked.allow(MailRequester { is_known: true, ..from(1) }), Some(Allowance::Known));
        assert_eq!(attacked.allow(from(1)), Some(Allowance::Reserve));
        let reserve_too = MailHistory { reserve: 2, ..attacked };
        assert_eq!(reserve_too.allow(from(1)), None);
        assert_eq!(reserve_too.allow(MailRequester { is_known: true, ..from(1) }), Some(Allowance::Known));
    }

    proptest! {
        /// Whatever strangers did before: who asks gets a mail, or has a link that works.
        #[test]
        fn nobody_is_left_without_a_link(
            shared in (0..9_i64, 0..30_i64), known in (0..9_i64, 0..30_i64), reserve in 0..9_i64,
            of_requester in (0..9_i64, 0..30_i64), has_good_link: bool, is_known: bool,
        ) {
            let history = MailHistory { shared, known, reserve, of_requester, has_good_link };
            let requester = MailRequester { is_known, ..from(1) };
            prop_assert!(history.allow(requester).is_some() || has_good_link);
        }

        /// And however many networks ask, in whatever order, an hour brings no more than this.
        #[test]
        fn an_hour_brings_so_many_mails(asked in prop::collection::vec((0..40_u8, any::<bool>()), 0..200)) {
            let mut history = MailHistory { has_good_link: true, ..MailHistory::default() };
            let (mut by, mut sent) = ([0_i64; 40], 0);
            for (network, is_known) in asked {
                let caused = by[usize::from(network)];
                history.of_requester = (caused, caused);
                let Some(allowance) = history.allow(MailRequester { is_known, ..from(network) }) else { continue };
                match allowance {
                    Allowance::Shared => history.shared = (history.shared.0 + 1, history.shared.1 + 1),
                    Allowance::Known => history.known = (history.known.0 + 1, history.known.1 + 1),
                    Allowance::Reserve => history.reserve += 1,
                }
                by[usize::from(network)] += 1;
                sent += 1;
            }
            prop_assert!(sent <= 5 + 5 + 2, "{sent}");
        }
    }
}
