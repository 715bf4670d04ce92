//! What goes to a closure that runs when a scope is left.

use crate::lint::cfg::{Call, Operand, Place};

use super::ParamFate;
use super::follow::{Passed, Walk};

impl Walk<'_> {
    /// What a closure means that is given the value at the end of a scope: until then it is in what
    /// the call returns.
    pub(super) fn deferred(&self, call: &Call) -> Passed {
        let closure = call.args.get(1).and_then(Operand::place);
        let fate = closure
            .and_then(|at| self.local(at.local).closure)
            .map(|body| self.summaries.given(self.site, body, self.start));
        match fate {
            Some(ParamFate::Kept | ParamFate::Dropped) => Passed::Into(Place::of(call.to)),
            _ => Passed::Escaped,
        }
    }
}
