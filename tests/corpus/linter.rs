//! Runs the linter on a package and reads what it found.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// One finding.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    #[serde(default)]
    pub(crate) function: Option<String>,
    #[serde(default)]
    pub(crate) related: Vec<Related>,
}

/// A second place of a finding.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Related {
    pub(crate) path: Option<PathBuf>,
    pub(crate) line: usize,
    #[serde(default)]
    pub(crate) role: String,
}

#[derive(Deserialize)]
struct Document {
    findings: Vec<Finding>,
}

impl Finding {
    /// A warning or an error.
    pub(crate) fn is_strong(&self) -> bool {
        self.severity != "note"
    }

    /// Paths on which it leaks; at least one.
    pub(crate) fn exits(&self) -> usize {
        self.related.iter().filter(|place| place.role == "exit").count().max(1)
    }

    /// Its own place and the related ones.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&Path, usize)> {
        let related = self
            .related
            .iter()
            .map(|place| (place.path.as_deref().unwrap_or(&self.path), place.line));
        std::iter::once((&*self.path, self.line)).chain(related)
    }
}

/// The linter that was just built, or another one.
fn program() -> OsString {
    std::env::var_os("POOLSCAN").unwrap_or(env!("CARGO_BIN_EXE_poolscan").into())
}

/// Lints a folder; an error is text for a person.
pub(crate) fn lint(folder: &Path) -> Result<Vec<Finding>, String> {
    lint_on(folder, "1")
}

/// The same on so many threads.
pub(crate) fn lint_on(folder: &Path, threads: &str) -> Result<Vec<Finding>, String> {
    let output = Command::new(program())
        .args(["lint", "--format", "json", "--fail-on", "never", "--threads", threads, "."])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("cannot start the linter: {error}"))?;
    let document: Document = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("{}: {error}: {}", folder.display(), String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(document.findings)
}

/// Applies all fixes to a folder, those of notes included.
pub(crate) fn mend(folder: &Path) -> Result<(), String> {
    let output = Command::new(program())
        .args(["lint", "--fix", "--unsafe-fixes", "--notes", "--fail-on", "never", "."])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("cannot start the linter: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What `--why` says of these lines.
pub(crate) fn why(
    folder: &Path,
    path: &Path,
    lines: std::ops::RangeInclusive<usize>,
) -> Vec<String> {
    let program = program();
    let ask = |line: usize| {
        let output = Command::new(&program)
            .args(["lint", "--fail-on", "never", "--threads", "1", "--why"])
            .arg(format!("{}:{line}", path.display()))
            .arg(".")
            .current_dir(folder)
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        // Behind all findings, before the line of counts.
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default().to_owned();
        let all = last.lines().filter(|line| !line.contains(" files, "));
        all.map(|said| format!("    {line}: {said}")).collect::<Vec<_>>()
    };
    lines.flat_map(ask).collect()
}
