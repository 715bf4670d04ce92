//! The answer of a watch at one moment: plain data that judgement fills and `report` renders.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{FailedCall, Lifecycle, Millis, Opener, SourceStatus, TargetFacts, TargetId};
use super::life_spans::{Bucket, LifeSpans};
use crate::finding::{Confidence, Evidence, Linked, Severity, Verdict};

/// Everything the watch can say at `now`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Event time of this answer: everything before it was judged.
    pub now: Millis,
    /// Wall clock at event time 0, milliseconds since the Unix epoch; `None` when not recorded.
    pub wall_start_ms: Option<i64>,
    /// The scale of judgement that was in force.
    pub scale: Scale,
    /// One entry a target.
    pub targets: Vec<TargetOutcome>,
    /// The worst verdict of all targets.
    pub verdict: Verdict,
    /// Facts that came after their time was judged, counted as loss.
    pub late_facts: u64,
    /// What the watch itself costs.
    pub cost: Cost,
}

/// How `--lifetime` scales judgement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The stated longest normal life of a handle, in milliseconds; `None`: defaults per kind.
    pub lifetime_ms: Option<Millis>,
    /// Bucket width, milliseconds.
    pub bucket_ms: Millis,
    /// Age at which a connection counts as old, milliseconds.
    pub age_ms: Millis,
    /// Births within this age of the process count as start-up, milliseconds.
    pub start_up_ms: Millis,
    /// Shortest watch that can say `leaking` for a fast leak of connections, milliseconds.
    pub shortest_ms: Millis,
}

/// The watch's own cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// CPU time used by the sources so far, microseconds.
    pub cpu_us: u64,
    /// Share of one core over the watch, 0 to 1.
    pub cpu_share: f64,
    /// Number of times handles were identified.
    pub identity_beats: u64,
    /// Present interval between identifications, milliseconds.
    pub beat_ms: Millis,
    /// Groups folded into `other`, and other things dropped to bound memory.
    pub evictions: u64,
}

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetOutcome {
    /// Which.
    pub target: TargetId,
    /// Who it is.
    pub facts: TargetFacts,
    /// The worst verdict of its resources.
    pub verdict: Verdict,
    /// Totals first (`group` empty), then the groups that have something to say.
    pub resources: Vec<ResourceOutcome>,
    /// Present diagnoses, such as the time to a limit under 120 s.
    pub diagnoses: Vec<Diagnosis>,
    /// Sources of evidence and how they fare, by name.
    pub sources: Vec<SourceOutcome>,
    /// Limits by name; `None` is unlimited.
    pub limits: BTreeMap<String, LimitOutcome>,
    /// Pools that tell how they fare.
    pub pools: Vec<PoolOutcome>,
    /// Latest gauges per process: pid -> name -> value.
    pub processes: BTreeMap<u32, BTreeMap<String, f64>>,
    /// Latest gauges of the whole target.
    pub gauges: BTreeMap<String, f64>,
    /// How long closed connections lived that were seen to open, by role. Untrusted text.
    pub durations: BTreeMap<String, LifeSpans>,
    /// TCP connections by direction and peer, the busiest of each direction first.
    pub connections: Vec<ConnectionOutcome>,
    /// Calls that failed because no more file descriptors may be had, the first of each place.
    pub failed_calls: Vec<FailedCallOutcome>,
    /// What happened to its processes.
    pub lifecycle: Vec<(Millis, u32, Lifecycle)>,
    /// Whether it ended before the watch did.
    pub ended_at: Option<Millis>,
}

/// A call that failed because no more file descriptors may be had.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedCallOutcome {
    /// What is known of it. Untrusted text.
    pub failed: Arc<FailedCall>,
    /// What the target held by the look that followed, the largest groups first; empty while that
    /// look is not complete.
    pub held: Vec<HeldGroup>,
}

/// A group of handles at the moment of a look.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldGroup {
    /// Kind, and what leads from there to the group. Untrusted text.
    pub path: Vec<String>,
    /// How many it holds.
    pub count: u64,
    /// Where those that it holds by now were opened, as far as a trace told. Untrusted text.
    pub sites: Vec<String>,
}

/// A pool that tells how it fares; `None`: it does not tell.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolOutcome {
    /// Its name. Untrusted text.
    pub name: String,
    /// Taken now.
    pub in_use: Option<f64>,
    /// There and free.
    pub idle: Option<f64>,
    /// How many there may be.
    pub max: Option<f64>,
    /// Who waits now.
    pub waiting: Option<f64>,
    /// How full it is.
    pub level: PoolLevel,
    /// `in_use` over `max`.
    pub share: Option<f64>,
    /// Most that were in use at any reading.
    pub peak: Option<f64>,
    /// For how long it has been watched.
    pub watched_ms: Millis,
    /// For how long somebody has waited at each reading; `None`: nobody waits now.
    pub waiting_ms: Option<Millis>,
    /// How often somebody had to wait, since the watch began.
    pub waits: Option<f64>,
    /// For how long in all, seconds since the watch began.
    pub wait_seconds: Option<f64>,
    /// How often a wait ended with an error, since the watch began.
    pub timeouts: Option<f64>,
    /// Growth of the number of those who wait, where it grows by more than noise explains.
    pub waiters_per_minute: Option<f64>,
    /// How often one is taken.
    pub per_second: Option<f64>,
    /// For how long one is held, on average.
    pub hold_seconds: Option<f64>,
    /// What the measured load needs.
    pub need: Option<PoolNeed>,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolLevel {
    /// Use or maximum are not known.
    Unknown,
    /// Below 70 % of the maximum.
    Low,
    /// From 70 % on.
    Mid,
    /// Above 90 %.
    High,
    /// Above 90 %, and somebody has waited for 10 s.
    Exhausted,
}

impl PoolLevel {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Mid => "mid",
            Self::High => "high",
            Self::Exhausted => "exhausted",
        }
    }
}

/// How large a pool has to be for the load that was measured: ends of the 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolNeed {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitOutcome {
    /// `None`: unlimited.
    pub value: Option<u64>,
    /// Present use, where known.
    pub used: Option<u64>,
    /// Growth of the use per minute, where it grows by more than load and noise explain.
    pub per_minute: Option<f64>,
}

impl LimitOutcome {
    /// Seconds until it is used up at the present rate; `None`: it does not grow, or nobody knows.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.value?.saturating_sub(self.used?);
        self.per_minute.filter(|&rate| rate > 0.0).map(|rate| left as f64 * 60.0 / rate)
    }
}

/// TCP connections of one direction to one peer since the watch began.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionOutcome {
    /// `tcp client`: the target connected; `tcp server`: somebody connected to it.
    pub role: String,
    /// Address and port of the other end; of a server, the own port. Untrusted text.
    pub peer: String,
    /// Held now.
    pub active: u64,
    /// Births that looks have seen: a lower bound.
    pub opened: u64,
    /// Deaths that looks have seen: a lower bound.
    pub closed: u64,
    /// How long those lived whose birth and death were seen, give or take one look.
    pub lives: Vec<Bucket>,
    /// How many were opened in all, seen or not; `None`: the kernel's counters could not be read.
    pub estimate: Option<OpenedEstimate>,
    /// The same as the kernel told of each; `None`: it was not asked.
    pub traced: Option<TracedConnections>,
}

/// How many connections were opened, by what the network namespace shows of them: what other
/// processes there did is not told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenedEstimate {
    /// The estimate; `None`: nothing tells where between the bounds.
    pub opened: Option<f64>,
    /// Not fewer.
    pub low: u64,
    /// Not more.
    pub high: u64,
}

/// Connections as the kernel told of each; those that were open before are not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedConnections {
    /// Established.
    pub opened: u64,
    /// The same, if each event that was lost had been an opening to this peer.
    pub opened_high: u64,
    /// Of these, ended.
    pub closed: u64,
    /// Tried, and never established.
    pub failed: u64,
    /// How long the ended ones lived.
    pub lives: LifeSpans,
}

/// One resource of a target: a total, or one group of handles.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceOutcome {
    /// Stable id of the finding: target, resource, group and rule.
    pub id: String,
    /// `fds`, `threads`, `children`, `rss`, `goroutines`, `tasks`, `pools`, `counts`.
    pub resource: String,
    /// `socket`, `file` …; `None` for the total of a resource.
    pub kind: Option<String>,
    /// Path below the kind, such as `["tcp client", "10.0.0.7:5432", "CLOSE_WAIT"]`. Untrusted text.
    pub group: Vec<String>,
    /// Handles held now (bytes for `rss`); `None`: unknown, see the sources for the reason.
    pub now: Option<f64>,
    /// The limit that this resource runs into, where there is one.
    pub limit: Option<u64>,
    /// Name of that limit.
    pub limit_name: Option<String>,
    /// Water level against that limit.
    pub level: Level,
    /// Births seen.
    pub opened: u64,
    /// Deaths seen.
    pub closed: u64,
    /// Handles that live between two identifications are not seen: `opened`, `closed` are lower bounds.
    pub lower_bound: bool,
    /// Growth per minute of what survives: estimate and 95 % interval.
    pub per_minute: Option<Rate>,
    /// Seconds to the limit at `per_minute`: estimate, early, late (late `None`: perhaps never).
    pub seconds_to_limit: Option<TimeToLimit>,
    /// The slowest leak this watch could have seen by now, per minute.
    pub detectable_per_minute: Option<f64>,
    /// Whether the verdict would stand without more time.
    pub conclusive: bool,
    /// What is still missing for a verdict, in words; empty when conclusive.
    pub missing: String,
    /// The verdict.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// The sentence that states verdict and assumption first, then further evidence.
    pub evidence: Vec<Evidence>,
    /// Numbers behind the verdict; `None` for totals and gauges.
    pub report: Option<ConfidenceReport>,
    /// What to do next, most useful first.
    pub next_steps: Vec<String>,
    /// Up to three examples of survivors. Untrusted text.
    pub examples: Vec<String>,
    /// Opening lines, when a source knows them. Untrusted text.
    pub sites: Vec<String>,
    /// Who opened those of its handles that were opened under trace; `None`: none was.
    pub openers: Option<Openers>,
    /// Counts over the watch for a sparkline, oldest first, at most 60.
    pub history: Vec<f64>,
    /// Findings that grow with this one: whatever leaks it leaks them, too.
    pub together: Vec<Together>,
    /// The finding that tells of this one as well, where another leads.
    pub part_of: Option<String>,
    /// When this verdict was reached.
    pub since: Millis,
}

/// Who opened handles of a group, as far as they were opened under trace and are still open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Openers {
    /// Age past which a survivor counts, seconds.
    pub age_s: f64,
    /// Handles opened under trace that are still open.
    pub survivors: u64,
    /// Of these, those past the age.
    pub promoted: u64,
    /// Of these, those of which it is not known who opened them, by reason.
    pub unknown: Vec<(String, u64)>,
    /// Places, most survivors past the age first. Those with fewer than three of them are left out.
    pub places: Vec<OpenerOutcome>,
}

/// A place that opens handles.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenerOutcome {
    /// What is known of it. Untrusted text.
    pub opener: Arc<Opener>,
    /// Openings counted, of whatever group; those of which no stack was looked at are not among them.
    pub openings: u64,
    /// Handles of the group that it opened and that are still open.
    pub survivors: u64,
    /// Of these, those past the age.
    pub promoted: u64,
    /// Share of all openings of the place that are still open in this group, 0 to 1.
    pub share: Option<f64>,
    /// Its line, where the source is at hand.
    pub source_line: Option<String>,
    /// What the linter says of it, where the source is at hand.
    pub linked: Vec<Linked>,
}

/// Another finding whose survivors were opened together with those of this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// Its id.
    pub id: String,
    /// Births compared, of the smaller of the two.
    pub births: u64,
    /// 0 when they agree in every step of time, about 1 when nothing joins them.
    pub apart: f64,
    /// Bound on the probability that two leaks of their own agree so well.
    pub chance: f64,
}

/// Growth per minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Estimate.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Time until a limit is hit, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToLimit {
    /// At the estimated rate.
    pub value: f64,
    /// At the upper end of the rate.
    pub earliest: f64,
    /// At the lower end; `None` when that end is zero or below.
    pub latest: Option<f64>,
}

/// Water level of a resource against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No limit is known.
    Unknown,
    /// Below the adaptive marks.
    Normal,
    /// Above the adaptive middle mark.
    Mid,
    /// Above the adaptive high mark.
    High,
    /// The limit is less than 120 s away, or reached.
    Critical,
}

impl Level {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Normal => "normal",
            Self::Mid => "mid",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Numbers behind a cohort verdict (anytime-valid; sampling error only, not the shape guards).
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidenceReport {
    /// `age`, `stale` or `dormant`.
    pub clock: &'static str,
    /// Age at which a handle counts as old, seconds.
    pub age_s: f64,
    /// Natural logarithm of the e-value that promoted handles no longer close.
    pub ln_e_surv: f64,
    /// Natural logarithm of the e-value that the old population grows.
    pub ln_e_growth: f64,
    /// `min(1, groups / min(E))`.
    pub p_anytime: f64,
    /// Survivors born under our eyes and past the age.
    pub survivors: u64,
    /// Distinct birth buckets among them.
    pub generations: u32,
    /// Their births spread over this, seconds.
    pub span_s: f64,
    /// Age of the oldest, seconds.
    pub oldest_s: f64,
    /// Closings of handles past the age (weighted).
    pub closed_after_age: f64,
    /// Tail index of life times past the age; above 1 means they do end.
    pub alpha_hat: Option<f64>,
    /// Share of survivors born in the later half.
    pub later_half: f64,
    /// Time the standing stock needed at this rate, seconds.
    pub stock_s: Option<f64>,
    /// Share of promoted handles that never closed.
    pub never_closed_share: f64,
    /// Handles that were there before we came.
    pub pre_alive: u64,
}

/// A condition that holds now, whatever grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Stable id: target, rule, and the group where one rule may hold for several.
    pub id: String,
    /// Rule id.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with the numbers.
    pub message: String,
    /// What to do.
    pub next_steps: Vec<String>,
    /// Kind of the handles it is about, where it is about handles.
    pub kind: Option<String>,
    /// Their group below the kind. Untrusted text.
    pub group: Vec<String>,
    /// How many they are.
    pub count: Option<u64>,
    /// For how long it has held at least, seconds.
    pub held_seconds: Option<f64>,
    /// Up to three of the handles. Untrusted text.
    pub examples: Vec<String>,
    /// Rules of the linter that find the cause in source.
    pub lint_rules: Vec<String>,
}

impl Diagnosis {
    /// One that is about the target as a whole.
    pub fn new(rule: &str, severity: Severity, message: String, next_steps: Vec<String>) -> Self {
        Self {
            id: rule.to_owned(),
            rule: rule.to_owned(),
            severity,
            message,
            next_steps,
            kind: None,
            group: Vec::new(),
            count: None,
            held_seconds: None,
            examples: Vec::new(),
            lint_rules: Vec::new(),
        }
    }
}

/// A source of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOutcome {
    /// Its name.
    pub name: String,
    /// How it fares.
    pub status: SourceStatus,
    /// Why, and what more rights would add; empty when complete.
    pub reason: String,
    /// CPU time used, microseconds.
    pub cost_us: u64,
}

/// What a step of the watch brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Findings that appeared, changed or went away, in order.
    pub findings: Vec<FindingChange>,
    /// The same of diagnoses.
    pub diagnoses: Vec<DiagnosisChange>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.diagnoses.is_empty()
    }
}

/// A diagnosis that appeared, changed its severity, or went away.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagnosisChange {
    /// When, in event time.
    pub at: Millis,
    /// Which target.
    pub target: TargetId,
    /// What happened to it.
    pub what: ChangeKind,
    /// The diagnosis as it is now; one that went away, as it was last.
    pub diagnosis: Diagnosis,
}

/// A finding that appeared, changed its verdict, or went away.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingChange {
    /// When, in event time.
    pub at: Millis,
    /// Which target.
    pub target: TargetId,
    /// What happened to it.
    pub what: ChangeKind,
    /// The resource as it is now.
    pub resource: ResourceOutcome,
    /// The verdict before.
    pub before: Verdict,
}

/// What happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// New.
    Opened,
    /// Another verdict or confidence.
    Changed,
    /// No longer holds.
    Cleared,
}

impl ChangeKind {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Changed => "changed",
            Self::Cleared => "cleared",
        }
    }
}
