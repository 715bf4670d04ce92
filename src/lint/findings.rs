//! Candidates become findings: places as lines and columns, messages, severities.

use std::sync::Arc;

use crate::catalog::model::{Engine, Level};
use crate::finding::{
    Applicability, Confidence, Edit, Fix, LintFinding, Region, Related, Role, Severity,
};

use super::checks::{Candidate, Outcome, Reported};
use super::fix::Planned;
use super::ir::Span;
use super::names::{FileId, ModId, Module, Names};
use super::subject::subject;
use super::types::Evidence;

/// Where each line begins, in bytes.
pub(crate) fn line_starts(text: &str) -> Vec<u32> {
    let after = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(after)).collect()
}

/// Turns byte ranges of one file into lines and columns.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<u32>,
    path: Arc<str>,
    /// Bytes of the file before its text.
    mark: u32,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(names: &'a Names, file: FileId) -> Self {
        let source = names.source(file);
        let text: &str = &source.text;
        Self { text, starts: line_starts(text), path: Arc::clone(&source.shown), mark: source.mark }
    }

    /// Line and column, both from 1.
    fn position(&self, at: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|&start| start <= at).max(1) - 1;
        let start = self.starts[line] as usize;
        let end = (at as usize).min(self.text.len());
        let column = self.text.get(start..end).map_or(0, |text| text.chars().count());
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        (number(line), number(column))
    }

    /// The text of a range.
    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    pub(crate) fn line(&self, at: u32) -> u32 {
        self.position(at).0
    }

    pub(crate) fn region(&self, span: Span) -> Region {
        let (line, column) = self.position(span.start);
        let (end_line, end_column) = self.position(span.end);
        Region {
            path: Arc::clone(&self.path),
            line,
            column,
            end_line,
            end_column,
            bytes: (span.start, span.end),
        }
    }
}

/// The finding that a reported candidate is; `outside` of the module tree it is one degree lower:
/// perhaps nobody compiles that file. `severity` counts instead of the rule's own.
pub(crate) fn finding(
    names: &Names,
    package: &Arc<str>,
    lines: &Lines<'_>,
    candidate: &Candidate<'_>,
    outside: bool,
    severity: Option<Severity>,
) -> Option<LintFinding> {
    let Outcome::Reported(reported) = &candidate.outcome else { return None };
    let rule = &candidate.rule.rule;
    let function = candidate.function.map(|id| names.qualified(id)).unwrap_or_default();
    let severity = severity.unwrap_or(match rule.severity {
        Level::Note => Severity::Note,
        Level::Warning => Severity::Warning,
        Level::Error => Severity::Error,
    });
    let sure = candidate.evidence == Evidence::Resolved && !outside;
    let related = reported
        .related
        .iter()
        .map(|(role, span, label)| Related {
            region: lines.region(*span),
            role: *role,
            label: label.clone(),
        })
        .chain(reported.outside.iter().map(|(region, label)| Related {
            region: region.clone(),
            role: Role::Step,
            label: label.clone(),
        }))
        .chain(reported.callers.iter().map(|&(file, span)| Related {
            region: Lines::of(names, file).region(span),
            role: Role::Step,
            label: "called here, without a deadline".into(),
        }))
        .collect();
    Some(LintFinding {
        region: lines.region(candidate.span),
        rule: rule.id.clone(),
        defect: match rule.engine {
            Engine::MustRelease | Engine::UnbalancedRaw => format!("unreleased {}", rule.class),
            _ => rule.id.clone(),
        },
        family: candidate.rule.family.to_string(),
        severity: if sure && reported.milder.is_none() { severity } else { severity.lowered() },
        confidence: if sure { Confidence::High } else { Confidence::Medium },
        package: Arc::clone(package),
        module: module(names, candidate),
        function: function.clone(),
        subject: subject(lines.slice(candidate.span)),
        message: fill(&rule.message, reported, &function),
        help: fill(&rule.help, reported, &function),
        fix: reported.fix.as_ref().map(|planned| fix(planned, lines)),
        related: with_acquisition(related, lines, candidate),
        fingerprint: String::new(),
        seen: Vec::new(),
    })
}

fn fix(planned: &Planned, lines: &Lines<'_>) -> Fix {
    let edit = |(span, text): &(Span, String)| Edit {
        region: lines.region(*span),
        file_bytes: (span.start + lines.mark, span.end + lines.mark),
        text: text.clone(),
    };
    Fix {
        applicability: if planned.safe { Applicability::Safe } else { Applicability::Unsafe },
        title: planned.title.clone(),
        edits: planned.changes.iter().map(edit).collect(),
    }
}

/// The module that a candidate is in; of what is in no function, that of its file.
fn module(names: &Names, candidate: &Candidate<'_>) -> String {
    let of_file = |(_, module): &(_, &Module)| module.file == candidate.file;
    let module = match candidate.function {
        Some(id) => Some(names.function(id).module),
        None => (0..).zip(&names.modules).find(of_file).map(|(number, _)| ModId(number)),
    };
    module.map(|id| names.module_path(id)).unwrap_or_default()
}

/// A path starts where the obligation began.
fn with_acquisition(
    mut related: Vec<Related>,
    lines: &Lines<'_>,
    candidate: &Candidate<'_>,
) -> Vec<Related> {
    if related.iter().any(|related| related.role == Role::Exit) {
        let region = lines.region(candidate.span);
        related.insert(0, Related { region, role: Role::Acquired, label: "acquired here".into() });
    }
    related
}

fn fill(text: &str, reported: &Reported, function: &str) -> String {
    let function = if function.is_empty() { "this module" } else { function };
    text.replace("{item}", &reported.item)
        .replace("{bound}", &reported.bound)
        .replace("{other}", &reported.other)
        .replace("{function}", &format!("`{function}`"))
}
