//! What is wrong, in the words of the protocol.

use std::ops::Range as Bytes;

use gen_lsp_types::{
    Code, CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location,
    Message, Range,
};

use super::place::{Encoding, Index};
use crate::config::Mistake;
use crate::finding::{LintFinding, Severity};
use crate::lint::Issue;

/// A finding.
pub(super) fn of_finding(
    finding: &LintFinding,
    range: Range,
    href: Option<&str>,
    related: Vec<DiagnosticRelatedInformation>,
) -> Diagnostic {
    let message = match finding.help.as_str() {
        "" => finding.message.clone(),
        help => format!("{}\nhelp: {help}", finding.message),
    };
    Diagnostic {
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Note => DiagnosticSeverity::Information,
        }),
        code: Some(Code::String(finding.rule.clone())),
        code_description: href.map(|href| CodeDescription { href: href.into() }),
        related_information: (!related.is_empty()).then_some(related),
        ..plain(range, message)
    }
}

/// A place that belongs to a finding.
pub(super) fn related(uri: &str, range: Range, label: &str) -> DiagnosticRelatedInformation {
    let location = Location { uri: uri.into(), range };
    DiagnosticRelatedInformation { location, message: label.to_owned() }
}

/// Something that could not be analysed, or a suppression that does nothing.
pub(super) fn of_issue(issue: &Issue, index: &Index<'_>) -> Diagnostic {
    let line = issue.line.checked_sub(1);
    let bytes = line.map_or((0, 0), |line| index.line(line as usize));
    Diagnostic {
        severity: Some(DiagnosticSeverity::Information),
        ..plain(index.range(bytes), issue.message.clone())
    }
}

/// Something that is wrong with settings, rules or facts.
pub(super) fn of_mistake(mistake: &Mistake, encoding: Encoding) -> Diagnostic {
    let text = mistake.text.as_deref().unwrap_or_default();
    let Bytes { start, end } = mistake.span;
    let message = match &mistake.help {
        Some(help) => format!("{}\nhelp: {help}", mistake.message),
        None => mistake.message.clone(),
    };
    Diagnostic {
        severity: Some(DiagnosticSeverity::Error),
        ..plain(Index::new(text, encoding).range((start, end)), message)
    }
}

fn plain(range: Range, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: None,
        code: None,
        code_description: None,
        source: Some(env!("CARGO_PKG_NAME").to_owned()),
        message: Message::String(message),
        tags: None,
        related_information: None,
        data: None,
    }
}
