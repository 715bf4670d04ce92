//! Places that hold an obligation, and how they move.

use crate::catalog::model::Handle;
use crate::lint::cfg::{Call, Part, Place};
use crate::lint::ir::Name;

/// Places that hold the same obligation, in order.
pub(crate) type Holders = Vec<Place>;

/// Where a call leaves the handle that a fact names.
pub(crate) fn holders(call: &Call, handle: Handle) -> Option<Place> {
    let value = Place::of(call.to);
    Some(match handle {
        Handle::Return => value,
        Handle::Ok | Handle::Some => value.part(Part::Payload),
        Handle::Tuple(number) => {
            value.part(Part::Payload).part(Part::Field(Name::new(&number.to_string())))
        }
        Handle::Out(number) => {
            let place = call.args.get(usize::from(number))?.place()?.clone();
            place.part(Part::Element)
        }
        Handle::OutAt(number, _) => {
            call.args.get(usize::from(number))?.place()?.clone().part(Part::Element)
        }
        Handle::Receiver => call.receiver.as_ref()?.place()?.clone(),
        Handle::Arg(number) => call.args.get(usize::from(number))?.place()?.clone(),
    })
}

/// Whether a value at `place` holds, or is part of what holds.
pub(crate) fn touches(holders: &Holders, place: &Place) -> bool {
    holders.iter().any(|holder| holder.within(place).is_some())
}

/// Whether the pointer or number is held there, or was left behind what the place refers to:
/// `pipe(&mut fds)`.
pub(super) fn is_held(held: &Holders, place: &Place) -> bool {
    held.contains(place) || held.contains(&place.part(Part::Element))
}

/// Moves what is held in `from` to `to`; with `copies` it is held in both.
pub(crate) fn move_holders(holders: &mut Holders, from: &Place, to: &Place, copies: bool) -> bool {
    let mut moved = Vec::new();
    holders.retain(|holder| match holder.within(from) {
        Some(rest) => {
            let mut place = to.clone();
            place.path.extend_from_slice(rest);
            moved.push(place);
            copies
        }
        None => true,
    });
    let any = !moved.is_empty();
    for place in moved {
        add(holders, place);
    }
    any
}

pub(super) fn add(holders: &mut Holders, place: Place) {
    if place.path.len() <= DEEP
        && let Err(at) = holders.binary_search(&place)
    {
        holders.insert(at, place);
    }
}

/// Deeper places are not told apart.
const DEEP: usize = 8;

/// Forgets what is held in a place; true when something was.
pub(crate) fn remove(holders: &mut Holders, place: &Place) -> bool {
    let before = holders.len();
    holders.retain(|holder| holder.within(place).is_none());
    holders.len() != before
}
