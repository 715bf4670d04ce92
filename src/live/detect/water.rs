//! Water levels of a count against its limit: marks that move with noise and measured leak rate.

use std::collections::VecDeque;

use crate::live::facts::Millis;
use crate::live::outcome::Level;

const MID_AHEAD_S: f64 = 1800.0;
const HIGH_AHEAD_S: f64 = 300.0;
const MID_CLAMP: (f64, f64) = (0.50, 0.85);
const HIGH_CLAMP: (f64, f64) = (0.75, 0.95);
const MID_NOISE: f64 = 2.0;
const NOISE_WINDOW: Millis = 60_000;
const RECENT: Millis = 30_000;
const CRITICAL_S: f64 = 120.0;
/// From here on the limit counts as reached: calls already fail or are about to.
const FULL: f64 = 0.98;

/// The last minute of a count.
#[derive(Debug, Clone, Default)]
pub struct Water {
    readings: VecDeque<(Millis, f64)>,
}

/// A level and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaterLevel {
    /// The level.
    pub level: Level,
    /// Share of the limit in use, 0 to 1.
    pub share: f64,
    /// Seconds to the limit at the upper rate of the last 30 s, when it rises.
    pub seconds_left: Option<f64>,
}

impl Water {
    /// Takes one reading.
    pub fn push(&mut self, at: Millis, value: f64) {
        self.readings.push_back((at, value));
        while self.readings.front().is_some_and(|&(t, _)| t < at - NOISE_WINDOW) {
            self.readings.pop_front();
        }
        // Whatever a recording holds, the minute stays bounded.
        if self.readings.len() > 4096 {
            self.readings.pop_front();
        }
    }

    /// The level for a limit; `rate_high` is the upper leak rate per second (0: none is known).
    pub fn level(&self, limit: u64, rate_high: f64) -> Option<WaterLevel> {
        let &(now, value) = self.readings.back()?;
        let limit = limit as f64;
        if limit <= 0.0 {
            return None;
        }
        let share = value / limit;
        let seconds_left = self.seconds_left(now, value, limit);
        let mark = |noise: f64, ahead: f64, (low, high): (f64, f64)| {
            (1.0 - (noise * self.noise() + rate_high.max(0.0) * ahead) / limit).clamp(low, high)
        };
        let level = if share >= FULL || seconds_left.is_some_and(|s| s < CRITICAL_S) {
            Level::Critical
        } else if share >= mark(0.0, HIGH_AHEAD_S, HIGH_CLAMP)
            || (share >= 0.9 && seconds_left.is_some())
        {
            Level::High
        } else if share >= mark(MID_NOISE, MID_AHEAD_S, MID_CLAMP) {
            Level::Mid
        } else {
            Level::Normal
        };
        Some(WaterLevel { level, share, seconds_left })
    }

    /// Time to the limit at the upper 95 % end of the growth of the last 30 s.
    fn seconds_left(&self, now: Millis, value: f64, limit: f64) -> Option<f64> {
        let &(then, before) = self.readings.iter().find(|r| r.0 >= now - RECENT)?;
        let growth = value - before;
        // A shorter look would take one burst for a trend.
        if growth < 1.0 || now - then < RECENT * 9 / 10 {
            return None;
        }
        let rate = (growth + 1.96 * growth.sqrt()) * 1000.0 / (now - then) as f64;
        Some(((limit - value) / rate).max(0.0))
    }

    /// Root mean square of changes, scaled to a minute, capped by the window's own spread.
    fn noise(&self) -> f64 {
        let n = self.readings.len();
        if n < 3 {
            return 0.0;
        }
        let changes: f64 = self
            .readings
            .iter()
            .zip(self.readings.iter().skip(1))
            .map(|(a, b)| (b.1 - a.1).powi(2))
            .sum();
        let rms = (changes / (n - 1) as f64).sqrt();
        let mean = self.readings.iter().map(|r| r.1).sum::<f64>() / n as f64;
        let spread =
            (self.readings.iter().map(|r| (r.1 - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        (rms * 60f64.sqrt() / 2.0).min(spread + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(values: impl Iterator<Item = f64>) -> Water {
        let mut water = Water::default();
        for (second, value) in values.enumerate() {
            water.push(second as Millis * 1000, value);
        }
        water
    }

    #[test]
    fn a_bounded_pool_near_its_limit_is_not_high_by_a_quiet_level_alone() {
        let flat = after((0..60).map(|_| 850.0));
        assert_eq!(flat.level(1000, 0.0).map(|l| l.level), Some(Level::Mid));
    }

    #[test]
    fn a_fast_rise_is_critical_long_before_the_limit() {
        let rising = after((0..60).map(|s| f64::from(s) * 10.0));
        let level = rising.level(1500, 0.0).expect("readings");
        assert_eq!(level.level, Level::Critical);
        assert!(level.seconds_left.is_some_and(|s| s < 120.0));
    }

    #[test]
    fn a_measured_leak_lowers_the_marks() {
        let flat = after((0..60).map(|_| 700.0));
        assert_eq!(flat.level(1000, 0.0).map(|l| l.level), Some(Level::Normal));
        assert_eq!(flat.level(1000, 0.2).map(|l| l.level), Some(Level::Mid));
    }
}
