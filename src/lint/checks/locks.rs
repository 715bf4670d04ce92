//! Which locks a step waits for: told apart by where they are kept.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::Effect;
use crate::lint::bodies::Bodies;
use crate::lint::cfg::{
    Call, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Value,
};
use crate::lint::ir::{Name, TypeRef};
use crate::lint::names::FnId;
use crate::lint::types::{Target, Ty, World};

use super::doing::{Origin, is_lazy, origin};

/// Calls deeper than this are not looked into.
const DEEPEST: u32 = 4;
/// Steps back from where a lock is used to where it is kept.
const BACK: u32 = 12;
/// Methods without arguments that give what they are called on, or a reference into it.
const SAME: &[&str] =
    &["as_deref", "as_mut", "as_ref", "borrow", "by_ref", "deref", "expect", "get", "unwrap"];
/// What others are clones of.
const COUNTED: &[&str] = &["::Arc::clone", "::Rc::clone"];

/// A lock that somebody takes: where it is kept, and how it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Lock {
    root: Root,
    path: Vec<Part>,
    /// Nobody else may have it.
    alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Root {
    Local(LocalId),
    /// A static, a variable of the body around, or what a function without arguments lends.
    Named(Name),
}

impl Lock {
    /// Whether who has one waits for ever for the other.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        self.root == other.root && self.path == other.path && (self.alone || other.alone)
    }

    /// Whether a place that is written to is what it is in, or on the way to it.
    pub(super) fn is_behind(&self, place: &Place) -> bool {
        self.root == Root::Local(place.local) && self.path.starts_with(&place.path)
    }
}

/// A lock that a function takes, whoever calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Taken {
    of: Of,
    path: Vec<Part>,
    alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    /// The number of the parameter, the receiver being the first.
    Param(usize),
    Static(Name),
}

/// The locks that are waited for in a body, by step.
pub(super) type Waits = FxHashMap<NodeId, Vec<Lock>>;

/// A graph, and how many steps give each local its value.
pub(super) struct Body<'g> {
    graph: &'g Graph,
    made: Vec<u32>,
}

/// Works out which locks functions take when somebody asks, and remembers it.
pub(super) struct Locks<'a> {
    world: &'a World<'a>,
    bodies: &'a Bodies<'a>,
    known: RefCell<FxHashMap<FnId, Rc<Vec<Taken>>>>,
    /// Names that one static has, and nothing beside it.
    statics: FxHashSet<Name>,
    depth: Cell<u32>,
}

impl<'a> Locks<'a> {
    pub(super) fn new(world: &'a World<'a>, bodies: &'a Bodies<'a>) -> Self {
        let mut named: FxHashMap<Name, u32> = FxHashMap::default();
        for known in &world.names.statics {
            *named.entry(known.name).or_default() += 1;
        }
        let kept = world.names.statics.iter().filter(|known| !known.constant);
        let statics = kept.map(|known| known.name).filter(|name| named[name] == 1).collect();
        Self { world, bodies, known: RefCell::default(), statics, depth: Cell::new(0) }
    }

    /// The lock whose guard a call gives.
    pub(super) fn of_guard(&self, body: &Body<'_>, call: &Call) -> Option<Lock> {
        // A function that takes several gives the guard of any of them.
        let only = match call.target {
            Target::Own(id) => {
                let site = self.bodies.of_function(id)?;
                site.graph.calls().filter(|(_, call)| takes(call).is_some()).count() == 1
            }
            _ => true,
        };
        let mut locks = self.by_call(body, call);
        locks.pop().filter(|_| only && locks.is_empty())
    }

    /// The locks that are waited for, where a step that is reached waits for any.
    pub(super) fn waits(&self, body: &Body<'_>) -> Waits {
        let graph = body.graph;
        let reached = graph.reached(graph.entry);
        let steps = graph.ids().filter(|id| reached[id.0 as usize]);
        let waits = steps.map(|id| (id, self.at(body, id)));
        waits.filter(|(_, locks)| !locks.is_empty()).collect()
    }

    fn at(&self, body: &Body<'_>, id: NodeId) -> Vec<Lock> {
        let graph = body.graph;
        match &graph.node(id).kind {
            NodeKind::Call(call) if !is_lazy(graph, call) => self.by_call(body, call),
            NodeKind::Await { what, .. } => match origin(graph, what) {
                Origin::Call(id) => match graph.call_at(id) {
                    Some(call) if is_lazy(graph, call) => self.by_call(body, call),
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The locks that a call takes, its future awaited.
    fn by_call(&self, body: &Body<'_>, call: &Call) -> Vec<Lock> {
        let of = |operand: &Operand, path: &[Part], alone| {
            let mut place = operand.place()?.clone();
            place.path.extend_from_slice(path);
            self.kept_at(body, place, alone, BACK)
        };
        if let Target::Own(id) = &call.target {
            let operands: Vec<&Operand> = call.receiver.iter().chain(&call.args).collect();
            let taken = self.function(*id);
            let locks = taken.iter().filter_map(|Taken { of: kept, path, alone }| match *kept {
                Of::Param(number) => of(operands.get(number)?, path, *alone),
                Of::Static(name) => {
                    Some(Lock { root: Root::Named(name), path: path.clone(), alone: *alone })
                }
            });
            return locks.collect();
        }
        let Some(alone) = takes(call) else { return Vec::new() };
        let on = call.receiver.as_ref().or_else(|| call.args.first());
        on.and_then(|on| of(on, &[], alone)).into_iter().collect()
    }

    /// The lock at a place; `None` where that may be another each time.
    fn kept_at(&self, body: &Body<'_>, place: Place, alone: bool, back: u32) -> Option<Lock> {
        let Place { local, mut path } = place;
        if path.contains(&Part::Element) {
            return None;
        }
        // What an `Option` or `Once` has is there once.
        path.retain(|part| *part != Part::Payload);
        if let (LocalKind::Captured, Some(name)) = {
            let of = body.graph.local(local);
            (of.kind, of.name)
        } {
            return Some(Lock { root: Root::Named(name), path, alone });
        }
        let back = back.checked_sub(1)?;
        if let Some(from) = behind(body, local) {
            let path = [from.path, path].concat();
            return self.kept_at(body, Place { path, ..from }, alone, back);
        }
        match self.lent_by(body, local) {
            Some((name, None)) => Some(Lock { root: Root::Named(name), path, alone }),
            Some((name, Some(on))) => {
                let mut lock = self.kept_at(body, on, alone, back)?;
                lock.path.push(Part::Field(name));
                lock.path.extend(path);
                Some(lock)
            }
            None => Some(Lock { root: Root::Local(local), path, alone }),
        }
    }

    /// The function of the package that lends a local, and what it is called on.
    fn lent_by(&self, body: &Body<'_>, id: LocalId) -> Option<(Name, Option<Place>)> {
        let call = body.graph.call_at(body.graph.local(id).def?)?;
        let Target::Own(own) = call.target else { return None };
        let function = self.world.names.function(own);
        let lends = matches!(function.sig.returns, TypeRef::Ref(_)) && call.args.is_empty();
        let on = match &call.receiver {
            Some(receiver) => Some(receiver.place()?.clone()),
            None => None,
        };
        (lends && body.is_made_once(id)).then_some((function.name, on))
    }

    /// The locks that a function of the package takes.
    fn function(&self, id: FnId) -> Rc<Vec<Taken>> {
        if let Some(known) = self.known.borrow().get(&id) {
            return Rc::clone(known);
        }
        let site = self.bodies.of_function(id).filter(|_| self.depth.get() < DEEPEST);
        let Some(site) = site else { return Rc::default() };
        // Who calls himself adds nothing of his own.
        self.known.borrow_mut().insert(id, Rc::default());
        self.depth.set(self.depth.get() + 1);
        let mut all: FxHashSet<Taken> = FxHashSet::default();
        for Lock { root, path, alone } in
            self.waits(&Body::new(&site.graph)).into_values().flatten()
        {
            let of = match root {
                Root::Local(root) => {
                    site.graph.params.iter().position(|&param| param == root).map(Of::Param)
                }
                Root::Named(name) => self.statics.contains(&name).then_some(Of::Static(name)),
            };
            all.extend(of.map(|of| Taken { of, path, alone }));
        }
        self.depth.set(self.depth.get() - 1);
        let all: Rc<Vec<Taken>> = Rc::new(all.into_iter().collect());
        self.known.borrow_mut().insert(id, Rc::clone(&all));
        all
    }
}

impl<'g> Body<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        let mut made = vec![0; graph.locals.len()];
        for to in graph.nodes.iter().filter_map(|node| written(&node.kind)) {
            if to.path.is_empty() {
                made[to.local.0 as usize] += 1;
            }
        }
        Self { graph, made }
    }

    /// Whether only one step gives a local its value.
    fn is_made_once(&self, id: LocalId) -> bool {
        self.made[id.0 as usize] == 1
    }
}

/// The place that a local refers to, is a clone of, or was bound to.
fn behind(body: &Body<'_>, id: LocalId) -> Option<Place> {
    let local = body.graph.local(id);
    if let Some(place) = &local.alias {
        return Some(place.clone());
    }
    if !matches!(local.kind, LocalKind::Temp | LocalKind::Binding) || !body.is_made_once(id) {
        return None;
    }
    match &body.graph.node(local.def?).kind {
        NodeKind::Assign { to, value: Value::Use(Operand::Move(from) | Operand::Ref(from)) }
            if to.path.is_empty() =>
        {
            Some(from.clone())
        }
        NodeKind::Call(call) => same_as(call)?.place().cloned(),
        _ => None,
    }
}

/// What a call gives as it is, a reference into it or a clone of a count.
fn same_as(call: &Call) -> Option<&Operand> {
    let path = match &call.target {
        Target::Own(_) => return None,
        Target::Api(_, path) | Target::Foreign(path) => path.as_str(),
        _ => "",
    };
    let same = match (&call.receiver, call.name.as_str()) {
        (Some(_), "clone") => matches!(call.receiver_ty.bare(), Ty::Foreign(..)),
        (None, "clone") => COUNTED.iter().any(|of| path.ends_with(of)),
        (Some(_), "get_or_init" | "get_or_insert_with") => true,
        (Some(_), name) => SAME.contains(&name) && call.args.is_empty(),
        (None, _) => false,
    };
    call.receiver.as_ref().or_else(|| call.args.first()).filter(|_| same)
}

/// Whether a call waits for a lock, and then has it alone.
fn takes(call: &Call) -> Option<bool> {
    let alone = call.effects.contains(&Effect::Locks);
    (alone || call.effects.contains(&Effect::Shares)).then_some(alone)
}

/// What a step writes to.
pub(super) fn written(kind: &NodeKind) -> Option<Place> {
    match kind {
        NodeKind::Assign { to, .. } | NodeKind::Await { to, .. } => Some(to.clone()),
        NodeKind::Call(call) => Some(Place::of(call.to)),
        _ => None,
    }
}
