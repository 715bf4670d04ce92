//! The baselines of a run: read before, compared, and written back when asked.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::policies::Chosen;
use crate::cli::args::LintArgs;
use crate::lint::baseline::Baseline;
use crate::lint::{Issue, Report, Scope};

/// A baseline to compare with, and what to do with it afterwards.
pub(super) struct Known<'a> {
    file: PathBuf,
    baseline: Baseline,
    /// The numbers of the policies whose packages it is about; all when absent.
    policies: Option<BTreeSet<usize>>,
    args: &'a LintArgs,
}

impl<'a> Known<'a> {
    /// The one that the arguments name, else those of the settings.
    ///
    /// # Errors
    /// One cannot be read, or is none.
    pub(super) fn all(args: &'a LintArgs, chosen: &Chosen) -> anyhow::Result<Vec<Self>> {
        let all = match &args.baseline {
            Some(file) => vec![Self::read(file.clone(), None, args)?],
            None => {
                let named = chosen.baselines().into_iter();
                let read = |(file, policies)| Self::read(file, Some(policies), args);
                named.map(read).collect::<anyhow::Result<_>>()?
            }
        };
        if all.is_empty() && (args.write_baseline || args.prune_baseline) {
            bail!("no baseline is named, neither by --baseline nor in the settings");
        }
        Ok(all)
    }

    fn read(
        file: PathBuf,
        policies: Option<BTreeSet<usize>>,
        args: &'a LintArgs,
    ) -> anyhow::Result<Self> {
        let baseline = match std::fs::read_to_string(&file) {
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
        Ok(Self { file, baseline, policies, args })
    }

    /// Takes what is known out of the report, and writes the file when asked.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn apply(&self, report: &mut Report) -> anyhow::Result<()> {
        let covers = |scope: &Scope, package: &str| {
            self.policies.as_ref().is_none_or(|policies| scope.is_under(package, policies))
        };
        let compared = self.baseline.clone().apply(report, covers);
        let mut rest = compared.rest;
        if self.args.write_baseline {
            rest.take(report, covers);
        }
        if self.args.write_baseline || self.args.prune_baseline {
            return std::fs::write(&self.file, rest.text())
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
