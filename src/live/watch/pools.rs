//! Pools that tell how they fare: their level, who waits since when, and what the load needs.

use std::collections::BTreeMap;

use super::gauge::Gauge;
use crate::live::detect::gauge::{GaugeDetector, GaugeGrowth};
use crate::live::detect::scale::Timing;
use crate::live::facts::{Millis, PoolReading};
use crate::live::outcome::{PoolLevel, PoolNeed, PoolOutcome};

/// Pools kept.
const MAX_POOLS: usize = 256;
/// Growth below which nothing is said of one.
const MIN_GROWTH: f64 = 5.0;
/// Shares of the maximum at which the levels begin.
const MID: f64 = 0.7;
const HIGH: f64 = 0.9;
/// Waiting counts when somebody has waited at each reading for so long.
const WAITED: Millis = 10_000;
/// A reading says nothing of now after so long.
const OLD: Millis = 60_000;
/// The load is told from so many uses on, over so long.
const LEAST_USES: f64 = 100.0;
const LEAST_SPAN: Millis = 60_000;

/// All pools of one target.
#[derive(Debug, Default)]
pub(super) struct Pools(BTreeMap<String, Pool>);

/// One pool.
#[derive(Debug)]
struct Pool {
    began: Millis,
    at: Millis,
    last: PoolReading,
    peak: f64,
    in_use: Gauge,
    waiters: GaugeDetector,
    /// Since when somebody has waited at each reading.
    waiting_since: Option<Millis>,
    ever_waited: bool,
    waits: Counter,
    wait_seconds: Counter,
    timeouts: Counter,
    taken: Counter,
    returned: Counter,
    held_seconds: Counter,
    waited_ms: Millis,
}

/// A number that only grows, until its program starts anew.
#[derive(Debug, Default, Clone, Copy)]
struct Counter {
    last: Option<f64>,
    /// By how much it has grown since the first reading.
    grown: f64,
}

impl Counter {
    /// Takes a reading; returns the growth since the last one.
    fn push(&mut self, value: Option<f64>) -> f64 {
        let Some(value) = value.filter(|value| *value >= 0.0) else { return 0.0 };
        let growth = match self.last.replace(value) {
            None => 0.0,
            // It began anew.
            Some(before) if value < before => value,
            Some(before) => value - before,
        };
        self.grown += growth;
        growth
    }

    fn known(&self) -> Option<f64> {
        self.last.map(|_| self.grown)
    }
}

impl Pools {
    /// Takes a reading; returns whether there was no room for its pool.
    pub(super) fn take(
        &mut self,
        at: Millis,
        name: &str,
        reading: &PoolReading,
        timing: Timing,
    ) -> bool {
        if self.0.len() >= MAX_POOLS && !self.0.contains_key(name) {
            return true;
        }
        let pool = self.0.entry(name.to_owned()).or_insert_with(|| Pool::new(at, timing));
        pool.take(at, reading);
        false
    }

    /// How each fares that was heard of lately: what a program told long ago says nothing of now.
    pub(super) fn outcomes(&self, now: Millis) -> Vec<PoolOutcome> {
        let lately = self.0.iter().filter(|(_, pool)| now - pool.at <= OLD);
        lately.map(|(name, pool)| pool.outcome(name)).collect()
    }

    /// Those whose use grows by more than load and noise explain, corrected for their number.
    pub(super) fn growing(&self) -> impl Iterator<Item = (&str, &Gauge, GaugeGrowth)> {
        let ln_pools = (self.0.len().max(1) as f64).ln();
        self.0.iter().filter_map(move |(name, pool)| {
            let growth = pool.in_use.detector.growth_among(MIN_GROWTH, ln_pools)?;
            Some((name.as_str(), &pool.in_use, growth))
        })
    }

    /// How many of a pool there may be.
    pub(super) fn most(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.last.max.filter(|max| *max > 0.0)
    }
}

impl Pool {
    fn new(at: Millis, timing: Timing) -> Self {
        let detector = || GaugeDetector::new(|ms| timing.scaled(ms));
        Self {
            began: at,
            at,
            last: PoolReading::default(),
            peak: 0.0,
            in_use: Gauge::new(detector()),
            waiters: detector(),
            waiting_since: None,
            ever_waited: false,
            waits: Counter::default(),
            wait_seconds: Counter::default(),
            timeouts: Counter::default(),
            taken: Counter::default(),
            returned: Counter::default(),
            held_seconds: Counter::default(),
            waited_ms: timing.scaled(WAITED),
        }
    }

    fn take(&mut self, at: Millis, reading: &PoolReading) {
        // What is no number is not known.
        let mut reading = *reading;
        for (name, _) in PoolReading::default().numbers() {
            if let Some(number) = reading.number(name) {
                *number = number.filter(|value| value.is_finite() && *value >= 0.0);
            }
        }
        let waits = self.waits.push(reading.waits);
        self.wait_seconds.push(reading.wait_seconds);
        self.timeouts.push(reading.timeouts);
        self.taken.push(reading.taken);
        self.returned.push(reading.returned);
        self.held_seconds.push(reading.held_seconds);
        if let Some(in_use) = reading.in_use {
            self.peak = self.peak.max(in_use);
            self.in_use.push(at, in_use, in_use);
        }
        if let Some(waiting) = reading.waiting {
            self.waiters.push(at, waiting);
        }
        // Where nobody tells who waits now, who began to wait since the last reading did.
        let waiting = reading.waiting.map_or(waits > 0.0, |waiting| waiting > 0.0);
        self.ever_waited |= waiting || waits > 0.0;
        self.waiting_since = if waiting { self.waiting_since.or(Some(at)) } else { None };
        self.last = reading;
        self.at = at;
    }

    fn share(&self) -> Option<f64> {
        let max = self.last.max.filter(|max| *max > 0.0)?;
        Some(self.last.in_use? / max)
    }

    fn level(&self) -> PoolLevel {
        let waited = self.waiting_since.is_some_and(|since| self.at - since >= self.waited_ms);
        match self.share() {
            None => PoolLevel::Unknown,
            Some(share) if share > HIGH && waited => PoolLevel::Exhausted,
            Some(share) if share > HIGH => PoolLevel::High,
            Some(share) if share >= MID => PoolLevel::Mid,
            Some(_) => PoolLevel::Low,
        }
    }

    fn per_second(&self, counter: &Counter) -> Option<f64> {
        let seconds = (self.at - self.began) as f64 / 1000.0;
        counter.known().filter(|_| seconds > 0.0).map(|grown| grown / seconds)
    }

    fn hold_seconds(&self) -> Option<f64> {
        let (held, returned) = (self.held_seconds.known()?, self.returned.known()?);
        (returned > 0.0).then(|| held / returned)
    }

    /// Little's law, with room for the noise of random arrivals: `L + 2 sqrt(L)` of the mean number
    /// in use. Silent without both rate and hold time, with too few uses, and when somebody had to
    /// wait: then the rate is that of the pool, not of the load.
    fn need(&self) -> Option<PoolNeed> {
        let uses = self.taken.known()?.min(self.returned.known()?);
        if uses < LEAST_USES || self.at - self.began < LEAST_SPAN || self.ever_waited {
            return None;
        }
        let mean = self.per_second(&self.taken)? * self.hold_seconds()?;
        // 95 %: Poisson arrivals and exponential holds, each known to 1 / sqrt(n).
        let error = (1.96 * (2.0 / uses).sqrt()).min(1.0);
        let with_room = |mean: f64| (mean + 2.0 * mean.sqrt()).ceil().max(1.0);
        Some(PoolNeed {
            low: with_room(mean * (1.0 - error)),
            high: with_room(mean * (1.0 + error)),
        })
    }

    fn outcome(&self, name: &str) -> PoolOutcome {
        let PoolReading { in_use, idle, max, waiting, .. } = self.last;
        PoolOutcome {
            name: name.to_owned(),
            in_use,
            idle,
            max,
            waiting,
            level: self.level(),
            share: self.share(),
            peak: in_use.map(|_| self.peak),
            watched_ms: self.at - self.began,
            waiting_ms: self.waiting_since.map(|since| self.at - since),
            waits: self.waits.known(),
            wait_seconds: self.wait_seconds.known(),
            timeouts: self.timeouts.known(),
            waiters_per_minute: self.waiters.growth(MIN_GROWTH).map(|growth| growth.rate * 60.0),
            per_second: self.per_second(&self.taken),
            hold_seconds: self.hold_seconds(),
            need: self.need(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(readings: impl Iterator<Item = PoolReading>) -> PoolOutcome {
        let mut pools = Pools::default();
        for (nth, reading) in readings.enumerate() {
            pools.take(nth as Millis * 5_000, "db", &reading, Timing::new(None));
        }
        let now = pools.0.values().map(|pool| pool.at).max().unwrap();
        assert!(pools.outcomes(now + OLD + 1).is_empty());
        pools.outcomes(now).remove(0)
    }

    fn used(in_use: f64, waiting: f64) -> PoolReading {
        let (in_use, waiting) = (Some(in_use), Some(waiting));
        PoolReading { in_use, waiting, max: Some(10.0), ..PoolReading::default() }
    }

    #[test]
    fn a_full_pool_is_exhausted_only_once_somebody_has_waited_for_ten_seconds() {
        let level = |waiting: &[f64]| pool(waiting.iter().map(|&w| used(10.0, w))).level;
        assert_eq!(level(&[0.0; 20]), PoolLevel::High);
        assert_eq!(level(&[1.0, 1.0]), PoolLevel::High);
        assert_eq!(level(&[1.0, 1.0, 1.0]), PoolLevel::Exhausted);
        assert_eq!(level(&[1.0, 0.0, 1.0]), PoolLevel::High);
        assert_eq!(pool([used(6.9, 0.0)].into_iter()).level, PoolLevel::Low);
        assert_eq!(pool([used(9.0, 5.0)].into_iter()).level, PoolLevel::Mid);
        let unbounded = PoolReading { max: Some(0.0), ..used(5.0, 9.0) };
        assert_eq!(pool([unbounded].into_iter()).level, PoolLevel::Unknown);
    }

    #[test]
    fn waits_that_are_only_counted_count_as_waiting() {
        let reading = |waits: f64| {
            let (waiting, waits) = (None, Some(waits));
            PoolReading { waiting, waits, ..used(10.0, 0.0) }
        };
        let rising = pool((0..5).map(|n| reading(f64::from(n) + 100.0)));
        assert_eq!((rising.level, rising.waits), (PoolLevel::Exhausted, Some(4.0)));
        assert_eq!(pool((0..5).map(|_| reading(100.0))).level, PoolLevel::High);
    }

    #[test]
    fn counters_that_begin_anew_lose_nothing_that_was_seen() {
        let values = [100.0, 110.0, 5.0, 9.0];
        let reading = |value| PoolReading { timeouts: Some(value), ..used(1.0, 0.0) };
        assert_eq!(pool(values.into_iter().map(reading)).timeouts, Some(19.0));
    }

    #[test]
    fn what_the_load_needs_comes_with_an_interval_or_not_at_all() {
        // 20 a second, held for 0.1 s each: two in use on average.
        let reading = |n: f64| PoolReading {
            taken: Some(100.0 * n),
            returned: Some(100.0 * n),
            held_seconds: Some(10.0 * n),
            ..used(2.0, 0.0)
        };
        let told = pool((0..121).map(|n| reading(f64::from(n))));
        assert_eq!((told.per_second, told.hold_seconds), (Some(20.0), Some(0.1)));
        assert_eq!(told.need, Some(PoolNeed { low: 5.0, high: 5.0 }));
        let early = pool((0..13).map(|n| reading(f64::from(n)))).need.unwrap();
        assert!(early.low <= 5.0 && early.high >= 5.0, "{early:?}");
        // Too short, nothing measured, or somebody waited.
        assert_eq!(pool((0..5).map(|n| reading(f64::from(n)))).need, None);
        assert_eq!(pool((0..121).map(|_| used(2.0, 0.0))).need, None);
        let waited = |n| PoolReading { waiting: Some(1.0), ..reading(f64::from(n)) };
        assert_eq!(pool((0..121).map(waited)).need, None);
    }
}
