//! A watch as one page: what was found, how it came about, what is held, where it ran.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::axis::Unit;
use super::bars::Bars;
use super::chart::{Chart, Subject};
use super::connections::Connections;
use super::heat::{HeatMap, Level};
use super::pools::Pools;
use crate::finding::Verdict;
use crate::live::facts::{Lifecycle, Millis, TargetId};
use crate::live::history::{History, Past, Series};
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::{Outcome, ResourceOutcome, TargetOutcome};
use crate::report::human::{amount, headline, name, pids, place, signed, table_name};
use crate::report::json::{event, started, status};
use crate::report::lint::some;
use crate::report::listing::{age, idle};
use crate::report::number::{duration, grouped, short};
use crate::report::openers;

/// Targets with a section of their own, and rows of the table of all.
const SECTIONS: usize = 24;
const OVERVIEW: usize = 1_000;
/// Charts of one target at once, more of it on demand, and of the whole page.
const CHARTS: usize = 24;
const MORE_CHARTS: usize = 24;
const ALL_CHARTS: usize = 200;
/// Rows of one target's tables.
const FINDINGS: usize = 100;
const HANDLES: usize = 500;
const ROWS: usize = 200;

/// The page.
#[derive(Serialize)]
pub(super) struct Page {
    verdict: &'static str,
    about: String,
    left_out: Vec<String>,
    overview: Vec<Overview>,
    targets: Vec<Target>,
    command: String,
    reproduce: String,
}

#[derive(Serialize)]
struct Overview {
    name: String,
    /// Of its section; empty without one.
    anchor: String,
    verdict: &'static str,
    fds: String,
    limit: String,
    threads: String,
}

#[derive(Serialize)]
struct Target {
    anchor: String,
    name: String,
    verdict: &'static str,
    who: String,
    command: String,
    findings: Vec<Finding>,
    diagnoses: Vec<Diagnosis>,
    missing: Vec<String>,
    charts: Vec<Chart>,
    more_charts: Vec<Chart>,
    charts_left_out: usize,
    heat: Option<HeatMap>,
    pools: Pools,
    connections: Connections,
    durations: Vec<Bars>,
    resources: Vec<Resource>,
    handles: Vec<Handle>,
    handles_note: String,
    limits: Vec<Limit>,
    environment: Vec<Named>,
    sources: Vec<Source>,
    lifecycle: Vec<String>,
}

#[derive(Serialize)]
struct Finding {
    verdict: &'static str,
    confidence: &'static str,
    headline: String,
    evidence: Vec<String>,
    examples: Vec<String>,
    sites: Vec<String>,
    openers: Vec<String>,
    next_steps: Vec<String>,
}

#[derive(Serialize)]
struct Diagnosis {
    severity: &'static str,
    message: String,
    rule: String,
    examples: Vec<String>,
    next_steps: Vec<String>,
    lint_rules: Vec<String>,
}

#[derive(Serialize)]
struct Resource {
    name: String,
    now: String,
    limit: String,
    opened: String,
    closed: String,
    rate: String,
    time_to_limit: String,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Handle {
    group: String,
    pid: String,
    fd: String,
    age: String,
    idle: String,
    label: String,
}

#[derive(Serialize)]
struct Limit {
    name: String,
    value: String,
    used: String,
}

#[derive(Serialize)]
struct Named {
    name: String,
    text: String,
}

#[derive(Serialize)]
struct Source {
    name: String,
    status: &'static str,
    reason: String,
}

/// Handles, or what else a page says of itself.
const UNKNOWN: &str = "unknown";

impl Page {
    /// Everything that the page shows; `command` is what made it.
    pub(super) fn new(outcome: &Outcome, history: &History, command: &str) -> Self {
        let mut ranked: Vec<&TargetOutcome> = outcome.targets.iter().collect();
        ranked.sort_by_key(|t| (std::cmp::Reverse(t.verdict), t.target));
        let mut charts = ALL_CHARTS;
        let targets: Vec<Target> = ranked
            .iter()
            .take(SECTIONS)
            .map(|target| section(target, outcome, history, &mut charts))
            .collect();
        let overview = ranked.iter().enumerate().take(OVERVIEW).map(|(nth, target)| Overview {
            name: name(target).to_owned(),
            anchor: if nth < SECTIONS { anchor(target.target) } else { String::new() },
            verdict: target.verdict.as_str(),
            fds: gauge(target, "fds"),
            limit: target.limits.get("nofile_soft").map_or_else(String::new, limit_text),
            threads: gauge(target, "threads"),
        });
        let mut about = format!(
            "{} watched for {}",
            some(outcome.targets.len() as u64, "target"),
            duration(outcome.now as f64 / 1000.0)
        );
        if let Some(when) = started(outcome.wall_start_ms) {
            about.push_str(&format!(" from {when}"));
        }
        about.push_str(&format!(
            "; a handle counts as old after {}{}; own cost {} % of a core; poolscan {}",
            duration(outcome.scale.age_ms as f64 / 1000.0),
            if outcome.scale.lifetime_ms.is_some() { " (as stated)" } else { "" },
            short(outcome.cost.cpu_share * 100.0),
            env!("CARGO_PKG_VERSION"),
        ));
        Self {
            verdict: outcome.verdict.as_str(),
            about,
            left_out: left_out(outcome, history, ranked.len()),
            overview: overview.collect(),
            targets,
            command: command.to_owned(),
            reproduce: "A recording (watch --record FILE) makes the same page anywhere: poolscan \
                        replay FILE --report out.html"
                .to_owned(),
        }
    }
}

/// What is not on the page although it was seen.
fn left_out(outcome: &Outcome, history: &History, targets: usize) -> Vec<String> {
    let counts = [
        (targets.saturating_sub(SECTIONS) as u64, "targets have no section of their own"),
        (history.left_out, "series or verdicts were not kept, to bound memory"),
        (history.inventory.left_out, "handles were not kept, to bound memory"),
        (outcome.late_facts, "facts came too late and were not judged"),
    ];
    let told = counts.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(count, what)| format!("{} {what}.", grouped(count))).collect()
}

fn anchor(target: TargetId) -> String {
    format!("target-{}", target.0)
}

fn gauge(target: &TargetOutcome, name: &str) -> String {
    target.gauges.get(name).map_or_else(|| UNKNOWN.to_owned(), |&value| short(value))
}

fn limit_text(limit: &crate::live::outcome::LimitOutcome) -> String {
    limit.value.map_or_else(|| "unlimited".to_owned(), grouped)
}

fn section(
    target: &TargetOutcome,
    outcome: &Outcome,
    history: &History,
    charts_left: &mut usize,
) -> Target {
    let nothing = Past::default();
    let past = history.targets.get(&target.target).unwrap_or(&nothing);
    let span = (history.origin(), outcome.now);
    let mut findings: Vec<&ResourceOutcome> = target
        .resources
        .iter()
        .filter(|r| r.verdict.is_finding() && !r.evidence.is_empty())
        .collect();
    findings.sort_by_key(|r| std::cmp::Reverse((r.verdict, r.confidence)));
    let (main, more) = subjects(target, past, &findings, outcome.now);
    let total = main.len() + more.len();
    let mut draw = |subjects: Vec<Subject<'_>>, most: usize| -> Vec<Chart> {
        let drawn = subjects.into_iter().take(most.min(*charts_left));
        let drawn: Vec<Chart> =
            drawn.filter_map(|subject| Chart::draw(subject, span.0, span.1)).collect();
        *charts_left -= drawn.len();
        drawn
    };
    let charts = draw(main, CHARTS);
    let more_charts = draw(more, MORE_CHARTS);
    let (handles, handles_note) = handles(target.target, history);
    Target {
        anchor: anchor(target.target),
        name: name(target).to_owned(),
        verdict: target.verdict.as_str(),
        who: who(target),
        command: target.facts.command.clone(),
        findings: findings.into_iter().take(FINDINGS).map(finding).collect(),
        diagnoses: target.diagnoses.iter().take(FINDINGS).map(diagnosis).collect(),
        missing: target
            .resources
            .iter()
            .filter(|r| !r.conclusive && !r.missing.is_empty() && r.kind.is_none())
            .map(|r| format!("{}: no verdict yet: {}", r.resource, r.missing))
            .collect(),
        charts_left_out: total.saturating_sub(charts.len() + more_charts.len()),
        charts,
        more_charts,
        heat: Some(HeatMap::draw(levels(target, past), span.0, span.1)),
        pools: Pools::of(&target.pools),
        connections: Connections::of(&target.connections),
        durations: target
            .durations
            .iter()
            .filter_map(|(role, lives)| {
                let title = if role.is_empty() { "sockets".to_owned() } else { role.clone() };
                Bars::draw(title, closed(lives), &lives.seen_by(outcome.scale.bucket_ms))
            })
            .collect(),
        resources: target.resources.iter().take(ROWS).map(resource).collect(),
        handles,
        handles_note,
        limits: target
            .limits
            .iter()
            .map(|(name, limit)| Limit {
                name: name.clone(),
                value: limit_text(limit),
                used: limit.used.map_or_else(String::new, grouped),
            })
            .collect(),
        environment: history
            .inventory
            .environment
            .iter()
            .filter(|((of, _), _)| *of == target.target)
            .take(ROWS)
            .map(|((_, name), text)| Named { name: name.clone(), text: text.clone() })
            .collect(),
        sources: target
            .sources
            .iter()
            .take(ROWS)
            .map(|s| Source {
                name: s.name.clone(),
                status: status(s.status),
                reason: s.reason.clone(),
            })
            .collect(),
        lifecycle: target.lifecycle.iter().take(ROWS).map(life).collect(),
    }
}

/// How many lives, and how long one was.
pub(super) fn closed(lives: &LifeSpans) -> String {
    let mut text = format!("{} closed", grouped(lives.total()));
    if let Some(mean) = lives.mean_seconds() {
        text.push_str(&format!(", {} on average", duration(mean)));
    }
    text
}

fn who(target: &TargetOutcome) -> String {
    let mut text = format!("pids {}", pids(&target.facts.pids));
    if !target.facts.selector.is_empty() {
        text.push_str(&format!("; selected by {}", target.facts.selector));
    }
    if let Some(uptime) = target.facts.uptime_ms {
        text.push_str(&format!("; {} old when the watch began", duration(uptime as f64 / 1000.0)));
    }
    if let Some(at) = target.ended_at {
        text.push_str(&format!("; ended {} into the watch", duration(at as f64 / 1000.0)));
    }
    text
}

fn finding(r: &ResourceOutcome) -> Finding {
    Finding {
        verdict: r.verdict.as_str(),
        confidence: r.confidence.as_str(),
        headline: headline(r),
        evidence: r.evidence.iter().map(|evidence| evidence.0.clone()).collect(),
        examples: r.examples.clone(),
        sites: if r.openers.is_none() { r.sites.clone() } else { Vec::new() },
        openers: openers::lines(r),
        next_steps: r.next_steps.clone(),
    }
}

fn diagnosis(d: &crate::live::outcome::Diagnosis) -> Diagnosis {
    Diagnosis {
        severity: d.severity.as_str(),
        message: d.message.clone(),
        rule: d.rule.clone(),
        examples: d.examples.clone(),
        next_steps: d.next_steps.clone(),
        lint_rules: d.lint_rules.clone(),
    }
}

fn resource(r: &ResourceOutcome) -> Resource {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    Resource {
        name: if r.group.is_empty() { table_name(r) } else { place(r) },
        now: r.now.map_or_else(|| UNKNOWN.to_owned(), |now| amount(r, now)),
        limit: known(r.limit.map(|limit| amount(r, limit as f64))),
        // Totals and gauges have no births.
        opened: known(r.kind.as_ref().map(|_| grouped(r.opened))),
        closed: known(r.kind.as_ref().map(|_| grouped(r.closed))),
        rate: known(r.per_minute.map(|rate| signed(r, rate.value))),
        time_to_limit: known(r.seconds_to_limit.map(|left| duration(left.value))),
        verdict: r.verdict.as_str(),
    }
}

fn life(&(at, pid, what): &(Millis, u32, Lifecycle)) -> String {
    format!("{}: process {pid} {}", duration(at as f64 / 1000.0), event(what))
}

/// What gets a chart: at once what totals, kinds, findings and gauges show, on demand other groups.
fn subjects<'a>(
    target: &TargetOutcome,
    past: &'a Past,
    findings: &[&ResourceOutcome],
    now: Millis,
) -> (Vec<Subject<'a>>, Vec<Subject<'a>>) {
    let mut main = Vec::new();
    let mut drawn: Vec<Vec<Arc<str>>> = Vec::new();
    for total in target.resources.iter().filter(|r| r.kind.is_none()) {
        let Some((gauge, unit)) = gauge_of(&total.resource) else { continue };
        let Some(series) = past.gauges.get(gauge) else { continue };
        main.push(Subject {
            title: total.resource.clone(),
            unit,
            series,
            limit: limit_of(total),
            verdicts: verdicts(past, now, |resource, _| resource == total.resource),
            verdict: Some(total.verdict),
        });
    }
    let kinds = target.resources.iter().filter(|r| r.kind.is_some() && r.group.is_empty());
    for row in findings.iter().copied().filter(|r| r.kind.is_some()).chain(kinds) {
        let path: Vec<Arc<str>> =
            row.kind.iter().chain(&row.group).map(|name| name.as_str().into()).collect();
        let Some(series) = past.groups.get(&path).filter(|_| !drawn.contains(&path)) else {
            continue;
        };
        let shown = path.clone();
        main.push(Subject {
            title: place(row),
            unit: Unit::Count,
            series,
            limit: limit_of(row),
            verdicts: verdicts(past, now, |_, of| begins_with(of, &shown)),
            verdict: Some(row.verdict),
        });
        drawn.push(path);
    }
    let mut zeros = Vec::new();
    for (name, series) in &past.gauges {
        if TOTALS.iter().any(|(_, gauge, _)| gauge == name) {
            continue;
        }
        let unit = if name.ends_with("_bytes") { Unit::Bytes } else { Unit::Count };
        // What was 0 all the time is shown when asked for.
        let place = if series.peak() == Some(0.0) { &mut zeros } else { &mut main };
        place.push(Subject {
            title: name.clone(),
            unit,
            series,
            limit: None,
            verdicts: Vec::new(),
            verdict: None,
        });
    }
    let others = by_peak(past).filter(|(path, _)| !drawn.contains(path));
    let more = others.map(|(path, series)| Subject {
        title: path.join(" > "),
        unit: Unit::Count,
        series,
        limit: None,
        verdicts: verdicts(past, now, |_, of| begins_with(of, path)),
        verdict: None,
    });
    (main, more.chain(zeros).collect())
}

/// Totals of resources, their gauges and units.
const TOTALS: [(&str, &str, Unit); 3] = [
    ("fds", "fds", Unit::Count),
    ("threads", "threads", Unit::Count),
    ("rss", "rss_bytes", Unit::Bytes),
];

fn gauge_of(resource: &str) -> Option<(&'static str, Unit)> {
    TOTALS.into_iter().find(|(name, ..)| *name == resource).map(|(_, gauge, unit)| (gauge, unit))
}

fn limit_of(r: &ResourceOutcome) -> Option<(u64, String)> {
    Some((r.limit?, r.limit_name.clone()?))
}

/// Groups, those with the highest peak first.
fn by_peak(past: &Past) -> impl Iterator<Item = (&Vec<Arc<str>>, &Series)> {
    let mut groups: Vec<_> = past.groups.iter().collect();
    groups.sort_by(|a, b| b.1.peak().unwrap_or(0.0).total_cmp(&a.1.peak().unwrap_or(0.0)));
    groups.into_iter()
}

fn begins_with(path: &[String], start: &[Arc<str>]) -> bool {
    path.len() >= start.len() && path.iter().zip(start).all(|(a, b)| **a == **b)
}

/// The worst verdict of the findings that belong to something, from when to when.
fn verdicts(
    past: &Past,
    now: Millis,
    belongs: impl Fn(&str, &[String]) -> bool,
) -> Vec<(Millis, Millis, Verdict)> {
    let mut steps: Vec<(Millis, &str, Verdict)> = past
        .findings
        .iter()
        .filter(|(_, verdicts)| belongs(&verdicts.resource, &verdicts.path))
        .flat_map(|(id, verdicts)| verdicts.steps.iter().map(|&(at, v)| (at, id.as_str(), v)))
        .collect();
    steps.sort_by_key(|step| step.0);
    let mut standing: BTreeMap<&str, Verdict> = BTreeMap::new();
    let mut bands: Vec<(Millis, Millis, Verdict)> = Vec::new();
    let ends = steps.iter().skip(1).map(|step| step.0).chain([now]);
    for (&(at, id, verdict), end) in steps.iter().zip(ends.collect::<Vec<_>>()) {
        standing.insert(id, verdict);
        let worst = standing.values().max().copied().filter(|verdict| verdict.is_finding());
        match (bands.last_mut(), worst) {
            (Some(last), Some(worst)) if last.2 == worst && last.1 == at => last.1 = end.max(at),
            (_, Some(worst)) if end > at => bands.push((at, end, worst)),
            _ => {}
        }
    }
    bands
}

/// The rows of the heat map: totals, then groups against the limit of what they use up.
fn levels<'a>(target: &TargetOutcome, past: &'a Past) -> Vec<Level<'a>> {
    let totals: Vec<&ResourceOutcome> =
        target.resources.iter().filter(|r| r.kind.is_none()).collect();
    let rows = totals.iter().filter_map(|total| {
        let series = past.gauges.get(gauge_of(&total.resource)?.0)?;
        Some(Level { name: format!("all {}", total.resource), series, limit: total.limit })
    });
    let limit_of_kind = |kind: &str| {
        let row = target.resources.iter().find(|r| r.kind.as_deref() == Some(kind))?;
        row.limit
    };
    let groups = by_peak(past).map(|(path, series)| Level {
        name: path.join(" > "),
        series,
        limit: path.first().and_then(|kind| limit_of_kind(kind)),
    });
    rows.chain(groups).collect()
}

/// The handles of a target, the longest idle first, and what is left out of them.
fn handles(target: TargetId, history: &History) -> (Vec<Handle>, String) {
    let inventory = &history.inventory;
    let now = inventory.now;
    let mut held: Vec<_> = inventory.handles.iter().filter(|(_, h)| h.target == target).collect();
    held.sort_by_key(|(id, held)| (std::cmp::Reverse(held.idle(now).unwrap_or(0)), **id));
    let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
    let note = match held.len().saturating_sub(HANDLES) {
        0 => String::new(),
        more => format!("The {HANDLES} longest idle; {} more are left out.", grouped(more as u64)),
    };
    let shown = held.into_iter().take(HANDLES).map(|(_, held)| Handle {
        group: held.group(),
        pid: number(held.facts.pid),
        fd: number(held.facts.fd),
        age: age(held.age(now)).replace(">=", "≥"),
        idle: idle(held, now),
        label: held.facts.label.to_string(),
    });
    (shown.collect(), note)
}
