//! Values that work while they live: named, so that they live on, or dropped before a wait.

use crate::catalog::model::MacroGrammar;
use crate::finding::Role;
use crate::lint::checks::Reported;
use crate::lint::ir::{ExprId, ExprKind, MacroBody, PatKind, Span, Stmt};

use super::code::{Code, Parent, mentions};
use super::{Shaped, Spot};

/// Gives a value that is dropped at once a name.
pub(super) fn bind(spot: &Spot<'_>, wanted: &str) -> Shaped {
    let code = &spot.code;
    let name = code.unused_name(wanted);
    let value = code.unwrapped(spot.expr);
    let title = format!("keep it in `{name}`");
    if let Parent::Stmt(block, number) = code.parent(value) {
        let at = (block, number);
        let change = match code.stmt(at)? {
            Stmt::Let { pat, otherwise: None, .. } => {
                let pat = code.body.pat(*pat);
                if !matches!(pat.kind, PatKind::Wild) || code.slice(pat.span) != Some("_") {
                    return None;
                }
                (pat.span, name)
            }
            Stmt::Expr(_) => {
                let start = code.start(at)?;
                (Span { start, end: start }, format!("let {name} = "))
            }
            _ => return None,
        };
        return Some((title, vec![change]));
    }
    // It is used in its statement: a statement of its own before that one.
    let at = code.statement(value).filter(|_| runs_always(code, value))?;
    let span = code.span(value);
    let statement = format!("let {name} = {};", code.slice(span)?);
    Some((title, vec![code.before(at, &statement)?, (span, name)]))
}

/// Whether an expression is evaluated whenever its statement is, and nothing before it matters.
fn runs_always(code: &Code<'_>, mut id: ExprId) -> bool {
    loop {
        match code.parent(id) {
            Parent::Stmt(..) => return true,
            Parent::Expr(around) => {
                let plain = match code.kind(around) {
                    ExprKind::Method { receiver, .. } => *receiver == id,
                    ExprKind::Field { .. }
                    | ExprKind::Ref { .. }
                    | ExprKind::Try(_)
                    | ExprKind::Await(_) => true,
                    ExprKind::Call { args, .. } => args.first() == Some(&id),
                    _ => false,
                };
                if !plain {
                    return false;
                }
                id = around;
            }
            Parent::Tail(_) | Parent::Root => return false,
        }
    }
}

/// Drops a named guard before the statement in which it would be held for too long.
pub(super) fn drop_before(spot: &Spot<'_>, reported: &Reported) -> Shaped {
    let code = &spot.code;
    let Parent::Stmt(block, number) = code.parent(code.unwrapped(spot.expr)) else { return None };
    // Whoever names a guard like this wants all that follows under it.
    let name = code.named((block, number)).filter(|name| !name.as_str().starts_with('_'))?;
    let &(_, span, _) = reported.related.iter().find(|(role, ..)| *role == Role::Step)?;
    let source = spot.world.names.source(spot.site.file);
    let (there, slow) = Code::step_at(&source.file, &source.text, span)?;
    if !std::ptr::eq(there.body, code.body) {
        return None;
    }
    let later = code.statement(slow)?;
    let start = code.start(later)?;
    if !within(code, later.0, block) || start <= spot.span.end {
        return None;
    }
    let end = code.span(block).end.max(code.body.span.end);
    let rest = code.slice(Span { start, end })?;
    if mentions(rest, name.as_str()) || derived(code, block, number, name.as_str(), start, rest) {
        return None;
    }
    let statement = format!("drop({name});");
    Some((format!("add `{statement}`"), vec![code.before(later, &statement)?]))
}

/// Whether `inner` is `outer`, or a block in it that no loop runs again.
fn within(code: &Code<'_>, inner: ExprId, outer: ExprId) -> bool {
    let mut at = inner;
    loop {
        if at == outer {
            return true;
        }
        at = match code.parent(at) {
            Parent::Expr(around) | Parent::Stmt(around, _) | Parent::Tail(around) => around,
            Parent::Root => return false,
        };
        let again = matches!(
            code.kind(at),
            ExprKind::Loop { .. } | ExprKind::While { .. } | ExprKind::For { .. }
        );
        if again {
            return false;
        }
    }
}

/// Methods that give a value of its own, or a number, whatever they are called on.
const OWNING: &[&str] = &[
    "clone",
    "cloned",
    "copied",
    "to_owned",
    "to_string",
    "to_vec",
    "into_owned",
    "take",
    "replace",
    "pop",
    "pop_front",
    "pop_back",
    "remove",
    "swap_remove",
    "len",
    "is_empty",
    "contains",
    "contains_key",
    "count",
    "sum",
    "join",
    "collect",
];

/// Whether a value surely does not refer into what it was made of.
fn is_owned(code: &Code<'_>, value: ExprId) -> bool {
    match code.kind(value) {
        ExprKind::Method { receiver, name, .. } => {
            OWNING.contains(&name.as_str()) || is_owned(code, *receiver)
        }
        ExprKind::Try(inner) | ExprKind::Cast { operand: inner, .. } => is_owned(code, *inner),
        // `*guard` is a copy; who moves out of a guard does not compile.
        ExprKind::Unary { .. } | ExprKind::Binary { .. } => true,
        ExprKind::Macro { body: MacroBody::Known { grammar, .. }, .. } => {
            *grammar == MacroGrammar::Format
        }
        _ => false,
    }
}

/// Whether something that was bound with the help of the guard, and may refer into it, is used
/// from there on.
fn derived(
    code: &Code<'_>,
    block: ExprId,
    number: usize,
    guard: &str,
    until: u32,
    rest: &str,
) -> bool {
    let Some(stmts) = code.stmts(block) else { return true };
    stmts.iter().skip(number + 1).any(|stmt| match stmt {
        Stmt::Let { pat, init: Some(init), span, .. } if span.start < until => {
            let from = Span { start: span.start, end: code.span(*init).end };
            let through = code.slice(from).is_none_or(|text| mentions(text, guard));
            through
                && !is_owned(code, *init)
                && code.bound(*pat).iter().any(|name| mentions(rest, name.as_str()))
        }
        _ => false,
    })
}
