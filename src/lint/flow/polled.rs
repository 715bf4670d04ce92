//! Calls that only ask, as `try_wait`: they have released what they found ended.

use crate::lint::cfg::{Call, Part, Place, Value};
use crate::lint::types::Ty;

use super::follow::{State, Walk};
use super::hold;

/// Where a call leaves the Option that says whether it released anything.
pub(super) fn asked(call: &Call, given: &Ty) -> Option<Place> {
    let value = Place::of(call.to);
    match given {
        ty if ty.is_option() => Some(value),
        ty if ty.is_result() && ty.payload().is_option() => Some(value.part(Part::Payload)),
        _ => None,
    }
}

impl Walk<'_> {
    /// Whether what a poll gave is still where it can be looked at.
    pub(super) fn still_polled(&self, state: &mut State, to: &Place, value: &Value) -> bool {
        match value {
            Value::Use(operand) if !self.outlives(to) => {
                if let Some(from) = operand.place() {
                    hold::move_holders(&mut state.polled, from, to, false);
                }
                true
            }
            _ => !state.polled.iter().any(|place| value.uses(place.local)),
        }
    }

    /// What a poll gave is looked at: `Some` has released it, and so has a failure, which means
    /// that there is nothing left to release.
    pub(super) fn judge_polled(
        &mut self,
        place: &Place,
        holds: bool,
        mut state: State,
    ) -> Option<State> {
        let option = state.polled.contains(place);
        if option == holds {
            self.released(self.at);
            return None;
        }
        if option {
            hold::remove(&mut state.polled, place);
            hold::add(&mut state.empty, place.clone());
        }
        Some(state)
    }
}
