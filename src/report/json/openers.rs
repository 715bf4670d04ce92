//! Who opened what survives, in the watch document.

use serde::Serialize;

use super::super::number::rounded;
use super::super::openers::folded_stack;
use crate::finding::Linked;
use crate::live::outcome;

/// JSON: a place that opens handles.
#[derive(Serialize)]
pub(super) struct Opener<'a> {
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    through: Option<&'a str>,
    lint_families: Vec<&'a str>,
    call: Option<&'a str>,
    certain: bool,
    openings: u64,
    survivors: u64,
    promoted: u64,
    share: Option<f64>,
    stack: String,
    source_line: Option<&'a str>,
    static_findings: Vec<StaticFinding<'a>>,
}

/// JSON: what the linter says of the place.
#[derive(Serialize)]
struct StaticFinding<'a> {
    relation: &'static str,
    rule: &'a str,
    family: &'a str,
    severity: &'static str,
    confidence: &'static str,
    path: &'a str,
    line: u32,
    function: &'a str,
    message: &'a str,
    fingerprint: &'a str,
}

impl<'a> StaticFinding<'a> {
    fn new(f: &'a Linked) -> Self {
        Self {
            relation: f.relation.as_str(),
            rule: &f.rule,
            family: &f.family,
            severity: f.severity.as_str(),
            confidence: f.confidence.as_str(),
            path: &f.path,
            line: f.line,
            function: &f.function,
            message: &f.message,
            fingerprint: &f.fingerprint,
        }
    }
}

impl<'a> Opener<'a> {
    pub(super) fn new(o: &'a outcome::OpenerOutcome) -> Self {
        let opener = &o.opener;
        Self {
            function: some(&opener.function),
            file: some(&opener.file),
            line: opener.line,
            module: some(&opener.module),
            through: some(&opener.through),
            lint_families: opener.families.iter().map(|family| &**family).collect(),
            call: some(&opener.call),
            certain: opener.certain,
            openings: o.openings,
            survivors: o.survivors,
            promoted: o.promoted,
            share: o.share.and_then(rounded),
            stack: folded_stack(opener).join(";"),
            source_line: o.source_line.as_deref(),
            static_findings: o.linked.iter().map(StaticFinding::new).collect(),
        }
    }
}

/// JSON: how many handles the openers are of.
#[derive(Serialize)]
pub(super) struct Traced<'a> {
    age_seconds: Option<f64>,
    survivors: u64,
    promoted: u64,
    unknown: Vec<Unknown<'a>>,
}

/// JSON: handles of which it is not known who opened them.
#[derive(Serialize)]
struct Unknown<'a> {
    reason: &'a str,
    promoted: u64,
}

impl<'a> Traced<'a> {
    pub(super) fn new(o: &'a outcome::Openers) -> Self {
        let unknown = o.unknown.iter();
        Self {
            age_seconds: rounded(o.age_s),
            survivors: o.survivors,
            promoted: o.promoted,
            unknown: unknown
                .map(|(reason, promoted)| Unknown { reason, promoted: *promoted })
                .collect(),
        }
    }
}

pub(super) fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
