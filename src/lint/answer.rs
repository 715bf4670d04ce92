//! What a run of the linter gives back: findings, what could not be analysed, and what it cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// What was looked at on the line that the options name, and what became of it.
    pub why: Vec<String>,
    /// What was analysed, and what it cost.
    pub stats: Stats,
}

/// Something that could not be analysed, or a setting that does nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Issue {
    /// Path as reported.
    pub path: Arc<str>,
    /// Line, from 1; 0 for the whole file.
    pub line: u32,
    /// What is wrong, and what was done instead.
    pub message: String,
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
    /// Files that were skipped, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Time on all threads together, by phase and engine.
    pub times: BTreeMap<&'static str, Duration>,
}
