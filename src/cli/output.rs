//! Where the answer goes: one sink for all formats.

use std::io::{self, IsTerminal, Write};

use super::args::Format;
use super::terminal::{rows, style};
use crate::live::outcome::{Changes, Outcome};
use crate::report::{self, LiveView, Style};

/// The chosen format and what it keeps between refreshes.
pub(super) struct Output {
    form: Form,
    style: Style,
    command: &'static str,
}

enum Form {
    /// In place on a terminal.
    Live(Box<LiveView>),
    /// Text, when something changed.
    Plain,
    Json,
    Ndjson,
}

impl Output {
    pub(super) fn new(format: Format, command: &'static str) -> Self {
        let terminal = io::stdout().is_terminal();
        let style = style();
        let form = match format {
            Format::Json => Form::Json,
            Format::Ndjson => Form::Ndjson,
            Format::Auto if terminal && command != "replay" => {
                Form::Live(Box::new(LiveView::new(rows())))
            }
            Format::Auto | Format::Human => Form::Plain,
        };
        Self { form, style, command }
    }

    /// Says something about the run that is not part of the answer; machine formats stay clean.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Live(_) | Form::Plain => {
                let mut out = io::stdout().lock();
                for line in text.split('\n') {
                    writeln!(out, "{}", report::sanitise(line))?;
                }
                out.flush()
            }
            Form::Json | Form::Ndjson => Ok(()),
        }
    }

    /// After a tick: what changed, and a refresh where the form has one. After the only one the
    /// answer follows at once, and people need not read it twice.
    pub(super) fn tick(
        &mut self,
        changes: &Changes,
        only: bool,
        outcome: impl FnOnce() -> Outcome,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match &mut self.form {
            Form::Live(view) => {
                view.resize(rows());
                view.draw(&outcome(), self.style, &mut out)?;
            }
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
        let mut out = io::stdout().lock();
        match &mut self.form {
            Form::Live(view) => {
                view.finish(&mut out)?;
                report::human_summary(outcome, self.style, &mut out)?;
            }
            Form::Plain => report::human_summary(outcome, self.style, &mut out)?,
            Form::Json => report::json(outcome, self.command, &mut out)?,
            Form::Ndjson => report::ndjson_summary(outcome, self.command, &mut out)?,
        }
        out.flush()
    }
}
