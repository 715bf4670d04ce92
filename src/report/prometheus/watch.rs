//! Metrics of a watch: what is held, born and gone, verdicts, rates, time to limits.

use std::collections::BTreeMap;

use super::exposition::{Description, Exposition, counter, gauge, histogram};
use super::{connections, pools};
use crate::finding::Verdict;
use crate::live::facts::SourceStatus;
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::{Level, Outcome, ResourceOutcome, TargetOutcome};
use crate::report::human::name;

/// Kinds, findings, diagnoses, sources, roles, gauges, pools and, of each direction, peers of one target
/// that are told apart.
pub(super) const MOST: usize = 24;
/// Samples of all targets together; later targets are counted.
const SAMPLES: usize = 60_000;
/// What exceeds the bounds is summed up under this name.
pub(super) const OTHER: &str = "other";

/// Metrics of handles, resources and of the watch itself.
const OWN: [Description; 27] = [
    gauge("handles", "Handles held now, by kind"),
    counter(
        "handle_births",
        "Handles seen to appear since the watch began, by kind; a lower bound",
    ),
    counter("handle_deaths", "Handles seen to go since the watch began, by kind; a lower bound"),
    gauge("open_fds", "Open files of all kinds"),
    gauge("threads", "Threads"),
    gauge("resident_memory_bytes", "Resident memory in bytes"),
    gauge("limit", "The nearest limit of a resource, in handles"),
    gauge("limit_bytes", "The nearest limit of memory, in bytes"),
    gauge("limit_used_ratio", "Share of the nearest limit that is used, 0 to 1"),
    gauge("water_level", "Level against the limit: 0 normal, 1 mid, 2 high, 3 critical"),
    gauge(
        "verdict",
        "0 stable, 1 cleared, 2 leak stopped, 3 insufficient data, 4 plateauing, 5 growing in use, \
         6 suspect, 7 leaking",
    ),
    gauge("leak_rate", "Growth of what survives, in handles per second"),
    gauge("leak_rate_upper", "Upper end of its 95 % interval, in handles per second"),
    gauge("memory_growth_bytes_per_second", "Growth of resident memory"),
    gauge("seconds_to_limit", "Seconds until the limit is reached at the present rate"),
    gauge("seconds_to_limit_earliest", "The same at the upper end of the rate"),
    gauge("diagnoses", "What is wrong now, by rule and severity"),
    histogram(
        "connection_duration_seconds",
        "How long closed connections lived that were seen to open",
    ),
    gauge("reading", "Other numbers of a target; the unit is in the label `name`"),
    gauge("source_status", "What a source delivers: 0 nothing, 1 a part, 2 everything"),
    gauge("target_up", "1 while a target runs, 0 once it has ended"),
    gauge("targets", "Targets that are watched"),
    gauge("watch_seconds", "Event time of the last sample, in seconds since the watch began"),
    counter("watch_cpu_seconds", "Processor time that the sources used"),
    counter("dropped", "Facts, groups and handles that were dropped to bound memory"),
    counter("late_facts", "Facts that came too late to be judged"),
    gauge(
        "label_overflow",
        "Series that are summed up as `other`, or left out, to bound their number",
    ),
];

/// All metrics of a watch (docs/prometheus.md).
pub(super) fn all() -> impl Iterator<Item = Description> {
    OWN.into_iter().chain(pools::ALL).chain(connections::ALL)
}

/// Fills in the metrics of an outcome.
pub(in crate::report) fn metrics(outcome: &Outcome) -> Exposition {
    let mut all = Exposition::new(all());
    let mut overflow = 0;
    for target in &outcome.targets {
        if all.len() > SAMPLES {
            overflow += 1;
            continue;
        }
        overflow += of_target(target, &mut all);
    }
    all.add("targets", &[], outcome.targets.len() as f64);
    all.add("watch_seconds", &[], outcome.now as f64 / 1000.0);
    all.add("watch_cpu_seconds", &[], outcome.cost.cpu_us as f64 / 1e6);
    all.add("dropped", &[], outcome.cost.evictions as f64);
    all.add("late_facts", &[], outcome.late_facts as f64);
    all.add("label_overflow", &[], overflow as f64);
    all
}

/// Adds one target; gives how much of it is summed up or left out.
fn of_target(target: &TargetOutcome, all: &mut Exposition) -> usize {
    let pid = target.facts.pids.first().map_or_else(String::new, u32::to_string);
    let mut of = Of { who: [("target", name(target)), ("pid", &pid)], all };
    of.add("target_up", &[], f64::from(u8::from(target.ended_at.is_none())));
    for total in target.resources.iter().filter(|r| r.kind.is_none()) {
        of.total(total);
    }
    let of_watch = of.kinds(target) + of.verdicts(target) + of.diagnoses(target);
    let of_sources = of.sources(target) + pools::add(&mut of, target);
    of_watch + of_sources + connections::add(&mut of, target)
}

/// Samples of one target.
pub(super) struct Of<'a> {
    who: [(&'static str, &'a str); 2],
    all: &'a mut Exposition,
}

impl Of<'_> {
    pub(super) fn add(&mut self, metric: &str, more: &[(&'static str, &str)], value: f64) {
        self.all.add(metric, &[&self.who[..], more].concat(), value);
    }

    pub(super) fn add_lives(
        &mut self,
        metric: &str,
        more: &[(&'static str, &str)],
        lives: &LifeSpans,
    ) {
        self.all.add_lives(metric, &[&self.who[..], more].concat(), lives);
    }

    /// A resource against its limit.
    fn total(&mut self, total: &ResourceOutcome) {
        let resource = ("resource", total.resource.as_str());
        let (used, limit) = match total.resource.as_str() {
            "rss" => ("resident_memory_bytes", "limit_bytes"),
            "threads" => ("threads", "limit"),
            _ => ("open_fds", "limit"),
        };
        self.add(used, &[], total.now.unwrap_or(f64::NAN));
        if let Some(value) = total.limit {
            let limit_name = ("limit", total.limit_name.as_deref().unwrap_or_default());
            self.add(limit, &[resource, limit_name], value as f64);
            if let (Some(now), true) = (total.now, value > 0) {
                self.add("limit_used_ratio", &[resource], now / value as f64);
            }
        }
        let level = match total.level {
            Level::Unknown => f64::NAN,
            Level::Normal => 0.0,
            Level::Mid => 1.0,
            Level::High => 2.0,
            Level::Critical => 3.0,
        };
        self.add("water_level", &[resource], level);
    }

    /// What is held, born and gone by kind; gives how many kinds are summed up.
    fn kinds(&mut self, target: &TargetOutcome) -> usize {
        let kinds = target.resources.iter().filter(|r| r.kind.is_some() && r.group.is_empty());
        let mut rest = [0.0; 3];
        let mut overflow = 0;
        for (nth, row) in kinds.enumerate() {
            let values = [row.now.unwrap_or(f64::NAN), row.opened as f64, row.closed as f64];
            if nth < MOST {
                let kind = [("kind", row.kind.as_deref().unwrap_or_default())];
                for (metric, value) in BY_KIND.into_iter().zip(values) {
                    self.add(metric, &kind, value);
                }
            } else {
                overflow += 1;
                for (sum, value) in rest.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        if overflow > 0 {
            for (metric, value) in BY_KIND.into_iter().zip(rest) {
                self.add(metric, &[("kind", OTHER)], value);
            }
        }
        overflow
    }

    /// Verdicts of resources and of the worst findings; gives how many findings are left out.
    fn verdicts(&mut self, target: &TargetOutcome) -> usize {
        let (totals, below): (Vec<&ResourceOutcome>, Vec<&ResourceOutcome>) =
            target.resources.iter().partition(|r| r.kind.is_none());
        let mut findings: Vec<_> = below.into_iter().filter(|r| !r.evidence.is_empty()).collect();
        findings.sort_by_key(|r| std::cmp::Reverse((r.verdict, r.confidence)));
        let overflow = findings.len().saturating_sub(MOST);
        for row in totals.into_iter().chain(findings.into_iter().take(MOST)) {
            let group = row.kind.iter().chain(&row.group).cloned().collect::<Vec<_>>().join(" > ");
            let place = [("resource", row.resource.as_str()), ("group", group.as_str())];
            self.add("verdict", &place, rank(row.verdict));
            if let Some(rate) = row.per_minute {
                if row.resource == "rss" {
                    self.add("memory_growth_bytes_per_second", &[], rate.value / 60.0);
                } else {
                    self.add("leak_rate", &place, rate.value / 60.0);
                    self.add("leak_rate_upper", &place, rate.high / 60.0);
                }
            }
            if let Some(left) = row.seconds_to_limit {
                self.add("seconds_to_limit", &place, left.value);
                self.add("seconds_to_limit_earliest", &place, left.earliest);
            }
        }
        overflow
    }

    /// What is wrong now; gives how many rules are left out.
    fn diagnoses(&mut self, target: &TargetOutcome) -> usize {
        let mut counts: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for diagnosis in &target.diagnoses {
            *counts.entry((&diagnosis.rule, diagnosis.severity.as_str())).or_default() += 1.0;
        }
        let overflow = counts.len().saturating_sub(MOST);
        for ((rule, severity), count) in counts.into_iter().take(MOST) {
            self.add("diagnoses", &[("rule", rule), ("severity", severity)], count);
        }
        overflow
    }

    /// Sources, other numbers and lengths of life; gives how many are left out.
    fn sources(&mut self, target: &TargetOutcome) -> usize {
        for source in target.sources.iter().take(MOST) {
            let status = match source.status {
                SourceStatus::Unavailable => 0.0,
                SourceStatus::Partial => 1.0,
                SourceStatus::Ok => 2.0,
            };
            self.add("source_status", &[("source", &source.name)], status);
        }
        let others = || target.gauges.iter().filter(|(name, _)| !TOLD.contains(&name.as_str()));
        for (gauge, &value) in others().take(MOST) {
            self.add("reading", &[("name", gauge)], value);
        }
        for (role, lives) in target.durations.iter().take(MOST) {
            self.add_lives("connection_duration_seconds", &[("role", role)], lives);
        }
        let counts = [target.sources.len(), others().count(), target.durations.len()];
        counts.into_iter().map(|count| count.saturating_sub(MOST)).sum()
    }
}

/// What is told of every kind, in the order of the numbers.
const BY_KIND: [&str; 3] = ["handles", "handle_births", "handle_deaths"];
/// Gauges that have a metric of their own.
const TOLD: [&str; 3] = ["fds", "threads", "rss_bytes"];

/// The place of a verdict in the public order.
fn rank(verdict: Verdict) -> f64 {
    Verdict::ALL.iter().position(|v| *v == verdict).map_or(f64::NAN, |nth| nth as f64)
}
