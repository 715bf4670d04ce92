//! retry-loop: a loop that an error ends, or that repeats what failed without a pause.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Edge, Exit, Graph, LocalId, LocalKind, Loop, LoopKind, NodeId, NodeKind, Operand, Test,
    Value,
};

use super::doing::{Doing, is_lazy};
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item, track};

/// The class whose loops must not end at an error.
const ACCEPT: &str = "accept";

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::RetryLoop);
    if rules.is_empty() {
        return;
    }
    let doing = Doing::new(checker.world, checker.bodies);
    for site in checker.sites {
        for (id, call) in super::calls(site) {
            let classes = classes_of(checker.world, call);
            for &known in &rules {
                if !classes.contains(&known.rule.class.as_str()) {
                    continue;
                }
                let contexts = context::contexts(checker.world, site, id);
                let fits = context::fits(&known.rule.when, &contexts).map_err(Reason::Context);
                let ends_matter = known.rule.class == ACCEPT;
                let judged = fits.and_then(|()| judge(site, &doing, id, call, ends_matter));
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

/// What lies on the way of an error.
#[derive(Default)]
struct Failing {
    ends: Option<NodeId>,
    spins: bool,
    pauses: Option<NodeId>,
    decides: Option<NodeId>,
    panics: bool,
}

fn judge(
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
        if !graph.loops_around(at).any(|other| other.head == round.head) {
            continue;
        }
        asked = Some(at);
        let way = walk(site, doing, (at, failing), id, round, &results);
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

/// Goes all ways that an error can go.
fn walk(
    site: &Rc<Site>,
    doing: &Doing<'_>,
    (start, edge): (NodeId, Edge),
    call: NodeId,
    round: &Loop,
    results: &[LocalId],
) -> Failing {
    let graph = &site.graph;
    let mut way = Failing::default();
    let mut seen: FxHashSet<NodeId> = FxHashSet::default();
    let along = |id: NodeId, edge: Edge| {
        let next = graph.node(id).next.iter();
        next.filter(move |(at, _)| *at == edge).map(|&(_, next)| next).collect::<Vec<_>>()
    };
    let mut stack = along(start, edge);
    while let Some(id) = stack.pop() {
        if id == call {
            way.spins = true;
            continue;
        }
        if !seen.insert(id) {
            continue;
        }
        let node = graph.node(id);
        let left =
            node.inside.is_none() || !graph.loops_around(id).any(|other| other.head == round.head);
        match &node.kind {
            NodeKind::Exit(Exit::Never) => {
                way.panics = true;
                continue;
            }
            NodeKind::Exit(_) => {
                way.ends = way.ends.or(Some(id));
                continue;
            }
            NodeKind::Branch(test) => match failure_edge(test, results) {
                Some(edge) => {
                    stack.extend(along(id, edge));
                    continue;
                }
                None if !left => way.decides = way.decides.or(Some(id)),
                None => {}
            },
            NodeKind::Call(_) | NodeKind::Await { .. } | NodeKind::Select { .. } => {
                let does = doing.step(site, id);
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
