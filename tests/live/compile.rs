//! Builds the programs that are watched.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a compiler that makes this program; what it complains of, when it cannot.
pub(crate) fn compiled(mut compiler: Command, program: PathBuf) -> Result<PathBuf, String> {
    let built = compiler.output().map_err(|error| format!("{compiler:?}: {error}"))?;
    let complaint = String::from_utf8_lossy(&built.stderr).into_owned();
    built.status.success().then_some(program).ok_or(complaint)
}

/// Builds a file of `fixtures/openers`, optimised.
pub(crate) fn opener(source: &str, program: PathBuf, flags: &[&str]) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/openers").join(source);
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-o"]).arg(&program).args(flags).arg(source);
    compiled(rustc, program)
}
