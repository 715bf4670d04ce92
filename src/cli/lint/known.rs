//! The baseline of a run: read before, compared, and written back when asked.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::args::LintArgs;
use crate::lint::baseline::Baseline;
use crate::lint::{Issue, Report};

/// A baseline to compare with, and what to do with it afterwards.
pub(super) struct Known<'a> {
    file: &'a Path,
    baseline: Baseline,
    args: &'a LintArgs,
}

impl<'a> Known<'a> {
    /// The one that the arguments name.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(super) fn read(args: &'a LintArgs) -> anyhow::Result<Option<Self>> {
        let Some(file) = args.baseline.as_deref() else { return Ok(None) };
        let baseline = match std::fs::read_to_string(file) {
            Ok(text) => Baseline::parse(&text)
                .with_context(|| format!("the baseline `{}` was not understood", file.display()))?,
            // The first one is written from nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.write_baseline => {
                Baseline::default()
            }
            Err(error) => {
                let help = "--write-baseline makes one";
                return Err(error)
                    .with_context(|| format!("no baseline at `{}`; {help}", file.display()));
            }
        };
        Ok(Some(Self { file, baseline, args }))
    }

    /// Takes what is known out of the report, and writes the file when asked.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn apply(&self, report: &mut Report) -> anyhow::Result<()> {
        let compared = self.baseline.clone().apply(report);
        let mut rest = compared.rest;
        if self.args.write_baseline {
            rest.add(report);
            report.stats.in_baseline += report.findings.len() as u64;
            report.findings.clear();
        }
        if self.args.write_baseline || self.args.prune_baseline {
            return std::fs::write(self.file, rest.text())
                .with_context(|| format!("`{}` cannot be written", self.file.display()));
        }
        if compared.gone > 0 {
            let (are, them) =
                if compared.gone == 1 { ("finding is", "it") } else { ("findings are", "them") };
            report.issues.push(Issue {
                path: Arc::from(self.file.to_string_lossy()),
                line: 0,
                message: format!(
                    "{} {are} gone: --prune-baseline takes {them} out, so that they cannot come back",
                    compared.gone
                ),
            });
            report.issues.sort();
        }
        Ok(())
    }
}
