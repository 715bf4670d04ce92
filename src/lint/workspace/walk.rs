//! Walking folders for Rust files the way git and ripgrep do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use super::paths;
use crate::lint::Issue;

/// What walks found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rust files, absolute.
    pub(super) files: BTreeSet<PathBuf>,
    /// Of these the symbolic links, and the file that each stands for.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// Folders behind symbolic links; like git we do not enter them, so that nothing is seen
    /// twice and no loop holds us.
    pub(super) linked_folders: BTreeSet<PathBuf>,
    /// Folders and entries that could not be read.
    pub(super) issues: Vec<Issue>,
}

impl Found {
    /// Adds the Rust files below `root` that are not hidden, not ignored and not built.
    /// `parents`: whether ignore files above `root` count too.
    pub(super) fn walk(&mut self, root: &Path, parents: bool, cwd: &Path) {
        let real_root = fs::canonicalize(root).ok();
        let mut builder = WalkBuilder::new(root);
        builder.parents(parents).filter_entry(|entry| !is_built(entry));
        for entry in builder.build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.issues.push(issue(&error, root, cwd));
                    continue;
                }
            };
            let Some(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                self.add_link(entry.path(), root, real_root.as_deref());
            } else if kind.is_file() && is_rust(entry.path()) {
                self.files.insert(entry.into_path());
            }
        }
    }

    /// Whether anything at or below `path` was found.
    pub(super) fn any_at(&self, path: &Path) -> bool {
        self.files.range(path.to_owned()..).next().is_some_and(|file| file.starts_with(path))
    }

    fn add_link(&mut self, link: &Path, root: &Path, real_root: Option<&Path>) {
        // A link to nowhere or to itself has no real path.
        let Ok(real) = fs::canonicalize(link) else { return };
        if real.is_dir() {
            self.linked_folders.insert(link.to_owned());
        } else if is_rust(link) && real.is_file() {
            // In the words of this walk, should the root itself be behind a link.
            let inside = real_root.and_then(|real_root| real.strip_prefix(real_root).ok());
            let seen_as = inside.map_or_else(|| real.clone(), |inside| root.join(inside));
            self.files.insert(link.to_owned());
            self.links.push((link.to_owned(), seen_as));
        }
    }
}

/// Whether `path` is named like Rust source.
pub(super) fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Whether this is a folder that Cargo builds into: `target` beside a manifest, or one with the mark
/// of a cache, which Cargo leaves in every such folder. The folder the walk starts from was asked
/// for.
fn is_built(entry: &DirEntry) -> bool {
    let path = entry.path();
    let named = || entry.file_name() == "target" && path.with_file_name("Cargo.toml").is_file();
    entry.depth() > 0
        && entry.file_type().is_some_and(|kind| kind.is_dir())
        && (named() || path.join("CACHEDIR.TAG").is_file())
}

fn issue(error: &ignore::Error, root: &Path, cwd: &Path) -> Issue {
    let path = path_in(error).unwrap_or(root);
    Issue {
        path: paths::shown(path, cwd),
        line: 0,
        message: format!("cannot be walked: {}; what is below is not analysed", plain(error)),
    }
}

fn path_in(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_in(err)
        }
        _ => None,
    }
}

/// The error without the path, which the issue already has.
fn plain(error: &ignore::Error) -> String {
    match error {
        ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } => plain(err),
        other => other.to_string(),
    }
}
