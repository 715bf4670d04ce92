//! One target under watch: what is held on its lines of time, its gauges and limits.

use std::collections::BTreeMap;

use super::connections::{self, Counted};
use super::exhaustion::{self, FailedCalls};
use super::explain;
use super::gauge::Gauge;
use super::openers::{self, Openers};
use super::pools::Pools;
use super::standing_diagnoses::StandingDiagnoses;
use super::tallies::{Key, Tallies};
use super::timeline::{self, Timeline, Times};
use super::together::{self, Joined};
use crate::finding::{Confidence, Verdict};
use crate::live::detect::gauge::GaugeDetector;
use crate::live::detect::scale::Timing;
use crate::live::facts::{Change, Fact, Lifecycle, Millis, SourceStatus, TargetFacts, TargetId};
use crate::live::outcome::{
    ChangeKind, Changes, Diagnosis, FindingChange, LimitOutcome, ResourceOutcome, SourceOutcome,
    TargetOutcome,
};

/// Lifecycle events kept.
const MAX_LIFECYCLE: usize = 256;
/// Processes whose gauges are kept.
const MAX_PROCESSES: usize = 4096;
/// Distinct gauges and limits kept.
const MAX_NAMES: usize = 256;

/// One target.
#[derive(Debug)]
pub(super) struct TargetWatch {
    pub(super) target: TargetId,
    pub(super) timing: Timing,
    pub(super) origin: Millis,
    /// Wall clock at event time 0, milliseconds since the Unix epoch.
    pub(super) wall_start_ms: Option<i64>,
    pub(super) facts: TargetFacts,
    /// What is held, first by all sources that keep our time, then by those with their own.
    pub(super) lines: Vec<Timeline>,
    /// Which of their findings are one.
    pub(super) joined: Joined,
    pub(super) gauges: BTreeMap<String, Gauge>,
    pub(super) limits: BTreeMap<String, LimitOutcome>,
    pub(super) tallies: Tallies,
    pub(super) pools: Pools,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) processes: BTreeMap<u32, BTreeMap<String, f64>>,
    lifecycle: Vec<(Millis, u32, Lifecycle)>,
    living: i64,
    ended_at: Option<Millis>,
    seen: Millis,
    evictions: u64,
    findings: BTreeMap<String, ResourceOutcome>,
    diagnoses: StandingDiagnoses,
    /// Connections to each peer that ended within the last minute.
    pub(super) time_wait: BTreeMap<String, u64>,
    /// Connections that sources counted.
    pub(super) counted: Counted,
    /// Places that open handles, as traced.
    pub(super) openers: Openers,
    /// Calls that failed because no more file descriptors may be had.
    pub(super) failed_calls: FailedCalls,
    /// How the use of those limits grows of which it was told.
    limit_use: BTreeMap<String, GaugeDetector>,
}

/// A source's last report.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) status: SourceStatus,
    pub(super) reason: String,
    pub(super) cost_us: u64,
    watermark: Option<Millis>,
}

impl TargetWatch {
    pub(super) fn new(target: TargetId, timing: Timing, origin: Millis) -> Self {
        Self {
            target,
            timing,
            origin,
            wall_start_ms: None,
            facts: TargetFacts::default(),
            lines: vec![Timeline::new("", timing, origin)],
            joined: Joined::new(),
            gauges: BTreeMap::new(),
            limits: BTreeMap::new(),
            tallies: Tallies::default(),
            pools: Pools::default(),
            sources: BTreeMap::new(),
            processes: BTreeMap::new(),
            lifecycle: Vec::new(),
            living: 0,
            ended_at: None,
            seen: 0,
            evictions: 0,
            findings: BTreeMap::new(),
            diagnoses: StandingDiagnoses::default(),
            time_wait: BTreeMap::new(),
            counted: Counted::default(),
            openers: Openers::default(),
            failed_calls: FailedCalls::default(),
            limit_use: BTreeMap::new(),
        }
    }

    /// The first fact with a time fixes where the windows start.
    pub(super) fn start_at(&mut self, origin: Millis) {
        self.origin = origin;
        for line in self.lines.iter_mut().filter(|line| line.source.is_empty()) {
            *line = Timeline::new("", self.timing, origin);
        }
    }

    pub(super) fn seen(&self) -> Millis {
        self.seen
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions + self.lines.iter().map(Timeline::evictions).sum::<u64>()
    }

    /// Until when our own sources were judged.
    pub(super) fn judged(&self) -> Millis {
        self.own().judged
    }

    /// The line of all sources that keep our time.
    pub(super) fn own(&self) -> &Timeline {
        &self.lines[0]
    }

    /// Groups that are judged, for the correction over many groups.
    pub(super) fn judged_groups(&self) -> usize {
        self.lines.iter().map(Timeline::judged_groups).sum()
    }

    /// The line on which handles of some kinds are held, if any are.
    pub(super) fn line_of_resource(&self, fits: impl Fn(&str) -> bool) -> Option<&Timeline> {
        self.lines.iter().find(|line| {
            line.census.roots().iter().any(|&root| fits(&line.census.group(root).kind))
        })
    }

    /// Why nothing may be said of what grows on a line, if its source does not know enough.
    pub(super) fn withheld(&self, line: &Timeline) -> Option<&str> {
        let source = self.sources.get(line.source)?;
        (source.status != SourceStatus::Ok).then_some(&*source.reason)
    }

    /// The line on which handles of a kind are judged.
    pub(super) fn line_of(&self, kind: &str) -> usize {
        let own_time = |line: &Timeline| timeline::kind_of(line.source) == Some(kind);
        self.lines.iter().position(own_time).unwrap_or(0)
    }

    /// Takes one fact, if it is about a handle on its line; returns whether it came after its time
    /// was judged.
    pub(super) fn take(&mut self, fact: &Fact, line: usize) -> bool {
        if let Some(at) = fact.at() {
            self.seen = self.seen.max(at);
        }
        match fact {
            Fact::Target { facts, .. } => self.facts.clone_from(facts),
            Fact::Gauge { at, pid, name, value, .. } => self.gauge(*at, *pid, name, *value),
            Fact::Limit { at, name, value, used, .. } => self.limit(*at, name, *value, *used),
            Fact::Tally { at, kind, group, count, proved, .. } => {
                let key = Key { kind: kind.clone(), group: group.clone(), proved: *proved };
                let timing = self.timing;
                let detector = || GaugeDetector::new(|ms| timing.scaled(ms));
                self.evictions += u64::from(self.tallies.take(*at, key, *count, detector));
            }
            Fact::Pool { at, name, reading, .. } => {
                let over = self.pools.take(*at, name, reading, self.timing);
                self.evictions += u64::from(over);
            }
            Fact::TimeWait { peer, count, .. } => {
                if self.time_wait.len() < MAX_NAMES || self.time_wait.contains_key(&**peer) {
                    self.time_wait.insert(peer.to_string(), *count);
                }
            }
            Fact::Connections { counts, .. } => {
                self.evictions += u64::from(!self.counted.take(counts));
            }
            Fact::Source { name, status, reason, watermark, cost_us, .. } => {
                let source = Source {
                    status: *status,
                    reason: reason.to_string(),
                    cost_us: *cost_us,
                    watermark: *watermark,
                };
                self.begin_line(name, *watermark);
                if self.sources.len() < MAX_NAMES || self.sources.contains_key(&**name) {
                    self.sources.insert(name.to_string(), source);
                }
            }
            Fact::Lifecycle { at, pid, event, .. } => self.lifecycle(*at, *pid, *event),
            Fact::Opener { place, opener, .. } => {
                self.evictions += u64::from(!self.openers.meet(*place, opener));
            }
            Fact::Openings { place, count, .. } => self.openers.count(*place, *count),
            Fact::FailedCall { at, failed, .. } => {
                self.evictions += u64::from(!self.failed_calls.take(*at, failed));
            }
            // No judgement rests on these.
            Fact::Environment { .. } | Fact::Change { change: Change::Stack(_), .. } => {}
            Fact::Open { .. } | Fact::Change { .. } | Fact::Close { .. } => {
                return self.lines.get_mut(line).is_some_and(|line| line.take(fact));
            }
        }
        false
    }

    /// A source that keeps its own time says for the first time from when on it is complete.
    fn begin_line(&mut self, name: &str, watermark: Option<Millis>) {
        if let Some(origin) = watermark
            && let Some(source) = timeline::own_time(name)
            && self.lines.iter().all(|line| line.source != source)
        {
            self.lines.push(Timeline::new(source, self.timing, origin));
        }
    }

    fn limit(&mut self, at: Millis, name: &str, value: Option<u64>, used: Option<u64>) {
        if self.limits.len() >= MAX_NAMES && !self.limits.contains_key(name) {
            return;
        }
        let per_minute = used.and_then(|used| {
            // Limits are about hosts, users and groups: the stated lifetime says nothing of them.
            let detector = self.limit_use.entry(name.to_owned());
            let detector = detector.or_insert_with(|| GaugeDetector::new(|ms| ms));
            detector.push(at, used as f64);
            let growth = detector.growth(explain::least_growth(name, used as f64))?;
            Some(growth.rate * 60.0)
        });
        self.limits.insert(name.to_owned(), LimitOutcome { value, used, per_minute });
    }

    fn gauge(&mut self, at: Millis, pid: Option<u32>, name: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        if let Some(pid) = pid {
            if self.processes.len() < MAX_PROCESSES || self.processes.contains_key(&pid) {
                self.processes.entry(pid).or_default().insert(name.to_string(), value);
            }
            return;
        }
        if self.gauges.len() >= MAX_NAMES && !self.gauges.contains_key(name) {
            return;
        }
        let fullest = self
            .processes
            .values()
            .filter_map(|gauges| gauges.get(name))
            .copied()
            .fold(f64::NAN, f64::max);
        let timing = self.timing;
        let gauge = self.gauges.entry(name.to_string()).or_insert_with(|| {
            // The stated lifetime is about handles; memory keeps its own pace.
            Gauge::new(GaugeDetector::new(|ms| match name {
                "rss_bytes" => ms,
                _ => timing.scaled(ms),
            }))
        });
        gauge.push(at, value, if fullest.is_nan() { value } else { fullest });
    }

    fn lifecycle(&mut self, at: Millis, pid: u32, event: Lifecycle) {
        match event {
            Lifecycle::Joined => {
                self.living += 1;
                self.ended_at = None;
            }
            Lifecycle::Ended => {
                self.living -= 1;
                self.processes.remove(&pid);
                if self.living <= 0 {
                    self.ended_at = Some(at);
                }
            }
            Lifecycle::Exec => {}
        }
        if self.lifecycle.len() < MAX_LIFECYCLE {
            self.lifecycle.push((at, pid, event));
        } else {
            self.evictions += 1;
        }
    }

    /// Everything on a line is complete until here: the least watermark of the sources that deliver.
    fn watermark(&self, line: &Timeline) -> Option<Millis> {
        self.sources
            .iter()
            .filter(|(name, _)| timeline::own_time(name).unwrap_or("") == line.source)
            .filter(|(_, source)| source.status != SourceStatus::Unavailable)
            .filter_map(|(_, source)| source.watermark)
            .min()
    }

    /// Applies what is complete and judges every boundary on the way.
    pub(super) fn advance(&mut self, changes: &mut Changes) {
        // Told for each line: one must not wait for another.
        let marks: Vec<Option<Millis>> =
            self.lines.iter().map(|line| self.watermark(line)).collect();
        // With one line there is nobody else to count.
        let alone = self.lines.len() == 1;
        let groups = |line: &Timeline| if alone { 0 } else { line.judged_groups() };
        let groups: Vec<usize> = self.lines.iter().map(groups).collect();
        let all: usize = groups.iter().sum();
        let times = Times { origin: self.origin, uptime_ms: self.facts.uptime_ms };
        let mut judged_any = false;
        for ((line, mark), own) in self.lines.iter_mut().zip(marks).zip(groups) {
            if let Some(until) = mark {
                judged_any |= line.advance(until, &times, all - own);
            }
        }
        // How full it was is told of that very moment.
        let failed = exhaustion::settle(self);
        if judged_any {
            self.joined = together::joined(self);
            self.diff(&mut changes.findings);
        }
        if judged_any || failed {
            let present = explain::diagnoses(self);
            self.diagnoses.update(self.judged(), self.target, present, &mut changes.diagnoses);
        }
    }

    /// The findings of the last judgement.
    pub(super) fn findings(&self) -> impl Iterator<Item = &ResourceOutcome> {
        self.findings.values()
    }

    fn diff(&mut self, changes: &mut Vec<FindingChange>) {
        let at = self.judged();
        let present: BTreeMap<String, ResourceOutcome> = explain::resources(self, 1)
            .into_iter()
            .filter(|r| r.verdict.is_finding() && !r.id.ends_with("/total"))
            .map(|r| (r.id.clone(), r))
            .collect();
        for (id, resource) in &present {
            let before = self.findings.get(id);
            let what = match before {
                None => ChangeKind::Opened,
                Some(b) if (b.verdict, b.confidence) != (resource.verdict, resource.confidence) => {
                    ChangeKind::Changed
                }
                // Now it is known who opens them.
                Some(b) if !openers::known(b) && openers::known(resource) => ChangeKind::Changed,
                Some(_) => continue,
            };
            changes.push(FindingChange {
                at,
                target: self.target,
                what,
                before: before.map_or(Verdict::InsufficientData, |b| b.verdict),
                resource: resource.clone(),
            });
        }
        for (id, old) in &self.findings {
            if !present.contains_key(id) {
                changes.push(FindingChange {
                    at,
                    target: self.target,
                    what: ChangeKind::Cleared,
                    before: old.verdict,
                    resource: ResourceOutcome {
                        verdict: Verdict::Stable,
                        confidence: Confidence::Low,
                        since: at,
                        ..old.clone()
                    },
                });
            }
        }
        self.findings = present;
    }

    /// What stands as wrong.
    pub(super) fn diagnoses(&self) -> impl Iterator<Item = &Diagnosis> {
        self.diagnoses.all()
    }

    pub(super) fn outcome(&self, groups: usize) -> TargetOutcome {
        let resources = explain::resources(self, groups.max(1));
        TargetOutcome {
            target: self.target,
            facts: self.facts.clone(),
            verdict: resources.iter().map(|r| r.verdict).max().unwrap_or(Verdict::InsufficientData),
            diagnoses: explain::diagnoses(self),
            resources,
            sources: self
                .sources
                .iter()
                .map(|(name, source)| SourceOutcome {
                    name: name.clone(),
                    status: source.status,
                    reason: source.reason.clone(),
                    cost_us: source.cost_us,
                })
                .collect(),
            limits: self.limits.clone(),
            pools: self.pools.outcomes(self.judged().max(self.origin)),
            processes: self.processes.clone(),
            gauges: self.gauges.iter().map(|(n, g)| (n.clone(), g.value)).collect(),
            durations: self
                .own()
                .census
                .durations()
                .iter()
                .map(|(role, durations)| (role.to_string(), *durations))
                .collect(),
            connections: connections::outcomes(self),
            failed_calls: exhaustion::outcomes(self),
            lifecycle: self.lifecycle.clone(),
            ended_at: self.ended_at,
        }
    }
}
