//! Which findings lie in lines that were changed: patches of `git diff -U0`, and what they touch.

use std::collections::BTreeMap;

use super::Report;
use crate::finding::{LintFinding, Region};

/// What changed, by path from the root of the repository, with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes(BTreeMap<String, Change>);

/// What changed in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// It is new.
    Whole,
    /// First line and number of lines, from 1; none were added behind the line where the number is 0.
    Hunks(Vec<(u32, u32)>),
}

impl Changes {
    /// Reads what `git diff -U0 --src-prefix=a/ --dst-prefix=b/` prints. What is no patch is passed
    /// over.
    #[must_use]
    pub fn parse(patch: &[u8]) -> Self {
        let mut changes = Self::default();
        let mut path = None;
        // Lines of the hunk that are still to come; they may look like anything.
        let mut inside = 0u64;
        for line in patch.split(|&byte| byte == b'\n') {
            if inside > 0 && matches!(line.first(), Some(b'+' | b'-')) {
                inside -= 1;
            } else if let Some(name) = line.strip_prefix(b"+++ ") {
                path = new_path(name);
            } else if let Some((old, (first, count))) = hunk(line) {
                inside = u64::from(old) + u64::from(count);
                if let Some(path) = &path {
                    changes.add(path, (first, count));
                }
            }
        }
        changes
    }

    fn add(&mut self, path: &str, hunk: (u32, u32)) {
        let change = self.0.entry(path.to_owned()).or_insert_with(|| Change::Hunks(Vec::new()));
        if let Change::Hunks(hunks) = change {
            hunks.push(hunk);
        }
    }

    /// Adds a file that is new as a whole.
    pub fn add_whole(&mut self, path: impl Into<String>) {
        self.0.insert(path.into(), Change::Whole);
    }

    /// Takes findings out of the report that no change touches, and counts them there. `path` gives
    /// paths from the root of the repository for paths as reported.
    pub fn apply(&self, report: &mut Report, path: impl Fn(&str) -> String) {
        let before = report.findings.len();
        report.findings.retain(|finding| self.touch(finding, &path));
        report.stats.unchanged += (before - report.findings.len()) as u64;
    }

    /// Whether a place of the finding was changed, or something between its places was taken away:
    /// a release that is gone has no line any more.
    fn touch(&self, finding: &LintFinding, path: impl Fn(&str) -> String) -> bool {
        let mut places: BTreeMap<&str, Vec<&Region>> = BTreeMap::new();
        let related = finding.related.iter().map(|related| &related.region);
        for region in std::iter::once(&finding.region).chain(related) {
            places.entry(&region.path).or_default().push(region);
        }
        places.into_iter().any(|(shown, places)| match self.0.get(&path(shown)) {
            None => false,
            Some(Change::Whole) => true,
            Some(Change::Hunks(hunks)) => {
                let first = places.iter().map(|place| place.line).min().unwrap_or(0);
                let last = places.iter().map(|place| place.end_line).max().unwrap_or(0);
                hunks.iter().any(|&(start, count)| match count {
                    0 => first <= start && start < last,
                    _ => places.iter().any(|place| {
                        place.line < start.saturating_add(count) && start <= place.end_line
                    }),
                })
            }
        })
    }
}

/// The path behind `+++ `; none: the file is gone.
fn new_path(name: &[u8]) -> Option<String> {
    // A path with blanks in it ends with a tab.
    let name = name.strip_suffix(b"\r").unwrap_or(name);
    let name = name.strip_suffix(b"\t").unwrap_or(name);
    let name = match name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")) {
        Some(quoted) => unquoted(quoted),
        None => name.to_vec(),
    };
    Some(String::from_utf8_lossy(name.strip_prefix(b"b/")?).into_owned())
}

/// What stands for unusual bytes in the quotes of git: `\t`, `\"`, `\303`.
fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let octal = rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(code) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(code);
            rest = &rest[3..];
        } else if let Some((&escape, after)) = rest.split_first() {
            rest = after;
            bytes.push(match escape {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                other => other,
            });
        }
    }
    bytes
}

/// Old number of lines, then first line and number of lines now: `@@ -1,2 +3,4 @@`.
fn hunk(line: &[u8]) -> Option<(u32, (u32, u32))> {
    // Behind it stands a line of the file, in whatever encoding.
    let text = String::from_utf8_lossy(&line[..line.len().min(64)]);
    let (old, rest) = text.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| match text.split_once(',') {
        Some((first, count)) => Some((first.parse().ok()?, count.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    };
    let (_, old): (u32, u32) = range(old)?;
    Some((old, range(new)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::finding::{Confidence, Related, Role, Severity};

    const PATCH: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n\
        +++ b/src/a.rs\n@@ -3 +3,2 @@ fn f() {\n-old\n+new\n+@@ -1 +90 @@\n@@ -9,2 +10,0 @@\n\
        ---- a/x\n-+++ b/y\n@@ -20,0 +20 @@\n++++ b/z.rs\n\\ No newline at end of file\n\
        diff --git a/b c.rs b/b c.rs\n--- a/b c.rs\t\n+++ b/b c.rs\t\n@@ -1 +1 @@\n-a\n+b\n\
        --- a/gone.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n\
        --- \"a/\\303\\274.rs\"\n+++ \"b/\\303\\274\\t\\\".rs\"\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn patches_are_read() {
        let mut want = Changes::default();
        for hunk in [(3, 2), (10, 0), (20, 1)] {
            want.add("src/a.rs", hunk);
        }
        want.add("b c.rs", (1, 1));
        want.add("\u{fc}\t\".rs", (1, 1));
        assert_eq!(Changes::parse(PATCH.as_bytes()), want);
    }

    fn finding(lines: (u32, u32), exits: &[u32]) -> LintFinding {
        let region = |line, end_line| Region {
            path: Arc::from("a.rs"),
            line,
            column: 1,
            end_line,
            end_column: 2,
            bytes: (0, 1),
        };
        let exit =
            |&line| Related { region: region(line, line), role: Role::Exit, label: String::new() };
        LintFinding {
            region: region(lines.0, lines.1),
            rule: "leak".to_owned(),
            defect: String::new(),
            family: String::new(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            package: Arc::from("p"),
            module: String::new(),
            function: String::new(),
            subject: String::new(),
            message: String::new(),
            help: String::new(),
            related: exits.iter().map(exit).collect(),
            fix: None,
            fingerprint: String::new(),
            seen: Vec::new(),
        }
    }

    #[test]
    fn any_place_of_the_path_counts() {
        let touched = |found: LintFinding, hunk| {
            let mut changes = Changes::default();
            changes.add("sub/a.rs", hunk);
            changes.touch(&found, |shown| format!("sub/{shown}"))
        };
        assert!(touched(finding((5, 5), &[]), (5, 1)));
        assert!(touched(finding((3, 7), &[]), (5, 1)));
        assert!(!touched(finding((5, 5), &[]), (6, 4)));
        assert!(!touched(finding((5, 5), &[]), (1, 4)));
        assert!(touched(finding((5, 5), &[9, 20]), (20, 1)), "an old acquisition, a new exit");
        assert!(!touched(finding((5, 5), &[9, 20]), (12, 2)), "between its places");
        assert!(touched(finding((5, 5), &[9, 20]), (12, 0)), "a release may have been there");
        assert!(!touched(finding((5, 5), &[9, 20]), (20, 0)), "behind its places");
        assert!(!touched(finding((5, 5), &[]), (5, 0)));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let findings = vec![finding((5, 5), &[]), finding((9, 9), &[])];
        let mut report = Report { findings, ..Report::default() };
        let mut changes = Changes::default();
        changes.add("a.rs", (9, 1));
        changes.apply(&mut report, str::to_owned);
        assert_eq!((report.findings.len(), report.stats.unchanged), (1, 1));
        changes.add_whole("a.rs");
        changes.add("a.rs", (1, 1));
        assert_eq!(changes.0["a.rs"], Change::Whole);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[@+ab/\\\\\"0-9, \n-]{0,200}") {
            let _ = Changes::parse(&bytes);
            let _ = Changes::parse(text.as_bytes());
        }
    }
}
