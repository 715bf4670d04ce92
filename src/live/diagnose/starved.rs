//! A pool that stands still while requests wait: each half alone is healthy.

use std::collections::BTreeMap;

use super::group::{self, Key};
use super::held::{GAP_SECONDS, later};
use super::{Handle, Match, View};
use crate::catalog::live::Selection;
use crate::finding::Severity;
use crate::live::facts::{Activity, Flow, Millis};

/// What is looked for.
pub(super) struct Asked<'r> {
    pub(super) pool: &'r Selection,
    pub(super) requests: &'r Selection,
    pub(super) least: u64,
    pub(super) count: u64,
    pub(super) least_ms: Millis,
}

/// Pools whose connections are all silent and none of them new, while requests that came later are
/// not answered, and none that came later was.
pub(super) fn find(asked: &Asked<'_>, view: &View<'_>) -> Vec<Match> {
    // Since when each request waits; on one that is awake data has just flowed.
    let quiet = |handle: &&Handle<'_>| handle.facts.activity != Activity::Awake;
    let requests: Vec<Flow> =
        view.select(asked.requests).filter(quiet).map(|handle| handle.facts.flow()).collect();
    let waits_since = |flow: &Flow| {
        flow.received.filter(|&at| later(at, flow.sent, 0) && view.now - at >= asked.least_ms)
    };
    if (requests.iter().filter(|flow| waits_since(flow).is_some()).count() as u64) < asked.count {
        return Vec::new();
    }
    let mut pools: BTreeMap<Key, Vec<&Handle<'_>>> = BTreeMap::new();
    for handle in view.select(asked.pool) {
        pools.entry(Key::of(handle.facts)).or_default().push(handle);
    }
    let mut found = Vec::new();
    for (key, members) in pools {
        let Some(still_since) = still_since(&members) else { continue };
        let still = view.now - still_since;
        if (members.len() as u64) < asked.least || still < asked.least_ms {
            continue;
        }
        // One that came in the same moment may be the other end of the pool itself.
        let after = still_since + view.ms(GAP_SECONDS);
        let came = requests.iter().filter(|flow| waits_since(flow).is_some_and(|at| at > after));
        let waiting = came.count() as u64;
        let answered = requests.iter().any(|flow| flow.sent.is_some_and(|at| at > still_since));
        if waiting >= asked.count && !answered {
            found.push(Match {
                severity: Severity::Error,
                count: members.len() as u64,
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

/// Since when nothing has happened on any of them: no data, and no connection came. `None` when
/// one is in use, or shows nothing.
fn still_since(members: &[&Handle<'_>]) -> Option<Millis> {
    let mut latest = Millis::MIN;
    for handle in members {
        let Activity::SilentSince(silent) = handle.facts.activity else { return None };
        let flow = handle.facts.flow();
        // To the millisecond where it is known; a request may come within the same bucket.
        let last = flow.sent.max(flow.received).unwrap_or(silent);
        latest = latest.max(last).max(handle.entered.unwrap_or(Millis::MIN));
    }
    (latest > Millis::MIN).then_some(latest)
}
