//! unlimited-collect: a loop that keeps whatever parts come from a peer, however many they are.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{Effect, Engine};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, NodeId, NodeKind, Operand, Test, Value};
use crate::lint::ir::BinaryOp;
use crate::lint::types::Target;

use super::{Checker, Outcome, Reason, Reported, classes_of, context, item};

/// Methods that put more into what a buffer or collection has already.
const ADDS: &[&str] =
    &["put", "put_slice", "extend", "extend_from_slice", "push", "push_back", "push_str", "append"];

/// The class of calls that give the body of an answer.
const ANSWER: &str = "received-response";

/// Moves followed back to where a value was made.
const STEPS: usize = 8;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnlimitedCollect);
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for (id, call) in super::calls(site) {
            let classes = classes_of(checker.world, call);
            for &known in &rules {
                if !classes.contains(&known.rule.class.as_str()) {
                    continue;
                }
                let contexts = context::contexts(checker.world, site, id);
                let fits = context::fits(&known.rule.when, &contexts).map_err(Reason::Context);
                match fits.and_then(|()| keeps_all(&site.graph, id, call)) {
                    Err(reason) => {
                        checker.add(known, site, id, call.evidence, Outcome::Silent(reason));
                    }
                    Ok(kept) => report(checker, known, site, (id, call), kept),
                }
            }
        }
    }
}

/// The step of a loop around the call that keeps what comes, when nothing there counts it.
fn keeps_all(graph: &Graph, id: NodeId, call: &Call) -> Result<NodeId, Reason> {
    let unfit = Reason::Context("no loop keeps what it gives");
    let round = graph.loops_around(id).next().ok_or(unfit)?;
    let compared = graph.nodes.iter().find(|node| match &node.kind {
        NodeKind::Branch(test) => compares(test),
        _ => false,
    });
    if let Some(node) = compared {
        return Err(Reason::Bounded(node.span));
    }
    let parts = made_of(graph, call.to);
    let is_part =
        |operand: &Operand| operand.place().is_some_and(|place| parts.contains(&place.local));
    let kept = graph.calls().find(|(other, adds)| {
        ADDS.contains(&adds.name.as_str())
            && adds.args.iter().any(is_part)
            && graph.is_in(*other, round)
    });
    kept.map(|(kept, _)| kept).ok_or(unfit)
}

/// Something is asked for its size, or counted.
fn compares(test: &Test) -> bool {
    match test {
        Test::Compare(op, ..) => {
            matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
        }
        Test::Not(inner) => compares(inner),
        _ => false,
    }
}

/// What a value goes on in: awaited, taken apart, looked at.
fn made_of(graph: &Graph, made: LocalId) -> FxHashSet<LocalId> {
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    // Steps stand in the order of the text: one pass follows what is bound, awaited and chained.
    for node in &graph.nodes {
        let is = |operand: &Operand| operand.place().is_some_and(|at| same.contains(&at.local));
        let next = match &node.kind {
            NodeKind::Assign { to, value } if same.iter().any(|&local| value.uses(local)) => {
                to.local
            }
            NodeKind::Await { to, what } if is(what) => to.local,
            NodeKind::Call(call) if call.receiver.as_ref().is_some_and(is) => call.to,
            _ => continue,
        };
        same.insert(next);
    }
    same
}

/// Reports the loop, or the calls in the package that give its function something without a limit.
fn report<'a>(
    checker: &mut Checker<'a>,
    known: &'a LintRule,
    site: &Rc<Site>,
    (id, call): (NodeId, &Call),
    kept: NodeId,
) {
    let graph = &site.graph;
    let param = call.receiver.as_ref().and_then(|receiver| param_of(graph, receiver));
    let callers = site
        .function
        .filter(|_| param.is_some() && site.parent.is_none())
        .and_then(|function| Some((checker.callers.of(function)?, function)));
    let (callers, function) = callers.unzip();
    let mut callers = callers.unwrap_or_default();
    callers.retain(|(caller, node)| {
        let call = caller.graph.call_at(*node);
        call.is_some_and(|call| function.is_some_and(|id| call.target == Target::Own(id)))
    });
    let step = (Role::Step, graph.node(kept).span, "what comes is kept here".to_owned());
    if callers.is_empty() {
        let offered = function.is_some_and(|function| checker.world.names.is_offered(function));
        let outcome = Outcome::Reported(Box::new(Reported {
            item: item(checker.world, call),
            related: vec![step],
            milder: offered.then_some("who calls it may have limited what it is given"),
            ..Reported::default()
        }));
        return checker.add(known, site, id, call.evidence, outcome);
    }
    for (caller, node) in callers {
        let Some(called) = caller.graph.call_at(node) else { continue };
        let given = called.receiver.iter().chain(&called.args).nth(param.unwrap_or_default());
        let outcome = match given.map(|given| origin(checker, &caller, given)) {
            Some(Err(reason)) => Outcome::Silent(reason),
            _ => Outcome::Reported(Box::new(Reported {
                item: item(checker.world, called),
                related: (caller.file == site.file).then(|| step.clone()).into_iter().collect(),
                ..Reported::default()
            })),
        };
        let evidence = call.evidence.min(called.evidence);
        checker.add(known, &caller, node, evidence, outcome);
    }
}

/// The parameter that a value came in by.
fn param_of(graph: &Graph, operand: &Operand) -> Option<usize> {
    let mut place = operand.place()?;
    for _ in 0..STEPS {
        if let Some(at) = graph.params.iter().position(|&param| param == place.local) {
            return Some(at);
        }
        place = match &graph.local(place.local).alias {
            Some(alias) => alias,
            None => moved_from(graph, place.local)?.place()?,
        };
    }
    None
}

/// What a variable was made of by a plain move.
fn moved_from(graph: &Graph, local: LocalId) -> Option<&Operand> {
    graph.nodes.iter().find_map(|node| match &node.kind {
        NodeKind::Assign { to, value: Value::Use(operand) } if to.local == local => Some(operand),
        _ => None,
    })
}

/// Nothing limits what is given, and it is no answer to a request of the package.
fn origin(checker: &Checker<'_>, site: &Site, given: &Operand) -> Result<(), Reason> {
    let graph = &site.graph;
    let mut at = given.place().map(|place| place.local);
    for _ in 0..STEPS {
        let Some(local) = at else { return Ok(()) };
        let maker = graph.local(local).def.and_then(|def| Some((def, graph.call_at(def)?)));
        if let Some((def, call)) = maker {
            if call.effects.contains(&Effect::Bounds) {
                return Err(Reason::Bounded(graph.node(def).span));
            }
            if classes_of(checker.world, call).contains(&ANSWER) {
                return Err(Reason::Context("it is the body of an answer"));
            }
            return Ok(());
        }
        at = moved_from(graph, local).and_then(Operand::place).map(|place| place.local);
    }
    Ok(())
}
