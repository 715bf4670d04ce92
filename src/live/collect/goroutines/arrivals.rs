//! When goroutines came to where they stand, between two dumps: as their numbers there rose.
//!
//! A dump tells who is new, once a minute; the counts in between tell when there were more. Both name
//! the same places. What the counts do not explain came just before the dump, so that nobody seems
//! older than he is, but for one who takes the place of another within the same minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::profile::Profile;
use crate::live::facts::Millis;

/// Rises remembered of one place; older ones are forgotten first.
const MAX_RISES: usize = 64;

/// The rises since the last dump, place by place.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    before: Option<BTreeMap<Arc<str>, u64>>,
    rises: BTreeMap<Arc<str>, Vec<(Millis, u64)>>,
}

impl Arrivals {
    /// Takes the counts of one look.
    pub(super) fn counted(&mut self, at: Millis, profile: &Profile) {
        let mut now: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for (standing, count) in &profile.places {
            let sum = now.entry(Arc::clone(&standing.place)).or_default();
            *sum = sum.saturating_add(*count);
        }
        if let Some(before) = &self.before {
            for (place, count) in &now {
                let rise = count.saturating_sub(before.get(place).copied().unwrap_or(0));
                if rise > 0 {
                    let rises = self.rises.entry(Arc::clone(place)).or_default();
                    if rises.len() >= MAX_RISES {
                        rises.remove(0);
                    }
                    rises.push((at, rise));
                }
            }
        }
        self.before = Some(now);
    }

    /// When so many that are new at a place came there, the earliest first; none later than `now`.
    pub(super) fn of(&self, place: &str, new: usize, now: Millis) -> Vec<Millis> {
        let rises = self.rises.get(place).map(Vec::as_slice).unwrap_or_default();
        let mut times = Vec::with_capacity(new);
        let known: u64 = rises.iter().fold(0, |sum, (_, rise)| sum.saturating_add(*rise));
        let unknown = new.saturating_sub(usize::try_from(known).unwrap_or(usize::MAX));
        times.resize(unknown, now);
        // The latest, where there are more: others came and went.
        for &(at, rise) in rises.iter().rev() {
            let left = new - times.len();
            let taken = left.min(usize::try_from(rise).unwrap_or(usize::MAX));
            times.resize(times.len() + taken, at);
        }
        times.reverse();
        times
    }

    /// A dump was made: everybody up to now is known.
    pub(super) fn begin_anew(&mut self) {
        self.rises.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::Standing;
    use super::*;

    fn profile(counts: &[(&'static str, &str, u64)]) -> Profile {
        let standing = |&(wait, place, count): &(&'static str, &str, u64)| {
            (Standing { wait, place: place.into() }, count)
        };
        Profile { total: 0, places: counts.iter().map(standing).collect() }
    }

    #[test]
    fn the_latest_rises_tell_when_new_ones_came() {
        let mut arrivals = Arrivals::default();
        for (at, count) in [(0, 5), (10, 7), (20, 6), (30, 9)] {
            // Of one place, whatever they wait for.
            let counts = [("", "a", count - 1), ("sleep", "a", 1), ("", "b", 2)];
            arrivals.counted(at, &profile(&counts));
        }
        assert_eq!(arrivals.of("a", 4, 60), [10, 30, 30, 30]);
        assert_eq!(arrivals.of("a", 2, 60), [30, 30]);
        assert_eq!(arrivals.of("a", 7, 60), [10, 10, 30, 30, 30, 60, 60]);
        assert_eq!(arrivals.of("b", 1, 60), [60]);
        assert_eq!(arrivals.of("never seen", 2, 60), [60, 60]);
        arrivals.begin_anew();
        assert_eq!(arrivals.of("a", 1, 60), [60]);
        arrivals.counted(70, &profile(&[("", "a", 10)]));
        assert_eq!(arrivals.of("a", 1, 120), [70]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut arrivals = Arrivals::default();
        for look in 0..1000 {
            arrivals.counted(look, &profile(&[("", "a", u64::try_from(look).unwrap())]));
        }
        assert_eq!(arrivals.rises["a"].len(), MAX_RISES);
    }
}
