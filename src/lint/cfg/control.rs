//! Branches, loops and jumps.

use crate::lint::ir::{BinaryOp, ExprId, ExprKind, Lit, Name, PatId, Span, TypeRef, UnaryOp};
use crate::lint::types::Ty;

use super::build::{Builder, Tail};
use super::{Exit, LoopKind, NodeKind, Operand, Place, Test, Value};

impl<'a> Builder<'a> {
    pub(super) fn control(&mut self, id: ExprId) -> Operand {
        let body = self.body();
        let expr = body.expr(id);
        let span = expr.span;
        let end = Span { start: span.end.saturating_sub(1), end: span.end };
        match &expr.kind {
            ExprKind::If { condition, then, otherwise } => {
                let result = self.temp(Ty::Unknown, span);
                let out = self.join();
                let mut no: Vec<Tail> = Vec::new();
                let plain = !has_let(body, *condition);
                let early = self.request.early_temporaries || plain;
                // Bindings of `if let` live through the branch that is taken.
                self.scoped(end, |this| {
                    let (yes, mut failed) = this.asked(*condition, plain, end);
                    if early {
                        failed = this.dropped(failed, end);
                    }
                    this.tails = yes;
                    let value = this.value(*then);
                    this.store(Place::of(result), value, end);
                    no = failed;
                    if early {
                        return;
                    }
                    // Temporaries of the condition live through `else`, too.
                    let here = std::mem::replace(&mut this.tails, std::mem::take(&mut no));
                    if let Some(otherwise) = otherwise {
                        let value = this.value(*otherwise);
                        this.store(Place::of(result), value, end);
                    }
                    this.tails.extend(here);
                });
                if early {
                    self.link(out);
                    self.tails = no;
                    // What the condition made is gone before `else`.
                    if let Some(otherwise) = otherwise {
                        let value = self.value(*otherwise);
                        self.store(Place::of(result), value, end);
                    }
                }
                self.link(out);
                self.resume_if_reached(out);
                Operand::Move(Place::of(result))
            }
            ExprKind::Match { subject, arms } => {
                let result = self.temp(Ty::Unknown, span);
                let out = self.join();
                let value = self.value(*subject);
                let (place, by_ref) = self.hold(value, span);
                for arm in arms {
                    if !self.reachable() {
                        break;
                    }
                    let mut failed = Vec::new();
                    self.scoped(body.expr(arm.body).span, |this| {
                        failed = this.pattern(arm.pat, &place, by_ref || arm.guard.is_some());
                        if let Some(guard) = arm.guard {
                            let plain = !has_let(body, guard);
                            let (yes, no) = this.asked(guard, plain, body.expr(guard).span);
                            this.tails = yes;
                            failed.extend(no);
                            if !by_ref {
                                // A guard only looks. That the pattern matches is known by now.
                                this.pattern(arm.pat, &place, false);
                            }
                        }
                        let value = this.value(arm.body);
                        this.store(Place::of(result), value, body.expr(arm.body).span);
                    });
                    self.link(out);
                    self.tails = failed;
                }
                // Matches are exhaustive: what is left cannot happen.
                self.tails.clear();
                self.resume_if_reached(out);
                Operand::Move(Place::of(result))
            }
            ExprKind::Loop { label, body } => {
                let (result, head, out) = self.open_loop(*label, LoopKind::Loop, span);
                let value = self.value(*body);
                self.discard(value, end);
                self.close_loop(head, out);
                self.unless_reached(out);
                Operand::Move(Place::of(result))
            }
            ExprKind::While { label, condition, body: inner } => {
                let always = matches!(body.expr(*condition).kind, ExprKind::Lit(Lit::Bool(true)));
                let kind = if always { LoopKind::Loop } else { LoopKind::While };
                let (_, head, out) = self.open_loop(*label, kind, span);
                let mut no = Vec::new();
                let plain = !has_let(body, *condition);
                self.scoped(end, |this| {
                    let (yes, failed) = this.asked(*condition, plain, end);
                    let failed = this.dropped(failed, end);
                    this.tails = yes;
                    no = if always { Vec::new() } else { failed };
                    let value = this.value(*inner);
                    this.discard(value, end);
                });
                self.link(head);
                self.tails = no;
                self.link(out);
                self.close_loop(head, out);
                self.unless_reached(out);
                Operand::Unit
            }
            ExprKind::For { label, pat, iterator, body: inner } => {
                let value = self.value(*iterator);
                let (place, by_ref) = self.hold(value, span);
                self.each(&place, (*label, span), |this, element| {
                    this.scoped(end, |this| {
                        let failed = this.pattern(*pat, element, by_ref);
                        this.tails.extend(failed);
                        let value = this.value(*inner);
                        this.discard(value, end);
                    });
                });
                Operand::Unit
            }
            ExprKind::Break { label, value } => {
                let value = value.map(|value| self.value(value));
                let frame = self.frames.len();
                let found = self.targets.iter().rev().find(|jump| {
                    jump.frame == frame
                        && if label.is_some() { jump.label == *label } else { jump.is_loop }
                });
                if let Some(jump) = found {
                    let (result, out, depth) = (jump.result, jump.out, jump.depth);
                    if let Some(value) = value {
                        self.store(Place::of(result), value, span);
                    }
                    self.drop_to(depth, span);
                    self.link(out);
                }
                self.tails.clear();
                Operand::Unit
            }
            ExprKind::Continue { label } => {
                let frame = self.frames.len();
                let found = self.targets.iter().rev().find(|jump| {
                    jump.frame == frame && jump.is_loop && (label.is_none() || jump.label == *label)
                });
                if let Some(jump) = found {
                    let (head, depth) = (jump.head, jump.depth);
                    self.drop_to(depth, span);
                    if let Some(head) = head {
                        self.link(head);
                    }
                }
                self.tails.clear();
                Operand::Unit
            }
            ExprKind::Return(value) => {
                let value = value.map_or(Operand::Unit, |value| self.value(value));
                let result = self.frames[self.frames.len() - 1].result;
                self.store(Place::of(result), value, span);
                self.leave(Exit::Return, span);
                Operand::Unit
            }
            ExprKind::Yield(value) => {
                if let Some(value) = value {
                    let value = self.value(*value);
                    self.step(
                        NodeKind::Assign {
                            to: Place::of(self.graph.result),
                            value: Value::Opaque(vec![value]),
                        },
                        span,
                    );
                }
                Operand::Unit
            }
            _ => Operand::Unit,
        }
    }

    /// Goes on at `out` when something leads there.
    pub(super) fn resume_if_reached(&mut self, out: super::NodeId) {
        self.resume(out);
        self.unless_reached(out);
    }

    fn unless_reached(&mut self, out: super::NodeId) {
        if !self.led.contains(&out) {
            self.tails.clear();
        }
    }

    /// A condition with its temporaries: without `let` they end before the branch is taken.
    fn asked(&mut self, id: ExprId, plain: bool, end: Span) -> (Vec<Tail>, Vec<Tail>) {
        if !plain {
            return self.condition(id);
        }
        self.scopes.push(Vec::new());
        let (yes, no) = self.condition(id);
        let (yes, no) = (self.dropped(yes, end), self.dropped(no, end));
        self.scopes.pop();
        (yes, no)
    }

    /// An operand of `&&` or `||`: its temporaries end with it, unless it is a `let`.
    fn lazy(&mut self, id: ExprId) -> (Vec<Tail>, Vec<Tail>) {
        let body = self.body();
        let span = body.expr(id).span;
        self.asked(
            id,
            !has_let(body, id),
            Span { start: span.end.saturating_sub(1), end: span.end },
        )
    }

    /// Ends what the innermost scope holds, on a way that leaves it.
    fn dropped(&mut self, tails: Vec<Tail>, end: Span) -> Vec<Tail> {
        let here = std::mem::replace(&mut self.tails, tails);
        self.drop_to(self.scopes.len() - 1, end);
        std::mem::replace(&mut self.tails, here)
    }

    /// Evaluates a condition: what is open when it holds, and when not.
    pub(super) fn condition(&mut self, id: ExprId) -> (Vec<Tail>, Vec<Tail>) {
        let body = self.body();
        let expr = body.expr(id);
        match &expr.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right } => {
                let (yes, mut no) = self.lazy(*left);
                self.tails = yes;
                let (yes, failed) = self.lazy(*right);
                no.extend(failed);
                (yes, no)
            }
            ExprKind::Binary { op: BinaryOp::Or, left, right } => {
                let (mut yes, no) = self.lazy(*left);
                self.tails = no;
                let (held, no) = self.lazy(*right);
                yes.extend(held);
                (yes, no)
            }
            ExprKind::Binary { op, left, right } if *op != BinaryOp::Other => {
                let test = self.comparison(*op, *left, *right);
                self.branch(test, expr.span)
            }
            ExprKind::Unary { op: UnaryOp::Not, operand } => {
                let (yes, no) = self.condition(*operand);
                (no, yes)
            }
            ExprKind::Let { pat, value } => {
                let value = self.value(*value);
                let (place, by_ref) = self.hold(value, expr.span);
                let no = self.pattern(*pat, &place, by_ref);
                (std::mem::take(&mut self.tails), no)
            }
            ExprKind::Lit(Lit::Bool(value)) => {
                let here = std::mem::take(&mut self.tails);
                if *value { (here, Vec::new()) } else { (Vec::new(), here) }
            }
            _ => {
                let value = self.look(id);
                self.looked_at(&value, expr.span);
                let mut test = self.test_of(&value).unwrap_or(Test::Opaque);
                let mut negated = false;
                while let Test::Not(inner) = test {
                    negated = !negated;
                    test = *inner;
                }
                let (yes, no) = self.branch(test, expr.span);
                if negated { (no, yes) } else { (yes, no) }
            }
        }
    }

    pub(super) fn let_stmt(
        &mut self,
        pat: PatId,
        ty: Option<&'a TypeRef>,
        init: Option<ExprId>,
        otherwise: Option<ExprId>,
        span: Span,
    ) {
        let body = self.body();
        let written = ty.map(|ty| self.world.ty(ty, self.request.scope)).unwrap_or_default();
        let Some(init) = init else {
            self.declare_bindings(pat, &written);
            return;
        };
        let end = body.expr(init).span;
        let end = Span { start: end.end.saturating_sub(1), end: end.end };
        // `let x = &make();` keeps what it makes: as if it were taken by value.
        let init = match &body.expr(init).kind {
            ExprKind::Ref { operand } if !is_place(body, *operand) => *operand,
            _ => init,
        };
        let depth = self.scopes.len() - 1;
        self.scopes.push(Vec::new());
        let first = self.env.len();
        let value = self.value(init);
        let kept = match &value {
            Operand::Ref(place) if keeps(body, init) => Some(place.local),
            _ => None,
        };
        let (place, by_ref) = match (&body.pat(pat).kind, value) {
            (crate::lint::ir::PatKind::Wild, value) => {
                // Nothing is bound: a temporary ends here, a place stays.
                self.discard(value, end);
                self.close_statement(end);
                return;
            }
            (_, value) => self.hold(value, span),
        };
        if !written.is_unknown() && place.path.is_empty() {
            let local = &mut self.graph.locals[place.local.0 as usize];
            if local.ty.is_unknown() {
                local.ty = written.clone();
            }
        }
        // Bindings belong to the scope around the statement.
        let bound_from = self.graph.locals.len();
        let failed = self.pattern(pat, &place, by_ref);
        if !written.is_unknown() {
            for local in &mut self.graph.locals[bound_from..] {
                if local.ty.is_unknown()
                    && local.name.is_some()
                    && matches!(body.pat(pat).kind, crate::lint::ir::PatKind::Bind { .. })
                {
                    local.ty = written.clone();
                }
            }
        }
        let statement = self.scopes.len() - 1;
        let (bound, temps): (Vec<_>, Vec<_>) = std::mem::take(&mut self.scopes[statement])
            .into_iter()
            .partition(|id| id.0 as usize >= bound_from || kept == Some(*id));
        self.scopes[depth].extend(bound);
        self.scopes[statement] = temps;
        if let Some(otherwise) = otherwise {
            // What the statement made is gone before `else`.
            let failed = self.dropped(failed, end);
            let matched = std::mem::replace(&mut self.tails, failed);
            let names: Vec<_> = self.env.drain(first..).collect();
            let value = self.value(otherwise);
            self.discard(value, end);
            self.tails = matched;
            self.env.extend(names);
        }
        // Without `else` the pattern always matches.
        self.close_statement(end);
    }

    /// Ends the scope of a statement; names stay.
    fn close_statement(&mut self, end: Span) {
        let depth = self.scopes.len() - 1;
        self.drop_to(depth, end);
        self.scopes.pop();
    }

    pub(super) fn constant_name(&self, name: Name) -> bool {
        name.as_str().starts_with(|c: char| c.is_uppercase())
    }
}

/// `let` in a condition: what it looks at lives through the branch.
fn has_let(body: &crate::lint::ir::Body, id: ExprId) -> bool {
    match &body.expr(id).kind {
        ExprKind::Let { .. } => true,
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            has_let(body, *left) || has_let(body, *right)
        }
        _ => false,
    }
}

/// `&mut *make()`, `&make().field`: what is made lives as long as the reference's name.
fn keeps(body: &crate::lint::ir::Body, init: ExprId) -> bool {
    let ExprKind::Ref { operand } = body.expr(init).kind else { return false };
    let mut at = operand;
    loop {
        at = match &body.expr(at).kind {
            ExprKind::Unary { op: UnaryOp::Deref, operand } => *operand,
            ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => *base,
            _ => return !is_place(body, at),
        };
    }
}

fn is_place(body: &crate::lint::ir::Body, id: ExprId) -> bool {
    matches!(
        body.expr(id).kind,
        ExprKind::Path(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Ref { .. }
    )
}
