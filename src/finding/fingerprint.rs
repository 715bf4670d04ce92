//! Gives a finding a name that stays the same when lines move.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LintFinding;

/// FNV-1a, 64 bits: written out because hashes of the standard library may change with it.
#[derive(Debug, Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Takes in a part; 0xff, which no UTF-8 text holds, ends it.
    fn part(mut self, text: &str) -> Self {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }
}

/// Fingerprint of the `ordinal`-th finding with these properties, counted from 0.
///
/// `text` is the line of the finding; white space around it does not count.
pub fn fingerprint(rule: &str, path: &str, function: &str, text: &str, ordinal: u32) -> String {
    let hash = Fnv::START.part(rule).part(path).part(function).part(text.trim());
    let hash = if ordinal == 0 { hash } else { hash.part(&ordinal.to_string()) };
    format!("{:016x}", hash.0)
}

/// Sets the fingerprint of every finding. They must be in their total order, and `sources` must
/// hold the text of each path; a text that is missing counts as empty.
pub fn assign_fingerprints(findings: &mut [LintFinding], sources: &BTreeMap<Arc<str>, Arc<str>>) {
    let mut lines: BTreeMap<Arc<str>, Vec<&str>> = BTreeMap::new();
    let mut equals: BTreeMap<String, u32> = BTreeMap::new();
    for finding in findings {
        let path = &finding.region.path;
        let lines = lines.entry(Arc::clone(path)).or_insert_with(|| {
            sources.get(path).map(|text| text.lines().collect()).unwrap_or_default()
        });
        let at = (finding.region.line as usize).saturating_sub(1);
        let text = lines.get(at).copied().unwrap_or_default();
        let named = |ordinal| fingerprint(&finding.rule, path, &finding.function, text, ordinal);
        let ordinal = equals.entry(named(0)).or_insert(0);
        let name = named(*ordinal);
        *ordinal += 1;
        finding.fingerprint = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Region, Severity};

    fn at(line: u32) -> LintFinding {
        LintFinding {
            region: Region {
                path: Arc::from("src/a.rs"),
                line,
                column: 1,
                end_line: line,
                end_column: 2,
                bytes: (0, 0),
            },
            rule: "child-not-waited".to_owned(),
            family: "process".to_owned(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            function: "a::run".to_owned(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            fingerprint: String::new(),
        }
    }

    fn names(source: &str, lines: &[u32]) -> Vec<String> {
        let sources = BTreeMap::from([(Arc::from("src/a.rs"), Arc::from(source))]);
        let mut findings: Vec<_> = lines.iter().map(|&line| at(line)).collect();
        assign_fingerprints(&mut findings, &sources);
        findings.into_iter().map(|f| f.fingerprint).collect()
    }

    #[test]
    fn is_stable_over_versions() {
        // Computed by another program: changing it changes every baseline in the field.
        assert_eq!(fingerprint("r", "p", "f", " text ", 0), "72f12db904d70f6c");
    }

    #[test]
    fn survives_moves_and_indentation() {
        let before = names("spawn();\nspawn();\nother();\n", &[1, 2, 3]);
        let after = names("// new\n\n  spawn();\r\n\tspawn();\n  other();", &[3, 4, 5]);
        assert_eq!(before, after);
        assert_ne!(before[0], before[1]);
        assert_ne!(before[0], before[2]);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(fingerprint("ab", "c", "", "", 0), fingerprint("a", "bc", "", "", 0));
        assert_ne!(fingerprint("a", "b", "c", "d", 0), fingerprint("a", "b", "c", "d", 1));
    }

    #[test]
    fn a_missing_line_is_no_reason_to_panic() {
        assert_eq!(names("", &[0, 99]).len(), 2);
    }
}
