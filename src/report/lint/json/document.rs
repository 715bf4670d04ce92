//! The types of the lint document. Append-only within a version; never serialise domain types.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::summary::{Counts, skipped_by_reason};
use crate::finding::{self, LintFinding};
use crate::lint::{self, Report};
use crate::report::number::rounded;

/// JSON: the whole document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    tool: Tool,
    findings: Vec<Finding<'a>>,
    issues: Vec<Issue<'a>>,
    why: &'a [String],
    summary: Summary,
    stats: Option<Stats<'a>>,
    skipped: Vec<Skipped<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(report: &'a Report, elapsed: Option<Duration>) -> Self {
        Self {
            schema: "poolscan.lint/1",
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            findings: report.findings.iter().map(Finding::new).collect(),
            issues: report.issues.iter().map(Issue::new).collect(),
            why: &report.why,
            summary: Summary::new(report),
            stats: elapsed.map(|elapsed| Stats::new(report, elapsed)),
            skipped: report.skipped.iter().map(Skipped::new).collect(),
        }
    }
}

/// JSON: who wrote the document.
#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// JSON: one finding.
#[derive(Serialize)]
pub(super) struct Finding<'a> {
    rule: &'a str,
    family: &'a str,
    severity: &'static str,
    confidence: &'static str,
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    function: &'a str,
    message: &'a str,
    help: &'a str,
    related: Vec<Related<'a>>,
    fingerprint: &'a str,
    package: &'a str,
    module: &'a str,
    fixes: Vec<Fix<'a>>,
    evidence: Vec<Seen<'a>>,
}

/// JSON: a leak of a running program at the place of a finding.
#[derive(Serialize)]
struct Seen<'a> {
    relation: &'static str,
    target: &'a str,
    group: &'a str,
    place: &'a str,
    survivors: u64,
}

impl<'a> Seen<'a> {
    fn new(seen: &'a finding::Seen) -> Self {
        let finding::Seen { relation, target, group, place, survivors } = seen;
        Self { relation: relation.as_str(), target, group, place, survivors: *survivors }
    }
}

impl<'a> Finding<'a> {
    fn new(f: &'a LintFinding) -> Self {
        Self {
            rule: &f.rule,
            family: &f.family,
            severity: f.severity.as_str(),
            confidence: f.confidence.as_str(),
            path: &f.region.path,
            line: f.region.line,
            column: f.region.column,
            end_line: f.region.end_line,
            end_column: f.region.end_column,
            function: &f.function,
            message: &f.message,
            help: &f.help,
            related: f.related.iter().map(Related::new).collect(),
            fingerprint: &f.fingerprint,
            package: &f.package,
            module: &f.module,
            fixes: f.fix.iter().map(Fix::new).collect(),
            evidence: f.seen.iter().map(Seen::new).collect(),
        }
    }
}

/// JSON: a place that belongs to a finding.
#[derive(Serialize)]
pub(super) struct Related<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    label: &'a str,
    role: &'static str,
}

impl<'a> Related<'a> {
    fn new(r: &'a finding::Related) -> Self {
        Self {
            path: &r.region.path,
            line: r.region.line,
            column: r.region.column,
            end_line: r.region.end_line,
            end_column: r.region.end_column,
            label: &r.label,
            role: r.role.as_str(),
        }
    }
}

/// JSON: edits that mend a finding.
#[derive(Serialize)]
pub(super) struct Fix<'a> {
    applicability: &'static str,
    title: &'a str,
    edits: Vec<Edit<'a>>,
}

impl<'a> Fix<'a> {
    fn new(fix: &'a finding::Fix) -> Self {
        Self {
            applicability: fix.applicability.as_str(),
            title: &fix.title,
            edits: fix.edits.iter().map(Edit::new).collect(),
        }
    }
}

/// JSON: text that replaces what stands at a place.
#[derive(Serialize)]
pub(super) struct Edit<'a> {
    path: &'a str,
    start_byte: u32,
    end_byte: u32,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    text: &'a str,
}

impl<'a> Edit<'a> {
    fn new(edit: &'a finding::Edit) -> Self {
        Self {
            path: &edit.region.path,
            start_byte: edit.file_bytes.0,
            end_byte: edit.file_bytes.1,
            line: edit.region.line,
            column: edit.region.column,
            end_line: edit.region.end_line,
            end_column: edit.region.end_column,
            text: &edit.text,
        }
    }
}

/// JSON: something that could not be analysed, or a setting that does nothing.
#[derive(Serialize)]
pub(super) struct Issue<'a> {
    path: &'a str,
    line: Option<u32>,
    message: &'a str,
}

impl<'a> Issue<'a> {
    fn new(issue: &'a lint::Issue) -> Self {
        let line = (issue.line > 0).then_some(issue.line);
        Self { path: &issue.path, line, message: &issue.message }
    }
}

/// JSON: a file or folder that was left out on purpose.
#[derive(Serialize)]
pub(super) struct Skipped<'a> {
    path: &'a str,
    reason: &'static str,
}

impl<'a> Skipped<'a> {
    fn new(skipped: &'a lint::Skipped) -> Self {
        Self { path: &skipped.path, reason: skipped.reason }
    }
}

/// JSON: counts. Nothing in it differs between two runs over the same source.
#[derive(Serialize)]
pub(super) struct Summary {
    errors: u64,
    warnings: u64,
    notes: u64,
    suppressed: u64,
    issues: u64,
    files: u64,
    lines: u64,
    in_baseline: u64,
    unchanged: u64,
}

impl Summary {
    fn new(report: &Report) -> Self {
        let counts = Counts::of(report);
        Self {
            errors: counts.errors,
            warnings: counts.warnings,
            notes: counts.notes,
            suppressed: report.stats.suppressed,
            issues: report.issues.len() as u64,
            files: report.stats.files,
            lines: report.stats.lines,
            in_baseline: report.stats.in_baseline,
            unchanged: report.stats.unchanged,
        }
    }
}

/// JSON: what the run looked at and what it cost.
#[derive(Serialize)]
pub(super) struct Stats<'a> {
    packages: u64,
    functions: u64,
    candidates: BTreeMap<&'a str, u64>,
    skipped_files: BTreeMap<&'a str, u64>,
    elapsed_seconds: Option<f64>,
    cpu_seconds: BTreeMap<&'a str, Option<f64>>,
}

impl<'a> Stats<'a> {
    fn new(report: &'a Report, elapsed: Duration) -> Self {
        let stats = &report.stats;
        Self {
            packages: stats.packages,
            functions: stats.bodies,
            candidates: stats.outcomes.iter().map(|(&k, &v)| (k, v)).collect(),
            skipped_files: skipped_by_reason(report),
            elapsed_seconds: rounded(elapsed.as_secs_f64()),
            cpu_seconds: stats.times.iter().map(|(&k, v)| (k, rounded(v.as_secs_f64()))).collect(),
        }
    }
}
