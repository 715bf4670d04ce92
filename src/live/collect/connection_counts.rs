//! What is told of a target's connections beyond its handles, where it changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::churn::Churn;
use super::socket_facts::{peer_of, role_of};
use super::sockets::Sockets;
use crate::live::facts::{Basis, ConnectionCounts, Fact, Millis, TargetId};
use crate::live::host::socket_row::End;
use crate::live::life_spans::LifeSpans;

/// Counts of one target, summed over the network namespaces that its processes live in.
#[derive(Debug, Default)]
pub(super) struct Counts {
    now: Sums,
    told: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    /// Ended connections to peers of the target.
    ended: BTreeMap<End, u64>,
    /// Numbers of whole namespaces, by the name of their gauge.
    gauges: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Whether any was ever told.
    pub(super) fn begun(&self) -> bool {
        !self.told.gauges.is_empty()
    }

    /// Adds what one of its namespaces shows.
    pub(super) fn add(&mut self, churn: &Churn, sockets: &Sockets) {
        for (&end, &count) in &churn.ended {
            let known = match end {
                End::Client(address, port) => sockets.knows_peer((address, port)),
                End::Server(port) => sockets.listens_at(port),
            };
            if known {
                *self.now.ended.entry(end).or_default() += count;
            }
        }
        let mut sum = |name, count| *self.now.gauges.entry(name).or_default() += count;
        sum("namespace_tcp_client_time_waits", churn.ended_clients);
        sum("namespace_tcp_server_time_waits", churn.ended_servers);
        if let Some(opened) = churn.opened() {
            sum("namespace_tcp_active_opens", opened.active);
            sum("namespace_tcp_passive_opens", opened.passive);
        }
    }

    /// Tells what changed since it was told last, and begins anew.
    pub(super) fn tell(&mut self, target: TargetId, at: Millis, out: &mut Vec<Fact>) {
        let now = std::mem::take(&mut self.now);
        for (&end, &count) in &now.ended {
            if self.told.ended.get(&end) != Some(&count) {
                let counts = Arc::new(time_waits(end, count));
                out.push(Fact::Connections { at, target, counts });
            }
        }
        for (&name, &count) in &now.gauges {
            if self.told.gauges.get(name) != Some(&count) {
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                let value = count as f64;
                out.push(Fact::Gauge { at, target, pid: None, name: name.into(), value });
            }
        }
        self.told.ended.extend(now.ended);
        self.told.gauges.extend(now.gauges);
    }
}

fn time_waits(end: End, count: u64) -> ConnectionCounts {
    ConnectionCounts {
        basis: Basis::TimeWait,
        role: role_of(end).into(),
        peer: peer_of(end).into(),
        opened: 0,
        closed: count,
        failed: 0,
        lives: LifeSpans::default(),
    }
}
