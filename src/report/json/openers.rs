//! Who opened what survives, in the watch document.

use serde::Serialize;

use super::super::number::rounded;
use super::super::openers::stack;
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
            stack: stack(o).join(";"),
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

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
