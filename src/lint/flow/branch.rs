//! What a test says about an obligation on either side of it.

use crate::catalog::model::Fails;
use crate::lint::cfg::{Operand, Part, Place, Test};
use crate::lint::ir::{BinaryOp, Name};

use super::How;
use super::follow::{State, Walk};
use super::hold;
use super::status::{Told, is_success_name, meaning, mirrored};

impl Walk<'_> {
    /// The state on one side of a branch, when that side is possible.
    pub(super) fn branch(&mut self, test: &Test, holds: bool, state: State) -> Option<State> {
        match test {
            Test::Not(inner) => self.branch(inner, !holds, state),
            Test::Success(place) if hold::touches(&state.polled, place) => {
                self.judge_polled(place, holds, state)
            }
            // In a later arm of the same `match`: it is `Ok(None)`.
            Test::Success(place) if hold::touches(&state.empty, place) => {
                (holds != state.empty.contains(place)).then_some(state)
            }
            Test::Success(place) => {
                if !self.agrees(place, holds, &state) {
                    return None;
                }
                let inside = place.part(Part::Payload);
                let failed_means_gone =
                    hold::touches(&state.held, &inside) || state.status.contains(place);
                if !holds && (failed_means_gone || self.is_present(place, &state)) {
                    return None;
                }
                let state = self.remembering(place, holds, state);
                self.judge_lent(place, !holds, state)
            }
            Test::Null(place) if state.lent.contains(place) => self.judge_lent(place, holds, state),
            Test::Null(place) => {
                if holds && (hold::is_held(&state.held, place) || state.status.contains(place)) {
                    return None;
                }
                Some(state)
            }
            Test::Variant(place, name) => {
                let fine = is_success_name(name.as_str());
                if state.lent.contains(place) {
                    return self.judge_lent(place, fine != holds, state);
                }
                // A constant as a pattern is compared with.
                if self.start.fails.is_some() && self.start.copied {
                    let (value, constant) = (Operand::Ref(place.clone()), Operand::Const(*name));
                    return self.compare(BinaryOp::Eq, &value, &constant, holds, state);
                }
                // What it is held in tells which variant it is.
                let sure = state.held.iter().filter_map(|holder| holder.within(place)?.first());
                let sure = sure.copied().find_map(|part| match part {
                    Part::Field(field) => self.variant_of(place, field),
                    _ => None,
                });
                if sure.is_some_and(|variant| (variant == *name) != holds) {
                    return None;
                }
                Some(state)
            }
            Test::Compare(op, left, right) => self.compare(*op, left, right, holds, state),
            // What it is given may tell that there is nothing to lose where it holds.
            Test::Given(places) => {
                let about = |place: &Place| state.locals().any(|local| local == place.local);
                (!holds || !places.iter().any(about)).then_some(state)
            }
            Test::Opaque => Some(state),
        }
    }

    /// The variant that a value of an enum of the package must be to have this field.
    fn variant_of(&self, place: &Place, field: Name) -> Option<Name> {
        let mut ty = self.local(place.local).ty.clone();
        for part in &place.path {
            ty = match part {
                Part::Field(name) => self.world.field(&ty, *name),
                Part::Payload => ty.payload(),
                Part::Element => return None,
            };
        }
        self.world.variant_of_field(&ty, field)
    }

    /// The function that has it told how it went.
    fn judge_lent(&mut self, place: &Place, failed: bool, mut state: State) -> Option<State> {
        if !state.lent.contains(place) {
            return Some(state);
        }
        if failed {
            state.lent.clear();
            return Some(state);
        }
        // It worked: the other side owns it now.
        self.escape(self.at, How::Passed);
        None
    }

    fn compare(
        &mut self,
        op: BinaryOp,
        left: &Operand,
        right: &Operand,
        holds: bool,
        state: State,
    ) -> Option<State> {
        let (place, other, op) = match (left.place(), right.place()) {
            (Some(place), None) => (place, right, op),
            (None, Some(place)) => (place, left, mirrored(op)),
            _ => return Some(state),
        };
        let about_start = state.held.contains(place) || state.status.contains(place);
        let about_lent = state.lent.contains(place);
        if !about_start && !about_lent {
            return Some(state);
        }
        let fails = match (&self.start.fails, about_lent) {
            (_, true) => Fails::NonZero,
            (Some(fails), _) => *fails,
            (None, _) => return Some(state),
        };
        let Some(says) = meaning(op, other, fails) else { return Some(state) };
        // `says`: what it tells when the comparison holds.
        let failed = if holds { says == Told::Failed } else { says == Told::Fine };
        let fine = if holds { says == Told::Fine } else { says == Told::Failed };
        if about_lent {
            return self.judge_lent(place, !fine, state);
        }
        if failed { None } else { Some(state) }
    }
}
