//! Exit codes: part of the public contract.

use std::process::ExitCode;

use crate::finding::{LintFinding, Severity, Verdict};
use crate::lint::Report;
use crate::live::outcome::Outcome;

use super::args::Judging;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "some are of watches only"))]
pub(super) enum Exit {
    /// 0: nothing found.
    Nothing,
    /// 1: findings at or above `--fail-on`.
    Findings,
    /// 1: a language server whose editor went without shutting it down.
    NotShutDown,
    /// 2: usage, configuration or internal error.
    Usage,
    /// 3: no target could be watched.
    NoTarget,
    /// 4: inconclusive under `--require-verdict`.
    Inconclusive,
    /// 130: interrupted, after the summary.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Nothing => 0,
            Exit::Findings | Exit::NotShutDown => 1,
            Exit::Usage => 2,
            Exit::NoTarget => 3,
            Exit::Inconclusive => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// An error that is about the target, not about us.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "of watches only"))]
pub(super) struct NoTarget(pub(super) String);

/// The exit code for an error.
pub(super) fn of_error(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<NoTarget>() {
        Some(_) => Exit::NoTarget,
        None => Exit::Usage,
    }
}

/// The exit code for an answer.
pub(super) fn of_outcome(outcome: &Outcome, judging: &Judging) -> Exit {
    let threshold = judging.fail_on.threshold();
    if threshold.is_some_and(|threshold| outcome.verdict >= threshold) {
        return Exit::Findings;
    }
    // A diagnosis is no verdict about growth: it counts as much as a suspicion.
    let worst = outcome.targets.iter().flat_map(|t| &t.diagnoses).map(|d| d.severity).max();
    if threshold.is_some_and(|threshold| threshold <= Verdict::Suspect)
        && worst >= Some(Severity::Warning)
    {
        return Exit::Findings;
    }
    let undecided =
        |verdict: Verdict| matches!(verdict, Verdict::InsufficientData | Verdict::Suspect);
    if judging.require_verdict && outcome.targets.iter().any(|t| undecided(t.verdict)) {
        return Exit::Inconclusive;
    }
    Exit::Nothing
}

/// The exit code for what the linter found; `fails` says which findings count.
pub(super) fn of_report(report: &Report, fails: impl Fn(&LintFinding) -> bool) -> Exit {
    if report.stats.files == 0 {
        return Exit::Usage;
    }
    if report.findings.iter().any(fails) { Exit::Findings } else { Exit::Nothing }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Confidence, Region};

    fn found(severity: Severity) -> Report {
        let path = Arc::from("a.rs");
        let region = Region { path, line: 1, column: 1, end_line: 1, end_column: 2, bytes: (0, 1) };
        let mut report = Report::default();
        report.stats.files = 1;
        report.findings.push(LintFinding {
            region,
            rule: String::new(),
            defect: String::new(),
            family: String::new(),
            severity,
            confidence: Confidence::High,
            package: Arc::from("jobs"),
            module: "jobs".to_owned(),
            function: String::new(),
            subject: "spawn()".to_owned(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            fix: None,
            fingerprint: String::new(),
            seen: Vec::new(),
        });
        report
    }

    #[test]
    fn findings_count_when_they_fail() {
        let bad = |finding: &LintFinding| finding.severity >= Severity::Warning;
        assert_eq!(of_report(&found(Severity::Error), bad), Exit::Findings);
        assert_eq!(of_report(&found(Severity::Warning), bad), Exit::Findings);
        assert_eq!(of_report(&found(Severity::Note), bad), Exit::Nothing);
    }

    #[test]
    fn nothing_analysed_is_no_success() {
        assert_eq!(of_report(&Report::default(), |_| true), Exit::Usage);
    }
}
