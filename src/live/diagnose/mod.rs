//! Diagnoses: what is wrong now, by predicates over facts; the named patterns are rules (data).
//!
//! Everything here is a pure function of a [`View`], so that one sample, a live watch and a replay
//! say the same.

mod group;
mod held;
mod limit;
mod number;
mod peer;
mod pool;
mod say;
mod skew;
mod starved;
#[cfg(test)]
mod tests;
mod turnover;

use std::collections::BTreeMap;

pub(super) use say::{duration, raise};

use crate::catalog::live::{LiveRule, Predicate, Selection, rules};
use crate::finding::Severity;
use crate::live::census::Turnover;
use crate::live::facts::{HandleFacts, Millis, Poll};
use crate::live::outcome::{Diagnosis, LimitOutcome, PoolOutcome};

/// Most diagnoses of one rule; the ones about most handles stay.
const PER_RULE: usize = 5;

/// What is known of a target at one moment.
#[derive(Debug)]
pub struct View<'a> {
    /// Event time.
    pub now: Millis,
    /// When the watch of this target began.
    pub origin: Millis,
    /// Everything that is held.
    pub handles: Handles<'a>,
    /// What came and went lately.
    pub turnovers: Vec<Turnover<'a>>,
    /// For how long that is.
    pub lately_ms: Millis,
    /// Connections to each peer that ended within the last minute, whoever had opened them.
    pub time_wait: &'a BTreeMap<String, u64>,
    /// Its processes, root first.
    pub pids: &'a [u32],
    /// Latest gauges of the whole target.
    pub gauges: BTreeMap<&'a str, f64>,
    /// Latest gauges by process.
    pub processes: &'a BTreeMap<u32, BTreeMap<String, f64>>,
    /// Limits by name.
    pub limits: &'a BTreeMap<String, LimitOutcome>,
    /// Pools that tell how they fare.
    pub pools: Vec<PoolOutcome>,
    /// The stated longest life of a handle over the default one.
    pub scale: f64,
}

/// Handles by kind: a rule is about a few kinds only.
#[derive(Debug, Default)]
pub struct Handles<'a>(BTreeMap<&'a str, Vec<Handle<'a>>>);

impl<'a> FromIterator<Handle<'a>> for Handles<'a> {
    fn from_iter<I: IntoIterator<Item = Handle<'a>>>(handles: I) -> Self {
        let mut by_kind: BTreeMap<&str, Vec<Handle<'_>>> = BTreeMap::new();
        for handle in handles {
            by_kind.entry(&*handle.facts.kind).or_default().push(handle);
        }
        Self(by_kind)
    }
}

/// One handle.
#[derive(Debug, Clone, Copy)]
pub struct Handle<'a> {
    /// What it is.
    pub facts: &'a HandleFacts,
    /// When it entered its present place; `None`: before we came.
    pub entered: Option<Millis>,
    /// Until when its source is complete: what is late is not younger for it.
    pub now: Millis,
    /// How it fares, if it is a task of which that was told.
    pub poll: Option<&'a Poll>,
}

/// What a predicate found, before it is put into words.
#[derive(Debug, Clone, PartialEq)]
struct Match {
    severity: Severity,
    group: group::Key,
    count: u64,
    held_ms: Option<Millis>,
    examples: Vec<String>,
    /// Of several processes, the one that holds most of them, and how many.
    worker: Option<(u32, u64)>,
    /// Values of the references that only this predicate knows.
    values: BTreeMap<&'static str, String>,
}

/// All diagnoses, the worst first.
pub fn diagnose(view: &View<'_>) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = rules().iter().flat_map(|rule| by_rule(rule, view)).collect();
    found.sort_by_key(|diagnosis| std::cmp::Reverse(diagnosis.severity));
    found
}

fn by_rule(rule: &LiveRule, view: &View<'_>) -> Vec<Diagnosis> {
    let mut matches = match &rule.when {
        Predicate::Held { of, wait, seconds, count, note_count, note_seconds } => {
            let asked = held::Asked {
                of,
                wait: *wait,
                least_ms: view.ms(*seconds),
                count: *count,
                note_count: *note_count,
                note_ms: view.ms(note_seconds.unwrap_or(*seconds)),
            };
            held::find(&asked, view)
        }
        Predicate::Amount { of, count, bytes, note_count, note_bytes, per_thread } => {
            let asked = held::Amount {
                of,
                count: *count,
                bytes: *bytes,
                note_count: *note_count,
                note_bytes: *note_bytes,
                per_thread: *per_thread,
            };
            held::amount(&asked, view).into_iter().collect()
        }
        Predicate::Limit { gauge, of, limit, percent } => {
            limit::find(gauge.as_deref(), of.as_ref(), limit, *percent, view).into_iter().collect()
        }
        Predicate::PeerLimit { of, limit, percent } => limit::by_peer(of, limit, *percent, view),
        Predicate::Starved { pool, requests, least, count, seconds } => {
            let asked = starved::Asked {
                pool,
                requests,
                least: *least,
                count: *count,
                least_ms: view.ms(*seconds),
            };
            starved::find(&asked, view)
        }
        Predicate::Turnover { of, per_minute, note_per_minute, seen } => {
            let asked = turnover::Asked {
                of,
                per_minute: *per_minute,
                note_per_minute: *note_per_minute,
                seen: *seen,
            };
            turnover::find(&asked, view)
        }
        Predicate::PoolExhausted { percent, seconds } => {
            pool::exhausted(*percent, view.ms(*seconds), view)
        }
        Predicate::PoolWaiters { per_minute } => pool::waiters(*per_minute, view),
        Predicate::PoolOversized { percent, least, seconds } => {
            pool::oversized(*percent, *least, view.ms(*seconds), view)
        }
        Predicate::Number { gauge, least, of, among } => {
            number::find(gauge, *least, of, *among, view).into_iter().collect()
        }
        Predicate::Skew { of, among, least, count, percent } => {
            let asked =
                skew::Asked { of, among: *among, least: *least, count: *count, percent: *percent };
            skew::find(&asked, view)
        }
    };
    matches.sort_by_key(|found| std::cmp::Reverse((found.severity, found.count)));
    matches.truncate(PER_RULE);
    matches.into_iter().filter_map(|found| say::diagnosis(rule, found, view)).collect()
}

impl<'a> View<'a> {
    /// The handles that a rule is about.
    fn select<'s>(&'s self, of: &'s Selection) -> impl Iterator<Item = &'s Handle<'a>> {
        let kinds = of.kinds.iter().filter_map(|kind| self.handles.0.get(&**kind));
        kinds.flatten().filter(|handle| selects(of, handle.facts))
    }

    /// All handles of a kind.
    fn of_kind<'s>(&'s self, kind: &str) -> impl Iterator<Item = &'s Handle<'a>> {
        self.handles.0.get(kind).into_iter().flatten()
    }

    /// Seconds of a rule as milliseconds in the scale of this watch.
    fn ms(&self, seconds: f64) -> Millis {
        (seconds * 1000.0 * self.scale) as Millis
    }
}

fn selects(of: &Selection, facts: &HandleFacts) -> bool {
    let any = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
    any(&of.roles, &facts.role)
        && any(&of.peers, &facts.peer)
        && any(&of.states, &facts.state)
        && (!of.inherited || facts.inherited_by.is_some())
}
