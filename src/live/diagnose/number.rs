//! A number of the target that has reached a value.

use std::collections::BTreeMap;

use super::group::Key;
use super::{Match, View};
use crate::finding::Severity;

/// Whether a number is at least `least`, while the number that it is a part of is at least `among`.
pub(super) fn find(
    gauge: &str,
    least: f64,
    of: &str,
    among: f64,
    view: &View<'_>,
) -> Option<Match> {
    let value = view.gauges.get(gauge).copied().filter(|&value| value >= least)?;
    let whole = view.gauges.get(of).copied().filter(|&whole| whole >= among)?;
    Some(Match {
        severity: Severity::Error,
        group: Key::unknown(),
        count: 0,
        held_ms: None,
        examples: Vec::new(),
        worker: None,
        values: BTreeMap::from([
            ("percent", format!("{value:.0}")),
            ("used", format!("{whole:.0}")),
        ]),
    })
}
