//! A pool that stands still while requests wait: each half alone is healthy.

use std::collections::BTreeMap;

use super::group::{self, Key};
use super::held::{GAP_SECONDS, later};
use super::{Handle, Match, View};
use crate::catalog::live::Selection;
use crate::finding::Severity;
use crate::live::facts::{Activity, Millis};

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
        let (mut waiting, mut answered) = (0_u64, 0_u64);
        for request in view.select(asked.requests) {
            let flow = &request.facts.flow;
            // One that is awake has had data in this moment: it has not waited.
            if request.facts.activity == Activity::Awake {
                continue;
            }
            // One that came in the same moment may be the other end of the pool itself.
            let came = flow.received.filter(|&at| at > still_since + view.ms(GAP_SECONDS));
            if flow.sent.is_some_and(|at| at > still_since) {
                answered += 1;
            } else if came
                .is_some_and(|at| later(at, flow.sent, 0) && view.now - at >= asked.least_ms)
            {
                waiting += 1;
            }
        }
        if waiting >= asked.count && answered == 0 {
            found.push(Match {
                severity: Severity::Error,
                count: members.len() as u64,
                held_ms: Some(still),
                examples: group::examples(&members),
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
        let flow = &handle.facts.flow;
        // To the millisecond where it is known; a request may come within the same bucket.
        let last = flow.sent.max(flow.received).unwrap_or(silent);
        latest = latest.max(last).max(handle.entered.unwrap_or(Millis::MIN));
    }
    (latest > Millis::MIN).then_some(latest)
}
