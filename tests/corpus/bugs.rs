//! Scores the linter on real bugs of published crates, which cargo fetches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fetch::source;
use crate::linter::{Finding, lint};

/// At most so many lines between a finding and the bug.
pub(crate) const NEAR: usize = 3;
/// So many of the cases have to be found.
const ENOUGH: usize = 11;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    #[serde(rename = "crate")]
    pub(crate) package: String,
    pub(crate) bad: String,
    pub(crate) good: String,
    pub(crate) file: PathBuf,
    pub(crate) good_file: Option<PathBuf>,
    pub(crate) line: usize,
    /// What a linter without types can see of it, as judged before the linter ran.
    #[serde(default)]
    detectable: String,
    what: String,
}

/// The bugs and their fixes.
pub(crate) fn cases() -> Vec<Case> {
    read(include_str!("bugs.toml"))
}

fn read(text: &str) -> Vec<Case> {
    let cases: Cases = toml::from_str(text).unwrap();
    cases.case
}

/// Prints a line a case of a list that is no gate, and what was found of each degree; `None` for no such list.
pub(crate) fn score_listed(name: &str) -> Option<()> {
    let text = match name {
        "second" => include_str!("bugs-second.toml"),
        "third" => include_str!("bugs-third.toml"),
        "fourth" => include_str!("bugs-fourth.toml"),
        _ => return None,
    };
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for case in read(text) {
        match judge(&case) {
            Ok((reported, fixed, rules)) => {
                show(&case, reported, fixed, &rules);
                let count = counts.entry(case.detectable).or_default();
                count[0] += 1;
                count[1] += usize::from(reported);
                count[2] += usize::from(reported && fixed);
            }
            Err(error) => println!("SKIPPED: {}: {error}", case.id),
        }
    }
    for (detectable, [all, found, fixed]) in counts {
        println!("{detectable:9} {found:3} of {all:3} found, {fixed:3} with their fix");
    }
    Some(())
}

fn show(case: &Case, reported: bool, fixed: bool, rules: &str) {
    let (one, other) =
        (if reported { "found" } else { "missed" }, if fixed { "fix seen" } else { "" });
    println!("{one:7} {other:9} {:30} {rules} {}", case.id, if reported { "" } else { &case.what });
}

/// Prints a line a case; whether enough were found. Cases that cannot be had lower the bar.
pub(crate) fn score() -> bool {
    let cases = cases();
    let (mut found, mut skipped) = (0, 0);
    for case in &cases {
        match judge(case) {
            Ok((reported, fixed, rules)) => {
                found += usize::from(reported && fixed);
                show(case, reported, fixed, &rules);
            }
            Err(error) => {
                skipped += 1;
                println!("SKIPPED: {}: {error}", case.id);
            }
        }
    }
    let all = cases.len();
    println!("found with their fix: {found} of {all}, SKIPPED: {skipped}; {ENOUGH} are enough");
    found + skipped >= ENOUGH
}

/// Whether a warning is at the bug, whether the fix takes it away, and the rules.
fn judge(case: &Case) -> Result<(bool, bool, String), String> {
    let (bad, good) = (source(&case.package, &case.bad)?, source(&case.package, &case.good)?);
    let (before, after) = (lint(&bad)?, lint(&good)?);
    let hits: Vec<&Finding> = before
        .iter()
        .filter(|finding| finding.is_strong())
        .filter(|finding| {
            let mut places = finding.places();
            places.any(|(path, line)| path == case.file && line.abs_diff(case.line) <= NEAR)
        })
        .collect();
    let good_file = case.good_file.as_ref().unwrap_or(&case.file);
    let fixed =
        hits.iter().any(|hit| exits(&before, &case.file, hit) > exits(&after, good_file, hit));
    let rules: BTreeMap<&str, ()> = hits.iter().map(|hit| (&*hit.rule, ())).collect();
    Ok((!hits.is_empty(), fixed, rules.into_keys().collect::<Vec<_>>().join(" ")))
}

/// Leaking exits of the finding's rule in its function; a fix may leave some.
fn exits(findings: &[Finding], file: &Path, like: &Finding) -> usize {
    let same = findings.iter().filter(|finding| {
        finding.rule == like.rule && finding.path == file && finding.function == like.function
    });
    same.map(Finding::exits).sum()
}
