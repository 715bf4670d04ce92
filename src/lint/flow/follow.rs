//! Walks all paths from where an obligation begins to where it ends.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::model::{Effect, Fails, Handle};
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Edge, Exit, Graph, Local, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place,
    Value,
};
use crate::lint::names::{FnId, Shape, TypeId};
use crate::lint::types::{Target, Ty, World, is_same_pointer};

use super::hold::{self, Holders};
use super::told;
use super::{Escape, Fate, How, Loss, ParamFate, Summaries};

/// Where an obligation begins.
#[derive(Debug, Clone)]
pub(crate) struct Start<'a> {
    pub(crate) class: &'a str,
    /// The step that makes it; its successors come first. The entry for a parameter.
    pub(crate) node: NodeId,
    pub(crate) held: Place,
    /// A raw number or pointer: using it by value copies it.
    pub(crate) copied: bool,
    /// How the call that makes it tells of failure, when that is no Result or Option.
    pub(crate) fails: Option<Fails>,
    /// Where its status is.
    pub(crate) status: Option<Place>,
    /// The parameter that it came in by.
    pub(crate) param: Option<LocalId>,
    /// Who has a reference to it cannot release it.
    pub(crate) by_value: bool,
    /// A type of the package with methods of its own that release it.
    pub(crate) own: Option<TypeId>,
}

/// What is known at a point of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) held: Holders,
    /// Where the status of the acquisition can be looked at.
    pub(super) status: Holders,
    /// A function that takes it got it; it owns it unless the status here tells of a failure.
    pub(super) lent: Holders,
    /// What a call gave that releases it when this is `Some`, and was not looked at yet.
    pub(super) polled: Holders,
    /// What was, and is `None`.
    pub(super) empty: Holders,
    /// The last Result or Option that was asked how it went, and what it told: asked again, it
    /// tells the same.
    pub(super) told: Option<(Place, bool)>,
}

impl State {
    /// The locals that it is about.
    pub(super) fn locals(&self) -> impl Iterator<Item = LocalId> {
        let places = self.held.iter().chain(&self.status).chain(&self.lent);
        let told = self.told.iter().map(|(place, _)| place);
        places.chain(&self.polled).chain(&self.empty).chain(told).map(|place| place.local)
    }
}

/// More states than this in one body, and it is given up.
const STATES: usize = 40_000;

pub(super) struct Walk<'a> {
    pub(super) site: &'a Rc<Site>,
    pub(super) graph: &'a Graph,
    pub(super) world: &'a World<'a>,
    pub(super) summaries: &'a Summaries<'a>,
    pub(super) start: &'a Start<'a>,
    /// A pointer that an owner was turned into: references to what it points to may be all that
    /// anybody wants of it.
    owner: bool,
    fate: Fate,
    /// The step that is being looked at.
    pub(super) at: NodeId,
}

/// What a step does to a state.
pub(super) enum Step {
    On(State),
    /// This path is over.
    Done,
}

/// Follows an obligation to all its ends.
pub(crate) fn follow(site: &Rc<Site>, summaries: &Summaries<'_>, start: &Start<'_>) -> Fate {
    let graph = &site.graph;
    let mut walk = Walk {
        site,
        graph,
        world: summaries.world,
        summaries,
        start,
        owner: is_owner(graph, start),
        fate: Fate::default(),
        at: start.node,
    };
    let first = State {
        held: vec![start.held.clone()],
        status: start.status.iter().cloned().collect(),
        lent: Vec::new(),
        polled: Vec::new(),
        empty: Vec::new(),
        told: None,
    };
    let mut seen: FxHashSet<(NodeId, State)> = FxHashSet::default();
    let mut stack: Vec<(NodeId, State)> =
        graph.node(start.node).next.iter().map(|&(_, next)| (next, first.clone())).collect();
    while let Some((id, state)) = stack.pop() {
        if seen.len() > STATES {
            walk.fate.gave_up = true;
            break;
        }
        let id = walk.skip(id, &state);
        if !seen.insert((id, state.clone())) {
            continue;
        }
        let node = graph.node(id);
        walk.at = id;
        if let NodeKind::Branch(test) = &node.kind {
            for &(edge, next) in &node.next {
                if let Some(state) = walk.branch(test, edge == Edge::True, state.clone()) {
                    stack.push((next, state));
                }
            }
            continue;
        }
        if let Step::On(state) = walk.step(id, state) {
            stack.extend(node.next.iter().map(|&(_, next)| (next, state.clone())));
        }
    }
    let fate = &mut walk.fate;
    fate.lost.sort_by_key(|loss| (loss.span, loss.node));
    fate.lost.dedup_by_key(|loss| loss.span);
    fate.released.sort();
    fate.released.dedup();
    fate.escaped.sort_by_key(|escape| (escape.span, escape.how));
    fate.escaped.dedup();
    fate.returned.sort();
    fate.returned.dedup();
    walk.fate
}

fn is_owner(graph: &Graph, start: &Start<'_>) -> bool {
    let ty = &graph.local(start.held.local).ty;
    let ty = if start.held.path.is_empty() { ty.clone() } else { ty.payload() };
    start.copied && start.fails.is_none() && matches!(ty, Ty::Ptr(_))
}

impl Walk<'_> {
    pub(super) fn local(&self, id: LocalId) -> &Local {
        self.graph.local(id)
    }

    /// The next step that may change the state. Every way back goes by a step where paths meet.
    fn skip(&mut self, mut id: NodeId, state: &State) -> NodeId {
        loop {
            self.fate.steps += 1;
            let node = self.graph.node(id);
            let made = match &node.kind {
                NodeKind::Drop(local) => *local,
                NodeKind::Assign { to, .. } | NodeKind::Await { to, .. } => to.local,
                NodeKind::Call(call) => call.to,
                _ => return id,
            };
            let [(_, next)] = node.next.as_slice() else { return id };
            let about = |local: LocalId| local == made || node.kind.uses(local);
            let tells = state.told.is_some() && told::success(&node.kind).is_some();
            if id == self.start.node || tells || state.locals().any(about) {
                return id;
            }
            id = *next;
        }
    }

    pub(super) fn escape(&mut self, id: NodeId, how: How) -> Step {
        let span = self.graph.node(id).span;
        self.fate.escaped.push(Escape { span, how });
        Step::Done
    }

    pub(super) fn released(&mut self, id: NodeId) -> Step {
        self.fate.released.push(self.graph.node(id).span);
        Step::Done
    }

    fn lost(&mut self, id: NodeId) -> Step {
        let span = self.graph.node(id).span;
        self.fate.lost.push(Loss { node: id, span });
        Step::Done
    }

    /// Goes on when somebody still holds it.
    fn unless_lost(&mut self, id: NodeId, state: State) -> Step {
        if !state.held.is_empty() {
            return Step::On(state);
        }
        // The function that got it told how it went, and nobody asked.
        if state.lent.is_empty() { self.lost(id) } else { self.escape(id, How::Passed) }
    }

    fn step(&mut self, id: NodeId, mut state: State) -> Step {
        let graph = self.graph;
        let node = graph.node(id);
        self.keep_told(id, &mut state);
        match &node.kind {
            NodeKind::Join | NodeKind::Branch(_) => Step::On(state),
            NodeKind::Assign { to, value } => self.assign(id, state, to, value),
            NodeKind::Call(call) => self.call(id, state, call),
            NodeKind::Await { to, what } => {
                if let Operand::Move(from) = what {
                    hold::move_holders(&mut state.held, from, &Place::of(to.local), false);
                    hold::move_holders(&mut state.status, from, to, true);
                }
                Step::On(state)
            }
            NodeKind::Select { futures } => {
                let taken = futures.iter().any(
                    |future| matches!(future, Operand::Move(place) if hold::touches(&state.held, place)),
                );
                if taken { self.escape(id, How::Opaque) } else { Step::On(state) }
            }
            // Nobody looked: it may have been released.
            NodeKind::Drop(local) if hold::touches(&state.polled, &Place::of(*local)) => {
                self.released(id)
            }
            NodeKind::Drop(local) => {
                if self.start.param == Some(*local)
                    && hold::touches(&state.held, &Place::of(*local))
                {
                    // A copy of it may be on its way back.
                    hold::remove(&mut state.held, &Place::of(*local));
                    if self.start.copied && !state.held.is_empty() {
                        return Step::On(state);
                    }
                    self.fate.kept = true;
                    return Step::Done;
                }
                if hold::remove(&mut state.held, &Place::of(*local)) {
                    return self.unless_lost(id, state);
                }
                Step::On(state)
            }
            NodeKind::Exit(Exit::Never) => Step::Done,
            NodeKind::Exit(_) => {
                let result = Place::of(graph.result);
                if hold::touches(&state.polled, &result) {
                    return self.released(id);
                }
                let back = state.held.iter().find(|holder| holder.within(&result).is_some());
                if let Some(place) = back {
                    self.fate.returned.push(place.clone());
                    return self.escape(id, How::Returned);
                }
                if self.start.param.is_some() {
                    self.fate.kept = true;
                    return Step::Done;
                }
                // Still held by something that outlives this body.
                self.escape(id, How::Stored)
            }
        }
    }

    fn assign(&mut self, id: NodeId, mut state: State, to: &Place, value: &Value) -> Step {
        let outlives = self.outlives(to);
        if !state.polled.is_empty() && !self.still_polled(&mut state, to, value) {
            return self.released(id);
        }
        // What was there before is dropped, unless it is what is being moved.
        match value {
            Value::Use(operand) => {
                let Some(from) = operand.place() else {
                    if hold::remove(&mut state.held, to) {
                        return self.unless_lost(id, state);
                    }
                    return Step::On(state);
                };
                let by_value = matches!(operand, Operand::Move(_));
                if self.lends(&state, operand) {
                    if outlives {
                        return self.escape(id, How::Stored);
                    }
                    hold::add(&mut state.held, to.clone());
                    return Step::On(state);
                }
                if by_value && hold::touches(&state.held, from) {
                    if outlives {
                        return self.escape(id, How::Stored);
                    }
                    let copied = self.start.copied && hold::is_held(&state.held, from);
                    hold::move_holders(&mut state.held, from, to, copied);
                } else if from != to && hold::remove(&mut state.held, to) {
                    return self.unless_lost(id, state);
                }
                if by_value {
                    hold::move_holders(&mut state.status, from, to, true);
                    hold::move_holders(&mut state.lent, from, to, true);
                }
                Step::On(state)
            }
            Value::Parts { parts, rest, written } => {
                let mut taken = false;
                for (part, operand) in parts {
                    if self.lends(&state, operand) {
                        taken = true;
                        hold::add(&mut state.held, to.part(*part));
                    }
                    if self.listed(&state, *part, operand, *written) {
                        taken = true;
                        let from = operand.place().cloned().unwrap_or_else(|| to.clone());
                        hold::move_holders(&mut state.held, &from, &to.part(*part), true);
                        continue;
                    }
                    let Operand::Move(from) = operand else { continue };
                    // `Ok(status)`: opened, it tells the same.
                    if *part == Part::Payload && state.status.contains(from) {
                        hold::add(&mut state.status, to.clone());
                    }
                    if !hold::touches(&state.held, from) {
                        continue;
                    }
                    taken = true;
                    if outlives {
                        return self.escape(id, How::Stored);
                    }
                    let ty = &self.local(to.local).ty;
                    if *written && self.start.copied {
                        match ty.bare() {
                            Ty::Own(..) => {}
                            // A struct of libc or a type nobody knows: it only has the number.
                            Ty::Foreign(..) if !self.owner => continue,
                            _ => return self.escape(id, How::Opaque),
                        }
                    }
                    if *written && self.has_drop(ty) {
                        return self.escape(id, How::Owned);
                    }
                    let copied = self.start.copied && !*written && hold::is_held(&state.held, from);
                    hold::move_holders(&mut state.held, from, &to.part(*part), copied);
                }
                if let Some(Operand::Move(from)) = rest
                    && hold::touches(&state.held, from)
                {
                    taken = true;
                    hold::move_holders(&mut state.held, from, to, false);
                }
                if !taken && hold::remove(&mut state.held, to) {
                    return self.unless_lost(id, state);
                }
                Step::On(state)
            }
            Value::Closure { body, captured } => {
                let taken = captured
                    .iter()
                    .find(|(local, _)| hold::touches(&state.held, &Place::of(*local)));
                let Some(&taken) = taken else { return Step::On(state) };
                // A copy of a raw handle does no harm where nothing could release it.
                if self.start.copied {
                    return match !self.owner && self.only_looks(*body) {
                        true => Step::On(state),
                        false => self.escape(id, How::Captured),
                    };
                }
                match self.summaries.captured(self.site, *body, taken, self.start) {
                    ParamFate::Kept => Step::On(state),
                    ParamFate::Dropped => {
                        hold::remove(&mut state.held, &Place::of(taken.0));
                        self.unless_lost(id, state)
                    }
                    _ => self.escape(id, How::Captured),
                }
            }
            Value::Opaque(used) => {
                let takes = used.iter().any(
                    |operand| matches!(operand, Operand::Move(place) if hold::touches(&state.held, place)),
                );
                if takes { self.escape(id, How::Opaque) } else { Step::On(state) }
            }
        }
    }

    /// Whether it is a reference to what the pointer points to.
    fn lends(&self, state: &State, operand: &Operand) -> bool {
        let Operand::Ref(place) = operand else { return false };
        self.owner
            && state.held.iter().any(|holder| {
                place.within(holder).is_some_and(|rest| rest.first() == Some(&Part::Element))
            })
    }

    /// Whether it is a reference in a list or tuple, by which it may be released:
    /// `for child in [&mut a, &mut b]`.
    fn listed(&self, state: &State, part: Part, operand: &Operand, written: bool) -> bool {
        let Operand::Ref(place) = operand else { return false };
        let within = !written && part != Part::Payload;
        within && !self.start.by_value && hold::touches(&state.held, place)
    }

    /// Whether a value put there is still there when the body is over.
    pub(super) fn outlives(&self, to: &Place) -> bool {
        let local = self.local(to.local);
        match local.kind {
            LocalKind::Captured => true,
            LocalKind::Param => !to.path.is_empty() || matches!(local.ty, Ty::Ref(_) | Ty::Ptr(_)),
            _ => match (to.path.first(), &local.ty) {
                (Some(_), Ty::Ref(_) | Ty::Ptr(_)) => true,
                // Behind what a call gave, or a guard: `*cell.get_mut() = value`.
                (Some(Part::Element), _) => local.kind == LocalKind::Temp || local.ty.is_unknown(),
                (Some(Part::Field(name)), _) => name.as_str() == "*",
                _ => false,
            },
        }
    }

    /// A type of the package that implements Drop.
    fn has_drop(&self, ty: &Ty) -> bool {
        let Ty::Own(id, _) = ty.bare() else { return false };
        let def = self.world.names.type_def(*id);
        def.implements("Drop") || matches!(def.shape, Shape::Trait)
    }

    fn call(&mut self, id: NodeId, mut state: State, call: &Call) -> Step {
        if id == self.start.node {
            // Round a loop: what the last turn made may still be held.
            hold::remove(&mut state.held, &Place::of(call.to));
            return self.unless_lost(id, state);
        }
        let asked = |operand: &Operand| {
            operand.place().is_some_and(|place| hold::touches(&state.polled, place))
        };
        if call.receiver.iter().chain(&call.args).any(asked) {
            return self.released(id);
        }
        let operands = call.receiver.iter().map(|operand| (Handle::Receiver, operand)).chain(
            (0_u8..).zip(&call.args).map(|(number, operand)| (Handle::Arg(number), operand)),
        );
        let touched: Vec<(Handle, &Operand)> = operands
            .filter(|(_, operand)| {
                operand.place().is_some_and(|place| hold::touches(&state.held, place))
            })
            .collect();
        let asks_status = call
            .args
            .iter()
            .any(|operand| matches!(operand, Operand::Move(place) if state.status.contains(place)));
        // What comes back may be a reference into what the pointer points to.
        let lent = call.receiver.iter().chain(&call.args).any(|arg| self.lends(&state, arg));
        let plain = matches!(self.local(call.to).ty, Ty::Int | Ty::Bool) || {
            self.local(call.to).ty == Ty::unit()
        };
        if lent && !plain {
            hold::add(&mut state.held, Place::of(call.to));
            return Step::On(state);
        }
        if touched.is_empty() {
            // A fresh value where an old one was.
            let to = Place::of(call.to);
            hold::remove(&mut state.status, &to);
            // `check(status)?`: its failure is that of the call before.
            if asks_status && !matches!(call.target, Target::Success | Target::Failure) {
                hold::add(&mut state.status, to.clone());
            }
            if hold::remove(&mut state.held, &to) {
                return self.unless_lost(id, state);
            }
            return Step::On(state);
        }
        let by_value = |operand: &Operand| matches!(operand, Operand::Move(_));
        if self.start.copied
            && !self.tells(call)
            && touched.iter().any(|(_, operand)| by_value(operand))
            && call.args.iter().any(|arg| self.takes_over(arg, 2))
        {
            return self.escape(id, How::Passed);
        }
        for (handle, operand) in touched {
            match self.passed(&mut state, call, handle, operand) {
                Passed::Kept => {}
                Passed::Released => return self.released(id),
                Passed::Escaped => return self.escape(id, How::Passed),
                Passed::Dropped => {
                    if let Some(place) = operand.place() {
                        hold::remove(&mut state.held, place);
                    }
                    if state.held.is_empty() {
                        return self.unless_lost(id, state);
                    }
                }
                Passed::Into(to) => {
                    if let Some(place) = operand.place() {
                        let copied = self.start.copied;
                        hold::move_holders(&mut state.held, place, &to, copied);
                    }
                }
            }
        }
        Step::On(state)
    }

    /// What passing a holder to a call means.
    fn passed(&self, state: &mut State, call: &Call, handle: Handle, operand: &Operand) -> Passed {
        let by_value = matches!(operand, Operand::Move(_));
        let copied = self.start.copied;
        if let Target::Own(id) = call.target
            && handle == Handle::Receiver
            && self.is_own_end(id)
        {
            return Passed::Released;
        }
        let lent = self.start.by_value && !by_value && handle != Handle::Receiver;
        match &call.target {
            Target::Api(ids, path) => {
                let facts = || ids.iter().map(|&id| &self.world.facts.api(id).fact);
                if call.effects.contains(&Effect::Defers) && handle == Handle::Arg(0) && by_value {
                    return self.deferred(call);
                }
                for fact in facts() {
                    let default =
                        if call.receiver.is_some() { Handle::Receiver } else { Handle::Arg(0) };
                    if fact.releases.iter().any(|class| class == self.start.class)
                        && fact.at.unwrap_or(default) == handle
                    {
                        let polled = super::polled::asked(call, &self.local(call.to).ty);
                        return match polled.filter(|_| fact.polls) {
                            Some(place) => {
                                hold::remove(&mut state.empty, &Place::of(call.to));
                                hold::add(&mut state.polled, place);
                                Passed::Kept
                            }
                            None => Passed::Released,
                        };
                    }
                    if fact.takes.contains(&handle) {
                        let tells = fact.fails.is_some() || self.local(call.to).ty.is_result();
                        let told = tells && !fact.frees_on_failure;
                        if copied && told {
                            hold::add(&mut state.lent, Place::of(call.to));
                            return Passed::Kept;
                        }
                        return Passed::Released;
                    }
                }
                let whole = operand.place().is_some_and(|place| state.held.contains(place));
                if !by_value || copied && whole {
                    return Passed::Kept;
                }
                match path.as_str() {
                    "std::mem::drop" => Passed::Dropped,
                    _ => Passed::Escaped,
                }
            }
            _ if lent => Passed::Kept,
            Target::Own(id) => {
                let function = self.world.names.function(*id);
                if function.body.is_none() && function.of_type.is_none() {
                    if copied && by_value && function.sig.foreign {
                        // C may have taken it: a failure, when it is looked at, says that not.
                        hold::add(&mut state.lent, Place::of(call.to));
                        return Passed::Kept;
                    }
                    return if copied && !by_value { Passed::Kept } else { Passed::Escaped };
                }
                let index = match (handle, call.receiver.is_some()) {
                    (Handle::Receiver, _) => 0,
                    (Handle::Arg(number), true) => usize::from(number) + 1,
                    (Handle::Arg(number), false) => usize::from(number),
                    _ => return Passed::Escaped,
                };
                let Some(place) = operand.place() else { return Passed::Escaped };
                if !state.held.contains(place) {
                    // In a Result that a method gives back as it came: `spawn().logged()`.
                    let inside = place.part(Part::Payload);
                    let given_back = by_value && !copied && state.held.contains(&inside) && {
                        let fate = self.summaries.param(*id, index, self.start.class, copied);
                        fate == ParamFate::Returned(Vec::new())
                    };
                    return if given_back {
                        Passed::Into(Place::of(call.to))
                    } else {
                        Passed::Escaped
                    };
                }
                match self.summaries.param(*id, index, self.start.class, copied) {
                    ParamFate::Released => Passed::Released,
                    ParamFate::Kept => Passed::Kept,
                    ParamFate::Dropped if by_value && !copied => Passed::Dropped,
                    ParamFate::Dropped => Passed::Kept,
                    ParamFate::Returned(path) => {
                        let mut place = Place::of(call.to);
                        place.path = path;
                        Passed::Into(place)
                    }
                    ParamFate::Escaped => Passed::Escaped,
                }
            }
            Target::Foreign(path) => {
                let system = ["libc::", "nix::", "rustix::", "std::"];
                let text = path.as_str();
                if copied
                    && by_value
                    && looks_like_c(text)
                    && !system.iter().any(|head| text.starts_with(head))
                {
                    hold::add(&mut state.lent, Place::of(call.to));
                    return Passed::Kept;
                }
                // `NonNull::new(p)`, `slice::from_raw_parts(p, n)`: the pointer lives on in there.
                let wraps = copied
                    && by_value
                    && text.starts_with("std::")
                    && (of_type(text) || self.owner);
                // A struct that holds it, given by reference.
                let inside = operand.place().is_some_and(|place| !state.held.contains(place));
                let wraps = wraps || self.owner && inside;
                if system.iter().any(|head| text.starts_with(head))
                    && (copied || !by_value)
                    && !wraps
                {
                    return Passed::Kept;
                }
                Passed::Escaped
            }
            // A method of the handle itself, or of something inside.
            Target::Unknown(name)
                if copied
                    && handle == Handle::Receiver
                    && matches!(call.receiver_ty.bare(), Ty::Ptr(_))
                    && is_same_pointer(name.as_str()) =>
            {
                Passed::Into(Place::of(call.to))
            }
            Target::Unknown(_) | Target::Shape(_) if handle == Handle::Receiver => {
                let looks = match call.receiver_ty.bare() {
                    // Of integers std's methods are known by name; others are extensions.
                    Ty::Int if copied => super::beside::is_of_integers(call.name.as_str()),
                    _ => copied || !by_value && self.looks_at(call, operand),
                };
                if looks { Passed::Kept } else { Passed::Escaped }
            }
            _ => Passed::Escaped,
        }
    }

    /// Whether a method of the package releases what is held in a type of the package.
    fn is_own_end(&self, id: FnId) -> bool {
        let Some(of) = self.start.own else { return false };
        let function = self.world.names.function(id);
        function.of_type == Some(of) && self.world.ends_own(id)
    }

    /// Whether a method that nobody knows leaves its receiver where it is. Most do. But of std's
    /// types and of our own all methods are known, so this one is an extension, which may take it;
    /// and of what is only known by its traits it may be the very release, when it is called like one.
    fn looks_at(&self, call: &Call, operand: &Operand) -> bool {
        match self.world.reach(&call.receiver_ty).last() {
            Some(Ty::Foreign(path, _)) if !path.as_str().starts_with("std::") => true,
            Some(Ty::Foreign(..) | Ty::Own(..)) => {
                operand.place().is_some_and(|place| self.graph.used_after(self.at, place.local))
            }
            Some(Ty::Traits(_)) => !self.world.facts.ends(call.name.as_str(), self.start.class),
            _ => false,
        }
    }
}

pub(super) enum Passed {
    /// Only looked at, or copied.
    Kept,
    Released,
    Escaped,
    /// Taken by value, and dropped inside.
    Dropped,
    /// Taken, and given back here.
    Into(Place),
}

/// A function of a type that may keep what it is given; `CStr` only looks.
fn of_type(path: &str) -> bool {
    let owner = path.rsplit("::").nth(1).unwrap_or("");
    owner.starts_with(char::is_uppercase) && owner != "CStr"
}

/// Names of C functions: no type in front, or a `-sys` or `ffi` path.
pub(super) fn looks_like_c(path: &str) -> bool {
    let last = path.rsplit("::").next().unwrap_or(path);
    let owner = path.rsplit_once("::").map_or("", |(owner, _)| owner);
    !last.is_empty()
        && !owner.rsplit("::").next().unwrap_or("").starts_with(char::is_uppercase)
        && (path.contains("_sys::") || path.contains("ffi") || last.contains('_'))
}
