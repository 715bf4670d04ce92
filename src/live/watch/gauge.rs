//! A number over time: its last value, its growth, its noise, and a short history to draw.

use crate::live::detect::gauge::GaugeDetector;
use crate::live::detect::water::Water;
use crate::live::facts::Millis;

/// Values kept for a sparkline.
const HISTORY: usize = 60;

/// A gauge of the whole target, and of its fullest process.
#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) value: f64,
    pub(super) fullest: f64,
    pub(super) detector: GaugeDetector,
    pub(super) water: Water,
    pub(super) history: Vec<f64>,
    stride: u32,
    skipped: u32,
}

impl Gauge {
    /// One before its first value.
    pub(super) fn new(detector: GaugeDetector) -> Self {
        Self {
            value: 0.0,
            fullest: 0.0,
            detector,
            water: Water::default(),
            history: Vec::new(),
            stride: 1,
            skipped: 0,
        }
    }

    /// Takes a value, and that of the fullest process.
    pub(super) fn push(&mut self, at: Millis, value: f64, fullest: f64) {
        self.value = value;
        self.fullest = fullest;
        self.detector.push(at, value);
        self.water.push(at, fullest);
        self.skipped += 1;
        if self.skipped >= self.stride {
            self.skipped = 0;
            self.history.push(value);
            if self.history.len() > HISTORY {
                self.history = self.history.iter().copied().step_by(2).collect();
                self.stride = self.stride.saturating_mul(2);
            }
        }
    }
}
