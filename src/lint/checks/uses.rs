//! What the package does with a field or static, wherever it does it.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Value,
};
use crate::lint::ir::{BodyId, ExprKind, MacroBody, Name, PatKind, Span};
use crate::lint::names::{FileId, FnId, Names, StaticId, TypeId};
use crate::lint::types::{Ty, World};

use super::Checker;

/// Where a value is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    Field(TypeId, Name),
    Static(StaticId, Name),
}

impl Kept {
    pub(super) fn name(self) -> Name {
        match self {
            Self::Field(_, name) | Self::Static(_, name) => name,
        }
    }
}

/// What a step does with what is kept.
pub(super) enum Use<'g> {
    /// A method is called on it, or on what a guard or iterator of it gives.
    Method(&'g Call, Ty),
    /// Something new is put in its place.
    Set,
    /// It is the argument of this number.
    Passed(&'g Call, usize),
    /// It goes somewhere that is not followed.
    Away,
}

/// Functions that name certain fields or statics.
#[derive(Debug, Default)]
pub(super) struct Index {
    functions: FxHashMap<Name, Vec<FnId>>,
    /// Named where nothing is known: in tokens of a macro, in an initialiser.
    opaque: FxHashSet<Name>,
    /// Types made outside of tests, by name; `Self` with the type of the impl.
    made: FxHashSet<Name>,
    made_self: FxHashSet<TypeId>,
}

impl Index {
    /// Looks through all bodies once.
    pub(super) fn new(names: &Names, wanted: &FxHashSet<Name>) -> Self {
        let mut index = Self::default();
        for (number, source) in (0..).zip(&names.sources) {
            let of_body = names.body_fns.get(number as usize);
            for (at, body) in (0..).zip(&source.file.bodies) {
                let function = of_body.and_then(|map| map.get(&BodyId(at))).copied();
                let tested = function.is_some_and(|id| super::in_tests(names, id));
                let mut found: Vec<Name> = Vec::new();
                for expr in &body.exprs {
                    match &expr.kind {
                        ExprKind::Field { name, .. } => found.push(*name),
                        ExprKind::Path(path) => found.extend(path.last().map(|last| last.name)),
                        ExprKind::Macro { body: MacroBody::Opaque(tokens), .. } => {
                            index.opaque.extend(tokens.iter().filter(|name| wanted.contains(name)));
                        }
                        ExprKind::Struct { path, .. } if !tested => {
                            index.note_made(names, function, path);
                        }
                        ExprKind::Call { callee, .. } if !tested => {
                            if let ExprKind::Path(path) = &body.expr(*callee).kind {
                                index.note_made(names, function, path);
                            }
                        }
                        _ => {}
                    }
                }
                for pat in &body.pats {
                    if let PatKind::Struct { fields, .. } = &pat.kind {
                        found.extend(fields.iter().map(|(name, _)| *name));
                    }
                }
                found.retain(|name| wanted.contains(name));
                for name in found {
                    match function {
                        Some(id) => {
                            let known = index.functions.entry(name).or_default();
                            if known.last() != Some(&id) {
                                known.push(id);
                            }
                        }
                        None => {
                            index.opaque.insert(name);
                        }
                    }
                }
            }
        }
        for function in &names.fns {
            let idents = function.macro_idents.iter();
            index.opaque.extend(idents.filter(|name| wanted.contains(name)));
        }
        index
    }

    fn note_made(&mut self, names: &Names, function: Option<FnId>, path: &crate::lint::ir::Path) {
        let Some(last) = path.last() else { return };
        if last.name.as_str() == "Self" {
            self.made_self.extend(function.and_then(|id| names.function(id).of_type));
        } else {
            self.made.insert(last.name);
        }
    }

    /// Whether a value of the type is made outside of tests.
    pub(super) fn makes(&self, names: &Names, id: TypeId) -> bool {
        self.made_self.contains(&id) || self.made.contains(&names.type_def(id).name)
    }

    pub(super) fn is_opaque(&self, name: Name) -> bool {
        self.opaque.contains(&name)
    }

    /// Bodies outside of tests that name it, with all closures in them.
    pub(super) fn sites(&self, checker: &Checker<'_>, name: Name) -> Vec<Rc<Site>> {
        let mut ids: Vec<FnId> = self.functions.get(&name).cloned().unwrap_or_default();
        ids.sort();
        ids.dedup();
        ids.retain(|&id| !super::in_tests(checker.world.names, id));
        let sites = ids.into_iter().filter_map(|id| checker.bodies.of_function(id));
        sites.flat_map(|site| checker.bodies.with_nested(&site)).collect()
    }
}

/// The innermost type that carries the class, through wrappers that own what is in them.
pub(super) fn carrier(world: &World<'_>, ty: &Ty, class: &str, shared: bool) -> Option<Ty> {
    let mut at = ty.clone();
    for _ in 0..6 {
        if world.classes(&at).contains(&class) && !at.is_ref() {
            return Some(at);
        }
        at = match &at {
            Ty::Foreign(path, args) => {
                let text = path.as_str();
                if !shared && (text.ends_with("::Arc") || text.ends_with("::Rc")) {
                    return None;
                }
                args.last()?.clone()
            }
            Ty::Slice(inner) => (**inner).clone(),
            _ => return None,
        };
    }
    None
}

/// The type of the first parts of a place.
pub(super) fn type_of(world: &World<'_>, graph: &Graph, local: LocalId, parts: &[Part]) -> Ty {
    let mut ty = graph.local(local).ty.clone();
    for part in parts {
        ty = match part {
            Part::Field(name) => world.field(&ty, *name),
            Part::Payload => ty.payload(),
            Part::Element => match ty.bare() {
                Ty::Slice(inner) => (**inner).clone(),
                Ty::Foreign(_, args) => args.last().cloned().unwrap_or_default(),
                _ => Ty::Unknown,
            },
        };
    }
    ty
}

/// Everything that a body does with what is kept.
pub(super) fn uses<'g>(world: &World<'_>, site: &'g Site, kept: Kept) -> Vec<(NodeId, Use<'g>)> {
    let mut walk = Walk { world, graph: &site.graph, kept, through: FxHashSet::default() };
    // What is reached through a guard is known after its making only: until nothing is new.
    loop {
        let before = walk.through.len();
        let found = walk.all();
        if walk.through.len() == before {
            return found;
        }
    }
}

struct Walk<'g, 'w> {
    world: &'w World<'w>,
    graph: &'g Graph,
    kept: Kept,
    /// Locals that are, or give access to, what is kept.
    through: FxHashSet<LocalId>,
}

impl<'g> Walk<'g, '_> {
    fn all(&mut self) -> Vec<(NodeId, Use<'g>)> {
        let graph = self.graph;
        let mut found = Vec::new();
        for id in graph.ids() {
            match &graph.node(id).kind {
                NodeKind::Call(call) => self.call(id, call, &mut found),
                NodeKind::Assign { to, value } => self.assign(id, to, value, &mut found),
                NodeKind::Await { to, what } => {
                    if let Some(place) = what.place().filter(|place| self.is_kept(place)) {
                        let guard = graph.local(place.local).def.and_then(|def| graph.call_at(def));
                        if guard.is_some_and(|call| reaches(call.name.as_str())) {
                            self.through.insert(to.local);
                        } else {
                            found.push((id, Use::Away));
                        }
                    }
                }
                NodeKind::Select { futures }
                    if futures.iter().any(|future| self.operand(future)) =>
                {
                    found.push((id, Use::Away));
                }
                _ => {}
            }
        }
        found
    }

    fn call(&mut self, id: NodeId, call: &'g Call, found: &mut Vec<(NodeId, Use<'g>)>) {
        let given = call.args.iter().enumerate().filter(|(_, arg)| self.operand(arg));
        found.extend(given.map(|(number, _)| (id, Use::Passed(call, number))));
        let Some(place) = call.receiver.as_ref().and_then(Operand::place) else { return };
        if !self.is_kept(place) {
            return;
        }
        let ty = type_of(self.world, self.graph, place.local, &place.path);
        if reaches(call.name.as_str()) {
            self.through.insert(call.to);
        }
        found.push((id, Use::Method(call, ty)));
    }

    fn assign(
        &mut self,
        id: NodeId,
        to: &Place,
        value: &'g Value,
        found: &mut Vec<(NodeId, Use<'g>)>,
    ) {
        if !self.through.contains(&to.local) && self.is_kept(to) {
            found.push((id, Use::Set));
        }
        let local = self.graph.local(to.local);
        let inner = matches!(local.kind, LocalKind::Binding | LocalKind::Temp)
            && to.path.iter().all(|part| !matches!(part, Part::Field(_)));
        let (taken, followed) = match value {
            Value::Use(operand) => (self.operand(operand), true),
            Value::Parts { parts, rest, written } => {
                let any = parts.iter().any(|(_, operand)| self.operand(operand))
                    || rest.as_ref().is_some_and(|rest| self.operand(rest));
                (any, !written)
            }
            Value::Closure { captured, .. } => {
                (captured.iter().any(|(local, _)| self.through.contains(local)), false)
            }
            Value::Opaque(used) => (used.iter().any(|operand| self.operand(operand)), false),
        };
        if !taken || self.is_kept(to) && followed {
            return;
        }
        if inner && followed {
            self.through.insert(to.local);
        } else {
            found.push((id, Use::Away));
        }
    }

    fn operand(&self, operand: &Operand) -> bool {
        operand.place().is_some_and(|place| self.is_kept(place))
    }

    /// Whether the place is what is kept, or lies in it; parts of the kept value do not count.
    fn is_kept(&self, place: &Place) -> bool {
        let plain = |parts: &[Part]| parts.iter().all(|part| !matches!(part, Part::Field(_)));
        if self.through.contains(&place.local) {
            return plain(&place.path);
        }
        match self.kept {
            Kept::Static(_, name) => {
                let local = self.graph.local(place.local);
                local.kind == LocalKind::Captured && local.name == Some(name) && plain(&place.path)
            }
            Kept::Field(of, name) => {
                let at = place.path.iter().rposition(|part| *part == Part::Field(name));
                let Some((before, after)) = at.map(|at| place.path.split_at(at)) else {
                    return false;
                };
                let owner = type_of(self.world, self.graph, place.local, before);
                let reached = self.world.reach(&owner);
                // An unknown owner may be the type that is looked for.
                let fits = reached.iter().any(|ty| matches!(ty, Ty::Own(id, _) if *id == of))
                    || reached.iter().any(Ty::is_unknown)
                    || reached.iter().all(|ty| matches!(ty, Ty::Foreign(..) | Ty::Traits(_)));
                fits && after.get(1..).is_some_and(plain)
            }
        }
    }
}

/// Methods that give access to what is inside.
pub(super) fn reaches(name: &str) -> bool {
    matches!(
        name,
        "lock"
            | "try_lock"
            | "lock_owned"
            | "lock_arc"
            | "read"
            | "write"
            | "try_read"
            | "try_write"
            | "borrow"
            | "borrow_mut"
            | "get_mut"
            | "as_mut"
            | "as_ref"
            | "as_deref"
            | "as_deref_mut"
            | "deref"
            | "deref_mut"
            | "unwrap"
            | "expect"
            | "unwrap_or_else"
    )
}

/// What is put into a field where values of its type are made; nothing when there are too many
/// places to look at.
pub(super) fn put_in(
    checker: &Checker<'_>,
    of: TypeId,
    field: Name,
) -> Option<Vec<(Rc<Site>, Operand)>> {
    let Checker { world, bodies, callers, .. } = checker;
    let def = world.names.type_def(of);
    let others = callers.naming(def.name)?;
    // In its own methods it may be called `Self`.
    let methods = def.methods.values().chain(def.traits.iter().map(|(_, methods)| methods));
    let own = methods.flatten().filter_map(|&id| bodies.of_function(id));
    let sites = own.flat_map(|site| bodies.with_nested(&site)).chain(others);
    let mut set = Vec::new();
    for site in sites {
        for node in &site.graph.nodes {
            if let NodeKind::Assign { to, value: Value::Parts { parts, written: true, .. } } =
                &node.kind
                && matches!(site.graph.local(to.local).ty.bare(), Ty::Own(id, _) if *id == of)
                && let Some((_, operand)) =
                    parts.iter().find(|(part, _)| *part == Part::Field(field))
            {
                set.push((Rc::clone(&site), operand.clone()));
            }
        }
    }
    Some(set)
}

/// Written with `pub` in front.
pub(super) fn is_public(text: &str, span: Span) -> bool {
    let before = text.get(..span.start as usize).unwrap_or_default().trim_end();
    before.ends_with("pub")
}

/// The file that a field or static is declared in.
pub(super) fn file_of(names: &Names, kept: Kept) -> FileId {
    match kept {
        Kept::Field(id, _) => names.type_def(id).file,
        Kept::Static(id, _) => names.statics[id.0 as usize].file,
    }
}
