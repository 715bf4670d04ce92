//! held-across: a guard, transaction or connection that is alive while something slow runs.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::model::{Effect, Engine};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, NodeId, NodeKind, Operand, Part, Place, Value};
use crate::lint::flow::Holders;
use crate::lint::ir::Receiver;
use crate::lint::names::FnId;
use crate::lint::types::{Target, Ty, World};

use super::doing::{Does, Doing, Origin, origin};
use super::track::{self, Turn};
use super::uses::type_of;
use super::{Checker, Outcome, Reason, Reported, context, item};

/// What others have clones of.
const SHARED: &[&str] = &["::Arc", "::Rc", "::Weak"];

/// More states than this from one step on, and it is given up.
const STATES: usize = 20_000;
/// The same from all steps of a body together.
pub(super) const STATES_OF_BODY: usize = 1_000_000;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::HeldAcross);
    if rules.is_empty() {
        return;
    }
    let doing = Doing::new(checker.world, checker.bodies);
    for site in checker.sites {
        let mut left = STATES_OF_BODY;
        for id in site.graph.ids() {
            if !may_begin(checker, site, id) {
                continue;
            }
            for &known in &rules {
                let Some(held) = begins(checker, site, id, &known.rule.class) else { continue };
                let Some(taken) = maker(&site.graph, id) else { continue };
                let Some(call) = site.graph.call_at(taken) else { continue };
                let effects = &known.rule.when.across;
                let found = across(checker.world, site, &doing, (id, held), effects, &mut left);
                let outcome = match found {
                    Err(reason) => Outcome::Silent(reason),
                    Ok(slow) => {
                        let contexts = context::contexts(checker.world, site, id);
                        match context::fits(&known.rule.when, &contexts) {
                            Err(reason) => Outcome::Silent(Reason::Context(reason)),
                            Ok(()) => {
                                let unknown =
                                    known.rule.when.milder_unknown && !doing.is_known(site, slow);
                                reported(checker, site, call, slow, unknown)
                            }
                        }
                    }
                };
                checker.add(known, site, taken, call.evidence, outcome);
            }
        }
    }
}

/// Where a step puts what it makes.
fn made(graph: &Graph, id: NodeId) -> Option<LocalId> {
    match &graph.node(id).kind {
        NodeKind::Call(call) => Some(call.to),
        NodeKind::Await { to, .. } => Some(to.local),
        _ => None,
    }
}

/// The function of the package that made what this step gives.
fn own_maker(graph: &Graph, id: NodeId) -> Option<FnId> {
    match graph.call_at(maker(graph, id)?)?.target {
        Target::Own(own) => Some(own),
        _ => None,
    }
}

/// Whether it is worth asking for a class whether this step makes one of it.
pub(super) fn may_begin(checker: &Checker<'_>, site: &Site, id: NodeId) -> bool {
    made(&site.graph, id).is_some_and(|to| {
        track::holds_any(checker.world, &site.graph.local(to).ty)
            || own_maker(&site.graph, id).is_some()
    })
}

/// Where the value is when this step makes one of the class.
pub(super) fn begins(checker: &Checker<'_>, site: &Site, id: NodeId, class: &str) -> Option<Place> {
    let to = made(&site.graph, id)?;
    let (world, ty) = (checker.world, &site.graph.local(to).ty);
    let of_own = || {
        let own = own_maker(&site.graph, id)?;
        let guard = || track::gives_own_guard(world, own, class).then(Vec::new);
        track::wrapped(world, ty, class).or_else(guard)
    };
    let path = track::inside(world, ty, class).or_else(of_own)?;
    Some(Place { local: to, path })
}

/// The call that made what this step gives.
pub(super) fn maker(graph: &Graph, id: NodeId) -> Option<NodeId> {
    match &graph.node(id).kind {
        NodeKind::Call(_) => Some(id),
        NodeKind::Await { what, .. } => match origin(graph, what) {
            Origin::Call(call) => Some(call),
            _ => None,
        },
        _ => None,
    }
}

fn reported(
    checker: &Checker<'_>,
    site: &Site,
    call: &Call,
    slow: NodeId,
    unknown: bool,
) -> Outcome {
    if is_nobody_elses(checker, site, call) {
        return Outcome::Silent(Reason::Context("nobody else can reach what it locks meanwhile"));
    }
    let graph = &site.graph;
    let other = maker(graph, slow).and_then(|id| graph.call_at(id));
    let other = other.map_or_else(|| "an async block".to_owned(), |call| item(checker.world, call));
    let step = (Role::Step, graph.node(slow).span, "it is still held here".to_owned());
    Outcome::Reported(Box::new(Reported {
        item: item(checker.world, call),
        other,
        related: vec![step],
        milder: unknown.then_some("what it awaits is of another crate, and may be ready at once"),
        ..Reported::default()
    }))
}

/// Whether it is called on what lies, by value, in something that this body alone has: behind
/// `&mut self` no other task gets to a field.
fn is_nobody_elses(checker: &Checker<'_>, site: &Site, call: &Call) -> bool {
    let graph = &site.graph;
    let Some(place) = call.receiver.as_ref().and_then(|receiver| receiver.place()) else {
        return false;
    };
    let alone = site.function.filter(|_| site.parent.is_none()).is_some_and(|id| {
        checker.world.names.function(id).sig.receiver == Receiver::RefMut
            && graph.params.first() == Some(&place.local)
    });
    let fields = place.path.iter().all(|part| matches!(part, Part::Field(_)));
    alone
        && fields
        && (1..=place.path.len()).all(|end| {
            let ty = type_of(checker.world, graph, place.local, &place.path[..end]);
            match ty {
                Ty::Own(..) => true,
                Ty::Foreign(path, _) => !SHARED.iter().any(|of| path.as_str().ends_with(of)),
                _ => false,
            }
        })
}

/// The first step at which something of the kind happens while the value is alive.
fn across(
    world: &World<'_>,
    site: &Rc<Site>,
    doing: &Doing<'_>,
    (start, held): (NodeId, Place),
    effects: &[Effect],
    left: &mut usize,
) -> Result<NodeId, Reason> {
    let graph = &site.graph;
    let mut slow: Vec<NodeId> = Vec::new();
    let mut locals: FxHashSet<LocalId> = FxHashSet::default();
    let mut ended = None;
    let mut seen: FxHashSet<(NodeId, Holders)> = FxHashSet::default();
    let mut stack: Vec<(NodeId, Holders)> =
        graph.node(start).next.iter().map(|&(_, next)| (next, vec![held.clone()])).collect();
    while let Some((id, mut held)) = stack.pop() {
        if seen.len() > STATES || *left == 0 {
            return Err(Reason::TooComplex);
        }
        *left -= 1;
        if id == start || !seen.insert((id, held.clone())) {
            continue;
        }
        locals.extend(held.iter().map(|place| place.local));
        let node = graph.node(id);
        let turn = track::step(world, graph, id, &mut held);
        match turn {
            Turn::Moved | Turn::Awaited => {
                let how = "it is given to somebody else";
                ended = ended.or(Some(Reason::Escapes(node.span, how)));
                continue;
            }
            Turn::Gone | Turn::DroppedByHand => {
                ended = ended.or(Some(Reason::Released(node.span)));
                continue;
            }
            Turn::On | Turn::Named | Turn::Used => {}
        }
        if meets(doing.step(site, id), effects) {
            slow.push(id);
        }
        for &(edge, next) in &node.next {
            if let NodeKind::Branch(test) = &node.kind
                && !track::possible(test, edge, &held)
            {
                continue;
            }
            stack.push((next, held.clone()));
        }
    }
    if !effects.contains(&Effect::Awaits) && !slow.is_empty() {
        let own = derived(graph, locals);
        slow.retain(|&id| {
            // A pause that is computed from the value is still a pause.
            let pause = maker(graph, id).and_then(|id| graph.call_at(id)).is_some_and(|call| {
                effects.contains(&Effect::Sleeps) && call.effects.contains(&Effect::Sleeps)
            });
            pause || !goes_through(graph, id, &own)
        });
    }
    slow.sort_by_key(|&id| (!doing.is_known(site, id), graph.node(id).span, id));
    let after = ended.unwrap_or(Reason::ProcessEnds);
    slow.first().copied().ok_or(after)
}

fn meets(does: Does, effects: &[Effect]) -> bool {
    effects.iter().any(|effect| match effect {
        Effect::Awaits => does.awaits,
        Effect::WaitsForPeer => does.waits,
        Effect::Sleeps => does.sleeps,
        _ => false,
    })
}

/// Values that come out of the held one: what they wait for is its own business.
fn derived(graph: &Graph, mut own: FxHashSet<LocalId>) -> FxHashSet<LocalId> {
    let held = own.clone();
    let of = |operand: &Operand, set: &FxHashSet<LocalId>| {
        operand.place().is_some_and(|place| set.contains(&place.local))
    };
    loop {
        let before = own.len();
        for node in &graph.nodes {
            match &node.kind {
                NodeKind::Call(call) => {
                    let through = call.receiver.as_ref().is_some_and(|receiver| of(receiver, &own))
                        || call.args.iter().any(|arg| of(arg, &held));
                    if through {
                        own.insert(call.to);
                    }
                }
                NodeKind::Await { to, what } if of(what, &own) => {
                    own.insert(to.local);
                }
                NodeKind::Assign { to, value } => {
                    let from = match value {
                        Value::Use(operand) => of(operand, &own),
                        Value::Parts { parts, .. } => {
                            parts.iter().any(|(_, operand)| of(operand, &own))
                        }
                        Value::Closure { captured, .. } => {
                            captured.iter().any(|(local, _)| own.contains(local))
                        }
                        Value::Opaque(used) => used.iter().any(|operand| of(operand, &own)),
                    };
                    if from {
                        own.insert(to.local);
                    }
                }
                _ => {}
            }
        }
        if own.len() == before {
            return own;
        }
    }
}

/// The wait goes through the held value itself.
fn goes_through(graph: &Graph, id: NodeId, own: &FxHashSet<LocalId>) -> bool {
    let of = |operand: &Operand| operand.place().is_some_and(|place| own.contains(&place.local));
    let call_does =
        |call: &Call| call.receiver.as_ref().is_some_and(of) || call.args.iter().any(of);
    match &graph.node(id).kind {
        NodeKind::Call(call) => call_does(call),
        NodeKind::Await { what, .. } => {
            of(what)
                || matches!(origin(graph, what), Origin::Call(call)
                    if graph.call_at(call).is_some_and(call_does))
        }
        NodeKind::Select { futures } => futures.iter().any(of),
        _ => false,
    }
}
