//! unreaped-collection: tasks or futures that are put into a set for ever and never taken out.

use std::rc::Rc;

use crate::catalog::model::{Effect, Engine, Paths, When};
use crate::finding::Role;
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{
    Call, Graph, LocalId, LocalKind, Loop, LoopKind, NodeId, NodeKind, Operand, Value,
};
use crate::lint::ir::{BodyId, Name};
use crate::lint::types::Ty;

use super::uses::{carrier, type_of};
use super::{Checker, Outcome, Reason, Reported, context, item, track};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnreapedCollection);
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for (id, call) in super::calls(site) {
            for &known in &rules {
                if let Some(class) = known.rule.when.loop_with.as_deref()
                    && let Some(outcome) =
                        listed(checker, site, (id, call), &known.rule.class, class)
                {
                    checker.add(known, site, id, call.evidence, outcome);
                }
            }
            let ty = &site.graph.local(call.to).ty;
            // Only what is made here: a set that somebody else made is his.
            if !call.args.is_empty() || call.receiver.is_some() || !matches!(ty, Ty::Foreign(..)) {
                continue;
            }
            let classes = checker.world.classes(ty);
            for &known in &rules {
                if !classes.contains(&known.rule.class.as_str()) {
                    continue;
                }
                let contexts = context::contexts(checker.world, site, id);
                let outcome = match (
                    context::fits(&known.rule.when, &contexts),
                    filled(checker, site, call, &known.rule.when),
                ) {
                    (Err(reason), _) => Outcome::Silent(Reason::Context(reason)),
                    (_, Err(reason)) => Outcome::Silent(reason),
                    (Ok(()), Ok(at)) => {
                        let span = site.graph.node(at).span;
                        Outcome::Reported(Box::new(Reported {
                            item: item(checker.world, call),
                            related: vec![(Role::Step, span, "it is filled here".to_owned())],
                            ..Reported::default()
                        }))
                    }
                };
                checker.add(known, site, id, call.evidence, outcome);
            }
        }
    }
}

/// A handle of what runs by itself is put into a list by a loop that makes a call of some class,
/// and takes nothing out.
fn listed(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    (id, call): (NodeId, &Call),
    class: &str,
    class_beside: &str,
) -> Option<Outcome> {
    let graph = &site.graph;
    if !matches!(call.name.as_str(), "push" | "push_back" | "insert") {
        return None;
    }
    let is_handle = |operand: &Operand| {
        operand.place().is_some_and(|place| {
            let ty = type_of(checker.world, graph, place.local, &place.path);
            carrier(checker.world, &ty, class, false).is_some()
        })
    };
    if !call.args.iter().any(is_handle) {
        return None;
    }
    let list = call.receiver.as_ref()?.place()?;
    let list = graph.local(list.local).alias.as_ref().unwrap_or(list);
    if !list.path.is_empty() || graph.local(list.local).kind != LocalKind::Binding {
        let reason = Reason::Context("the list is not of this function");
        return Some(Outcome::Silent(reason));
    }
    let fits = |round: &&Loop| {
        !made_within(graph, list.local, round)
            && without_end(graph, round)
            && beside(checker, site, round, class_beside)
    };
    let Some(round) = graph.loops_around(id).find(fits) else {
        return Some(Outcome::Silent(Reason::Context("it is not filled without end")));
    };
    let (_, others) = used(checker.bodies, site, list.local);
    let outcome = match others.iter().find(|(at, _)| *at != id && graph.is_in(*at, round)) {
        Some((_, reason)) => Outcome::Silent(*reason),
        None => {
            let item = item(checker.world, call);
            Outcome::Reported(Box::new(Reported { item, ..Reported::default() }))
        }
    };
    Some(outcome)
}

/// The step that fills it, without end or at all, when nothing but filling happens to it; beside a
/// call of a class, when nothing else happens to it in that loop.
fn filled(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    made: &Call,
    when: &When,
) -> Result<NodeId, Reason> {
    let graph = &site.graph;
    let (fills, others) = used(checker.bodies, site, made.to);
    let round = fills.iter().find_map(|&id| {
        // A set made anew on each turn is gone at its end.
        let fits = |round: &&Loop| {
            !made_within(graph, made.to, round)
                && without_end(graph, round)
                && when.loop_with.as_deref().is_none_or(|class| beside(checker, site, round, class))
        };
        Some((id, graph.loops_around(id).find(fits)?))
    });
    match (round, others.first()) {
        // Of sets of which nothing is taken out at all another rule speaks.
        (Some(_), None) if when.loop_with.is_some() => Err(Reason::OtherRule),
        (Some((id, round)), Some(_)) if when.loop_with.is_some() => {
            let within = |(at, _): &&(NodeId, Reason)| graph.is_in(*at, round);
            others.iter().find(within).map_or(Ok(id), |(_, reason)| Err(*reason))
        }
        (_, Some((_, reason))) => Err(*reason),
        (None, None) if when.paths == Some(Paths::Any) && !fills.is_empty() => Ok(fills[0]),
        (round, None) => {
            round.map(|(id, _)| id).ok_or(Reason::Context("it is not filled without end"))
        }
    }
}

/// The steps that fill a set, and those that do anything else with it but count it.
fn used(
    bodies: &Bodies<'_>,
    site: &Rc<Site>,
    made: LocalId,
) -> (Vec<NodeId>, Vec<(NodeId, Reason)>) {
    let graph = &site.graph;
    let all = track::moved_on(graph, vec![made], |kind| {
        matches!(kind, LocalKind::Binding | LocalKind::Temp)
    });
    let is = |operand: &Operand| operand.place().is_some_and(|place| all.contains(&place.local));
    let (mut fills, mut others) = (Vec::new(), Vec::new());
    for id in graph.ids() {
        let node = graph.node(id);
        let other = match &node.kind {
            NodeKind::Call(call) => {
                let on = call.receiver.as_ref().is_some_and(is);
                if call.args.iter().any(is) {
                    true
                } else if on && call.effects.contains(&Effect::Collects) {
                    others.push((id, Reason::Released(node.span)));
                    false
                } else if on && fills_it(call) {
                    fills.push(id);
                    false
                } else {
                    on && !counts(call)
                }
            }
            NodeKind::Assign { to, value: Value::Use(operand) } => {
                is(operand) && !(all.contains(&to.local) && to.path.is_empty())
            }
            NodeKind::Assign { value: Value::Parts { parts, rest, .. }, .. } => {
                parts.iter().any(|(_, operand)| is(operand)) || rest.as_ref().is_some_and(is)
            }
            NodeKind::Assign { value: Value::Closure { body, captured }, .. } => {
                let mut taken = captured.iter().filter(|(local, _)| all.contains(local));
                taken.any(|&(local, _)| !only_counted(bodies, site, *body, graph.local(local).name))
            }
            NodeKind::Assign { value: Value::Opaque(used), .. } => used.iter().any(is),
            NodeKind::Await { what, .. } => is(what),
            NodeKind::Select { futures } => futures.iter().any(is),
            _ => false,
        };
        if other {
            others.push((id, Reason::Escapes(node.span, "something else is done with it")));
        }
    }
    (fills, others)
}

fn fills_it(call: &Call) -> bool {
    call.effects.contains(&Effect::Spawns)
        || matches!(call.name.as_str(), "push" | "push_back" | "insert")
}

fn counts(call: &Call) -> bool {
    matches!(call.name.as_str(), "len" | "is_empty")
}

/// Whether a closure or async block does nothing with what it takes in but count it.
fn only_counted(bodies: &Bodies<'_>, site: &Rc<Site>, body: BodyId, name: Option<Name>) -> bool {
    let Some(inside) = bodies.inner(site, body) else { return false };
    let graph = &inside.graph;
    let Some(taken) = name.and_then(|name| graph.captured(name)) else { return false };
    graph.nodes.iter().filter(|node| node.kind.uses(taken)).all(|node| match &node.kind {
        NodeKind::Call(call) => {
            counts(call)
                && !call
                    .args
                    .iter()
                    .any(|arg| arg.place().is_some_and(|place| place.local == taken))
        }
        _ => false,
    })
}

fn made_within(graph: &Graph, made: LocalId, round: &Loop) -> bool {
    graph.local(made).def.is_some_and(|def| graph.is_in(def, round))
}

/// A loop that makes a call of this class on its turns, or goes through what never ends.
fn beside(checker: &Checker<'_>, site: &Site, round: &Loop, class: &str) -> bool {
    never_done(&site.graph, round) || context::loop_makes(checker, site, round, class)
}

/// A `for` over something without end.
fn never_done(graph: &Graph, round: &Loop) -> bool {
    let through = |id: NodeId| {
        let span = graph.node(id).span;
        round.span.start <= span.start && span.end <= round.span.end && !graph.is_in(id, round)
    };
    round.kind == LoopKind::For
        && graph.calls().any(|(id, call)| call.effects.contains(&Effect::Endless) && through(id))
}

/// A loop that goes on as long as others come: it waits on each turn.
fn without_end(graph: &Graph, round: &Loop) -> bool {
    if round.kind == LoopKind::For {
        return never_done(graph, round);
    }
    graph.ids().any(|id| {
        let waits = match &graph.node(id).kind {
            NodeKind::Call(call) => {
                let has = |effect| call.effects.contains(&effect);
                has(Effect::Endless) || has(Effect::EndsWithPeer)
            }
            NodeKind::Await { .. } | NodeKind::Select { .. } => true,
            _ => false,
        };
        waits && graph.is_in(id, round)
    })
}
