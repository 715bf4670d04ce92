//! A package in the making: what its manifest says, before the lock files are asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;

use super::dependencies::dependencies;
use super::inherit::{self, Root};
use super::locks::Locks;
use super::manifest::{Manifest, PackageTable, WorkspacePackage};
use super::manifests::{Manifests, Slot};
use super::purpose::{Purpose, purpose};
use super::targets::targets;
use super::{Edition, Package, SourceFile, paths};
use crate::lint::Issue;

/// A package whose manifest is read and whose lock file is not.
pub(super) struct Draft {
    dir: PathBuf,
    files: Vec<SourceFile>,
    slot: Arc<Slot>,
    root: Option<Root>,
    name: String,
    version: Option<Version>,
    edition: Edition,
    purpose: Option<Purpose>,
    /// What is wrong with the manifest.
    wrong: Vec<String>,
}

impl Draft {
    /// The package in `dir` with its `files`.
    pub(super) fn new(dir: PathBuf, files: Vec<SourceFile>, manifests: &Manifests) -> Self {
        let slot = manifests.get(&dir);
        let folder = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(manifest) = slot.manifest() else {
            // Without a manifest to go by, the newest edition discovers and accepts most.
            let (name, edition) = (folder(), Edition::Rust2024);
            let (root, version, purpose, wrong) = (None, None, None, Vec::new());
            return Self { dir, files, slot, root, name, version, edition, purpose, wrong };
        };
        let empty = PackageTable::default();
        let package = manifest.package.as_ref().unwrap_or(&empty);
        let root = Root::of(&dir, manifest, manifests);
        let shared = root.as_ref().and_then(Root::table).map(|table| &table.package);
        let mut wrong = Vec::new();
        let version = version(package, shared).unwrap_or_else(|message| {
            wrong.push(message);
            None
        });
        let edition = edition(package, shared).unwrap_or_else(|message| {
            wrong.push(message);
            Edition::Rust2024
        });
        let name = package.name.clone().unwrap_or_else(folder);
        let purpose = purpose(package, shared);
        Self { dir, files, slot, root, name, version, edition, purpose, wrong }
    }

    /// Where its lock file may be: at the workspace's root, in its own folder, or above.
    pub(super) fn lock_paths(&self) -> impl Iterator<Item = PathBuf> {
        let root = self.root.iter().map(|root| root.dir.as_path());
        root.chain(self.dir.ancestors()).map(|dir| dir.join("Cargo.lock"))
    }

    /// What is wrong with its manifest and with those above that could have been its workspace.
    fn broken_up_to_root(&self, manifests: &Manifests) -> Vec<Issue> {
        let root = self.root.as_ref().map(|root| root.dir.as_path());
        let asked = self.dir.ancestors().take_while(|dir| Some(*dir) != root);
        let broken = asked.filter_map(|dir| match &*manifests.get(dir) {
            Slot::Broken { issue, .. } => Some(issue.clone()),
            _ => None,
        });
        broken.collect()
    }

    /// The package, and what is wrong with it.
    pub(super) fn finish(
        self,
        locks: &Locks,
        manifests: &Manifests,
        cwd: &Path,
    ) -> (Package, Vec<Issue>) {
        let mut issues = self.broken_up_to_root(manifests);
        let empty = Manifest::default();
        let manifest = self.slot.manifest().unwrap_or(&empty);
        let edges = locks.edges(self.lock_paths(), &self.name, self.version.as_ref(), &mut issues);
        let (dependencies, wrong) =
            dependencies(manifest, &self.dir, self.root.as_ref(), edges.as_ref(), |dir| {
                library_at(dir, manifests)
            });
        let shown = paths::shown(&self.dir.join("Cargo.toml"), cwd);
        let of_manifest = |message| Issue { path: shown.clone(), line: 0, message };
        issues.extend(self.wrong.into_iter().chain(wrong).map(of_manifest));
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
            purpose: self.purpose,
            dir: self.dir,
            workspace: self.root.map(|root| root.dir),
        };
        (package, issues)
    }
}

fn version(
    package: &PackageTable,
    shared: Option<&WorkspacePackage>,
) -> Result<Option<Version>, String> {
    let inherited = shared.and_then(|shared| shared.version.as_ref());
    let text = inherit::value("version", package.version.as_ref(), inherited)?;
    let parsed = text.map(Version::parse).transpose();
    parsed.map_err(|error| format!("`version`: {error}; taken as none"))
}

fn edition(package: &PackageTable, shared: Option<&WorkspacePackage>) -> Result<Edition, String> {
    let inherited = shared.and_then(|shared| shared.edition.as_ref());
    let Some(text) = inherit::value("edition", package.edition.as_ref(), inherited)? else {
        return Ok(Edition::default());
    };
    Edition::parse(text).ok_or_else(|| format!("edition `{text}` is not known; taken as 2024"))
}

/// The name of the library in `dir`, when there is a package.
fn library_at(dir: &Path, manifests: &Manifests) -> Option<String> {
    let slot = manifests.get(dir);
    let manifest = slot.manifest()?;
    let listed = manifest.lib.as_ref().and_then(|lib| lib.name.clone());
    listed.or_else(|| manifest.package.as_ref()?.name.clone())
}
