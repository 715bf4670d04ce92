//! From the paths a person names to the Rust files that matter: everything named, and what is
//! needed to understand it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::manifests::Manifests;
use super::walk::{Found, is_rust};
use super::{LoadError, Request, SourceFile, paths};
use crate::lint::{Issue, Skipped};

/// The files of a run, before they are sorted into packages.
#[derive(Debug)]
pub(super) struct Sources {
    /// By path, sorted.
    pub(super) files: Vec<SourceFile>,
    pub(super) issues: Vec<Issue>,
    pub(super) skipped: Vec<Skipped>,
}

/// Finds them. `cwd` is absolute.
///
/// # Errors
/// A named path that does not exist or cannot be looked at.
pub(super) fn find(
    request: &Request,
    cwd: &Path,
    manifests: &Manifests,
) -> Result<Sources, LoadError> {
    let named = Named::new(request, cwd)?;
    let mut found = Found::default();
    // The whole package around a named path is read, for what its files know of each other.
    let home = |path: &PathBuf| manifests.package_at_or_above(path).unwrap_or_else(|| path.clone());
    let mut homes: BTreeSet<PathBuf> = named.folders.iter().map(home).collect();
    let parents = named.files.iter().filter_map(|file| file.parent());
    homes.extend(parents.filter_map(|parent| manifests.package_at_or_above(parent)));
    for root in outermost(&homes) {
        found.walk(root, true, cwd);
    }
    // What a person names is never ignored: a second look without the ignore files above.
    for root in homes.iter().chain(&named.folders) {
        if !found.any_at(root) {
            found.walk(root, false, cwd);
        }
    }
    found.files.extend(named.files.iter().cloned());
    found.issues.sort();
    found.issues.dedup();

    let skipped = [("not_rust", &named.not_rust), ("linked_folder", &found.linked_folders)];
    let skipped = skipped.into_iter().flat_map(|(reason, all)| {
        all.iter().map(move |path| Skipped { path: paths::shown(path, cwd), reason })
    });
    let skipped = skipped.collect();
    Ok(Sources { files: named.mark(&found, cwd), issues: found.issues, skipped })
}

/// The files below the folder of a package that others need to know of. None of them is reported.
pub(super) fn of_member(dir: &Path, cwd: &Path) -> Sources {
    let mut found = Found::default();
    found.walk(dir, true, cwd);
    if !found.any_at(dir) {
        found.walk(dir, false, cwd);
    }
    let files = Named::default().mark(&found, cwd);
    Sources { files, issues: found.issues, skipped: Vec::new() }
}

/// What the command line names, as absolute paths.
#[derive(Debug, Default)]
struct Named {
    folders: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
    not_rust: BTreeSet<PathBuf>,
}

impl Named {
    fn new(request: &Request, cwd: &Path) -> Result<Self, LoadError> {
        let mut named = Self::default();
        let here = [PathBuf::from(".")];
        let paths = if request.paths.is_empty() { &here[..] } else { &request.paths };
        for path in paths {
            let absolute = paths::absolute(cwd, path);
            let unreadable = |source| LoadError::of(path, source);
            let kind = absolute.metadata().map_err(unreadable)?;
            if kind.is_dir() {
                named.folders.insert(absolute);
            } else if kind.is_file() && is_rust(&absolute) {
                named.files.insert(absolute);
            } else {
                // Lists of changed files name everything.
                named.not_rust.insert(absolute);
            }
        }
        Ok(named)
    }

    /// The files found, marked with whether they are to be reported.
    fn mark(&self, found: &Found, cwd: &Path) -> Vec<SourceFile> {
        let wanted = |path: &Path| {
            self.files.contains(path) || path.ancestors().any(|up| self.folders.contains(up))
        };
        // One text is reported once, under its own name.
        let doubles: BTreeSet<&Path> = found
            .links
            .iter()
            .filter(|(link, real)| {
                !self.files.contains(link) && found.files.contains(real) && wanted(real)
            })
            .map(|(link, _)| link.as_path())
            .collect();
        let file = |path: &PathBuf| SourceFile {
            path: path.clone(),
            shown: paths::shown(path, cwd),
            reported: wanted(path) && !doubles.contains(path.as_path()),
        };
        found.files.iter().map(file).collect()
    }
}

/// Those of `folders` that lie in none of the others.
fn outermost(folders: &BTreeSet<PathBuf>) -> impl Iterator<Item = &Path> {
    let covered = |folder: &Path| folder.ancestors().skip(1).any(|up| folders.contains(up));
    folders.iter().map(PathBuf::as_path).filter(move |folder| !covered(folder))
}
