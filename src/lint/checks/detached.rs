//! detached-endless: a task or thread that loops for ever, and that nobody can stop.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::{Effect, Engine};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Exit, LoopKind, NodeId, NodeKind, Place};
use crate::lint::flow::Holders;
use crate::lint::ir::Span;
use crate::lint::names::{FileId, FnId};
use crate::lint::types::{Target, World};

use super::callers::Callers;
use super::doing::{Doing, Origin, origin};
use super::track::{self, Turn};
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item};

/// Functions looked into to find the loop.
const DEPTH: u32 = 4;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::DetachedEndless);
    if rules.is_empty() {
        return;
    }
    let callers = Rc::clone(&checker.callers);
    let mut search = Search::new(checker);
    let mut found = Vec::new();
    for site in search.checker.sites {
        for (id, call) in super::calls(site) {
            let classes = classes_of(search.checker.world, call);
            for &known in &rules {
                if classes.contains(&known.rule.class.as_str()) {
                    let outcome = match judge(&mut search, &callers, site, id, call, known) {
                        Ok(reported) => Outcome::Reported(Box::new(reported)),
                        Err(reason) => Outcome::Silent(reason),
                    };
                    found.push((known, site, id, call.evidence, outcome));
                }
            }
        }
    }
    for (known, site, id, evidence, outcome) in found {
        checker.add(known, site, id, evidence, outcome);
    }
}

fn judge(
    search: &mut Search<'_, '_>,
    callers: &Callers<'_>,
    site: &Rc<Site>,
    id: NodeId,
    call: &Call,
    known: &crate::catalog::LintRule,
) -> Result<Reported, Reason> {
    let world = search.checker.world;
    let contexts = context::contexts(world, site, id);
    context::fits(&known.rule.when, &contexts).map_err(Reason::Context)?;
    let Some((inside, span)) = search.endless_work(site, call) else {
        return Err(Reason::Context("what it runs may end"));
    };
    if let Some(span) = kept(world, site, id, call) {
        return Err(Reason::Escapes(span, "somebody has its handle"));
    }
    let once = site.function.is_none_or(|function| callers.once(function));
    if once || initialises(search.checker, site) {
        return Err(Reason::Context("it is started once in the life of the process"));
    }
    let mut related = Vec::new();
    if inside == site.file {
        related.push((Role::Step, span, "this never ends".to_owned()));
    }
    Ok(Reported { item: item(world, call), related, ..Reported::default() })
}

/// The closure around runs once, whoever calls it.
fn initialises(checker: &Checker<'_>, site: &Site) -> bool {
    let mut at = site.parent.as_ref();
    while let Some((parent, made)) = at {
        let made = made.and_then(|made| match &parent.graph.node(made).kind {
            NodeKind::Assign { to, .. } => Some(to.local),
            _ => None,
        });
        let given = parent.graph.calls().any(|(_, call)| {
            let takes = call.args.iter().any(|arg| arg.place().map(|at| at.local) == made);
            takes && classes_of(checker.world, call).contains(&"once-init")
        });
        if made.is_some() && given {
            return true;
        }
        at = parent.parent.as_ref();
    }
    false
}

/// Where somebody takes or uses the handle.
pub(super) fn kept(world: &World<'_>, site: &Site, start: NodeId, call: &Call) -> Option<Span> {
    let graph = &site.graph;
    let mut seen: FxHashSet<(NodeId, Holders)> = FxHashSet::default();
    let first = vec![Place::of(call.to)];
    let mut stack: Vec<(NodeId, Holders)> =
        graph.node(start).next.iter().map(|&(_, next)| (next, first.clone())).collect();
    while let Some((id, mut held)) = stack.pop() {
        if id == start || !seen.insert((id, held.clone())) {
            continue;
        }
        let node = graph.node(id);
        match track::step(world, graph, id, &mut held) {
            Turn::Gone | Turn::DroppedByHand => continue,
            Turn::Moved | Turn::Awaited => return Some(node.span),
            Turn::Used if !matches!(node.kind, NodeKind::Branch(_)) => return Some(node.span),
            _ if matches!(node.kind, NodeKind::Exit(Exit::Return | Exit::End | Exit::Try)) => {
                return Some(node.span);
            }
            _ => {}
        }
        stack.extend(node.next.iter().map(|&(_, next)| (next, held.clone())));
    }
    None
}

/// Looks for what never ends.
pub(super) struct Search<'s, 'a> {
    checker: &'s Checker<'a>,
    doing: Doing<'s>,
    known: FxHashMap<FnId, Option<Span>>,
}

impl<'s, 'a> Search<'s, 'a> {
    pub(super) fn new(checker: &'s Checker<'a>) -> Self {
        let doing = Doing::new(checker.world, checker.bodies);
        Self { checker, doing, known: FxHashMap::default() }
    }

    /// The file and place of the loop, when what a call is given to run never ends.
    pub(super) fn endless_work(&mut self, site: &Rc<Site>, call: &Call) -> Option<(FileId, Span)> {
        call.args.iter().find_map(|arg| self.endless_future(site, &origin(&site.graph, arg), DEPTH))
    }

    /// The file and place of the loop, when awaiting or running this never ends.
    fn endless_future(
        &mut self,
        site: &Rc<Site>,
        origin: &Origin,
        depth: u32,
    ) -> Option<(FileId, Span)> {
        match origin {
            Origin::Body(body) => {
                let inner = self.checker.bodies.inner(site, *body)?;
                Some((inner.file, self.endless(&inner, depth)?))
            }
            Origin::Call(id) => match &site.graph.call_at(*id)?.target {
                Target::Own(function) => {
                    let file = self.checker.world.names.function(*function).file;
                    Some((file, self.endless_function(*function, depth)?))
                }
                _ => None,
            },
            Origin::Unknown => None,
        }
    }

    fn endless_function(&mut self, id: FnId, depth: u32) -> Option<Span> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        if depth == 0 {
            return None;
        }
        self.known.insert(id, None);
        let found =
            self.checker.bodies.of_function(id).and_then(|site| self.endless(&site, depth - 1));
        self.known.insert(id, found);
        found
    }

    /// A loop, or a call of something endless, from which no step leads out.
    fn endless(&mut self, site: &Rc<Site>, depth: u32) -> Option<Span> {
        let graph = &site.graph;
        let live = graph.reached(graph.entry);
        let is_live = |id: NodeId| live.get(id.0 as usize) == Some(&true);
        for round in graph.loops.iter().filter(|round| is_live(round.head)) {
            if round.kind != LoopKind::Loop {
                continue;
            }
            let reached = graph.reached(round.head);
            let ends =
                graph.ids().filter(|id| reached.get(id.0 as usize) == Some(&true)).any(|id| {
                    matches!(
                        graph.node(id).kind,
                        NodeKind::Exit(Exit::Return | Exit::Try | Exit::End)
                    ) || self.may_end(site, id)
                });
            if !ends {
                return Some(round.span);
            }
        }
        for id in graph.ids().filter(|&id| is_live(id)) {
            let node = graph.node(id);
            let called = match &node.kind {
                NodeKind::Await { what, .. } => origin(graph, what),
                NodeKind::Call(call)
                    if matches!(call.target, Target::Own(_))
                        && !super::doing::is_lazy(graph, call) =>
                {
                    Origin::Call(id)
                }
                _ => continue,
            };
            if self.endless_future(site, &called, depth).is_some() {
                return Some(node.span);
            }
        }
        None
    }

    /// A step that panics or leaves when the other side is gone, or that nobody understands.
    fn may_end(&self, site: &Rc<Site>, id: NodeId) -> bool {
        let does = self.doing.step(site, id);
        let exits = site.graph.call_at(id).is_some_and(|call| {
            call.effects.contains(&Effect::Exits) || call.effects.contains(&Effect::NeverReturns)
        });
        does.ends || exits
    }
}
