//! A pool that stands still while requests wait: each half alone is healthy.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{self, Key};
use super::held::later;
use super::{Handle, Match, View};
use crate::catalog::live::Selection;
use crate::finding::Severity;
use crate::live::facts::{Activity, Millis};

/// The kernel's clocks go in steps of up to 10 ms, and reading thousands of sockets takes some more:
/// what lies closer together may have happened in either order.
const CLOCK_MS: Millis = 30;

/// What is looked for.
pub(super) struct Asked<'r> {
    pub(super) pool: &'r Selection,
    pub(super) requests: &'r Selection,
    pub(super) least: u64,
    pub(super) count: u64,
    pub(super) least_ms: Millis,
}

/// Pools whose connections are all silent and none of them new, while requests that cannot hold
/// one of them are not answered, and none that came later was.
pub(super) fn find(asked: &Asked<'_>, view: &View<'_>) -> Vec<Match> {
    // On one that is awake data has just flowed.
    let quiet = |handle: &&Handle<'_>| handle.facts.activity != Activity::Awake;
    let requests: Vec<&Handle<'_>> = view.select(asked.requests).filter(quiet).collect();
    // Since when a request waits.
    let came = |handle: &&Handle<'_>| {
        let flow = handle.facts.flow();
        flow.received.filter(|&at| later(at, flow.sent, 0) && view.now - at >= asked.least_ms)
    };
    if (requests.iter().filter_map(came).count() as u64) < asked.count {
        return Vec::new();
    }
    let mut pools: BTreeMap<Key, Vec<&Handle<'_>>> = BTreeMap::new();
    for handle in view.select(asked.pool) {
        pools.entry(Key::of(handle.facts)).or_default().push(handle);
    }
    let mut found = Vec::new();
    for (key, members) in pools {
        let Some(used) = last_uses(&members) else { continue };
        let Some(still) = used.last().map(|&last| view.now - last) else { continue };
        if (used.len() as u64) < asked.least || still < asked.least_ms {
            continue;
        }
        // The other ends of the pool, where they are in the target, too, are no requests.
        let own: BTreeSet<_> = members.iter().filter_map(|handle| ends(handle)).collect();
        let is_request =
            |handle: &&Handle<'_>| ends(handle).is_none_or(|(a, b)| !own.contains(&(b, a)));
        let mut since: Vec<Millis> = Vec::new();
        let mut answered = None;
        for handle in requests.iter().filter(|handle| is_request(handle)) {
            let flow = handle.facts.flow();
            let waits = came(handle);
            since.extend(waits);
            // That one which waits was greeted before is no answer to a request.
            if waits.is_none() || !flow.opening {
                answered = answered.max(flow.sent);
            }
        }
        since.sort_unstable();
        let waiting = waiting(&used, &since, answered);
        if waiting >= asked.count {
            found.push(Match {
                severity: Severity::Error,
                count: used.len() as u64,
                held_ms: Some(still),
                examples: group::examples(&members),
                worker: group::worker(&members),
                group: key,
                values: BTreeMap::from([("waiting", waiting.to_string())]),
            });
        }
    }
    found
}

/// How many of the requests that came at these times cannot hold a connection of the pool whose
/// connections were last used at those; both in order.
///
/// What came after the last use of all waits. Of what came before, each connection may be out for
/// one; what is left waits, if every connection can be out, and not just at rest: it was used after
/// a request of its own came, and nothing was answered since the first of them.
fn waiting(used: &[Millis], came: &[Millis], answered: Option<Millis>) -> u64 {
    let Some(&still_since) = used.last() else { return 0 };
    let answered_since = |at: Millis| answered.is_some_and(|answered| answered > at);
    // Who holds a connection may have been answered with what came on it.
    let surely_still = still_since + CLOCK_MS;
    if answered_since(surely_still) {
        return 0;
    }
    let (before, after) = came.split_at(came.partition_point(|&at| at <= surely_still));
    let all_out = before.len() > used.len()
        && before.iter().zip(used).all(|(&came, &used)| came <= used + CLOCK_MS)
        && before.first().is_some_and(|&first| !answered_since(first));
    let left = if all_out { before.len() - used.len() } else { 0 };
    (after.len() + left) as u64
}

/// When each connection was last used, in order: data flowed, or it came about. `None` when one is
/// in use, or shows nothing.
fn last_uses(members: &[&Handle<'_>]) -> Option<Vec<Millis>> {
    let last = |handle: &&Handle<'_>| {
        let Activity::SilentSince(silent) = handle.facts.activity else { return None };
        let flow = handle.facts.flow();
        // To the millisecond where it is known; a request may come within the same bucket.
        let last = flow.sent.max(flow.received).unwrap_or(silent);
        Some(handle.entered.map_or(last, |entered| entered.max(last)))
    };
    let mut used = members.iter().map(last).collect::<Option<Vec<Millis>>>()?;
    used.sort_unstable();
    Some(used)
}

/// Its own address and that of the other end: `10.0.0.1:40000 -> 10.0.0.7:5432`.
fn ends<'h>(handle: &&'h Handle<'_>) -> Option<(&'h str, &'h str)> {
    handle.facts.label.split_once(" -> ")
}
