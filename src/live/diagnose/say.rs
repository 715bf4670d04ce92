//! Puts a match into words: the texts of its rule with the references filled in.

use std::collections::BTreeMap;

use super::{Match, View, peer};
use crate::catalog::live::{LiveRule, Predicate, references};
use crate::catalog::model::Level;
use crate::finding::Severity;
use crate::live::outcome::Diagnosis;

/// The diagnosis, unless its message lacks a value.
pub(super) fn diagnosis(rule: &LiveRule, found: Match, view: &View<'_>) -> Option<Diagnosis> {
    let message = fill(&rule.message, &values(&found, view))?;
    // What may be pasted takes nothing from outside but numbers and addresses.
    let pasted = pasted(&found, view);
    let mut next_steps: Vec<String> =
        rule.remedies.iter().filter_map(|text| fill(text, &pasted)).collect();
    // Ending the root of a tree ends all of it: that is no step between nothing and everything.
    if let Some((pid, most)) = found.worker
        && view.pids.first() != Some(&pid)
    {
        let of = found.count;
        next_steps.push(format!(
            "kill -TERM {pid}   # the worker to restart first: frees {most} of {of}"
        ));
    }
    if !rule.lint.is_empty() {
        next_steps.push(format!(
            "poolscan lint --select {}   # in its source, if that is Rust",
            rule.lint.join(",")
        ));
    }
    let worst = match rule.severity {
        Level::Note => Severity::Note,
        Level::Warning => Severity::Warning,
        Level::Error => Severity::Error,
    };
    // A number and its limit are one condition, whichever group happens to hold most.
    let id = match rule.when {
        Predicate::Limit { .. } | Predicate::Amount { .. } | Predicate::Number { .. } => {
            rule.id.clone()
        }
        _ => format!("{}/{}", rule.id, found.group.stable()),
    };
    Some(Diagnosis {
        id,
        severity: worst.min(found.severity),
        kind: (!found.group.is_unknown()).then(|| found.group.kind.to_string()),
        group: found.group.path(),
        count: (!found.group.is_unknown()).then_some(found.count),
        held_seconds: found.held_ms.map(|ms| ms as f64 / 1000.0),
        examples: found.examples,
        lint_rules: rule.lint.clone(),
        ..Diagnosis::new(&rule.id, worst, message, next_steps)
    })
}

/// The text with every reference replaced; `None` when one has no value.
fn fill(text: &str, values: &BTreeMap<&'static str, String>) -> Option<String> {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    for name in references(text) {
        let (before, after) = rest.split_once(&format!("{{{name}}}"))?;
        filled.push_str(before);
        filled.push_str(values.get(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn values(found: &Match, view: &View<'_>) -> BTreeMap<&'static str, String> {
    let mut values = found.values.clone();
    values.insert("count", found.count.to_string());
    values.insert("group", found.group.words());
    values.insert("peer", found.group.peer.to_string());
    if let Some(ms) = found.held_ms {
        values.insert("held", duration(ms as f64 / 1000.0));
    }
    if let Some(pid) = view.pids.first() {
        values.entry("pid").or_insert_with(|| pid.to_string());
    }
    values
}

fn pasted(found: &Match, view: &View<'_>) -> BTreeMap<&'static str, String> {
    let mut values = values(found, view);
    let key = &found.group;
    values.remove("peer");
    // Several peers have no filter, and `ss -K` without one ends every connection of the host.
    values.extend(peer::plain(key).map(|peer| ("peer", peer)));
    values.extend(peer::cohort(key).map(|cohort| ("cohort", cohort)));
    // The words of a group may hold what a hostile program chose: its kind and role do not.
    let plain = [&key.kind, &key.role].map(ToString::to_string).join(" ");
    values.insert("group", plain.trim_end().to_owned());
    let limit = |name: &str| view.limits.get(name).and_then(|limit| limit.value);
    if let Some(soft) = limit("nofile_soft") {
        let (option, raised) = raise(soft, limit("nofile_hard"));
        values.insert("raise", option);
        values.insert("more", raised.saturating_sub(soft).to_string());
    }
    values
}

/// The option of prlimit that raises the soft limit, and to what; above the hard limit it needs
/// CAP_SYS_RESOURCE and raises both.
pub(in crate::live) fn raise(limit: u64, hard: Option<u64>) -> (String, u64) {
    match hard {
        Some(hard) if hard > limit => {
            let raised = hard.min(limit.saturating_mul(2));
            (format!("--nofile={raised}:"), raised)
        }
        _ => {
            let raised = limit.saturating_mul(2);
            (format!("--nofile={raised}:{raised}"), raised)
        }
    }
}

/// A duration in the largest unit that keeps it readable.
pub(in crate::live) fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.1} s", seconds.max(0.0))
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7_200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds < 172_800.0 {
        format!("{:.1} h", seconds / 3600.0)
    } else {
        format!("{:.1} d", seconds / 86_400.0)
    }
}
