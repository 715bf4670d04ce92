//! Calls written in another way, as the facts about them say.

use crate::catalog::model::ApiFact;
use crate::lint::ir::{ExprId, ExprKind, PatKind, Span, Stmt};
use crate::lint::types::Target;

use super::code::{Change, Code, Parent, has_comment, mentions};
use super::scope::in_scope;
use super::{Shaped, Spot};

/// Writes what the fact of the call says under `instead`.
pub(super) fn rewrite(spot: &Spot<'_>) -> Shaped {
    let Target::Api(ids, _) = &spot.call()?.target else { return None };
    let facts: Vec<&ApiFact> = ids.iter().map(|&id| &*spot.world.facts.api(id).fact).collect();
    let template = facts.iter().find_map(|fact| fact.instead.as_deref())?;
    let awaits = template.contains(".await") && !spot.code.body.is_async;
    if awaits {
        return None;
    }
    let template = in_scope(spot.world, spot.module, template)?;
    let whole = whole(&spot.code, spot.expr, &template)?;
    let changes = changes(&spot.code, spot.expr, whole, &template)?;
    Some((format!("write `{}`", shown(&template)), changes))
}

/// The same where nothing uses the value.
pub(super) fn rewrite_unused(spot: &Spot<'_>) -> Shaped {
    if is_unused(&spot.code, spot.expr) { rewrite(spot) } else { None }
}

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Part(&'t str),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((text, (part, after))) =
        rest.split_once('{').and_then(|(text, rest)| Some((text, rest.split_once('}')?)))
    {
        let is_part = crate::catalog::model::PARTS.contains(&part);
        if is_part {
            found.push(Piece::Text(text));
            found.push(Piece::Part(part));
            rest = after;
        } else {
            let end = text.len() + 1;
            found.push(Piece::Text(&rest[..end]));
            rest = &rest[end..];
        }
    }
    found.push(Piece::Text(rest));
    found
}

/// The template as people read it.
fn shown(template: &str) -> String {
    let part = |piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Part(_) => "…".to_owned(),
    };
    pieces(template).into_iter().map(part).collect()
}

/// What is replaced: the call, or the await of it.
fn whole(code: &Code<'_>, call: ExprId, template: &str) -> Option<Span> {
    if !template.contains("{future}") {
        return Some(code.span(call));
    }
    let Parent::Expr(around) = code.parent(call) else { return None };
    if !matches!(code.kind(around), ExprKind::Await(_)) {
        return None;
    }
    let gap = Span { start: code.span(call).end, end: code.span(around).end };
    let dot = code.slice(gap)?.trim().strip_prefix('.')?;
    (dot.trim() == "await").then(|| code.span(around))
}

/// Where each part of a call stands.
fn part(code: &Code<'_>, call: ExprId, name: &str) -> Option<Span> {
    let whole = code.span(call);
    let (before_args, named) = match code.kind(call) {
        ExprKind::Call { callee, .. } => {
            let callee = code.span(*callee);
            let text = code.slice(callee)?;
            let last = text.rsplit("::").next()?;
            let last = u32::try_from(last.len()).ok()?;
            (callee.end, Span { start: callee.end - last, end: callee.end })
        }
        ExprKind::Method { name, name_span, generics, .. } => {
            let length = u32::try_from(name.as_str().len()).ok().filter(|_| generics.is_empty())?;
            let end = name_span.start + length;
            (end, Span { start: name_span.start, end })
        }
        _ => return None,
    };
    match (name, code.kind(call)) {
        ("call" | "future", _) => Some(whole),
        ("name", _) => Some(named),
        ("owner", ExprKind::Call { callee, .. }) => {
            let start = code.span(*callee).start;
            let end = named.start.checked_sub(2).filter(|end| *end > start)?;
            Some(Span { start, end })
        }
        ("receiver", ExprKind::Method { receiver, .. }) => {
            let receiver = code.span(*receiver);
            let gap = code.slice(Span { start: receiver.end, end: named.start })?;
            (gap.trim() == ".").then_some(receiver)
        }
        ("args", _) => {
            let text = code.slice(Span { start: before_args, end: whole.end })?;
            let open = text.find('(').filter(|&open| text[..open].trim().is_empty())?;
            let start = before_args + u32::try_from(open).ok()? + 1;
            (text.ends_with(')') && start < whole.end).then(|| Span { start, end: whole.end - 1 })
        }
        _ => None,
    }
}

/// Edits between the parts that stay: those are not touched.
fn changes(code: &Code<'_>, call: ExprId, whole: Span, template: &str) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut at = whole.start;
    let mut literal = String::new();
    let mut put = |from: u32, to: u32, text: &str| {
        let span = Span { start: from, end: to };
        let old = code.slice(span).filter(|old| !has_comment(old))?;
        if old != text {
            changes.push((span, text.to_owned()));
        }
        Some(())
    };
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => literal.push_str(text),
            Piece::Part(name) => {
                let kept = part(code, call, name)?;
                if kept.start < at {
                    // Told in another order than it stands: written again.
                    literal.push_str(code.slice(kept)?);
                    continue;
                }
                put(at, kept.start, &literal)?;
                literal.clear();
                at = kept.end;
            }
        }
    }
    if template.contains("{future}")
        && let Some((before, behind)) = literal.split_once(".await")
    {
        // The await stays where it is, with its layout.
        put(at, at, before)?;
        at = whole.end;
        literal = behind.to_owned();
    }
    put(at, whole.end, &literal)?;
    Some(changes)
}

/// Whether nothing is done with the value of a call, but for asking whether it failed.
fn is_unused(code: &Code<'_>, call: ExprId) -> bool {
    let value = code.unwrapped(call);
    let unused = |pat: &PatKind| match pat {
        PatKind::Wild | PatKind::Rest => true,
        PatKind::Variant { path, args } => {
            let fails = path.last().is_some_and(|last| last.name.as_str() == "Err");
            fails || args.iter().all(|&arg| matches!(code.body.pat(arg).kind, PatKind::Wild))
        }
        _ => false,
    };
    match code.parent(value) {
        Parent::Stmt(block, number) => match code.stmt((block, number)) {
            Some(Stmt::Expr(_)) => true,
            Some(Stmt::Let { pat, otherwise: None, .. }) => match &code.body.pat(*pat).kind {
                PatKind::Bind { name, .. } => {
                    let rest = Span { start: code.span(value).end, end: code.body.span.end };
                    code.slice(rest).is_some_and(|rest| !mentions(rest, name.as_str()))
                }
                pat => unused(pat),
            },
            _ => false,
        },
        Parent::Expr(around) => match code.kind(around) {
            ExprKind::Let { pat, .. } => unused(&code.body.pat(*pat).kind),
            ExprKind::Match { subject, arms } => {
                *subject == value && arms.iter().all(|arm| unused(&code.body.pat(arm.pat).kind))
            }
            _ => false,
        },
        Parent::Root | Parent::Tail(_) => false,
    }
}
