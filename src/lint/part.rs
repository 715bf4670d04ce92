//! What packages add to the report, and all of it together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::answer::{Issue, Report, Seen, Skipped, Stats};
use super::suppress::{self, InFile};
use super::workspace::Workspace;
use crate::finding::{LintFinding, assign_fingerprints};

/// What one package adds to the report.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) findings: Vec<LintFinding>,
    pub(crate) issues: Vec<Issue>,
    /// Texts that are shown, by reported path.
    pub(crate) sources: BTreeMap<Arc<str>, Arc<str>>,
    pub(crate) suppressions: BTreeMap<Arc<str>, InFile>,
    pub(crate) skipped: Vec<Skipped>,
    /// Whether all of its files were analysed.
    pub(crate) whole: bool,
    /// Ids of rules that did not count in some of its files.
    pub(crate) ignored: BTreeSet<String>,
    pub(crate) why: Vec<String>,
    pub(crate) stats: Stats,
}

impl Part {
    pub(crate) fn skip(&mut self, path: &Arc<str>, reason: &'static str) {
        self.skipped.push(Skipped { path: Arc::clone(path), reason });
    }

    pub(crate) fn time(&mut self, phase: &'static str, time: Duration) {
        *self.stats.times.entry(phase).or_default() += time;
    }
}

/// All parts together, what is silenced taken out.
pub(crate) fn report(
    workspace: Workspace,
    parts: Vec<(Arc<str>, Seen, Part)>,
    loading: Duration,
    today: Date,
) -> Report {
    let mut report = Report { issues: workspace.issues, ..Report::default() };
    let mut suppressions = BTreeMap::new();
    report.skipped = workspace.skipped;
    report.stats.times.insert("loading", loading);
    for (name, seen, part) in parts {
        report.scope.add(name, seen);
        report.findings.extend(part.findings);
        report.issues.extend(part.issues);
        report.sources.extend(part.sources);
        report.skipped.extend(part.skipped);
        report.why.extend(part.why);
        suppressions.extend(part.suppressions);
        add(&mut report.stats, part.stats);
    }
    report.findings.sort();
    report.findings.dedup();
    // Before some are silenced: the others keep their names.
    assign_fingerprints(&mut report.findings);
    let found = std::mem::take(&mut report.findings);
    let applied = suppress::apply(found, &suppressions, today);
    report.findings = applied.kept;
    report.issues.extend(applied.issues);
    report.stats.suppressed = applied.suppressed;
    report.skipped.sort();
    report.skipped.dedup();
    report.issues.sort();
    report.issues.dedup();
    report
}

fn add(stats: &mut Stats, more: Stats) {
    stats.packages += more.packages;
    stats.files += more.files;
    stats.lines += more.lines;
    stats.bodies += more.bodies;
    for (word, count) in more.outcomes {
        *stats.outcomes.entry(word).or_default() += count;
    }
    for (phase, time) in more.times {
        *stats.times.entry(phase).or_default() += time;
    }
}
