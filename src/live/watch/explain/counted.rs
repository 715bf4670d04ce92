//! Findings about what is only counted: groups of things without identities, and pools.

use super::{advice, blank, resource_of, words};
use crate::finding::{Confidence, Evidence, Verdict};
use crate::live::detect::gauge::GaugeGrowth;
use crate::live::outcome::{Rate, ResourceOutcome};
use crate::live::watch::gauge::Gauge;
use crate::live::watch::tallies::Key;
use crate::live::watch::target::TargetWatch;

/// The resource of what only a user's own mapping names.
pub(super) const COUNTS: &str = "counts";

/// The findings, proofs first.
pub(super) fn findings(target: &TargetWatch) -> Vec<ResourceOutcome> {
    let mut found = Vec::new();
    for (key, tally) in target.tallies.proved() {
        let mut row = row(target, key, &tally.gauge, "proof");
        row.verdict = Verdict::Leaking;
        row.confidence = Confidence::Proof;
        row.conclusive = true;
        row.since = tally.since.unwrap_or(target.origin);
        row.evidence.push(Evidence::new(format!(
            "{}: {:.0} are leaked for certain: the garbage collector of the program found that \
             nothing alive can reach what they wait for",
            words::place(&row),
            tally.gauge.value
        )));
        row.next_steps = advice::for_group(&row, &target.facts.pids, None, None);
        found.push(row);
    }
    // Where they are told apart, their identities say more than their number.
    let apart = |kind: &str| {
        let line = &target.lines[target.line_of(kind)];
        let mut roots = line.census.roots().iter().map(|&root| line.census.group(root));
        target.withheld(line).is_none()
            && roots.any(|group| &*group.kind == kind && group.now() > 0)
    };
    for (key, tally, growth) in target.tallies.growing().filter(|(key, ..)| !apart(&key.kind)) {
        let mut row = row(target, key, &tally.gauge, "gauge");
        let subject = words::place(&row);
        grows(&mut row, &subject, &growth, target);
        row.next_steps = advice::for_group(&row, &target.facts.pids, None, None);
        found.push(row);
    }
    for (name, in_use, growth) in target.pools.growing() {
        let mut row = blank(target, "pools", Some("pool"), vec![name.to_owned()], "gauge");
        row.now = Some(in_use.value);
        row.history.clone_from(&in_use.history);
        row.limit = target.pools.most(name).map(|most| most as u64);
        row.limit_name = row.limit.map(|_| "its maximum".to_owned());
        let subject = format!("pool {name}, in use");
        grows(&mut row, &subject, &growth, target);
        row.seconds_to_limit = row.limit.zip(row.per_minute).and_then(|(limit, rate)| {
            super::time_to_limit((limit as f64 - in_use.value).max(0.0), rate)
        });
        row.next_steps = advice::for_group(&row, &target.facts.pids, None, None);
        found.push(row);
    }
    found
}

fn row(target: &TargetWatch, key: &Key, gauge: &Gauge, rule: &str) -> ResourceOutcome {
    let group = key.group.iter().map(ToString::to_string).collect();
    // Other kinds are words of the user, and no fds.
    let resource = match &*key.kind {
        "goroutine" | "task" => resource_of(&key.kind),
        _ => COUNTS,
    };
    let mut row = blank(target, resource, Some(&key.kind), group, rule);
    row.now = Some(gauge.value);
    row.history.clone_from(&gauge.history);
    row
}

/// A number whose floor rises: never more than suspect.
fn grows(row: &mut ResourceOutcome, subject: &str, growth: &GaugeGrowth, target: &TargetWatch) {
    row.verdict = Verdict::Suspect;
    row.confidence = Confidence::Low;
    row.missing = words::ONLY_A_COUNT.to_owned();
    row.since = growth.onset;
    row.per_minute = Some(per_minute(growth));
    row.evidence.push(Evidence::new(words::gauge_growth(subject, growth, target.seen())));
}

/// The rate of a gauge.
pub(super) fn per_minute(growth: &GaugeGrowth) -> Rate {
    Rate { value: growth.rate * 60.0, low: growth.rate_low * 60.0, high: growth.rate_high * 60.0 }
}
