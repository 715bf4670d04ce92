//! Where the answer goes: one sink for all formats.

use std::io::{self, IsTerminal, Write};

use super::args::Format;
use crate::live::outcome::{FindingChange, Outcome};
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
        let style = style(terminal);
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

    /// After a tick: what changed, and a refresh where the form has one.
    pub(super) fn tick(
        &mut self,
        changes: &[FindingChange],
        outcome: impl FnOnce() -> Outcome,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match &mut self.form {
            Form::Live(view) => {
                view.resize(rows());
                view.draw(&outcome(), self.style, &mut out)?;
            }
            Form::Plain if !changes.is_empty() => {
                report::human_changes(changes, self.style, &mut out)?;
            }
            Form::Ndjson => {
                for change in changes {
                    report::ndjson_change(change, &mut out)?;
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

/// Rows of the terminal, 0 when unknown.
fn rows() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row))
}

fn style(terminal: bool) -> Style {
    let width = rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&width| width >= 40);
    let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"));
    Style {
        color: terminal && std::env::var_os("NO_COLOR").is_none(),
        width: width.unwrap_or(100),
        unicode: utf8,
    }
}
