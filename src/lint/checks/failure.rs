//! Failures that never happen, and those with which the process ends: nothing is lost by them.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::Effect;
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Edge, Exit, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Test,
    Value, Visit,
};
use crate::lint::flow::Loss;
use crate::lint::ir::{ExprKind, Span};
use crate::lint::names::FnId;
use crate::lint::types::Target;

use super::callers::Callers;
use super::{Checker, context};

/// Functions followed, inwards or outwards.
const DEPTH: u32 = 6;

/// Steps without a choice, such as drops at the end of a scope.
const STEPS: usize = 200;

/// The `?` of a body, and which of their values always succeed.
#[derive(Default)]
pub(super) struct Attempts {
    asked: FxHashMap<Span, LocalId>,
    fine: FxHashMap<LocalId, bool>,
}

impl Attempts {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut asked = FxHashMap::default();
        for node in &graph.nodes {
            if let NodeKind::Branch(Test::Success(place)) = &node.kind
                && place.path.is_empty()
            {
                asked.entry(node.span).or_insert(place.local);
            }
        }
        Self { asked, fine: FxHashMap::default() }
    }
}

/// Whether a loss is behind the `?` of a function of the package that always succeeds.
pub(super) fn never_happens(
    checker: &Checker<'_>,
    site: &Site,
    attempts: &mut Attempts,
    loss: &Loss,
) -> bool {
    attempts.asked.get(&loss.span).is_some_and(|&local| {
        let fine = attempts.fine.entry(local);
        *fine.or_insert_with(|| succeeds(checker, &site.graph, local, DEPTH))
    })
}

/// Whether a Result or Option is always what it hopes for.
fn succeeds(checker: &Checker<'_>, graph: &Graph, local: LocalId, depth: u32) -> bool {
    let goes_on = |operand: &Operand| {
        let place = operand.place().filter(|place| place.path.is_empty() && depth > 0);
        place.is_some_and(|place| succeeds(checker, graph, place.local, depth - 1))
    };
    let mut made = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Assign { to, value } if *to == Place::of(local) => Some(match value {
            Value::Use(operand) => goes_on(operand),
            Value::Parts { parts, rest: None, written: false } => {
                !parts.is_empty() && parts.iter().all(|(part, _)| *part == Part::Payload)
            }
            _ => false,
        }),
        NodeKind::Await { to, what } if *to == Place::of(local) => Some(goes_on(what)),
        NodeKind::Call(call) if call.to == local => {
            Some(depth > 0 && returns_success(checker, call, depth - 1))
        }
        _ => None,
    });
    made.next() == Some(true) && made.all(|made| made)
}

fn returns_success(checker: &Checker<'_>, call: &Call, depth: u32) -> bool {
    let id = match &call.target {
        Target::Own(id) => id,
        _ => return call.effects.contains(&Effect::Succeeds),
    };
    // A function of a trait may be another.
    let by_trait = checker.world.names.function(*id).of_trait.is_some();
    let site = checker.bodies.of_function(*id).filter(|_| !by_trait);
    site.is_some_and(|site| {
        let graph = &site.graph;
        let tries = graph.nodes.iter().any(|node| matches!(node.kind, NodeKind::Exit(Exit::Try)));
        !tries && succeeds(checker, graph, graph.result, depth)
    })
}

/// Whether every loss is by a failure, and whoever calls the function panics at it or hands it on
/// to somebody who does, up to `main`: the process ends.
pub(super) fn is_final(checker: &Checker<'_>, site: &Rc<Site>, losses: &[Loss]) -> bool {
    let Some(id) = site.function.filter(|_| site.parent.is_none()) else { return false };
    !losses.is_empty()
        && losses.iter().all(|loss| is_failure(&site.graph, loss.node))
        && ends_process(checker, id, DEPTH)
}

/// Whether the process is over after every loss, here or in all that call the function.
pub(super) fn is_last(callers: &Callers<'_>, site: &Rc<Site>, losses: &[Loss]) -> bool {
    let (in_callers, inside) = <(FxHashMap<FnId, bool>, FxHashMap<FnId, bool>)>::default();
    let mut ends = Ends { callers, in_callers, inside };
    !losses.is_empty() && losses.iter().all(|loss| ends.after(site, loss.node, DEPTH))
}

/// Looks for the end of the process, and remembers what it found; what only leads round in a circle
/// does not end.
struct Ends<'c, 'a> {
    callers: &'c Callers<'a>,
    /// Whether it ends behind all calls of a function.
    in_callers: FxHashMap<FnId, bool>,
    /// Whether it ends in a function.
    inside: FxHashMap<FnId, bool>,
}

impl Ends<'_, '_> {
    /// Whether all ways from a step lead there, those of all callers included.
    fn after(&mut self, site: &Rc<Site>, from: NodeId, depth: u32) -> bool {
        let graph = &site.graph;
        let (mut ends, mut returns) = (false, false);
        let goes_on = graph.leads([from], |id| match &graph.node(id).kind {
            NodeKind::Call(call) if self.exits(graph, id, call, depth) => {
                ends = true;
                Visit::Ends
            }
            NodeKind::Exit(Exit::Never) => Visit::Found,
            NodeKind::Exit(_) => {
                returns = true;
                Visit::Ends
            }
            _ => Visit::On,
        });
        !goes_on && if returns { self.in_callers(site, depth) } else { ends }
    }

    /// The same behind every call of the function.
    fn in_callers(&mut self, site: &Site, depth: u32) -> bool {
        let function = site.function.filter(|_| site.parent.is_none() && depth > 0);
        let Some(id) = function.filter(|&id| !self.callers.world.names.is_offered(id)) else {
            return false;
        };
        if let Some(&known) = self.in_callers.get(&id) {
            return known;
        }
        self.in_callers.insert(id, false);
        let all = self.callers.of(id).unwrap_or_default();
        let ends = all.iter().all(|(caller, node)| self.after(caller, *node, depth - 1));
        self.in_callers.insert(id, ends && !all.is_empty());
        ends && !all.is_empty()
    }

    /// Whether a call ends the process, itself or as all that a function of the package comes to.
    fn exits(&mut self, graph: &Graph, at: NodeId, call: &Call, depth: u32) -> bool {
        let Target::Own(id) = call.target else { return call.effects.contains(&Effect::Exits) };
        let never = |next: NodeId| matches!(graph.node(next).kind, NodeKind::Exit(Exit::Never));
        if depth == 0 || !graph.node(at).next.iter().all(|&(_, next)| never(next)) {
            return false;
        }
        if let Some(&known) = self.inside.get(&id) {
            return known;
        }
        self.inside.insert(id, false);
        let inner = self.callers.bodies.of_function(id);
        let ends = inner.is_some_and(|inner| self.after(&inner, inner.graph.entry, depth - 1));
        self.inside.insert(id, ends);
        ends
    }
}

/// The exit that a step leads to without a choice.
fn exit_of(graph: &Graph, from: NodeId) -> Option<(NodeId, Exit)> {
    let mut at = from;
    for _ in 0..STEPS {
        let node = graph.node(at);
        if let NodeKind::Exit(exit) = node.kind {
            return Some((at, exit));
        }
        let [(Edge::Next, next)] = node.next.as_slice() else { return None };
        at = *next;
    }
    None
}

/// A `?`, or a return of which nothing but `Err` is seen.
fn is_failure(graph: &Graph, from: NodeId) -> bool {
    match exit_of(graph, from) {
        Some((_, Exit::Try)) => true,
        Some((end, Exit::Return)) => {
            let mut errors = given_at(graph, end).map(|given| is_error(graph, given));
            errors.next() == Some(true) && errors.all(|error| error)
        }
        _ => false,
    }
}

/// Whether the function plainly ends well behind a step: it gives no error, nor a variable of which
/// nobody can tell what it says.
pub(super) fn ends_well(graph: &Graph, from: NodeId) -> bool {
    let Some((end, exit)) = exit_of(graph, from) else { return false };
    let hands_on = || given_at(graph, end).any(|given| is_variable(graph, given));
    !matches!(exit, Exit::Try | Exit::Never) && !is_failure(graph, from) && !hands_on()
}

/// Whether a value is that of a variable, as it is.
fn is_variable(graph: &Graph, local: LocalId) -> bool {
    let mut at = local;
    for _ in 0..STEPS {
        if graph.local(at).kind == LocalKind::Binding {
            return true;
        }
        let mut made = graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Assign { to, value: Value::Use(Operand::Move(from)) } if to.local == at => {
                Some(from.local)
            }
            _ => None,
        });
        match (made.next(), made.next()) {
            (Some(from), None) => at = from,
            _ => return false,
        }
    }
    false
}

/// The values that may be returned at an exit.
fn given_at(graph: &Graph, end: NodeId) -> impl Iterator<Item = LocalId> {
    graph.ids().filter_map(move |id| match &graph.node(id).kind {
        NodeKind::Assign { to, value: Value::Use(Operand::Move(from)) }
            if to.local == graph.result
                && exit_of(graph, id).is_some_and(|(exit, _)| exit == end) =>
        {
            Some(from.local)
        }
        _ => None,
    })
}

/// `Err(…)`
fn is_error(graph: &Graph, local: LocalId) -> bool {
    let made = graph.local(local).def.map(|def| &graph.node(def).kind);
    matches!(made, Some(NodeKind::Assign { value: Value::Parts { parts, .. }, .. })
        if parts.iter().all(|(part, _)| matches!(part, Part::Field(name) if name.as_str() == "Err")))
}

/// Whether nobody goes on when the function fails.
fn ends_process(checker: &Checker<'_>, id: FnId, depth: u32) -> bool {
    let names = checker.world.names;
    if context::is_entry(names, id) {
        return true;
    }
    if depth == 0 || names.is_offered(id) {
        return false;
    }
    let Some(callers) = checker.callers.of(id) else { return false };
    !callers.is_empty()
        && callers.iter().all(|(caller, node)| {
            let call = caller.graph.call_at(*node);
            let call = call.filter(|call| matches!(call.target, Target::Own(_)));
            // A panic in a task, or in a closure that somebody runs, may end only that.
            let plain = caller.parent.is_none() && caller.function != Some(id);
            plain
                && call.is_some_and(|call| {
                    panics(checker, caller, caller.graph.node(*node).span)
                        || gives_up(checker, caller, call, depth - 1)
                })
        })
}

/// Whether `unwrap` or `expect` stands behind a call, its await, or what methods make of them.
fn panics(checker: &Checker<'_>, caller: &Site, call: Span) -> bool {
    let bodies = &checker.world.names.source(caller.file).file.bodies;
    let around = |span: Span| span.start <= call.start && call.end <= span.end;
    let unwrapped = bodies.iter().filter(|body| around(body.span)).any(|body| {
        body.exprs.iter().filter(|expr| around(expr.span)).any(|expr| {
            let ExprKind::Method { receiver, name, .. } = &expr.kind else { return false };
            let mut at = *receiver;
            while body.expr(at).span.end != call.end {
                at = match &body.expr(at).kind {
                    ExprKind::Await(inner) => *inner,
                    ExprKind::Method { receiver, .. } => *receiver,
                    _ => return false,
                };
            }
            matches!(name.as_str(), "unwrap" | "expect")
        })
    });
    // A panic in a task ends only that.
    unwrapped && !caller.graph.is_async
}

/// Whether the caller panics at a failure of the call, or hands it on to who does.
fn gives_up(checker: &Checker<'_>, caller: &Site, call: &Call, depth: u32) -> bool {
    let graph = &caller.graph;
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([call.to]);
    let mut answers: Vec<Option<Exit>> = Vec::new();
    // Steps stand in the order of the text: one pass follows what is bound, awaited and chained.
    for node in &graph.nodes {
        let is = |operand: &Operand| operand.place().is_some_and(|at| same.contains(&at.local));
        match &node.kind {
            NodeKind::Branch(Test::Success(place)) if same.contains(&place.local) => {
                let failed = node.next.iter().find(|(edge, _)| *edge == Edge::False);
                let exit = failed.and_then(|&(_, next)| exit_of(graph, next));
                answers.push(exit.map(|(_, exit)| exit));
            }
            NodeKind::Branch(_) if same.iter().any(|&local| node.kind.uses(local)) => {
                answers.push(None);
            }
            NodeKind::Assign { to, value } if same.iter().any(|&local| value.uses(local)) => {
                if to.local == graph.result {
                    answers.push(Some(Exit::Return));
                }
                same.insert(to.local);
            }
            NodeKind::Await { to, what } if is(what) => {
                same.insert(to.local);
            }
            NodeKind::Call(next) if next.receiver.as_ref().is_some_and(is) => {
                same.insert(next.to);
            }
            _ => {}
        }
    }
    let handed_on = || {
        let function = caller.function;
        function.is_some_and(|function| ends_process(checker, function, depth))
    };
    !answers.is_empty()
        && answers.iter().all(|answer| match answer {
            Some(Exit::Never) => !graph.is_async,
            Some(Exit::Try | Exit::Return) => handed_on(),
            _ => false,
        })
}
