//! peer-wait: a wait for a peer that nothing bounds, neither here nor in who calls it.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::{Context, Effect, Engine, When};
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{Call, Edge, Graph, LocalId, NodeId, NodeKind, Operand, Test, Value};
use crate::lint::ir::Span;
use crate::lint::names::{FileId, FnId};
use crate::lint::types::{Target, Ty, World};

use super::brought::is_brought;
use super::callers::Callers;
use super::doing::{Doing, is_lazy};
use super::near::is_near;
use super::reach::Reach;
use super::uses::type_of;
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item};

/// Values, bodies and callers followed one after the other.
const DEPTH: u32 = 24;

/// Blocks and variables that a future goes through in a function that is given it.
const NESTED: u32 = 6;

/// Functions between a loop and what it waits for.
const OUTWARDS: u32 = 3;

/// Callers shown at most.
const CALLERS: usize = 6;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::PeerWait);
    if rules.is_empty() {
        return;
    }
    let search = Search::new(checker);
    for site in checker.sites {
        for (id, call) in super::calls(site) {
            let classes = classes_of(checker.world, call);
            for &known in &rules {
                if !classes.contains(&known.rule.class.as_str()) {
                    continue;
                }
                let fits = fits(checker, &search.callers, site, id, &known.rule.when);
                let far = fits.and_then(|()| match is_near(checker, site, call) {
                    true => Err(Reason::Context("the other side is on this machine")),
                    false => Ok(()),
                });
                let far = far.and_then(|()| match is_connected_in_time(checker.world, call) {
                    true => Err(Reason::Context("its connector has limits")),
                    false => Ok(()),
                });
                let bound = far.and_then(|()| search.call(site, call, DEPTH));
                let bound = bound.and_then(|way| match search.choice(site, id, call, DEPTH) {
                    Some(span) => Err(Reason::Bounded(span)),
                    None => Ok(way),
                });
                let milder = |way: &Way| {
                    let offered = || site.function.is_some_and(|id| search.is_offered(id, 4));
                    // Whoever bounds a whole loop does not bound one turn of it.
                    let one_turn = known.rule.when.with.is_some();
                    let left_to_users = !one_turn && !is_forgotten(way.as_deref()) && offered();
                    match () {
                        () if left_to_users || is_brought(checker, site, call) => {
                            Some("who calls it has the future, and may bound it")
                        }
                        () if is_unsure(way.as_deref()) => {
                            Some("who calls it is known by the name of a method alone")
                        }
                        () => None,
                    }
                };
                let outcome = match bound {
                    Err(reason) => Outcome::Silent(reason),
                    Ok(way) => Outcome::Reported(Box::new(Reported {
                        item: item(checker.world, call),
                        callers: places(way.as_deref()),
                        milder: milder(&way),
                        ..Reported::default()
                    })),
                };
                checker.add(known, site, id, call.evidence, outcome);
            }
        }
    }
}

/// Whether the rule is about this place. What is spawned in a loop does not run in it; what a
/// function does that the loop waits for does.
fn fits(
    checker: &Checker<'_>,
    callers: &Callers<'_>,
    site: &Rc<Site>,
    id: NodeId,
    when: &When,
) -> Result<(), Reason> {
    let mut contexts = context::contexts(checker.world, site, id);
    if site.graph.loops_around(id).next().is_none() {
        contexts.retain(|context| *context != Context::Loop);
    }
    if let Some(with) = when.with.as_deref()
        && is_called_in_loop(checker, callers, site, with, OUTWARDS)
    {
        return Ok(());
    }
    context::fits(when, &contexts).map_err(Reason::Context)?;
    match when.with.as_deref() {
        Some(with) if !context::shares_loop(checker, site, id, with) => {
            Err(Reason::Context("the loop does nothing of the other kind"))
        }
        _ => Ok(()),
    }
}

/// Whether a loop with such a call waits for what this body gives it: a function of its own that
/// does no more than that is a part of the turn.
fn is_called_in_loop(
    checker: &Checker<'_>,
    callers: &Callers<'_>,
    site: &Site,
    with: &str,
    depth: u32,
) -> bool {
    let Some(id) = site.function.filter(|_| site.parent.is_none() && depth > 0) else {
        return false;
    };
    // Who gives nothing back serves the peer to its end, one after the other.
    let world = checker.world;
    let given = world.ty(&world.names.function(id).sig.returns, world.scope(id)).payload();
    if given.is_unknown() || matches!(&given, Ty::Tuple(parts) if parts.is_empty()) {
        return false;
    }
    let calls = callers.of(id).unwrap_or_default();
    calls.iter().any(|(caller, node)| {
        let graph = &caller.graph;
        let waits = graph.call_at(*node).is_some_and(|call| {
            matches!(call.target, Target::Own(_))
                && (!is_lazy(graph, call) || is_awaited(graph, call.to))
        });
        waits
            && (context::shares_loop(checker, caller, *node, with)
                || is_called_in_loop(checker, callers, caller, with, depth - 1))
    })
}

/// Whether the body itself awaits a future, and nothing else gets it.
fn is_awaited(graph: &Graph, future: LocalId) -> bool {
    let awaited =
        |node: &NodeKind| matches!(node, NodeKind::Await { what, .. } if is(what, future));
    graph.nodes.iter().any(|node| awaited(&node.kind))
}

/// A call that leads to the wait, and how it is called itself.
struct Step {
    file: FileId,
    span: Span,
    from: Way,
    /// Others that call the same without a bound.
    also: Vec<(FileId, Span)>,
    /// Some call it with a bound: so the package sees to it, and forgot it here.
    elsewhere_bounded: bool,
    /// It calls something of this name, of which nobody knows whose it is.
    unsure: bool,
}

/// Callers, from the inside out; nothing when nobody calls it.
type Way = Option<Rc<Step>>;

/// `Ok` when nothing bounds it.
type Bound = Result<Way, Reason>;

/// The places of a way, then those beside it from the inside out.
fn places(way: Option<&Step>) -> Vec<(FileId, Span)> {
    let steps = || std::iter::successors(way, |step| step.from.as_deref());
    let beside = steps().flat_map(|step| step.also.iter().copied());
    steps().map(|step| (step.file, step.span)).chain(beside).take(CALLERS).collect()
}

/// Whether somebody is on the way who perhaps calls something else.
fn is_unsure(way: Option<&Step>) -> bool {
    std::iter::successors(way, |step| step.from.as_deref()).any(|step| step.unsure)
}

/// Whether one of the callers forgot what another one thought of.
fn is_forgotten(way: Option<&Step>) -> bool {
    std::iter::successors(way, |step| step.from.as_deref()).any(|step| step.elsewhere_bounded)
}

/// Looks for a bound; `Ok` when there is none.
pub(super) struct Search<'a> {
    /// What was found around functions.
    known: RefCell<FxHashMap<FnId, Bound>>,
    values: RefCell<FxHashMap<(*const Site, LocalId), Bound>>,
    callers: Rc<Callers<'a>>,
    doing: Doing<'a>,
    bodies: &'a Bodies<'a>,
}

impl<'a> Search<'a> {
    pub(super) fn new(checker: &Checker<'a>) -> Self {
        Self {
            known: RefCell::default(),
            values: RefCell::default(),
            callers: Rc::clone(&checker.callers),
            doing: Doing::new(checker.world, checker.bodies),
            bodies: checker.bodies,
        }
    }

    /// A bound around what a call makes: put on it as on a future, or, when it is `used` here and
    /// nowhere else, around all that happens here.
    pub(super) fn limit(&self, site: &Rc<Site>, call: &Call, used: bool) -> Option<Reason> {
        let bound = |found: Bound| match found {
            Err(reason @ (Reason::Bounded(_) | Reason::Context(_))) => Some(reason),
            _ => None,
        };
        let around = || bound(self.around(site, DEPTH));
        bound(self.value(site, call.to, DEPTH)).or_else(|| used.then(around)?)
    }

    /// Where somebody chose to do without: there is no limit among the arguments, or the same call
    /// of this body has a bound on another path.
    fn choice(&self, site: &Rc<Site>, id: NodeId, call: &Call, depth: u32) -> Option<Span> {
        let graph = &site.graph;
        let world = self.callers.world;
        let unlimited = graph.ids().find(|&branch| without_limit(world, graph, branch, id));
        if let Some(branch) = unlimited {
            return Some(graph.node(branch).span);
        }
        let same = graph.calls().filter(|(other, twin)| *other != id && twin.target == call.target);
        same.filter(|(_, twin)| is_lazy(graph, twin)).find_map(|(_, twin)| {
            match self.value(site, twin.to, depth) {
                Err(Reason::Bounded(span)) => Some(span),
                _ => None,
            }
        })
    }

    fn call(&self, site: &Rc<Site>, call: &Call, depth: u32) -> Bound {
        if is_lazy(&site.graph, call) {
            return self.value(site, call.to, depth);
        }
        let awaited = site.graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::Await { what, .. } => is(what, call.to),
            NodeKind::Select { futures } => futures.iter().any(|future| is(future, call.to)),
            _ => false,
        });
        if awaited { self.value(site, call.to, depth) } else { self.around(site, depth) }
    }

    /// What becomes of a future: who awaits it, and within which bounds.
    fn value(&self, site: &Rc<Site>, local: LocalId, depth: u32) -> Bound {
        if depth == 0 {
            return Err(Reason::TooComplex);
        }
        // Bodies are kept, so the address says which one it is.
        let key = (Rc::as_ptr(site), local);
        if let Some(known) = self.values.borrow().get(&key) {
            return known.clone();
        }
        // What goes round in a circle says nothing by itself.
        self.values.borrow_mut().insert(key, Err(Reason::UnknownOrigin));
        let found = self.fate(site, local, depth);
        self.values.borrow_mut().insert(key, found.clone());
        found
    }

    fn fate(&self, site: &Rc<Site>, local: LocalId, depth: u32) -> Bound {
        let graph = &site.graph;
        let mut known: Option<Way> = None;
        for node in &graph.nodes {
            let bounded = Err(Reason::Bounded(node.span));
            match &node.kind {
                NodeKind::Assign { value: value @ Value::Parts { written: true, .. }, .. }
                    if value.uses(local) =>
                {
                    return Err(Reason::Escapes(node.span, "it is stored, and polled elsewhere"));
                }
                NodeKind::Assign { to, value } if value.uses(local) && to.local != local => {
                    if let Value::Closure { .. } = value
                        && let Some(way) = self.within(site, to.local, local, depth)?
                    {
                        known = Some(way);
                        continue;
                    }
                    if to.local == graph.result {
                        known = Some(self.around(site, depth - 1)?);
                    } else {
                        match self.value(site, to.local, depth - 1) {
                            Ok(way) => known = Some(way),
                            // A macro such as `pin!`: the value itself goes on.
                            Err(Reason::UnknownOrigin) if matches!(value, Value::Opaque(_)) => {}
                            other => return other,
                        }
                    }
                }
                NodeKind::Await { what, .. } if is(what, local) => {
                    known = Some(self.around(site, depth - 1)?);
                }
                NodeKind::Select { futures } if futures.iter().any(|at| is(at, local)) => {
                    return bounded;
                }
                NodeKind::Call(call)
                    if call.receiver.iter().chain(&call.args).any(|at| is(at, local)) =>
                {
                    if self.bounds(call) || self.limits(call, local) {
                        return bounded;
                    }
                    match self.value(site, call.to, depth - 1) {
                        // What is spawned runs, whatever becomes of its handle.
                        Err(Reason::UnknownOrigin | Reason::Escapes(..))
                            if call.effects.contains(&Effect::Spawns) =>
                        {
                            known = Some(None);
                        }
                        Ok(way) => known = Some(way),
                        other => return other,
                    }
                }
                _ => {}
            }
        }
        known.ok_or(Reason::UnknownOrigin)
    }

    /// What a closure or async block does with a future that it takes in.
    fn within(
        &self,
        site: &Rc<Site>,
        closure: LocalId,
        taken: LocalId,
        depth: u32,
    ) -> Result<Option<Way>, Reason> {
        let Some((inside, taken)) = self.captured(site, closure, taken) else { return Ok(None) };
        match self.value(&inside, taken, depth - 1) {
            Ok(way) => Ok(Some(way)),
            Err(Reason::UnknownOrigin) => Ok(None),
            Err(Reason::Bounded(_)) => Err(Reason::Context("the block that takes it bounds it")),
            Err(other) => Err(other),
        }
    }

    /// The body of a closure or async block, and what it calls a value that it takes in.
    fn captured(
        &self,
        site: &Rc<Site>,
        closure: LocalId,
        taken: LocalId,
    ) -> Option<(Rc<Site>, LocalId)> {
        let graph = &site.graph;
        let body = graph.local(closure).closure?;
        let inside = self.bodies.inner(site, body)?;
        let taken = inside.graph.captured(graph.local(taken).name?)?;
        Some((inside, taken))
    }

    /// A call that puts a limit on what it is given.
    fn bounds(&self, call: &Call) -> bool {
        // Combinators that nobody described: their names, or those of what they make, say it.
        let says = |name: &str| {
            let name = name.to_lowercase();
            ["timeout", "deadline"].iter().any(|word| name.contains(word))
        };
        let named = || says(call.name.as_str());
        match &call.target {
            Target::Own(id) => {
                let names = self.callers.world.names;
                let of_type = || {
                    let of = names.function(*id).of_type;
                    of.is_some_and(|of| says(names.type_def(of).name.as_str()))
                };
                self.doing.function(*id).bounds || named() || call.receiver.is_none() && of_type()
            }
            Target::Api(..) => call.effects.contains(&Effect::Bounds),
            Target::Foreign(path) => says(super::short(path.as_str()).as_str()),
            _ => named(),
        }
    }

    /// Whether a function of the package puts a limit around the future that it is given.
    fn limits(&self, call: &Call, given: LocalId) -> bool {
        let Target::Own(id) = &call.target else { return false };
        let Some(site) = self.bodies.of_function(*id) else { return false };
        let mut operands = call.receiver.iter().chain(&call.args).zip(&site.graph.params);
        let param = operands.find(|(operand, _)| is(operand, given)).map(|(_, param)| *param);
        param.is_some_and(|param| self.is_limited(&site, param, NESTED, &mut FxHashSet::default()))
    }

    /// Whether a body, or a block in it that takes the future in, puts it under a limit.
    fn is_limited(
        &self,
        site: &Rc<Site>,
        future: LocalId,
        depth: u32,
        seen: &mut FxHashSet<(*const Site, LocalId)>,
    ) -> bool {
        let graph = &site.graph;
        depth > 0
            && seen.insert((Rc::as_ptr(site), future))
            && graph.nodes.iter().any(|node| match &node.kind {
                NodeKind::Assign { to, value: Value::Use(from) } if is(from, future) => {
                    to.path.is_empty() && self.is_limited(site, to.local, depth - 1, seen)
                }
                NodeKind::Assign { to, value: value @ Value::Closure { .. } }
                    if value.uses(future) =>
                {
                    let taken = self.captured(site, to.local, future);
                    taken.is_some_and(|(inside, taken)| {
                        self.is_limited(&inside, taken, depth - 1, seen)
                    })
                }
                NodeKind::Call(call) => {
                    call.receiver.iter().chain(&call.args).any(|at| is(at, future))
                        && self.bounds(call)
                }
                _ => false,
            })
    }

    /// Bounds around the whole body: of the closure that it is, or in all that call it.
    fn around(&self, site: &Rc<Site>, depth: u32) -> Bound {
        if depth == 0 {
            return Ok(None);
        }
        if let Some((parent, made)) = &site.parent {
            let made = made.map(|made| &parent.graph.node(made).kind);
            let Some(NodeKind::Assign { to, .. }) = made else {
                return Err(Reason::UnknownOrigin);
            };
            return self.value(parent, to.local, depth - 1);
        }
        let Some(id) = site.function else { return Ok(None) };
        if let Some(known) = self.known.borrow().get(&id) {
            return known.clone();
        }
        // Who calls himself is no caller that counts.
        self.known.borrow_mut().insert(id, Err(Reason::TooComplex));
        let found = self.callers_bound(site, id, depth);
        self.known.borrow_mut().insert(id, found.clone());
        found
    }

    /// `Ok` when somebody calls it without a bound, or nobody does here. Calls of something of that
    /// name only count where others say nothing, and then a bound around one of them is enough.
    fn callers_bound(&self, site: &Rc<Site>, id: FnId, depth: u32) -> Bound {
        let mut callers = self.callers.of(id).ok_or(Reason::TooComplex)?;
        callers.retain(|(caller, _)| caller.function != Some(id));
        let (sure, unsure): (Vec<_>, Vec<_>) = callers.into_iter().partition(|(caller, node)| {
            let call = caller.graph.call_at(*node);
            call.is_some_and(|call| matches!(call.target, Target::Own(_)))
        });
        if sure.is_empty() && self.is_layered(id) {
            return Err(Reason::Context("where its type is put to use, a limit is set"));
        }
        let (mut unbounded, silent) = self.among(site, &sure, depth);
        let is_bound = |reason: &Reason| matches!(reason, Reason::Bounded(_) | Reason::Context(_));
        if let (Some(step), Some(reason)) = (&mut unbounded, &silent) {
            step.elsewhere_bounded = is_bound(reason);
        }
        match (unbounded, silent) {
            (Some(step), _) => return Ok(Some(Rc::new(step))),
            (None, Some(reason)) if is_bound(&reason) => return Err(reason),
            _ => {}
        }
        match self.among(site, &unsure, depth) {
            (_, Some(reason)) if is_bound(&reason) => Err(reason),
            (Some(step), _) => Ok(Some(Rc::new(step))),
            (None, other) => silent.or(other).map_or(Ok(None), Err),
        }
    }

    /// A call without a bound, with others like it, and why another says nothing: a bound if one has
    /// one.
    fn among(
        &self,
        site: &Site,
        callers: &[(Rc<Site>, NodeId)],
        depth: u32,
    ) -> (Option<Step>, Option<Reason>) {
        let depth = depth.saturating_sub(1);
        let mut silent: Option<Reason> = None;
        let mut unbounded: Option<Step> = None;
        for (caller, node) in callers {
            let Some(call) = caller.graph.call_at(*node) else { continue };
            let around = self.call(caller, call, depth);
            let around = around.and_then(|way| match self.choice(caller, *node, call, depth) {
                Some(span) => Err(Reason::Bounded(span)),
                None => Ok(way),
            });
            match around {
                Ok(from) => {
                    let (file, span) = (caller.file, caller.graph.node(*node).span);
                    match &mut unbounded {
                        Some(step) if step.also.len() < CALLERS => step.also.push((file, span)),
                        Some(_) => {}
                        None => {
                            unbounded = Some(Step {
                                file,
                                span,
                                from,
                                also: Vec::new(),
                                elsewhere_bounded: false,
                                unsure: !matches!(call.target, Target::Own(_)),
                            });
                        }
                    }
                }
                Err(reason) => {
                    let known = matches!(silent, Some(Reason::Bounded(_) | Reason::Context(_)));
                    if !known {
                        silent = Some(elsewhere(reason, caller, site));
                    }
                }
            }
        }
        (unbounded, silent)
    }

    /// What others run by a trait of theirs, of a type of which values are made beside something
    /// that sets a limit, such as a layer around a connector.
    fn is_layered(&self, id: FnId) -> bool {
        let names = self.callers.world.names;
        let function = names.function(id);
        let Some(of) = function.of_type.filter(|_| function.of_trait.is_some()) else {
            return false;
        };
        let limits = |call: &Call| match &call.receiver {
            None => self.bounds(call),
            Some(_) => call.name.as_str() == "timeout",
        };
        let sites = self.callers.naming(names.type_def(of).name).unwrap_or_default();
        sites.iter().any(|site| {
            let own = site.function.and_then(|id| names.function(id).of_type) == Some(of);
            let mut locals = site.graph.locals.iter();
            !own && locals.any(|local| matches!(local.ty.bare(), Ty::Own(id, _) if *id == of))
                && site.graph.calls().any(|(_, call)| limits(call))
        })
    }

    /// Part of what a library offers, or only of use to such parts: whoever calls it holds the
    /// future, and may well bound it.
    fn is_offered(&self, id: FnId, depth: u32) -> bool {
        let offered = self.callers.is_offered(id);
        if !offered && !self.callers.is_held(id) {
            return false;
        }
        let Some(callers) = self.callers.of(id) else { return false };
        let mut sure = callers.iter().filter(|(caller, node)| {
            let call = caller.graph.call_at(*node);
            call.is_some_and(|call| matches!(call.target, Target::Own(_)))
                && caller.function != Some(id)
                // A command of the package uses what it offers, and somebody waits for it.
                && self.callers.reach(caller, *node) != Reach::Command
        });
        let of_offer = |(caller, _): &(Rc<Site>, NodeId)| {
            // A block or closure may be run by somebody else, a task for example.
            caller.parent.is_none()
                && depth > 0
                && caller.function.is_some_and(|caller| self.is_offered(caller, depth - 1))
        };
        match sure.next() {
            None => offered,
            Some(first) => of_offer(first) && sure.all(of_offer),
        }
    }
}

/// Whether a client is asked whose connections have limits for what they wait for.
fn is_connected_in_time(world: &World<'_>, call: &Call) -> bool {
    let Ty::Foreign(_, parts) = call.receiver_ty.bare() else { return false };
    parts.iter().any(|part| world.classes(part).contains(&"timed-connector"))
}

/// Whether a step is reached only when there is no duration: `None => connect(addr).await`.
fn without_limit(world: &World<'_>, graph: &Graph, branch: NodeId, id: NodeId) -> bool {
    let node = graph.node(branch);
    let NodeKind::Branch(Test::Success(place)) = &node.kind else { return false };
    let limit = type_of(world, graph, place.local, &place.path).payload();
    let is_limit = limit.path().is_some_and(|path| path.as_str().ends_with("::Duration"));
    is_limit && graph.only_on(branch, Edge::False, id)
}

/// Places in another file mean nothing to who reads the notes of this one.
fn elsewhere(reason: Reason, caller: &Site, site: &Site) -> Reason {
    match reason {
        Reason::Bounded(_) if caller.file != site.file => {
            Reason::Context("who calls this bounds it")
        }
        other => other,
    }
}

fn is(operand: &Operand, local: LocalId) -> bool {
    operand.place().is_some_and(|place| place.local == local)
}
