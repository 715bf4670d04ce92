//! Pools as water levels: what is taken, what is free, who waits.

use std::cmp::Reverse;

use serde::Serialize;

use super::axis::tenth;
use crate::live::outcome::{PoolLevel, PoolOutcome};
use crate::report::number::{duration, grouped, short};

/// Pools shown of one target.
const ROWS: usize = 100;

/// The pools of a target.
#[derive(Serialize)]
pub(super) struct Pools {
    rows: Vec<Row>,
    left_out: String,
}

/// One pool.
#[derive(Serialize)]
struct Row {
    /// Untrusted text.
    name: String,
    level: &'static str,
    /// What the level says, in words.
    meaning: &'static str,
    /// `None`: use or maximum are not told.
    water: Option<Water>,
    in_use: String,
    idle: String,
    max: String,
    waiting: String,
    peak: String,
    waits: String,
    timeouts: String,
    held: String,
    need: String,
}

/// The bar: percent of the maximum.
#[derive(Serialize)]
struct Water {
    used: f64,
    /// Free ones stand behind those that are taken.
    idle: f64,
    label: String,
}

/// What the program does not say of itself.
const UNTOLD: &str = "-";

impl Pools {
    /// The fullest first.
    pub(super) fn of(pools: &[PoolOutcome]) -> Self {
        let mut ranked: Vec<&PoolOutcome> = pools.iter().collect();
        ranked.sort_by_key(|pool| (Reverse(pool.level), pool.name.as_str()));
        let rows = ranked.iter().take(ROWS).map(|pool| row(pool)).collect();
        let left_out = match ranked.len().saturating_sub(ROWS) {
            0 => String::new(),
            more => format!("{} more pools are left out: the emptiest.", grouped(more as u64)),
        };
        Self { rows, left_out }
    }
}

fn row(pool: &PoolOutcome) -> Row {
    let told = |value: Option<f64>| value.map_or_else(|| UNTOLD.to_owned(), short);
    Row {
        name: pool.name.clone(),
        level: pool.level.as_str(),
        meaning: match pool.level {
            PoolLevel::Unknown => "use or maximum are not told",
            PoolLevel::Low => "below 70 %",
            PoolLevel::Mid => "70 to 90 %",
            PoolLevel::High => "above 90 %; no alarm while nobody waits for it",
            PoolLevel::Exhausted => "above 90 %, and somebody waited at each look for 10 s",
        },
        water: water(pool),
        in_use: told(pool.in_use),
        idle: told(pool.idle),
        max: told(pool.max),
        waiting: match (pool.waiting, pool.waiting_ms) {
            (waiting, Some(ms)) => {
                let who = waiting.map_or_else(|| "some".to_owned(), short);
                format!("{who}, for {}", duration(ms as f64 / 1000.0))
            }
            (waiting, None) => told(waiting),
        },
        peak: told(pool.peak),
        waits: match (pool.waits, pool.wait_seconds) {
            (Some(waits), Some(seconds)) => {
                format!("{}, {} in all", short(waits), duration(seconds))
            }
            (None, Some(seconds)) => format!("{} in all", duration(seconds)),
            (waits, None) => told(waits),
        },
        timeouts: told(pool.timeouts),
        held: pool.hold_seconds.map_or_else(|| UNTOLD.to_owned(), duration),
        need: pool.need.map_or_else(
            || "-".to_owned(),
            |need| format!("{} to {}", short(need.low), short(need.high)),
        ),
    }
}

fn water(pool: &PoolOutcome) -> Option<Water> {
    let max = pool.max.filter(|max| *max > 0.0)?;
    let share = pool.share.filter(|share| share.is_finite())?;
    let used = (share * 100.0).clamp(0.0, 100.0);
    let idle = pool.idle.map_or(0.0, |idle| idle / max * 100.0);
    Some(Water {
        used: tenth(used),
        idle: tenth(if idle.is_finite() { idle.clamp(0.0, 100.0 - used) } else { 0.0 }),
        label: format!("{} % in use", short(share * 100.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn levels_have_their_words_and_bars_stay_within_their_frame() {
        let full = samples::pool();
        let other = |level, in_use: Option<f64>, max, idle| PoolOutcome {
            level,
            in_use,
            max,
            idle,
            share: in_use.zip(max).map(|(in_use, max): (f64, f64)| in_use / max),
            waiting: None,
            waiting_ms: None,
            ..samples::pool()
        };
        let pools = Pools::of(&[
            other(PoolLevel::Low, Some(2.0), Some(10.0), Some(50.0)),
            other(PoolLevel::Unknown, None, Some(10.0), None),
            other(PoolLevel::High, Some(30.0), Some(10.0), Some(f64::NAN)),
            full,
        ]);
        let levels: Vec<&str> = pools.rows.iter().map(|row| row.level).collect();
        assert_eq!(levels, ["exhausted", "high", "low", "unknown"]);
        let bars: Vec<Option<(f64, f64)>> =
            pools.rows.iter().map(|r| r.water.as_ref().map(|w| (w.used, w.idle))).collect();
        let bar = |used, idle| Some((used, idle));
        assert_eq!(bars, [bar(100.0, 0.0), bar(100.0, 0.0), bar(20.0, 80.0), None]);
        assert_eq!(
            (&*pools.rows[0].waiting, &*pools.rows[0].waits),
            ("7, for 45 s", "13.5 min in all")
        );
        assert_eq!(
            (pools.rows[1].waiting.as_str(), pools.rows[3].in_use.as_str()),
            (UNTOLD, UNTOLD)
        );
        let many: Vec<PoolOutcome> = (0..ROWS + 7).map(|_| samples::pool()).collect();
        assert!(Pools::of(&many).left_out.starts_with("7 more"));
    }
}
