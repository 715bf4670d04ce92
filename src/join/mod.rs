//! Findings of both wings on one line: what the linter says of the places that a running program
//! points at, and the other way round.

mod names;
mod paths;

pub use paths::Remap;

use crate::finding::{Linked, LintFinding, Region, Related, Relation, Role, Seen};

/// Findings told beside one place.
const MOST: usize = 8;
/// Places told beside one finding.
const MOST_SEEN: usize = 8;

/// A place of which handles leak, as a running program tells it. Untrusted text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The innermost function of the program itself; empty where it is not known.
    pub function: &'a str,
    /// Its source file, as it was called where it was built, or as it was remapped; may be empty.
    pub file: &'a str,
    /// The line of the call.
    pub line: Option<u32>,
    /// Functions of one stack that led there.
    pub stack: &'a [&'a str],
    /// Families of rules about the library that opened it; no function is guilty then.
    pub families: &'a [&'a str],
}

/// A leak of a running program, and one place that it comes from. Untrusted text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leak<'a> {
    /// The process.
    pub target: &'a str,
    /// What leaks.
    pub group: &'a str,
    /// Handles from there that are still open.
    pub survivors: u64,
    /// Whether the place is known for certain.
    pub certain: bool,
    /// Where.
    pub place: Place<'a>,
}

/// The findings about a place, nearest and worst first. `holding`: families about what is held and
/// not given back, which come before others.
pub fn linked(findings: &[LintFinding], place: &Place<'_>, holding: &[String]) -> Vec<Linked> {
    let near = |f| relation(f, place).map(|relation| (relation, f));
    let mut found: Vec<(Relation, &LintFinding)> = findings.iter().filter_map(near).collect();
    found.sort_by_key(|(relation, f)| {
        (
            *relation,
            !holding.contains(&f.family),
            std::cmp::Reverse((f.severity, f.confidence)),
            &f.region,
            &f.rule,
        )
    });
    found.truncate(MOST);
    found.into_iter().map(|(relation, f)| link(relation, f)).collect()
}

/// Writes into findings what was seen at their places; who is on the line or in the function that
/// leaks for certain becomes one step worse. In the function, that is so of families about what is
/// held and not given back (`holding`): of others it says nothing about a leak.
pub fn raise(findings: &mut [LintFinding], leaks: &[Leak<'_>], holding: &[String]) {
    for f in findings {
        let (mut seen, mut raised) = (Vec::new(), false);
        for leak in leaks {
            let Some(relation) = relation(f, &leak.place) else { continue };
            if relation > Relation::Function {
                continue;
            }
            raised |= leak.certain && (relation == Relation::Line || holding.contains(&f.family));
            seen.push(Seen {
                relation,
                target: leak.target.to_owned(),
                group: leak.group.to_owned(),
                place: spot(&leak.place),
                survivors: leak.survivors,
            });
        }
        seen.sort_by(|a, b| (a.relation, b.survivors, a).cmp(&(b.relation, a.survivors, b)));
        seen.dedup();
        seen.truncate(MOST_SEEN);
        f.seen = seen;
        if raised {
            f.severity = f.severity.raised();
        }
    }
}

/// How near a finding is to a place; `None` when it is somewhere else.
fn relation(f: &LintFinding, place: &Place<'_>) -> Option<Relation> {
    if !place.families.is_empty() {
        return place.families.contains(&f.family.as_str()).then_some(Relation::Family);
    }
    let same_file = paths::same(&f.region.path, place.file);
    if same_file && place.line.is_some_and(|line| covers(f, line)) {
        return Some(Relation::Line);
    }
    // Without a file the crate must be the package.
    let in_function = |name: &str, anywhere: bool| {
        names::same(name, &f.function, (!anywhere).then_some(&*f.package))
    };
    if !f.function.is_empty() && in_function(place.function, same_file) {
        // Functions of the same name may be in several packages; the file tells which.
        return (same_file || place.file.is_empty()).then_some(Relation::Function);
    }
    let called = place.stack.iter().any(|name| in_function(name, false));
    (called && !f.function.is_empty()).then_some(Relation::Caller)
}

/// Whether a line is within the finding, or where what it is about was acquired.
fn covers(f: &LintFinding, line: u32) -> bool {
    let within = |region: &Region| (region.line..=region.end_line).contains(&line);
    let acquired = |r: &&Related| r.role == Role::Acquired && r.region.path == f.region.path;
    within(&f.region) || f.related.iter().filter(acquired).any(|r| within(&r.region))
}

fn link(relation: Relation, f: &LintFinding) -> Linked {
    Linked {
        relation,
        rule: f.rule.clone(),
        family: f.family.clone(),
        severity: f.severity,
        confidence: f.confidence,
        path: f.region.path.clone(),
        line: f.region.line,
        function: f.function.clone(),
        message: f.message.clone(),
        fingerprint: f.fingerprint.clone(),
    }
}

fn spot(place: &Place<'_>) -> String {
    let function = if place.function.is_empty() { "?" } else { place.function };
    match (place.file, place.line) {
        ("", _) => function.to_owned(),
        (file, Some(line)) => format!("{function} {file}:{line}"),
        (file, None) => format!("{function} {file}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Confidence, Severity};

    fn finding(rule: &str, family: &str, function: &str, line: u32) -> LintFinding {
        let region = Region {
            path: "src/db.rs".into(),
            line,
            column: 1,
            end_line: line,
            end_column: 9,
            bytes: (0, 8),
        };
        LintFinding {
            region,
            rule: rule.to_owned(),
            defect: rule.to_owned(),
            family: family.to_owned(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            package: Arc::from("billing"),
            module: "db".to_owned(),
            function: function.to_owned(),
            subject: String::new(),
            message: "kept open".to_owned(),
            help: String::new(),
            related: Vec::new(),
            fix: None,
            fingerprint: rule.to_owned(),
            seen: Vec::new(),
        }
    }

    fn holding() -> Vec<String> {
        ["fd", "pool"].map(str::to_owned).into()
    }

    fn all() -> Vec<LintFinding> {
        vec![
            finding("pool-unbounded", "pool", "db::other", 90),
            finding("lock", "lock", "db::Pool::take", 14),
            finding("elsewhere", "fd", "db::elsewhere", 60),
            finding("handler", "fd", "serve", 70),
            finding("forgotten", "fd", "db::Pool::take", 15),
            finding("on-the-line", "fd", "db::Pool::take", 12),
        ]
    }

    const PLACE: Place<'_> = Place {
        function: "<billing::db::Pool as billing::Take>::take",
        file: "/build/billing/src/db.rs",
        line: Some(12),
        stack: &["billing::serve", "main"],
        families: &[],
    };

    #[test]
    fn the_nearest_come_first() {
        let found = linked(&all(), &PLACE, &holding());
        let told: Vec<_> = found.iter().map(|f| (f.rule.as_str(), f.relation)).collect();
        let expected = [
            ("on-the-line", Relation::Line),
            ("forgotten", Relation::Function),
            ("lock", Relation::Function),
            ("handler", Relation::Caller),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_pool_has_candidates_of_its_families_only() {
        let found = linked(&all(), &Place { families: &["pool", "timeout"], ..PLACE }, &holding());
        let told: Vec<_> = found.iter().map(|f| (f.rule.as_str(), f.relation)).collect();
        assert_eq!(told, [("pool-unbounded", Relation::Family)]);
    }

    #[test]
    fn another_file_or_package_is_another_place() {
        let other = Place { file: "/build/billing/src/other/db.rs", stack: &[], ..PLACE };
        assert!(linked(&all(), &other, &holding()).is_empty());
        // Without lines the function is enough, if it is of the package.
        let stripped = Place { file: "", line: None, stack: &[], ..PLACE };
        assert_eq!(linked(&all(), &stripped, &holding()).len(), 3);
        let alien = Place { function: "other::db::Pool::take", ..stripped };
        assert!(linked(&all(), &alien, &holding()).is_empty());
    }

    #[test]
    fn what_was_seen_to_leak_becomes_worse() {
        let mut findings = all();
        let leak =
            Leak { target: "billing", group: "file", survivors: 9, certain: true, place: PLACE };
        raise(&mut findings, &[leak, leak], &holding());
        let severity = |rule: &str, findings: &[LintFinding]| {
            let found = findings.iter().find(|f| f.rule == rule).unwrap();
            (found.severity, found.seen.len())
        };
        assert_eq!(severity("on-the-line", &findings), (Severity::Error, 1));
        assert_eq!(severity("forgotten", &findings), (Severity::Error, 1));
        // A lock in the same function says nothing about the leak.
        assert_eq!(severity("lock", &findings), (Severity::Warning, 1));
        assert_eq!(severity("handler", &findings), (Severity::Warning, 0));
        let mut unsure = all();
        raise(&mut unsure, &[Leak { certain: false, ..leak }], &holding());
        assert_eq!(severity("on-the-line", &unsure), (Severity::Warning, 1));
    }
}
