//! Which group is reported: the deepest that explains what grows.

use std::collections::HashMap;

use super::standing::Standing;
use crate::finding::Verdict;
use crate::live::census::{Census, GroupId};

/// A child that holds this share of its parent's survivors explains the parent.
const EXPLAINS: f64 = 0.8;
/// Up to so many children may explain it together; more are one finding about the parent.
const AT_MOST: usize = 3;

/// Groups to report below every kind, in order of appearance.
pub(super) fn reported(census: &Census, standings: &HashMap<GroupId, Standing>) -> Vec<GroupId> {
    let mut found = Vec::new();
    for &root in census.roots() {
        descend(census, standings, root, &mut found);
    }
    found
}

fn verdict(standings: &HashMap<GroupId, Standing>, id: GroupId) -> Option<Verdict> {
    standings.get(&id).and_then(Standing::verdict)
}

fn survivors(standings: &HashMap<GroupId, Standing>, id: GroupId) -> f64 {
    let standing = standings.get(&id);
    let of_leak = standing.and_then(|s| s.leak.as_ref()).map(|l| l.survivors.max(1));
    let of_stats = standing.and_then(|s| s.present.as_ref()).map(|j| j.stats.survivors);
    of_leak.into_iter().chain(of_stats).max().unwrap_or(0) as f64
}

fn descend(
    census: &Census,
    standings: &HashMap<GroupId, Standing>,
    id: GroupId,
    found: &mut Vec<GroupId>,
) {
    let children = &census.group(id).children;
    let own = verdict(standings, id);
    let Some(own) = own else {
        // Nothing here, but a part may still stand out, as one peer among many busy ones.
        for &child in children {
            descend(census, standings, child, found);
        }
        return;
    };
    let alike: Vec<GroupId> = children
        .iter()
        .copied()
        .filter(|&child| verdict(standings, child).is_some_and(|v| v >= own))
        .collect();
    let held: f64 = alike.iter().map(|&child| survivors(standings, child)).sum();
    let explained =
        !alike.is_empty() && alike.len() <= AT_MOST && held >= EXPLAINS * survivors(standings, id);
    // A worse verdict below is never hidden by a milder one above.
    let worse = alike.iter().any(|&child| verdict(standings, child).is_some_and(|v| v > own));
    if explained || (worse && alike.len() <= AT_MOST) {
        for &child in &alike {
            descend(census, standings, child, found);
        }
    } else {
        found.push(id);
    }
}
