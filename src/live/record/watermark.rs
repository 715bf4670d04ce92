//! Watermarks for recordings without `source` lines: the time of each line serves as one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::live::facts::{Fact, Millis, SourceStatus, TargetId};

/// Targets that get watermarks of our making; a line can make at most as many facts.
const MAX_TARGETS: usize = 1024;

/// Who tells a target's watermarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Teller {
    /// We do; `told` once we have.
    Reader { told: bool },
    /// Its own `source` lines.
    Sources,
}

/// Makes `Source` facts named `recording` whenever time advances.
#[derive(Debug)]
pub(super) struct Watermarks {
    name: Arc<str>,
    nothing: Arc<str>,
    latest: Option<Millis>,
    targets: BTreeMap<TargetId, Teller>,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self {
            name: "recording".into(),
            nothing: "".into(),
            latest: None,
            targets: BTreeMap::new(),
        }
    }
}

impl Watermarks {
    /// Puts into `out` what must be known before `fact`. Returns false when the fact's target is
    /// one too many.
    pub(super) fn before(&mut self, fact: &Fact, out: &mut VecDeque<Fact>) -> bool {
        if let Some(at) = fact.at() {
            if self.latest.is_some_and(|latest| at > latest) {
                self.tell(out);
            }
            self.latest = Some(self.latest.map_or(at, |latest| latest.max(at)));
        }
        match fact {
            Fact::Source { at, target, watermark: Some(_), .. } => {
                let before = self.targets.get(target).copied();
                if before == Some(Teller::Reader { told: true }) {
                    // withdraw: a watermark that stands still would hold up the others
                    out.push_back(self.source(*at, *target, None));
                }
                self.enter(*target, Teller::Sources)
            }
            Fact::Target { target, .. }
            | Fact::Open { target, .. }
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
            | Fact::Lifecycle { target, .. } => {
                self.targets.contains_key(target)
                    || self.enter(*target, Teller::Reader { told: false })
            }
            Fact::Change { .. } | Fact::Close { .. } => true,
        }
    }

    /// Puts the last watermarks into `out`, at the end of the recording.
    pub(super) fn tell(&mut self, out: &mut VecDeque<Fact>) {
        // before the first tick times are births, in no order: they complete nothing
        let Some(latest) = self.latest.filter(|latest| *latest >= 0) else {
            return;
        };
        for (target, teller) in &mut self.targets {
            if let Teller::Reader { told } = teller {
                *told = true;
                out.push_back(source(&self.name, &self.nothing, latest, *target, Some(latest)));
            }
        }
    }

    fn enter(&mut self, target: TargetId, teller: Teller) -> bool {
        let fits = self.targets.len() < MAX_TARGETS || self.targets.contains_key(&target);
        if fits {
            self.targets.insert(target, teller);
        }
        fits
    }

    fn source(&self, at: Millis, target: TargetId, watermark: Option<Millis>) -> Fact {
        source(&self.name, &self.nothing, at, target, watermark)
    }
}

fn source(
    name: &Arc<str>,
    reason: &Arc<str>,
    at: Millis,
    target: TargetId,
    watermark: Option<Millis>,
) -> Fact {
    Fact::Source {
        at,
        target,
        name: Arc::clone(name),
        status: SourceStatus::Ok,
        reason: Arc::clone(reason),
        watermark,
        cost_us: 0,
    }
}
