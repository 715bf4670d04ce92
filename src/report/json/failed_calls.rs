//! Calls that failed for want of a file descriptor, in the watch document.

use serde::Serialize;

use super::super::openers::folded_stack;
use super::document::seconds;
use super::openers::some;
use crate::live::outcome::{self, FailedCallOutcome};

/// JSON: the first call of a place that failed.
#[derive(Serialize)]
pub(super) struct FailedCall<'a> {
    failed_seconds: Option<f64>,
    error: &'static str,
    pid: u32,
    call: Option<&'a str>,
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    through: Option<&'a str>,
    certain: bool,
    unknown: Option<&'a str>,
    stack: String,
    held: Option<u64>,
    limit: Option<u64>,
    groups: Vec<Group<'a>>,
}

/// JSON: a group of what was held by the next look.
#[derive(Serialize)]
struct Group<'a> {
    group: &'a [String],
    count: u64,
    sites: &'a [String],
}

impl<'a> FailedCall<'a> {
    pub(super) fn new(o: &'a FailedCallOutcome) -> Self {
        let failed = &o.failed;
        let opener = &failed.opener;
        let group =
            |g: &'a outcome::HeldGroup| Group { group: &g.path, count: g.count, sites: &g.sites };
        Self {
            failed_seconds: seconds(failed.failed_at),
            error: failed.exhausted.errno(),
            pid: failed.pid,
            call: some(&opener.call),
            function: some(&opener.function),
            file: some(&opener.file),
            line: opener.line,
            module: some(&opener.module),
            through: some(&opener.through),
            certain: opener.certain,
            unknown: some(&opener.unknown),
            stack: folded_stack(opener).join(";"),
            held: failed.held,
            limit: failed.limit,
            groups: o.held.iter().map(group).collect(),
        }
    }
}
