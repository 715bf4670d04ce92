//! What lint found as one page: by family, file and rule, each finding with its lines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::finding::{LintFinding, Region, Severity};
use crate::lint::Report;
use crate::report::lint::{Counts, Window, issue_line, label, offer, some};
use crate::report::number::grouped;

/// Findings shown with their lines.
const FINDINGS: usize = 1_000;
/// Lines before and after a place, lines of an excerpt, and characters of a line.
const AROUND: u32 = 2;
const EXCERPT: usize = 24;
const WIDTH: usize = 240;
/// Rows of each table.
const ROWS: usize = 500;

/// The page.
#[derive(Serialize)]
pub(super) struct Page {
    about: String,
    errors: String,
    warnings: String,
    notes: String,
    notes_hidden: bool,
    left_out: usize,
    tables: Vec<Table>,
    families: Vec<Family>,
    issues: Vec<String>,
    issues_left_out: usize,
    command: String,
}

/// Counts by something.
#[derive(Serialize)]
struct Table {
    title: &'static str,
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Serialize)]
struct Row {
    name: String,
    errors: u64,
    warnings: u64,
    notes: u64,
}

#[derive(Serialize)]
struct Family {
    name: String,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    severity: &'static str,
    rule: String,
    message: String,
    help: String,
    function: String,
    place: String,
    fix: Option<String>,
    excerpts: Vec<Excerpt>,
}

/// Lines of one file.
#[derive(Serialize)]
struct Excerpt {
    path: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    /// Its number, as wide as that of the last line.
    number: String,
    text: String,
    /// What is said of it.
    marks: Vec<String>,
    marked: bool,
}

impl Page {
    /// Everything that the page shows; `command` is what made it.
    pub(super) fn new(report: &Report, notes: bool, command: &str) -> Self {
        let counts = Counts::of(report);
        let shown: Vec<&LintFinding> =
            report.findings.iter().filter(|f| notes || f.severity > Severity::Note).collect();
        let mut families: BTreeMap<&str, BTreeMap<&str, Vec<Finding>>> = BTreeMap::new();
        for finding in shown.iter().take(FINDINGS) {
            let files = families.entry(&finding.family).or_default();
            files.entry(&finding.region.path).or_default().push(shown_finding(finding, report));
        }
        Self {
            about: format!(
                "{}, {}, poolscan {}",
                some(report.stats.files, "file"),
                some(report.stats.lines, "line"),
                env!("CARGO_PKG_VERSION")
            ),
            errors: grouped(counts.errors),
            warnings: grouped(counts.warnings),
            notes: grouped(counts.notes),
            notes_hidden: !notes && counts.notes > 0,
            left_out: shown.len().saturating_sub(FINDINGS),
            tables: vec![
                table("family", &report.findings, |f| &f.family),
                table("rule", &report.findings, |f| &f.rule),
                table("file", &report.findings, |f| &f.region.path),
            ],
            families: families
                .into_iter()
                .map(|(name, files)| Family {
                    name: name.to_owned(),
                    files: files
                        .into_iter()
                        .map(|(path, findings)| File { path: path.to_owned(), findings })
                        .collect(),
                })
                .collect(),
            issues: report.issues.iter().take(ROWS).map(issue_line).collect(),
            issues_left_out: report.issues.len().saturating_sub(ROWS),
            command: command.to_owned(),
        }
    }
}

/// Counts by what `by` gives, the most first.
fn table<'a>(
    title: &'static str,
    findings: &'a [LintFinding],
    by: impl Fn(&'a LintFinding) -> &'a str,
) -> Table {
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for finding in findings {
        counts.entry(by(finding)).or_default().add(finding.severity);
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|&(name, counts)| {
        (std::cmp::Reverse((counts.errors, counts.warnings, counts.notes)), name)
    });
    let left_out = rows.len().saturating_sub(ROWS);
    let rows = rows.into_iter().take(ROWS).map(|(name, counts)| Row {
        name: name.to_owned(),
        errors: counts.errors,
        warnings: counts.warnings,
        notes: counts.notes,
    });
    Table { title, rows: rows.collect(), left_out }
}

fn shown_finding(finding: &LintFinding, report: &Report) -> Finding {
    Finding {
        severity: finding.severity.as_str(),
        rule: finding.rule.clone(),
        message: finding.message.clone(),
        help: finding.help.clone(),
        function: finding.function.clone(),
        place: format!("{}:{}:{}", finding.region.path, finding.region.line, finding.region.column),
        fix: finding.fix.as_ref().map(offer),
        excerpts: excerpts(finding, report),
    }
}

/// The lines around all places of a finding, file by file, its own file first.
fn excerpts(finding: &LintFinding, report: &Report) -> Vec<Excerpt> {
    let own = (&finding.region, String::new());
    let related = finding.related.iter().map(|r| (&r.region, label(r).to_owned()));
    let mut files: Vec<(&str, Vec<(&Region, String)>)> = Vec::new();
    for (region, label) in std::iter::once(own).chain(related) {
        match files.iter_mut().find(|(path, _)| *path == &*region.path) {
            Some((_, places)) => places.push((region, label)),
            None => files.push((&region.path, vec![(region, label)])),
        }
    }
    let excerpts = files.into_iter().filter_map(|(path, places)| {
        let source = report.sources.get(path)?;
        Some(Excerpt { path: path.to_owned(), lines: lines(source, &places) })
    });
    excerpts.collect()
}

/// Lines near a place, each once, with what is said of them.
fn lines(source: &str, places: &[(&Region, String)]) -> Vec<Line> {
    let first = places.iter().map(|(r, _)| r.line).min().unwrap_or(1).saturating_sub(AROUND).max(1);
    let last = places.iter().map(|(r, _)| r.end_line.max(r.line)).max().unwrap_or(1);
    let window = Window::new(source, first, last.saturating_add(AROUND), true);
    let near = |number: u32| {
        places.iter().any(|(r, _)| {
            number.saturating_add(AROUND) >= r.line && number <= r.line.saturating_add(AROUND)
        })
    };
    let width = last.saturating_add(AROUND).to_string().len();
    let numbered = window.text.split('\n').zip(window.first..);
    let shown = numbered.filter(|&(_, number)| near(number)).take(EXCERPT);
    shown
        .map(|(text, number)| {
            let here = places.iter().filter(|(r, _)| r.line == number);
            let marks: Vec<String> =
                here.clone().map(|(_, label)| label.clone()).filter(|l| !l.is_empty()).collect();
            let text = text.chars().take(WIDTH).collect();
            let number = format!("{number:>width$}");
            Line { number, text, marked: here.count() > 0, marks }
        })
        .collect()
}
