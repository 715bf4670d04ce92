//! Metrics of a lint run: how much is found, known and silenced.

use std::collections::BTreeMap;

use super::exposition::{Description, Exposition, gauge};
use crate::finding::Severity;
use crate::lint::Report;

/// Packages and rules that are told apart.
const MOST: usize = 500;

/// All metrics of a lint run (docs/prometheus.md).
pub(super) const ALL: [Description; 8] = [
    gauge("lint_findings", "Findings by package, family and severity"),
    gauge("lint_rule_findings", "Findings by rule and severity"),
    gauge("lint_known_findings", "Findings that the baseline knows"),
    gauge("lint_suppressed_findings", "Findings that comments and attributes silence"),
    gauge("lint_issues", "What could not be read or parsed, and settings that do nothing"),
    gauge("lint_files", "Files analysed"),
    gauge("lint_lines", "Lines analysed"),
    gauge("lint_label_overflow", "Series that are left out, to bound their number"),
];

/// Fills in the metrics of a report.
pub(super) fn metrics(report: &Report) -> Exposition {
    let mut all = Exposition::new(ALL);
    let mut by_family: BTreeMap<(&str, &str, Severity), f64> = BTreeMap::new();
    let mut by_rule: BTreeMap<(&str, Severity), f64> = BTreeMap::new();
    for finding in &report.findings {
        let key = (&*finding.package, finding.family.as_str(), finding.severity);
        *by_family.entry(key).or_default() += 1.0;
        *by_rule.entry((&finding.rule, finding.severity)).or_default() += 1.0;
    }
    let overflow = by_family.len().saturating_sub(MOST) + by_rule.len().saturating_sub(MOST);
    for ((package, family, severity), count) in by_family.into_iter().take(MOST) {
        let labels = [("package", package), ("family", family), ("severity", severity.as_str())];
        all.add("lint_findings", &labels, count);
    }
    for ((rule, severity), count) in by_rule.into_iter().take(MOST) {
        let labels = [("rule", rule), ("severity", severity.as_str())];
        all.add("lint_rule_findings", &labels, count);
    }
    let stats = &report.stats;
    for (metric, count) in [
        ("lint_known_findings", stats.in_baseline),
        ("lint_suppressed_findings", stats.suppressed),
        ("lint_issues", report.issues.len() as u64),
        ("lint_files", stats.files),
        ("lint_lines", stats.lines),
        ("lint_label_overflow", overflow as u64),
    ] {
        all.add(metric, &[], count as f64);
    }
    all
}
