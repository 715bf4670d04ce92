//! Gives a finding a name that stays the same when lines move.

use super::LintFinding;
use std::collections::BTreeMap;

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

/// Sets the fingerprint of every finding, which must be in their total order.
///
/// It is made of defect, package, module, function and subject, and, where several agree in all of
/// these, of which of them it is. Paths, lines and messages are no part of it, nor are the places
/// on the way: who mends one exit of three still has the same finding.
pub fn assign_fingerprints(findings: &mut [LintFinding]) {
    let mut equals: BTreeMap<u64, u32> = BTreeMap::new();
    for finding in findings {
        let parts = [
            &finding.defect,
            &*finding.package,
            &finding.module,
            &finding.function,
            &finding.subject,
        ];
        let hash = parts.into_iter().fold(Fnv::START, Fnv::part);
        let ordinal = equals.entry(hash.0).or_insert(0);
        let named = if *ordinal == 0 { hash } else { hash.part(&ordinal.to_string()) };
        *ordinal += 1;
        finding.fingerprint = format!("{:016x}", named.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Confidence, Region, Severity};

    fn about(subject: &str, line: u32) -> LintFinding {
        LintFinding {
            region: Region {
                path: Arc::from("src/a.rs"),
                line,
                column: 1,
                end_line: line,
                end_column: 2,
                bytes: (0, 0),
            },
            rule: "rule".to_owned(),
            defect: "r".to_owned(),
            family: "process".to_owned(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            package: Arc::from("p"),
            module: "m".to_owned(),
            function: "f".to_owned(),
            subject: subject.to_owned(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            fix: None,
            fingerprint: String::new(),
            seen: Vec::new(),
        }
    }

    fn names(mut findings: Vec<LintFinding>) -> Vec<String> {
        assign_fingerprints(&mut findings);
        findings.into_iter().map(|f| f.fingerprint).collect()
    }

    #[test]
    fn is_stable_over_versions() {
        // Computed by another program: changing it changes every baseline in the field.
        assert_eq!(
            names(vec![about("text", 1), about("text", 2)]),
            ["def889509e381250", "b8a6b5a53407d8c4"]
        );
    }

    #[test]
    fn equal_ones_are_told_apart_by_their_order() {
        let before = names(vec![about("a()", 1), about("a()", 2), about("b()", 3)]);
        let after = names(vec![about("a()", 10), about("a()", 12), about("b()", 90)]);
        assert_eq!(before, after);
        assert_ne!(before[0], before[1]);
        assert_ne!(before[0], before[2]);
    }

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let base = about("s", 1);
        let change = |change: fn(&mut LintFinding)| {
            let mut other = base.clone();
            change(&mut other);
            other
        };
        let all = [
            base.clone(),
            change(|f| f.defect = "r2".to_owned()),
            change(|f| f.package = Arc::from("q")),
            change(|f| f.module = "n".to_owned()),
            change(|f| f.function = "g".to_owned()),
            change(|f| (f.module, f.function) = ("mf".to_owned(), String::new())),
        ];
        let mut alone: Vec<String> = all.into_iter().flat_map(|f| names(vec![f])).collect();
        alone.sort();
        alone.dedup();
        assert_eq!(alone.len(), 6);
        let elsewhere = change(|f| {
            f.region.path = Arc::from("other/b.rs");
            f.message = "said otherwise".to_owned();
            f.rule = "of-another-degree".to_owned();
        });
        assert_eq!(names(vec![elsewhere]), names(vec![base.clone()]));
    }
}
