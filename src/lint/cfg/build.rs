//! Builds the graph: expressions in the order in which they run.

use rustc_hash::FxHashSet;

use crate::lint::ir::{Body, BodyId, File, Lit, Name, Span};
use crate::lint::names::FileId;
use crate::lint::types::{Scope, Ty, World};

use super::{
    Edge, Exit, Graph, Local, LocalId, LocalKind, Node, NodeId, NodeKind, Operand, Part, Place,
    Test, Value,
};

/// A body to build the graph of.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) file: FileId,
    pub(crate) body: BodyId,
    pub(crate) scope: Scope<'a>,
    /// Where the parameters are written: those of a function do not see the items in its body.
    pub(crate) head: Scope<'a>,
    /// Variables of the bodies around, with their types.
    pub(crate) outer: &'a [(Name, Ty)],
    /// Types of parameters that are written without one.
    pub(crate) params: &'a [Ty],
    /// Edition 2024: temporaries of an `if let` end before `else`, those of a tail before locals.
    pub(crate) early_temporaries: bool,
}

/// The edge that the next step hangs on.
pub(super) type Tail = (NodeId, Edge);

pub(super) struct Builder<'a> {
    pub(super) request: Request<'a>,
    pub(super) world: &'a World<'a>,
    pub(super) lowered: &'a File,
    pub(super) graph: Graph,
    /// Where the next step hangs; empty when it cannot be reached.
    pub(super) tails: Vec<Tail>,
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) env: Vec<(Name, LocalId)>,
    /// Locals to drop, by scope.
    pub(super) scopes: Vec<Vec<LocalId>>,
    pub(super) targets: Vec<Jump>,
    pub(super) inside: Option<u32>,
    /// Steps that something leads to.
    pub(super) led: FxHashSet<NodeId>,
    /// Calls on unknown receivers, which may be told by what becomes of their values.
    pub(super) unsure: Vec<NodeId>,
    /// Places of unknown type that a pattern names the type of.
    pub(super) told: Vec<(Place, Ty)>,
}

/// A body that is being run through: the one asked for, and closures run in place.
pub(super) struct Frame<'a> {
    pub(super) body: &'a Body,
    pub(super) result: LocalId,
    /// Where `return` goes; none for the body itself.
    pub(super) back: Option<NodeId>,
    pub(super) depth: usize,
}

/// A loop or labelled block.
pub(super) struct Jump {
    pub(super) label: Option<Name>,
    pub(super) is_loop: bool,
    pub(super) result: LocalId,
    pub(super) out: NodeId,
    pub(super) head: Option<NodeId>,
    pub(super) depth: usize,
    pub(super) frame: usize,
}

/// More steps than this, and the rest of the body is not looked at.
const LARGEST: usize = 200_000;

/// Builds the graph of a body.
pub(crate) fn build(request: Request<'_>) -> Graph {
    let lowered = &request.world.names.source(request.file).file;
    let body = &lowered.bodies[request.body.0 as usize];
    let graph = Graph {
        locals: Vec::new(),
        nodes: Vec::new(),
        loops: Vec::new(),
        entry: NodeId(0),
        result: LocalId(0),
        params: Vec::new(),
        perhaps: body.perhaps.iter().map(|&id| body.expr(id).span).collect(),
        is_async: body.is_async,
        nested: Vec::new(),
    };
    let mut builder = Builder {
        request,
        world: request.world,
        lowered,
        graph,
        tails: Vec::new(),
        frames: Vec::new(),
        env: Vec::new(),
        scopes: vec![Vec::new()],
        targets: Vec::new(),
        inside: None,
        led: FxHashSet::default(),
        unsure: Vec::new(),
        told: Vec::new(),
    };
    let result = builder.local(None, Ty::Unknown, LocalKind::Result, body.span);
    builder.graph.result = result;
    let entry = builder.join();
    builder.graph.entry = entry;
    builder.tails = vec![(entry, Edge::Next)];
    for (name, ty) in request.outer {
        let id = builder.local(Some(*name), ty.clone(), LocalKind::Captured, Span::default());
        builder.env.push((*name, id));
    }
    builder.frames.push(Frame { body, result, back: None, depth: 1 });
    builder.scopes.push(Vec::new());
    for (number, param) in body.params.iter().enumerate() {
        let ty = match builder.world.ty(&param.ty, request.head) {
            Ty::Unknown => request.params.get(number).cloned().unwrap_or_default(),
            written => written,
        };
        let id = builder.local(None, ty, LocalKind::Param, body.pat(param.pat).span);
        builder.graph.params.push(id);
        if let crate::lint::ir::PatKind::Bind { name, .. } = &body.pat(param.pat).kind {
            builder.graph.locals[id.0 as usize].name = Some(*name);
            builder.env.push((*name, id));
            builder.declare(id);
        } else {
            builder.declare(id);
            builder.bind(param.pat, Place::of(id), false);
        }
    }
    builder.root(body);
    builder.recognise();
    builder.graph
}

impl<'a> Builder<'a> {
    fn root(&mut self, body: &'a Body) {
        let value = self.value(body.root);
        let end = Span { start: body.span.end.saturating_sub(1), end: body.span.end };
        let result = self.graph.result;
        self.store(Place::of(result), value, end);
        self.drop_to(1, end);
        self.step(NodeKind::Exit(Exit::End), end);
        self.tails.clear();
    }

    // -- steps --

    /// A step that nothing leads to yet.
    pub(super) fn join(&mut self) -> NodeId {
        self.push(NodeKind::Join, Span::default())
    }

    fn push(&mut self, kind: NodeKind, span: Span) -> NodeId {
        let id = NodeId(u32::try_from(self.graph.nodes.len()).unwrap_or(u32::MAX));
        self.graph.nodes.push(Node { kind, span, next: Vec::new(), inside: self.inside });
        id
    }

    /// The next step; nothing when this point cannot be reached.
    pub(super) fn step(&mut self, kind: NodeKind, span: Span) -> Option<NodeId> {
        if self.tails.is_empty() || self.graph.nodes.len() > LARGEST {
            return None;
        }
        let id = self.push(kind, span);
        self.link(id);
        self.tails.push((id, Edge::Next));
        Some(id)
    }

    /// Leads everything that is open to this step; nothing is open then.
    pub(super) fn link(&mut self, to: NodeId) {
        if !self.tails.is_empty() {
            self.led.insert(to);
        }
        for (from, edge) in std::mem::take(&mut self.tails) {
            let next = &mut self.graph.nodes[from.0 as usize].next;
            if !next.contains(&(edge, to)) {
                next.push((edge, to));
            }
        }
    }

    /// Goes on at a step made before.
    pub(super) fn resume(&mut self, at: NodeId) {
        self.tails = vec![(at, Edge::Next)];
    }

    /// A branch: what is open when it holds, and when it does not.
    pub(super) fn branch(&mut self, test: Test, span: Span) -> (Vec<Tail>, Vec<Tail>) {
        match self.step(NodeKind::Branch(test), span) {
            Some(id) => {
                self.tails.clear();
                (vec![(id, Edge::True)], vec![(id, Edge::False)])
            }
            None => (Vec::new(), Vec::new()),
        }
    }

    pub(super) fn reachable(&self) -> bool {
        !self.tails.is_empty()
    }

    // -- locals and scopes --

    pub(super) fn local(
        &mut self,
        name: Option<Name>,
        ty: Ty,
        kind: LocalKind,
        span: Span,
    ) -> LocalId {
        let id = LocalId(u32::try_from(self.graph.locals.len()).unwrap_or(u32::MAX));
        let local =
            Local { name, ty, kind, span, alias: None, closure: None, def: None, test: None };
        self.graph.locals.push(local);
        id
    }

    /// It is dropped where the scope ends that is open now.
    pub(super) fn declare(&mut self, id: LocalId) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(id);
        }
    }

    pub(super) fn temp(&mut self, ty: Ty, span: Span) -> LocalId {
        let id = self.local(None, ty, LocalKind::Temp, span);
        self.declare(id);
        id
    }

    pub(super) fn find(&self, name: Name) -> Option<LocalId> {
        self.env.iter().rev().find(|(known, _)| *known == name).map(|&(_, id)| id)
    }

    /// Where a variable's value is: of a binding by reference, what it refers to.
    pub(super) fn place_of(&self, local: LocalId) -> Place {
        self.graph.local(local).alias.clone().unwrap_or_else(|| Place::of(local))
    }

    /// Drops what the scopes above `depth` hold, the latest first. The scopes stay.
    pub(super) fn drop_to(&mut self, depth: usize, span: Span) {
        let held: Vec<LocalId> = self.scopes[depth.min(self.scopes.len())..]
            .iter()
            .rev()
            .flat_map(|scope| scope.iter().rev().copied())
            .collect();
        for id in held {
            let local = &self.graph.locals[id.0 as usize];
            if local.alias.is_none() && !matches!(local.ty, Ty::Bool | Ty::Never) {
                self.step(NodeKind::Drop(id), span);
            }
        }
    }

    /// Runs something in a scope of its own.
    pub(super) fn scoped<T>(&mut self, end: Span, run: impl FnOnce(&mut Self) -> T) -> T {
        let env = self.env.len();
        self.scopes.push(Vec::new());
        let value = run(self);
        let depth = self.scopes.len() - 1;
        self.drop_to(depth, end);
        self.scopes.pop();
        self.env.truncate(env);
        value
    }

    /// As [`Self::scoped`], for a value that outlives the scope.
    pub(super) fn scoped_value(
        &mut self,
        end: Span,
        run: impl FnOnce(&mut Self) -> Operand,
    ) -> Operand {
        let first = self.graph.locals.len();
        let env = self.env.len();
        self.scopes.push(Vec::new());
        let value = run(self);
        let value = match value {
            // Made inside: it moves out before the scope ends.
            Operand::Move(place) if place.local.0 as usize >= first && self.reachable() => {
                let ty = self.place_ty(&place);
                let out = self.local(None, ty, LocalKind::Temp, end);
                self.copy_marks(&place, out);
                let at = self.scopes.len() - 2;
                self.scopes[at].push(out);
                self.store(Place::of(out), Operand::Move(place), end);
                Operand::Move(Place::of(out))
            }
            // A reference into what a pointer of the scope points to lives on.
            Operand::Ref(place)
                if place.local.0 as usize >= first
                    && place.path.first() == Some(&Part::Element)
                    && matches!(self.graph.local(place.local).ty, Ty::Ptr(_))
                    && self.reachable() =>
            {
                let ty = Ty::Ref(Box::new(self.place_ty(&place)));
                let out = self.local(None, ty, LocalKind::Temp, end);
                let at = self.scopes.len() - 2;
                self.scopes[at].push(out);
                self.store(Place::of(out), Operand::Ref(place), end);
                Operand::Move(Place::of(out))
            }
            other => other,
        };
        let depth = self.scopes.len() - 1;
        self.drop_to(depth, end);
        self.scopes.pop();
        self.env.truncate(env);
        value
    }

    fn copy_marks(&mut self, from: &Place, to: LocalId) {
        if from.path.is_empty() {
            let local = &self.graph.locals[from.local.0 as usize];
            let (closure, test, def) = (local.closure, local.test.clone(), local.def);
            let to = &mut self.graph.locals[to.0 as usize];
            (to.closure, to.test, to.def) = (closure, test, def);
        }
    }

    // -- places, operands, types --

    pub(super) fn place_ty(&self, place: &Place) -> Ty {
        let mut ty = self.graph.local(place.local).ty.clone();
        for (at, part) in place.path.iter().enumerate() {
            ty = self.told(ty, place, at);
            ty = match part {
                Part::Field(name) => match self.pair(place, at) {
                    Some(of_pair) => of_pair,
                    None => self.world.field(&ty, *name),
                },
                Part::Payload => ty.payload(),
                Part::Element => self.element(&ty),
            };
        }
        self.told(ty, place, place.path.len())
    }

    /// The type of the first parts of a place: one that is unknown may be told by a pattern.
    fn told(&self, ty: Ty, place: &Place, parts: usize) -> Ty {
        if !ty.is_unknown() {
            return ty;
        }
        let of = |told: &&(Place, Ty)| {
            told.0.local == place.local && told.0.path[..] == place.path[..parts]
        };
        self.told.iter().find(of).map_or(ty, |(_, told)| told.clone())
    }

    /// A pattern that names a type of the package tells the type of what it matches.
    pub(super) fn tell(&mut self, place: &Place, ty: Ty) {
        if matches!(ty, Ty::Own(..)) && self.place_ty(place).is_unknown() {
            self.told.push((place.clone(), ty));
        }
    }

    /// What is in a collection, seen through what reaches to it.
    pub(super) fn element(&self, ty: &Ty) -> Ty {
        for ty in self.world.reach(ty) {
            match ty {
                Ty::Slice(inner) => return *inner,
                Ty::Foreign(path, args) => {
                    let derefs = self.world.facts.type_fact(path).and_then(|fact| fact.derefs);
                    if derefs.is_none() {
                        return args.last().cloned().unwrap_or_default();
                    }
                }
                _ => {}
            }
        }
        Ty::Unknown
    }

    /// The type of a key or value of a map whose elements are taken apart as pairs: `for (k, v) in`.
    fn pair(&self, place: &Place, at: usize) -> Option<Ty> {
        let (Part::Field(name), Part::Element) = (place.path[at], place.path[at.checked_sub(1)?])
        else {
            return None;
        };
        let number = name.as_str().parse::<usize>().ok()?;
        let of = Place { local: place.local, path: place.path[..at - 1].to_vec() };
        let map = self.world.reach(&self.place_ty(&of)).into_iter().find_map(|ty| match ty {
            Ty::Foreign(path, args) if path.as_str().ends_with("Map") => Some(args),
            _ => None,
        })?;
        // What an index gives may be a tuple itself.
        let plain = map.len() == 2 && !matches!(map[1], Ty::Tuple(_) | Ty::Own(..));
        map.get(number).filter(|_| plain).cloned()
    }

    pub(super) fn ty_of(&self, operand: &Operand) -> Ty {
        match operand {
            Operand::Move(place) => self.place_ty(place),
            Operand::Ref(place) => match self.place_ty(place) {
                Ty::Unknown => Ty::Unknown,
                ty @ Ty::Ref(_) => ty,
                ty => Ty::Ref(Box::new(ty)),
            },
            Operand::Lit(Lit::Int(_)) => Ty::Int,
            Operand::Lit(Lit::Bool(_)) => Ty::Bool,
            Operand::Unit => Ty::unit(),
            Operand::Lit(_) | Operand::Const(_) => Ty::Unknown,
        }
    }

    /// Puts a value into a place.
    pub(super) fn store(&mut self, to: Place, value: Operand, span: Span) {
        // What is never reached says nothing: `x.unwrap_or_else(|_| panic!())` gives what is in x.
        if self.tails.is_empty() {
            return;
        }
        if to.path.is_empty() {
            let ty = self.ty_of(&value);
            let marks = match &value {
                Operand::Move(place) if place.path.is_empty() => Some(place.clone()),
                _ => None,
            };
            let test = if ty == Ty::Bool { self.test_of(&value) } else { None };
            let local = &mut self.graph.locals[to.local.0 as usize];
            if local.ty.is_unknown()
                || matches!(&local.ty, Ty::Foreign(_, args) if args.is_empty()) && !ty.is_unknown()
            {
                local.ty = ty;
            }
            match marks {
                Some(place) => self.copy_marks(&place, to.local),
                None => local.test = local.test.take().or(test),
            }
        }
        // Texts are kept: a statement for a database says whether it changes anything.
        let text = matches!(value, Operand::Lit(Lit::Str(_)));
        if text
            || !matches!(value, Operand::Unit | Operand::Lit(_))
            || !to.path.is_empty()
            || self.graph.local(to.local).kind == LocalKind::Binding
        {
            self.step(NodeKind::Assign { to, value: Value::Use(value) }, span);
        }
    }

    /// Stores a made value in a fresh temporary.
    pub(super) fn made(&mut self, value: Value, ty: Ty, span: Span) -> LocalId {
        let id = self.temp(ty, span);
        let node = self.step(NodeKind::Assign { to: Place::of(id), value }, span);
        self.graph.locals[id.0 as usize].def = node;
        id
    }

    /// A place for a value: its own, or a temporary.
    pub(super) fn hold(&mut self, value: Operand, span: Span) -> (Place, bool) {
        match value {
            Operand::Move(place) => (place, false),
            Operand::Ref(place) => (place, true),
            other => {
                let ty = self.ty_of(&other);
                let id = self.temp(ty, span);
                self.store(Place::of(id), other, span);
                (Place::of(id), false)
            }
        }
    }

    pub(super) fn body(&self) -> &'a Body {
        self.frames[self.frames.len() - 1].body
    }
}
