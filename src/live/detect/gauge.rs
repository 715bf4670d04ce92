//! The fall-back for plain counts and sizes without identities: floors under the growth bet.
//!
//! A count that rises is weak evidence, so the most this says is `suspect`. Floors (minima of
//! blocks) see through saw-teeth that are shorter than a block.

use super::engine::GrowthBet;
use crate::live::facts::Millis;

const BLOCK_MS: Millis = 20_000;
/// Floors kept; the older half is thinned out beyond that.
const MAX_FLOORS: usize = 512;
const LN_E_SUSPECT: f64 = 2.995_732_273_553_991; // ln 20
const MIN_GROWTH_TIME: Millis = 300_000;
const MIN_LATER_HALF: f64 = 0.4;
const MAX_DRAW_DOWN: f64 = 0.25;

/// Growth of a gauge that has no identities.
#[derive(Debug, Clone)]
pub struct GaugeDetector {
    block: Millis,
    min_growth_time: Millis,
    current: Option<(Millis, f64)>,
    floors: Vec<(Millis, f64)>,
    bet: GrowthBet,
}

/// What the floors say when they grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeGrowth {
    /// Natural logarithm of the growth e-value.
    pub ln_e: f64,
    /// Since when, event time.
    pub onset: Millis,
    /// From the onset's floor to the last.
    pub growth: f64,
    /// Per second: Theil-Sen slope of the floors, with its quartiles of pairwise slopes.
    pub rate: f64,
    /// Lower quartile.
    pub rate_low: f64,
    /// Upper quartile.
    pub rate_high: f64,
}

impl GaugeDetector {
    /// A detector whose times are scaled like everything else: `scale` turns default times.
    pub fn new(scale: impl Fn(Millis) -> Millis) -> Self {
        Self {
            block: scale(BLOCK_MS),
            min_growth_time: scale(MIN_GROWTH_TIME),
            current: None,
            floors: Vec::new(),
            bet: GrowthBet::default(),
        }
    }

    /// Takes one reading.
    pub fn push(&mut self, at: Millis, value: f64) {
        let block = at.div_euclid(self.block);
        match &mut self.current {
            Some((current, floor)) if *current == block => *floor = floor.min(value),
            _ => {
                if let Some((old, floor)) = self.current.replace((block, value)) {
                    self.close_block((old + 1) * self.block, floor);
                }
            }
        }
    }

    fn close_block(&mut self, at: Millis, floor: f64) {
        if let Some(&(_, last)) = self.floors.last() {
            self.bet.step(floor - last);
        }
        self.floors.push((at, floor));
        if self.floors.len() > MAX_FLOORS {
            let mut index = 0;
            self.floors.retain(|_| {
                index += 1;
                index > MAX_FLOORS / 2 || index % 2 == 1
            });
        }
    }

    /// The growth, if it is more than load and noise explain; `min_growth` is the smallest that
    /// counts, in the gauge's unit.
    pub fn growth(&self, min_growth: f64) -> Option<GaugeGrowth> {
        self.growth_among(min_growth, 0.0)
    }

    /// The same for one of several that are looked at: `ln_number` is the natural logarithm of how
    /// many they are (Bonferroni).
    pub fn growth_among(&self, min_growth: f64, ln_number: f64) -> Option<GaugeGrowth> {
        let least = self.floors.iter().map(|f| f.1).fold(f64::INFINITY, f64::min);
        let start = self.floors.iter().rposition(|f| f.1 <= least)?;
        let rising = &self.floors[start..];
        let (&(onset, first), &(end, last)) = (rising.first()?, rising.last()?);
        let growth = last - first;
        let ln_e = self.bet.ln_e();
        if ln_e < LN_E_SUSPECT + ln_number
            || end - onset < self.min_growth_time
            || growth < min_growth
        {
            return None;
        }
        let middle = onset + (end - onset) / 2;
        let half = rising.iter().rfind(|f| f.0 <= middle)?.1;
        let mut peak = first;
        let mut draw_down = 0.0_f64;
        for &(_, floor) in rising {
            peak = peak.max(floor);
            draw_down = draw_down.max(peak - floor);
        }
        if (last - half) / growth < MIN_LATER_HALF || draw_down > MAX_DRAW_DOWN * growth {
            return None;
        }
        let (rate_low, rate, rate_high) = slopes(rising);
        Some(GaugeGrowth { ln_e, onset, growth, rate, rate_low, rate_high })
    }
}

/// Lower quartile, median and upper quartile of the pairwise slopes, per second.
fn slopes(points: &[(Millis, f64)]) -> (f64, f64, f64) {
    let stride = points.len() / 64 + 1;
    let thinned: Vec<_> = points.iter().step_by(stride).collect();
    let mut slopes: Vec<f64> = Vec::new();
    for (i, a) in thinned.iter().enumerate() {
        for b in &thinned[i + 1..] {
            slopes.push((b.1 - a.1) * 1000.0 / (b.0 - a.0).max(1) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (slopes.len() as f64 * share) as usize;
        slopes.get(index.min(slopes.len().saturating_sub(1))).copied().unwrap_or(0.0)
    };
    (at(0.25), at(0.5), at(0.75))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: impl Fn(Millis) -> f64) -> Option<GaugeGrowth> {
        let mut detector = GaugeDetector::new(|ms| ms);
        for second in 0..600 {
            detector.push(second * 1000, value(second));
        }
        detector.growth(5.0)
    }

    #[test]
    fn a_steady_rise_is_seen_with_its_rate() {
        let growth = run(|s| 100.0 + s as f64 * 0.5).expect("grows");
        assert!((growth.rate - 0.5).abs() < 0.01, "{growth:?}");
    }

    #[test]
    fn flat_and_plateau_and_sawtooth_are_not() {
        assert_eq!(run(|_| 100.0), None);
        assert_eq!(run(|s| 100.0 + (s.min(120)) as f64), None);
        assert_eq!(run(|s| 100.0 + (s % 15) as f64 * 10.0), None);
    }
}
