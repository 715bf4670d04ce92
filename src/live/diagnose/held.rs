//! Handles that have been in a state, or have waited for something, for long enough.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{self, Key};
use super::{Handle, Match, View};
use crate::catalog::live::{Selection, Wait};
use crate::finding::Severity;
use crate::live::facts::{Activity, Flow, Millis, Poll};

/// Sent or received so much later than the other way is an order, not the end of one exchange:
/// protocols with windows and pings answer an answer within moments.
pub(super) const GAP_SECONDS: f64 = 1.0;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// How many, or how much, is looked for.
pub(super) struct Amount<'r> {
    pub(super) of: &'r Selection,
    pub(super) count: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) note_count: Option<u64>,
    pub(super) note_bytes: Option<u64>,
    /// …and so many for each thread.
    pub(super) per_thread: Option<f64>,
}

/// What is looked for.
pub(super) struct Asked<'r> {
    pub(super) of: &'r Selection,
    pub(super) wait: Wait,
    pub(super) least_ms: Millis,
    pub(super) count: u64,
    pub(super) note_count: Option<u64>,
    pub(super) note_ms: Millis,
}

/// The groups in which enough handles have waited long enough.
pub(super) fn find(asked: &Asked<'_>, view: &View<'_>) -> Vec<Match> {
    let answering = if asked.wait == Wait::Reply { answering(view) } else { BTreeSet::new() };
    let for_ms = |handle: &Handle<'_>, least: Millis| {
        waited(handle, asked.wait, view).is_some_and(|waited| waited >= least)
    };
    let waiting: Vec<&Handle<'_>> = view
        .select(asked.of)
        .filter(|handle| asked.wait != Wait::Reply || answering.contains(&Key::of(handle.facts)))
        .filter(|handle| for_ms(handle, asked.note_ms))
        .collect();
    let mut found = Vec::new();
    for (key, members) in group::split(&waiting, asked.count) {
        let long = members.iter().copied().filter(|handle| for_ms(handle, asked.least_ms));
        let long: Vec<&Handle<'_>> = long.collect();
        let (severity, members) = if long.len() as u64 >= asked.count {
            (Severity::Error, long)
        } else if asked.note_count.is_some_and(|least| members.len() as u64 >= least) {
            (Severity::Note, members)
        } else {
            continue;
        };
        // What all of them have in common: the youngest has waited for so long.
        let held = members.iter().filter_map(|handle| waited(handle, asked.wait, view)).min();
        found.push(Match {
            severity,
            group: key,
            count: members.len() as u64,
            held_ms: held,
            examples: group::examples(&members),
            worker: group::worker(&members),
            values: waited_for(&members, asked.wait),
        });
    }
    found
}

/// Handles that are many, or large.
pub(super) fn amount(asked: &Amount<'_>, view: &View<'_>) -> Option<Match> {
    let members: Vec<&Handle<'_>> = view.select(asked.of).collect();
    // Two entries may lead to one file.
    let mut seen = BTreeSet::new();
    let total: u64 = members
        .iter()
        .filter(|handle| handle.facts.inode.is_none_or(|inode| seen.insert(inode)))
        .filter_map(|handle| handle.facts.bytes.as_deref().copied())
        .fold(0, u64::saturating_add);
    let number = members.len() as u64;
    let threads = view.gauges.get("threads").copied();
    if let Some(times) = asked.per_thread
        && threads.is_none_or(|threads| number as f64 <= threads * times)
    {
        return None;
    }
    let enough = asked.count.is_some_and(|least| number >= least)
        || asked.bytes.is_some_and(|least| total >= least);
    let noted = asked.note_count.is_some_and(|least| number >= least)
        || asked.note_bytes.is_some_and(|least| total >= least);
    let severity = match (enough, noted) {
        (true, _) => Severity::Error,
        (false, true) => Severity::Note,
        (false, false) => return None,
    };
    let largest = members.iter().max_by_key(|handle| handle.facts.bytes.as_deref())?;
    let mut values = BTreeMap::from([("bytes", format!("{:.1} GiB", total as f64 / GIB))]);
    values.extend(threads.map(|threads| ("threads", format!("{threads:.0}"))));
    let child = members.iter().find_map(|handle| handle.facts.inherited_by);
    values.extend(child.map(|child| ("child", child.to_string())));
    Some(Match {
        severity,
        group: Key::of(largest.facts),
        count: number,
        held_ms: None,
        examples: group::examples(&[largest]),
        worker: group::worker(&members),
        values,
    })
}

/// Groups of which at least one member was ever sent something by its peer.
fn answering(view: &View<'_>) -> BTreeSet<Key> {
    let answered = |handle: &&Handle<'_>| handle.facts.flow().received.is_some();
    view.of_kind("socket").filter(answered).map(|handle| Key::of(handle.facts)).collect()
}

/// For how long a handle has waited at least.
fn waited(handle: &Handle<'_>, wait: Wait, view: &View<'_>) -> Option<Millis> {
    since(handle, wait, view).map(|since| handle.now - since)
}

/// Since when a handle has waited, at the latest; `None` when it does not, or nobody knows.
pub(super) fn since(handle: &Handle<'_>, wait: Wait, view: &View<'_>) -> Option<Millis> {
    let facts = handle.facts;
    if let Wait::Yield | Wait::Waker | Wait::Rest | Wait::Turn = wait {
        return handle.poll.and_then(|poll| of_task(poll, wait));
    }
    let flow = facts.flow();
    let gap = view.ms(GAP_SECONDS);
    match wait {
        Wait::Connect => Some(handle.entered.unwrap_or_else(|| {
            // Repeated after a second or more each time.
            let tried = view.now - Millis::from(flow.retries.unwrap_or(0)) * 1000;
            tried.min(view.origin)
        })),
        Wait::Accept => {
            let full = flow.unread.zip(flow.unsent).is_some_and(|(now, most)| now >= most.max(1));
            flow.waiting_since.filter(|_| full)
        }
        // While data flows nothing else is known.
        _ if facts.activity == Activity::Awake => None,
        Wait::State => Some(in_state(handle, view)),
        Wait::Silent => match facts.activity {
            Activity::SilentSince(since) => Some(since),
            Activity::Awake | Activity::Unseen => None,
        },
        Wait::Reply => flow.sent.filter(|&sent| later(sent, flow.received, gap)),
        Wait::Answer => flow.received.filter(|&received| later(received, flow.sent, gap)),
        Wait::Read => flow.received.filter(|_| flow.unread.is_some_and(|bytes| bytes > 0)),
        Wait::Taken => flow.sent.filter(|_| flow.unsent.is_some_and(|bytes| bytes > 0)),
        Wait::Yield | Wait::Waker | Wait::Rest | Wait::Turn => None,
    }
}

/// Since when a task fares as it does.
fn of_task(poll: &Poll, wait: Wait) -> Option<Millis> {
    match wait {
        Wait::Yield => poll.running_since,
        Wait::Waker => poll.lost_since,
        Wait::Rest => poll.spinning_since,
        Wait::Turn => poll.stuck_since,
        _ => None,
    }
}

/// Whether one time is later than the other by more than the gap, or the other never was.
pub(super) fn later(time: Millis, other: Option<Millis>, gap: Millis) -> bool {
    other.is_none_or(|other| time - other > gap)
}

/// Since when it is in its state: as we saw it, else as the last sign from outside tells.
fn in_state(handle: &Handle<'_>, view: &View<'_>) -> Millis {
    let Flow { heard, .. } = handle.facts.flow();
    let entered = handle.entered.or(heard).unwrap_or(view.origin);
    match handle.facts.activity {
        // Data flowed in this state.
        Activity::SilentSince(since) => entered.max(since),
        Activity::Awake | Activity::Unseen => entered,
    }
}

/// What they wait for: the queue of the one handle that is full, what most of the tasks want.
fn waited_for(members: &[&Handle<'_>], wait: Wait) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::new();
    let fullest = members.iter().max_by_key(|handle| handle.facts.flow().unread);
    if wait == Wait::Accept
        && let Some(Flow { unread: Some(waiting), unsent: Some(most), .. }) =
            fullest.map(|handle| handle.facts.flow())
    {
        values.insert("waiting", waiting.to_string());
        values.insert("limit", most.to_string());
    }
    if wait == Wait::Turn {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for name in members.iter().filter_map(|handle| handle.poll?.waits_for.as_deref()) {
            *names.entry(name).or_default() += 1;
        }
        let most = names.into_iter().max_by_key(|(_, count)| *count);
        values.extend(most.map(|(name, _)| ("waits_for", name.to_owned())));
    }
    values
}
