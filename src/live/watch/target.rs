//! One target under watch: its census, gauges and limits, judged boundary by boundary.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::connections::{self, Counted};
use super::explain;
use super::gauge::Gauge;
use super::pools::Pools;
use super::select;
use super::standing::Standing;
use super::standing_diagnoses::StandingDiagnoses;
use super::tallies::{Key, Tallies};
use super::together::{self, Joined};
use crate::finding::{Confidence, Verdict};
use crate::live::census::{Census, Group, GroupId};
use crate::live::detect::first_sample::{MIN_UPTIME, SpreadOfSilence, spread_of_silence};
use crate::live::detect::gauge::GaugeDetector;
use crate::live::detect::rules::{self, Context, Judged};
use crate::live::detect::scale::Timing;
use crate::live::facts::{
    Activity, Change, Fact, Lifecycle, Millis, SourceStatus, TargetFacts, TargetId,
};
use crate::live::outcome::{
    ChangeKind, Changes, FindingChange, LimitOutcome, ResourceOutcome, SourceOutcome, TargetOutcome,
};

/// Lifecycle events kept.
const MAX_LIFECYCLE: usize = 256;
/// Processes whose gauges are kept.
const MAX_PROCESSES: usize = 4096;
/// Distinct gauges and limits kept.
const MAX_NAMES: usize = 256;
/// Facts held back until their source's watermark passes them.
const MAX_PENDING: usize = 4_000_000;
/// The standing stock must stand for 20 minutes of leaking to count as evidence.
const MIN_STOCK: Millis = 1_200_000;

/// One target.
#[derive(Debug)]
pub(super) struct TargetWatch {
    pub(super) target: TargetId,
    pub(super) timing: Timing,
    pub(super) origin: Millis,
    pub(super) facts: TargetFacts,
    pub(super) census: Census,
    pub(super) standings: HashMap<GroupId, Standing>,
    pub(super) reported: Vec<GroupId>,
    /// Which of these are one.
    pub(super) joined: Joined,
    pub(super) silences: BTreeMap<GroupId, SpreadOfSilence>,
    pub(super) gauges: BTreeMap<String, Gauge>,
    pub(super) limits: BTreeMap<String, LimitOutcome>,
    pub(super) tallies: Tallies,
    pub(super) pools: Pools,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) processes: BTreeMap<u32, BTreeMap<String, f64>>,
    lifecycle: Vec<(Millis, u32, Lifecycle)>,
    living: i64,
    ended_at: Option<Millis>,
    pending: Vec<Fact>,
    /// Everything up to here was judged.
    pub(super) judged: Millis,
    next_boundary: Millis,
    started: bool,
    seen: Millis,
    evictions: u64,
    findings: BTreeMap<String, ResourceOutcome>,
    diagnoses: StandingDiagnoses,
    /// Connections to each peer that ended within the last minute.
    pub(super) time_wait: BTreeMap<String, u64>,
    /// Connections that sources counted.
    pub(super) counted: Counted,
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
            facts: TargetFacts::default(),
            census: Census::new(timing),
            standings: HashMap::new(),
            reported: Vec::new(),
            joined: Joined::new(),
            silences: BTreeMap::new(),
            gauges: BTreeMap::new(),
            limits: BTreeMap::new(),
            tallies: Tallies::default(),
            pools: Pools::default(),
            sources: BTreeMap::new(),
            processes: BTreeMap::new(),
            lifecycle: Vec::new(),
            living: 0,
            ended_at: None,
            pending: Vec::new(),
            judged: Millis::MIN,
            next_boundary: origin + timing.bucket_ms(),
            started: false,
            seen: 0,
            evictions: 0,
            findings: BTreeMap::new(),
            diagnoses: StandingDiagnoses::default(),
            time_wait: BTreeMap::new(),
            counted: Counted::default(),
            limit_use: BTreeMap::new(),
        }
    }

    /// The first fact with a time fixes where the windows start.
    pub(super) fn start_at(&mut self, origin: Millis) {
        self.origin = origin;
        self.next_boundary = origin + self.timing.bucket_ms();
    }

    pub(super) fn seen(&self) -> Millis {
        self.seen
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions + self.census.evictions()
    }

    /// Groups that are judged, for the correction over many groups.
    ///
    /// Only the lowest count: a group above them repeats what they say.
    pub(super) fn judged_groups(&self) -> usize {
        let judged = |id: GroupId| self.census.group(id).bank().engines() > 0;
        let lowest = |group: &Group| !group.children.iter().any(|&child| judged(child));
        self.census.groups().filter(|(id, group)| judged(*id) && lowest(group)).count()
    }

    /// Takes one fact; returns whether it came after its time was judged.
    pub(super) fn take(&mut self, fact: &Fact) -> bool {
        if let Some(at) = fact.at() {
            self.seen = self.seen.max(at);
        }
        match fact {
            Fact::Target { facts, .. } => self.facts = facts.clone(),
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
                if self.sources.len() < MAX_NAMES || self.sources.contains_key(&**name) {
                    self.sources.insert(name.to_string(), source);
                }
            }
            Fact::Lifecycle { at, pid, event, .. } => self.lifecycle(*at, *pid, *event),
            // No judgement rests on these.
            Fact::Environment { .. } | Fact::Change { change: Change::Stack(_), .. } => {}
            Fact::Open { at, .. } | Fact::Change { at, .. } | Fact::Close { at, .. } => {
                let late = *at < self.judged;
                if self.pending.len() < MAX_PENDING {
                    self.pending.push(fact.clone());
                } else {
                    self.evictions += 1;
                }
                return late;
            }
        }
        false
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

    /// Everything is complete until here: the least watermark of the sources that deliver.
    fn watermark(&self) -> Option<Millis> {
        self.sources
            .values()
            .filter(|source| source.status != SourceStatus::Unavailable)
            .filter_map(|source| source.watermark)
            .min()
    }

    /// Applies what is complete and judges every boundary on the way.
    pub(super) fn advance(&mut self, changes: &mut Changes) {
        let Some(until) = self.watermark() else { return };
        if until < self.judged {
            return;
        }
        let mut ready = std::mem::take(&mut self.pending);
        ready.sort_by_key(|fact| fact.at().unwrap_or(Millis::MIN));
        let rest = ready.split_off(ready.partition_point(|f| f.at().is_none_or(|at| at <= until)));
        self.pending = rest;
        let mut judged_any = false;
        for fact in ready {
            // A fact at the boundary itself still belongs to the bucket that ends there.
            judged_any |= fact.at().is_some_and(|at| self.judge_until(at - 1));
            self.apply(fact);
        }
        judged_any |= self.judge_until(until);
        self.judged = until;
        if !self.started {
            self.started = true;
            judged_any = true;
            self.judge_silences();
        }
        if judged_any {
            self.diff(&mut changes.findings);
            let present = explain::diagnoses(self);
            self.diagnoses.update(self.judged, self.target, present, &mut changes.diagnoses);
        }
    }

    /// Judges all boundaries up to and including `until`; returns whether there was one.
    fn judge_until(&mut self, until: Millis) -> bool {
        let bucket = self.timing.bucket_ms();
        let mut judged_any = false;
        while until >= self.next_boundary {
            self.boundary();
            judged_any = true;
            // A gap that outlasts every window leaves nothing to judge in between.
            let longest = 2 * self.timing.window_ms(self.timing.scales() - 1);
            if until - self.next_boundary > longest {
                let skipped = (until - self.next_boundary - bucket) / longest * longest;
                self.next_boundary += skipped;
            }
        }
        judged_any
    }

    fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Open { at, id, pre, start_up, facts, .. } => {
                // Known start-up of the whole target, or of the process that holds this handle.
                let target_guard = self
                    .facts
                    .uptime_ms
                    .map_or(Millis::MIN, |uptime| self.origin + self.timing.start_up_ms() - uptime);
                let guard = match start_up {
                    // Only this process is young: its own start is not known here, so the guard
                    // errs on the side of silence.
                    true if at >= target_guard => at + self.timing.start_up_ms(),
                    _ => target_guard,
                };
                self.census.open(at, id, pre, guard, Arc::unwrap_or_clone(facts));
            }
            Fact::Change { at, id, change } => self.census.change(at, id, change),
            Fact::Close { at, id } => self.census.close(at, id),
            _ => {}
        }
    }

    fn boundary(&mut self) {
        let now = self.next_boundary;
        self.next_boundary += self.timing.bucket_ms();
        self.census.step(self.origin, now);
        let ln_groups = (self.judged_groups().max(1) as f64).ln();
        let uptime = self.facts.uptime_ms.map(|uptime| uptime + now - self.origin);
        let bucket = self.timing.bucket_ms();
        let ids: Vec<GroupId> = self
            .census
            .groups()
            .filter(|(id, g)| g.bank().engines() > 0 || self.standings.contains_key(id))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            let group = self.census.group(id);
            let context = Context {
                ln_groups,
                visible: group.visible(),
                uptime,
                min_stock: self.timing.scaled(MIN_STOCK),
            };
            let present = group
                .bank()
                .windows()
                .iter()
                .filter_map(|w| rules::judge(&w.window, &w.ages, &context))
                .max_by(|a, b| {
                    (a.verdict, a.confidence, a.stats.survivors).cmp(&(
                        b.verdict,
                        b.confidence,
                        b.stats.survivors,
                    ))
                });
            if present.is_none() && !self.standings.contains_key(&id) {
                continue;
            }
            let standing = self.standings.entry(id).or_default();
            standing.update(now, bucket, present, self.census.members(id).map(|(_, life)| life));
            if standing.verdict().is_none() {
                self.standings.remove(&id);
            }
        }
        self.judge_silences();
        self.reported = select::reported(&self.census, &self.standings);
        self.joined = together::joined(self, now);
    }

    /// The rule for one sample, over what was there before we came and has stayed silent since.
    fn judge_silences(&mut self) {
        self.silences.clear();
        let Some(uptime) = self.facts.uptime_ms else { return };
        let now = self.judged.max(self.next_boundary - self.timing.bucket_ms());
        let uptime = uptime + now - self.origin;
        if uptime < MIN_UPTIME {
            return;
        }
        let candidates: Vec<GroupId> = self
            .census
            .groups()
            .filter(|(_, group)| group.visible() && group.now() >= 12)
            .map(|(id, _)| id)
            .collect();
        for id in candidates {
            let group = self.census.group(id);
            let age = self.timing.ages(&group.kind, &group.state, 0, 0).old;
            let silences: Vec<Millis> = self
                .census
                .members(id)
                .filter(|(_, life)| life.entered == Millis::MIN)
                .filter_map(|(facts, _)| match facts.activity {
                    Activity::SilentSince(since) if since <= self.origin => Some(now - since),
                    _ => None,
                })
                .collect();
            if let Some(spread) = spread_of_silence(&silences, age, uptime) {
                self.silences.insert(id, spread);
            }
        }
        // The deepest group that holds them tells most.
        let nested: Vec<GroupId> = self
            .silences
            .iter()
            .filter(|(id, spread)| {
                self.census.group(**id).children.iter().any(|child| {
                    self.silences
                        .get(child)
                        .is_some_and(|below| below.stale * 10 >= spread.stale * 8)
                })
            })
            .map(|(&id, _)| id)
            .collect();
        for id in nested {
            self.silences.remove(&id);
        }
    }

    /// The judgement that stands for a group now, if any.
    pub(super) fn judged_of(&self, id: GroupId) -> Option<&Judged> {
        self.standings.get(&id).and_then(Standing::judged)
    }

    fn diff(&mut self, changes: &mut Vec<FindingChange>) {
        let at = self.judged;
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
            pools: self.pools.outcomes(self.judged.max(self.origin)),
            processes: self.processes.clone(),
            gauges: self.gauges.iter().map(|(n, g)| (n.clone(), g.value)).collect(),
            durations: self
                .census
                .durations()
                .iter()
                .map(|(role, durations)| (role.to_string(), *durations))
                .collect(),
            connections: connections::outcomes(self),
            lifecycle: self.lifecycle.clone(),
            ended_at: self.ended_at,
        }
    }
}
