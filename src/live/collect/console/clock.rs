//! From the clock of the target to event time, and until when what it tells is complete.
//!
//! The console's thread takes at most 127 events from its queue before each update, so that in a
//! busy program tasks become visible late, and a constant number of them looks like a growing one.
//! All times are therefore those of births and deaths, never those of arrival; and nothing is
//! complete beyond the youngest birth seen while updates bring as many events as they may.

use prost_types::Timestamp;

use crate::live::facts::Millis;

/// What one turn of the console's thread takes from its queue: one less than the 128 operations
/// that a poll of tokio's tasks may do.
pub(super) const FULL_TURN: u64 = 127;
/// Events of several threads may stand in the queue in another order than they happened.
const DISORDER: Millis = 1_000;

/// Turns the target's times into event time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Event time less target time, milliseconds.
    offset: Option<Millis>,
}

impl Clock {
    /// An update that was made at `now` by the target's clock came at `at`.
    pub(super) fn heard(&mut self, now: &Timestamp, at: Millis) {
        // It was under way for some time: the least difference is nearest to the truth.
        let offset = at.saturating_sub(millis(now));
        self.offset = Some(self.offset.map_or(offset, |least| least.min(offset)));
    }

    /// Event time of a time of the target; nothing lies in the future.
    pub(super) fn event(&self, time: &Timestamp, now: Millis) -> Millis {
        millis(time).saturating_add(self.offset.unwrap_or(0)).min(now)
    }
}

/// Milliseconds since the Unix epoch; hostile values stay within bounds.
fn millis(time: &Timestamp) -> Millis {
    const MOST: i64 = 1 << 42;
    time.seconds.clamp(-MOST, MOST) * 1000 + i64::from(time.nanos.clamp(0, 999_999_999)) / 1_000_000
}

/// Until when everything was told.
#[derive(Debug, Default)]
pub(super) struct Progress {
    until: Option<Millis>,
    /// When an update last brought it forward.
    moved: Millis,
}

impl Progress {
    /// Everything up to here was told; `None` before the first update.
    pub(super) fn until(&self) -> Option<Millis> {
        self.until
    }

    /// The first update holds everything that was taken from the queue before we came; `youngest`
    /// is the last birth in it. Whether more waits in the queue, the next one tells.
    pub(super) fn first(&mut self, now: Millis, youngest: Option<Millis>) {
        self.until = Some(youngest.unwrap_or(now).min(now) - DISORDER);
        self.moved = now;
    }

    /// An update brought `events` events.
    pub(super) fn next(&mut self, now: Millis, events: u64, youngest: Option<Millis>) {
        let drained = events < FULL_TURN;
        let reached = if drained { Some(now) } else { youngest };
        let Some(reached) = reached.map(|reached| reached.min(now) - DISORDER) else { return };
        if self.until.is_none_or(|until| reached > until) {
            self.until = Some(reached);
            self.moved = now;
        }
    }

    /// How far behind the present the births are that become visible, milliseconds.
    pub(super) fn behind(&self, now: Millis) -> Millis {
        self.until.map_or(0, |until| (now - until - DISORDER).max(0))
    }

    /// For how long it has not been known how far behind they are, milliseconds.
    pub(super) fn unknown_for(&self, now: Millis) -> Millis {
        (now - self.moved).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 500_000_000 }
    }

    #[test]
    fn times_are_those_of_the_fastest_update() {
        let mut clock = Clock::default();
        clock.heard(&at(1_000), 10_300);
        clock.heard(&at(1_001), 11_100);
        assert_eq!(clock.event(&at(990), 20_000), 100);
        assert_eq!(clock.event(&at(5_000), 20_000), 20_000, "nothing lies in the future");
        assert!(clock.event(&Timestamp { seconds: i64::MIN, nanos: -1 }, 0) < 0);
    }

    #[test]
    fn full_turns_reach_no_further_than_the_youngest_birth() {
        let mut progress = Progress::default();
        progress.first(60_000, Some(40_000));
        assert_eq!(progress.until(), Some(39_000));
        progress.next(61_000, 127, Some(45_000));
        assert_eq!((progress.until(), progress.behind(61_000)), (Some(44_000), 16_000));
        // Nothing tells how old what came is.
        progress.next(62_000, 500, None);
        assert_eq!((progress.until(), progress.unknown_for(62_000)), (Some(44_000), 1_000));
        progress.next(63_000, 3, Some(62_900));
        assert_eq!((progress.until(), progress.behind(63_000)), (Some(62_000), 0));
    }
}
