//! Groups of handles as diagnoses name them: kind, role and peer, with the state if all share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Handle;
use crate::live::facts::HandleFacts;

/// What the peer is called when handles of several are told together.
const SEVERAL: &str = "several peers";
/// Examples kept.
const EXAMPLES: usize = 3;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Arc<str>,
    pub(super) role: Arc<str>,
    pub(super) peer: Arc<str>,
    /// Empty when its members are in several states.
    pub(super) state: Arc<str>,
}

impl Key {
    /// The group of a handle, whatever its state.
    pub(super) fn of(facts: &HandleFacts) -> Self {
        Self {
            kind: Arc::clone(&facts.kind),
            role: Arc::clone(&facts.role),
            // Where there is no other end, the line that opened or spawned it tells it from others.
            peer: Arc::clone(if facts.peer.is_empty() { &facts.site } else { &facts.peer }),
            state: Arc::from(""),
        }
    }

    /// No handles, or nobody could tell them apart.
    pub(super) fn unknown() -> Self {
        let none: Arc<str> = Arc::from("");
        Self { kind: none.clone(), role: none.clone(), peer: none.clone(), state: none }
    }

    /// Whether there is none.
    pub(super) fn is_unknown(&self) -> bool {
        self.kind.is_empty()
    }

    /// Names below the kind.
    pub(super) fn path(&self) -> Vec<String> {
        let names = [&self.role, &self.peer, &self.state];
        names.into_iter().filter(|name| !name.is_empty()).map(ToString::to_string).collect()
    }

    /// The same however the states of its members change.
    pub(super) fn stable(&self) -> String {
        [&*self.kind, &*self.role, &*self.peer].join(" > ")
    }

    /// In words, as the findings call it.
    pub(super) fn words(&self) -> String {
        let mut names = self.path();
        if self.is_unknown() {
            return "unknown".to_owned();
        }
        // A socket's role says that it is one.
        if &*self.kind != "socket" || names.is_empty() {
            names.insert(0, self.kind.to_string());
        }
        names.join(" > ")
    }
}

/// Handles by group, and by role where one peer has too few: `least` is what a group needs.
pub(super) fn split<'h, 'a>(
    handles: &[&'h Handle<'a>],
    least: u64,
) -> Vec<(Key, Vec<&'h Handle<'a>>)> {
    let mut by_peer: BTreeMap<Key, Vec<&Handle<'a>>> = BTreeMap::new();
    for &handle in handles {
        by_peer.entry(Key::of(handle.facts)).or_default().push(handle);
    }
    let mut groups = Vec::new();
    let mut by_role: BTreeMap<Key, Vec<(Key, Vec<&Handle<'a>>)>> = BTreeMap::new();
    for (key, members) in by_peer {
        if members.len() as u64 >= least {
            groups.push((key, members));
        } else {
            let role = Key { peer: Arc::from(SEVERAL), ..key.clone() };
            by_role.entry(role).or_default().push((key, members));
        }
    }
    for (role, peers) in by_role {
        let total: u64 = peers.iter().map(|(_, members)| members.len() as u64).sum();
        if peers.len() > 1 && total >= least {
            groups.push((role, peers.into_iter().flat_map(|(_, members)| members).collect()));
        } else {
            // Too few: the caller may still make a note of them.
            groups.extend(peers);
        }
    }
    for (key, members) in &mut groups {
        let mut states = members.iter().map(|handle| &handle.facts.state);
        if let Some(first) = states.next()
            && states.all(|state| state == first)
        {
            key.state = Arc::clone(first);
        }
    }
    groups
}

/// Of several processes, the one that holds most of the handles, and how many.
pub(super) fn worker(members: &[&Handle<'_>]) -> Option<(u32, u64)> {
    let mut by_process: BTreeMap<u32, u64> = BTreeMap::new();
    for handle in members {
        *by_process.entry(handle.facts.pid?).or_default() += 1;
    }
    let most = by_process.iter().max_by_key(|(_, count)| **count);
    most.filter(|_| by_process.len() > 1).map(|(&pid, &count)| (pid, count))
}

/// A few of the handles, as a person knows them.
pub(super) fn examples(members: &[&Handle<'_>]) -> Vec<String> {
    let labels = members.iter().map(|handle| &handle.facts.label).filter(|label| !label.is_empty());
    let mut labels: Vec<String> = labels.take(64).map(ToString::to_string).collect();
    labels.sort();
    labels.dedup();
    labels.truncate(EXAMPLES);
    labels
}
