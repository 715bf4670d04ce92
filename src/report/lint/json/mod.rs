//! What the linter found, for machines: one document `poolscan.lint/1`.

mod document;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use document::Document;

use crate::lint::Report;

/// Writes the whole document, notes included; `elapsed` asks for `stats`.
///
/// # Errors
/// What `out` returns.
pub fn json(report: &Report, elapsed: Option<Duration>, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::new(report, elapsed))?;
    out.write_all(b"\n")
}
