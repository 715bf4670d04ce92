//! Follows a value step by step: where it is, who uses it, where it goes away.

use rustc_hash::FxHashSet;

use crate::catalog::model::Handle;
use crate::lint::cfg::{
    Call, Edge, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place,
};
use crate::lint::cfg::{Test, Value};
use crate::lint::flow::{Holders, move_holders, remove, touches};
use crate::lint::ir::{Name, Receiver, TypeRef};
use crate::lint::names::{FnId, Shape};
use crate::lint::types::{Target, Ty, World};

/// What a step means for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    On,
    /// It has a name from here on.
    Named,
    /// It is used, and still there.
    Used,
    /// Somebody else has it now.
    Moved,
    /// It is awaited itself.
    Awaited,
    /// It is dropped by `drop`.
    DroppedByHand,
    /// It goes out of scope, or is overwritten.
    Gone,
}

/// Methods that wait for a lock, and give its guard.
const LOCKING: [&str; 3] = ["lock", "read", "write"];

/// The class of guards whose locks block a thread.
const BLOCKING_GUARD: &str = "sync-guard";

/// Where in a value of this type something of the class is.
pub(super) fn inside(world: &World<'_>, ty: &Ty, class: &str) -> Option<Vec<Part>> {
    match ty {
        Ty::Foreign(..) => {
            if world.classes(ty).contains(&class) {
                return Some(Vec::new());
            }
            let mut path = inside(world, &ty.payload(), class)?;
            path.insert(0, Part::Payload);
            Some(path)
        }
        Ty::Tuple(parts) => parts.iter().enumerate().find_map(|(number, part)| {
            let mut path = inside(world, part, class)?;
            path.insert(0, Part::Field(Name::new(&number.to_string())));
            Some(path)
        }),
        _ => None,
    }
}

/// Whether anything of any class may be in a value of this type: in most there is nothing.
pub(super) fn holds_any(world: &World<'_>, ty: &Ty) -> bool {
    match ty {
        Ty::Foreign(..) => !world.classes(ty).is_empty() || holds_any(world, &ty.payload()),
        Ty::Tuple(parts) => parts.iter().any(|part| holds_any(world, part)),
        _ => false,
    }
}

/// The same in a type of the package that is there for the sake of what is in it: all else in it
/// is referred to or counted.
pub(super) fn wrapped(world: &World<'_>, given: &Ty, class: &str) -> Option<Vec<Part>> {
    let (ty, mut path) = match given.payload() {
        Ty::Unknown => (given.clone(), Vec::new()),
        payload => (payload, vec![Part::Payload]),
    };
    let Ty::Own(id, _) = &ty else { return None };
    let Shape::Struct(fields) = &world.names.type_def(*id).shape else { return None };
    let mut found = None;
    for (name, ..) in fields {
        let field = world.field(&ty, *name);
        match inside(world, &field, class) {
            Some(inner) => found = Some((*name, inner)),
            None if field.is_ref() || matches!(field, Ty::Int | Ty::Bool) => {}
            None => return None,
        }
    }
    let (name, inner) = found?;
    path.push(Part::Field(name));
    path.extend(inner);
    Some(path)
}

/// Whether calling a function of the package gives something of one of these classes.
pub(crate) fn gives(world: &World<'_>, id: FnId, classes: &FxHashSet<String>) -> bool {
    let returns = &world.names.function(id).sig.returns;
    if matches!(returns, TypeRef::Unknown | TypeRef::Never)
        || matches!(returns, TypeRef::Tuple(parts) if parts.is_empty())
    {
        return false;
    }
    let ty = world.ty(returns, world.scope(id));
    let ty = ty.yielded();
    let has = |class: &String| {
        inside(world, ty, class).is_some()
            || wrapped(world, ty, class).is_some()
            || gives_own_guard(world, id, class)
    };
    classes.iter().any(has)
}

/// Whether a function of the package is a lock's that blocks its thread, and gives a guard of the
/// package's own: one by its name that reaches through to what is locked and ends that in its Drop.
pub(super) fn gives_own_guard(world: &World<'_>, id: FnId, class: &str) -> bool {
    let function = world.names.function(id);
    let sig = &function.sig;
    let locks = class == BLOCKING_GUARD
        && LOCKING.contains(&function.name.as_str())
        && !sig.is_async
        && sig.receiver == Receiver::Ref
        && sig.params.is_empty();
    if !locks {
        return false;
    }
    let Ty::Own(of, _) = world.ty(&sig.returns, world.scope(id)) else { return false };
    let def = world.names.type_def(of);
    def.name.as_str().ends_with("Guard")
        && def.implements("Drop")
        && def.associated.iter().any(|of| of.of_deref)
}

/// Whether the place is in the value, is part of it, or is reached through it.
pub(super) fn meets(held: &Holders, place: &Place) -> bool {
    touches(held, place)
        || held.iter().any(|holder| place.within(holder).is_some() || through(holder, place))
}

/// Whether the place is what a type of the package gives access to by what is held in it:
/// `*guard`, `guard[0]`, `guard.field`.
fn through(holder: &Place, place: &Place) -> bool {
    let apart = holder.path.iter().zip(&place.path).find(|(held, other)| held != other);
    let reached = |part: &Part| match part {
        Part::Element => true,
        // Of a tuple other parts are beside it, not behind it.
        Part::Field(name) => name.as_str().parse::<usize>().is_err(),
        Part::Payload => false,
    };
    holder.local == place.local && apart.is_some_and(|(_, other)| reached(other))
}

/// Whether a local is, or refers to, the value.
pub(super) fn has_alias(graph: &Graph, held: &Holders) -> bool {
    graph.locals.iter().any(|local| {
        local.alias.as_ref().is_some_and(|place| meets(held, place))
            || local.test.as_ref().is_some_and(|test| tells(test, held))
    })
}

/// Whether a truth value tells something of the value, be it only whether it is there.
fn tells(test: &Test, held: &Holders) -> bool {
    match test {
        Test::Success(place) | Test::Null(place) | Test::Variant(place, _) => meets(held, place),
        Test::Not(inner) => tells(inner, held),
        other => asks(other, held),
    }
}

/// Whether a test looks into the value; whether it is there at all does not count.
pub(super) fn asks(test: &Test, held: &Holders) -> bool {
    match test {
        Test::Success(place) | Test::Null(place) | Test::Variant(place, _) => {
            held.iter().any(|holder| place.within(holder).is_some())
        }
        Test::Compare(_, left, right) => [left, right]
            .into_iter()
            .any(|operand| operand.place().is_some_and(|place| meets(held, place))),
        Test::Not(inner) => asks(inner, held),
        Test::Given(places) => places.iter().any(|place| meets(held, place)),
        Test::Opaque => false,
    }
}

/// Whether the value can be there on this side of a branch.
pub(super) fn possible(test: &Test, edge: Edge, held: &Holders) -> bool {
    let holds = edge == Edge::True;
    match test {
        Test::Not(inner) => possible(inner, if holds { Edge::False } else { Edge::True }, held),
        Test::Success(place) => holds || !touches(held, &place.part(Part::Payload)),
        _ => true,
    }
}

/// Takes one step.
pub(super) fn step(world: &World<'_>, graph: &Graph, id: NodeId, held: &mut Holders) -> Turn {
    let moves = |operand: &Operand, held: &Holders| matches!(operand, Operand::Move(place) if touches(held, place));
    let looks =
        |operand: &Operand, held: &Holders| operand.place().is_some_and(|place| meets(held, place));
    match &graph.node(id).kind {
        NodeKind::Join | NodeKind::Exit(_) => Turn::On,
        NodeKind::Branch(test) => {
            if asks(test, held) {
                Turn::Used
            } else {
                Turn::On
            }
        }
        NodeKind::Assign { to, value } => assign(graph, to, value, held),
        NodeKind::Call(call) => {
            if let Some(receiver) = call.receiver.as_ref()
                && looks(receiver, held)
                && (ends(world, &call.target) || adapts(graph, receiver, call))
            {
                return Turn::Moved;
            }
            let mut used = false;
            for operand in call.receiver.iter().chain(&call.args) {
                if moves(operand, held) {
                    let by_hand = matches!(&call.target, Target::Api(_, path) if path.as_str() == "std::mem::drop");
                    return if by_hand { Turn::DroppedByHand } else { Turn::Moved };
                }
                used |= looks(operand, held);
            }
            if used { Turn::Used } else { overwritten(&Place::of(call.to), held) }
        }
        NodeKind::Await { to, what } => {
            if looks(what, held) {
                Turn::Awaited
            } else {
                overwritten(to, held)
            }
        }
        NodeKind::Select { futures } => {
            if futures.iter().any(|future| looks(future, held)) {
                Turn::Awaited
            } else {
                Turn::On
            }
        }
        NodeKind::Drop(local) => overwritten(&Place::of(*local), held),
    }
}

/// A method of an iterator that has the value: all but `next` take it.
fn adapts(graph: &Graph, receiver: &Operand, call: &Call) -> bool {
    let ty = receiver.place().map(|place| graph.local(place.local).ty.bare());
    let last = |path: &Name| path.as_str().rsplit("::").next().is_some_and(|last| last == "Iter");
    matches!(ty, Some(Ty::Foreign(path, _)) if last(path)) && call.name.as_str() != "next"
}

/// A method that ends what it is called on: `commit`, `rollback`.
fn ends(world: &World<'_>, target: &Target) -> bool {
    let Target::Api(ids, _) = target else { return false };
    ids.iter()
        .map(|&id| &world.facts.api(id).fact)
        .any(|fact| !fact.releases.is_empty() && matches!(fact.at, None | Some(Handle::Receiver)))
}

fn overwritten(to: &Place, held: &mut Holders) -> Turn {
    if remove(held, to) && held.is_empty() { Turn::Gone } else { Turn::On }
}

fn assign(graph: &Graph, to: &Place, value: &Value, held: &mut Holders) -> Turn {
    let stays = |id: LocalId| matches!(graph.local(id).kind, LocalKind::Temp | LocalKind::Binding);
    match value {
        Value::Use(Operand::Move(from)) if touches(held, from) => {
            if from == to {
                return Turn::On;
            }
            if !stays(to.local) || !to.path.is_empty() {
                return Turn::Moved;
            }
            move_holders(held, from, to, false);
            let named = graph.local(to.local).kind == LocalKind::Binding;
            if named { Turn::Named } else { Turn::On }
        }
        Value::Parts { parts, rest, written } => {
            let rest = rest.as_ref().map(|rest| (None, rest));
            let all = parts.iter().map(|(part, operand)| (Some(*part), operand)).chain(rest);
            let mut used = false;
            for (part, operand) in all {
                match (operand, part) {
                    (Operand::Move(from), Some(part)) if touches(held, from) => {
                        if *written || !stays(to.local) {
                            return Turn::Moved;
                        }
                        move_holders(held, from, &to.part(part), false);
                    }
                    (Operand::Move(from), None) if touches(held, from) => return Turn::Moved,
                    _ => used |= operand.place().is_some_and(|place| meets(held, place)),
                }
            }
            if used { Turn::Used } else { Turn::On }
        }
        Value::Closure { captured, .. } => {
            let taken =
                captured.iter().find(|(local, _)| held.iter().any(|holder| holder.local == *local));
            match taken {
                Some((_, true)) => Turn::Moved,
                Some((_, false)) => Turn::Used,
                None => Turn::On,
            }
        }
        Value::Opaque(used) => {
            let moved = used
                .iter()
                .any(|operand| matches!(operand, Operand::Move(place) if touches(held, place)));
            let seen = used.iter().any(|operand| operand.place().is_some_and(|at| meets(held, at)));
            match (moved, seen) {
                (true, _) => Turn::Moved,
                (false, true) => Turn::Used,
                _ => overwritten(to, held),
            }
        }
        Value::Use(operand) => {
            if operand.place().is_some_and(|place| meets(held, place)) {
                return Turn::Used;
            }
            let behind = |holder: &Place| to.within(holder).is_some() && to != holder;
            if held.iter().any(|holder| behind(holder) || through(holder, to)) {
                // Something behind the value is written through it.
                return Turn::Used;
            }
            overwritten(to, held)
        }
    }
}

/// These locals, and those of the wanted kinds that their values go on to by plain moves.
pub(super) fn moved_on(
    graph: &Graph,
    mut all: Vec<LocalId>,
    wanted: impl Fn(LocalKind) -> bool,
) -> Vec<LocalId> {
    let mut next = 0;
    while let Some(&at) = all.get(next) {
        next += 1;
        for node in &graph.nodes {
            if let NodeKind::Assign { to, value: Value::Use(Operand::Move(from)) } = &node.kind
                && from.local == at
                && from.path.is_empty()
                && to.path.is_empty()
                && wanted(graph.local(to.local).kind)
                && !all.contains(&to.local)
            {
                all.push(to.local);
            }
        }
    }
    all
}
