//! The parts of Cargo.toml that matter here, as they are written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::purpose::Words;

/// A Cargo.toml. Keys that are not listed do not matter here, whatever is wrong with them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Manifest {
    #[serde(alias = "project")]
    pub(super) package: Option<PackageTable>,
    pub(super) workspace: Option<WorkspaceTable>,
    pub(super) lib: Option<TargetTable>,
    pub(super) bin: Vec<TargetTable>,
    pub(super) example: Vec<TargetTable>,
    pub(super) test: Vec<TargetTable>,
    pub(super) bench: Vec<TargetTable>,
    // Not one flattened field: that would lose the lines of errors.
    pub(super) dependencies: BTreeMap<String, Need>,
    #[serde(alias = "build_dependencies")]
    pub(super) build_dependencies: BTreeMap<String, Need>,
    #[serde(alias = "dev_dependencies")]
    pub(super) dev_dependencies: BTreeMap<String, Need>,
    /// By `cfg(…)` or target triple.
    pub(super) target: BTreeMap<String, Needs>,
    pub(super) features: BTreeMap<String, Vec<String>>,
}

/// `[package]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PackageTable {
    pub(super) name: Option<String>,
    pub(super) version: Option<Inheritable>,
    pub(super) edition: Option<Inheritable>,
    /// Folder of the workspace root, where it is not found above.
    pub(super) workspace: Option<PathBuf>,
    pub(super) build: Option<Build>,
    pub(super) autolib: Option<bool>,
    pub(super) autobins: Option<bool>,
    pub(super) autoexamples: Option<bool>,
    pub(super) autotests: Option<bool>,
    pub(super) autobenches: Option<bool>,
    pub(super) description: Option<Words>,
    pub(super) keywords: Option<Words>,
    pub(super) categories: Option<Words>,
}

/// `"1.2.3"` or `{ workspace = true }`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or `{ workspace = true }`")]
pub(super) enum Inheritable {
    Here(String),
    Workspace {},
}

/// `package.build`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a path, a list of paths or a boolean")]
pub(super) enum Build {
    Switch(bool),
    Script(PathBuf),
    Scripts(Vec<PathBuf>),
}

/// `[workspace]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkspaceTable {
    pub(super) package: WorkspacePackage,
    pub(super) dependencies: BTreeMap<String, Need>,
}

/// `[workspace.package]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkspacePackage {
    pub(super) version: Option<String>,
    pub(super) edition: Option<String>,
    pub(super) description: Option<Words>,
    pub(super) keywords: Option<Words>,
    pub(super) categories: Option<Words>,
}

/// `[lib]`, `[[bin]]`, `[[example]]`, `[[test]]`, `[[bench]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct TargetTable {
    pub(super) name: Option<String>,
    pub(super) path: Option<PathBuf>,
    #[serde(alias = "proc_macro")]
    pub(super) proc_macro: bool,
    #[serde(alias = "crate_type")]
    pub(super) crate_type: Vec<String>,
}

/// The three tables of dependencies for some platforms.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Needs {
    pub(super) dependencies: BTreeMap<String, Need>,
    #[serde(alias = "build_dependencies")]
    pub(super) build_dependencies: BTreeMap<String, Need>,
    #[serde(alias = "dev_dependencies")]
    pub(super) dev_dependencies: BTreeMap<String, Need>,
}

/// One entry of such a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a version or a table")]
pub(super) enum Need {
    Version(String),
    Table(NeedTable),
}

/// A dependency in its long form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NeedTable {
    pub(super) version: Option<String>,
    pub(super) package: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) optional: bool,
    pub(super) workspace: bool,
}
