//! Takes silenced findings out, and tells of suppressions that are wrong or do nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Scope, Suppression};
use crate::finding::{LintFinding, MAX_EXITS, Region, Role};
use crate::lint::Issue;

/// What a name in a suppression stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// The suppressions of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFile {
    /// In order.
    pub suppressions: Vec<Suppression>,
    /// Whether parts of the file could not be parsed: then one that silences nothing may be right.
    pub in_parts: bool,
    /// What the names of rules in them stand for; what is not here is none.
    pub known: BTreeMap<String, Known>,
}

/// One rule of one suppression.
struct Entry<'a> {
    suppression: &'a Suppression,
    path: &'a Arc<str>,
    name: &'a str,
    known: Known,
    used: bool,
    expired: bool,
    in_parts: bool,
}

impl Entry<'_> {
    /// Whether it holds on one of these lines.
    fn holds(&self, lines: [u32; 2]) -> bool {
        match self.suppression.scope {
            Scope::File => true,
            Scope::Lines(first, last) => lines.iter().any(|line| (first..=last).contains(line)),
            Scope::Nowhere | Scope::Garbled => false,
        }
    }

    /// What is to be said of one that silenced nothing.
    fn complaint(&self) -> Option<String> {
        let name = self.name;
        match self.known {
            Known::Off => None,
            Known::Unknown => Some(format!("no rule is called '{name}'; it was ignored")),
            Known::Active(_) if self.expired => {
                let until = self.suppression.until.map(|day| day.to_string()).unwrap_or_default();
                Some(format!("the suppression of {name} held until {until}; it was not applied"))
            }
            Known::Active(_) if self.suppression.scope == Scope::Nowhere || self.in_parts => None,
            Known::Active(_) if self.suppression.of_clippy => None,
            Known::Active(_) => Some(format!("the suppression of {name} silences nothing")),
        }
    }
}

/// All rules of all suppressions, found by path and rule, so that a file full of them stays cheap.
struct Entries<'a> {
    all: Vec<Entry<'a>>,
    by_rule: BTreeMap<(&'a str, String), Vec<usize>>,
}

impl<'a> Entries<'a> {
    fn add(&mut self, entry: Entry<'a>) {
        if let Known::Active(rule) = &entry.known
            && !entry.expired
        {
            let key = (&**entry.path, rule.clone());
            self.by_rule.entry(key).or_default().push(self.all.len());
        }
        self.all.push(entry);
    }

    /// Whether something silences the rule on the first or last line of a place.
    fn silence(&mut self, rule: &str, region: &Region) -> bool {
        let mut silenced = false;
        let key = (&*region.path, rule.to_owned());
        for &index in self.by_rule.get(&key).into_iter().flatten() {
            // The end counts, too: in a chain of calls the comment stands at the last one.
            if self.all[index].holds([region.line, region.end_line]) {
                self.all[index].used = true;
                silenced = true;
            }
        }
        silenced
    }

    /// What is left of a finding. At its place it is silenced whole, at an exit for that exit; when no
    /// exit is left, nothing is.
    fn rest(&mut self, mut finding: LintFinding) -> Option<LintFinding> {
        if self.silence(&finding.rule, &finding.region) {
            return None;
        }
        let exits = |f: &LintFinding| f.related.iter().filter(|r| r.role == Role::Exit).count();
        let before = exits(&finding);
        let rule = &finding.rule;
        finding.related.retain(|r| r.role != Role::Exit || !self.silence(rule, &r.region));
        // Of very many exits only some are known.
        let all = before > 0 && before < MAX_EXITS && exits(&finding) == 0;
        (!all).then_some(finding)
    }
}

/// Applies the suppressions of each path; those that hold until a day before `today` are not applied.
pub fn apply(
    findings: Vec<LintFinding>,
    suppressions: &BTreeMap<Arc<str>, InFile>,
    today: Date,
) -> Applied {
    let mut applied = Applied::default();
    let mut entries = Entries { all: Vec::new(), by_rule: BTreeMap::new() };
    for (path, file) in suppressions {
        for suppression in &file.suppressions {
            applied.issues.extend(complaint(path, suppression));
            let expired = suppression.until.is_some_and(|until| until < today);
            let in_parts = file.in_parts;
            for name in &suppression.rules {
                let known = file.known.get(name).cloned().unwrap_or(Known::Unknown);
                entries.add(Entry {
                    suppression,
                    path,
                    name,
                    known,
                    used: false,
                    expired,
                    in_parts,
                });
            }
        }
    }
    let count = findings.len();
    applied.kept = findings.into_iter().filter_map(|finding| entries.rest(finding)).collect();
    applied.suppressed = (count - applied.kept.len()) as u64;
    for entry in entries.all.iter().filter(|entry| !entry.used) {
        let said = entry.complaint();
        applied.issues.extend(said.map(|said| issue(entry.path, entry.suppression.line, &said)));
    }
    applied.issues.sort();
    applied
}

/// What is wrong with a suppression as it is written.
fn complaint(path: &Arc<str>, suppression: &Suppression) -> Option<Issue> {
    if suppression.of_clippy {
        return None;
    }
    let message = match suppression.scope {
        Scope::Garbled => {
            "the suppression was not understood and ignored; write \
             `// poolscan: allow(rule, reason = \"…\")`, perhaps with `until = \"2027-01-31\"`"
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
    use crate::finding::{Confidence, Related, Severity};
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
            defect: String::new(),
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
            fix: None,
            fingerprint: String::new(),
            seen: Vec::new(),
        }
    }

    fn run(source: &str, findings: Vec<LintFinding>) -> (usize, u64, Vec<String>) {
        let (applied, issues) = applied(findings, file(source, false));
        (applied.kept.len(), applied.suppressed, issues)
    }

    fn file(source: &str, in_parts: bool) -> InFile {
        let leak = Known::Active("leak".to_owned());
        let known = [("leak", leak.clone()), ("old-leak", leak), ("off", Known::Off)];
        let known = known.map(|(name, known)| (name.to_owned(), known)).into();
        InFile { suppressions: suppressions(source, false), in_parts, known }
    }

    fn applied(findings: Vec<LintFinding>, file: InFile) -> (Applied, Vec<String>) {
        let all = BTreeMap::from([(Arc::from("a.rs"), file)]);
        let mut applied = apply(findings, &all, jiff::civil::date(2027, 1, 31));
        let issues = std::mem::take(&mut applied.issues);
        let issues = issues.into_iter().map(|i| format!("{} {}", i.line, i.message));
        (applied, issues.collect())
    }

    #[test]
    fn an_exit_is_silenced_alone() {
        let source = "a();\nb()?; // poolscan: allow(leak, reason = \"w\")\nc()?;\n";
        let file = file(source, false);
        let with_exits = |lines: &[u32]| {
            let mut found = finding("leak", 1, 1);
            let region = |line| Region { line, end_line: line, ..found.region.clone() };
            let exit = |&line: &u32| Related {
                region: region(line),
                role: Role::Exit,
                label: String::new(),
            };
            found.related = lines.iter().map(exit).collect();
            found
        };
        let (left, issues) = applied(vec![with_exits(&[2, 3])], file.clone());
        assert_eq!((left.kept, issues), (vec![with_exits(&[3])], Vec::new()));
        let (left, issues) = applied(vec![with_exits(&[2])], file.clone());
        assert_eq!((left.kept.len(), left.suppressed, issues.len()), (0, 1, 0));
        let (left, _) = applied(vec![with_exits(&[2; MAX_EXITS])], file);
        assert_eq!(left.kept.len(), 1, "there may be more exits than are known");
    }

    #[test]
    fn the_last_day_counts() {
        let source = "// poolscan: allow(leak, reason = \"w\", until = \"2027-01-31\")\na();\n\
                      // poolscan: allow(leak, reason = \"w\", until = \"2027-01-30\")\nb();\n\
                      // poolscan: allow(off, reason = \"w\", until = \"2027-01-30\")\nc();\n";
        let found = vec![finding("leak", 2, 2), finding("leak", 4, 4)];
        let issue = "3 the suppression of leak held until 2027-01-30; it was not applied";
        assert_eq!(run(source, found), (1, 1, vec![issue.to_owned()]));
    }

    #[test]
    fn nothing_is_said_of_files_that_were_read_in_parts() {
        let source = "// poolscan: allow(leak, reason = \"w\")\na();";
        assert_eq!(applied(Vec::new(), file(source, true)).1, Vec::<String>::new());
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
