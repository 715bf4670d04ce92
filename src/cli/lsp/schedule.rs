//! When to look: once for reasons that follow each other quickly, and one look at a time.

use std::time::{Duration, Instant};

/// So long nothing more must happen.
const QUIET: Duration = Duration::from_millis(150);
/// So long a reason waits at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What there is a reason for, and what is under way.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// The first reason since the last look began, and the last one.
    asked: Option<(Instant, Instant)>,
    under_way: bool,
}

impl Schedule {
    /// There is a reason to look.
    pub(super) fn ask(&mut self, now: Instant) {
        let (first, _) = self.asked.unwrap_or((now, now));
        self.asked = Some((first, now));
    }

    /// When to look next; none as long as there is no reason, or a look is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.asked.filter(|_| !self.under_way)?;
        Some((last + QUIET).min(first + PATIENCE))
    }

    /// Whether a look is to begin now; then it has.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let begins = self.due().is_some_and(|due| due <= now);
        if begins {
            *self = Self { asked: None, under_way: true };
        }
        begins
    }

    /// The look has ended.
    pub(super) fn end(&mut self) {
        self.under_way = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_in_a_row_are_one() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut schedule = Schedule::default();
        assert!(schedule.due().is_none() && !schedule.begin(start));
        schedule.ask(at(0));
        schedule.ask(at(100));
        assert_eq!(schedule.due(), Some(at(250)));
        assert!(!schedule.begin(at(249)) && schedule.begin(at(250)));
        assert!(schedule.due().is_none() && !schedule.begin(at(9999)));
        schedule.end();
        assert_eq!(schedule.due(), None);
    }

    #[test]
    fn what_never_stops_does_not_wait_for_ever() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        for millis in (0..5000).step_by(100) {
            let now = start + Duration::from_millis(millis);
            schedule.ask(now);
            if schedule.begin(now) {
                assert_eq!(now - start, PATIENCE);
                return;
            }
        }
        panic!("it never begins");
    }

    #[test]
    fn reasons_during_a_look_wait_for_its_end() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.ask(start);
        assert!(schedule.begin(start + QUIET));
        schedule.ask(start + QUIET);
        assert!(!schedule.begin(start + PATIENCE));
        schedule.end();
        assert!(schedule.begin(start + PATIENCE));
    }
}
