//! Connections that are opened and closed again at such a rate that one would do for many.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::{self, Key};
use super::{Handle, Match, View};
use crate::catalog::live::Selection;
use crate::finding::Severity;
use crate::live::census::Turnover;
use crate::live::facts::Activity;

/// Of the births seen, so many in ten are gone again where nothing is kept.
const GONE_IN_TEN: u64 = 9;

/// What is looked for.
pub(super) struct Asked<'r> {
    pub(super) of: &'r Selection,
    pub(super) per_minute: f64,
    pub(super) note_per_minute: f64,
    /// So many births are seen at least: those between two looks are not.
    pub(super) seen: u64,
}

/// Peers to which connections are opened and closed again.
///
/// That it is this process is told by births under our eyes; how many they are also by what the
/// kernel keeps of ended connections, whoever had opened them. With one look there are no births:
/// a process that holds connections to such a peer, all of them in use, gets a note.
pub(super) fn find(asked: &Asked<'_>, view: &View<'_>) -> Vec<Match> {
    let minutes = view.lately_ms as f64 / 60_000.0;
    let mut rates: BTreeMap<Key, (f64, bool)> = BTreeMap::new();
    for turnover in &view.turnovers {
        if !fits(asked.of, turnover) {
            continue;
        }
        let ended = view.time_wait.get(&**turnover.peer).map_or(0.0, |&count| count as f64);
        let seen = turnover.opened as f64 / minutes;
        let own =
            turnover.opened >= asked.seen && turnover.closed * 10 >= turnover.opened * GONE_IN_TEN;
        rates.insert(key(turnover), (if own { seen.max(ended) } else { 0.0 }, own));
    }
    if view.now == view.origin {
        for handle in view.select(asked.of) {
            let key = Key::of(handle.facts);
            let ended = view.time_wait.get(&*handle.facts.peer).map_or(0.0, |&count| count as f64);
            // Who keeps a connection that is silent is not the one who makes them anew.
            let kept = handle.facts.activity != Activity::Awake;
            let (rate, _) = rates.entry(key).or_insert((ended, false));
            *rate = if kept { 0.0 } else { *rate };
        }
    }
    let mut found = Vec::new();
    for (key, (rate, own)) in rates {
        let severity = if own && rate >= asked.per_minute {
            Severity::Error
        } else if rate >= if own { asked.note_per_minute } else { asked.per_minute } {
            Severity::Note
        } else {
            continue;
        };
        let held: Vec<&Handle<'_>> =
            view.select(asked.of).filter(|handle| Key::of(handle.facts) == key).collect();
        found.push(Match {
            severity,
            count: held.len() as u64,
            held_ms: None,
            examples: group::examples(&held),
            worker: None,
            group: key,
            values: BTreeMap::from([("rate", format!("{rate:.0}"))]),
        });
    }
    found
}

fn fits(of: &Selection, turnover: &Turnover<'_>) -> bool {
    let any = |names: &[String], name: &str| names.iter().any(|known| known == name);
    any(&of.kinds, turnover.kind) && any(&of.roles, turnover.role)
}

fn key(turnover: &Turnover<'_>) -> Key {
    Key {
        kind: Arc::clone(turnover.kind),
        role: Arc::clone(turnover.role),
        peer: Arc::clone(turnover.peer),
        state: Arc::from(""),
    }
}
