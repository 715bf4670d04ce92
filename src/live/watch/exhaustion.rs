//! Calls that failed because no more file descriptors may be had: what was held then, and in words.

use std::sync::Arc;

use super::explain::{hard_limit, resource_of};
use super::openers;
use super::target::TargetWatch;
use crate::finding::Severity;
use crate::live::census::{Census, GroupId};
use crate::live::diagnose::{duration, raise};
use crate::live::facts::{Exhausted, FailedCall, Millis};
use crate::live::outcome::{Diagnosis, FailedCallOutcome, HeldGroup};
use crate::live::wall_clock;

/// Gauge: calls heard of that failed.
const FAILED: &str = "calls_failed_at_limit";
/// Calls kept, and other places that are told of in words.
const MOST: usize = 32;
const OTHER_PLACES: usize = 3;
/// Groups told of.
const GROUPS: usize = 5;
/// Groups of a smaller part of all are left out.
const LEAST_PART: u64 = 20;
/// A group is told by those below it while this many of them hold this share of it.
const FEW: usize = 3;
const SHARE: f64 = 0.8;

/// The first call of each place.
#[derive(Debug, Default)]
pub(super) struct FailedCalls(Vec<Call>);

#[derive(Debug)]
struct Call {
    at: Millis,
    failed: Arc<FailedCall>,
    /// What was held by then, and how many of it; `None`: that look is not complete yet.
    held: Option<Vec<(GroupId, u64)>>,
}

impl FailedCalls {
    /// Takes one in; false when there are too many.
    pub(super) fn take(&mut self, at: Millis, failed: &Arc<FailedCall>) -> bool {
        let fits = self.0.len() < MOST;
        if fits {
            self.0.push(Call { at, failed: Arc::clone(failed), held: None });
        }
        fits
    }
}

/// The calls, with what was held then.
pub(super) fn outcomes(target: &TargetWatch) -> Vec<FailedCallOutcome> {
    let outcome = |call: &Call| FailedCallOutcome {
        failed: Arc::clone(&call.failed),
        held: call.held.iter().flatten().map(|held| group(target, *held)).collect(),
    };
    target.failed_calls.0.iter().map(outcome).collect()
}

/// Notes what was held after calls whose look is complete now; returns whether there were any.
pub(super) fn settle(target: &mut TargetWatch) -> bool {
    let judged = target.judged();
    let open = |call: &Call| call.held.is_none() && call.at <= judged;
    if !target.failed_calls.0.iter().any(open) {
        return false;
    }
    let held = held(target);
    for call in target.failed_calls.0.iter_mut().filter(|call| open(call)) {
        call.held = Some(held.clone());
    }
    true
}

/// The largest groups of file descriptors.
fn held(target: &TargetWatch) -> Vec<(GroupId, u64)> {
    let census = &target.own().census;
    let count = |group: GroupId| census.group(group).now() as u64;
    let roots = census.roots().iter().copied();
    let kinds: Vec<GroupId> =
        roots.filter(|&root| resource_of(&census.group(root).kind) == "fds").collect();
    let all: u64 = kinds.iter().map(|&kind| count(kind)).sum();
    let groups = kinds.into_iter().flat_map(|kind| told_by(census, kind));
    let mut held: Vec<(GroupId, u64)> = groups.map(|group| (group, count(group))).collect();
    held.retain(|(_, count)| *count > 0 && count * LEAST_PART >= all);
    held.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    held.truncate(GROUPS);
    held
}

/// A group, and who opened what it holds by now.
fn group(target: &TargetWatch, (id, count): (GroupId, u64)) -> HeldGroup {
    let line = target.own();
    // Whatever was opened counts here, however young it is.
    let openers = openers::of_group(target, line, id, 0);
    HeldGroup {
        path: line.census.path(id).iter().map(ToString::to_string).collect(),
        count,
        sites: openers::sites(openers.as_ref()),
    }
}

/// The group, or those below it where a few of them are nearly all of it.
fn told_by(census: &Census, id: GroupId) -> Vec<GroupId> {
    let mut below = census.group(id).children.clone();
    below.sort_by_key(|&child| std::cmp::Reverse(census.group(child).now()));
    below.truncate(FEW);
    let covered: usize = below.iter().map(|&child| census.group(child).now()).sum();
    if (covered as f64) < SHARE * census.group(id).now() as f64 || covered == 0 {
        return vec![id];
    }
    below.into_iter().flat_map(|child| told_by(census, child)).collect()
}

/// What is wrong, once a look has followed the first call: it stays said to the end of the watch.
pub(super) fn diagnoses(target: &TargetWatch) -> Vec<Diagnosis> {
    let of = |exhausted| diagnosis(target, exhausted);
    [Exhausted::Process, Exhausted::System].into_iter().filter_map(of).collect()
}

fn diagnosis(target: &TargetWatch, exhausted: Exhausted) -> Option<Diagnosis> {
    let mut calls = target
        .failed_calls
        .0
        .iter()
        .filter(|call| call.failed.exhausted == exhausted && call.held.is_some());
    let first = calls.next()?;
    let held: Vec<HeldGroup> =
        first.held.iter().flatten().map(|held| group(target, *held)).collect();
    let failed = &first.failed;
    let mut message = format!(
        "{} failed for want of a file descriptor ({}) {}, {}: {}",
        failed.opener.call,
        exhausted.errno(),
        place(failed),
        when(target, failed.failed_at),
        fill(failed),
    );
    let groups: Vec<String> =
        held.iter().map(|group| format!("{} of {}", group.count, group.path.join(" > "))).collect();
    if !groups.is_empty() {
        message.push_str(&format!("; {}", groups.join(", ")));
    }
    let heard = target.gauges.get(FAILED).map_or(0.0, |gauge| gauge.value);
    if heard > 1.0 {
        message.push_str(&format!(
            "; {:.0} calls that failed were heard, and there may have been many more",
            heard
        ));
    }
    let (rule, mut steps) = match exhausted {
        Exhausted::Process => {
            let pid = failed.pid;
            let limit = failed.limit.unwrap_or_default();
            let mut steps = vec![format!("who holds what: `poolscan ls {pid}`")];
            if failed.limit.is_some() {
                let (option, raised) = raise(limit, hard_limit(target));
                let more = raised.saturating_sub(limit);
                steps.push(format!("prlimit --pid {pid} {option}   # buys room for {more} more"));
            }
            ("descriptors-exhausted", steps)
        }
        Exhausted::System => (
            "host-files-exhausted",
            vec!["which process holds most: poolscan top --once --most 10".to_owned()],
        ),
    };
    for group in held.iter().rev().filter(|group| !group.sites.is_empty()) {
        let kind = group.path.first().map_or("", String::as_str);
        let site = group.sites.first().map_or("", String::as_str);
        steps.insert(0, format!("look at {site}, which opened most of these {kind}s under trace"));
    }
    let others: Vec<String> = calls
        .take(OTHER_PLACES)
        .map(|call| format!("also {} {}", call.failed.opener.call, place(&call.failed)))
        .collect();
    let mut diagnosis = Diagnosis::new(rule, Severity::Error, message, steps);
    diagnosis.examples = others;
    Some(diagnosis)
}

/// The time of day, where that is known: who reads it was asleep.
fn when(target: &TargetWatch, at: Millis) -> String {
    let into = format!("{} into the watch", duration(at as f64 / 1000.0));
    match wall_clock::second(target.wall_start_ms, at) {
        Some(clock) => format!("at {clock}, {into}"),
        None => into,
    }
}

/// From where the call was made.
fn place(failed: &FailedCall) -> String {
    let opener = &failed.opener;
    if !opener.unknown.is_empty() {
        return format!("at a place that is not known ({})", opener.unknown);
    }
    if !opener.through.is_empty() {
        return format!("within {}", opener.through);
    }
    let doubt = if opener.certain { "" } else { " or something it calls" };
    format!("in {}{doubt}", opener.site())
}

/// How full it was.
fn fill(failed: &FailedCall) -> String {
    let FailedCall { pid, held, limit, exhausted, .. } = failed;
    let who = match exhausted {
        Exhausted::Process => format!("process {pid}"),
        Exhausted::System => "the host".to_owned(),
    };
    match (held, limit) {
        (Some(held), Some(limit)) if held < limit => format!(
            "{who} held {held} of {limit} right after it: some had been closed by then, or it was \
             another limit"
        ),
        (Some(held), Some(limit)) => format!("{who} held {held} of {limit}"),
        (Some(held), None) => format!("{who} held {held}"),
        (None, _) => format!("how many {who} held cannot be told"),
    }
}
