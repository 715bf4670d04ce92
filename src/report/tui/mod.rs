//! The screens of `watch` on a terminal: a model of the present, what the person looks at, and the
//! drawing of both. Nothing here reads a key or touches a terminal.

mod draw;
mod lists;
mod page;
mod state;
#[cfg(test)]
mod tests;

pub use draw::draw;
pub use state::{Action, Key, State, Tab};

use crate::live::facts::TargetId;
use crate::live::inventory::{GroupCount, Members};
use crate::live::outcome::Outcome;

/// What is known at one moment, as far as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The answer.
    pub outcome: Outcome,
    /// What was asked for beyond it.
    pub wanted: Wanted,
    /// All groups, if they were.
    pub groups: Vec<GroupCount>,
    /// The handles of the group that was.
    pub members: Members,
}

/// What a screen needs beyond the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of which target; `None`: of the first one.
    pub target: Option<TargetId>,
    /// All groups.
    pub groups: bool,
    /// The handles of this group; its path starts with the kind.
    pub members: Option<Vec<String>>,
}
