//! What comes over sockets: when calls that receive messages are listened to, and from where those came
//! whose control data were not seen.

use std::collections::{BTreeSet, VecDeque};

/// So many handles that no call has returned are reason enough.
const ENOUGH: u64 = 3;
/// They are listened to for so long after one that was needed.
const NEEDED_NS: u64 = 300_000_000_000;
/// More of them between two readings that bring nothing are too dear.
const TOO_MANY: usize = 400;
/// Calls that are remembered whose control data were not seen.
const MOST: usize = 4096;

/// Whether calls that receive messages are worth being listened to.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    unheard: u64,
    until_ns: u64,
    /// They came too fast: that is not tried again.
    pub(super) given_up: bool,
}

impl Receiving {
    /// Handles were found that no call has returned.
    pub(super) fn missed(&mut self, at_ns: u64, handles: u64) {
        self.unheard += handles;
        if handles > 0 && self.unheard >= ENOUGH {
            self.until_ns = at_ns + NEEDED_NS;
        }
    }

    /// A handle came that way.
    pub(super) fn used(&mut self, at_ns: u64) {
        self.until_ns = self.until_ns.max(at_ns + NEEDED_NS);
    }

    /// Whether to listen until the next reading; this one brought so many calls without a handle.
    pub(super) fn wanted(&mut self, now: u64, in_vain: usize) -> bool {
        self.given_up |= in_vain > TOO_MANY;
        now < self.until_ns && !self.given_up
    }
}

/// Calls that may have received something, and from where.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    calls: VecDeque<(u64, u32, Option<u32>)>,
    /// Before this not all are remembered.
    since_ns: u64,
}

impl Unseen {
    /// From now on, all of them are told.
    pub(super) fn begin(&mut self, now: u64) {
        self.since_ns = now;
    }

    /// Such a call of a process; `place`: from where, if that was looked at.
    pub(super) fn take(&mut self, at_ns: u64, pid: u32, place: Option<u32>) {
        if self.calls.len() >= MOST
            && let Some((dropped_ns, ..)) = self.calls.pop_front()
        {
            self.since_ns = dropped_ns;
        }
        self.calls.push_back((at_ns, pid, place));
    }

    /// From where all such calls of a process came between two times; `None` where that is no one place.
    pub(super) fn only_place(&self, pid: u32, (from_ns, to_ns): (u64, u64)) -> Option<u32> {
        let during = self
            .calls
            .iter()
            .filter(|(at_ns, of, _)| *of == pid && (from_ns..=to_ns).contains(at_ns));
        let places: BTreeSet<Option<u32>> = during.map(|(.., place)| *place).collect();
        let known_all = from_ns > self.since_ns;
        places.first().copied().flatten().filter(|_| known_all && places.len() == 1)
    }

    /// Nobody asks for times before this any more.
    pub(super) fn forget(&mut self, before_ns: u64) {
        self.calls.retain(|(at_ns, ..)| *at_ns >= before_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn they_are_listened_to_when_handles_came_by_no_other_call() {
        let mut receiving = Receiving::default();
        assert!(!receiving.wanted(S, 0));
        receiving.missed(S, 2);
        assert!(!receiving.wanted(S, 0));
        receiving.missed(S, 1);
        assert!(receiving.wanted(2 * S, 0) && !receiving.wanted(400 * S, 0));
        receiving.missed(500 * S, 0);
        assert!(!receiving.wanted(500 * S, 0));
        receiving.used(500 * S);
        assert!(receiving.wanted(700 * S, TOO_MANY));
    }

    #[test]
    fn what_floods_is_not_listened_to_again() {
        let mut receiving = Receiving::default();
        receiving.missed(S, 9);
        assert!(!receiving.wanted(2 * S, TOO_MANY + 1));
        receiving.missed(3 * S, 9);
        assert!(!receiving.wanted(4 * S, 0) && receiving.given_up);
    }

    #[test]
    fn a_place_is_told_only_where_all_calls_came_from_it() {
        let mut unseen = Unseen::default();
        for (at_ns, pid, place) in [(10, 7, Some(1)), (20, 7, Some(1)), (30, 7, Some(2))] {
            unseen.take(at_ns, pid, place);
        }
        unseen.take(15, 8, Some(3));
        unseen.take(50, 7, None);
        assert_eq!(unseen.only_place(7, (10, 20)), Some(1));
        assert_eq!(unseen.only_place(7, (10, 30)), None);
        assert_eq!(unseen.only_place(7, (40, 60)), None);
        assert_eq!(unseen.only_place(7, (60, 70)), None);
        unseen.forget(30);
        assert_eq!(unseen.only_place(7, (10, 20)), None);
        (0..MOST as u64 + 1).for_each(|at_ns| unseen.take(at_ns + 100, 9, Some(4)));
        assert_eq!(unseen.only_place(9, (90, 200)), None);
    }
}
