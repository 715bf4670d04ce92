//! Machine-readable output: one JSON document, or a stream of lines that ends with it.

mod connections;
mod document;
mod failed_calls;
mod openers;
#[cfg(test)]
mod tests;

use std::io;

use document::{ChangeLine, DiagnosisLine, Document, SummaryLine};
pub(super) use document::{event, started, status};

use crate::live::outcome::{DiagnosisChange, FindingChange, Outcome};

/// Writes one indented document with `"schema": "poolscan.<command>/1"`.
///
/// # Errors
/// What `out` returns.
pub fn json(outcome: &Outcome, command: &str, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::new(outcome, command))?;
    out.write_all(b"\n")
}

/// Writes one line of type `opened`, `changed` or `cleared`.
///
/// # Errors
/// What `out` returns.
pub fn ndjson_change(change: &FindingChange, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &ChangeLine::new(change))?;
    out.write_all(b"\n")
}

/// Writes one line of type `diagnosis_opened`, `diagnosis_changed` or `diagnosis_cleared`.
///
/// # Errors
/// What `out` returns.
pub fn ndjson_diagnosis(change: &DiagnosisChange, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &DiagnosisLine::new(change))?;
    out.write_all(b"\n")
}

/// Writes the last line: type `summary`, then the fields of the document.
///
/// # Errors
/// What `out` returns.
pub fn ndjson_summary(outcome: &Outcome, command: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document::new(outcome, command);
    serde_json::to_writer(&mut *out, &SummaryLine { r#type: "summary", document })?;
    out.write_all(b"\n")
}
