//! Who calls a function of the package.

use std::cell::OnceCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::catalog::model::Effect;
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{Call, Graph, LocalId, LocalKind, NodeId};
use crate::lint::ir::{BodyId, ExprKind, Name, Path, Receiver};
use crate::lint::names::{FnId, Function, TypeId};
use crate::lint::types::{Target, Ty, World, is_type_name};

use super::context;
use super::uses::type_of;

/// Bodies that mention a name; more than this many, and nobody can say who calls it.
const MANY: usize = 150;

/// Steps back towards `main`.
const STEPS: u32 = 6;

/// Both belong to one trait, as its own function or that of an impl.
fn same_trait(one: &Function, other: &Function) -> bool {
    let name = |of: &Function| of.of_trait.as_ref().and_then(Path::last).map(|last| last.name);
    name(one).is_some() && name(one) == name(other)
}

/// Whether a value of this type may be one of the package's type, or lead to one.
fn may_hold(ty: &Ty, of: TypeId) -> bool {
    match ty.bare() {
        Ty::Unknown | Ty::Traits(_) | Ty::Future(_) | Ty::Fn(_) => true,
        Ty::Own(id, args) => *id == of || args.iter().any(|arg| may_hold(arg, of)),
        Ty::Foreign(_, args) => args.iter().any(|arg| may_hold(arg, of)),
        Ty::Ptr(inner) | Ty::Slice(inner) => may_hold(inner, of),
        Ty::Tuple(parts) => parts.iter().any(|part| may_hold(part, of)),
        Ty::Ref(_) | Ty::Int | Ty::Bool | Ty::Never => false,
    }
}

/// Two types of which both are known by name, and are not the same; nothing is a reference to one
/// of them that could stand for the other.
fn differ(given: &Ty, wanted: &Ty) -> bool {
    match (given, wanted) {
        (Ty::Own(given, _), Ty::Own(wanted, _)) => given != wanted,
        // A path may be one of several to the same type.
        (Ty::Foreign(given, _), Ty::Foreign(wanted, _)) => {
            given.as_str().rsplit("::").next() != wanted.as_str().rsplit("::").next()
        }
        (Ty::Own(..), Ty::Foreign(..)) | (Ty::Foreign(..), Ty::Own(..)) => true,
        _ => false,
    }
}

/// What a constructor of another crate makes, by its name: `Request::new(…)` makes a Request.
fn constructed(graph: &Graph, local: LocalId) -> Ty {
    let made = graph.local(local).def.and_then(|def| graph.call_at(def));
    let Some(Target::Foreign(path)) = made.map(|call| &call.target) else { return Ty::Unknown };
    match path.as_str().rsplit_once("::") {
        Some((of, "new" | "default")) if is_type_name(of) => Ty::Foreign(Name::new(of), Vec::new()),
        _ => Ty::Unknown,
    }
}

/// See the module.
pub(super) struct Callers<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) bodies: &'a Bodies<'a>,
    by_mention: OnceCell<FxHashMap<Name, Vec<FnId>>>,
    /// By the last two names of a path: `Type::new`.
    by_path: OnceCell<FxHashMap<(Name, Name), Vec<FnId>>>,
}

impl<'a> Callers<'a> {
    pub(super) fn new(world: &'a World<'a>, bodies: &'a Bodies<'a>) -> Self {
        Self { world, bodies, by_mention: OnceCell::new(), by_path: OnceCell::new() }
    }

    /// Calls of the function outside of tests, or of its name when nobody knows whose it is;
    /// nothing when there are too many places to look at.
    pub(super) fn of(&self, id: FnId) -> Option<Vec<(Rc<Site>, NodeId)>> {
        let function = self.world.names.function(id);
        let name = function.name;
        let mut found = Vec::new();
        for site in self.naming(name).or_else(|| self.naming_by_type(id))? {
            let calls = site.graph.calls().filter(|(_, call)| match &call.target {
                Target::Own(other) => {
                    let called = self.world.names.function(*other);
                    // Written twice, for other platforms or features: either is meant.
                    let twin = called.of_type == function.of_type
                        && called.module == function.module
                        || called.of.is_none() && same_trait(called, function);
                    *other == id || called.name == name && twin
                }
                Target::Unknown(other) => *other == name && self.may_be(&site.graph, call, id),
                _ => false,
            });
            let calls: Vec<NodeId> = calls.map(|(node, _)| node).collect();
            found.extend(calls.into_iter().map(|node| (Rc::clone(&site), node)));
        }
        Some(found)
    }

    /// Whether a call of something unknown may be of a function with its name: a method of
    /// something unknown could be any that takes as much, a function of a type parameter any of the
    /// trait.
    fn may_be(&self, graph: &Graph, call: &Call, id: FnId) -> bool {
        let function = self.world.names.function(id);
        let params = self.world.names.body_of(function).map(|body| body.params.len());
        let given = call.receiver.iter().count() + call.args.len();
        let called = match &call.receiver {
            Some(_) => function.sig.receiver != Receiver::None,
            None => function.of_trait.is_some(),
        };
        called
            && function.of.is_some()
            && params.is_none_or(|params| params == given)
            && (function.of_trait.is_some()
                || function.of_type.is_none_or(|of| may_hold(&call.receiver_ty, of)))
            && (call.receiver.is_none() || self.may_take(graph, call, id))
    }

    /// Whether what the call passes may be what the function takes.
    fn may_take(&self, graph: &Graph, call: &Call, id: FnId) -> bool {
        let scope = self.world.scope(id);
        let params = &self.world.names.function(id).sig.params;
        call.args.iter().zip(params).all(|(arg, wanted)| {
            let Some(place) = arg.place() else { return true };
            let given = match type_of(self.world, graph, place.local, &place.path) {
                Ty::Unknown if place.path.is_empty() => constructed(graph, place.local),
                given => given,
            };
            given == Ty::Unknown || !differ(&given, &self.world.ty(wanted, scope))
        })
    }

    /// Where a function of this name is used as a value; nothing when there are too many places.
    pub(super) fn values(&self, name: Name) -> Option<Vec<(Rc<Site>, LocalId)>> {
        let mut found = Vec::new();
        for site in self.naming(name)? {
            let values = (0..).zip(&site.graph.locals).filter(|(_, local)| {
                local.kind == LocalKind::Captured
                    && local.name == Some(name)
                    && matches!(local.ty, Ty::Fn(_))
            });
            let values: Vec<LocalId> = values.map(|(number, _)| LocalId(number)).collect();
            found.extend(values.into_iter().map(|local| (Rc::clone(&site), local)));
        }
        Some(found)
    }

    /// Bodies outside of tests that mention a name, with all closures in them; nothing when there
    /// are too many.
    pub(super) fn naming(&self, name: Name) -> Option<Vec<Rc<Site>>> {
        let by_mention = self.by_mention.get_or_init(|| self.index());
        self.sites(by_mention.get(&name).map(Vec::as_slice).unwrap_or_default())
    }

    /// The same for a function that is only called by its type: many types have a `new`.
    fn naming_by_type(&self, id: FnId) -> Option<Vec<Rc<Site>>> {
        let names = self.world.names;
        let function = names.function(id);
        let plain = function.sig.receiver == Receiver::None && function.of_trait.is_none();
        let of = function.of_type.filter(|_| plain)?;
        let by_path = self.by_path.get_or_init(|| self.index_paths());
        let naming = |owner: Name| by_path.get(&(owner, function.name)).into_iter().flatten();
        let of_self = naming(Name::new("Self"));
        let of_self = of_self.filter(|&&place| names.function(place).of_type == Some(of));
        let mut places: Vec<FnId> =
            names.names_of(of).into_iter().flat_map(naming).chain(of_self).copied().collect();
        places.sort();
        places.dedup();
        self.sites(&places)
    }

    fn sites(&self, places: &[FnId]) -> Option<Vec<Rc<Site>>> {
        let sites = places.iter().filter_map(|&place| self.bodies.of_function(place));
        let all = || sites.flat_map(|site| self.bodies.with_nested(&site)).collect();
        (places.len() <= MANY).then(all)
    }

    /// An async function that users of the library can call.
    pub(super) fn is_offered(&self, id: FnId) -> bool {
        self.is_held(id) && self.world.names.is_offered(id)
    }

    /// A function whose future only its callers have.
    pub(super) fn is_held(&self, id: FnId) -> bool {
        let function = self.world.names.function(id);
        let gives_future = || {
            let returned = self.world.ty(&function.sig.returns, self.world.scope(id));
            matches!(returned, Ty::Future(_))
        };
        function.of_trait.is_none() && (function.sig.is_async || gives_future())
    }

    fn index(&self) -> FxHashMap<Name, Vec<FnId>> {
        let names = self.world.names;
        let mut index: FxHashMap<Name, Vec<FnId>> = FxHashMap::default();
        for id in names.fn_ids() {
            let function = names.function(id);
            let body = names.body_of(function).filter(|_| !context::in_tests(names, id));
            let Some(body) = body else { continue };
            for &name in &body.mentions {
                index.entry(name).or_default().push(id);
            }
        }
        index
    }

    fn index_paths(&self) -> FxHashMap<(Name, Name), Vec<FnId>> {
        let names = self.world.names;
        let mut index: FxHashMap<(Name, Name), Vec<FnId>> = FxHashMap::default();
        for (source, functions) in names.sources.iter().zip(&names.body_fns) {
            for (number, body) in (0..).zip(&source.file.bodies) {
                let Some(&id) = functions.get(&BodyId(number)) else { continue };
                if context::in_tests(names, id) {
                    continue;
                }
                for expr in &body.exprs {
                    if let ExprKind::Path(path) = &expr.kind
                        && let [.., owner, last] = path.segments.as_slice()
                    {
                        index.entry((owner.name, last.name)).or_default().push(id);
                    }
                }
            }
        }
        index
    }

    /// It runs once in the life of the process: everybody who calls it is `main`, an initialiser,
    /// or runs once himself.
    pub(super) fn once(&self, id: FnId) -> bool {
        self.once_within(id, STEPS)
    }

    /// The same of a step: no loop is around it, nor a closure that may be called again.
    pub(super) fn once_at(&self, site: &Site, node: NodeId) -> bool {
        self.once_at_within(site, node, STEPS)
    }

    fn once_within(&self, id: FnId, depth: u32) -> bool {
        if context::is_entry(self.world.names, id) {
            return true;
        }
        // Users of a library may call what it offers again.
        let callers = self.of(id).filter(|_| depth > 0 && !self.world.names.is_offered(id));
        let Some(callers) = callers.filter(|callers| !callers.is_empty()) else { return false };
        callers.iter().all(|(site, node)| {
            site.function != Some(id) && self.once_at_within(site, *node, depth - 1)
        })
    }

    fn once_at_within(&self, site: &Site, node: NodeId, depth: u32) -> bool {
        if site.graph.loops_around(node).next().is_some() {
            return false;
        }
        match &site.parent {
            Some((parent, Some(made))) => {
                let block = site.graph.is_async
                    && site.graph.locals.iter().all(|local| local.kind != LocalKind::Param);
                let called_once = block
                    || context::taken_by(&parent.graph, *made).any(|(_, call)| {
                        call.effects.contains(&Effect::Spawns)
                            || super::classes_of(self.world, call).contains(&"once-init")
                    });
                called_once && self.once_at_within(parent, *made, depth)
            }
            Some((_, None)) => false,
            None => site.function.is_none_or(|id| self.once_within(id, depth)),
        }
    }
}
