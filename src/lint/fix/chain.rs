//! Calls added to a chain, and taken out of one.

use crate::catalog::model::{ApiFact, Rule};
use crate::lint::ir::{ExprId, ExprKind, Name, Span};
use crate::lint::types::{Target, World};

use super::code::{Change, Code, Parent, has_comment};
use super::scope::in_scope;
use super::{Shaped, Spot};

/// Adds the calls that set what the rule asks for, before the call that finishes.
pub(super) fn set_bound(spot: &Spot<'_>, rule: &Rule) -> Shaped {
    let Target::Api(_, path) = &spot.call()?.target else { return None };
    let (owner, _) = path.as_str().rsplit_once("::")?;
    let ExprKind::Method { receiver, name_span, .. } = spot.code.kind(spot.expr) else {
        return None;
    };
    let calls = rule.when.enough.iter().find_map(|bounds| {
        let calls = bounds.iter().map(|bound| setter(spot.world, owner, bound));
        calls.collect::<Option<Vec<String>>>()
    })?;
    let calls = calls.iter().map(|call| in_scope(spot.world, spot.module, call));
    let calls = calls.collect::<Option<Vec<String>>>()?;
    let change = add(&spot.code, *receiver, *name_span, &calls)?;
    Some((format!("add `{}`", calls.concat()), vec![change]))
}

/// `.timeout(std::time::Duration::from_secs(30))`, of the type at this path.
fn setter(world: &World<'_>, owner: &str, bound: &str) -> Option<String> {
    let catalog = world.facts.catalog;
    let sets = |fact: &ApiFact| fact.sets.iter().any(|name| name == bound);
    catalog.apis().iter().find_map(|api| {
        let argument = api.fact.argument.as_ref().filter(|_| sets(&api.fact))?;
        let (of, name) = api.path.rsplit_once("::")?;
        let holds = of == owner && {
            let known = world.facts.apis(Name::new(&api.path));
            known.iter().any(|&id| world.facts.api(id).fact.argument.is_some())
        };
        holds.then(|| format!(".{name}({argument})"))
    })
}

/// Writes calls between a receiver and a method, in the layout of that method.
fn add(code: &Code<'_>, receiver: ExprId, name: Span, calls: &[String]) -> Option<Change> {
    let dot = dot(code, receiver, name)?;
    let layout = code.slice(Span { start: code.span(receiver).end, end: dot })?;
    let text = calls.iter().flat_map(|call| [call.as_str(), layout]).collect();
    Some((Span { start: dot, end: dot }, text))
}

/// Where the dot before a method stands, when there is but white space around it.
fn dot(code: &Code<'_>, receiver: ExprId, name: Span) -> Option<u32> {
    let start = code.span(receiver).end;
    let gap = code.slice(Span { start, end: name.start })?;
    let at = gap.find('.').filter(|_| gap.trim() == ".")?;
    Some(start + u32::try_from(at).ok()?)
}

/// Takes the call out of its chain: what it was called on goes on.
pub(super) fn remove(spot: &Spot<'_>) -> Shaped {
    let code = &spot.code;
    let ExprKind::Method { receiver, name, name_span, .. } = code.kind(spot.expr) else {
        return None;
    };
    dot(code, *receiver, *name_span)?;
    let goes_on = match code.parent(spot.expr) {
        Parent::Expr(around) => {
            matches!(code.kind(around), ExprKind::Method { receiver, .. } if *receiver == spot.expr)
        }
        _ => false,
    };
    let span = Span { start: code.span(*receiver).end, end: name_span.end };
    if !goes_on || has_comment(code.slice(span)?) {
        return None;
    }
    Some((format!("take `{name}` out"), vec![(span, String::new())]))
}
