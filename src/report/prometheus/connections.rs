//! Metrics of connections by direction and peer: what is seen, estimated and traced has names of its
//! own.

use std::collections::BTreeMap;

use super::exposition::{Description, counter, gauge, histogram};
use super::watch::{MOST, OTHER, Of};
use crate::live::facts;
use crate::live::outcome::{ConnectionOutcome, TargetOutcome};

/// All of them, by the labels `role` and `peer`.
pub(super) const ALL: [Description; 10] = [
    gauge("connections_active", "TCP connections held now"),
    counter("connections_seen_opened", "Seen to be opened since the watch began; a lower bound"),
    counter("connections_seen_closed", "Seen to be closed since the watch began; a lower bound"),
    gauge(
        "connections_opened_estimate",
        "Estimate of how many were opened since the watch began, by the whole network namespace",
    ),
    gauge("connections_opened_estimate_lower", "Not fewer were opened"),
    gauge("connections_opened_estimate_upper", "Not more were opened"),
    counter(
        "connections_traced_opened",
        "Opened since the watch began, as the kernel told of each",
    ),
    counter("connections_traced_closed", "Of these, ended"),
    counter("connections_traced_failed", "Tried, and never established"),
    histogram(
        "connection_traced_duration_seconds",
        "How long the ended ones lived, as the kernel told of each",
    ),
];

/// Adds the connections of a target, of each direction those to the busiest peers; gives how many
/// peers are left out. What further ones hold is summed up; what they opened is not, as a sum over
/// peers that come and go is no counter.
pub(super) fn add(of: &mut Of<'_>, target: &TargetOutcome) -> usize {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut overflow = 0;
    for connection in &target.connections {
        let told = told.entry(&connection.role).or_default();
        if *told < MOST && connection.peer != facts::OTHER {
            *told += 1;
            add_one(of, connection);
        } else {
            overflow += 1;
            let sum = rest.entry(&connection.role).or_default();
            *sum = sum.saturating_add(connection.active);
        }
    }
    for (role, active) in rest {
        of.add("connections_active", &[("role", role), ("peer", OTHER)], active as f64);
    }
    overflow
}

fn add_one(of: &mut Of<'_>, connection: &ConnectionOutcome) {
    let place = [("role", connection.role.as_str()), ("peer", connection.peer.as_str())];
    of.add("connections_active", &place, connection.active as f64);
    of.add("connections_seen_opened", &place, connection.opened as f64);
    of.add("connections_seen_closed", &place, connection.closed as f64);
    if let Some(estimate) = &connection.estimate {
        of.add("connections_opened_estimate", &place, estimate.opened.unwrap_or(f64::NAN));
        of.add("connections_opened_estimate_lower", &place, estimate.low as f64);
        of.add("connections_opened_estimate_upper", &place, estimate.high as f64);
    }
    if let Some(traced) = &connection.traced {
        of.add("connections_traced_opened", &place, traced.opened as f64);
        of.add("connections_traced_closed", &place, traced.closed as f64);
        of.add("connections_traced_failed", &place, traced.failed as f64);
        of.add_lives("connection_traced_duration_seconds", &place, &traced.lives);
    }
}
