//! Loading: files, sorted into packages, with what their manifests and lock files say.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use semver::Version;

use super::inherit::{self, Root};
use super::lock::{Edges, Lock};
use super::manifest::{Manifest, PackageTable};
use super::manifests::{Manifests, Slot};
use super::sources::{self, Sources};
use super::targets::targets;
use super::{Edition, Package, SourceFile, dependencies, paths};
use crate::lint::Issue;

/// What to analyse.
#[derive(Debug, Clone)]
pub struct Request {
    /// Files and folders; none: `cwd`. They narrow what is reported, not what is known.
    pub paths: Vec<PathBuf>,
    /// The folder that `paths` and shown paths are relative to.
    pub cwd: PathBuf,
}

/// Everything there is to analyse.
#[derive(Debug)]
pub struct Workspace {
    /// Packages with at least one reported file, sorted by folder.
    pub packages: Vec<Package>,
    /// Files that belong to no package, sorted by path.
    pub loose: Vec<SourceFile>,
    /// What could not be read; sorted.
    pub issues: Vec<Issue>,
    /// What was left out on purpose, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
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
    let drafts: Vec<Draft> =
        homes.into_par_iter().map(|(dir, files)| Draft::new(dir, files, &manifests)).collect();
    let locks = Locks::read(&drafts, &cwd);
    let mut packages = Vec::new();
    let finished: Vec<_> =
        drafts.into_par_iter().map(|draft| draft.finish(&locks, &manifests, &cwd)).collect();
    for (package, of_package) in finished {
        packages.push(package);
        issues.extend(of_package);
    }
    claim_outside_roots(&mut packages, &mut loose, &cwd);
    issues.sort();
    issues.dedup();
    Ok(Workspace { packages, loose, issues, skipped })
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

/// A package whose manifest is read and whose lock file is not.
struct Draft {
    dir: PathBuf,
    files: Vec<SourceFile>,
    slot: std::sync::Arc<Slot>,
    root: Option<Root>,
    name: String,
    version: Option<Version>,
    edition: Edition,
    /// What is wrong with the manifest.
    wrong: Vec<String>,
}

impl Draft {
    fn new(dir: PathBuf, files: Vec<SourceFile>, manifests: &Manifests) -> Self {
        let slot = manifests.get(&dir);
        let empty = (Manifest::default(), PackageTable::default());
        let manifest = slot.manifest().unwrap_or(&empty.0);
        let package = manifest.package.as_ref().unwrap_or(&empty.1);
        let root = Root::of(&dir, manifest, manifests);
        let shared = root.as_ref().and_then(Root::table).map(|table| &table.package);
        let mut wrong = Vec::new();

        let inherited = shared.and_then(|shared| shared.version.as_ref());
        let version = inherit::value("version", package.version.as_ref(), inherited)
            .and_then(|text| {
                let parsed = text.map(Version::parse).transpose();
                parsed.map_err(|error| format!("`version`: {error}; taken as none"))
            })
            .unwrap_or_else(|message| {
                wrong.push(message);
                None
            });
        let inherited = shared.and_then(|shared| shared.edition.as_ref());
        let edition = inherit::value("edition", package.edition.as_ref(), inherited)
            .and_then(|text| match text {
                None => Ok(Edition::default()),
                Some(text) => Edition::parse(text)
                    .ok_or_else(|| format!("edition `{text}` is not known; taken as 2024")),
            })
            .unwrap_or_else(|message| {
                wrong.push(message);
                Edition::Rust2024
            });
        // Without a manifest to go by, the newest edition discovers and accepts most.
        let edition = if slot.manifest().is_some() { edition } else { Edition::Rust2024 };
        let folder = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = package.name.clone().unwrap_or_else(folder);
        Self { dir, files, slot, root, name, version, edition, wrong }
    }

    /// Where its lock file may be: at the workspace's root, in its own folder, or above.
    fn lock_paths(&self) -> impl Iterator<Item = PathBuf> {
        let root = self.root.iter().map(|root| root.dir.as_path());
        root.chain(self.dir.ancestors()).map(|dir| dir.join("Cargo.lock"))
    }

    fn finish(self, locks: &Locks, manifests: &Manifests, cwd: &Path) -> (Package, Vec<Issue>) {
        let mut issues = Vec::new();
        let empty = Manifest::default();
        let manifest = self.slot.manifest().unwrap_or(&empty);
        if let Slot::Broken { issue, .. } = &*self.slot {
            issues.push(issue.clone());
        }
        let edges = locks.edges(&self, &mut issues);
        let library_at = |dir: &Path| {
            let slot = manifests.get(dir);
            let manifest = slot.manifest()?;
            let listed = manifest.lib.as_ref().and_then(|lib| lib.name.clone());
            listed.or_else(|| manifest.package.as_ref()?.name.clone())
        };
        let (dependencies, wrong) = dependencies::dependencies(
            manifest,
            &self.dir,
            self.root.as_ref(),
            edges.as_ref(),
            library_at,
        );
        let shown = paths::shown(&self.dir.join("Cargo.toml"), cwd);
        issues.extend(self.wrong.into_iter().chain(wrong).map(|message| Issue {
            path: shown.clone(),
            line: 0,
            message,
        }));
        let known = self.files.iter().map(|file| file.path.as_path()).collect();
        let targets = targets(manifest, &self.name, self.edition, &self.dir, &known, Path::is_file);
        let package = Package {
            name: self.name,
            version: self.version,
            edition: self.edition,
            targets,
            dependencies,
            files: self.files,
            features: manifest.features.clone(),
            dir: self.dir,
        };
        (package, issues)
    }
}

/// The lock files of all packages, each read once.
struct Locks(FxHashMap<PathBuf, Result<Lock, Issue>>);

impl Locks {
    fn read(drafts: &[Draft], cwd: &Path) -> Self {
        let paths: BTreeSet<PathBuf> = drafts.iter().flat_map(Draft::lock_paths).collect();
        let paths: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_file()).collect();
        let read = |path: PathBuf| {
            let lock = Lock::read(&path, cwd);
            (path, lock)
        };
        Self(paths.into_par_iter().map(read).collect())
    }

    /// The edges of a package in the nearest lock file that knows it. Lock files on the way that
    /// are wrong become issues.
    fn edges(&self, draft: &Draft, issues: &mut Vec<Issue>) -> Option<Edges> {
        draft.lock_paths().find_map(|path| match self.0.get(&path)? {
            Ok(lock) => lock.edges(&draft.name, draft.version.as_ref()),
            Err(issue) => {
                issues.push(issue.clone());
                None
            }
        })
    }
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
