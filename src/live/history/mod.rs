//! What a watch saw over time, for charts: facts and changes of findings, folded in bounded memory.

mod series;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use series::{Cell, Series};

use super::census::path;
use super::facts::{Change, Fact, HandleId, Millis, TargetId};
use super::inventory::Inventory;
use super::outcome::{ChangeKind, Changes};
use crate::finding::Verdict;

/// Targets whose past is kept.
const MAX_TARGETS: usize = 256;
/// Series kept of one target, and of all.
const MAX_SERIES: usize = 256;
const MAX_ALL_SERIES: usize = 4_096;
/// Findings whose verdicts are kept, of one target, and how many verdicts of each.
const MAX_FINDINGS: usize = 256;
const MAX_STEPS: usize = 64;

/// The past of all targets, and what is held in the end.
#[derive(Debug, Default)]
pub struct History {
    /// What is held.
    pub inventory: Inventory,
    /// The past of each target.
    pub targets: BTreeMap<TargetId, Past>,
    /// Series and verdicts that did not fit.
    pub left_out: u64,
    origin: Option<Millis>,
    series: usize,
}

/// The past of one target.
#[derive(Debug, Default)]
pub struct Past {
    /// Numbers of the whole target by name; the unit is in the name.
    pub gauges: BTreeMap<String, Series>,
    /// Handles held by group, from the kind down. Untrusted text.
    pub groups: BTreeMap<Vec<Arc<str>>, Series>,
    /// The verdicts of each finding, by its id.
    pub findings: BTreeMap<String, Verdicts>,
}

/// The verdicts of one finding over time.
#[derive(Debug)]
pub struct Verdicts {
    /// The resource that it is about.
    pub resource: String,
    /// Its group, from the kind down; empty for a total.
    pub path: Vec<String>,
    /// What was said from when on, oldest first.
    pub steps: Vec<(Millis, Verdict)>,
}

impl History {
    /// Takes in the facts of one step and what judgement made of them.
    pub fn take(&mut self, facts: &[Fact], changes: &Changes) {
        for fact in facts {
            self.fact(fact);
        }
        for change in &changes.findings {
            let Some(past) = past(&mut self.targets, change.target) else {
                self.left_out += 1;
                continue;
            };
            let resource = &change.resource;
            if past.findings.len() >= MAX_FINDINGS && !past.findings.contains_key(&resource.id) {
                self.left_out += 1;
                continue;
            }
            let verdicts = past.findings.entry(resource.id.clone()).or_insert_with(|| Verdicts {
                resource: resource.resource.clone(),
                path: resource.kind.iter().chain(&resource.group).cloned().collect(),
                steps: Vec::new(),
            });
            let verdict = match change.what {
                ChangeKind::Cleared => Verdict::Stable,
                ChangeKind::Opened | ChangeKind::Changed => resource.verdict,
            };
            if verdicts.steps.len() < MAX_STEPS {
                verdicts.steps.push((change.at, verdict));
            } else {
                self.left_out += 1;
            }
        }
    }

    fn fact(&mut self, fact: &Fact) {
        if let Some(at) = fact.at() {
            self.origin.get_or_insert(at);
        }
        // A handle leaves its groups and enters those of what it has become.
        let moves = match fact {
            Fact::Open { id, .. }
            | Fact::Close { id, .. }
            | Fact::Change { id, change: Change::State(_) | Change::Place(_), .. } => Some(*id),
            Fact::Gauge { at, target, pid: None, name, value } => {
                self.gauge(*at, *target, name, *value);
                None
            }
            _ => None,
        };
        if let Some(id) = moves {
            self.count(id, -1.0);
        }
        self.inventory.apply(fact.clone());
        if let Some(id) = moves {
            self.count(id, 1.0);
        }
    }

    fn gauge(&mut self, at: Millis, target: TargetId, name: &str, value: f64) {
        let origin = self.origin();
        let Some(past) = past(&mut self.targets, target) else { return self.left_out += 1 };
        if let Some(series) = past.gauges.get_mut(name) {
            return series.push(at, value);
        }
        if past.series() >= MAX_SERIES || self.series >= MAX_ALL_SERIES {
            return self.left_out += 1;
        }
        self.series += 1;
        let mut series = Series::new(origin);
        series.push(at, value);
        past.gauges.insert(name.to_owned(), series);
    }

    /// A handle enters or leaves every group on its path, if it is known.
    fn count(&mut self, id: HandleId, by: f64) {
        let Some(held) = self.inventory.handles.get(&id) else { return };
        let path = path::of(&held.facts);
        let origin = self.origin();
        let Some(past) = past(&mut self.targets, held.target) else { return self.left_out += 1 };
        for depth in 1..=path.len() {
            let path = &path[..depth];
            if !past.groups.contains_key(path) {
                if past.series() >= MAX_SERIES || self.series >= MAX_ALL_SERIES {
                    self.left_out += u64::from(by > 0.0);
                    return;
                }
                self.series += 1;
                past.groups.insert(path.to_vec(), Series::new(origin));
            }
            if let Some(series) = past.groups.get_mut(path) {
                let now = (series.last().unwrap_or(0.0) + by).max(0.0);
                // Births are told with their true time, which may be earlier than what was told.
                series.step(self.inventory.now, now);
            }
        }
    }

    /// Event time of the first fact.
    pub fn origin(&self) -> Millis {
        self.origin.unwrap_or(0)
    }

    /// Levels hold their last value until `now`.
    pub fn finish(&mut self, now: Millis) {
        for past in self.targets.values_mut() {
            for series in past.groups.values_mut() {
                if let Some(last) = series.last() {
                    series.step(now, last);
                }
            }
        }
    }
}

impl Past {
    fn series(&self) -> usize {
        self.gauges.len() + self.groups.len()
    }
}

/// The past of a target, a new one if there is room.
fn past(targets: &mut BTreeMap<TargetId, Past>, target: TargetId) -> Option<&mut Past> {
    if targets.len() >= MAX_TARGETS && !targets.contains_key(&target) {
        return None;
    }
    Some(targets.entry(target).or_default())
}

#[cfg(test)]
mod tests {
    use super::super::facts::HandleFacts;
    use super::*;

    fn open(at: Millis, id: u64, state: &str) -> Fact {
        let facts = HandleFacts {
            role: "tcp client".into(),
            peer: "10.0.0.7:5432".into(),
            state: state.into(),
            ..HandleFacts::of_kind("socket")
        };
        let (target, id) = (TargetId(0), HandleId(id));
        Fact::Open { at, target, id, pre: false, start_up: false, facts: Arc::new(facts) }
    }

    fn last(history: &History, path: &[&str]) -> Option<f64> {
        let path: Vec<Arc<str>> = path.iter().map(|&name| name.into()).collect();
        history.targets[&TargetId(0)].groups.get(&path).and_then(Series::last)
    }

    #[test]
    fn handles_are_counted_in_every_group_on_their_path() {
        let mut history = History::default();
        let state = Change::State("CLOSE_WAIT".into());
        history.take(
            &[
                open(0, 1, "ESTABLISHED"),
                open(0, 2, "ESTABLISHED"),
                open(0, 2, "ESTABLISHED"),
                Fact::Change { at: 5_000, id: HandleId(1), change: state },
                Fact::Close { at: 9_000, id: HandleId(2) },
                Fact::Close { at: 9_000, id: HandleId(7) },
            ],
            &Changes::default(),
        );
        history.finish(20_000);
        let peer = ["socket", "tcp client", "10.0.0.7:5432"];
        assert_eq!(last(&history, &peer), Some(1.0));
        assert_eq!(last(&history, &[&peer[..], &["ESTABLISHED"]].concat()), Some(0.0));
        assert_eq!(last(&history, &[&peer[..], &["CLOSE_WAIT"]].concat()), Some(1.0));
        let past = &history.targets[&TargetId(0)];
        let sockets = past.groups.values().next().expect("the kind");
        assert_eq!((sockets.peak(), sockets.cells().count()), (Some(2.0), 41));
    }

    #[test]
    fn ten_thousand_peers_take_bounded_memory() {
        let mut history = History::default();
        for id in 0..10_000 {
            let facts =
                HandleFacts { peer: format!("peer {id}").into(), ..HandleFacts::of_kind("socket") };
            let (target, id) = (TargetId(0), HandleId(id));
            let facts = Arc::new(facts);
            let open = Fact::Open { at: 0, target, id, pre: true, start_up: false, facts };
            history.take(&[open], &Changes::default());
        }
        assert_eq!(history.targets[&TargetId(0)].groups.len(), MAX_SERIES);
        assert_eq!(history.left_out, 10_001 - MAX_SERIES as u64);
        assert_eq!(last(&history, &["socket"]), Some(10_000.0));
    }
}
