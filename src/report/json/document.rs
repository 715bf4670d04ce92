//! The types of the watch document. Append-only within a version; never serialise domain types.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::number::rounded;
use super::connections::Connections;
use super::failed_calls::FailedCall;
use super::openers::{Opener, Traced};
use crate::live::facts::{Lifecycle, Millis, SourceStatus};
use crate::live::outcome::{self, DiagnosisChange, FindingChange, Outcome};

/// JSON: the whole document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: String,
    tool: Tool,
    verdict: &'static str,
    started: Option<String>,
    now_seconds: Option<f64>,
    scale: Scale,
    cost: Cost,
    late_facts: u64,
    targets: Vec<Target<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(o: &'a Outcome, command: &str) -> Self {
        Self {
            schema: format!("poolscan.{command}/1"),
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            verdict: o.verdict.as_str(),
            started: started(o.wall_start_ms),
            now_seconds: seconds(o.now),
            scale: Scale::new(&o.scale),
            cost: Cost::new(&o.cost),
            late_facts: o.late_facts,
            targets: o.targets.iter().map(Target::new).collect(),
        }
    }
}

/// JSON: the scale of judgement.
#[derive(Serialize)]
pub(super) struct Scale {
    lifetime_seconds: Option<f64>,
    bucket_seconds: Option<f64>,
    age_seconds: Option<f64>,
    start_up_seconds: Option<f64>,
    shortest_seconds: Option<f64>,
}

impl Scale {
    pub(super) fn new(o: &outcome::Scale) -> Self {
        Self {
            lifetime_seconds: o.lifetime_ms.and_then(seconds),
            bucket_seconds: seconds(o.bucket_ms),
            age_seconds: seconds(o.age_ms),
            start_up_seconds: seconds(o.start_up_ms),
            shortest_seconds: seconds(o.shortest_ms),
        }
    }
}

/// JSON: the watch's own cost.
#[derive(Serialize)]
pub(super) struct Cost {
    cpu_us: u64,
    cpu_share: Option<f64>,
    identity_beats: u64,
    beat_seconds: Option<f64>,
    evictions: u64,
}

impl Cost {
    pub(super) fn new(o: &outcome::Cost) -> Self {
        Self {
            cpu_us: o.cpu_us,
            cpu_share: rounded(o.cpu_share),
            identity_beats: o.identity_beats,
            beat_seconds: seconds(o.beat_ms),
            evictions: o.evictions,
        }
    }
}

/// JSON: one target.
#[derive(Serialize)]
pub(super) struct Target<'a> {
    target: TargetName<'a>,
    verdict: &'static str,
    resources: Vec<Resource<'a>>,
    diagnoses: Vec<Diagnosis<'a>>,
    sources: Vec<Source<'a>>,
    limits: Vec<Limit<'a>>,
    pools: Vec<Pool<'a>>,
    gauges: BTreeMap<&'a str, Option<f64>>,
    connections: Vec<Connections<'a>>,
    failed_calls: Vec<FailedCall<'a>>,
    processes: Vec<Process<'a>>,
    lifecycle: Vec<Event>,
    ended_seconds: Option<f64>,
}

impl<'a> Target<'a> {
    pub(super) fn new(o: &'a outcome::TargetOutcome) -> Self {
        Self {
            target: TargetName::new(o),
            verdict: o.verdict.as_str(),
            resources: o.resources.iter().map(Resource::new).collect(),
            diagnoses: o.diagnoses.iter().map(Diagnosis::new).collect(),
            sources: o.sources.iter().map(Source::new).collect(),
            limits: o
                .limits
                .iter()
                .map(|(name, l)| Limit {
                    name,
                    value: l.value,
                    unlimited: l.value.is_none(),
                    used: l.used,
                    per_minute: l.per_minute.and_then(rounded),
                    seconds_to_limit: l.seconds_left().and_then(rounded),
                })
                .collect(),
            pools: o.pools.iter().map(Pool::new).collect(),
            gauges: gauges(&o.gauges),
            connections: o.connections.iter().map(Connections::new).collect(),
            failed_calls: o.failed_calls.iter().map(FailedCall::new).collect(),
            processes: o
                .processes
                .iter()
                .map(|(&pid, g)| Process { pid, gauges: gauges(g) })
                .collect(),
            lifecycle: o
                .lifecycle
                .iter()
                .map(|&(at, pid, e)| Event { at_seconds: seconds(at), pid, event: event(e) })
                .collect(),
            ended_seconds: o.ended_at.and_then(seconds),
        }
    }
}

/// JSON: who a target is.
#[derive(Serialize)]
pub(super) struct TargetName<'a> {
    id: u32,
    name: &'a str,
    pids: &'a [u32],
    command: &'a str,
    selector: &'a str,
    uptime_seconds: Option<f64>,
}

impl<'a> TargetName<'a> {
    pub(super) fn new(o: &'a outcome::TargetOutcome) -> Self {
        Self {
            id: o.target.0,
            name: &o.facts.name,
            pids: &o.facts.pids,
            command: &o.facts.command,
            selector: &o.facts.selector,
            uptime_seconds: o.facts.uptime_ms.and_then(seconds),
        }
    }
}

/// JSON: one resource or group.
#[derive(Serialize)]
pub(super) struct Resource<'a> {
    id: &'a str,
    resource: &'a str,
    kind: Option<&'a str>,
    group: &'a [String],
    now: Option<f64>,
    limit: Option<u64>,
    limit_name: Option<&'a str>,
    level: &'static str,
    opened: u64,
    closed: u64,
    lower_bound: bool,
    per_minute: Option<Rate>,
    seconds_to_limit: Option<TimeToLimit>,
    detectable_per_minute: Option<f64>,
    conclusive: bool,
    missing: &'a str,
    verdict: &'static str,
    confidence: &'static str,
    since_seconds: Option<f64>,
    evidence: Vec<&'a str>,
    report: Option<Report>,
    next_steps: &'a [String],
    examples: &'a [String],
    sites: &'a [String],
    history: Vec<Option<f64>>,
    together: Vec<Together<'a>>,
    part_of: Option<&'a str>,
    openers: Vec<Opener<'a>>,
    traced: Option<Traced<'a>>,
}

impl<'a> Resource<'a> {
    pub(super) fn new(o: &'a outcome::ResourceOutcome) -> Self {
        Self {
            id: &o.id,
            resource: &o.resource,
            kind: o.kind.as_deref(),
            group: &o.group,
            now: o.now.and_then(rounded),
            limit: o.limit,
            limit_name: o.limit_name.as_deref(),
            level: o.level.as_str(),
            opened: o.opened,
            closed: o.closed,
            lower_bound: o.lower_bound,
            per_minute: o.per_minute.as_ref().map(Rate::new),
            seconds_to_limit: o.seconds_to_limit.as_ref().map(TimeToLimit::new),
            detectable_per_minute: o.detectable_per_minute.and_then(rounded),
            conclusive: o.conclusive,
            missing: &o.missing,
            verdict: o.verdict.as_str(),
            confidence: o.confidence.as_str(),
            since_seconds: seconds(o.since),
            evidence: o.evidence.iter().map(|e| e.0.as_str()).collect(),
            report: o.report.as_ref().map(Report::new),
            next_steps: &o.next_steps,
            examples: &o.examples,
            sites: &o.sites,
            history: o.history.iter().copied().map(rounded).collect(),
            together: o.together.iter().map(Together::new).collect(),
            part_of: o.part_of.as_deref(),
            openers: o.openers.iter().flat_map(|o| &o.places).map(Opener::new).collect(),
            traced: o.openers.as_ref().map(Traced::new),
        }
    }
}

/// JSON: a finding that grows with another.
#[derive(Serialize)]
pub(super) struct Together<'a> {
    id: &'a str,
    births: u64,
    apart: Option<f64>,
    chance: Option<f64>,
}

impl<'a> Together<'a> {
    pub(super) fn new(o: &'a outcome::Together) -> Self {
        Self { id: &o.id, births: o.births, apart: rounded(o.apart), chance: rounded(o.chance) }
    }
}

/// JSON: growth per minute.
#[derive(Serialize)]
pub(super) struct Rate {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl Rate {
    pub(super) fn new(o: &outcome::Rate) -> Self {
        Self { value: rounded(o.value), low: rounded(o.low), high: rounded(o.high) }
    }
}

/// JSON: seconds to a limit.
#[derive(Serialize)]
pub(super) struct TimeToLimit {
    value: Option<f64>,
    earliest: Option<f64>,
    latest: Option<f64>,
}

impl TimeToLimit {
    pub(super) fn new(o: &outcome::TimeToLimit) -> Self {
        Self {
            value: rounded(o.value),
            earliest: rounded(o.earliest),
            latest: o.latest.and_then(rounded),
        }
    }
}

/// JSON: numbers behind a verdict.
#[derive(Serialize)]
pub(super) struct Report {
    clock: &'static str,
    age_seconds: Option<f64>,
    ln_e_surv: Option<f64>,
    ln_e_growth: Option<f64>,
    p_anytime: Option<f64>,
    survivors: u64,
    generations: u32,
    span_seconds: Option<f64>,
    oldest_seconds: Option<f64>,
    closed_after_age: Option<f64>,
    alpha_hat: Option<f64>,
    later_half: Option<f64>,
    stock_seconds: Option<f64>,
    never_closed_share: Option<f64>,
    pre_alive: u64,
}

impl Report {
    pub(super) fn new(o: &outcome::ConfidenceReport) -> Self {
        Self {
            clock: o.clock,
            age_seconds: rounded(o.age_s),
            ln_e_surv: rounded(o.ln_e_surv),
            ln_e_growth: rounded(o.ln_e_growth),
            p_anytime: rounded(o.p_anytime),
            survivors: o.survivors,
            generations: o.generations,
            span_seconds: rounded(o.span_s),
            oldest_seconds: rounded(o.oldest_s),
            closed_after_age: rounded(o.closed_after_age),
            alpha_hat: o.alpha_hat.and_then(rounded),
            later_half: rounded(o.later_half),
            stock_seconds: o.stock_s.and_then(rounded),
            never_closed_share: rounded(o.never_closed_share),
            pre_alive: o.pre_alive,
        }
    }
}

/// JSON: a condition that holds now.
#[derive(Serialize)]
pub(super) struct Diagnosis<'a> {
    id: &'a str,
    rule: &'a str,
    severity: &'static str,
    message: &'a str,
    next_steps: &'a [String],
    kind: Option<&'a str>,
    group: &'a [String],
    count: Option<u64>,
    held_seconds: Option<f64>,
    examples: &'a [String],
    lint_rules: &'a [String],
}

impl<'a> Diagnosis<'a> {
    pub(super) fn new(o: &'a outcome::Diagnosis) -> Self {
        Self {
            id: &o.id,
            rule: &o.rule,
            severity: o.severity.as_str(),
            message: &o.message,
            next_steps: &o.next_steps,
            kind: o.kind.as_deref(),
            group: &o.group,
            count: o.count,
            held_seconds: o.held_seconds.and_then(rounded),
            examples: &o.examples,
            lint_rules: &o.lint_rules,
        }
    }
}

/// JSON: a source of evidence.
#[derive(Serialize)]
pub(super) struct Source<'a> {
    name: &'a str,
    status: &'static str,
    reason: &'a str,
    cost_us: u64,
}

impl<'a> Source<'a> {
    pub(super) fn new(o: &'a outcome::SourceOutcome) -> Self {
        Self { name: &o.name, status: status(o.status), reason: &o.reason, cost_us: o.cost_us }
    }
}

/// JSON: a line about a finding.
#[derive(Serialize)]
pub(super) struct ChangeLine<'a> {
    r#type: &'static str,
    at_seconds: Option<f64>,
    target: u32,
    before: &'static str,
    resource: Resource<'a>,
}

impl<'a> ChangeLine<'a> {
    pub(super) fn new(o: &'a FindingChange) -> Self {
        Self {
            r#type: o.what.as_str(),
            at_seconds: seconds(o.at),
            target: o.target.0,
            before: o.before.as_str(),
            resource: Resource::new(&o.resource),
        }
    }
}

/// JSON: a line about a diagnosis.
#[derive(Serialize)]
pub(super) struct DiagnosisLine<'a> {
    r#type: String,
    at_seconds: Option<f64>,
    target: u32,
    diagnosis: Diagnosis<'a>,
}

impl<'a> DiagnosisLine<'a> {
    pub(super) fn new(o: &'a DiagnosisChange) -> Self {
        Self {
            r#type: format!("diagnosis_{}", o.what.as_str()),
            at_seconds: seconds(o.at),
            target: o.target.0,
            diagnosis: Diagnosis::new(&o.diagnosis),
        }
    }
}

/// JSON: the program.
#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// JSON: a limit; `value` is null when unlimited.
#[derive(Serialize)]
pub(super) struct Limit<'a> {
    name: &'a str,
    value: Option<u64>,
    unlimited: bool,
    used: Option<u64>,
    per_minute: Option<f64>,
    seconds_to_limit: Option<f64>,
}

/// JSON: a pool that tells how it fares.
#[derive(Serialize)]
pub(super) struct Pool<'a> {
    name: &'a str,
    level: &'static str,
    in_use: Option<f64>,
    idle: Option<f64>,
    max: Option<f64>,
    peak: Option<f64>,
    waiting: Option<f64>,
    waiting_seconds: Option<f64>,
    waits: Option<f64>,
    wait_total_seconds: Option<f64>,
    timeouts: Option<f64>,
    waiters_per_minute: Option<f64>,
    per_second: Option<f64>,
    hold_seconds: Option<f64>,
    need: Option<Need>,
    watched_seconds: Option<f64>,
}

/// JSON: how large a pool has to be.
#[derive(Serialize)]
pub(super) struct Need {
    low: Option<f64>,
    high: Option<f64>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(o: &'a outcome::PoolOutcome) -> Self {
        Self {
            name: &o.name,
            level: o.level.as_str(),
            in_use: o.in_use.and_then(rounded),
            idle: o.idle.and_then(rounded),
            max: o.max.and_then(rounded),
            peak: o.peak.and_then(rounded),
            waiting: o.waiting.and_then(rounded),
            waiting_seconds: o.waiting_ms.and_then(seconds),
            waits: o.waits.and_then(rounded),
            wait_total_seconds: o.wait_seconds.and_then(rounded),
            timeouts: o.timeouts.and_then(rounded),
            waiters_per_minute: o.waiters_per_minute.and_then(rounded),
            per_second: o.per_second.and_then(rounded),
            hold_seconds: o.hold_seconds.and_then(rounded),
            need: o.need.map(|need| Need { low: rounded(need.low), high: rounded(need.high) }),
            watched_seconds: seconds(o.watched_ms),
        }
    }
}

/// JSON: latest gauges of a process.
#[derive(Serialize)]
pub(super) struct Process<'a> {
    pid: u32,
    gauges: BTreeMap<&'a str, Option<f64>>,
}

/// JSON: what happened to a process.
#[derive(Serialize)]
pub(super) struct Event {
    at_seconds: Option<f64>,
    pid: u32,
    event: &'static str,
}

/// JSON: the last line of a stream, the document with a type.
#[derive(Serialize)]
pub(super) struct SummaryLine<'a> {
    pub(super) r#type: &'static str,
    #[serde(flatten)]
    pub(super) document: Document<'a>,
}

/// RFC 3339; `None` outside the years that it can write.
pub(in crate::report) fn started(ms: Option<i64>) -> Option<String> {
    jiff::Timestamp::from_millisecond(ms?).ok().map(|t| t.to_string())
}

pub(super) fn seconds(ms: Millis) -> Option<f64> {
    rounded(ms as f64 / 1000.0)
}

fn gauges(all: &BTreeMap<String, f64>) -> BTreeMap<&str, Option<f64>> {
    all.iter().map(|(name, &v)| (name.as_str(), rounded(v))).collect()
}

/// The name of a source's status.
pub(in crate::report) fn status(status: SourceStatus) -> &'static str {
    match status {
        SourceStatus::Ok => "ok",
        SourceStatus::Partial => "partial",
        SourceStatus::Unavailable => "unavailable",
    }
}

/// The name of what happened to a process.
pub(in crate::report) fn event(event: Lifecycle) -> &'static str {
    match event {
        Lifecycle::Joined => "joined",
        Lifecycle::Exec => "exec",
        Lifecycle::Ended => "ended",
    }
}
