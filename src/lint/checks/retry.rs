//! retry-loop: a loop that an error ends, or that repeats what failed without a pause.
//!
//! A function of the package that hands the failure of such a call on counts as that call.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Edge, Exit, Graph, LocalId, LocalKind, Loop, LoopKind, NodeId, NodeKind, Operand, Test,
    Value,
};
use crate::lint::ir::{Body, ExprId, ExprKind, Name, Span};
use crate::lint::names::FnId;
use crate::lint::types::Target;

use super::doing::{Doing, is_lazy};
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item, track};

/// The class whose loops must not end at an error; that they spin is another rule.
const ACCEPT: &str = "accept";

/// Functions looked into for the call that fails.
const DEPTH: u32 = 2;

/// Settings asked on one way.
const SETTINGS: u32 = 3;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::RetryLoop);
    if rules.is_empty() {
        return;
    }
    let doing = Doing::new(checker.world, checker.bodies);
    for site in &with_callers(checker, &doing, &rules) {
        for (id, call) in super::calls(site) {
            for &known in &rules {
                let ends_matter = known.rule.class == ACCEPT;
                let depth = if ends_matter { 0 } else { DEPTH };
                if !is_of(checker, &doing, call, &known.rule.class, depth) {
                    continue;
                }
                let contexts = context::contexts(checker.world, site, id);
                let fits = context::fits(&known.rule.when, &contexts).map_err(Reason::Context);
                let judged =
                    fits.and_then(|()| judge(checker, site, &doing, id, call, ends_matter));
                let outcome = match judged {
                    Err(reason) => Outcome::Silent(reason),
                    Ok((at, how)) => Outcome::Reported(Box::new(Reported {
                        item: item(checker.world, call),
                        related: vec![(Role::Step, site.graph.node(at).span, how.to_owned())],
                        ..Reported::default()
                    })),
                };
                checker.add(known, site, id, call.evidence, outcome);
            }
        }
    }
}

/// The bodies that mention such calls, and those that call a function which hands its failure on.
fn with_callers(checker: &Checker<'_>, doing: &Doing<'_>, rules: &[&LintRule]) -> Vec<Rc<Site>> {
    let mut sites = checker.sites.to_vec();
    let mut known: FxHashSet<*const Site> = sites.iter().map(Rc::as_ptr).collect();
    let mut seen: FxHashSet<FnId> = FxHashSet::default();
    let mut next = 0;
    while let Some(site) = sites.get(next).cloned() {
        next += 1;
        let Some(id) = site.function.filter(|id| site.parent.is_none() && seen.insert(*id)) else {
            continue;
        };
        let hands = |rule: &&LintRule| hands_on(checker, doing, id, &rule.rule.class, DEPTH - 1);
        if !rules.iter().any(hands) {
            continue;
        }
        for (caller, _) in checker.callers.of(id).unwrap_or_default() {
            if known.insert(Rc::as_ptr(&caller)) {
                sites.push(caller);
            }
        }
    }
    sites
}

/// A call of the class, or of a function of the package that fails at once when such a call does.
fn is_of(checker: &Checker<'_>, doing: &Doing<'_>, call: &Call, class: &str, depth: u32) -> bool {
    let Target::Own(id) = call.target else {
        return classes_of(checker.world, call).contains(&class);
    };
    depth > 0 && hands_on(checker, doing, id, class, depth - 1)
}

/// Whether a failure of a call of the class leaves the function without a pause.
fn hands_on(checker: &Checker<'_>, doing: &Doing<'_>, id: FnId, class: &str, depth: u32) -> bool {
    let function = checker.world.names.function(id);
    // Whoever implements a trait may do something else.
    let site = checker.bodies.of_function(id).filter(|_| function.of_trait.is_none());
    let Some(site) = site.filter(|_| !doing.function(id).sleeps) else { return false };
    let graph = &site.graph;
    graph.calls().any(|(node, call)| {
        let mut around = graph.loops_around(node);
        match (around.next(), around.next()) {
            (None, _) => {
                is_of(checker, doing, call, class, depth) && {
                    let results = results(graph, call);
                    results.contains(&graph.result)
                        || graph.nodes.iter().any(|node| match &node.kind {
                            NodeKind::Branch(test) => failure_edge(test, &results)
                                .is_some_and(|edge| leaves(graph, node.next.as_slice(), edge)),
                            _ => false,
                        })
                }
            }
            (Some(round), None) if round.kind == LoopKind::For => {
                is_of(checker, doing, call, class, depth) && ends_with_success(graph, node, call)
            }
            _ => false,
        }
    })
}

/// Whether a `for` tries one after the other until one works: when none does, all have failed.
fn ends_with_success(graph: &Graph, node: NodeId, call: &Call) -> bool {
    let results = results(graph, call);
    graph.ids().any(|at| {
        let NodeKind::Branch(test) = &graph.node(at).kind else { return false };
        failure_edge(test, &results).is_some_and(|failing| {
            let success = if failing == Edge::False { Edge::True } else { Edge::False };
            leads_to(graph, at, failing, node) && !leads_to(graph, at, success, node)
        })
    })
}

/// Whether a way leads from this side of a branch to a step.
fn leads_to(graph: &Graph, from: NodeId, side: Edge, to: NodeId) -> bool {
    let first = graph.node(from).next.iter().filter(|(edge, _)| *edge == side);
    let mut stack: Vec<NodeId> = first.map(|&(_, next)| next).collect();
    let mut seen: FxHashSet<NodeId> = FxHashSet::default();
    while let Some(at) = stack.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            stack.extend(graph.node(at).next.iter().map(|&(_, next)| next));
        }
    }
    false
}

/// Whether this side of a branch is a `?`.
fn leaves(graph: &Graph, next: &[(Edge, NodeId)], edge: Edge) -> bool {
    let mut at = next.iter().find(|(side, _)| *side == edge).map(|&(_, next)| next);
    while let Some(id) = at {
        let node = graph.node(id);
        at = match node.kind {
            NodeKind::Exit(exit) => return exit == Exit::Try,
            NodeKind::Drop(_) => node.next.first().map(|&(_, next)| next),
            _ => None,
        };
    }
    false
}

/// What lies on the way of an error.
#[derive(Default)]
struct Failing {
    ends: Option<NodeId>,
    spins: bool,
    pauses: Option<NodeId>,
    decides: Option<NodeId>,
    panics: bool,
}

impl Failing {
    /// Nothing but the next turn.
    fn only_spins(&self) -> bool {
        self.spins && !self.panics && self.ends.or(self.pauses).or(self.decides).is_none()
    }

    fn add(&mut self, other: &Self) {
        self.ends = self.ends.or(other.ends);
        self.spins |= other.spins;
        self.pauses = self.pauses.or(other.pauses);
        self.decides = self.decides.or(other.decides);
        self.panics |= other.panics;
    }
}

fn judge(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    doing: &Doing<'_>,
    id: NodeId,
    call: &Call,
    ends_matter: bool,
) -> Result<(NodeId, &'static str), Reason> {
    let graph = &site.graph;
    let Some(round) = graph.loops_around(id).next() else {
        return Err(Reason::Context("it is in no loop"));
    };
    if round.kind == LoopKind::For {
        return Err(Reason::Context("the loop has a limit"));
    }
    let results = results(graph, call);
    let mut asked = None;
    for at in graph.ids() {
        let NodeKind::Branch(test) = &graph.node(at).kind else { continue };
        let Some(failing) = failure_edge(test, &results) else { continue };
        if !graph.is_in(at, round) {
            continue;
        }
        asked = Some(at);
        let walk = Walk { checker, site, doing, call: id, round, results: &results };
        let way = walk.along(at, failing, SETTINGS);
        let span = |node: NodeId| graph.node(node).span;
        if let Some(pause) = way.pauses {
            return Err(Reason::Released(span(pause)));
        }
        if let Some(decides) = way.decides {
            return Err(Reason::Escapes(span(decides), "it looks at more than the failure"));
        }
        if way.panics {
            return Err(Reason::ProcessEnds);
        }
        match way.ends {
            Some(end) if ends_matter => return Ok((end, "an error leaves the loop here")),
            Some(end) => return Err(Reason::Escapes(span(end), "an error leaves the loop")),
            None if way.spins && ends_matter => return Err(Reason::OtherRule),
            None if way.spins => return Ok((at, "an error leads straight to the next turn")),
            None => {}
        }
    }
    Err(match asked {
        Some(_) => Reason::Context("the error leads elsewhere"),
        None => Reason::Context("nobody looks at its result"),
    })
}

/// Locals that hold what the call gave, once it is awaited.
fn results(graph: &Graph, call: &Call) -> Vec<LocalId> {
    let mut results = Vec::new();
    if !is_lazy(graph, call) {
        results.push(call.to);
    }
    let mut futures = vec![call.to];
    let mut next = 0;
    while let Some(&at) = futures.get(next) {
        next += 1;
        for node in &graph.nodes {
            match &node.kind {
                NodeKind::Await { to, what } if is(what, at) => results.push(to.local),
                NodeKind::Assign { to, value: Value::Use(from) }
                    if is(from, at) && to.path.is_empty() && !futures.contains(&to.local) =>
                {
                    futures.push(to.local);
                }
                NodeKind::Select { futures: all } => {
                    let number = all.iter().position(|future| is(future, at));
                    results.extend(
                        number
                            .and_then(|number| node.next.get(number))
                            .and_then(|&(_, arm)| bound_in(graph, arm)),
                    );
                }
                _ => {}
            }
        }
    }
    track::moved_on(graph, results, |_| true)
}

/// The name that an arm of `select!` gives the result; a pattern that can fail gives none.
fn bound_in(graph: &Graph, mut at: NodeId) -> Option<LocalId> {
    for _ in 0..8 {
        let node = graph.node(at);
        match &node.kind {
            NodeKind::Assign { to, value: Value::Use(Operand::Move(_)) }
                if graph.local(to.local).kind == LocalKind::Binding =>
            {
                return Some(to.local);
            }
            NodeKind::Join | NodeKind::Drop(_) => at = node.next.first()?.1,
            _ => return None,
        }
    }
    None
}

fn is(operand: &Operand, local: LocalId) -> bool {
    operand.place().is_some_and(|place| place.local == local && place.path.is_empty())
}

/// The edge that is taken when the call failed.
fn failure_edge(test: &Test, results: &[LocalId]) -> Option<Edge> {
    match test {
        Test::Success(place) if place.path.is_empty() && results.contains(&place.local) => {
            Some(Edge::False)
        }
        Test::Not(inner) => match failure_edge(inner, results)? {
            Edge::False => Some(Edge::True),
            _ => Some(Edge::False),
        },
        _ => None,
    }
}

/// Goes the ways of an error.
struct Walk<'w, 'a> {
    checker: &'w Checker<'a>,
    site: &'w Rc<Site>,
    doing: &'w Doing<'a>,
    /// The call that failed, in this loop, with the locals that hold what it gave.
    call: NodeId,
    round: &'w Loop,
    results: &'w [LocalId],
}

impl Walk<'_, '_> {
    /// All ways on this side of a branch. Of a setting the side counts on which nothing but the
    /// next turn comes.
    fn along(&self, start: NodeId, edge: Edge, settings: u32) -> Failing {
        let graph = &self.site.graph;
        let mut way = Failing::default();
        let mut seen: FxHashSet<NodeId> = FxHashSet::default();
        let along = |id: NodeId, edge: Edge| {
            let next = graph.node(id).next.iter();
            next.filter(move |(at, _)| *at == edge).map(|&(_, next)| next).collect::<Vec<_>>()
        };
        let mut stack = along(start, edge);
        while let Some(id) = stack.pop() {
            if id == self.call {
                way.spins = true;
                continue;
            }
            if !seen.insert(id) {
                continue;
            }
            let node = graph.node(id);
            let left = !graph.is_in(id, self.round);
            match &node.kind {
                NodeKind::Exit(Exit::Never) => {
                    way.panics = true;
                    continue;
                }
                NodeKind::Exit(_) => {
                    way.ends = way.ends.or(Some(id));
                    continue;
                }
                NodeKind::Branch(test) => match failure_edge(test, self.results) {
                    Some(edge) => {
                        stack.extend(along(id, edge));
                        continue;
                    }
                    None if !left && settings > 0 && self.is_fixed(node.span) => {
                        let sides = [Edge::True, Edge::False];
                        let sides = sides.map(|edge| self.along(id, edge, settings - 1));
                        match sides.iter().find(|side| side.only_spins()) {
                            Some(side) => way.add(side),
                            None => sides.iter().for_each(|side| way.add(side)),
                        }
                        continue;
                    }
                    None if !left => way.decides = way.decides.or(Some(id)),
                    None => {}
                },
                NodeKind::Call(_) | NodeKind::Await { .. } | NodeKind::Select { .. } => {
                    let does = self.doing.step(self.site, id);
                    if does.sleeps || !left && (does.awaits || does.waits || does.unknown) {
                        way.pauses = way.pauses.or(Some(id));
                        continue;
                    }
                }
                _ => {}
            }
            stack.extend(node.next.iter().map(|&(_, next)| next));
        }
        way
    }

    /// Whether a condition is a setting, which no turn of the loop changes: `if options.once`. It
    /// decides nothing about the failure.
    fn is_fixed(&self, condition: Span) -> bool {
        let bodies = &self.checker.world.names.source(self.site.file).file.bodies;
        let round = self.round.span;
        let inside = |span: Span| round.start <= span.start && span.end <= round.end;
        let asked = bodies.iter().find_map(|body| {
            let mut there = exprs(body).filter(|(span, _)| *span == condition);
            there.find_map(|(_, id)| root(body, id))
        });
        let Some(owner) = asked else { return false };
        // What is made on each turn, such as the error, is no setting.
        let mut of_name = self.site.graph.locals.iter().filter(|local| local.name == Some(owner));
        if of_name.any(|local| inside(local.span)) {
            return false;
        }
        // What is only ever looked at stays what it is.
        bodies.iter().all(|body| {
            exprs(body).filter(|(span, _)| inside(*span)).all(|(_, id)| match &body.expr(id).kind {
                ExprKind::Assign { target, .. } | ExprKind::Update { target, .. } => {
                    root(body, *target) != Some(owner)
                }
                ExprKind::Ref { operand } => root(body, *operand) != Some(owner),
                ExprKind::Method { receiver, .. } => named(body, *receiver) != Some(owner),
                _ => true,
            })
        })
    }
}

fn exprs(body: &Body) -> impl Iterator<Item = (Span, ExprId)> {
    (0..).zip(&body.exprs).map(|(number, expr)| (expr.span, ExprId(number)))
}

/// The variable that a place begins with.
fn root(body: &Body, id: ExprId) -> Option<Name> {
    match &body.expr(id).kind {
        ExprKind::Field { base, .. } => root(body, *base),
        _ => named(body, id),
    }
}

fn named(body: &Body, id: ExprId) -> Option<Name> {
    match &body.expr(id).kind {
        ExprKind::Path(path) => path.as_name(),
        _ => None,
    }
}
