//! What a path knows of a Result or Option that it asked before: a failure that was cleaned up
//! after leaves by the next `?`, and what went well does not.

use crate::lint::cfg::{LocalKind, NodeId, NodeKind, Operand, Part, Place, Value};

use super::follow::{State, Walk};

impl Walk<'_> {
    /// Whether this side of a test is possible after what the path was told.
    pub(super) fn agrees(&self, place: &Place, holds: bool, state: &State) -> bool {
        state.told.as_ref().is_none_or(|(known, went_well)| known != place || *went_well == holds)
    }

    /// The state with the answer, when the value is one that only steps of this body can change.
    pub(super) fn remembering(&self, place: &Place, holds: bool, mut state: State) -> State {
        let kind = self.local(place.local).kind;
        let own = matches!(kind, LocalKind::Temp | LocalKind::Binding);
        if own && place.path.is_empty() {
            state.told = Some((place.clone(), holds));
        }
        state
    }

    /// What a step leaves of the answer: it moves on with its value, and ends with every other use.
    pub(super) fn keep_told(&self, id: NodeId, state: &mut State) {
        let Some((place, went_well)) = &state.told else { return };
        let whole = |operand: &Operand| operand.place() == Some(place);
        let kind = &self.graph.node(id).kind;
        state.told = match kind {
            // `map` makes one success of another.
            kind if let Some(to) = success(kind) => Some((to.clone(), true)),
            // One turn of a loop says nothing of the next.
            NodeKind::Join if self.is_head(id) => None,
            NodeKind::Drop(local) if *local == place.local => None,
            NodeKind::Call(call) if call.to == place.local => None,
            NodeKind::Await { to, .. } if to.local == place.local => None,
            NodeKind::Assign { to, value } => match value {
                Value::Use(operand) if whole(operand) && to.path.is_empty() => {
                    Some((to.clone(), *went_well))
                }
                _ if to.local == place.local => None,
                // A part of it.
                Value::Use(_) => return,
                _ if value.uses(place.local) => None,
                _ => return,
            },
            kind if kind.uses(place.local) => None,
            _ => return,
        };
    }

    fn is_head(&self, id: NodeId) -> bool {
        self.graph.loops_around(id).next().is_some_and(|round| round.head == id)
    }
}

/// Where a step puts an `Ok` or `Some` of its own.
pub(super) fn success(step: &NodeKind) -> Option<&Place> {
    match step {
        NodeKind::Assign { to, value: Value::Parts { parts, rest: None, written: false } } => {
            let made = to.path.is_empty() && matches!(parts.as_slice(), [(Part::Payload, _)]);
            made.then_some(to)
        }
        _ => None,
    }
}
