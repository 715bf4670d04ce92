//! Walks a syntax tree and writes down what the kinds of mutants ask for.

use std::collections::HashMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::body::{Bytes, Call, File, Function, Impl, Lines, Local, Scope, Type};
use crate::cfg::left_out;

/// The file with everything its tree holds.
pub(crate) fn fill(file: File, tree: &syn::File) -> File {
    if left_out(&tree.attrs) {
        return file;
    }
    let mut walk = Walk { file, ..Walk::default() };
    walk.visit_file(tree);
    walk.file
}

#[derive(Default)]
struct Walk {
    file: File,
    open: Vec<Function>,
    blocks: Vec<Bytes>,
    loops: Vec<Bytes>,
    /// Starts of closures and async blocks.
    bodies: Vec<usize>,
    /// What failed, in the branches for errors.
    failed: Vec<Bytes>,
    statements: HashMap<Bytes, Bytes>,
    awaited: HashMap<Bytes, Bytes>,
}

fn lines(node: &impl Spanned) -> Lines {
    let span = node.span();
    (span.start().line, span.end().line)
}

fn bytes(node: &impl Spanned) -> Bytes {
    node.span().byte_range()
}

/// The call a statement is about: without `?`, `.await`, `unwrap`, `drop` and the like.
fn peel(expression: &syn::Expr) -> &syn::Expr {
    const THIN: [&str; 7] =
        ["unwrap", "expect", "ok", "map_err", "unwrap_or_default", "context", "is_ok"];
    match expression {
        syn::Expr::Try(inner) => peel(&inner.expr),
        syn::Expr::Await(inner) => peel(&inner.base),
        syn::Expr::Paren(inner) => peel(&inner.expr),
        syn::Expr::Let(inner) => peel(&inner.expr),
        syn::Expr::MethodCall(call) if THIN.iter().any(|name| call.method == name) => {
            peel(&call.receiver)
        }
        syn::Expr::Call(call) if call.args.len() == 1 && is_drop(&call.func) => {
            match peel(&call.args[0]) {
                syn::Expr::Path(_) => expression,
                inner => inner,
            }
        }
        syn::Expr::Unsafe(block) if block.block.stmts.len() == 1 => {
            if let syn::Stmt::Expr(inner, _) = &block.block.stmts[0] {
                peel(inner)
            } else {
                expression
            }
        }
        syn::Expr::While(inner) if matches!(*inner.cond, syn::Expr::Let(_)) => peel(&inner.cond),
        syn::Expr::If(inner)
            if inner.else_branch.is_none() && matches!(*inner.cond, syn::Expr::Let(_)) =>
        {
            peel(&inner.cond)
        }
        syn::Expr::Assign(inner) if matches!(*inner.left, syn::Expr::Infer(_)) => {
            peel(&inner.right)
        }
        _ => expression,
    }
}

/// `#[path = "…"]`
fn path_of(attribute: &syn::Attribute) -> Option<String> {
    match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}

/// `Err(…)`
fn is_error(pattern: &syn::Pat) -> bool {
    matches!(pattern, syn::Pat::TupleStruct(pattern)
        if pattern.path.segments.last().is_some_and(|last| last.ident == "Err"))
}

fn is_drop(function: &syn::Expr) -> bool {
    matches!(function, syn::Expr::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "drop"))
}

/// The attributes of a statement, where one of another system may say so.
fn attributes(statement: &syn::Stmt) -> &[syn::Attribute] {
    match statement {
        syn::Stmt::Local(local) => &local.attrs,
        syn::Stmt::Expr(expression, _) => match expression {
            syn::Expr::Block(inner) => &inner.attrs,
            syn::Expr::Unsafe(inner) => &inner.attrs,
            syn::Expr::If(inner) => &inner.attrs,
            syn::Expr::Match(inner) => &inner.attrs,
            syn::Expr::Call(inner) => &inner.attrs,
            syn::Expr::MethodCall(inner) => &inner.attrs,
            syn::Expr::Return(inner) => &inner.attrs,
            syn::Expr::Loop(inner) => &inner.attrs,
            _ => &[],
        },
        _ => &[],
    }
}

fn names(pattern: &syn::Pat) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'a> Visit<'a> for Names {
        fn visit_pat_ident(&mut self, node: &'a syn::PatIdent) {
            self.0.push(node.ident.to_string());
            visit::visit_pat_ident(self, node);
        }
    }
    let mut found = Names(Vec::new());
    found.visit_pat(pattern);
    found.0
}

impl Walk {
    fn function(&mut self, name: &syn::Ident, node: &impl Spanned, walk: impl FnOnce(&mut Self)) {
        self.open.push(Function {
            name: name.to_string(),
            lines: lines(node),
            bytes: bytes(node),
            ..Function::default()
        });
        let loops = std::mem::take(&mut self.loops);
        walk(self);
        self.loops = loops;
        self.file.functions.extend(self.open.pop());
    }

    fn local(&mut self, pattern: &syn::Pat, value: &syn::Expr, whole_block: bool) {
        let block = self.blocks.last().cloned().unwrap_or_default();
        let body = self.bodies.last().copied().unwrap_or_default();
        if let Some(function) = self.open.last_mut() {
            function.locals.push(Local {
                names: names(pattern),
                pattern: bytes(pattern),
                value: bytes(value),
                block,
                whole_block,
                body,
                line: lines(pattern).0,
            });
        }
    }

    fn call(
        &mut self,
        name: String,
        path: String,
        receiver: Option<Bytes>,
        line: usize,
        arguments: Vec<Bytes>,
        all: Bytes,
    ) {
        let call = Call {
            name,
            path,
            receiver,
            arguments,
            block: self.blocks.last().cloned().unwrap_or_default(),
            awaited: self.awaited.get(&all).cloned(),
            statement: self.statements.get(&all).cloned(),
            repeated: self.loops.last().cloned(),
            failed: self.failed.last().cloned(),
            bytes: all,
            line,
        };
        if let Some(function) = self.open.last_mut() {
            function.calls.push(call);
        }
    }

    /// Walks a branch that is taken when this failed.
    fn within(&mut self, failed: Option<Bytes>, walk: impl FnOnce(&mut Self)) {
        let before = self.failed.len();
        self.failed.extend(failed);
        walk(self);
        self.failed.truncate(before);
    }

    fn scope(&mut self, statement: &syn::Stmt) {
        let (block, wanted) = match statement {
            syn::Stmt::Expr(syn::Expr::Block(block), _) => (&block.block, false),
            syn::Stmt::Local(syn::Local { init: Some(init), .. }) => match &*init.expr {
                syn::Expr::Block(block) => (&block.block, true),
                _ => return,
            },
            _ => return,
        };
        let value = match block.stmts.last() {
            Some(syn::Stmt::Expr(value, None)) => Some(bytes(value)),
            _ => None,
        };
        if wanted && value.is_none() {
            return;
        }
        let (all, whole) = (bytes(block), bytes(statement));
        if let Some(function) = self.open.last_mut() {
            function.scopes.push(Scope {
                head: whole.start..all.start + 1,
                value: value.filter(|_| wanted),
                inside: all.start + 1..all.end - 1,
                tail: all.end - 1..whole.end,
                around: self.blocks.last().cloned().unwrap_or_default(),
                line: lines(statement).0,
            });
        }
    }
}

impl<'a> Visit<'a> for Walk {
    fn visit_item_mod(&mut self, node: &'a syn::ItemMod) {
        if !left_out(&node.attrs) {
            visit::visit_item_mod(self, node);
        } else if node.content.is_none() {
            self.file.without.push(node.ident.to_string());
            self.file.without_paths.extend(node.attrs.iter().filter_map(path_of));
        }
    }

    fn visit_item_fn(&mut self, node: &'a syn::ItemFn) {
        if !left_out(&node.attrs) {
            self.function(&node.sig.ident, node, |walk| visit::visit_item_fn(walk, node));
        }
    }

    fn visit_impl_item_fn(&mut self, node: &'a syn::ImplItemFn) {
        if !left_out(&node.attrs) {
            self.function(&node.sig.ident, node, |walk| visit::visit_impl_item_fn(walk, node));
        }
    }

    fn visit_trait_item_fn(&mut self, node: &'a syn::TraitItemFn) {
        self.function(&node.sig.ident, node, |walk| visit::visit_trait_item_fn(walk, node));
    }

    fn visit_item_struct(&mut self, node: &'a syn::ItemStruct) {
        let fields = node.fields.iter().enumerate().map(|(at, field)| {
            let name = field.ident.as_ref().map_or_else(|| at.to_string(), ToString::to_string);
            (name, self.file.at(&bytes(&field.ty)).to_owned())
        });
        let fields = fields.collect();
        self.file.types.push(Type { name: node.ident.to_string(), lines: lines(node), fields });
    }

    fn visit_item_impl(&mut self, node: &'a syn::ItemImpl) {
        if left_out(&node.attrs) {
            return;
        }
        if let syn::Type::Path(of) = &*node.self_ty
            && let Some(last) = of.path.segments.last()
        {
            let all = bytes(node);
            let head = self.file.at(&all).split('{').next().unwrap_or_default();
            let drop = head.contains("Drop for ");
            let of = last.ident.to_string();
            self.file.impls.push(Impl { of, drop, lines: lines(node), bytes: all });
        }
        visit::visit_item_impl(self, node);
    }

    fn visit_block(&mut self, node: &'a syn::Block) {
        self.blocks.push(bytes(node));
        visit::visit_block(self, node);
        self.blocks.pop();
    }

    fn visit_stmt(&mut self, node: &'a syn::Stmt) {
        if left_out(attributes(node)) {
            return;
        }
        let inner = match node {
            syn::Stmt::Expr(expression, semicolon) => match peel(expression) {
                // A tail expression is a value.
                syn::Expr::MethodCall(_) | syn::Expr::Call(_)
                    if semicolon.is_none()
                        && !matches!(expression, syn::Expr::While(_) | syn::Expr::If(_)) =>
                {
                    None
                }
                inner => Some(inner),
            },
            syn::Stmt::Local(syn::Local { pat: syn::Pat::Wild(_), init: Some(init), .. }) => {
                Some(peel(&init.expr))
            }
            _ => None,
        };
        if let Some(inner) = inner {
            self.statements.insert(bytes(inner), bytes(node));
        }
        self.scope(node);
        visit::visit_stmt(self, node);
    }

    fn visit_local(&mut self, node: &'a syn::Local) {
        if let Some(init) = &node.init {
            self.local(&node.pat, &init.expr, true);
        }
        visit::visit_local(self, node);
    }

    fn visit_expr_let(&mut self, node: &'a syn::ExprLet) {
        self.local(&node.pat, &node.expr, false);
        visit::visit_expr_let(self, node);
    }

    fn visit_expr_match(&mut self, node: &'a syn::ExprMatch) {
        self.visit_expr(&node.expr);
        for arm in node.arms.iter().filter(|arm| !left_out(&arm.attrs)) {
            self.local(&arm.pat, &node.expr, false);
            let failed = is_error(&arm.pat).then(|| bytes(&node.expr));
            self.within(failed, |walk| walk.visit_arm(arm));
        }
    }

    fn visit_expr_if(&mut self, node: &'a syn::ExprIf) {
        let (mut yes, mut no) = (None, None);
        match &*node.cond {
            syn::Expr::Let(asked) if is_error(&asked.pat) => yes = Some(bytes(&asked.expr)),
            syn::Expr::Let(asked) => no = Some(bytes(&asked.expr)),
            syn::Expr::MethodCall(call) if call.method == "is_err" => yes = Some(bytes(&node.cond)),
            _ => {}
        }
        self.visit_expr(&node.cond);
        self.within(yes, |walk| walk.visit_block(&node.then_branch));
        if let Some((_, branch)) = &node.else_branch {
            self.within(no, |walk| walk.visit_expr(branch));
        }
    }

    fn visit_expr_async(&mut self, node: &'a syn::ExprAsync) {
        self.bodies.push(bytes(node).start);
        visit::visit_expr_async(self, node);
        self.bodies.pop();
    }

    fn visit_expr_closure(&mut self, node: &'a syn::ExprClosure) {
        self.bodies.push(bytes(node).start);
        visit::visit_expr_closure(self, node);
        self.bodies.pop();
    }

    fn visit_expr_await(&mut self, node: &'a syn::ExprAwait) {
        self.awaited.insert(bytes(&node.base), bytes(node));
        let end = bytes(node).end;
        let body = self.bodies.last().copied().unwrap_or_default();
        if let Some(function) = self.open.last_mut() {
            function.awaits.push((end, body));
        }
        visit::visit_expr_await(self, node);
    }

    fn visit_expr_method_call(&mut self, node: &'a syn::ExprMethodCall) {
        let arguments = node.args.iter().map(bytes).collect();
        let (line, receiver) = (lines(&node.method).0, Some(bytes(&node.receiver)));
        self.call(node.method.to_string(), String::new(), receiver, line, arguments, bytes(node));
        visit::visit_expr_method_call(self, node);
    }

    fn visit_expr_call(&mut self, node: &'a syn::ExprCall) {
        if let syn::Expr::Path(path) = &*node.func
            && let Some(last) = path.path.segments.last()
        {
            let whole = self.file.at(&bytes(&node.func)).to_owned();
            let arguments = node.args.iter().map(bytes).collect();
            self.call(last.ident.to_string(), whole, None, lines(node).0, arguments, bytes(node));
        }
        visit::visit_expr_call(self, node);
    }

    fn visit_expr_loop(&mut self, node: &'a syn::ExprLoop) {
        self.loops.push(bytes(node));
        visit::visit_expr_loop(self, node);
        self.loops.pop();
    }

    fn visit_expr_while(&mut self, node: &'a syn::ExprWhile) {
        self.loops.push(bytes(node));
        visit::visit_expr_while(self, node);
        self.loops.pop();
    }
}
