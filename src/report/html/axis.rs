//! Axes: round steps for numbers, bytes and times, and where their ticks stand.

use serde::Serialize;

use crate::report::number::grouped;

/// Steps of time that people count in, seconds.
const TIME_STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];

/// What numbers on an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Handles and other things that are counted.
    Count,
    /// Bytes, shown in the binary unit that suits the greatest.
    Bytes,
}

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tick {
    /// Where it stands, in units of the picture.
    pub(super) at: f64,
    /// Its number.
    pub(super) label: String,
}

/// An axis over a range of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Value at the beginning.
    pub(super) low: f64,
    /// Value at the end.
    pub(super) high: f64,
    /// Ticks by value, with their labels.
    ticks: Vec<(f64, String)>,
    /// Unit of the labels.
    pub(super) unit: &'static str,
}

impl Axis {
    /// One for values from `low` to `high`. Counts begin at 0, so that noise looks like noise; bytes
    /// do unless all lie far above.
    pub(super) fn of_values(low: f64, high: f64, unit: Unit) -> Self {
        let (by, name) = match unit {
            Unit::Count => (1.0, ""),
            Unit::Bytes => binary(high),
        };
        let (low, high) = (low / by, high / by);
        let from = match unit {
            Unit::Bytes if low > high * 0.6 && high > low => low - (high - low),
            _ => low.min(0.0),
        };
        let step = round_up((high - from).max(1e-3) / 4.0);
        let step = if unit == Unit::Count { step.max(1.0) } else { step };
        let first = (from / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        let ticks: Vec<(f64, String)> = (0..=(last - first).clamp(1.0, 12.0) as u32)
            .map(|nth| (first + f64::from(nth)) * step)
            .map(|value| (value * by, number(value, step)))
            .collect();
        let end = ticks.last().map_or(high * by, |tick| tick.0);
        Self { low: first * step * by, high: end, ticks, unit: name }
    }

    /// One for times from 0 to `seconds`.
    pub(super) fn of_time(seconds: f64) -> Self {
        let seconds = seconds.max(1.0);
        let wanted = seconds / 5.0;
        let step = TIME_STEPS.into_iter().find(|&step| step >= wanted);
        let step = step.unwrap_or_else(|| round_up(wanted / 86_400.0) * 86_400.0);
        let (by, unit) = match step {
            step if step < 60.0 => (1.0, "s"),
            step if step < 3_600.0 => (60.0, "min"),
            step if step < 86_400.0 => (3_600.0, "h"),
            _ => (86_400.0, "d"),
        };
        let count = (seconds / step).floor().clamp(1.0, 12.0) as u32;
        let ticks =
            (0..=count).map(f64::from).map(|nth| (nth * step, number(nth * step / by, step / by)));
        Self { low: 0.0, high: seconds, ticks: ticks.collect(), unit }
    }

    /// Where a value stands on a line from `from` to `to`; what lies outside stands at its end.
    pub(super) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE);
        tenth(from + share.clamp(0.0, 1.0) * (to - from))
    }

    /// The ticks on a line from `from` to `to`.
    pub(super) fn ticks(&self, from: f64, to: f64) -> Vec<Tick> {
        let within = self.ticks.iter().filter(|tick| tick.0 <= self.high);
        within
            .map(|(at, label)| Tick { at: self.place(*at, from, to), label: label.clone() })
            .collect()
    }
}

/// Rounded to a tenth: finer places cannot be seen.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The next of 1, 2, 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&s| s >= value)
        .unwrap_or(10.0 * power)
}

fn binary(value: f64) -> (f64, &'static str) {
    let units = [(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")];
    units.into_iter().rev().find(|unit| value.abs() >= unit.0).unwrap_or((1.0, "B"))
}

/// A number with as many decimals as tell it from its neighbours a step away.
fn number(value: f64, step: f64) -> String {
    let decimals = if step.fract() == 0.0 { 0.0 } else { (-step.log10().floor()).clamp(0.0, 6.0) };
    if decimals == 0.0 && (1_000.0..1e15).contains(&value) {
        return grouped(value.round() as u64);
    }
    format!("{value:.0$}", decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks(0.0, 100.0).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn steps_are_round() {
        let axis = Axis::of_values(3.0, 23.0, Unit::Count);
        assert_eq!(labels(&axis), ["0", "10", "20", "30"]);
        assert_eq!(labels(&Axis::of_values(0.0, 0.0, Unit::Count)), ["0", "1"]);
        let axis = Axis::of_values(0.0, 3.0 * 1_048_576.0, Unit::Bytes);
        assert_eq!(
            (labels(&axis), axis.unit),
            (["0", "1", "2", "3"].map(str::to_owned).into(), "MiB")
        );
        let axis = Axis::of_values(0.0, 9_000.0, Unit::Count);
        assert_eq!(labels(&axis), ["0", "5,000", "10,000"]);
    }

    #[test]
    fn bytes_that_lie_close_together_are_told_apart() {
        let axis = Axis::of_values(1_000.0, 1_010.0, Unit::Bytes);
        assert!(axis.low > 900.0 && axis.high >= 1_010.0, "{axis:?}");
        let labels = labels(&axis);
        assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
        assert_eq!(Axis::of_values(1_000.0, 1_010.0, Unit::Count).low, 0.0);
    }

    #[test]
    fn times_have_the_unit_of_their_step() {
        let axis = Axis::of_time(600.0);
        assert_eq!(
            (labels(&axis), axis.unit),
            (["0", "2", "4", "6", "8", "10"].map(str::to_owned).into(), "min")
        );
        assert_eq!(Axis::of_time(86_400.0 * 400.0).unit, "d");
        assert_eq!(Axis::of_time(0.0).ticks(0.0, 10.0).len(), 2);
    }

    #[test]
    fn places_stay_on_the_line() {
        let axis = Axis::of_values(0.0, 10.0, Unit::Count);
        for value in [-1e300, 0.0, 5.0, 1e300, f64::NAN] {
            let at = axis.place(value, 20.0, 120.0);
            assert!(at.is_nan() || (20.0..=120.0).contains(&at));
        }
        assert_eq!(axis.place(5.0, 100.0, 0.0), 50.0);
    }
}
