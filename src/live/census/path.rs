//! The path of groups a handle belongs to, computed from its facts.

use std::sync::Arc;

use super::MAX_DEPTH;
use crate::live::facts::HandleFacts;

/// Names from the kind down, at most `MAX_DEPTH`; levels that do not apply are left out.
pub fn of(facts: &HandleFacts) -> Vec<Arc<str>> {
    let mut names = vec![Arc::clone(&facts.kind)];
    match &facts.group {
        Some(group) => names.extend(group.iter().filter(|n| !n.is_empty()).cloned()),
        None => {
            let levels = [&facts.role, &facts.peer, &facts.state, &facts.site];
            names.extend(levels.into_iter().filter(|name| !name.is_empty()).cloned());
        }
    }
    names.truncate(MAX_DEPTH);
    names
}

/// The state of the members of the group at `depth`, if the path has fixed it by then.
pub(super) fn state_at(facts: &HandleFacts, depth: usize) -> Option<Arc<str>> {
    if facts.group.is_some() || facts.state.is_empty() {
        return None;
    }
    let above = 1 + usize::from(!facts.role.is_empty()) + usize::from(!facts.peer.is_empty());
    (depth >= above).then(|| Arc::clone(&facts.state))
}
