//! What is held at one moment: the facts up to it, applied to a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::census::path;
use super::facts::{
    Activity, Change, Fact, HandleFacts, HandleId, Millis, SourceStatus, TargetFacts, TargetId,
};

/// Most handles kept; what comes later is counted.
const MAX_HANDLES: usize = 2_000_000;
/// Most texts about the surroundings kept.
const MAX_TEXTS: usize = 4096;

/// One handle that is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// By which target.
    pub target: TargetId,
    /// When we first saw it.
    pub seen: Millis,
    /// It was there before we came.
    pub pre: bool,
    /// What it is.
    pub facts: HandleFacts,
}

/// A process that holds something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name. Untrusted text.
    pub name: String,
    /// The number in its fd table.
    pub fd: u32,
}

/// How much a source delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// How it fares.
    pub status: SourceStatus,
    /// Why it is not `Ok`; empty when there is nothing to say.
    pub reason: String,
}

/// Everything that is held, and what was read beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// Event time of the last fact.
    pub now: Millis,
    /// Who holds.
    pub targets: BTreeMap<TargetId, TargetFacts>,
    /// What is held, in the order in which it appeared.
    pub handles: BTreeMap<HandleId, Held>,
    /// Numbers of whole targets, by name.
    pub gauges: BTreeMap<(TargetId, String), f64>,
    /// What was true of the surroundings, by name. Untrusted text.
    pub environment: BTreeMap<(TargetId, String), String>,
    /// How the sources fared, by name.
    pub sources: BTreeMap<(TargetId, String), SourceState>,
    /// Handles that did not fit.
    pub left_out: u64,
}

/// One group of handles, whatever is said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCount {
    /// Names from the kind down. Untrusted text.
    pub path: Vec<String>,
    /// Handles held now.
    pub now: usize,
    /// Births seen; a lower bound where handles live for less than a beat.
    pub opened: u64,
    /// Deaths seen; a lower bound, too.
    pub closed: u64,
    /// Counts over the watch for a sparkline, oldest first, at most 60.
    pub history: Vec<f64>,
}

/// Handles of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members {
    /// The first of them.
    pub handles: Vec<Held>,
    /// How many there are.
    pub total: usize,
}

/// How old a handle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// The kernel tells, or we saw it appear.
    Exactly(Millis),
    /// It was there before us; something happened on it so long ago.
    AtLeast(Millis),
    /// It was there before us, and nothing tells.
    Unknown,
}

impl Inventory {
    /// Takes in one fact.
    pub fn apply(&mut self, fact: Fact) {
        self.now = fact.at().map_or(self.now, |at| at.max(self.now));
        match fact {
            Fact::Target { target, facts } => {
                self.targets.insert(target, *facts);
            }
            Fact::Open { at, target, id, pre, facts, .. } => {
                if self.handles.len() < MAX_HANDLES || self.handles.contains_key(&id) {
                    let mut facts = Arc::unwrap_or_clone(facts);
                    // Whether a thread runs is told by two looks; the first takes it for awake.
                    if &*facts.kind == "thread" && pre {
                        facts.activity = Activity::Unseen;
                    }
                    self.handles.insert(id, Held { target, seen: at, pre, facts });
                } else {
                    self.left_out += 1;
                }
            }
            Fact::Change { id, change, .. } => {
                if let Some(held) = self.handles.get_mut(&id) {
                    match change {
                        Change::Activity(activity) => held.facts.activity = activity,
                        Change::State(state) => held.facts.state = state,
                        Change::Place(facts) => held.facts = Arc::unwrap_or_clone(facts),
                        Change::Flow(flow) => held.facts.flow = Some(flow),
                        Change::InheritedBy(child) => held.facts.inherited_by = child,
                        Change::Stack(_) | Change::Poll(_) | Change::OpenedBy(_) => {}
                    }
                }
            }
            Fact::Close { id, .. } => {
                self.handles.remove(&id);
            }
            Fact::Gauge { target, pid: None, name, value, .. } => {
                self.number(target, name.to_string(), value);
            }
            Fact::Tally { target, kind, group, count, proved, .. } => {
                let leaked = if proved { "leaked " } else { "" };
                let name = format!("{leaked}{kind} > {}", group.join(" > "));
                self.number(target, name, count as f64);
            }
            Fact::Pool { target, name, reading, .. } => {
                for (number, value) in reading.numbers() {
                    if let Some(value) = value {
                        self.number(target, format!("pool {name}: {number}"), value);
                    }
                }
            }
            Fact::Environment { target, name, text, .. } => {
                if self.environment.len() < MAX_TEXTS {
                    self.environment.insert((target, name.to_string()), text.to_string());
                }
            }
            Fact::Source { target, name, status, reason, .. } => {
                let state = SourceState { status, reason: reason.to_string() };
                self.sources.insert((target, name.to_string()), state);
            }
            Fact::Gauge { .. }
            | Fact::Limit { .. }
            | Fact::TimeWait { .. }
            | Fact::Connections { .. }
            | Fact::Opener { .. }
            | Fact::Openings { .. }
            | Fact::FailedCall { .. }
            | Fact::Lifecycle { .. } => {}
        }
    }

    fn number(&mut self, target: TargetId, name: String, value: f64) {
        if self.gauges.len() < MAX_TEXTS || self.gauges.contains_key(&(target, name.clone())) {
            self.gauges.insert((target, name), value);
        }
    }
}

impl Held {
    /// Its group, from the kind down: `socket > tcp client > 10.0.0.7:5432 > CLOSE_WAIT`.
    pub fn group(&self) -> String {
        path::of(&self.facts).join(" > ")
    }

    /// For how long nothing has happened on it; `None`: not known, or something just did.
    pub fn idle(&self, now: Millis) -> Option<Millis> {
        match self.facts.activity {
            Activity::SilentSince(since) => Some((now - since).max(0)),
            Activity::Awake => Some(0),
            Activity::Unseen => None,
        }
    }

    /// How old it is, as far as that is known.
    pub fn age(&self, now: Millis) -> Age {
        if let Some(born) = self.facts.born.as_deref().copied() {
            return Age::Exactly((now - born).max(0));
        }
        if !self.pre {
            return Age::Exactly((now - self.seen).max(0));
        }
        let flow = self.facts.flow();
        let past = [flow.sent, flow.received, flow.heard, flow.waiting_since];
        let oldest = past.into_iter().flatten().chain(match self.facts.activity {
            Activity::SilentSince(since) => Some(since),
            Activity::Awake | Activity::Unseen => None,
        });
        oldest.min().map_or(Age::Unknown, |oldest| Age::AtLeast((now - oldest).max(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::facts::Flow;

    fn open(id: u64, pre: bool) -> Fact {
        let facts = Arc::new(HandleFacts::of_kind("socket"));
        let (target, id) = (TargetId(0), HandleId(id));
        Fact::Open { at: 1000, target, id, pre, start_up: false, facts }
    }

    #[test]
    fn one_look_does_not_tell_whether_a_thread_runs() {
        let mut inventory = Inventory::default();
        let activity = Activity::Awake;
        let facts = Arc::new(HandleFacts { activity, ..HandleFacts::of_kind("thread") });
        let (target, id) = (TargetId(0), HandleId(1));
        inventory.apply(Fact::Open { at: 0, target, id, pre: true, start_up: false, facts });
        assert_eq!(inventory.handles[&id].idle(9000), None);
        let change = Change::Activity(Activity::SilentSince(5000));
        inventory.apply(Fact::Change { at: 9000, id, change });
        assert_eq!(inventory.handles[&id].idle(9000), Some(4000));
    }

    #[test]
    fn what_is_open_at_the_end_is_held() {
        let mut inventory = Inventory::default();
        let flow = Flow { sent: Some(-500), ..Flow::default() };
        for fact in [
            open(1, true),
            open(2, false),
            open(3, true),
            Fact::Change { at: 2000, id: HandleId(1), change: Change::Flow(Arc::new(flow)) },
            Fact::Change { at: 2000, id: HandleId(9), change: Change::State("x".into()) },
            Fact::Close { at: 4000, id: HandleId(3) },
        ] {
            inventory.apply(fact);
        }
        let ages: Vec<_> = inventory.handles.values().map(|held| held.age(4000)).collect();
        assert_eq!(ages, [Age::AtLeast(4500), Age::Exactly(3000)]);
        assert_eq!(inventory.now, 4000);
    }
}
