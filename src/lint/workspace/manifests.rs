//! Every Cargo.toml that a run comes across, read once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::manifest::Manifest;
use super::toml_file;
use crate::lint::Issue;

/// What a folder has in the way of a Cargo.toml.
#[derive(Debug)]
pub(super) enum Slot {
    /// None.
    Absent,
    /// One that is wrong.
    Broken {
        issue: Issue,
        /// Whether it has a `[package]` all the same.
        package: bool,
    },
    /// One.
    Read(Box<Manifest>),
}

impl Slot {
    /// The manifest, unless it is absent or wrong.
    pub(super) fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Read(manifest) => Some(manifest),
            _ => None,
        }
    }

    fn is_package(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Broken { package, .. } => *package,
            Self::Read(manifest) => manifest.package.is_some(),
        }
    }
}

/// Manifests by folder.
pub(super) struct Manifests {
    cwd: PathBuf,
    slots: Mutex<FxHashMap<PathBuf, Arc<Slot>>>,
}

impl Manifests {
    /// None read so far; paths in issues are relative to `cwd`.
    pub(super) fn new(cwd: &Path) -> Self {
        Self { cwd: cwd.to_owned(), slots: Mutex::default() }
    }

    /// The one in `dir`.
    pub(super) fn get(&self, dir: &Path) -> Arc<Slot> {
        // A panic elsewhere leaves a map that is merely less full.
        let known = self.slots.lock().unwrap_or_else(PoisonError::into_inner).get(dir).cloned();
        known.unwrap_or_else(|| {
            // Not under the lock: others read theirs meanwhile.
            let slot = Arc::new(read(dir, &self.cwd));
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.insert(dir.to_owned(), Arc::clone(&slot));
            slot
        })
    }

    /// The folder of the nearest package at or above `dir`.
    pub(super) fn package_at_or_above(&self, dir: &Path) -> Option<PathBuf> {
        dir.ancestors().find(|dir| self.get(dir).is_package()).map(Path::to_owned)
    }
}

fn read(dir: &Path, cwd: &Path) -> Slot {
    let path = dir.join("Cargo.toml");
    if !path.is_file() {
        return Slot::Absent;
    }
    let instead = "this manifest is taken as empty: versions of dependencies are unknown";
    match toml_file::read(&path, cwd, instead) {
        Ok(manifest) => Slot::Read(Box::new(manifest)),
        Err(broken) => Slot::Broken {
            issue: broken.issue,
            package: broken.text.lines().any(|line| line.trim() == "[package]"),
        },
    }
}
