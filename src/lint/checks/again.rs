//! taken-again: a lock that is waited for while its own guard is alive.

use rustc_hash::FxHashSet;

use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::cfg::{Call, Exit, Graph, NodeId, NodeKind, Place, Visit};
use crate::lint::flow::Holders;
use crate::lint::types::World;

use super::locks::{Body, Lock, Locks, Waits, written};
use super::track::{self, Turn};
use super::{Checker, Outcome, Reason, Reported, context, held, item};

/// More states than this from one step on, and it is given up.
const STATES: usize = 20_000;
/// Steps of which it is asked whether they go together with the first.
const MOST_ASKED: usize = 8;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::TakenAgain);
    if rules.is_empty() {
        return;
    }
    let locks = Locks::new(checker.world, checker.bodies);
    for site in checker.sites {
        let graph = &site.graph;
        let mut body: Option<Body<'_>> = None;
        let (mut waits, mut left): (Option<Waits>, usize) = (None, held::STATES_OF_BODY);
        for id in graph.ids() {
            if !held::may_begin(checker, site, id) {
                continue;
            }
            for &known in &rules {
                let Some(held) = held::begins(checker, site, id, &known.rule.class) else {
                    continue;
                };
                let Some(taken) = held::maker(graph, id) else { continue };
                let Some(call) = graph.call_at(taken) else { continue };
                let body = body.get_or_insert_with(|| Body::new(graph));
                let Some(lock) = locks.of_guard(body, call) else { continue };
                let waits = waits.get_or_insert_with(|| locks.waits(body));
                let outcome =
                    match again(checker.world, (graph, waits), (id, held), &lock, &mut left) {
                        Err(reason) => Outcome::Silent(reason),
                        Ok(second) => {
                            let contexts = context::contexts(checker.world, site, id);
                            match context::fits(&known.rule.when, &contexts) {
                                Err(reason) => Outcome::Silent(Reason::Context(reason)),
                                Ok(()) => reported(checker.world, graph, call, second),
                            }
                        }
                    };
                checker.add(known, site, taken, call.evidence, outcome);
            }
        }
    }
}

fn reported(world: &World<'_>, graph: &Graph, call: &Call, second: NodeId) -> Outcome {
    let other = held::maker(graph, second).and_then(|id| graph.call_at(id));
    let other = other.map_or_else(String::new, |call| item(world, call));
    let step = (Role::Step, graph.node(second).span, "it is waited for again here".to_owned());
    Outcome::Reported(Box::new(Reported {
        item: item(world, call),
        other,
        related: vec![step],
        ..Reported::default()
    }))
}

/// The first step at which the lock is waited for while the guard is alive.
fn again(
    world: &World<'_>,
    (graph, waits): (&Graph, &Waits),
    (start, held): (NodeId, Place),
    lock: &Lock,
    left: &mut usize,
) -> Result<NodeId, Reason> {
    let is_waited_for = |id: NodeId| {
        waits.get(&id).is_some_and(|others| others.iter().any(|other| lock.excludes(other)))
    };
    if !waits.keys().any(|&id| id != start && is_waited_for(id)) {
        return Err(Reason::Context("nothing else in the function takes the lock"));
    }
    let mut found: Vec<NodeId> = Vec::new();
    let mut ended = None;
    let mut seen: FxHashSet<(NodeId, Holders)> = FxHashSet::default();
    let mut stack: Vec<(NodeId, Holders)> =
        graph.node(start).next.iter().map(|&(_, next)| (next, vec![held.clone()])).collect();
    while let Some((id, mut held)) = stack.pop() {
        if seen.len() > STATES || *left == 0 {
            return Err(Reason::TooComplex);
        }
        *left -= 1;
        if !seen.insert((id, held.clone())) {
            continue;
        }
        let node = graph.node(id);
        match track::step(world, graph, id, &mut held) {
            Turn::Moved | Turn::Awaited => {
                let how = "it is given to somebody else";
                ended = ended.or(Some(Reason::Escapes(node.span, how)));
                continue;
            }
            // What overwrites a guard is there before that goes.
            Turn::Gone if !matches!(node.kind, NodeKind::Drop(_)) && is_waited_for(id) => {}
            Turn::Gone | Turn::DroppedByHand => {
                ended = ended.or(Some(Reason::Released(node.span)));
                continue;
            }
            Turn::On | Turn::Named | Turn::Used => {}
        }
        if is_waited_for(id) {
            found.push(id);
            continue;
        }
        // It is another lock from here on.
        if id == start || written(&node.kind).is_some_and(|to| lock.is_behind(&to)) {
            continue;
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
    found.sort_by_key(|&id| (graph.node(id).span, id));
    let sure = found.into_iter().take(MOST_ASKED).find(|&id| !is_either_or(graph, start, id));
    sure.ok_or(ended.unwrap_or(Reason::ProcessEnds))
}

/// Whether there are ways to the second of two steps past the first, and ways on from the first past
/// the second: which of them go together is not known. So it is where each is in builds of its own.
fn is_either_or(graph: &Graph, first: NodeId, second: NodeId) -> bool {
    let past = |from: Vec<NodeId>, other: NodeId, found: &dyn Fn(NodeId) -> bool| {
        graph.leads(from, |id| match id {
            id if id == other => Visit::Ends,
            id if found(id) => Visit::Found,
            _ => Visit::On,
        })
    };
    let ends = |id: NodeId| matches!(graph.node(id).kind, NodeKind::Exit(Exit::Return | Exit::End));
    let behind = graph.node(first).next.iter().map(|&(_, next)| next).collect();
    past(vec![graph.entry], first, &|id| id == second) && past(behind, second, &ends)
        || in_some_builds(graph, first) && in_some_builds(graph, second)
}

/// Whether only some builds have a step; others may have another in its place.
fn in_some_builds(graph: &Graph, id: NodeId) -> bool {
    let span = graph.node(id).span;
    graph.perhaps.iter().any(|around| around.start <= span.start && span.end <= around.end)
}
