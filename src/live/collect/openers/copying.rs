//! When stacks are copied: that is dear for the target, and often the end of a stack is enough.

/// Stacks are copied for so long at first, and after one that was needed.
const FIRST_NS: u64 = 5_000_000_000;
const NEEDED_NS: u64 = 300_000_000_000;
/// After so many in a row that showed nothing more, none is copied for a while.
const USELESS: u32 = 64;
const PAUSE_NS: u64 = 60_000_000_000;
/// Stacks between two readings that are enough; when there are more, readings are left out.
const ENOUGH: usize = 40;
/// Readings left out in a row, at most.
const MOST_LEFT_OUT: usize = 9;

/// Whether stacks are worth being copied.
#[derive(Debug)]
pub(super) struct Copying {
    until_ns: u64,
    paused_ns: u64,
    useless: u32,
    left_out: usize,
}

impl Copying {
    /// It is not known yet what the end of a stack shows.
    pub(super) fn begun(now: u64) -> Self {
        Self { until_ns: now + FIRST_NS, paused_ns: 0, useless: 0, left_out: 0 }
    }

    /// The end of a stack did not show the place, and no more of it was copied.
    pub(super) fn missed(&mut self, at_ns: u64) {
        self.until_ns = self.until_ns.max(at_ns + NEEDED_NS);
    }

    /// A copied stack was looked at, as its end did not show the place. `more`: it showed more.
    pub(super) fn used(&mut self, at_ns: u64, more: bool) {
        self.missed(at_ns);
        self.useless = if more { 0 } else { self.useless + 1 };
        if self.useless >= USELESS {
            self.useless = 0;
            self.paused_ns = at_ns + PAUSE_NS;
        }
    }

    /// Whether stacks are to be copied until the next reading; this one brought so many.
    pub(super) fn wanted(&mut self, now: u64, copied: usize) -> bool {
        if copied > ENOUGH {
            self.left_out = (copied / ENOUGH).min(MOST_LEFT_OUT);
        } else {
            self.left_out = self.left_out.saturating_sub(1);
        }
        self.left_out == 0 && now < self.until_ns && now >= self.paused_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn stacks_are_copied_while_they_are_needed() {
        let mut copying = Copying::begun(0);
        assert!(copying.wanted(4 * S, 1) && !copying.wanted(5 * S, 1));
        copying.missed(8 * S);
        assert!(copying.wanted(9 * S, 0) && copying.wanted(307 * S, 1));
        assert!(!copying.wanted(308 * S, 1));
        copying.used(309 * S, true);
        assert!(copying.wanted(600 * S, 1));
    }

    #[test]
    fn what_shows_nothing_more_is_not_copied_for_a_while() {
        let mut copying = Copying::begun(0);
        (0..USELESS).for_each(|_| copying.used(S, false));
        assert!(!copying.wanted(2 * S, 0));
        // It may be of use later.
        copying.missed(70 * S);
        assert!(copying.wanted(70 * S, 0));
    }

    #[test]
    fn many_are_thinned() {
        let mut copying = Copying::begun(0);
        assert!(!copying.wanted(1, 5 * ENOUGH));
        let left_out = (0..20).take_while(|_| !copying.wanted(1, 0)).count();
        assert_eq!(left_out, 4);
    }
}
