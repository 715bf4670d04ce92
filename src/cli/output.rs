//! Where the answer goes: one sink for all formats.

use std::io::{self, Write};

use super::args::Format;
use super::terminal::style;
use crate::live::outcome::{Changes, Outcome};
use crate::report::{self, Style};

/// The chosen format and what it keeps between refreshes.
pub(super) struct Output {
    form: Form,
    style: Style,
    command: &'static str,
    connections: bool,
}

enum Form {
    /// Text, when something changed.
    Plain,
    Json,
    Ndjson,
}

impl Output {
    pub(super) fn new(format: Format, command: &'static str) -> Self {
        let form = match format {
            Format::Json => Form::Json,
            Format::Ndjson => Form::Ndjson,
            Format::Auto | Format::Human => Form::Plain,
        };
        Self { form, style: style(), command, connections: false }
    }

    /// Tells people about connections, too; documents always do.
    pub(super) fn with_connections(mut self, wanted: bool) -> Self {
        self.connections = wanted;
        self
    }

    /// Says something about the run that is not part of the answer; machine formats stay clean.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Plain => {
                let mut out = io::stdout().lock();
                for line in text.split('\n') {
                    writeln!(out, "{}", report::sanitise(line))?;
                }
                out.flush()
            }
            Form::Json | Form::Ndjson => Ok(()),
        }
    }

    /// After a tick: what changed. After the only one the answer follows at once, and people need
    /// not read it twice.
    pub(super) fn tick(&mut self, changes: &Changes, only: bool) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match &mut self.form {
            Form::Plain if !changes.is_empty() && !only => {
                report::human_changes(changes, self.style, &mut out)?;
            }
            Form::Ndjson => {
                for change in &changes.findings {
                    report::ndjson_change(change, &mut out)?;
                }
                for change in &changes.diagnoses {
                    report::ndjson_diagnosis(change, &mut out)?;
                }
            }
            Form::Plain | Form::Json => return Ok(()),
        }
        out.flush()
    }

    /// The end.
    pub(super) fn finish(&mut self, outcome: &Outcome) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match &mut self.form {
            Form::Plain => report::human_summary(outcome, self.style, &mut out)?,
            Form::Json => report::json(outcome, self.command, &mut out)?,
            Form::Ndjson => report::ndjson_summary(outcome, self.command, &mut out)?,
        }
        if self.connections && matches!(self.form, Form::Plain) {
            report::connections(outcome, self.style, &mut out)?;
        }
        out.flush()
    }
}
