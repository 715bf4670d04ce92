//! Packages in a temporary folder, linted in this process and compared with their marks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use poolscan::finding::Severity;
use poolscan::lint::example::manifest;
pub(crate) use poolscan::lint::example::{Fired, differences, marked};
use poolscan::lint::{Options, Report, run};

/// A folder of packages.
pub(crate) struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("poolscan-it-").tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Writes a package of one file that depends on just these versions.
    pub(crate) fn package(&self, name: &str, deps: &BTreeMap<String, String>, source: &str) {
        self.write(&format!("{name}/Cargo.toml"), manifest(name, deps));
        self.write(&format!("{name}/src/lib.rs"), source);
    }

    /// Lints a part of the folder, all of it when `name` is empty.
    pub(crate) fn lint(&self, name: &str, select: &[&str]) -> Report {
        let paths = vec![self.path(name)];
        let select = select.iter().map(|&id| id.to_owned()).collect();
        run(&Options { paths, select, threads: Some(2), ..Options::default() }).unwrap()
    }
}

/// What was found in the one source file of a package.
pub(crate) fn fired(report: &Report, package: &Path, least: Severity) -> Fired {
    let file = package.file_name().unwrap().to_str().unwrap();
    let folder = package.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let end = format!("/{folder}/{file}/src/lib.rs");
    let mut fired = Fired::new();
    for finding in report.findings.iter().filter(|finding| finding.severity >= least) {
        if finding.region.path.ends_with(&end) {
            fired.entry(finding.region.line).or_default().insert(finding.rule.clone());
        }
    }
    fired
}
