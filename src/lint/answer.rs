//! What a run of the linter gives back: findings, what could not be analysed, and what it cost.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::finding::LintFinding;

/// Everything a run found out.
#[derive(Debug, Default)]
pub struct Report {
    /// In total order: path, place, rule.
    pub findings: Vec<LintFinding>,
    /// What could not be read or parsed. Never stops the rest.
    pub issues: Vec<Issue>,
    /// Text of every file with a finding or an issue, by reported path, for showing lines.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
    /// Files and folders that were left out on purpose, sorted.
    pub skipped: Vec<Skipped>,
    /// What the answer covers.
    pub scope: Scope,
    /// What was looked at on the line that the options name, and what became of it.
    pub why: Vec<String>,
    /// What was analysed, and what it cost.
    pub stats: Stats,
}

/// Something that could not be analysed, or a setting that does nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Issue {
    /// Path as reported.
    pub path: Arc<str>,
    /// Line, from 1; 0 for the whole file.
    pub line: u32,
    /// What is wrong, and what was done instead.
    pub message: String,
}

/// A file or folder that was left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Path as reported.
    pub path: Arc<str>,
    /// Why, in one word of a closed list (docs/json.md).
    pub reason: &'static str,
}

/// What the absence of a finding means something for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Packages by name.
    pub packages: BTreeMap<Arc<str>, Seen>,
}

/// What of the packages of one name was analysed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether that is everything.
    pub whole: bool,
    /// Ids of the rules that ran on all of it.
    pub rules: BTreeSet<String>,
    /// Numbers of the policies that hold there.
    pub policies: BTreeSet<usize>,
}

impl Scope {
    /// Adds a package; another one may have the same name.
    pub fn add(&mut self, name: Arc<str>, seen: Seen) {
        match self.packages.entry(name) {
            Entry::Vacant(first) => {
                first.insert(seen);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.whole &= seen.whole;
                known.rules.retain(|rule| seen.rules.contains(rule));
                known.policies.extend(seen.policies);
            }
        }
    }

    /// Whether a finding of this rule in this package would have been found.
    #[must_use]
    pub fn covers(&self, package: &str, rule: &str) -> bool {
        self.packages.get(package).is_some_and(|seen| seen.whole && seen.rules.contains(rule))
    }

    /// Whether one of these policies holds in a package of this name.
    #[must_use]
    pub fn is_under(&self, package: &str, policies: &BTreeSet<usize>) -> bool {
        self.packages.get(package).is_some_and(|seen| !seen.policies.is_disjoint(policies))
    }
}

/// Counts and times of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packages analysed.
    pub packages: u64,
    /// Files analysed.
    pub files: u64,
    /// Lines of them.
    pub lines: u64,
    /// Functions and closures of which the control flow was looked at.
    pub bodies: u64,
    /// Candidates that engines looked at, by what became of them.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Findings that a comment in the source silenced.
    pub suppressed: u64,
    /// Findings that were left out because a baseline has them.
    pub in_baseline: u64,
    /// Findings that were left out because nothing on their way was changed.
    pub unchanged: u64,
    /// Time on all threads together, by phase and engine.
    pub times: BTreeMap<&'static str, Duration>,
}
