//! Cargo.lock: which version each dependency of a package has, in all four formats of the file.

use std::collections::BTreeMap;
use std::path::Path;

use rustc_hash::FxHashMap;
use semver::Version;
use serde::Deserialize;

use super::toml_file;
use crate::lint::Issue;

/// The packages of a Cargo.lock by name.
#[derive(Debug)]
pub(super) struct Lock(FxHashMap<String, Vec<Entry>>);

/// The versions that one package depends on, by package name; several when renamed copies are.
pub(super) type Edges = BTreeMap<String, Vec<Version>>;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    package: Vec<Entry>,
    /// Before Cargo 0.26 the package of the folder stood apart.
    root: Option<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    /// Parsed only where it is asked for: most entries never are.
    version: String,
    /// `None` for what lies in this file system.
    source: Option<String>,
    /// `name`, `name version` or `name version (source)`, as much as needed to tell them apart.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Reads `path`; issues name it relative to `cwd`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(path: &Path, cwd: &Path) -> Result<Self, Issue> {
        let instead = "versions are taken from the requirements in Cargo.toml instead";
        let file: File = toml_file::read(path, cwd, instead).map_err(|broken| broken.issue)?;
        let mut packages = FxHashMap::<String, Vec<Entry>>::default();
        for entry in file.package.into_iter().chain(file.root) {
            packages.entry(entry.name.clone()).or_default().push(entry);
        }
        Ok(Self(packages))
    }

    /// What the local package `name` at `version` depends on; `None` when it is not in this file.
    pub(super) fn edges(&self, name: &str, version: Option<&Version>) -> Option<Edges> {
        // Cargo writes 0.0.0 for a package without version.
        let version = version.map_or_else(|| "0.0.0".to_owned(), Version::to_string);
        let local = |entry: &&Entry| entry.source.is_none() && entry.version == version;
        let entry = self.0.get(name)?.iter().find(local)?;
        let mut edges = Edges::new();
        for written in &entry.dependencies {
            let mut words = written.split(' ');
            let name = words.next().unwrap_or_default();
            let versions = match words.next() {
                Some(version) => vec![version],
                None => {
                    let all = self.0.get(name).into_iter().flatten();
                    all.map(|entry| entry.version.as_str()).collect()
                }
            };
            let parsed = versions.into_iter().filter_map(|text| Version::parse(text).ok());
            edges.entry(name.to_owned()).or_default().extend(parsed);
        }
        Some(edges)
    }
}
