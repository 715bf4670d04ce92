//! Handles that pile up at one of several equals: peers of one service, or workers of one tree.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use super::group::{self, Key};
use super::{Handle, Match, View};
use crate::catalog::live::{Among, Selection};
use crate::finding::Severity;

/// Leading bits that the addresses of one service have in common: replicas stand in one network.
const V4_PREFIX: u32 = 16;
const V6_PREFIX: u32 = 48;

/// What is looked for.
pub(super) struct Asked<'r> {
    pub(super) of: &'r Selection,
    pub(super) among: Among,
    /// So many equals hold something.
    pub(super) least: u64,
    /// So many are held in all.
    pub(super) count: u64,
    /// So much of it by one of them.
    pub(super) percent: f64,
}

/// Services and ports of which one equal holds nearly everything.
pub(super) fn find(asked: &Asked<'_>, view: &View<'_>) -> Vec<Match> {
    // Service or port -> its equals -> what each holds.
    let mut services: BTreeMap<String, BTreeMap<String, Vec<&Handle<'_>>>> = BTreeMap::new();
    for handle in view.select(asked.of) {
        let place = match asked.among {
            Among::Peers => {
                service_of(&handle.facts.peer).map(|of| (of, handle.facts.peer.to_string()))
            }
            Among::Processes => {
                handle.facts.pid.map(|pid| (handle.facts.peer.to_string(), pid.to_string()))
            }
        };
        if let Some((service, equal)) = place {
            services.entry(service).or_default().entry(equal).or_default().push(handle);
        }
    }
    let mut found = Vec::new();
    for equals in services.into_values() {
        let total: u64 = equals.values().map(|members| members.len() as u64).sum();
        if (equals.len() as u64) < asked.least || total < asked.count {
            continue;
        }
        let Some(members) = equals.values().max_by_key(|members| members.len()) else { continue };
        let share = members.len() as f64 * 100.0 / total as f64;
        let Some(first) = members.first().filter(|_| share >= asked.percent) else { continue };
        found.push(Match {
            severity: Severity::Error,
            group: Key::of(first.facts),
            count: members.len() as u64,
            held_ms: None,
            examples: group::examples(members),
            // Nothing is wrong with the handles, so that nobody is to be ended.
            worker: None,
            values: BTreeMap::from([
                ("used", total.to_string()),
                ("equals", equals.len().to_string()),
                ("percent", format!("{share:.0}")),
                ("worker", first.facts.pid.map_or_else(String::new, |pid| pid.to_string())),
            ]),
        });
    }
    found
}

/// What the peers of one service have in common: the port and the network. `None` for a peer that
/// is no address.
fn service_of(peer: &str) -> Option<String> {
    let address = peer.parse::<SocketAddr>().ok()?;
    let network = match address.ip() {
        IpAddr::V4(ip) => format!("{}", ip.to_bits() >> (32 - V4_PREFIX)),
        IpAddr::V6(ip) => format!("{:x}", ip.to_bits() >> (128 - V6_PREFIX)),
    };
    Some(format!("{network}:{}", address.port()))
}
