//! What is done with a value in the function that got it.

use rustc_hash::FxHashSet;

use crate::lint::cfg::{Graph, LocalId, NodeKind, Operand, Value};
use crate::lint::types::World;

use super::classes_of;

/// Whether a call of the class gets the value, or lends it.
pub(super) fn with(world: &World<'_>, graph: &Graph, made: LocalId, class: &str) -> bool {
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    // Steps stand in the order of the text: one pass follows what is bound, awaited and chained.
    graph.nodes.iter().any(|node| {
        let is = |operand: &Operand| {
            let place = operand.place();
            place.is_some_and(|place| {
                let alias = graph.local(place.local).alias.as_ref();
                same.contains(&place.local) || alias.is_some_and(|at| same.contains(&at.local))
            })
        };
        let next = match &node.kind {
            NodeKind::Await { to, what } if is(what) => to.local,
            NodeKind::Assign { to, value: Value::Use(from) } if is(from) => to.local,
            NodeKind::Call(call) if call.receiver.iter().chain(&call.args).any(is) => {
                if classes_of(world, call).contains(&class) {
                    return true;
                }
                call.to
            }
            _ => return false,
        };
        same.insert(next);
        false
    })
}
