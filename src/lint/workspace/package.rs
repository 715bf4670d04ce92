//! Packages, their targets, dependencies and files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;

use super::{Edition, Purpose, Versions};

/// What one Cargo.toml with `[package]` describes.
#[derive(Debug, Clone)]
pub struct Package {
    /// As the manifest writes it, with dashes; the folder's name when the manifest is broken.
    pub name: String,
    /// `None` when the manifest has none or it is no version.
    pub version: Option<Version>,
    /// 2015 when the manifest names none.
    pub edition: Edition,
    /// Absolute path of the folder with Cargo.toml.
    pub dir: PathBuf,
    /// Absolute path of the folder of its workspace.
    pub workspace: Option<PathBuf>,
    /// Those whose root file exists, sorted by kind and name.
    pub targets: Vec<Target>,
    /// By the name that code writes: with underscores, after renames.
    pub dependencies: BTreeMap<String, Dependency>,
    /// Every Rust file of the package, sorted by path. None of them is reported where another
    /// package only needs to know of this one.
    pub files: Vec<SourceFile>,
    /// Features and what they enable, as written. Optional dependencies are features too, where
    /// no `dep:` names them; those are not listed here.
    pub features: BTreeMap<String, Vec<String>>,
    /// For whom it is there, where its manifest says that it is nobody's service. A tool with a
    /// program of its own may still be one.
    pub purpose: Option<Purpose>,
}

impl Package {
    /// Whether findings in any of its files are wanted.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.files.iter().any(|file| file.reported)
    }

    /// The path of `file` from the package's folder on: only that may classify it. A file outside
    /// that a target names keeps its whole path.
    #[must_use]
    pub fn inside<'f>(&self, file: &'f SourceFile) -> &'f Path {
        file.path.strip_prefix(&self.dir).unwrap_or(&file.path)
    }
}

/// One crate of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// What kind of crate.
    pub kind: TargetKind,
    /// Its name; of a library the one that code writes, with underscores.
    pub name: String,
    /// Absolute path of its root file.
    pub root: PathBuf,
}

/// The kinds of crates a package can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// A library.
    Lib,
    /// A library of procedural macros.
    ProcMacro,
    /// A program.
    Bin,
    /// A program that shows use.
    Example,
    /// An integration test.
    Test,
    /// A benchmark.
    Bench,
    /// What Cargo runs before it builds.
    BuildScript,
}

/// A crate that a package depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its package name, before renames.
    pub package: String,
    /// What is known of its version.
    pub versions: Versions,
    /// For what it is needed; the first of the kinds when for several.
    pub kind: DependencyKind,
    /// Whether only a feature brings it in, for what `kind` says.
    pub optional: bool,
    /// Absolute path of its folder, of a dependency by path.
    pub dir: Option<PathBuf>,
}

/// For what a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyKind {
    /// The package itself.
    Normal,
    /// Its build script.
    Build,
    /// Its tests, examples and benchmarks.
    Dev,
}

/// A Rust file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Relative to where the run started, with `/`; absolute for what lies elsewhere.
    pub shown: Arc<str>,
    /// Whether findings in it are wanted; otherwise it is read for what others need to know.
    pub reported: bool,
}
