//! The last lines: what could not be analysed, what the run looked at, and how much was found.

use std::collections::BTreeMap;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style as TableStyle};

use super::View;
use crate::finding::Severity;
use crate::lint::{Issue, Report};
use crate::report::number::grouped;
use crate::report::text::sanitise;

/// Issues shown, at most.
const MAX_ISSUES: usize = 20;

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::report) struct Counts {
    /// See [`Severity::Error`].
    pub(in crate::report) errors: u64,
    /// See [`Severity::Warning`].
    pub(in crate::report) warnings: u64,
    /// See [`Severity::Note`].
    pub(in crate::report) notes: u64,
}

impl Counts {
    /// Counts a report.
    pub(in crate::report) fn of(report: &Report) -> Self {
        let mut counts = Self::default();
        for finding in &report.findings {
            counts.add(finding.severity);
        }
        counts
    }

    /// Counts one more.
    pub(in crate::report) fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => self.notes += 1,
        }
    }

    fn total(self) -> u64 {
        self.errors + self.warnings + self.notes
    }
}

/// How much was found, in what, and how long it took.
pub(super) fn summary_line(report: &Report, view: View) -> String {
    if report.stats.files == 0 && report.findings.is_empty() {
        return "no Rust source was analysed".to_owned();
    }
    let counts = Counts::of(report);
    let mut kinds = vec![(counts.errors, "error"), (counts.warnings, "warning")];
    if view.notes {
        kinds.push((counts.notes, "note"));
    }
    let kinds: Vec<_> =
        kinds.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| some(n, what)).collect();
    let mut line = if kinds.is_empty() { "nothing found".to_owned() } else { kinds.join(", ") };
    if counts.notes > 0 && !view.notes {
        let shows = if counts.notes == 1 { "shows it" } else { "shows them" };
        line.push_str(&format!(" ({} not shown: --notes {shows})", some(counts.notes, "note")));
    }
    let (files, lines) = (some(report.stats.files, "file"), some(report.stats.lines, "line"));
    line.push_str(&format!(" in {files}, {lines}"));
    if let Some(elapsed) = view.elapsed {
        line.push_str(&format!(", {:.2} s", elapsed.as_secs_f64()));
    }
    let left_out = [
        (report.stats.suppressed, "suppressed"),
        (report.stats.in_baseline, "in the baseline"),
        (report.stats.unchanged, "outside of the changes"),
    ];
    for (count, why) in left_out.into_iter().filter(|&(count, _)| count > 0) {
        line.push_str(&format!("; {} {why}", grouped(count)));
    }
    line
}

/// What could not be analysed, and settings that do nothing.
pub(super) fn issue_lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<_> = report.issues.iter().take(MAX_ISSUES).map(issue_line).collect();
    let hidden = report.issues.len().saturating_sub(MAX_ISSUES);
    if hidden > 0 {
        let more = some(hidden as u64, "more issue");
        lines.push(format!("issue: and {more}; --format json has them all"));
    }
    lines
}

/// What could not be analysed, in one line.
pub(in crate::report) fn issue_line(issue: &Issue) -> String {
    match issue.line {
        0 => format!("issue: {}: {}", issue.path, issue.message),
        line => format!("issue: {}:{line}: {}", issue.path, issue.message),
    }
}

/// What the run looked at, what became of it, and what it cost.
pub(super) fn stats_lines(report: &Report) -> Vec<String> {
    let stats = &report.stats;
    let mut lines = vec![format!(
        "stats: {}, {}",
        some(stats.packages, "package"),
        some(stats.bodies, "function"),
    )];
    let counted = |what: &str, map: &BTreeMap<&'static str, u64>| {
        let mut counts: Vec<_> = map.iter().collect();
        counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(*count), *name));
        let line = move |(name, count): (&&str, &u64)| {
            format!("stats: {what} {name}: {}", grouped(*count))
        };
        counts.into_iter().map(line).collect::<Vec<_>>()
    };
    lines.extend(counted("candidates", &stats.outcomes));
    lines.extend(counted("skipped files", &skipped_by_reason(report)));
    let mut times: Vec<_> = stats.times.iter().collect();
    times.sort_by_key(|&(name, time)| (std::cmp::Reverse(*time), *name));
    for (name, time) in times {
        lines.push(format!("stats: time {name}: {:.1} ms", time.as_secs_f64() * 1000.0));
    }
    lines
}

/// Findings by family and severity, the family with most first; empty without findings.
pub(super) fn family_table(report: &Report) -> String {
    let mut families: BTreeMap<&str, Counts> = BTreeMap::new();
    for finding in &report.findings {
        families.entry(&finding.family).or_default().add(finding.severity);
    }
    if families.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(&str, Counts)> = families.into_iter().collect();
    rows.sort_by_key(|(family, counts)| (std::cmp::Reverse(counts.total()), *family));
    rows.push(("all", Counts::of(report)));
    let mut table = Builder::default();
    table.push_record(["family", "errors", "warnings", "notes", "all"].map(str::to_owned));
    for (family, counts) in rows {
        let numbers = [counts.errors, counts.warnings, counts.notes, counts.total()].map(grouped);
        table.push_record([sanitise(family).into_owned()].into_iter().chain(numbers));
    }
    let mut table = table.build();
    table.with(TableStyle::blank()).modify(Columns::new(1..), Alignment::right());
    table.to_string()
}

/// How many files and folders were left out, by reason.
pub(super) fn skipped_by_reason(report: &Report) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for skipped in &report.skipped {
        *counts.entry(skipped.reason).or_default() += 1;
    }
    counts
}

/// A number and its noun.
pub(in crate::report) fn some(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}
