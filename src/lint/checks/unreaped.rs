//! unreaped-collection: tasks or futures that are put into a set for ever and never taken out.

use std::rc::Rc;

use crate::catalog::model::{Effect, Engine, Paths};
use crate::finding::Role;
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{
    Call, Graph, Local, LocalId, LocalKind, Loop, LoopKind, NodeId, NodeKind, Operand, Value,
};
use crate::lint::ir::{BodyId, Name};
use crate::lint::types::Ty;

use super::doing::inner;
use super::{Checker, Outcome, Reason, Reported, context, item, track};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnreapedCollection);
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for (id, call) in super::calls(site) {
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
                let any = known.rule.when.paths == Some(Paths::Any);
                let outcome = match (
                    context::fits(&known.rule.when, &contexts),
                    filled(checker.bodies, site, call, any),
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

/// The step that fills it, without end or at all, when nothing but filling happens to it.
fn filled(bodies: &Bodies<'_>, site: &Rc<Site>, made: &Call, any: bool) -> Result<NodeId, Reason> {
    let graph = &site.graph;
    let all = track::moved_on(graph, vec![made.to], |kind| {
        matches!(kind, LocalKind::Binding | LocalKind::Temp)
    });
    let is = |operand: &Operand| operand.place().is_some_and(|place| all.contains(&place.local));
    let mut fills = Vec::new();
    for id in graph.ids() {
        let node = graph.node(id);
        let other = match &node.kind {
            NodeKind::Call(call) => {
                let on = call.receiver.as_ref().is_some_and(is);
                if call.args.iter().any(is) {
                    true
                } else if on && call.effects.contains(&Effect::Collects) {
                    return Err(Reason::Released(node.span));
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
            return Err(Reason::Escapes(node.span, "something else is done with it"));
        }
    }
    if any && let Some(&first) = fills.first() {
        return Ok(first);
    }
    let endless = fills.into_iter().find(|&id| {
        // A set made anew on each turn is gone at its end.
        let outer = |round: &Loop| !made_within(graph, made, round);
        graph.loops_around(id).any(|round| outer(round) && without_end(graph, round))
    });
    endless.ok_or(Reason::Context("it is not filled without end"))
}

fn fills_it(call: &Call) -> bool {
    call.effects.contains(&Effect::Spawns) || matches!(call.name.as_str(), "push" | "push_back")
}

fn counts(call: &Call) -> bool {
    matches!(call.name.as_str(), "len" | "is_empty")
}

/// Whether a closure or async block does nothing with what it takes in but count it.
fn only_counted(bodies: &Bodies<'_>, site: &Rc<Site>, body: BodyId, name: Option<Name>) -> bool {
    let Some(inside) = inner(bodies, site, body) else { return false };
    let graph = &inside.graph;
    let is = |local: &Local| local.kind == LocalKind::Captured && local.name == name;
    let taken = (0..).map(LocalId).zip(&graph.locals).find(|(_, local)| is(local));
    let Some((taken, _)) = taken else { return false };
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

fn made_within(graph: &Graph, made: &Call, round: &Loop) -> bool {
    let def = graph.local(made.to).def;
    def.is_some_and(|def| graph.loops_around(def).any(|other| other.head == round.head))
}

/// A loop that goes on as long as others come: it waits on each turn.
fn without_end(graph: &Graph, round: &Loop) -> bool {
    if round.kind == LoopKind::For {
        return false;
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
        waits && graph.loops_around(id).any(|other| other.head == round.head)
    })
}
