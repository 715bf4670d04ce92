//! Findings that are known and let be: a file beside the source, compared by fingerprint.
//!
//! The file names neither paths nor lines, so that what moves stays known. It can only shrink by
//! itself: what is gone is told, and taken out when asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Report, Scope};
use crate::finding::LintFinding;

/// Name and version of the format.
const SCHEMA: &str = "poolscan.baseline/1";

/// Known findings, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline(BTreeSet<Entry>);

/// A known finding, as the file has it. What it is about stands beside the fingerprint for people,
/// and to know it again in another module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    package: String,
    module: String,
    function: String,
    rule: String,
    subject: String,
    fingerprint: String,
}

#[derive(Deserialize)]
struct File {
    schema: String,
    findings: Vec<Entry>,
}

/// Why a file is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// No JSON, or not this shape.
    #[error("it is no baseline: {0}")]
    Json(#[from] serde_json::Error),
    /// Another format or version.
    #[error("it has the schema '{0}' instead of '{SCHEMA}'")]
    Schema(String),
}

/// What became of the entries of a baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What is still there, as it is now, and what this run could not see.
    pub rest: Baseline,
    /// Entries whose findings are gone.
    pub gone: u64,
}

impl Entry {
    fn of(finding: &LintFinding) -> Self {
        Self {
            package: finding.package.to_string(),
            module: finding.module.clone(),
            function: finding.function.clone(),
            rule: finding.rule.clone(),
            subject: finding.subject.clone(),
            fingerprint: finding.fingerprint.clone(),
        }
    }

    /// What stays the same when its module is renamed or it moves to another one.
    fn elsewhere(&self) -> [String; 4] {
        let inside = self.function.strip_prefix(&self.module).unwrap_or(&self.function);
        let inside = inside.trim_start_matches("::");
        [&self.package, &self.rule, inside, &self.subject].map(str::to_owned)
    }
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not a baseline that this version knows.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_json::from_str(text)?;
        if file.schema != SCHEMA {
            return Err(BaselineError::Schema(file.schema));
        }
        Ok(Self(file.findings.into_iter().collect()))
    }

    /// The file: a line an entry, sorted, so that changes are easy to read and to merge.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<String> =
            self.0.iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect();
        format!("{{\"schema\":\"{SCHEMA}\",\"findings\":[\n{}\n]}}\n", lines.join(",\n"))
    }

    /// How many findings it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves all findings of a report in the packages that `covers` names into it.
    pub fn take(&mut self, report: &mut Report, covers: impl Fn(&Scope, &str) -> bool) {
        let Report { findings, scope, stats, .. } = report;
        findings.retain(|finding| {
            let taken = covers(scope, &finding.package);
            if taken {
                self.0.insert(Entry::of(finding));
                stats.in_baseline += 1;
            }
            !taken
        });
    }

    /// Takes the findings that are known out of the report and counts them there, those in packages
    /// that `covers` names. Fingerprints count first; then what has only moved to another module.
    pub fn apply(self, report: &mut Report, covers: impl Fn(&Scope, &str) -> bool) -> Compared {
        let Report { findings, scope, stats, .. } = report;
        // Whether the run would have found it again.
        let seen = |entry: &Entry| {
            covers(scope, &entry.package) && scope.covers(&entry.package, &entry.rule)
        };
        let mut known: BTreeMap<String, Entry> =
            self.0.into_iter().map(|entry| (entry.fingerprint.clone(), entry)).collect();
        let mut rest = BTreeSet::new();
        findings.retain(|finding| {
            let found =
                covers(scope, &finding.package) && known.remove(&finding.fingerprint).is_some();
            if found {
                rest.insert(Entry::of(finding));
            }
            !found
        });
        let mut moved: BTreeMap<[String; 4], Vec<String>> = BTreeMap::new();
        for entry in known.values().filter(|entry| seen(entry)) {
            moved.entry(entry.elsewhere()).or_default().push(entry.fingerprint.clone());
        }
        findings.retain(|finding| {
            if !covers(scope, &finding.package) {
                return true;
            }
            let entry = Entry::of(finding);
            let Some(before) = moved.get_mut(&entry.elsewhere()).and_then(Vec::pop) else {
                return true;
            };
            known.remove(&before);
            rest.insert(entry);
            false
        });
        stats.in_baseline += rest.len() as u64;
        let mut gone = 0;
        for entry in known.into_values() {
            if seen(&entry) {
                gone += 1;
            } else {
                rest.insert(entry);
            }
        }
        Compared { rest: Self(rest), gone }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Confidence, Region, Severity, assign_fingerprints};
    use crate::lint::Seen;

    fn found(module: &str, function: &str, subject: &str) -> LintFinding {
        let path = Arc::from("a.rs");
        LintFinding {
            region: Region { path, line: 1, column: 1, end_line: 1, end_column: 2, bytes: (0, 1) },
            rule: "leak".to_owned(),
            defect: "leak".to_owned(),
            family: String::new(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            package: Arc::from("p"),
            module: module.to_owned(),
            function: format!("{module}::{function}"),
            subject: subject.to_owned(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            fix: None,
            fingerprint: String::new(),
            seen: Vec::new(),
        }
    }

    fn report(mut findings: Vec<LintFinding>) -> Report {
        assign_fingerprints(&mut findings);
        let mut report = Report { findings, ..Report::default() };
        let rules = BTreeSet::from(["leak".to_owned()]);
        let policies = BTreeSet::from([0]);
        report.scope.add(Arc::from("p"), Seen { whole: true, rules, policies });
        report
    }

    fn all(_: &Scope, _: &str) -> bool {
        true
    }

    fn baseline(known: Vec<LintFinding>) -> Baseline {
        let mut baseline = Baseline::default();
        let mut report = report(known);
        let count = report.findings.len() as u64;
        baseline.take(&mut report, all);
        assert_eq!((report.findings.len(), report.stats.in_baseline), (0, count));
        baseline
    }

    fn compare(known: &[LintFinding], now: &mut Report) -> (usize, u64, usize) {
        let compared = baseline(known.to_vec()).apply(now, all);
        (now.findings.len(), compared.gone, compared.rest.len())
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let known = baseline(vec![found("m", "f", "a(\"\n\")"), found("m", "g", "b()")]);
        let text = known.text();
        assert_eq!(Baseline::parse(&text).expect("a baseline"), known);
        assert_eq!(text.lines().count(), 4);
        let empty = Baseline::default();
        assert_eq!(Baseline::parse(&empty.text()).expect("a baseline"), empty);
        for wrong in ["", "[]", "{}", "{\"schema\":\"poolscan.baseline/2\",\"findings\":[]}"] {
            assert!(Baseline::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_new_is_left() {
        let known = [found("m", "f", "a()"), found("m", "f", "a()")];
        let mut now = report(vec![found("m", "f", "a()"), found("m", "f", "b()")]);
        assert_eq!(compare(&known, &mut now), (1, 1, 1));
        assert_eq!((now.findings[0].subject.as_str(), now.stats.in_baseline), ("b()", 1));
        // A third of the same is new, too.
        let mut more = report(vec![found("m", "f", "a()"); 3]);
        assert_eq!(compare(&known, &mut more), (1, 0, 2));
    }

    #[test]
    fn another_module_is_a_move_and_another_function_is_not() {
        let known = [found("m", "f", "a()")];
        let mut moved = report(vec![found("n::o", "f", "a()")]);
        let compared = baseline(known.to_vec()).apply(&mut moved, all);
        assert_eq!((moved.findings.len(), compared.gone), (0, 0));
        // The file then has it as it is now.
        assert_eq!(compared.rest, baseline(vec![found("n::o", "f", "a()")]));
        let mut twice = report(vec![found("m", "f", "a()"), found("n", "f", "a()")]);
        assert_eq!(compare(&known, &mut twice), (1, 0, 1));
        let mut renamed = report(vec![found("m", "g", "a()")]);
        assert_eq!(compare(&known, &mut renamed), (1, 1, 0));
    }

    #[test]
    fn packages_of_other_baselines_are_left_alone() {
        let known = baseline(vec![found("m", "f", "a()")]);
        let mut now = report(vec![found("m", "f", "a()")]);
        let compared = known.clone().apply(&mut now, |_, package| package != "p");
        assert_eq!((now.findings.len(), compared.gone, compared.rest), (1, 0, known));
        let mut none = Baseline::default();
        none.take(&mut now, |scope, package| scope.is_under(package, &BTreeSet::from([1])));
        assert_eq!((now.findings.len(), none.len()), (1, 0));
    }

    #[test]
    fn what_was_not_looked_at_is_kept() {
        let known = [found("m", "f", "a()")];
        let mut in_part = report(Vec::new());
        // Another package of the same name.
        let rules = BTreeSet::from(["leak".to_owned()]);
        in_part.scope.add(Arc::from("p"), Seen { whole: false, rules, policies: BTreeSet::new() });
        assert_eq!(compare(&known, &mut in_part), (0, 0, 1));
        let mut other_rules = report(Vec::new());
        let seen = Seen { whole: true, ..Seen::default() };
        other_rules.scope.add(Arc::from("p"), seen);
        assert_eq!(compare(&known, &mut other_rules), (0, 0, 1));
        assert_eq!(compare(&known, &mut report(Vec::new())), (0, 1, 0));
    }
}
