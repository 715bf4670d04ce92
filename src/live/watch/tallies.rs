//! Numbers of things that cannot be told apart, group by group: the most that growth of one says is
//! `suspect`; those that are proved to be leaked need no growth.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gauge::Gauge;
use crate::live::detect::gauge::{GaugeDetector, GaugeGrowth};
use crate::live::facts::Millis;

/// Groups kept.
const MAX_GROUPS: usize = 512;
/// Growth below which a group is never suspect.
const MIN_GROWTH: f64 = 5.0;

/// A group: kind, names below it, and whether its members are proved to be leaked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Arc<str>,
    pub(super) group: Arc<[Arc<str>]>,
    pub(super) proved: bool,
}

/// One group.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) gauge: Gauge,
    /// Since when there have been proved ones without a break.
    pub(super) since: Option<Millis>,
}

/// All groups of one target.
#[derive(Debug, Default)]
pub(super) struct Tallies(BTreeMap<Key, Tally>);

impl Tallies {
    /// Takes a number; returns whether there was no room for its group.
    pub(super) fn take(
        &mut self,
        at: Millis,
        key: Key,
        count: u64,
        detector: impl FnOnce() -> GaugeDetector,
    ) -> bool {
        if self.0.len() >= MAX_GROUPS && !self.0.contains_key(&key) {
            // Empty ones have told all they had to.
            self.0.retain(|_, tally| tally.gauge.value > 0.0);
            if self.0.len() >= MAX_GROUPS {
                return true;
            }
        }
        let tally = self
            .0
            .entry(key)
            .or_insert_with(|| Tally { gauge: Gauge::new(detector()), since: None });
        tally.gauge.push(at, count as f64, count as f64);
        tally.since = if count > 0 { tally.since.or(Some(at)) } else { None };
        false
    }

    /// Those whose members are proved to be leaked.
    pub(super) fn proved(&self) -> impl Iterator<Item = (&Key, &Tally)> {
        self.0.iter().filter(|(key, tally)| key.proved && tally.gauge.value > 0.0)
    }

    /// Those that grow by more than load and noise explain, corrected for the number of groups.
    pub(super) fn growing(&self) -> impl Iterator<Item = (&Key, &Tally, GaugeGrowth)> {
        let ln_groups = (self.0.len().max(1) as f64).ln();
        self.0.iter().filter(|(key, _)| !key.proved).filter_map(move |(key, tally)| {
            let growth = tally.gauge.detector.growth_among(MIN_GROWTH, ln_groups)?;
            Some((key, tally, growth))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, proved: bool) -> Key {
        Key { kind: "goroutine".into(), group: Arc::from([Arc::from(name)]), proved }
    }

    #[test]
    fn one_group_among_many_constant_ones_grows() {
        let mut tallies = Tallies::default();
        for second in (0..900).step_by(10) {
            for nth in 0..100_u64 {
                let count = if nth == 7 { 10 + second / 5 } else { 50 + (second / 10 + nth) % 7 };
                let detector = || GaugeDetector::new(|ms| ms);
                let key = key(&format!("place {nth}"), false);
                assert!(!tallies.take(second as Millis * 1000, key, count, detector));
            }
        }
        let growing: Vec<_> = tallies.growing().map(|(key, ..)| key.group[0].to_string()).collect();
        assert_eq!(growing, ["place 7"]);
        assert_eq!(tallies.proved().count(), 0);
    }

    #[test]
    fn what_is_proved_stands_while_there_is_one() {
        let mut tallies = Tallies::default();
        for (at, count) in [(0, 2), (1, 3), (2, 0)] {
            tallies.take(at, key("x", true), count, || GaugeDetector::new(|ms| ms));
            let since = tallies.proved().next().and_then(|(_, tally)| tally.since);
            assert_eq!(since, (count > 0).then_some(0));
        }
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let mut tallies = Tallies::default();
        let detector = || GaugeDetector::new(|ms| ms);
        let over = (0..2 * MAX_GROUPS)
            .filter(|nth| tallies.take(0, key(&nth.to_string(), false), 1, detector));
        assert_eq!(over.count(), MAX_GROUPS);
    }
}
