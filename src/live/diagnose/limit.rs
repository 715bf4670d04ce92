//! Numbers that have come near to a limit, as a whole or by peer.

use std::collections::BTreeMap;

use super::group::{self, Key};
use super::{Handle, Match, View, say};
use crate::catalog::live::Selection;
use crate::finding::Severity;

/// Whether a process, the whole target or the host has come near to a limit; the group that holds
/// most of what counts against it is named.
pub(super) fn find(
    gauge: Option<&str>,
    of: Option<&Selection>,
    name: &str,
    percent: f64,
    view: &View<'_>,
) -> Option<Match> {
    let limit = view.limits.get(name)?;
    let most = limit.value.filter(|&most| most > 0)?;
    let held = || of.into_iter().flat_map(move |of| view.select(of));
    let (used, pid) = match (gauge, limit.used) {
        (Some(gauge), _) => {
            let numbers =
                view.processes.iter().filter_map(|(&pid, all)| Some((*all.get(gauge)?, pid)));
            let (used, pid) = numbers.max_by(|a, b| a.0.total_cmp(&b.0))?;
            (used, Some(pid))
        }
        (None, Some(used)) => (used as f64, None),
        (None, None) => (held().count() as f64, None),
    };
    let share = used * 100.0 / most as f64;
    if share < percent {
        return None;
    }
    let held: Vec<&Handle<'_>> = held().collect();
    let largest = group::split(&held, 1).into_iter().max_by_key(|(_, members)| members.len());
    let (key, members) = largest.unwrap_or_else(|| (Key::unknown(), Vec::new()));
    let mut values = BTreeMap::from([
        ("used", format!("{used:.0}")),
        ("limit", most.to_string()),
        ("double", most.saturating_mul(2).to_string()),
        ("limit_name", name.to_owned()),
        ("percent", format!("{share:.0}")),
    ]);
    if let Some(pid) = pid {
        values.insert("pid", pid.to_string());
    }
    values.extend(limit.seconds_left().map(|seconds| ("left", say::duration(seconds))));
    Some(Match {
        severity: Severity::Error,
        count: members.len() as u64,
        examples: group::examples(&members),
        worker: group::worker(&members),
        group: key,
        held_ms: None,
        values,
    })
}

/// Peers to which the handles of one local address have come near to a limit.
pub(super) fn by_peer(of: &Selection, name: &str, percent: f64, view: &View<'_>) -> Vec<Match> {
    let Some(most) = view.limits.get(name).and_then(|limit| limit.value).filter(|&most| most > 0)
    else {
        return Vec::new();
    };
    // Few in all are few to each.
    if (view.select(of).count() as f64) * 100.0 < percent * most as f64 {
        return Vec::new();
    }
    let mut by_ends: BTreeMap<(&str, Key), Vec<&Handle<'_>>> = BTreeMap::new();
    for handle in view.select(of) {
        // `10.0.0.1:40000 -> 10.0.0.7:5432`: a port is needed for each address of our own.
        let own = handle.facts.label.split(" -> ").next().unwrap_or_default();
        let Some((address, _)) = own.rsplit_once(':') else { continue };
        by_ends.entry((address, Key::of(handle.facts))).or_default().push(handle);
    }
    by_ends
        .into_iter()
        .map(|((_, key), members)| (members.len() as f64 * 100.0 / most as f64, key, members))
        .filter(|(share, ..)| *share >= percent)
        .map(|(share, group, members)| Match {
            severity: Severity::Error,
            group,
            count: members.len() as u64,
            held_ms: None,
            examples: group::examples(&members),
            worker: group::worker(&members),
            values: BTreeMap::from([
                ("limit", most.to_string()),
                ("limit_name", name.to_owned()),
                ("percent", format!("{share:.0}")),
            ]),
        })
        .collect()
}
