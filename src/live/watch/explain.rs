//! Turns the state of a target into resources with verdicts, evidence in words, and next steps.

mod advice;
mod counted;
pub(super) mod words;

use crate::finding::{Confidence, Evidence, Severity, Verdict};
use crate::live::census::{Group, GroupId, LATELY};
use crate::live::detect::clock::Clock;
use crate::live::detect::engine::Stats;
use crate::live::detect::first_sample::SpreadOfSilence;
use crate::live::detect::rules::Judged;
use crate::live::diagnose::{self, Handle, View};
use crate::live::facts::{Activity, Millis, SourceStatus};
use crate::live::outcome::{
    ConfidenceReport, Diagnosis, Level, Rate, ResourceOutcome, TimeToLimit,
};

use super::exhaustion;
use super::openers;
use super::standing::Leak;
use super::target::TargetWatch;
use super::timeline::Timeline;
use super::together;

/// Seconds of a day: the horizon of `stable`.
const DAY_S: f64 = 86_400.0;
/// Growth below which a gauge is never suspect, in handles and in bytes.
const MIN_GROWTH: f64 = 5.0;
const MIN_RSS_GROWTH: f64 = 1_048_576.0;
/// Handles needed to be 90 % sure of seeing a leak.
const NEEDED: f64 = 12.0;
/// The rule that says more than a water level does.
const AT_LIMIT: &str = "fds-at-limit";
/// Share of a limit above which a flat line is a capped one.
const CAPPED: f64 = 0.98;

/// A limit with its headroom.
#[derive(Debug, Clone)]
struct Headroom {
    name: String,
    limit: u64,
    left: f64,
}

/// What a line at its limit lacks.
const CAPPED_LINE: &str = "the limit caps it, so that a flat line says nothing about growth";

impl Headroom {
    /// Whether so little is left that what would grow cannot.
    fn is_capped(&self) -> bool {
        self.left <= self.limit as f64 * (1.0 - CAPPED)
    }
}

/// All resources: totals, kinds, then reported groups.
pub(super) fn resources(target: &TargetWatch, groups: usize) -> Vec<ResourceOutcome> {
    let mut rows: Vec<(together::Place, ResourceOutcome)> = Vec::new();
    let mut reported: Vec<ResourceOutcome> = counted::findings(target);
    for (nth, line) in target.lines.iter().enumerate() {
        rows.extend(
            line.reported
                .iter()
                .filter_map(|&id| Some(((nth, id), group_resource(target, line, id, groups)?))),
        );
        reported.extend(line.silences.iter().filter_map(|(&id, spread)| {
            let already = line.reported.contains(&id);
            (!already).then(|| silence_resource(target, line, id, spread))
        }));
    }
    together::tell(&target.joined, &mut rows);
    reported.splice(0..0, rows.into_iter().map(|(_, row)| row));
    reported.sort_by_key(|r| std::cmp::Reverse(r.verdict));
    let mut all = totals(target, &reported);
    all.extend(target.lines.iter().flat_map(|line| kinds(target, line, &reported)));
    all.extend(reported);
    all
}

/// Which resource a kind of handle uses up.
pub(super) fn resource_of(kind: &str) -> &'static str {
    match kind {
        "thread" => "threads",
        "child" => "children",
        "goroutine" => "goroutines",
        "task" => "tasks",
        _ => "fds",
    }
}

fn totals(target: &TargetWatch, reported: &[ResourceOutcome]) -> Vec<ResourceOutcome> {
    let mut rows = Vec::new();
    for resource in ["fds", "threads", "goroutines", "rss", "tasks"] {
        let gauge = gauge_of(resource);
        if let Some(row) = gauge_total(target, resource, gauge, reported) {
            rows.push(row);
        }
    }
    rows
}

fn gauge_total(
    target: &TargetWatch,
    resource: &str,
    name: &str,
    reported: &[ResourceOutcome],
) -> Option<ResourceOutcome> {
    let gauge = target.gauges.get(name)?;
    let headroom = headroom(target, resource);
    let below: Vec<&ResourceOutcome> = reported.iter().filter(|r| r.resource == resource).collect();
    let line = target.line_of_resource(|kind| resource_of(kind) == resource);
    let judged_by_identity = line.is_some();
    let line = line.unwrap_or(target.own());
    let least = least_growth(name, gauge.value);
    let growth = if judged_by_identity { None } else { gauge.detector.growth(least) };
    let mut row = blank(target, resource, None, Vec::new(), "total");
    row.now = Some(gauge.value);
    row.history = gauge.history.clone();
    row.opened = 0;
    let rates: Vec<Rate> = below
        .iter()
        .filter(|r| r.verdict >= Verdict::Suspect)
        .filter_map(|r| r.per_minute)
        .collect();
    if !rates.is_empty() {
        row.per_minute = Some(Rate {
            value: rates.iter().map(|r| r.value).sum(),
            low: rates.iter().map(|r| r.low).sum(),
            high: rates.iter().map(|r| r.high).sum(),
        });
    }
    row.verdict = below.iter().map(|r| r.verdict).max().unwrap_or(Verdict::Stable);
    row.confidence = below.iter().map(|r| r.confidence).max().unwrap_or(Confidence::Low);
    if below.is_empty() {
        let (verdict, conclusive, missing) =
            base_verdict(target, line, "socket", None, headroom.as_ref());
        row.verdict = verdict;
        row.conclusive = conclusive;
        row.missing = missing;
        if !judged_by_identity {
            // A plain count that does not grow: the fall-back has its own, longer look.
            let needed = if resource == "rss" { 300_000 } else { target.timing.scaled(300_000) };
            let seen = target.seen() - target.origin;
            row.verdict = if seen >= needed { Verdict::Stable } else { Verdict::InsufficientData };
            row.conclusive = seen >= needed;
            row.missing = words::more_time(needed - seen, None);
            if row.conclusive && headroom.as_ref().is_some_and(Headroom::is_capped) {
                row.verdict = Verdict::InsufficientData;
                row.conclusive = false;
                row.missing = CAPPED_LINE.to_owned();
            }
        }
    } else {
        row.conclusive = true;
        row.missing.clear();
    }
    if let Some(growth) = growth {
        row.verdict = Verdict::Suspect;
        row.confidence = Confidence::Low;
        row.conclusive = false;
        row.missing = words::ONLY_A_COUNT.to_owned();
        row.per_minute = Some(counted::per_minute(&growth));
        row.evidence.push(Evidence::new(words::gauge_growth(resource, &growth, target.seen())));
        row.next_steps = advice::for_gauge(resource);
        row.id = format!("{}/{}/gauge", target.target.0, resource);
    }
    if let Some(headroom) = &headroom {
        let rate_high = row.per_minute.map_or(0.0, |r| r.high / 60.0);
        row.limit = Some(headroom.limit);
        row.limit_name = Some(headroom.name.clone());
        row.seconds_to_limit = row.per_minute.and_then(|r| time_to_limit(headroom.left, r));
        row.level = water_level(target, resource, headroom, rate_high);
    }
    Some(row)
}

/// The smallest growth of a number that counts, in its unit.
pub(super) fn least_growth(name: &str, value: f64) -> f64 {
    if name.ends_with("_bytes") { (value * 0.02).max(MIN_RSS_GROWTH) } else { MIN_GROWTH }
}

fn water_level(target: &TargetWatch, resource: &str, headroom: &Headroom, rate_high: f64) -> Level {
    let Some(gauge) = target.gauges.get(gauge_of(resource)) else { return Level::Unknown };
    // The limit may be shared with others (a cgroup, a user): what they hold is not ours to fill.
    let others = (headroom.limit as f64 - headroom.left - gauge.fullest).max(0.0);
    let ours = headroom.limit.saturating_sub(others as u64);
    gauge.water.level(ours, rate_high).map_or(Level::Unknown, |l| l.level)
}

fn gauge_of(resource: &str) -> &'static str {
    match resource {
        "threads" => "threads",
        "goroutines" => "goroutines",
        "rss" => "rss_bytes",
        "tasks" => "tasks",
        _ => "fds",
    }
}

/// The hard limit of open files, where it is known and finite.
pub(super) fn hard_limit(target: &TargetWatch) -> Option<u64> {
    target.limits.get("nofile_hard").and_then(|limit| limit.value)
}

/// The nearest limit of a resource.
fn headroom(target: &TargetWatch, resource: &str) -> Option<Headroom> {
    let gauge = target.gauges.get(gauge_of(resource));
    let fullest = gauge.map(|g| g.fullest);
    let of = |name: &str, used: Option<f64>| {
        let limit = target.limits.get(name)?;
        let value = limit.value?;
        let used = limit.used.map(|u| u as f64).or(used)?;
        Some(Headroom { name: name.to_owned(), limit: value, left: (value as f64 - used).max(0.0) })
    };
    let candidates: Vec<Headroom> = match resource {
        "fds" => [of("nofile_soft", fullest), of("file_max", None)].into_iter().flatten().collect(),
        "threads" | "children" => {
            let threads = gauge.map(|g| g.value);
            [of("pids_max", None), of("nproc_soft", None), of("threads_max", threads)]
                .into_iter()
                .flatten()
                .collect()
        }
        "rss" => of("memory_max_bytes", None).into_iter().collect(),
        _ => Vec::new(),
    };
    candidates.into_iter().min_by(|a, b| a.left.total_cmp(&b.left))
}

fn kinds(
    target: &TargetWatch,
    line: &Timeline,
    reported: &[ResourceOutcome],
) -> Vec<ResourceOutcome> {
    let mut rows: Vec<ResourceOutcome> = line
        .census
        .roots()
        .iter()
        // A kind that is a finding of its own stands among the findings.
        .filter(|root| !line.reported.contains(root))
        .map(|&root| {
            let group = line.census.group(root);
            let resource = resource_of(&group.kind);
            let mut row = blank(target, resource, Some(&group.kind), Vec::new(), "kind/total");
            counts(target, &mut row, group);
            let below: Vec<&ResourceOutcome> =
                reported.iter().filter(|r| r.kind.as_deref() == Some(&*group.kind)).collect();
            if below.is_empty() {
                let headroom = headroom(target, resource);
                let stats = base_stats(group);
                let (verdict, conclusive, missing) =
                    base_verdict(target, line, &group.kind, stats.as_ref(), headroom.as_ref());
                row.verdict = verdict;
                row.conclusive = conclusive;
                row.missing = missing;
            } else {
                row.verdict =
                    below.iter().map(|r| r.verdict).max().unwrap_or(Verdict::InsufficientData);
                row.confidence =
                    below.iter().map(|r| r.confidence).max().unwrap_or(Confidence::Low);
                row.conclusive = true;
                let rates: Vec<Rate> = below.iter().filter_map(|r| r.per_minute).collect();
                row.per_minute = (!rates.is_empty()).then(|| Rate {
                    value: rates.iter().map(|r| r.value).sum(),
                    low: rates.iter().map(|r| r.low).sum(),
                    high: rates.iter().map(|r| r.high).sum(),
                });
            }
            row
        })
        .filter(|row| row.now != Some(0.0) || row.opened > 0 || row.closed > 0)
        .collect();
    rows.sort_by(|a, b| b.now.unwrap_or(0.0).total_cmp(&a.now.unwrap_or(0.0)));
    rows
}

/// The primary engine of the shortest window: what a base verdict rests on.
fn base_stats(group: &Group) -> Option<Stats> {
    group
        .bank()
        .windows()
        .into_iter()
        .find_map(|w| if group.visible() { w.window.stale } else { w.window.age })
}

/// `stable` or `insufficient_data` where nothing is significant, and what is missing.
fn base_verdict(
    target: &TargetWatch,
    line: &Timeline,
    kind: &str,
    stats: Option<&Stats>,
    headroom: Option<&Headroom>,
) -> (Verdict, bool, String) {
    if let Some(reason) = target.withheld(line) {
        return (Verdict::InsufficientData, false, reason.to_owned());
    }
    let ages = target.timing.ages(kind, "", 0, 0);
    let seen = line.seen();
    let needed = ages.old + ages.span;
    if seen < needed {
        return (Verdict::InsufficientData, false, words::more_time(needed - seen, None));
    }
    if headroom.is_some_and(Headroom::is_capped) {
        return (Verdict::InsufficientData, false, CAPPED_LINE.to_owned());
    }
    let detectable = NEEDED * 1000.0 / (seen - ages.old) as f64;
    let Some(headroom) = headroom else {
        return (Verdict::Stable, false, "no limit is known that this could run into".to_owned());
    };
    let matters = headroom.left / DAY_S;
    if detectable > matters {
        // T = 12/r + A
        let more = NEEDED / matters.max(1e-9) * 1000.0 + ages.old as f64 - seen as f64;
        return (
            Verdict::InsufficientData,
            false,
            words::more_time(more.min(1e15) as i64, Some(detectable)),
        );
    }
    let upper = stats.map_or(0.0, |s| s.rate_high.max(0.0));
    if upper * DAY_S >= 0.1 * headroom.left {
        return (
            Verdict::InsufficientData,
            false,
            format!("growth of up to {}/min is not ruled out yet", words::number(upper * 60.0)),
        );
    }
    (Verdict::Stable, true, String::new())
}

fn blank(
    target: &TargetWatch,
    resource: &str,
    kind: Option<&str>,
    group: Vec<String>,
    rule: &str,
) -> ResourceOutcome {
    let place: Vec<&str> = kind.into_iter().chain(group.iter().map(String::as_str)).collect();
    let ages = target.timing.ages(kind.unwrap_or("socket"), "", 0, 0);
    let seen = target.lines[target.line_of(kind.unwrap_or_default())].seen();
    let detectable = (seen > ages.old).then(|| NEEDED * 60_000.0 / (seen - ages.old) as f64);
    ResourceOutcome {
        id: format!("{}/{}/{}/{}", target.target.0, resource, place.join(" > "), rule),
        resource: resource.to_owned(),
        kind: kind.map(str::to_owned),
        group,
        now: None,
        limit: None,
        limit_name: None,
        level: Level::Unknown,
        opened: 0,
        closed: 0,
        lower_bound: true,
        per_minute: None,
        seconds_to_limit: None,
        detectable_per_minute: detectable,
        conclusive: false,
        missing: String::new(),
        verdict: Verdict::InsufficientData,
        confidence: Confidence::Low,
        evidence: Vec::new(),
        report: None,
        next_steps: Vec::new(),
        examples: Vec::new(),
        sites: Vec::new(),
        openers: None,
        history: Vec::new(),
        together: Vec::new(),
        part_of: None,
        since: target.origin,
    }
}

fn counts(target: &TargetWatch, row: &mut ResourceOutcome, group: &Group) {
    row.now = Some(group.now() as f64);
    row.opened = group.opened;
    row.closed = group.closed;
    row.history = group.history().iter().map(|&n| f64::from(n)).collect();
    if let Some(headroom) = headroom(target, &row.resource) {
        row.limit = Some(headroom.limit);
        row.limit_name = Some(headroom.name);
    }
}

fn group_row(target: &TargetWatch, line: &Timeline, id: GroupId, rule: &str) -> ResourceOutcome {
    let group = line.census.group(id);
    let path: Vec<String> =
        line.census.path(id).iter().skip(1).map(|name| name.to_string()).collect();
    let mut row = blank(target, resource_of(&group.kind), Some(&group.kind), path, rule);
    counts(target, &mut row, group);
    row
}

fn group_resource(
    target: &TargetWatch,
    line: &Timeline,
    id: GroupId,
    groups: usize,
) -> Option<ResourceOutcome> {
    let standing = line.standings.get(&id)?;
    let judged = line.judged_of(id)?;
    let group = line.census.group(id);
    let mut row = group_row(target, line, id, "cohort");
    row.verdict = standing.verdict()?;
    row.since = standing.since;
    row.confidence = judged.confidence;
    row.conclusive = row.verdict > Verdict::Suspect || row.verdict < Verdict::InsufficientData;
    let stats = &judged.stats;
    let growing =
        matches!(row.verdict, Verdict::Suspect | Verdict::Leaking | Verdict::GrowingInUse);
    if growing && stats.rate > 0.0 {
        row.per_minute = Some(Rate {
            value: stats.rate * 60.0,
            low: (stats.rate_low * 60.0).max(0.0),
            high: stats.rate_high * 60.0,
        });
    }
    let headroom = headroom(target, &row.resource);
    row.seconds_to_limit = headroom
        .as_ref()
        .zip(row.per_minute)
        .and_then(|(headroom, rate)| time_to_limit(headroom.left, rate));
    if let Some(headroom) = &headroom {
        row.level = water_level(target, &row.resource, headroom, stats.rate_high);
    }
    let place = words::place(&row);
    row.evidence = words::evidence(&place, &row, judged, standing.leak.as_ref(), line.judged);
    row.report = Some(report(judged, groups));
    row.next_steps = advice::for_group(
        &row,
        &target.facts.pids,
        headroom.as_ref().map(|h| h.left),
        hard_limit(target),
    );
    (row.examples, row.sites) = survivors(line, id, judged, standing.leak.as_ref());
    let old = target.timing.ages(&group.kind, &group.state, 0, 0).old;
    row.openers = openers::of_group(target, line, id, judged.age.max(old));
    row.sites.extend(openers::sites(row.openers.as_ref()));
    if row.verdict == Verdict::Suspect {
        let ages = target.timing.ages(&group.kind, &group.state, 0, 0);
        let seen = line.judged - line.origin;
        row.missing = words::more_time((ages.old + ages.span - seen).max(ages.bucket), None);
    }
    if let Some(reason) = target.withheld(line) {
        row.verdict = row.verdict.min(Verdict::Suspect);
        row.confidence = Confidence::Low;
        row.conclusive = false;
        row.missing = reason.to_owned();
    }
    Some(row)
}

/// A few of those that outlived the normal ones, and the lines that opened them.
fn survivors(
    line: &Timeline,
    id: GroupId,
    judged: &Judged,
    leak: Option<&Leak>,
) -> (Vec<String>, Vec<String>) {
    let from = leak.map_or(judged.stats.first_birth, |l| l.first_birth);
    let until = line.judged - judged.age;
    let members = || {
        line.census
            .members(id)
            .filter(|(_, life)| {
                life.born(judged.clock).is_some_and(|born| born >= from && born <= until)
            })
            .map(|(facts, _)| facts)
    };
    let few = |texts: &mut dyn Iterator<Item = &std::sync::Arc<str>>| {
        let texts = texts.filter(|text| !text.is_empty()).take(64);
        let mut texts: Vec<String> = texts.map(ToString::to_string).collect();
        texts.sort();
        texts.dedup();
        texts.truncate(3);
        texts
    };
    let labels = few(&mut members().map(|facts| &facts.label));
    (labels, few(&mut members().map(|facts| &facts.site)))
}

fn silence_resource(
    target: &TargetWatch,
    line: &Timeline,
    id: GroupId,
    spread: &SpreadOfSilence,
) -> ResourceOutcome {
    let mut row = group_row(target, line, id, "first-sample");
    row.verdict = Verdict::Suspect;
    row.missing = "one look at idle times cannot prove a leak; keep watching".to_owned();
    row.evidence = words::spread(&words::place(&row), spread);
    row.next_steps = advice::for_group(&row, &target.facts.pids, None, None);
    row.examples = line
        .census
        .members(id)
        .filter(|(facts, _)| matches!(facts.activity, Activity::SilentSince(_)))
        .map(|(facts, _)| facts.label.to_string())
        .filter(|label| !label.is_empty())
        .take(3)
        .collect();
    let age = target.timing.ages(&line.census.group(id).kind, "", 0, 0).old;
    row.openers = openers::of_group(target, line, id, age);
    row.sites = openers::sites(row.openers.as_ref());
    row
}

fn time_to_limit(left: f64, per_minute: Rate) -> Option<TimeToLimit> {
    (per_minute.value > 0.0).then(|| TimeToLimit {
        value: left * 60.0 / per_minute.value,
        earliest: left * 60.0 / per_minute.high.max(per_minute.value),
        latest: (per_minute.low > 0.0).then(|| left * 60.0 / per_minute.low),
    })
}

fn report(judged: &Judged, groups: usize) -> ConfidenceReport {
    let stats = &judged.stats;
    let least = stats.ln_surv.min(stats.ln_growth);
    ConfidenceReport {
        clock: judged.clock.as_str(),
        age_s: judged.age as f64 / 1000.0,
        ln_e_surv: stats.ln_surv,
        ln_e_growth: stats.ln_growth,
        p_anytime: (groups as f64 * (-least).exp()).min(1.0),
        survivors: stats.survivors,
        generations: stats.generations,
        span_s: stats.span() as f64 / 1000.0,
        oldest_s: stats.oldest as f64 / 1000.0,
        closed_after_age: stats.closings,
        alpha_hat: (stats.exposure > 0.0).then(|| stats.closings / stats.exposure),
        later_half: stats.later_half,
        stock_s: judged.stock_s,
        never_closed_share: stats.never_closed_share,
        pre_alive: stats.pre_alive,
    }
}

/// Conditions that hold now: by rules over what is held, and what a water level or a source says.
pub(super) fn diagnoses(target: &TargetWatch) -> Vec<Diagnosis> {
    let view = View {
        now: target.judged().max(target.origin),
        origin: target.origin,
        handles: target
            .lines
            .iter()
            .flat_map(|line| {
                let now = line.judged.max(line.origin);
                line.census.held().map(move |(facts, entered, poll)| Handle {
                    facts,
                    entered: (entered != Millis::MIN).then_some(entered),
                    now,
                    poll,
                })
            })
            .collect(),
        turnovers: target.own().census.turnovers().collect(),
        lately_ms: target.timing.bucket_ms() * LATELY as Millis,
        time_wait: &target.time_wait,
        pids: &target.facts.pids,
        gauges: target.gauges.iter().map(|(name, gauge)| (&**name, gauge.value)).collect(),
        processes: &target.processes,
        limits: &target.limits,
        pools: target.pools.outcomes(target.judged().max(target.origin)),
        scale: target.timing.scaled(1_000_000) as f64 / 1_000_000.0,
    };
    let mut found = diagnose::diagnose(&view);
    for (resource, gauge) in [("fds", "fds"), ("threads", "threads"), ("rss", "rss_bytes")] {
        let (Some(gauge), Some(headroom)) = (target.gauges.get(gauge), headroom(target, resource))
        else {
            continue;
        };
        let told = found.iter().any(|diagnosis| diagnosis.rule == AT_LIMIT) && resource == "fds";
        if told || water_level(target, resource, &headroom, 0.0) != Level::Critical {
            continue;
        }
        let level = gauge.water.level(headroom.limit, 0.0);
        let seconds_left = level.and_then(|l| l.seconds_left);
        let per_second = seconds_left.filter(|&s| s > 0.0).map(|s| headroom.left / s);
        found.push(Diagnosis::new(
            "limit-near",
            Severity::Warning,
            words::critical(resource, gauge.fullest, headroom.limit, &headroom.name, seconds_left),
            advice::for_limit(
                resource,
                &target.facts.pids,
                headroom.limit,
                hard_limit(target),
                per_second,
            ),
        ));
    }
    for (name, source) in &target.sources {
        if source.status == SourceStatus::Unavailable && name == "fds" {
            let message = format!(
                "which handles grow is unknown: {}; the verdict rests on the count alone",
                source.reason
            );
            found.push(Diagnosis::new("handles-unreadable", Severity::Note, message, Vec::new()));
        }
    }
    found.extend(exhaustion::diagnoses(target));
    for diagnosis in &mut found {
        diagnosis.id = format!("{}/{}", target.target.0, diagnosis.id);
        let openers = openers::of_diagnosis(target, diagnosis);
        let step =
            openers.as_ref().and_then(|found| openers::step(diagnosis.kind.as_deref(), found));
        diagnosis.next_steps.extend(step);
    }
    found
}

/// Whether the clock of a judgement speaks of silence rather than age.
fn speaks_of_silence(clock: Clock) -> bool {
    matches!(clock, Clock::Stale | Clock::Dormant)
}
