//! Where the answer of lint goes: one format to the terminal, any number to files.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::policies::Chosen;
use super::root::base;
use crate::cli::args::{LintArgs, LintFormat, Output};
use crate::cli::terminal::{file_style, page_style};
use crate::cli::whole;
use crate::finding::Severity;
use crate::lint::Report;
use crate::report::lint as render;
use crate::report::{Style, lint_metrics, lint_page};

/// What is to be written, checked before anything is analysed.
pub(super) struct Outputs<'a> {
    files: Vec<&'a Output>,
    terminal: LintFormat,
    args: &'a LintArgs,
}

impl<'a> Outputs<'a> {
    /// # Errors
    /// When two formats want one place.
    pub(super) fn of(args: &'a LintArgs) -> anyhow::Result<Self> {
        let (files, terminal): (Vec<&Output>, Vec<&Output>) =
            args.format.iter().partition(|output| output.file.is_some());
        if terminal.len() > 1 {
            bail!("only one format can go to the terminal; name a file: --format FORMAT=FILE");
        }
        for (index, output) in files.iter().enumerate() {
            if let Some(file) = &output.file
                && files.iter().take(index).any(|before| before.file.as_ref() == Some(file))
            {
                bail!("two formats would be written to `{}`", file.display());
            }
        }
        let terminal = terminal.first().map_or(LintFormat::Human, |output| output.format);
        Ok(Self { files, terminal, args })
    }

    /// Writes all of them, files first: a closed terminal must not keep them from being written.
    ///
    /// # Errors
    /// The first place that takes nothing.
    pub(super) fn write(
        &self,
        report: &Report,
        chosen: &Chosen,
        elapsed: Duration,
    ) -> anyhow::Result<()> {
        for output in &self.files {
            let Some(file) = &output.file else { continue };
            let mut text = Vec::new();
            self.render(output.format, file_style(), report, chosen, elapsed, &mut text)?;
            if output.format == LintFormat::Prometheus {
                // Its reader may come at any time.
                whole::write(file, &text)?;
                continue;
            }
            std::fs::write(file, text)
                .with_context(|| format!("`{}` cannot be written", file.display()))?;
        }
        if let Some(file) = &self.args.report {
            let notes = self.view(LintFormat::Human, file_style(), chosen, elapsed).notes;
            let page = lint_page(report, notes, &whole::command_line())?;
            whole::write(file, page.as_bytes())?;
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let style = page_style(self.args.color);
        self.render(self.terminal, style, report, chosen, elapsed, &mut out)?;
        Ok(out.flush()?)
    }

    fn view(
        &self,
        format: LintFormat,
        style: Style,
        chosen: &Chosen,
        elapsed: Duration,
    ) -> render::View {
        render::View {
            style,
            // What makes the run fail must be seen.
            notes: self.args.choosing.notes || chosen.fails_from(Severity::Note),
            stats: self.args.stats,
            elapsed: (format == LintFormat::Human).then_some(elapsed),
        }
    }

    fn render(
        &self,
        format: LintFormat,
        style: Style,
        report: &Report,
        chosen: &Chosen,
        elapsed: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let args = self.args;
        let view = self.view(format, style, chosen, elapsed);
        match format {
            LintFormat::Human => render::human(report, view, out),
            LintFormat::Json => render::json(report, args.stats.then_some(elapsed), out),
            LintFormat::Sarif => render::sarif(report, &chosen.rules(), &base(&args.paths), out),
            LintFormat::Github => render::github(report, view, &base(&args.paths), out),
            LintFormat::Agent => render::agent(report, view, out),
            LintFormat::Prometheus => lint_metrics(report, out),
        }
    }
}
