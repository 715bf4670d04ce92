//! What running a step, a function of the package or a future means: awaits, waits, sleeps.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::catalog::model::Effect;
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{Call, Graph, LocalId, NodeId, NodeKind, Operand, Value};
use crate::lint::ir::BodyId;
use crate::lint::names::FnId;
use crate::lint::types::{Target, Ty, World};

/// What may happen while something runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Does {
    pub(super) awaits: bool,
    pub(super) waits: bool,
    pub(super) sleeps: bool,
    /// It ends when the other side is gone.
    pub(super) ends: bool,
    /// It puts a deadline around something.
    pub(super) bounds: bool,
    /// It awaits something that nothing is known about.
    pub(super) unknown: bool,
}

impl Does {
    fn of(effects: &[Effect]) -> Self {
        let has = |effect| effects.contains(&effect);
        let bounds = has(Effect::Bounds);
        Self {
            waits: has(Effect::WaitsForPeer) && !bounds,
            sleeps: has(Effect::Sleeps),
            ends: has(Effect::EndsWithPeer),
            bounds,
            ..Self::default()
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            awaits: self.awaits || other.awaits,
            waits: self.waits || other.waits,
            sleeps: self.sleeps || other.sleeps,
            ends: self.ends || other.ends,
            bounds: self.bounds || other.bounds,
            unknown: self.unknown || other.unknown,
        }
    }
}

/// What a future is made from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Call(NodeId),
    Body(BodyId),
    Unknown,
}

/// Calls deeper than this are not looked into.
const DEEPEST: u32 = 10;

/// Works out what functions do when somebody asks, and remembers it.
pub(super) struct Doing<'a> {
    world: &'a World<'a>,
    bodies: &'a Bodies<'a>,
    known: RefCell<FxHashMap<FnId, Does>>,
    suspending: RefCell<FxHashMap<FnId, bool>>,
    depth: Cell<u32>,
}

impl<'a> Doing<'a> {
    pub(super) fn new(world: &'a World<'a>, bodies: &'a Bodies<'a>) -> Self {
        let (known, suspending) = (RefCell::default(), RefCell::default());
        Self { world, bodies, known, suspending, depth: Cell::new(0) }
    }

    /// What happens at this step.
    pub(super) fn step(&self, site: &Rc<Site>, id: NodeId) -> Does {
        match &site.graph.node(id).kind {
            NodeKind::Call(call) if !is_lazy(&site.graph, call) => match &call.target {
                Target::Own(function) => self.function(*function),
                _ => Does::of(&call.effects),
            },
            NodeKind::Await { what, .. } => {
                let origin = origin(&site.graph, what);
                Does { awaits: !self.runs_through(site, &origin), ..self.future(site, &origin) }
            }
            NodeKind::Select { futures } => {
                let all: Vec<Does> = futures
                    .iter()
                    .map(|future| self.future(site, &origin(&site.graph, future)))
                    .collect();
                Does {
                    awaits: true,
                    waits: all.iter().all(|does| does.waits),
                    sleeps: all.iter().all(|does| does.sleeps),
                    // A pause beside what it waits for is its deadline.
                    bounds: all.iter().any(|does| does.sleeps),
                    ..Does::default()
                }
            }
            _ => Does::default(),
        }
    }

    /// An async function of the package that awaits nothing: its future is ready at once.
    fn runs_through(&self, site: &Rc<Site>, origin: &Origin) -> bool {
        let Origin::Call(id) = origin else { return false };
        let Some(Target::Own(id)) = site.graph.call_at(*id).map(|call| &call.target) else {
            return false;
        };
        let function = self.world.names.function(*id);
        // Whoever implements a trait may await.
        let plain = function.sig.is_async && function.of_trait.is_none();
        plain && !self.suspends(*id)
    }

    /// Whether what is awaited at this step is known: of the package, or an API that there are facts
    /// about. A future of another crate may be ready at once.
    pub(super) fn is_known(&self, site: &Site, id: NodeId) -> bool {
        let NodeKind::Await { what, .. } = &site.graph.node(id).kind else { return true };
        match origin(&site.graph, what) {
            Origin::Call(call) => {
                let call = site.graph.call_at(call);
                call.is_some_and(|call| matches!(call.target, Target::Own(_) | Target::Api(..)))
            }
            Origin::Body(_) => true,
            Origin::Unknown => false,
        }
    }

    /// Whether a function of the package may give up its turn while it runs. What it calls without
    /// awaiting it cannot.
    fn suspends(&self, id: FnId) -> bool {
        if let Some(&known) = self.suspending.borrow().get(&id) {
            return known;
        }
        let Some(site) = self.bodies.of_function(id).filter(|_| self.depth.get() < DEEPEST) else {
            return true;
        };
        self.suspending.borrow_mut().insert(id, false);
        self.depth.set(self.depth.get() + 1);
        let reached = site.graph.reached(site.graph.entry);
        let suspends = site.graph.ids().any(|id| match &site.graph.node(id).kind {
            _ if reached.get(id.0 as usize) != Some(&true) => false,
            NodeKind::Await { what, .. } => !self.runs_through(&site, &origin(&site.graph, what)),
            NodeKind::Select { .. } => true,
            _ => false,
        });
        self.depth.set(self.depth.get() - 1);
        self.suspending.borrow_mut().insert(id, suspends);
        suspends
    }

    /// What awaiting this means.
    pub(super) fn future(&self, site: &Rc<Site>, origin: &Origin) -> Does {
        match origin {
            Origin::Call(id) => match site.graph.call_at(*id) {
                Some(call) => match &call.target {
                    Target::Own(function) => self.function(*function),
                    Target::Api(ids, _) => Does {
                        unknown: ids.iter().any(|&id| self.world.facts.is_worked_out(id)),
                        ..Does::of(&call.effects)
                    },
                    _ => Does { unknown: true, ..Does::default() },
                },
                None => Does { unknown: true, ..Does::default() },
            },
            Origin::Body(body) => match self.bodies.inner(site, *body) {
                Some(inner) => self.body(&inner),
                None => Does { unknown: true, ..Does::default() },
            },
            Origin::Unknown => Does { unknown: true, ..Does::default() },
        }
    }

    /// What a function of the package does, its future awaited.
    pub(super) fn function(&self, id: FnId) -> Does {
        if let Some(&known) = self.known.borrow().get(&id) {
            return known;
        }
        if self.depth.get() >= DEEPEST {
            return Does { unknown: true, ..Does::default() };
        }
        // Who calls himself adds nothing of his own.
        self.known.borrow_mut().insert(id, Does::default());
        self.depth.set(self.depth.get() + 1);
        let does = match self.bodies.of_function(id) {
            Some(site) => {
                let mut does = self.body(&site);
                let returned =
                    self.world.ty(&self.world.names.function(id).sig.returns, self.world.scope(id));
                if !site.graph.is_async && matches!(returned, Ty::Future(_)) {
                    for nested in &site.graph.nested {
                        does = does.and(self.body(&self.bodies.nested(&site, nested)));
                    }
                }
                does
            }
            None => Does { unknown: true, ..Does::default() },
        };
        self.depth.set(self.depth.get() - 1);
        self.known.borrow_mut().insert(id, does);
        does
    }

    /// Everything that happens in a body.
    pub(super) fn body(&self, site: &Rc<Site>) -> Does {
        let reached = site.graph.reached(site.graph.entry);
        let mut does = Does::default();
        for id in site.graph.ids() {
            if reached.get(id.0 as usize) == Some(&true) {
                does = does.and(self.step(site, id));
                // A deadline that is put together here bounds, wherever it is awaited.
                if let Some(call) = site.graph.call_at(id) {
                    does.bounds |= call.effects.contains(&Effect::Bounds);
                }
            }
        }
        does
    }
}

/// Nothing happens before what the call returns is awaited.
pub(super) fn is_lazy(graph: &Graph, call: &Call) -> bool {
    matches!(graph.local(call.to).ty.bare(), Ty::Future(_))
}

/// The call or block that made a future, through adapters that keep what it does.
pub(super) fn origin(graph: &Graph, operand: &Operand) -> Origin {
    let mut at = operand.place().map(|place| place.local);
    for _ in 0..12 {
        let Some(id) = at else { return Origin::Unknown };
        let local = graph.local(id);
        if let Some(body) = local.closure {
            return Origin::Body(body);
        }
        let Some(def) = local.def else { return Origin::Unknown };
        at = match &graph.node(def).kind {
            NodeKind::Call(call) => match through(graph, call) {
                Some(inner) => Some(inner),
                None => return Origin::Call(def),
            },
            NodeKind::Assign { value: Value::Use(operand), .. } => {
                operand.place().map(|place| place.local)
            }
            NodeKind::Assign { value: Value::Opaque(used), .. } => match used.as_slice() {
                [only] => only.place().map(|place| place.local),
                _ => None,
            },
            _ => None,
        };
    }
    Origin::Unknown
}

/// The future that an adapter without facts is called on: `.instrument(span)`, `.boxed()`.
fn through(graph: &Graph, call: &Call) -> Option<LocalId> {
    if matches!(call.target, Target::Own(_) | Target::Api(..)) && !call.effects.is_empty() {
        return None;
    }
    if matches!(call.target, Target::Own(_)) {
        return None;
    }
    let receiver = call.receiver.as_ref().or_else(|| call.args.first())?;
    let place = receiver.place().filter(|place| place.path.is_empty())?;
    let local = graph.local(place.local);
    (matches!(local.ty.bare(), Ty::Future(_)) || local.closure.is_some()).then_some(place.local)
}
