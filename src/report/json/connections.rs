//! The part of the watch document about connections by direction and peer.

use serde::Serialize;

use super::super::number::rounded;
use super::document::seconds;
use crate::live::life_spans::Bucket;
use crate::live::outcome;

/// What an estimate rests on, in the order of its weight.
const RESTS_ON: [&str; 3] = ["ActiveOpens and PassiveOpens", "TIME_WAIT by peer", "handles seen"];
/// Whose connections it may count.
const INCLUDES: &str = "every process of the target's network namespaces";

/// JSON: connections of one direction to one peer.
#[derive(Serialize)]
pub(super) struct Connections<'a> {
    role: &'a str,
    peer: &'a str,
    active: u64,
    opened: u64,
    closed: u64,
    lower_bound: bool,
    lives: Vec<Lives>,
    estimate: Option<Estimate>,
    traced: Option<Traced>,
}

impl<'a> Connections<'a> {
    pub(super) fn new(o: &'a outcome::ConnectionOutcome) -> Self {
        Self {
            role: &o.role,
            peer: &o.peer,
            active: o.active,
            opened: o.opened,
            closed: o.closed,
            lower_bound: true,
            lives: lives(&o.lives),
            estimate: o.estimate.as_ref().map(Estimate::new),
            traced: o.traced.as_ref().map(Traced::new),
        }
    }
}

/// Buckets that hold something, and those that nobody can see.
fn lives(buckets: &[Bucket]) -> Vec<Lives> {
    buckets.iter().filter(|bucket| bucket.count != Some(0)).map(Lives::new).collect()
}

/// JSON: how many lived so long; `count` is null where such lives are too short to be seen.
#[derive(Serialize)]
struct Lives {
    from_seconds: Option<f64>,
    to_seconds: Option<f64>,
    count: Option<u64>,
    not_seen: Option<&'static str>,
}

impl Lives {
    fn new(o: &Bucket) -> Self {
        Self {
            from_seconds: seconds(o.from_ms),
            to_seconds: o.to_ms.and_then(seconds),
            count: o.count,
            not_seen: o.count.is_none().then_some("shorter than the beat: not seen"),
        }
    }
}

/// JSON: how many were opened, by what the namespace shows.
#[derive(Serialize)]
struct Estimate {
    label: &'static str,
    opened: Option<f64>,
    opened_low: u64,
    opened_high: u64,
    rests_on: [&'static str; 3],
    includes: &'static str,
}

impl Estimate {
    fn new(o: &outcome::OpenedEstimate) -> Self {
        Self {
            label: "estimate",
            opened: o.opened.and_then(rounded),
            opened_low: o.low,
            opened_high: o.high,
            rests_on: RESTS_ON,
            includes: INCLUDES,
        }
    }
}

/// JSON: what the kernel told of each.
#[derive(Serialize)]
struct Traced {
    opened: u64,
    opened_high: u64,
    closed: u64,
    failed: u64,
    lives: Vec<Lives>,
}

impl Traced {
    fn new(o: &outcome::TracedConnections) -> Self {
        Self {
            opened: o.opened,
            opened_high: o.opened_high,
            closed: o.closed,
            failed: o.failed,
            lives: lives(&o.lives.buckets()),
        }
    }
}
