//! Packages in a temporary folder, linted in this process and compared with their marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use poolscan::finding::Severity;
use poolscan::lint::{Options, Report, run};

/// Lines, from 1, each with the rules that fire there.
pub(crate) type Fired = BTreeMap<u32, BTreeSet<String>>;

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
        let mut manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n",
            name.replace('/', "-")
        );
        for (name, version) in deps {
            writeln!(manifest, "{name} = \"={version}\"").unwrap();
        }
        self.write(&format!("{name}/Cargo.toml"), manifest);
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

/// What the marks of a text expect: `//~` alone means `own`, `//~ one two` names the rules.
pub(crate) fn marked(text: &str, own: &str) -> Fired {
    let mut marked = Fired::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((_, names)) = line.split_once("//~") else { continue };
        let names = names.split_whitespace().map(str::to_owned);
        let rules: BTreeSet<String> = names.collect();
        let rules = if rules.is_empty() { [own.to_owned()].into() } else { rules };
        marked.insert(number, rules);
    }
    marked
}

/// One line for each difference, with the line of the text.
pub(crate) fn differences(name: &str, text: &str, expected: &Fired, found: &Fired) -> String {
    let mut out = String::new();
    let empty = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let expected = expected.get(&number).unwrap_or(&empty);
        let found = found.get(&number).unwrap_or(&empty);
        for rule in expected.difference(found) {
            writeln!(out, "{name}:{number}: missing {rule}: {}", line.trim()).unwrap();
        }
        for rule in found.difference(expected) {
            writeln!(out, "{name}:{number}: unexpected {rule}: {}", line.trim()).unwrap();
        }
    }
    out
}
