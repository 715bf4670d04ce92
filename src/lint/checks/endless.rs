//! Tasks without end that a field stands for: what is spawned where values of its type are made.

use std::rc::Rc;

use crate::catalog::model::Effect;
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, NodeId, NodeKind, Part, Place, Value};
use crate::lint::ir::{Name, Span};
use crate::lint::names::TypeId;
use crate::lint::types::Target;

use super::detached::Search;
use super::uses::put_in;
use super::{Checker, Reason};

/// Moves, helpers and tuples followed back to the call that spawns.
const STEPS: u32 = 12;

/// See the module.
pub(super) struct Endless<'s, 'a> {
    checker: &'s Checker<'a>,
    search: Search<'s, 'a>,
}

impl<'s, 'a> Endless<'s, 'a> {
    pub(super) fn new(checker: &'s Checker<'a>) -> Self {
        Self { checker, search: Search::new(checker) }
    }

    /// The steps that start a task without end for a field, more than once in the life of the
    /// process: those that stand in the file of the type.
    pub(super) fn task(
        &mut self,
        of: TypeId,
        field: Name,
    ) -> Result<Vec<(Role, Span, String)>, Reason> {
        let checker = self.checker;
        let file = checker.world.names.type_def(of).file;
        let mut reason = Reason::UnknownOrigin;
        for (site, operand) in put_in(checker, of, field).ok_or(Reason::TooComplex)? {
            let Some(place) = operand.place() else { continue };
            let Some((started, node)) = spawned(checker, &site, place, STEPS) else { continue };
            let Some(call) = started.graph.call_at(node) else { continue };
            let Some((inside, round)) = self.search.endless_work(&started, call) else {
                reason = Reason::Context("what it runs may end");
                continue;
            };
            // Where its owner is made is what repeats.
            if checker.callers.once_at(&site, made_at(&site, place)) {
                reason = Reason::Context("it is started once in the life of the process");
                continue;
            }
            let steps = [
                (started.file, started.graph.node(node).span, "it is started here"),
                (inside, round, "this never ends"),
            ];
            let here = steps.into_iter().filter(|(of, ..)| *of == file);
            return Ok(here.map(|(_, span, said)| (Role::Step, span, said.to_owned())).collect());
        }
        Err(reason)
    }
}

/// The step that puts a value into place.
fn made_at(site: &Site, place: &Place) -> NodeId {
    site.graph.local(place.local).def.unwrap_or(site.graph.entry)
}

/// The call that spawned what is in this place.
fn spawned(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    place: &Place,
    depth: u32,
) -> Option<(Rc<Site>, NodeId)> {
    let depth = depth.checked_sub(1)?;
    let graph = &site.graph;
    let local = graph.local(place.local);
    let on = |from: &Place, rest: &[Part]| {
        let mut from = from.clone();
        from.path.extend_from_slice(rest);
        spawned(checker, site, &from, depth)
    };
    if let Some(from) = &local.alias {
        return on(from, &place.path);
    }
    graph.ids().find_map(|id| match &graph.node(id).kind {
        NodeKind::Assign { to, value } => {
            let rest = place.within(to)?;
            match value {
                Value::Use(operand) => on(operand.place()?, rest),
                Value::Parts { parts, .. } => match (rest.split_first(), parts.as_slice()) {
                    (Some((first, rest)), _) => {
                        let (_, operand) = parts.iter().find(|(part, _)| part == first)?;
                        on(operand.place()?, rest)
                    }
                    // `Some(handle)`
                    (None, [(Part::Payload, operand)]) => on(operand.place()?, &[]),
                    (None, _) => None,
                },
                Value::Opaque(used) => match used.as_slice() {
                    [only] => on(only.place()?, rest),
                    _ => None,
                },
                Value::Closure { .. } => None,
            }
        }
        NodeKind::Await { to, what } => on(what.place()?, place.within(to)?),
        NodeKind::Call(call) if call.to == place.local => {
            by_call(checker, site, (id, call), &place.path, depth)
        }
        _ => None,
    })
}

/// The same of what a call gives.
fn by_call(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    (id, call): (NodeId, &Call),
    path: &[Part],
    depth: u32,
) -> Option<(Rc<Site>, NodeId)> {
    if call.effects.contains(&Effect::Spawns) {
        return Some((Rc::clone(site), id));
    }
    let Target::Own(function) = call.target else { return None };
    let inner = checker.bodies.of_function(function)?;
    let mut place = Place::of(inner.graph.result);
    place.path.extend_from_slice(path);
    spawned(checker, &inner, &place, depth)
}
