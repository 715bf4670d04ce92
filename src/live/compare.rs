//! What differs between two inventories: of one process at two moments, or of two processes.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Millis;
use super::inventory::{Held, Inventory};

/// Starts of one process that two recordings tell may differ by so much.
const SAME_START_MS: Millis = 2_000;

/// An inventory, and the wall clock at its event time 0 where that is known.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// What was held.
    pub inventory: Inventory,
    /// Milliseconds since the Unix epoch.
    pub wall_start_ms: Option<i64>,
}

/// One group in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// From the kind down.
    pub group: String,
    /// Handles in the first.
    pub before: u64,
    /// Handles in the second.
    pub after: u64,
    /// What became of them; `None` where they cannot be told apart.
    pub moved: Option<Moved>,
}

/// By identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// In the second only.
    pub opened: u64,
    /// In the first only.
    pub gone: u64,
    /// In both.
    pub stayed: u64,
}

/// All that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Whether both are of the same processes, so that handles can be told apart.
    pub same: bool,
    /// Milliseconds from the first to the second, where both clocks are known.
    pub apart_ms: Option<Millis>,
    /// The groups, those that grew most first.
    pub groups: Vec<GroupChange>,
    /// Numbers of whole targets: name, before, after.
    pub numbers: Vec<(String, Option<f64>, Option<f64>)>,
    /// What was true of the surroundings: name, before, after. Untrusted text.
    pub environment: Vec<(String, Option<String>, Option<String>)>,
}

/// Compares two moments.
pub fn compare(a: &Moment, b: &Moment) -> Comparison {
    let same = same_processes(a, b);
    let (before, after) = (by_group(&a.inventory), by_group(&b.inventory));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = Vec::new();
    let mut groups: Vec<GroupChange> = names
        .into_iter()
        .map(|name| {
            let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            GroupChange {
                group: name.clone(),
                before: old.len() as u64,
                after: new.len() as u64,
                moved: same.then(|| moved(old, new)),
            }
        })
        .collect();
    let growth = |group: &GroupChange| i128::from(group.after) - i128::from(group.before);
    groups.sort_by(|x, y| growth(y).cmp(&growth(x)).then_with(|| x.group.cmp(&y.group)));
    let end = |moment: &Moment| Some(moment.wall_start_ms? + moment.inventory.now);
    Comparison {
        same,
        apart_ms: end(a).zip(end(b)).map(|(a, b)| b - a),
        groups,
        numbers: numbers(&a.inventory, &b.inventory),
        environment: environment(&a.inventory, &b.inventory),
    }
}

/// What tells one handle from another in two recordings: kind and inode, else place and name.
type Identity<'a> = (&'a str, Option<u64>, Option<u32>, Option<u32>, &'a str);

fn identity(held: &Held) -> Identity<'_> {
    let facts = &held.facts;
    match (&*facts.kind, facts.inode) {
        ("socket" | "pipe" | "goroutine", Some(inode)) => {
            (&facts.kind, Some(inode), None, None, "")
        }
        (kind, inode) => (kind, inode, facts.pid, facts.fd, &facts.label),
    }
}

fn moved(before: &[&Held], after: &[&Held]) -> Moved {
    let mut open: BTreeMap<Identity<'_>, u64> = BTreeMap::new();
    for held in before {
        *open.entry(identity(held)).or_default() += 1;
    }
    let mut moved = Moved::default();
    for held in after {
        match open.get_mut(&identity(held)).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                moved.stayed += 1;
            }
            None => moved.opened += 1,
        }
    }
    moved.gone = open.values().sum();
    moved
}

fn by_group(inventory: &Inventory) -> BTreeMap<String, Vec<&Held>> {
    let mut groups: BTreeMap<String, Vec<&Held>> = BTreeMap::new();
    for held in inventory.handles.values() {
        groups.entry(held.group()).or_default().push(held);
    }
    groups
}

/// Whether the root of a target has the same number in both, and the same start where it is known.
fn same_processes(a: &Moment, b: &Moment) -> bool {
    let roots = |moment: &Moment| -> Vec<(u32, Option<i64>)> {
        let targets = moment.inventory.targets.values();
        targets
            .filter_map(|target| {
                let start = moment.wall_start_ms.zip(target.uptime_ms).map(|(wall, up)| wall - up);
                Some((*target.pids.first()?, start))
            })
            .collect()
    };
    let theirs = roots(b);
    roots(a).iter().any(|(pid, start)| {
        theirs.iter().any(|(other, other_start)| {
            pid == other
                && start
                    .zip(*other_start)
                    .is_none_or(|(a, b)| a.abs_diff(b) <= SAME_START_MS.unsigned_abs())
        })
    })
}

fn numbers(a: &Inventory, b: &Inventory) -> Vec<(String, Option<f64>, Option<f64>)> {
    let total = |inventory: &Inventory, name: &str| {
        let values = inventory.gauges.iter().filter(|((_, gauge), _)| gauge == name);
        values.map(|(_, value)| *value).reduce(|sum, value| sum + value)
    };
    let names: BTreeSet<&String> =
        a.gauges.keys().chain(b.gauges.keys()).map(|(_, name)| name).collect();
    names.into_iter().map(|name| (name.clone(), total(a, name), total(b, name))).collect()
}

/// Of several targets, what is told of the first.
fn environment(a: &Inventory, b: &Inventory) -> Vec<(String, Option<String>, Option<String>)> {
    let told = |inventory: &Inventory, name: &str| {
        let mut texts = inventory.environment.iter().filter(|((_, known), _)| known == name);
        texts.next().map(|(_, text)| text.clone())
    };
    let names: BTreeSet<&String> =
        a.environment.keys().chain(b.environment.keys()).map(|(_, name)| name).collect();
    names.into_iter().map(|name| (name.clone(), told(a, name), told(b, name))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::live::facts::{Fact, HandleFacts, HandleId, TargetFacts, TargetId};

    fn moment(pid: u32, uptime_ms: i64, wall: i64, inodes: &[u64]) -> Moment {
        let mut moment = Moment { wall_start_ms: Some(wall), ..Moment::default() };
        let (target, pids) = (TargetId(0), vec![pid]);
        let facts = TargetFacts { pids, uptime_ms: Some(uptime_ms), ..TargetFacts::default() };
        moment.inventory.apply(Fact::Target { target, facts: Box::new(facts) });
        for (id, &inode) in inodes.iter().enumerate() {
            let facts = HandleFacts { inode: Some(inode), ..HandleFacts::of_kind("socket") };
            moment.inventory.apply(Fact::Open {
                at: 0,
                target,
                id: HandleId(id as u64),
                pre: true,
                start_up: false,
                facts: Arc::new(facts),
            });
        }
        moment
    }

    #[test]
    fn one_process_by_identity_and_two_by_number() {
        let first = moment(7, 1_000, 100_000, &[1, 2, 3]);
        let second = compare(&first, &moment(7, 61_000, 160_000, &[2, 3, 4, 5]));
        assert_eq!((second.same, second.apart_ms), (true, Some(60_000)));
        let expected = Moved { opened: 2, gone: 1, stayed: 2 };
        assert_eq!(second.groups[0].moved, Some(expected));
        // Another process, also one that got the same number later.
        for other in [moment(8, 61_000, 160_000, &[2]), moment(7, 1_000, 160_000, &[2])] {
            let other = compare(&first, &other);
            assert!(!other.same && other.groups[0].moved.is_none());
            assert_eq!((other.groups[0].before, other.groups[0].after), (3, 1));
        }
    }
}
