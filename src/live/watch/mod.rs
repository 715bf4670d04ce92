//! The pure step: facts in, changes of findings out; live watching and replay run this very code.

mod browse;
mod connections;
mod exhaustion;
mod explain;
mod gauge;
mod openers;
mod pools;
mod select;
mod standing;
mod standing_diagnoses;
mod tallies;
mod target;
mod timeline;
mod together;

use std::collections::{BTreeMap, HashMap};

use crate::finding::Verdict;
use crate::live::detect::scale::Timing;
use crate::live::facts::{Fact, HandleId, Millis, TargetId};
use crate::live::outcome::{Changes, Cost, Outcome};
pub use openers::Wanted;
use target::TargetWatch;

/// Most targets of one watch.
const MAX_TARGETS: usize = 1024;

/// What a watch is told at its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The longest normal life of a handle in this service, milliseconds; `None`: per kind.
    pub lifetime_ms: Option<Millis>,
    /// Wall clock at event time 0, milliseconds since the Unix epoch.
    pub wall_start_ms: Option<i64>,
    /// A watch over very many targets with this beat: it computes less (docs/prometheus.md).
    pub frugal_beat_ms: Option<Millis>,
}

impl Settings {
    /// The timing of judgement.
    pub fn timing(&self) -> Timing {
        let timing = Timing::new(self.lifetime_ms);
        self.frugal_beat_ms.map_or(timing, |beat| timing.frugal(beat))
    }
}

/// The state of judgement over any number of targets.
#[derive(Debug)]
pub struct Watch {
    settings: Settings,
    timing: Timing,
    targets: BTreeMap<TargetId, TargetWatch>,
    /// Who holds a handle, and on which of its lines.
    owners: HashMap<HandleId, (TargetId, u8)>,
    now: Millis,
    origin: Option<Millis>,
    late: u64,
    dropped: u64,
    beats: u64,
    last_beats: (Option<Millis>, Millis),
}

impl Watch {
    /// A watch before its first fact.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            timing: settings.timing(),
            targets: BTreeMap::new(),
            owners: HashMap::new(),
            now: 0,
            origin: None,
            late: 0,
            dropped: 0,
            beats: 0,
            last_beats: (None, 0),
        }
    }

    /// The timing in force.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Takes facts in their order and judges whenever the watermark of a target advances.
    ///
    /// The result depends on the order of the facts alone, not on how they are cut into calls: so
    /// a replay, which knows no ticks, ends with the findings of the live run.
    pub fn step(&mut self, facts: &[Fact]) -> Changes {
        let mut changes = Changes::default();
        for fact in facts {
            self.take(fact);
            if let Fact::Source { target, .. } = fact
                && let Some(watch) = self.targets.get_mut(target)
            {
                watch.advance(&mut changes);
            }
        }
        self.now = self.targets.values().map(TargetWatch::seen).max().unwrap_or(self.now);
        changes
    }

    /// Forgets a target that is over and done with.
    pub fn forget(&mut self, target: TargetId) {
        self.targets.remove(&target);
        self.owners.retain(|_, (owner, _)| *owner != target);
    }

    fn take(&mut self, fact: &Fact) {
        let (target, line) = match fact {
            Fact::Target { target, .. }
            | Fact::Gauge { target, .. }
            | Fact::Limit { target, .. }
            | Fact::Tally { target, .. }
            | Fact::Pool { target, .. }
            | Fact::TimeWait { target, .. }
            | Fact::Connections { target, .. }
            | Fact::Opener { target, .. }
            | Fact::Openings { target, .. }
            | Fact::FailedCall { target, .. }
            | Fact::Environment { target, .. }
            | Fact::Source { target, .. }
            | Fact::Lifecycle { target, .. } => (*target, 0),
            Fact::Open { id, target, facts, .. } => {
                let line = self.targets.get(target).map_or(0, |watch| watch.line_of(&facts.kind));
                let owner = (*target, u8::try_from(line).unwrap_or(0));
                self.owners.insert(*id, owner);
                owner
            }
            Fact::Change { id, .. } => match self.owners.get(id) {
                Some(owner) => *owner,
                None => return self.dropped += 1,
            },
            Fact::Close { id, .. } => match self.owners.remove(id) {
                Some(owner) => owner,
                None => return self.dropped += 1,
            },
        };
        if self.origin.is_none()
            && let Some(at) = fact.at()
        {
            self.origin = Some(at);
            for watch in self.targets.values_mut() {
                watch.start_at(at);
            }
        }
        let origin = self.origin.unwrap_or(0);
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&target) {
            return self.dropped += 1;
        }
        let (timing, settings) = (self.timing, self.settings);
        let watch = self.targets.entry(target).or_insert_with(|| {
            let mut watch = TargetWatch::new(target, timing, origin);
            watch.wall_start_ms = settings.wall_start_ms;
            watch
        });
        if let Fact::Source { at, watermark: Some(_), .. } = fact
            && self.last_beats.0 != Some(*at)
        {
            self.beats += 1;
            self.last_beats =
                (Some(*at), self.last_beats.0.map_or(0, |last| at.saturating_sub(last)));
        }
        if watch.take(fact, usize::from(line)) {
            self.late += 1;
        }
    }

    /// Groups for which it is worth hearing who opens their handles.
    pub fn wanted(&self) -> Vec<Wanted> {
        self.targets.values().flat_map(openers::wanted).collect()
    }

    /// The whole answer at this moment.
    pub fn outcome(&self) -> Outcome {
        let groups: usize = self.targets.values().map(TargetWatch::judged_groups).sum();
        let targets: Vec<_> = self.targets.values().map(|target| target.outcome(groups)).collect();
        let cpu_us: u64 = targets.iter().flat_map(|t| &t.sources).map(|s| s.cost_us).sum();
        let elapsed_us = (self.now.max(1) as f64) * 1000.0;
        Outcome {
            now: self.now,
            wall_start_ms: self.settings.wall_start_ms,
            scale: self.timing.shown(),
            verdict: targets.iter().map(|t| t.verdict).max().unwrap_or(Verdict::InsufficientData),
            cost: Cost {
                cpu_us,
                cpu_share: cpu_us as f64 / elapsed_us,
                identity_beats: self.beats,
                beat_ms: self.last_beats.1,
                evictions: self.dropped
                    + self.targets.values().map(TargetWatch::evictions).sum::<u64>(),
            },
            targets,
            late_facts: self.late,
        }
    }
}

#[cfg(test)]
mod tests;
