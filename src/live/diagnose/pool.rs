//! Pools that tell how they fare: exhausted, ever more who wait, larger than anything they were used
//! for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::Key;
use super::{Match, View, say};
use crate::finding::Severity;
use crate::live::facts::Millis;
use crate::live::outcome::PoolOutcome;

/// Pools so full for so long, while somebody waits at each look.
pub(super) fn exhausted(percent: f64, least_ms: Millis, view: &View<'_>) -> Vec<Match> {
    let full = |pool: &&PoolOutcome| pool.share.is_some_and(|share| share * 100.0 > percent);
    let waits = |pool: &PoolOutcome| pool.waiting_ms.filter(|&waited| waited >= least_ms);
    view.pools.iter().filter(full).filter_map(|pool| found(pool, Some(waits(pool)?))).collect()
}

/// Pools for which ever more wait.
pub(super) fn waiters(per_minute: f64, view: &View<'_>) -> Vec<Match> {
    let grows =
        |pool: &&PoolOutcome| pool.waiters_per_minute.is_some_and(|rate| rate >= per_minute);
    view.pools.iter().filter(grows).filter_map(|pool| found(pool, pool.waiting_ms)).collect()
}

/// Pools of at least `least` of which no more than a part was ever in use at a look, and no more is
/// needed where that was measured. One that was never used tells nothing.
pub(super) fn oversized(percent: f64, least: f64, least_ms: Millis, view: &View<'_>) -> Vec<Match> {
    let large = |pool: &&PoolOutcome| {
        let Some(max) = pool.max.filter(|&max| max >= least) else { return false };
        let enough = max * percent / 100.0;
        let used = pool.peak.is_some_and(|peak| peak >= 1.0 && peak <= enough);
        let waited = pool.waits.is_some_and(|waits| waits > 0.0) || pool.waiting_ms.is_some();
        let fits = pool.need.is_none_or(|need| need.high <= enough);
        used && fits && !waited && pool.watched_ms >= least_ms
    };
    let pools = view.pools.iter().filter(large);
    pools.filter_map(|pool| found(pool, Some(pool.watched_ms))).collect()
}

fn found(pool: &PoolOutcome, held_ms: Option<Millis>) -> Option<Match> {
    let in_use = pool.in_use?;
    let none: Arc<str> = Arc::from("");
    let mut values = BTreeMap::from([
        ("used", format!("{in_use:.0}")),
        // Where waits are only counted, nobody knows how many there are.
        (
            "waiting",
            match pool.waiting {
                Some(waiting) => format!("{waiting:.0} callers"),
                None => "callers".to_owned(),
            },
        ),
    ]);
    values.extend(pool.max.map(|max| ("limit", format!("{max:.0}"))));
    values.extend(pool.share.map(|share| ("percent", format!("{:.0}", share * 100.0))));
    values.extend(pool.peak.map(|peak| ("peak", format!("{peak:.0}"))));
    values.extend(pool.waiters_per_minute.map(|rate| ("rate", format!("{rate:.1}"))));
    if let (Some(need), Some(rate), Some(hold)) = (pool.need, pool.per_second, pool.hold_seconds) {
        let load = format!("{rate:.1} a second, each for {}", say::duration(hold));
        values.insert("load", load);
        values.insert("need", format!("{:.0} to {:.0}", need.low, need.high));
    }
    Some(Match {
        severity: Severity::Error,
        group: Key {
            kind: "pool".into(),
            role: none.clone(),
            peer: pool.name.as_str().into(),
            state: none,
        },
        count: in_use as u64,
        held_ms,
        examples: Vec::new(),
        worker: None,
        values,
    })
}
