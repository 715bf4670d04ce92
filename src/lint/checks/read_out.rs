//! Whether the content of a box was read out of a value that is forgotten: its memory is lost.

use std::rc::Rc;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, NodeKind, Operand, Place, Value};
use crate::lint::types::{Ty, World};

use super::uses::type_of;
use super::{Checker, classes_of, item};

/// Conversions of a reference that are followed back.
const STEPS: usize = 8;

/// The call of this class, in the same function, that reads out of a box in what is given away,
/// where the function frees no box by hand.
pub(super) fn read_out(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    call: &Call,
    class: &str,
) -> Option<String> {
    let given = call.args.first()?.place()?.local;
    let sites = checker.bodies.with_nested(site);
    let calls =
        || sites.iter().flat_map(|site| site.graph.calls().map(move |(_, call)| (site, call)));
    let mut frees = calls().map(|(_, call)| call.name.as_str());
    if frees.any(|name| matches!(name, "dealloc" | "from_raw" | "into_raw" | "into_inner")) {
        return None;
    }
    let mut reads = calls().filter(|(_, other)| classes_of(checker.world, other).contains(&class));
    reads.find_map(|(inner, read)| {
        let from = origin(&inner.graph, read.args.first()?.place()?)?;
        let same = match Rc::ptr_eq(inner, site) {
            true => from.local == given,
            // A closure has it under the same name.
            false => inner.graph.local(from.local).name == Some(site.graph.local(given).name?),
        };
        let boxed = same && is_in_box(checker.world, &inner.graph, &from);
        boxed.then(|| item(checker.world, read))
    })
}

/// The place that a reference or pointer was made of.
fn origin(graph: &Graph, pointer: &Place) -> Option<Place> {
    let mut at = pointer.clone();
    for _ in 0..STEPS {
        if !at.path.is_empty() {
            return Some(at);
        }
        at = made_of(graph, at.local)?;
    }
    None
}

fn made_of(graph: &Graph, local: LocalId) -> Option<Place> {
    match &graph.node(graph.local(local).def?).kind {
        NodeKind::Assign {
            value: Value::Use(Operand::Ref(place) | Operand::Move(place)), ..
        } => Some(place.clone()),
        _ => None,
    }
}

/// Whether a box lies between a value and this part of it.
fn is_in_box(world: &World<'_>, graph: &Graph, place: &Place) -> bool {
    (0..place.path.len()).any(|depth| {
        let ty = type_of(world, graph, place.local, &place.path[..depth]);
        matches!(&ty, Ty::Foreign(path, _) if path.as_str() == "std::boxed::Box")
    })
}
