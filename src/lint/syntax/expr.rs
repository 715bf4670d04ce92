//! Lowers expressions and blocks.

use syn::{BinOp, Expr, Stmt as Syntax, UnOp};

use crate::lint::ir::{
    Arm, BinaryOp, BlockKind, ExprId, ExprKind, Label, List, Lit, Name, Param, Span, Stmt, TypeRef,
    UnaryOp,
};

use super::{Lowering, name, pat, path, span};

impl Lowering<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> ExprId {
        match expr {
            Expr::Paren(expr) => self.expr(&expr.expr),
            Expr::Group(expr) => self.expr(&expr.expr),
            Expr::Lit(expr) => {
                let at = span(expr.lit.span());
                self.push(ExprKind::Lit(literal(&expr.lit)), at)
            }
            Expr::Path(expr) => {
                let at = path_span(&expr.path);
                let path = path::path(&expr.path, expr.qself.as_ref());
                if let Some(last) = path.last() {
                    self.mention(last.name);
                }
                self.push(ExprKind::Path(Box::new(path)), at)
            }
            Expr::Call(expr) => {
                let callee = self.expr(&expr.func);
                let args = self.list(&expr.args);
                let at = self.span_of(callee).to(span(expr.paren_token.span.close()));
                self.push(ExprKind::Call { callee, args }, at)
            }
            Expr::MethodCall(expr) => {
                let receiver = self.expr(&expr.receiver);
                let args = self.list(&expr.args);
                let close = span(expr.paren_token.span.close());
                let name_span = span(expr.method.span()).to(close);
                let at = self.span_of(receiver).to(close);
                let generics = expr.turbofish.as_ref().map(path::generic_args).unwrap_or_default();
                let name = name(&expr.method);
                self.mention(name);
                let generics = generics.into_boxed_slice();
                self.push(ExprKind::Method { receiver, name, name_span, generics, args }, at)
            }
            Expr::Field(expr) => {
                let base = self.expr(&expr.base);
                let at = self.span_of(base);
                self.push(ExprKind::Field { base, name: pat::member(&expr.member) }, at)
            }
            Expr::Index(expr) => {
                let base = self.expr(&expr.expr);
                let index = self.expr(&expr.index);
                let at = self.span_of(base);
                self.push(ExprKind::Index { base, index }, at)
            }
            Expr::Unary(expr) => {
                let op = match expr.op {
                    UnOp::Deref(_) => UnaryOp::Deref,
                    UnOp::Not(_) => UnaryOp::Not,
                    _ => UnaryOp::Neg,
                };
                let operand = self.expr(&expr.expr);
                let at = self.span_of(operand);
                if op == UnaryOp::Neg
                    && let ExprKind::Lit(Lit::Int(value)) =
                        self.open().exprs[operand.0 as usize].kind
                {
                    return self.push(ExprKind::Lit(Lit::Int(-value)), at);
                }
                self.push(ExprKind::Unary { op, operand }, at)
            }
            Expr::Binary(expr) => self.binary(expr),
            Expr::Assign(expr) => {
                let target = self.expr(&expr.left);
                let value = self.expr(&expr.right);
                let at = self.span_of(target).to(self.span_of(value));
                self.push(ExprKind::Assign { target, value }, at)
            }
            Expr::Reference(expr) => {
                let operand = self.expr(&expr.expr);
                let at = self.span_of(operand);
                self.push(ExprKind::Ref { operand }, at)
            }
            Expr::RawAddr(expr) => {
                let operand = self.expr(&expr.expr);
                let at = self.span_of(operand);
                self.push(ExprKind::Ref { operand }, at)
            }
            Expr::Cast(expr) => {
                let operand = self.expr(&expr.expr);
                let at = self.span_of(operand);
                let ty = Box::new(path::type_ref(&expr.ty));
                self.push(ExprKind::Cast { operand, ty }, at)
            }
            Expr::Tuple(expr) => {
                let parts = self.list(&expr.elems);
                let at = span(expr.paren_token.span.open()).to(span(expr.paren_token.span.close()));
                self.push(ExprKind::Tuple(parts), at)
            }
            Expr::Array(expr) => {
                let parts = self.list(&expr.elems);
                let at = span(expr.bracket_token.span.open());
                self.push(ExprKind::Array(parts), at)
            }
            Expr::Repeat(expr) => {
                let one = self.expr(&expr.expr);
                let at = self.span_of(one);
                self.push(ExprKind::Array(Box::new([one])), at)
            }
            Expr::Struct(expr) => {
                let fields = expr
                    .fields
                    .iter()
                    .filter(|field| field.attrs.is_empty() || self.enabled(&field.attrs))
                    .collect::<Vec<_>>();
                let fields = fields
                    .into_iter()
                    .map(|field| (pat::member(&field.member), self.expr(&field.expr)))
                    .collect();
                let rest = expr.rest.as_ref().map(|rest| self.expr(rest));
                let at = path_span(&expr.path).to(span(expr.brace_token.span.close()));
                let path = path::path(&expr.path, expr.qself.as_ref());
                if let Some(last) = path.last() {
                    self.mention(last.name);
                }
                self.push(ExprKind::Struct { path: Box::new(path), fields, rest }, at)
            }
            Expr::Range(expr) => {
                let start = expr.start.as_ref().map(|start| self.expr(start));
                let end = expr.end.as_ref().map(|end| self.expr(end));
                let at = start.or(end).map(|id| self.span_of(id)).unwrap_or_default();
                self.push(ExprKind::Range(start, end), at)
            }
            Expr::Try(expr) => {
                let operand = self.expr(&expr.expr);
                let at = self.span_of(operand).to(span(expr.question_token.span));
                self.push(ExprKind::Try(operand), at)
            }
            Expr::Await(expr) => {
                let operand = self.expr(&expr.base);
                let at = self.span_of(operand).to(span(expr.await_token.span));
                self.push(ExprKind::Await(operand), at)
            }
            Expr::Async(expr) => {
                let at = span(expr.async_token.span).to(span(expr.block.brace_token.span.close()));
                let is_move = expr.capture.is_some();
                let body =
                    self.body(at, true, is_move, |this| (Vec::new(), this.block(&expr.block)));
                self.push(ExprKind::Async { body }, at)
            }
            Expr::Closure(expr) => {
                let start = span(expr.inputs_begin.span);
                let is_async = expr.asyncness.is_some();
                let body = self.body(start, is_async, expr.capture.is_some(), |this| {
                    let params =
                        expr.inputs.iter().map(|input| this.closure_param(input)).collect();
                    (params, this.expr(&expr.body))
                });
                let root = &self.file.bodies[body.0 as usize];
                let end = root.exprs.get(root.root.0 as usize).map(|root| root.span);
                let at = end.map_or(start, |end| start.to(end));
                self.file.bodies[body.0 as usize].span = at;
                self.push(ExprKind::Closure { body }, at)
            }
            Expr::Break(expr) => {
                let value = expr.expr.as_ref().map(|value| self.expr(value));
                let label = expr.label.as_ref().map(|label| name(&label.ident));
                self.push(ExprKind::Break { label, value }, span(expr.break_token.span))
            }
            Expr::Continue(expr) => {
                let label = expr.label.as_ref().map(|label| name(&label.ident));
                self.push(ExprKind::Continue { label }, span(expr.continue_token.span))
            }
            Expr::Return(expr) => {
                let value = expr.expr.as_ref().map(|value| self.expr(value));
                let start = span(expr.return_token.span);
                let at = value.map_or(start, |value| start.to(self.span_of(value)));
                self.push(ExprKind::Return(value), at)
            }
            Expr::Yield(expr) => {
                let value = expr.expr.as_ref().map(|value| self.expr(value));
                self.push(ExprKind::Yield(value), span(expr.yield_token.span))
            }
            Expr::Macro(expr) => self.macro_call(&expr.mac),
            _ => self.control(expr),
        }
    }

    fn control(&mut self, expr: &Expr) -> ExprId {
        match expr {
            Expr::Block(expr) => {
                let label = label(expr.label.as_ref());
                self.block_of(&expr.block, BlockKind::Plain, label)
            }
            Expr::Unsafe(expr) => self.block_of(&expr.block, BlockKind::Unsafe, None),
            Expr::Const(expr) => self.block_of(&expr.block, BlockKind::Const, None),
            Expr::TryBlock(expr) => self.block_of(&expr.block, BlockKind::Try, None),
            Expr::If(expr) => {
                let condition = self.expr(&expr.cond);
                let then = self.block(&expr.then_branch);
                let otherwise = expr.else_branch.as_ref().map(|(_, branch)| self.expr(branch));
                let last = otherwise.unwrap_or(then);
                let at = span(expr.if_token.span).to(self.span_of(last));
                self.push(ExprKind::If { condition, then, otherwise }, at)
            }
            Expr::Let(expr) => {
                let value = self.expr(&expr.expr);
                let pat = self.pat(&expr.pat);
                let at = span(expr.let_token.span).to(self.span_of(value));
                self.push(ExprKind::Let { pat, value }, at)
            }
            Expr::Match(expr) => {
                let subject = self.expr(&expr.expr);
                let mut arms = Vec::with_capacity(expr.arms.len());
                for arm in &expr.arms {
                    if !self.enabled(&arm.attrs) {
                        continue;
                    }
                    let pat = self.pat(&arm.pat);
                    let guard = match &arm.pat {
                        syn::Pat::Guard(pat) => Some(self.expr(&pat.guard)),
                        _ => None,
                    };
                    let body = self.expr(&arm.body);
                    arms.push(Arm { pat, guard, body });
                }
                let at = span(expr.match_token.span).to(span(expr.brace_token.span.close()));
                self.push(ExprKind::Match { subject, arms: arms.into() }, at)
            }
            Expr::Loop(expr) => {
                let body = self.block(&expr.body);
                let at = span(expr.loop_token.span).to(self.span_of(body));
                self.push(ExprKind::Loop { label: label(expr.label.as_ref()), body }, at)
            }
            Expr::While(expr) => {
                let condition = self.expr(&expr.cond);
                let body = self.block(&expr.body);
                let at = span(expr.while_token.span).to(self.span_of(body));
                let label = label(expr.label.as_ref());
                self.push(ExprKind::While { label, condition, body }, at)
            }
            Expr::ForLoop(expr) => {
                let iterator = self.expr(&expr.expr);
                let pat = self.pat(&expr.pat);
                let body = self.block(&expr.body);
                let at = span(expr.for_token.span).to(self.span_of(body));
                let label = label(expr.label.as_ref());
                self.push(ExprKind::For { label, pat, iterator, body }, at)
            }
            _ => self.push(ExprKind::Unknown, Span::default()),
        }
    }

    fn binary(&mut self, expr: &syn::ExprBinary) -> ExprId {
        let left = self.expr(&expr.left);
        let right = self.expr(&expr.right);
        let at = self.span_of(left).to(self.span_of(right));
        let op = match expr.op {
            BinOp::And(_) => BinaryOp::And,
            BinOp::Or(_) => BinaryOp::Or,
            BinOp::Eq(_) => BinaryOp::Eq,
            BinOp::Ne(_) => BinaryOp::Ne,
            BinOp::Lt(_) => BinaryOp::Lt,
            BinOp::Le(_) => BinaryOp::Le,
            BinOp::Gt(_) => BinaryOp::Gt,
            BinOp::Ge(_) => BinaryOp::Ge,
            BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_) => {
                return self.push(ExprKind::Update { target: left, value: right }, at);
            }
            _ => BinaryOp::Other,
        };
        self.push(ExprKind::Binary { op, left, right }, at)
    }

    fn closure_param(&mut self, input: &syn::Pat) -> Param {
        let ty = match input {
            syn::Pat::Type(typed) => path::type_ref(&typed.ty),
            _ => TypeRef::Unknown,
        };
        Param { pat: self.pat(input), ty }
    }

    pub(super) fn list<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> List {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    pub(super) fn block(&mut self, block: &syn::Block) -> ExprId {
        self.block_of(block, BlockKind::Plain, None)
    }

    fn block_of(&mut self, block: &syn::Block, kind: BlockKind, label: Label) -> ExprId {
        let (stmts, tail) = self.stmts(&block.stmts);
        let braces = block.brace_token.span;
        let at = span(braces.open()).to(span(braces.close()));
        self.push(ExprKind::Block { kind, label, stmts, tail }, at)
    }

    pub(super) fn stmts(&mut self, stmts: &[Syntax]) -> (Box<[Stmt]>, Option<ExprId>) {
        let mut lowered = Vec::with_capacity(stmts.len());
        let mut tail = None;
        // Statements without semicolon that only some builds have: tails of those, perhaps.
        let mut perhaps: Vec<usize> = Vec::new();
        let last = stmts.iter().rposition(|stmt| match stmt {
            Syntax::Expr(expr, _) => self.enabled(attributes(expr)),
            Syntax::Macro(stmt) => self.enabled(&stmt.attrs),
            _ => true,
        });
        for (number, stmt) in stmts.iter().enumerate() {
            let last = last == Some(number);
            match stmt {
                Syntax::Local(local) => {
                    if !self.enabled(&local.attrs) {
                        continue;
                    }
                    let init = local.init.as_ref().map(|init| self.expr(&init.expr));
                    if let Some(init) = init.filter(|_| self.is_conditional(&local.attrs)) {
                        self.open().perhaps.push(init);
                    }
                    let diverge = local.init.as_ref().and_then(|init| init.diverge.as_ref());
                    let otherwise = diverge.map(|(_, branch)| self.expr(branch));
                    let pat = self.pat(&local.pat);
                    let ty = match &local.pat {
                        syn::Pat::Type(typed) => Some(path::type_ref(&typed.ty)),
                        _ => None,
                    };
                    let span = span(local.let_token.span);
                    lowered.push(Stmt::Let { pat, ty, init, otherwise, span });
                }
                Syntax::Item(item) => {
                    let mut items = Vec::new();
                    // A nested function is no part of this body's flow: only its own.
                    let outer = std::mem::take(&mut self.bodies);
                    self.item(item, &mut items);
                    self.bodies = outer;
                    lowered.extend(items.into_iter().map(|item| Stmt::Item(Box::new(item))));
                }
                Syntax::Expr(expr, semi) => {
                    if !self.enabled(attributes(expr)) {
                        continue;
                    }
                    let id = self.expr(expr);
                    if last && semi.is_none() {
                        tail = Some(id);
                    } else {
                        if self.is_conditional(attributes(expr)) {
                            self.open().perhaps.push(id);
                            if semi.is_none() {
                                perhaps.push(lowered.len());
                            }
                        }
                        lowered.push(Stmt::Expr(id));
                    }
                }
                Syntax::Macro(stmt) => {
                    if !self.enabled(&stmt.attrs) {
                        continue;
                    }
                    let id = self.macro_call(&stmt.mac);
                    if last && stmt.semi_token.is_none() {
                        tail = Some(id);
                    } else {
                        lowered.push(Stmt::Expr(id));
                    }
                }
            }
        }
        // `#[cfg(a)] { x } #[cfg(not(a))] { y }`: either is the value.
        while let (Some(otherwise), Some(at)) = (tail, perhaps.pop()) {
            if at + 1 != lowered.len() {
                break;
            }
            let Some(Stmt::Expr(then)) = lowered.pop() else { break };
            let at = self.span_of(then);
            let condition = self.push(ExprKind::Unknown, at);
            let branch = ExprKind::If { condition, then, otherwise: Some(otherwise) };
            tail = Some(self.push(branch, at));
        }
        (lowered.into(), tail)
    }
}

fn label(label: Option<&syn::Label>) -> Label {
    label.map(|label| name(&label.name.ident))
}

pub(super) fn path_span(path: &syn::Path) -> Span {
    let (Some(first), Some(last)) = (path.segments.first(), path.segments.last()) else {
        return Span::default();
    };
    let start = span(first.ident.span());
    if path.segments.len() == 1 { start } else { start.to(span(last.ident.span())) }
}

pub(super) fn literal(literal: &syn::Lit) -> Lit {
    match literal {
        syn::Lit::Int(value) => value.base10_parse().map_or(Lit::Other, Lit::Int),
        syn::Lit::Bool(value) => Lit::Bool(value.value),
        syn::Lit::Str(value) => Lit::Str(Name::new(&value.value())),
        _ => Lit::Other,
    }
}

pub(super) fn int_of(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(expr) => match literal(&expr.lit) {
            Lit::Int(value) => Some(value),
            _ => None,
        },
        Expr::Unary(expr) if matches!(expr.op, UnOp::Neg(_)) => {
            int_of(&expr.expr).map(|value| -value)
        }
        Expr::Paren(expr) => int_of(&expr.expr),
        Expr::Cast(expr) => int_of(&expr.expr),
        _ => None,
    }
}

pub(super) fn text_of(expr: &Expr) -> Option<Name> {
    match expr {
        Expr::Lit(expr) => match literal(&expr.lit) {
            Lit::Str(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Attributes of an expression statement, where cfg can stand.
fn attributes(expr: &Expr) -> &[syn::Attribute] {
    match expr {
        Expr::Block(expr) => &expr.attrs,
        Expr::Unsafe(expr) => &expr.attrs,
        Expr::If(expr) => &expr.attrs,
        Expr::Match(expr) => &expr.attrs,
        Expr::Loop(expr) => &expr.attrs,
        Expr::While(expr) => &expr.attrs,
        Expr::ForLoop(expr) => &expr.attrs,
        Expr::Return(expr) => &expr.attrs,
        Expr::Call(expr) => &expr.attrs,
        Expr::MethodCall(expr) => &expr.attrs,
        Expr::Macro(expr) => &expr.attrs,
        Expr::Assign(expr) => &expr.attrs,
        Expr::Await(expr) => &expr.attrs,
        Expr::Try(expr) => &expr.attrs,
        _ => &[],
    }
}
