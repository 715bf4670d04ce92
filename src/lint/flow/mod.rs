//! Follows an obligation through a graph: who holds it, who releases it, where it is lost.

mod beside;
mod branch;
mod deferred;
mod follow;
mod hold;
mod polled;
mod status;
mod summary;
mod told;

use crate::lint::cfg::NodeId;
use crate::lint::ir::Span;

pub(crate) use follow::{Start, follow};
pub(crate) use hold::{Holders, holders, move_holders, remove, touches};
pub(crate) use summary::{ParamFate, Summaries};

/// What becomes of an obligation, over all paths.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fate {
    /// Where the last holder goes away without a release.
    pub(crate) lost: Vec<Loss>,
    /// Where it is released.
    pub(crate) released: Vec<Span>,
    /// Where it goes to somebody else, who is trusted with it.
    pub(crate) escaped: Vec<Escape>,
    /// It is returned at this place of the result.
    pub(crate) returned: Vec<crate::lint::cfg::Place>,
    /// Parameters only: it came to the end of the body as it was.
    pub(crate) kept: bool,
    /// Too many paths: nothing of this counts.
    pub(crate) gave_up: bool,
    /// What it took.
    pub(crate) steps: usize,
}

/// A way in which an obligation is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) node: NodeId,
    pub(crate) span: Span,
}

/// How an obligation goes to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape {
    pub(crate) span: Span,
    pub(crate) how: How,
}

/// See [`Escape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum How {
    Returned,
    /// Into a field of a parameter, a variable of a body around, a static.
    Stored,
    /// Into a closure or another task.
    Captured,
    /// Into a function that is not known, or that keeps it.
    Passed,
    /// Into a type whose Drop looks after it.
    Owned,
    /// Into something that is not understood.
    Opaque,
}

impl How {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "it is returned",
            Self::Stored => "it is stored",
            Self::Captured => "a closure or task takes it",
            Self::Passed => "it is passed to a function that may keep it",
            Self::Owned => "it goes into a type that implements Drop",
            Self::Opaque => "it goes into a macro or expression that is not understood",
        }
    }
}
