//! The lock files that packages may share, each read once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use semver::Version;

use super::lock::{Edges, Lock};
use crate::lint::Issue;

/// The lock files of all packages, each read once.
pub(super) struct Locks(FxHashMap<PathBuf, Result<Lock, Issue>>);

impl Locks {
    /// Reads those of `paths` that exist; issues name them relative to `cwd`.
    pub(super) fn read(paths: impl Iterator<Item = PathBuf>, cwd: &Path) -> Self {
        let paths: BTreeSet<PathBuf> = paths.collect();
        let paths: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_file()).collect();
        let read = |path: PathBuf| {
            let lock = Lock::read(&path, cwd);
            (path, lock)
        };
        Self(paths.into_par_iter().map(read).collect())
    }

    /// The edges of the package `name` in the first of `paths` that knows it. Lock files on the way
    /// that are wrong become issues.
    pub(super) fn edges(
        &self,
        paths: impl Iterator<Item = PathBuf>,
        name: &str,
        version: Option<&Version>,
        issues: &mut Vec<Issue>,
    ) -> Option<Edges> {
        let mut known = paths.filter_map(|path| self.0.get(&path));
        known.find_map(|lock| match lock {
            Ok(lock) => lock.edges(name, version),
            Err(issue) => {
                issues.push(issue.clone());
                None
            }
        })
    }
}
