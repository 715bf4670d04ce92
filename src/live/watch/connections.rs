//! Connections by direction and peer: what looks have seen, what that leaves open, what was traced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::target::TargetWatch;
use crate::live::census::Connections;
use crate::live::detect::churn::{self, Namespace, Peer};
use crate::live::facts::{Basis, ConnectionCounts, OTHER};
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::{ConnectionOutcome, OpenedEstimate, TracedConnections};

/// Counts of peers kept, over all directions and bases.
const MAX_COUNTS: usize = 4096;
/// Peers told apart in an answer, of each direction; the rest is one row.
const MAX_PEERS: usize = 64;

/// What sources counted, the latest of each.
#[derive(Debug, Default)]
pub(super) struct Counted(BTreeMap<(Basis, Arc<str>, Arc<str>), Arc<ConnectionCounts>>);

impl Counted {
    /// Takes in a count; false when there are too many.
    pub(super) fn take(&mut self, counts: &Arc<ConnectionCounts>) -> bool {
        let key = (counts.basis, Arc::clone(&counts.role), Arc::clone(&counts.peer));
        let fits = self.0.len() < MAX_COUNTS || self.0.contains_key(&key);
        if fits {
            self.0.insert(key, Arc::clone(counts));
        }
        fits
    }

    fn of(&self, basis: Basis) -> impl Iterator<Item = &ConnectionCounts> {
        self.0.values().filter(move |counts| counts.basis == basis).map(|counts| &**counts)
    }

    /// Ended ones of a peer that the kernel kept.
    fn ended(&self, role: &Arc<str>, peer: &Arc<str>) -> u64 {
        let key = (Basis::TimeWait, Arc::clone(role), Arc::clone(peer));
        self.0.get(&key).map_or(0, |counts| counts.closed)
    }
}

/// Direction and peer.
type Place = (Arc<str>, Arc<str>);

/// One peer on the way to its row.
#[derive(Default)]
struct Row {
    active: u64,
    /// Of these, opened since the watch began.
    active_new: u64,
    opened: u64,
    closed: u64,
    lives: LifeSpans,
    estimate: Option<OpenedEstimate>,
    traced: Option<(u64, u64, u64, LifeSpans)>,
}

/// All peers: by direction, the busiest first; what exceeds the bound is one row.
pub(super) fn outcomes(target: &TargetWatch) -> Vec<ConnectionOutcome> {
    let mut rows: BTreeMap<Place, Row> = BTreeMap::new();
    let seen: Vec<Connections<'_>> = target.own().census.connections().collect();
    for of_peer in &seen {
        let key = (Arc::clone(of_peer.role), Arc::clone(of_peer.peer));
        let row = rows.entry(key).or_default();
        row.active = of_peer.active;
        row.active_new = of_peer.active_new;
        row.opened = of_peer.opened;
        row.closed = of_peer.closed;
        row.lives = of_peer.lives.copied().unwrap_or_default();
    }
    for counts in target.counted.of(Basis::Traced) {
        let key = (Arc::clone(&counts.role), Arc::clone(&counts.peer));
        rows.entry(key).or_default().traced =
            Some((counts.opened, counts.closed, counts.failed, counts.lives));
    }
    // Also of a peer that only the tracer knows: no look has met any of its connections.
    let mut namespaces: BTreeMap<Arc<str>, Option<Namespace>> = BTreeMap::new();
    for ((role, peer), row) in &mut rows {
        let known = namespaces.entry(Arc::clone(role));
        let known = known.or_insert_with(|| namespace(target, role, &seen));
        row.estimate = known.map(|namespace| {
            let ended = target.counted.ended(role, peer);
            let peer = Peer { seen: row.opened, held: row.active_new, ended };
            let churn::Opened { value, low, high } = churn::opened(&peer, &namespace);
            OpenedEstimate { opened: value, low, high }
        });
    }
    let mut ranked: Vec<_> = rows.into_iter().collect();
    // Of equals the first by name: the order is the same in a replay.
    ranked.sort_by_key(|((role, _), row)| (Arc::clone(role), std::cmp::Reverse(row.busy())));
    let mut answer: Vec<(Place, Row)> = Vec::new();
    let mut others: BTreeMap<Arc<str>, Row> = BTreeMap::new();
    for ((role, peer), row) in ranked {
        let told = answer.iter().filter(|((told, _), _)| *told == role).count();
        if told < MAX_PEERS && &*peer != OTHER {
            answer.push(((role, peer), row));
        } else {
            others.entry(role).or_default().merge(&row);
        }
    }
    answer.extend(others.into_iter().map(|(role, row)| ((role, Arc::from(OTHER)), row)));
    let lost = target.gauges.get(LOST).map_or(0, |gauge| gauge.value.max(0.0) as u64);
    let beat = target.timing.bucket_ms();
    answer
        .into_iter()
        .map(|((role, peer), row)| ConnectionOutcome {
            role: role.to_string(),
            peer: peer.to_string(),
            active: row.active,
            opened: row.opened,
            closed: row.closed,
            lives: row.lives.seen_by(beat),
            estimate: row.estimate,
            traced: row.traced.map(|(opened, closed, failed, lives)| TracedConnections {
                opened,
                // Each event that was lost may have been an opening.
                opened_high: opened.saturating_add(lost),
                closed,
                failed,
                lives,
            }),
        })
        .collect()
}

/// Events that the tracer lost.
const LOST: &str = "connection_events_lost";

/// What is known of a direction in the whole namespace; `None`: the kernel's counters are not.
fn namespace(target: &TargetWatch, role: &str, seen: &[Connections<'_>]) -> Option<Namespace> {
    let (opens, ended) = match role {
        "tcp client" => ("namespace_tcp_active_opens", "namespace_tcp_client_time_waits"),
        _ => ("namespace_tcp_passive_opens", "namespace_tcp_server_time_waits"),
    };
    let count = |name: &str| target.gauges.get(name).map(|gauge| gauge.value.max(0.0) as u64);
    let alike = || seen.iter().filter(|of_peer| **of_peer.role == *role);
    Some(Namespace {
        opened: count(opens)?,
        seen: alike().map(|of_peer| of_peer.opened).sum(),
        held: alike().map(|of_peer| of_peer.active_new).sum(),
        ended: count(ended).unwrap_or(0),
    })
}

impl Row {
    /// By what peers are ranked.
    fn busy(&self) -> u64 {
        let traced = self.traced.map_or(0, |(opened, ..)| opened);
        let estimated = self.estimate.and_then(|estimate| estimate.opened).unwrap_or(0.0);
        traced.max(estimated as u64).max(self.opened).max(self.active)
    }

    /// Adds another peer; bounds of several peers are none of their sum.
    fn merge(&mut self, other: &Self) {
        self.active += other.active;
        self.opened += other.opened;
        self.closed += other.closed;
        self.lives.add_all(&other.lives);
        if let Some((opened, closed, failed, lives)) = &other.traced {
            let own = self.traced.get_or_insert_default();
            own.0 = own.0.saturating_add(*opened);
            own.1 = own.1.saturating_add(*closed);
            own.2 = own.2.saturating_add(*failed);
            own.3.add_all(lives);
        }
    }
}
