//! What an outcome leaves out, for somebody who looks closer: all groups, and the handles of one.

use super::Watch;
use super::target::TargetWatch;
use crate::live::census::{Census, GroupId};
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
        let lines = target.lines.iter().enumerate();
        let mut largest: Vec<_> = lines
            .flat_map(|(nth, line)| {
                let census = &line.census;
                census.groups().map(move |(id, group)| (nth, census, id, group))
            })
            .collect();
        largest.sort_by_key(|(nth, _, id, group)| (std::cmp::Reverse(group.now()), *nth, *id));
        let told = largest.into_iter().take(GROUPS).map(|(_, census, id, group)| GroupCount {
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
        let Some((census, group)) = find(watch, path) else { return Members::default() };
        let held = census.members(group).map(|(facts, life)| Held {
            target,
            seen: life.entered,
            pre: life.entered == Millis::MIN,
            facts: facts.clone(),
        });
        Members { handles: held.take(HANDLES).collect(), total: census.group(group).now() }
    }
}

/// The group of this path, and the census that it is in.
fn find<'w>(watch: &'w TargetWatch, path: &[String]) -> Option<(&'w Census, GroupId)> {
    let line = watch.line_of(path.first().map(String::as_str).unwrap_or_default());
    let census = &watch.lines.get(line)?.census;
    let mut below = census.roots();
    let mut found = None;
    for name in path {
        let next = below.iter().copied().find(|&id| *census.group(id).name == **name)?;
        below = &census.group(next).children;
        found = Some(next);
    }
    found.map(|group| (census, group))
}
