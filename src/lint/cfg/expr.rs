//! Expressions and statements, in the order in which they run.

use crate::lint::ir::{
    BinaryOp, BlockKind, BodyId, ExprId, ExprKind, Lit, Name, Path, Span, Stmt, TypeRef, UnaryOp,
};
use crate::lint::types::{Target, Ty};

use super::build::{Builder, Jump};
use super::{
    Exit, LocalId, LocalKind, Loop, LoopKind, Nested, NodeId, NodeKind, Operand, Part, Place, Test,
    Value,
};

/// Steps back from a part of a tuple to what was put into it: blocks around, tuples in between.
const STEPS: u32 = 5;

impl<'a> Builder<'a> {
    /// The place that an expression names, or that its value is put into.
    pub(super) fn place(&mut self, id: ExprId) -> (Place, bool) {
        let body = self.body();
        let expr = body.expr(id);
        match &expr.kind {
            ExprKind::Path(path) => {
                if let Some(local) = path.as_name().and_then(|name| self.find(name)) {
                    return match &self.graph.local(local).alias {
                        Some(place) => (place.clone(), true),
                        None => (Place::of(local), false),
                    };
                }
            }
            ExprKind::Field { base, name } => {
                let (place, by_ref) = self.place(*base);
                return (place.part(Part::Field(*name)), by_ref);
            }
            ExprKind::Index { base, index } => {
                let (place, by_ref) = self.place(*base);
                self.value(*index);
                return (place.part(Part::Element), by_ref);
            }
            ExprKind::Unary { op: UnaryOp::Deref, operand } => return self.deref(*operand),
            ExprKind::Ref { operand } => {
                let (place, _) = self.place(*operand);
                return (place, true);
            }
            _ => {}
        }
        let value = self.value(id);
        self.hold(value, expr.span)
    }

    /// What a reference refers to is seen through; what a pointer points to is something else.
    fn deref(&mut self, operand: ExprId) -> (Place, bool) {
        let (place, by_ref) = self.place(operand);
        match self.place_ty(&place) {
            Ty::Ptr(_) => (place.part(Part::Element), by_ref),
            _ => (place, by_ref),
        }
    }

    /// What a guard gives access to is copied out of it, never moved: the guard stays. So it is of
    /// every type of the package, which can only be dereferenced by its `Deref`.
    fn behind(&mut self, operand: ExprId) -> Place {
        let (place, by_ref) = self.deref(operand);
        let ty = self.place_ty(&place);
        let guards = ty.path().and_then(|path| self.world.facts.type_fact(path));
        let own = !by_ref && matches!(ty, Ty::Own(..));
        if own || guards.is_some_and(|fact| fact.derefs.is_some() && !fact.classes.is_empty()) {
            return place.part(Part::Field(Name::new("*")));
        }
        place
    }

    /// A step for a use by reference that would leave none, when somebody may ask for it: of a
    /// temporary of a type that there are facts about.
    pub(super) fn looked_at(&mut self, value: &Operand, span: Span) {
        let Some(place) = value.place() else { return };
        let local = self.graph.local(place.local);
        if local.kind == LocalKind::Temp && matches!(local.ty, Ty::Foreign(..) | Ty::Own(..)) {
            let used = vec![Operand::Ref(place.clone())];
            self.made(Value::Opaque(used), Ty::Unknown, span);
        }
    }

    /// Evaluates something only to look at it.
    pub(super) fn look(&mut self, id: ExprId) -> Operand {
        match self.value(id) {
            Operand::Move(place) => Operand::Ref(place),
            other => other,
        }
    }

    /// Evaluates an expression.
    pub(super) fn value(&mut self, id: ExprId) -> Operand {
        let body = self.body();
        let expr = body.expr(id);
        let span = expr.span;
        match &expr.kind {
            ExprKind::Lit(lit) => Operand::Lit(lit.clone()),
            ExprKind::Path(path) => self.path_value(path),
            ExprKind::Field { .. } | ExprKind::Index { .. } => {
                let (place, _) = self.place(id);
                Operand::Move(place)
            }
            // A text that is lent stays known.
            ExprKind::Ref { operand }
                if let inner = body.expr(*operand)
                    && matches!(inner.kind, ExprKind::Macro { .. } | ExprKind::Path(_)) =>
            {
                match self.value(*operand) {
                    text @ Operand::Lit(Lit::Str(_)) => text,
                    value => Operand::Ref(self.hold(value, inner.span).0),
                }
            }
            ExprKind::Ref { operand } => {
                let (place, _) = self.place(*operand);
                Operand::Ref(place)
            }
            ExprKind::Unary { op, operand } => match op {
                UnaryOp::Deref => Operand::Move(self.behind(*operand)),
                UnaryOp::Not | UnaryOp::Neg => {
                    let value = self.look(*operand);
                    self.looked_at(&value, span);
                    let test = self.test_of(&value).map(|test| Test::Not(Box::new(test)));
                    self.truth(test, span)
                }
            },
            ExprKind::Binary { op, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => {
                    let (yes, no) = self.condition(id);
                    self.tails = yes;
                    self.tails.extend(no);
                    self.truth(None, span)
                }
                _ => {
                    let test = self.comparison(*op, *left, *right);
                    self.truth(Some(test), span)
                }
            },
            ExprKind::Let { .. } => {
                let (yes, no) = self.condition(id);
                self.tails = yes;
                self.tails.extend(no);
                self.truth(None, span)
            }
            ExprKind::Cast { operand, ty } => {
                let value = self.value(*operand);
                let known = self.ty_of(&value);
                match (&value, self.world.ty(ty, self.request.scope)) {
                    // A pointer of another type is still that pointer.
                    (Operand::Move(place), ty) if known.is_unknown() && place.path.is_empty() => {
                        let local = &mut self.graph.locals[place.local.0 as usize];
                        if local.kind == LocalKind::Temp {
                            local.ty = ty;
                        }
                        value
                    }
                    _ => value,
                }
            }
            ExprKind::Assign { target, value } => {
                let value = self.value(*value);
                if matches!(body.expr(*target).kind, ExprKind::Unknown) {
                    // `_ = value`: a temporary that ends with the statement.
                    return Operand::Unit;
                }
                let place = match &body.expr(*target).kind {
                    ExprKind::Unary { op: UnaryOp::Deref, operand } => {
                        let place = self.behind(*operand);
                        let local = self.graph.local(place.local);
                        let refers = local.kind == LocalKind::Temp
                            || local.kind == LocalKind::Binding && local.ty.is_unknown();
                        // What a call gives access to, or a name of unknown type, is not the name.
                        if refers && place.path.is_empty() {
                            place.part(Part::Element)
                        } else {
                            place
                        }
                    }
                    ExprKind::Path(path) => match self.static_of(path) {
                        Some(outside) => Place::of(outside),
                        None => self.place(*target).0,
                    },
                    _ => self.place(*target).0,
                };
                self.store(place, value, span);
                Operand::Unit
            }
            ExprKind::Update { target, value } => {
                for part in [*value, *target] {
                    let seen = self.look(part);
                    self.looked_at(&seen, span);
                }
                Operand::Unit
            }
            ExprKind::Tuple(parts) => {
                if parts.is_empty() {
                    return Operand::Unit;
                }
                let values: Vec<Operand> = parts.iter().map(|&part| self.value(part)).collect();
                let ty = Ty::Tuple(values.iter().map(|value| self.ty_of(value)).collect());
                let parts = values.into_iter().enumerate();
                let parts = parts
                    .map(|(number, value)| (Part::Field(Name::new(&number.to_string())), value))
                    .collect();
                let made = self.made(Value::Parts { parts, rest: None, written: false }, ty, span);
                Operand::Move(Place::of(made))
            }
            ExprKind::Array(list) => {
                let values: Vec<Operand> = list.iter().map(|&part| self.value(part)).collect();
                self.list(values, span)
            }
            ExprKind::Struct { path, fields, rest } => {
                let variant = self.variant(path);
                let parts: Vec<(Part, Operand)> = fields
                    .iter()
                    .map(|&(name, value)| {
                        let name = self.field_name(variant, name);
                        (Part::Field(name), self.value(value))
                    })
                    .collect();
                let rest = rest.map(|rest| self.value(rest));
                let ty = self.world.ty(&TypeRef::Path((**path).clone()), self.request.scope);
                let made = self.made(Value::Parts { parts, rest, written: true }, ty, span);
                Operand::Move(Place::of(made))
            }
            ExprKind::Range(start, end) => {
                for part in [start, end].into_iter().flatten() {
                    self.look(*part);
                }
                Operand::Unit
            }
            ExprKind::Call { callee, args } => self.call(*callee, args, span),
            ExprKind::Method { receiver, name, name_span, generics, args } => {
                let at = Span { start: name_span.start, end: span.end };
                self.method(*receiver, *name, generics, args, false, at)
            }
            ExprKind::Try(operand) => {
                let opened = body.expr(*operand);
                let value = match &opened.kind {
                    ExprKind::Method { receiver, name, name_span, generics, args } => {
                        let at = Span { start: name_span.start, end: opened.span.end };
                        self.method(*receiver, *name, generics, args, true, at)
                    }
                    _ => self.value(*operand),
                };
                let (place, by_ref) = self.hold(value, span);
                self.leave_on_failure(&place, span);
                let payload = place.part(Part::Payload);
                if by_ref { Operand::Ref(payload) } else { Operand::Move(payload) }
            }
            ExprKind::Await(operand) => {
                let value = self.value(*operand);
                self.awaited(value, span)
            }
            ExprKind::Block { kind: BlockKind::Try, .. } | ExprKind::Unknown => Operand::Unit,
            ExprKind::Block { label, stmts, tail, .. } => self.block(*label, stmts, *tail, span),
            ExprKind::Async { body } | ExprKind::Closure { body } => self.closure(*body, span),
            ExprKind::Macro { path, body } => self.macro_call(path, body, span),
            _ => self.control(id),
        }
    }

    pub(super) fn list(&mut self, values: Vec<Operand>, span: Span) -> Operand {
        let inner = values.first().map(|value| self.ty_of(value)).unwrap_or_default();
        let parts = values.into_iter().map(|value| (Part::Element, value)).collect();
        let ty = Ty::Slice(Box::new(inner));
        let made = self.made(Value::Parts { parts, rest: None, written: false }, ty, span);
        Operand::Move(Place::of(made))
    }

    pub(super) fn awaited(&mut self, value: Operand, span: Span) -> Operand {
        let ty = match self.ty_of(&value).bare() {
            Ty::Future(inner) => (**inner).clone(),
            _ => Ty::Unknown,
        };
        let to = self.temp(ty, span);
        let node = self.step(NodeKind::Await { to: Place::of(to), what: value }, span);
        self.graph.locals[to.0 as usize].def = node;
        Operand::Move(Place::of(to))
    }

    /// A truth value that remembers what it tells.
    pub(super) fn truth(&mut self, test: Option<Test>, span: Span) -> Operand {
        let id = self.temp(Ty::Bool, span);
        self.graph.locals[id.0 as usize].test = test;
        Operand::Move(Place::of(id))
    }

    pub(super) fn test_of(&self, value: &Operand) -> Option<Test> {
        self.test_within(value, STEPS)
    }

    fn test_within(&self, value: &Operand, steps: u32) -> Option<Test> {
        let place = value.place()?;
        match place.path.as_slice() {
            [] => self.graph.local(place.local).test.clone(),
            [part] => self.test_in(place.local, part, steps),
            _ => None,
        }
    }

    /// That of what was put into a part, as long as that was done once: `(result == 0, fds)`.
    fn test_in(&self, local: LocalId, part: &Part, steps: u32) -> Option<Test> {
        // What goes round in a circle, a tuple made of another and that of it, says nothing.
        if steps == 0 || !matches!(self.graph.local(local).ty, Ty::Tuple(_)) {
            return None;
        }
        let mut made = self.graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Assign { to, value } if to.local == local => Some((to, value)),
            _ => None,
        });
        match (made.next()?, made.next()) {
            ((to, Value::Parts { parts, .. }), None) if to.path.is_empty() => {
                let (_, put) = parts.iter().find(|(known, _)| known == part)?;
                self.test_within(put, steps - 1)
            }
            ((to, Value::Use(Operand::Move(from))), None)
                if to.path.is_empty() && from.path.is_empty() =>
            {
                self.test_in(from.local, part, steps - 1)
            }
            _ => None,
        }
    }

    pub(super) fn comparison(&mut self, op: BinaryOp, left: ExprId, right: ExprId) -> Test {
        let left = self.look(left);
        let right = self.look(right);
        Test::Compare(op, left, right)
    }

    /// A static as something to write to, whatever is known of the value that it begins with.
    fn static_of(&mut self, path: &Path) -> Option<LocalId> {
        if path.as_name().is_some_and(|name| self.find(name).is_some()) {
            return None;
        }
        let target = self.world.value(path, self.request.scope).0;
        let Target::Static(_) = target else { return None };
        let ty = self.world.returns(&target, &Ty::Unknown, &[]);
        let name = path.last().map(|last| last.name);
        Some(self.local(name, ty, LocalKind::Captured, Span::default()))
    }

    fn path_value(&mut self, path: &Path) -> Operand {
        if let Some(name) = path.as_name() {
            if let Some(local) = self.find(name) {
                return match &self.graph.local(local).alias {
                    Some(place) => Operand::Ref(place.clone()),
                    None => Operand::Move(Place::of(local)),
                };
            }
            if name.as_str() == "None" {
                return Operand::Const(name);
            }
        }
        let last = path.last().map_or_else(|| Name::new("?"), |last| last.name);
        match self.world.value(path, self.request.scope).0 {
            Target::Static(id) if let Some(text) = self.world.names.statics[id.0 as usize].text => {
                Operand::Lit(Lit::Str(text))
            }
            Target::Static(id) => match self.world.names.statics[id.0 as usize].int {
                Some(value) if value != 0 => Operand::Const(last),
                Some(value) => Operand::Lit(Lit::Int(value)),
                None => {
                    let ty = self.world.returns(&Target::Static(id), &Ty::Unknown, &[]);
                    let local = self.local(Some(last), ty, LocalKind::Captured, Span::default());
                    Operand::Move(Place::of(local))
                }
            },
            Target::Own(id) => {
                let returned = self.world.returns(&Target::Own(id), &Ty::Unknown, &[]);
                let ty = Ty::Fn(Box::new(returned));
                let local = self.local(Some(last), ty, LocalKind::Captured, Span::default());
                Operand::Move(Place::of(local))
            }
            Target::Constructor(id) => {
                let ty = Ty::Own(id, Vec::new());
                let made = self.local(Some(last), ty, LocalKind::Captured, Span::default());
                Operand::Move(Place::of(made))
            }
            target @ Target::Api(..) if self.world.is_value(&target) => {
                let ty = self.world.returns(&target, &Ty::Unknown, &[]);
                let local = self.local(Some(last), ty, LocalKind::Captured, Span::default());
                Operand::Move(Place::of(local))
            }
            _ => Operand::Const(last),
        }
    }

    /// `?`: out when it is a failure, on otherwise.
    pub(super) fn leave_on_failure(&mut self, place: &Place, span: Span) {
        let at = Span { start: span.end.saturating_sub(1), end: span.end };
        let (yes, no) = self.branch(Test::Success(place.clone()), at);
        self.tails = no;
        self.leave(Exit::Try, at);
        self.tails = yes;
    }

    /// Leaves the body, or the closure that runs in place.
    pub(super) fn leave(&mut self, exit: Exit, span: Span) {
        if !self.reachable() {
            return;
        }
        let frame = &self.frames[self.frames.len() - 1];
        let (depth, back) = (frame.depth, frame.back);
        self.drop_to(depth, span);
        match back {
            Some(back) => self.link(back),
            None => {
                self.step(NodeKind::Exit(exit), span);
                self.tails.clear();
            }
        }
    }

    /// Ends here, without anything being released.
    pub(super) fn never(&mut self, span: Span) {
        self.step(NodeKind::Exit(Exit::Never), span);
        self.tails.clear();
    }

    fn block(
        &mut self,
        label: Option<Name>,
        stmts: &'a [Stmt],
        tail: Option<ExprId>,
        span: Span,
    ) -> Operand {
        let end = Span { start: span.end.saturating_sub(1), end: span.end };
        let jump = label.map(|label| {
            let result = self.temp(Ty::Unknown, span);
            let out = self.join();
            let depth = self.scopes.len();
            let frame = self.frames.len();
            self.targets.push(Jump {
                label: Some(label),
                is_loop: false,
                result,
                out,
                head: None,
                depth,
                frame,
            });
            (result, out)
        });
        let value = self.scoped_value(end, |this| {
            for stmt in stmts {
                this.stmt(stmt);
            }
            tail.map_or(Operand::Unit, |tail| this.value(tail))
        });
        let Some((result, out)) = jump else { return value };
        self.targets.pop();
        self.store(Place::of(result), value, end);
        self.link(out);
        self.resume(out);
        Operand::Move(Place::of(result))
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        // Where it leaves the function, other builds go on without it.
        let others = self.body().is_perhaps(stmt).then(|| self.tails.clone());
        match stmt {
            Stmt::Expr(id) => {
                let span = self.body().expr(*id).span;
                let end = Span { start: span.end.saturating_sub(1), end: span.end };
                self.scoped(end, |this| {
                    let value = this.value(*id);
                    this.discard(value, end);
                });
            }
            Stmt::Let { pat, ty, init, otherwise, span } => {
                self.let_stmt(*pat, ty.as_ref(), *init, *otherwise, *span);
            }
            Stmt::Item(_) => {}
        }
        if let Some(others) = others.filter(|_| !self.reachable()) {
            self.tails = others;
        }
    }

    /// A value that nobody keeps: parts of a temporary go with it. What is taken out of it was
    /// looked at all the same.
    pub(super) fn discard(&mut self, value: Operand, span: Span) {
        let taken_out = match &value {
            Operand::Ref(_) => true,
            Operand::Move(place) => place.path.iter().any(|part| matches!(part, Part::Field(_))),
            _ => false,
        };
        if taken_out {
            self.looked_at(&value, span);
        }
    }

    /// A closure or async block, with the variables around that it names.
    pub(super) fn closure(&mut self, body: BodyId, span: Span) -> Operand {
        let lowered = &self.lowered.bodies[body.0 as usize];
        let mut captured: Vec<(LocalId, bool)> = Vec::new();
        let mut outer = Vec::new();
        for &name in &lowered.mentions {
            if let Some(local) = self.find(name) {
                let place = self.graph.local(local).alias.clone();
                outer.push((name, self.place_ty(&place.clone().unwrap_or(Place::of(local)))));
                let local = place.map_or(local, |place| place.local);
                if !captured.iter().any(|&(known, _)| known == local) {
                    captured.push((local, lowered.is_move));
                }
            }
        }
        let ty = if lowered.is_async && lowered.params.is_empty() {
            Ty::Future(Box::default())
        } else {
            Ty::Fn(Box::default())
        };
        let made = self.made(Value::Closure { body, captured }, ty, span);
        let local = &mut self.graph.locals[made.0 as usize];
        local.closure = Some(body);
        let node = local.def;
        if self.reachable() {
            self.graph.nested.push(Nested { body, outer, params: Vec::new(), made: node });
        }
        Operand::Move(Place::of(made))
    }

    /// Opens a loop; returns what `break` gives.
    pub(super) fn open_loop(
        &mut self,
        label: Option<Name>,
        kind: LoopKind,
        span: Span,
    ) -> (LocalId, NodeId, NodeId) {
        let result = self.temp(Ty::Unknown, span);
        let out = self.join();
        let number = u32::try_from(self.graph.loops.len()).unwrap_or(u32::MAX);
        let parent = self.inside;
        self.inside = Some(number);
        let head = self.join();
        self.graph.loops.push(Loop { parent, kind, span, head });
        self.link(head);
        self.resume(head);
        let depth = self.scopes.len();
        let frame = self.frames.len();
        self.targets.push(Jump {
            label,
            is_loop: true,
            result,
            out,
            head: Some(head),
            depth,
            frame,
        });
        (result, head, out)
    }

    pub(super) fn close_loop(&mut self, head: NodeId, out: NodeId) {
        self.link(head);
        self.targets.pop();
        self.inside = self.inside.and_then(|number| self.graph.loops[number as usize].parent);
        self.resume(out);
    }
}
