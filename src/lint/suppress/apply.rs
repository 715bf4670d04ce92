//! Takes silenced findings out, and tells of suppressions that are wrong or do nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Scope, Suppression};
use crate::finding::LintFinding;
use crate::lint::Issue;

/// What a name in a suppression stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A rule that ran; its id.
    Active(String),
    /// A rule that did not run: that nothing was silenced says nothing.
    Off,
    /// No rule, nor another name of one.
    Unknown,
}

/// What is left.
#[derive(Debug, Default)]
pub struct Applied {
    /// Findings that nothing silenced, in the order given.
    pub kept: Vec<LintFinding>,
    /// How many were silenced.
    pub suppressed: u64,
    /// Suppressions that are wrong, have no reason, or silenced nothing.
    pub issues: Vec<Issue>,
}

/// One rule of one suppression.
struct Entry<'a> {
    suppression: &'a Suppression,
    path: &'a Arc<str>,
    name: &'a str,
    known: Known,
    used: bool,
}

impl Entry<'_> {
    fn holds(&self, finding: &LintFinding) -> bool {
        let (start, end) = (finding.region.line, finding.region.end_line);
        match self.suppression.scope {
            Scope::File => true,
            // The end counts, too: in a chain of calls the comment stands at the last one.
            Scope::Lines(first, last) => {
                (first..=last).contains(&start) || (first..=last).contains(&end)
            }
            Scope::Nowhere | Scope::Garbled => false,
        }
    }
}

/// Applies the suppressions of each path. `known` tells what a name stands for.
pub fn apply(
    findings: Vec<LintFinding>,
    suppressions: &BTreeMap<Arc<str>, Vec<Suppression>>,
    known: impl Fn(&str) -> Known,
) -> Applied {
    let mut applied = Applied::default();
    let mut entries = Vec::new();
    // By path and rule, so that a file full of them stays cheap.
    let mut by_rule: BTreeMap<(Arc<str>, String), Vec<usize>> = BTreeMap::new();
    for (path, list) in suppressions {
        for suppression in list {
            applied.issues.extend(complaint(path, suppression));
            if suppression.scope == Scope::Garbled {
                continue;
            }
            for name in &suppression.rules {
                let known = known(name);
                if let Known::Active(rule) = &known {
                    let key = (Arc::clone(path), rule.clone());
                    by_rule.entry(key).or_default().push(entries.len());
                }
                entries.push(Entry { suppression, path, name, known, used: false });
            }
        }
    }
    for finding in findings {
        let key = (Arc::clone(&finding.region.path), finding.rule.clone());
        let mut silenced = false;
        for &index in by_rule.get(&key).into_iter().flatten() {
            if entries[index].holds(&finding) {
                entries[index].used = true;
                silenced = true;
            }
        }
        if silenced {
            applied.suppressed += 1;
        } else {
            applied.kept.push(finding);
        }
    }
    for entry in entries.iter().filter(|entry| !entry.used) {
        let message = match entry.known {
            Known::Active(_) if entry.suppression.scope == Scope::Nowhere => continue,
            Known::Active(_) => format!("the suppression of {} silences nothing", entry.name),
            Known::Off => continue,
            Known::Unknown => format!("no rule is called '{}'; it was ignored", entry.name),
        };
        applied.issues.push(issue(entry.path, entry.suppression.line, &message));
    }
    applied.issues.sort();
    applied
}

/// What is wrong with a suppression as it is written.
fn complaint(path: &Arc<str>, suppression: &Suppression) -> Option<Issue> {
    let message = match suppression.scope {
        Scope::Garbled => {
            "the suppression was not understood and ignored; \
             write `// poolscan: allow(rule): reason`"
        }
        Scope::Nowhere => "the suppression silences nothing: no code follows it",
        Scope::File | Scope::Lines(..) if suppression.reason.is_empty() => {
            "the suppression has no reason; it was applied"
        }
        Scope::File | Scope::Lines(..) => return None,
    };
    Some(issue(path, suppression.line, message))
}

fn issue(path: &Arc<str>, line: u32, message: &str) -> Issue {
    Issue { path: Arc::clone(path), line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Region, Severity};
    use crate::lint::suppress::suppressions;

    fn finding(rule: &str, line: u32, end_line: u32) -> LintFinding {
        LintFinding {
            region: Region {
                path: Arc::from("a.rs"),
                line,
                column: 1,
                end_line,
                end_column: 2,
                bytes: (0, 0),
            },
            rule: rule.to_owned(),
            family: String::new(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            package: Arc::from("jobs"),
            module: "jobs".to_owned(),
            function: String::new(),
            subject: "spawn()".to_owned(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            fingerprint: String::new(),
        }
    }

    fn run(source: &str, findings: Vec<LintFinding>) -> (usize, u64, Vec<String>) {
        let all = BTreeMap::from([(Arc::from("a.rs"), suppressions(source))]);
        let applied = apply(findings, &all, |name| match name {
            "leak" | "old-leak" => Known::Active("leak".to_owned()),
            "off" => Known::Off,
            _ => Known::Unknown,
        });
        let issues = applied.issues.into_iter().map(|i| format!("{} {}", i.line, i.message));
        (applied.kept.len(), applied.suppressed, issues.collect())
    }

    #[test]
    fn silences_on_its_lines_only() {
        let source = "// poolscan: allow(old-leak): why\na();\nb();\nc()\n.d() \
                      // poolscan: allow(leak): w\n;";
        let found = vec![
            finding("leak", 2, 2),
            finding("leak", 3, 3),
            finding("leak", 4, 5),
            finding("other", 2, 2),
        ];
        assert_eq!(run(source, found), (2, 2, Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let source = "// poolscan: allow-file(leak)\na(); // poolscan: allow(nope, off): w\n\
                      // poolscan: allow(leak): w\nb();\n// poolscan: deny(x)\n\
                      // poolscan: allow(leak): w\n";
        let (kept, suppressed, issues) = run(source, vec![finding("leak", 2, 2)]);
        assert_eq!((kept, suppressed), (0, 1));
        let starts = [
            "1 the suppression has no reason; it was applied",
            "2 no rule is called 'nope'",
            "3 the suppression of leak silences nothing",
            "5 the suppression was not understood",
            "6 the suppression silences nothing: no code follows it",
        ];
        assert_eq!(issues.len(), starts.len(), "{issues:?}");
        assert!(issues.iter().zip(starts).all(|(issue, start)| issue.starts_with(start)));
    }
}
