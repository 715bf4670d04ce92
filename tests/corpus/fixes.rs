//! Mends copies of published crates and asks the compiler whether they still compile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::copy::{copy, fresh, not_there};
use crate::fetch::source;
use crate::linter::{lint, mend};

/// What came of one crate.
enum Outcome {
    /// Mended findings by rule; the copy compiles.
    Compiles(BTreeMap<String, usize>),
    /// The copy does not compile any more, with what the compiler says.
    Broken(BTreeMap<String, usize>, String),
    /// Nothing can be said of it.
    Skipped(String),
}

/// Prints a line a crate and the sums; whether every mended crate compiles. Crates that do not
/// compile as they are, or cannot be had, are named.
pub(crate) fn score() -> bool {
    let mut sums: BTreeMap<String, usize> = BTreeMap::new();
    let mut sound = true;
    for (package, features) in crates() {
        let (mended, verdict) = match try_one(package, features) {
            Outcome::Compiles(mended) => (mended, "compiles".to_owned()),
            Outcome::Broken(mended, why) => {
                sound = false;
                println!("BROKEN  {package}: {}\n{why}", said(&mended));
                continue;
            }
            Outcome::Skipped(why) => {
                println!("SKIPPED {package}: {why}");
                continue;
            }
        };
        println!("{verdict} {package}: {}", said(&mended));
        for (rule, count) in mended {
            *sums.entry(rule).or_default() += count;
        }
    }
    println!(
        "mended and compiled: {} findings of {} rules",
        sums.values().sum::<usize>(),
        sums.len()
    );
    println!("{}", said(&sums));
    sound
}

/// Crates with their versions, and the features to check them with.
fn crates() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("fixes.txt").lines().filter(|line| !line.starts_with('#')).map(|line| {
        line.split_once(' ').map_or((line, ""), |(package, features)| (package, features.trim()))
    })
}

fn try_one(package: &str, features: &str) -> Outcome {
    match mended_copy(package, features) {
        Ok((folder, mended)) => match check(&folder, features) {
            Ok(()) => Outcome::Compiles(mended),
            Err(why) => Outcome::Broken(mended, why),
        },
        Err(why) => Outcome::Skipped(why),
    }
}

/// A copy of the crate, which compiled before it was mended, and the findings that are gone.
fn mended_copy(
    package: &str,
    features: &str,
) -> Result<(PathBuf, BTreeMap<String, usize>), String> {
    let (name, version) = package.split_once('@').ok_or("a line needs name@version")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mended").join(package);
    fresh(&folder).map_err(|error| error.to_string())?;
    copy(&source(name, version)?, &folder).map_err(|error| error.to_string())?;
    // The versions of then may not compile any more: cargo chooses anew.
    let lock = std::fs::remove_file(folder.join("Cargo.lock"));
    lock.or_else(not_there).map_err(|error| error.to_string())?;
    check(&folder, features).map_err(|why| format!("does not compile as it is: {why}"))?;
    let before = by_rule(&folder)?;
    mend(&folder)?;
    let after = by_rule(&folder)?;
    let gone = before.into_iter().filter_map(|(rule, count)| {
        let left = after.get(&rule).copied().unwrap_or_default();
        (count > left).then(|| (rule, count - left))
    });
    Ok((folder, gone.collect()))
}

/// Findings, notes included, by rule.
fn by_rule(folder: &Path) -> Result<BTreeMap<String, usize>, String> {
    let mut counts = BTreeMap::new();
    for finding in lint(folder)? {
        *counts.entry(finding.rule).or_default() += 1;
    }
    Ok(counts)
}

/// Whether the library compiles; what the compiler says where not.
fn check(folder: &Path, features: &str) -> Result<(), String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "-q", "--lib"]).current_dir(folder);
    // One folder for what all of them depend on.
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("mended-target"));
    cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    if !features.is_empty() {
        cargo.args(["--features", features]);
    }
    let output = cargo.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let from = text.find("error").unwrap_or_default();
    Err(text[from..].lines().take(12).collect::<Vec<_>>().join("\n"))
}

fn said(counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    if parts.is_empty() { "nothing to mend".to_owned() } else { parts.join(", ") }
}
