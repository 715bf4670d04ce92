//! What an outcome leaves out, for somebody who looks closer: all groups, and the handles of one.

use super::Watch;
use super::target::TargetWatch;
use crate::live::census::GroupId;
use crate::live::facts::{Millis, TargetId};
use crate::live::inventory::{GroupCount, Held, Members};

/// Groups told, the largest ones.
const GROUPS: usize = 1000;
/// Handles told of one group.
const HANDLES: usize = 2000;

impl Watch {
    /// All groups of a target that hold something or did, the largest first, a thousand at most.
    pub fn groups(&self, target: TargetId) -> Vec<GroupCount> {
        let Some(target) = self.targets.get(&target) else { return Vec::new() };
        let census = &target.census;
        let mut largest: Vec<_> = census.groups().collect();
        largest.sort_by_key(|(id, group)| (std::cmp::Reverse(group.now()), *id));
        let told = largest.into_iter().take(GROUPS).map(|(id, group)| GroupCount {
            path: census.path(id).iter().map(ToString::to_string).collect(),
            now: group.now(),
            opened: group.opened,
            closed: group.closed,
            history: group.history().iter().copied().map(f64::from).collect(),
        });
        told.collect()
    }

    /// The handles of a group of a target, two thousand at most. `path` starts with the kind.
    pub fn members(&self, target: TargetId, path: &[String]) -> Members {
        let Some(watch) = self.targets.get(&target) else { return Members::default() };
        let Some(group) = find(watch, path) else { return Members::default() };
        let held = watch.census.members(group).map(|(facts, life)| Held {
            target,
            seen: life.entered,
            pre: life.entered == Millis::MIN,
            facts: facts.clone(),
        });
        Members { handles: held.take(HANDLES).collect(), total: watch.census.group(group).now() }
    }
}

fn find(watch: &TargetWatch, path: &[String]) -> Option<GroupId> {
    let census = &watch.census;
    let mut below = census.roots();
    let mut found = None;
    for name in path {
        let next = below.iter().copied().find(|&id| *census.group(id).name == **name)?;
        below = &census.group(next).children;
        found = Some(next);
    }
    found
}
