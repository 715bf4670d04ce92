//! The baselines of a run: read before, compared, and written back when asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::policies::Chosen;
use crate::lint::baseline::Baseline;
use crate::lint::{Issue, Report, Scope};

/// What becomes of the file of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    AsItIs,
    /// It is written, with everything that was found.
    All,
    /// It is written, without what is gone.
    Rest,
}

/// A baseline to compare with, and what to do with it afterwards.
pub(super) struct Known {
    file: PathBuf,
    baseline: Baseline,
    /// The numbers of the policies whose packages it is about; all when absent.
    policies: Option<BTreeSet<usize>>,
    keep: Keep,
}

impl Known {
    /// The one in `named`, else those of the settings.
    ///
    /// # Errors
    /// One cannot be read, or is none.
    pub(super) fn all(
        named: Option<&Path>,
        keep: Keep,
        chosen: &Chosen,
    ) -> anyhow::Result<Vec<Self>> {
        let all = match named {
            Some(file) => vec![Self::read(file.to_owned(), None, keep)?],
            None => {
                let set = chosen.baselines().into_iter();
                let read = |(file, policies)| Self::read(file, Some(policies), keep);
                set.map(read).collect::<anyhow::Result<_>>()?
            }
        };
        if all.is_empty() && keep != Keep::AsItIs {
            bail!("no baseline is named, neither by --baseline nor in the settings");
        }
        Ok(all)
    }

    fn read(file: PathBuf, policies: Option<BTreeSet<usize>>, keep: Keep) -> anyhow::Result<Self> {
        let baseline = match std::fs::read_to_string(&file) {
            Ok(text) => Baseline::parse(&text)
                .with_context(|| format!("the baseline `{}` was not understood", file.display()))?,
            // The first one is written from nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && keep == Keep::All => {
                Baseline::default()
            }
            Err(error) => {
                let help = "--write-baseline makes one";
                return Err(error)
                    .with_context(|| format!("no baseline at `{}`; {help}", file.display()));
            }
        };
        Ok(Self { file, baseline, policies, keep })
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
        if self.keep == Keep::All {
            rest.take(report, covers);
        }
        if self.keep != Keep::AsItIs {
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
