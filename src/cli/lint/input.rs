//! Text from standard input that stands for a file within its package.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::args::LintArgs;
use crate::lint::workspace::{MAX_BYTES, absolute, working_directory};

/// What is analysed, and which texts stand for files.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) overlay: BTreeMap<PathBuf, Arc<str>>,
}

impl Input {
    /// Reads standard input when the arguments say what it is.
    ///
    /// # Errors
    /// It is too large, no text, or paths are named besides.
    pub(super) fn read(args: &LintArgs) -> anyhow::Result<Self> {
        let Some(file) = &args.stdin_filename else { return Ok(Self::default()) };
        if args.paths.iter().any(|path| path != Path::new("-")) {
            bail!("with --stdin-filename no path is named but `-`");
        }
        let mut text = String::new();
        let input = std::io::stdin().lock();
        input.take(MAX_BYTES + 1).read_to_string(&mut text).context("standard input is no text")?;
        if text.len() as u64 > MAX_BYTES {
            bail!("standard input is larger than 8 MB");
        }
        let cwd = working_directory()?;
        Ok(Self { overlay: BTreeMap::from([(absolute(&cwd, file), Arc::from(text))]) })
    }

    /// The paths of the run.
    pub(super) fn paths(&self, args: &LintArgs) -> Vec<PathBuf> {
        match &args.stdin_filename {
            Some(file) => vec![file.clone()],
            None => args.paths.clone(),
        }
    }
}
