//! Metrics of pools that tell how they fare.

use std::cmp::Reverse;

use super::exposition::{Description, counter, gauge};
use super::watch::{MOST, Of};
use crate::live::outcome::{PoolLevel, PoolOutcome, TargetOutcome};

/// All of them, by the label `pool`.
pub(super) const ALL: [Description; 11] = [
    gauge("pool_in_use", "Connections (threads, permits) of a pool that are taken now"),
    gauge("pool_idle", "Those that are there and free"),
    gauge("pool_max", "How many there may be"),
    gauge("pool_waiting", "Callers that wait for one now"),
    gauge("pool_used_ratio", "Share of the maximum that is in use, 0 to 1"),
    gauge(
        "pool_level",
        "0 below 70 %, 1 from 70 %, 2 above 90 %, 3 above 90 % and somebody waits since 10 s",
    ),
    gauge("pool_waiting_seconds", "For how long somebody has waited at each look"),
    gauge("pool_hold_seconds", "For how long one is held, on average since the watch began"),
    counter("pool_waits", "How often somebody had to wait since the watch began"),
    counter("pool_wait_seconds", "For how long in all"),
    counter("pool_timeouts", "How often a wait ended with an error"),
];

/// Adds the pools of a target, the fullest first; gives how many are left out.
pub(super) fn add(of: &mut Of<'_>, target: &TargetOutcome) -> usize {
    let mut pools: Vec<&PoolOutcome> = target.pools.iter().collect();
    // Of equals the first by name: which ones are told changes as rarely as can be.
    pools.sort_by_key(|pool| (Reverse(pool.level), pool.name.as_str()));
    for pool in pools.iter().take(MOST) {
        let level = match pool.level {
            PoolLevel::Unknown => None,
            PoolLevel::Low => Some(0.0),
            PoolLevel::Mid => Some(1.0),
            PoolLevel::High => Some(2.0),
            PoolLevel::Exhausted => Some(3.0),
        };
        for (metric, value) in [
            ("pool_in_use", pool.in_use),
            ("pool_idle", pool.idle),
            ("pool_max", pool.max),
            ("pool_waiting", pool.waiting),
            ("pool_used_ratio", pool.share),
            ("pool_level", level),
            ("pool_waiting_seconds", pool.waiting_ms.map(|ms| ms as f64 / 1000.0)),
            ("pool_hold_seconds", pool.hold_seconds),
            ("pool_waits", pool.waits),
            ("pool_wait_seconds", pool.wait_seconds),
            ("pool_timeouts", pool.timeouts),
        ] {
            if let Some(value) = value {
                of.add(metric, &[("pool", &pool.name)], value);
            }
        }
    }
    pools.len().saturating_sub(MOST)
}
