//! The rule for one sample: what a single look at idle times can say of a long-running process.
//!
//! A pool's idle handles fell silent lately or all at start-up; handles that were forgotten one by
//! one fell silent all over the life of the process.

use crate::live::facts::Millis;

/// The process must have run for this long, milliseconds.
pub const MIN_UPTIME: Millis = 3_600_000;
const MIN_STALE: usize = 12;
const BINS: usize = 20;
const MIN_BINS: usize = 10;
const MIN_LONG_SHARE: f64 = 0.35;

/// What the rule saw when it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpreadOfSilence {
    /// Handles idle for longer than the age.
    pub stale: usize,
    /// Of 20 equal parts of the uptime, in how many one of them fell silent.
    pub bins: usize,
    /// Share of them that has been idle for over half of the uptime.
    pub long_share: f64,
    /// Longest silence, milliseconds.
    pub longest: Millis,
}

/// Applies the rule to the silences (milliseconds each) of one group's handles.
pub fn spread_of_silence(
    silences: &[Millis],
    age: Millis,
    uptime: Millis,
) -> Option<SpreadOfSilence> {
    if uptime < MIN_UPTIME {
        return None;
    }
    let stale: Vec<Millis> =
        silences.iter().copied().filter(|&s| s >= age).map(|s| s.min(uptime)).collect();
    if stale.len() < MIN_STALE {
        return None;
    }
    let mut seen = [false; BINS];
    for silence in &stale {
        let bin = usize::try_from(silence * BINS as Millis / uptime).unwrap_or(0).min(BINS - 1);
        seen[bin] = true;
    }
    let bins = seen.iter().filter(|&&b| b).count();
    let long = stale.iter().filter(|&&s| s > uptime / 2).count();
    let long_share = long as f64 / stale.len() as f64;
    (bins >= MIN_BINS && long_share >= MIN_LONG_SHARE).then(|| SpreadOfSilence {
        stale: stale.len(),
        bins,
        long_share,
        longest: stale.iter().copied().max().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Millis = 86_400_000;

    #[test]
    fn handles_forgotten_all_over_the_uptime_are_noticed() {
        let silences: Vec<Millis> = (1..=40).map(|i| i * DAY / 41).collect();
        assert_eq!(spread_of_silence(&silences, 95_000, DAY).map(|s| s.stale), Some(40));
    }

    #[test]
    fn pools_are_not() {
        let start_up = vec![DAY - 2_000; 50];
        assert_eq!(spread_of_silence(&start_up, 95_000, DAY), None);
        let keep_alive: Vec<Millis> = (0..200).map(|i| i * 450).collect();
        assert_eq!(spread_of_silence(&keep_alive, 95_000, DAY), None);
        let young: Vec<Millis> = (1..=40).map(|i| i * 80_000).collect();
        assert_eq!(spread_of_silence(&young, 95_000, 3_500_000), None);
    }
}
