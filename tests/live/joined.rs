//! A service that leaks: the guilty line, the lint finding on it, and the leak as evidence for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::compile::compiled;
use crate::observe::{Guard, Outcome, document};

/// Where the source is, and where it is said to have been built.
const SOURCE: &str = "fixtures/joined";
const BUILT: &str = "/build/store";

/// The test, when it is wanted.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    const NAME: &str = "joined";
    if !fits(NAME) {
        return Vec::new();
    }
    let outcome = match look() {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error),
    };
    vec![(NAME, outcome)]
}

fn look() -> Result<Outcome, String> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(SOURCE);
    let program = match build(&source, folder.path()) {
        Ok(program) => program,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let child = Guard(Command::new(program).stdin(Stdio::null()).spawn().unwrap());
    // Past the start-up guard.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let pid = child.0.id().to_string();
    let map = format!("{BUILT}=.");
    let watched = poolscan(
        &source,
        &["watch", &pid, "--lifetime", "1s", "--for", "14s", "--trace", "on"],
        &["--source", ".", "--source-map", &map, "--fail-on", "never"],
    )?;
    let target = &watched["targets"][0];
    let sources = target["sources"].as_array().cloned().unwrap_or_default();
    if let Some(why) = sources.iter().find(|source| source["status"] == "unavailable") {
        return Ok(Outcome::Skipped(format!("NOT TRACED: {}", why["reason"])));
    }
    let resources = target["resources"].as_array().cloned().unwrap_or_default();
    let opener = resources
        .iter()
        .filter(|row| row["verdict"] == "leaking")
        .find_map(|row| row["openers"].get(0))
        .ok_or("no opener is told")?;
    let text = std::fs::read_to_string(source.join("src/main.rs")).unwrap();
    let guilty = text.lines().find(|line| line.contains("let held")).unwrap().trim();
    let found = &opener["static_findings"][0];
    if opener["source_line"] != guilty
        || found["rule"] != "handle-forgotten"
        || found["relation"] != "function"
    {
        return Err(format!("{opener:#}"));
    }
    let evidence = folder.path().join("watch.json");
    std::fs::write(&evidence, watched.to_string()).unwrap();
    let evidence = evidence.to_str().unwrap();
    let severity = |more: &[&str]| -> Result<Value, String> {
        let linted = poolscan(&source, &["lint", ".", "--no-cache", "--fail-on", "never"], more)?;
        let findings = linted["findings"].as_array().cloned().unwrap_or_default();
        let of = findings.iter().find(|f| f["fingerprint"] == found["fingerprint"]);
        of.map(|f| f["severity"].clone()).ok_or("the finding is gone".to_owned())
    };
    let (before, after) =
        (severity(&[])?, severity(&["--evidence", evidence, "--source-map", &map])?);
    if (&before, &after) != (&"warning".into(), &"error".into()) {
        return Err(format!("{before}, with evidence {after}"));
    }
    Ok(Outcome::Passed(format!("{} {}", opener["function"], opener["line"])))
}

/// Builds it as if elsewhere.
fn build(source: &Path, folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join("store");
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition=2024", "-O", "-Cdebuginfo=line-tables-only", "--crate-name=store"])
        .arg(format!("--remap-path-prefix={}={BUILT}", source.display()))
        .arg("-o")
        .arg(&program)
        .arg(source.join("src/main.rs"));
    compiled(rustc, program)
}

fn poolscan(folder: &Path, arguments: &[&str], more: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    document(command.current_dir(folder).args(arguments).args(more))
}
