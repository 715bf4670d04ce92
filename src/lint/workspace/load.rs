//! Loading: files, sorted into packages, with what their manifests and lock files say.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::draft::Draft;
use super::locks::Locks;
use super::manifests::Manifests;
use super::members;
use super::sources::{self, Sources};
use super::{Package, SourceFile, paths};
use crate::lint::{Issue, Skipped};

/// What to analyse.
#[derive(Debug, Clone)]
pub struct Request {
    /// Files and folders; none: `cwd`. They narrow what is reported, not what is known.
    pub paths: Vec<PathBuf>,
    /// The folder that `paths` and shown paths are relative to.
    pub cwd: PathBuf,
}

/// Everything there is to analyse.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Packages with at least one reported file, and those of their workspaces that they depend on;
    /// sorted by folder.
    pub packages: Vec<Package>,
    /// Files that belong to no package, sorted by path.
    pub loose: Vec<SourceFile>,
    /// What could not be read; sorted.
    pub issues: Vec<Issue>,
    /// What was left out on purpose.
    pub skipped: Vec<Skipped>,
}

/// Why there is nothing to analyse.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A named path is not there.
    #[error("`{}` does not exist; name a folder or a Rust file", path.display())]
    Missing {
        /// As it was named.
        path: PathBuf,
    },
    /// A named path cannot be looked at.
    #[error("cannot read `{}`: {source}; check its permissions", path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No Rust file is left.
    #[error("nothing to analyse in {paths}: {why}")]
    Nothing {
        /// The named paths, for people.
        paths: String,
        /// What stood in the way, and what helps.
        why: String,
    },
}

impl LoadError {
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            _ => Self::Unreadable { path, source },
        }
    }
}

/// Finds the Rust files that `request` names, the packages they are part of, and all that those
/// packages' manifests and lock files say. Reads no source file; see [`super::read`] for that.
///
/// # Errors
/// A named path does not exist or cannot be read, or no Rust file is left. Whatever is wrong with
/// a single manifest, lock file or folder is an issue in the answer.
pub fn load(request: &Request) -> Result<Workspace, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: request.cwd.clone(), source };
    let cwd = paths::absolute(&std::path::absolute(&request.cwd).map_err(unreadable)?, "".as_ref());
    let manifests = Manifests::new(&cwd);
    let Sources { files, mut issues, skipped } = sources::find(request, &cwd, &manifests)?;
    if !files.iter().any(|file| file.reported) {
        return Err(nothing(request, &issues));
    }
    let (homes, mut loose) = by_package(files, &manifests);
    let (mut packages, mut next) = (Vec::new(), homes);
    while !next.is_empty() {
        let drafts: Vec<Draft> =
            next.into_par_iter().map(|(dir, files)| Draft::new(dir, files, &manifests)).collect();
        let locks = Locks::read(drafts.iter().flat_map(Draft::lock_paths), &cwd);
        let finished: Vec<_> =
            drafts.into_par_iter().map(|draft| draft.finish(&locks, &manifests, &cwd)).collect();
        for (package, of_package) in finished {
            packages.push(package);
            issues.extend(of_package);
        }
        next = members::unread(&packages, &manifests, &cwd);
    }
    packages.sort_by(|a, b| a.dir.cmp(&b.dir));
    claim_outside_roots(&mut packages, &mut loose, &cwd);
    issues.sort();
    issues.dedup();
    Ok(Workspace { packages, loose, issues, skipped })
}

/// The folder of the package around a file, when it is in one.
#[must_use]
pub fn home(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    Manifests::new(folder).package_at_or_above(folder)
}

fn nothing(request: &Request, issues: &[Issue]) -> LoadError {
    let named = request.paths.iter().map(|path| format!("`{}`", path.display()));
    let named = named.collect::<Vec<_>>().join(", ");
    let why = match issues {
        [issue, ..] => format!("`{}` {}", issue.path, issue.message),
        [] => "there is no .rs file that is neither hidden nor ignored by git; a path named \
               itself is never ignored"
            .to_owned(),
    };
    let paths = if named.is_empty() { "this folder".to_owned() } else { named };
    LoadError::Nothing { paths, why }
}

/// Files by the folder of their package, without packages of which nothing is reported; and those
/// of no package.
fn by_package(
    files: Vec<SourceFile>,
    manifests: &Manifests,
) -> (BTreeMap<PathBuf, Vec<SourceFile>>, Vec<SourceFile>) {
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.path.parent()).collect();
    let folders: Vec<&Path> = folders.into_iter().collect();
    let homes: FxHashMap<PathBuf, Option<PathBuf>> = folders
        .into_par_iter()
        .map(|folder| (folder.to_owned(), manifests.package_at_or_above(folder)))
        .collect();
    let mut packages = BTreeMap::<PathBuf, Vec<SourceFile>>::new();
    let mut loose = Vec::new();
    for file in files {
        match file.path.parent().and_then(|folder| homes.get(folder)?.clone()) {
            Some(home) => packages.entry(home).or_default().push(file),
            None => loose.push(file),
        }
    }
    packages.retain(|_, files| files.iter().any(|file| file.reported));
    loose.retain(|file| file.reported);
    (packages, loose)
}

/// Gives packages the root files of their targets that lie elsewhere, as with
/// `path = "../shared/lib.rs"`. What another package reports is not reported twice.
fn claim_outside_roots(packages: &mut [Package], loose: &mut Vec<SourceFile>, cwd: &Path) {
    for package in packages {
        let outside = |root: &&PathBuf| !package.files.iter().any(|file| file.path == **root);
        let roots: BTreeSet<PathBuf> =
            package.targets.iter().map(|target| &target.root).filter(outside).cloned().collect();
        for root in roots {
            let own = loose.iter().position(|file| file.path == root);
            package.files.push(match own {
                Some(index) => loose.remove(index),
                None => SourceFile { shown: paths::shown(&root, cwd), path: root, reported: false },
            });
        }
        package.files.sort();
    }
}
