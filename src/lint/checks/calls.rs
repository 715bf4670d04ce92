//! call and forget: a call that is wrong by its class, alone or beside another one.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::catalog::model::{Context, Engine};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, NodeId, NodeKind, Operand, Value};
use crate::lint::ir::Span;

use super::read_out::read_out;
use super::startup::Startup;
use super::stays::stays;
use super::track::moved_on;
use super::{Checker, Outcome, Reason, Reported, classes_of, context, facts_of, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let mut rules = checker.of_engine(Engine::Call);
    rules.extend(checker.of_engine(Engine::Forget));
    if rules.is_empty() {
        return;
    }
    let callers = OnceCell::new();
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let classes = classes_of(checker.world, call);
            if classes.is_empty() {
                continue;
            }
            for &known in &rules {
                let rule = &known.rule;
                if !classes.contains(&rule.class.as_str()) {
                    continue;
                }
                let mut contexts = context::contexts(checker.world, site, node);
                if rule.when.not_within.contains(&Context::Once)
                    && !contexts.contains(&Context::Loop)
                    && let Some(id) = site.function
                    && callers
                        .get_or_init(|| Startup::new(checker.world.names))
                        .once(checker.world.names, id)
                {
                    contexts.push(Context::Once);
                }
                let fits = context::fits(&rule.when, &contexts).map_err(Reason::Context);
                let other = match (&rule.when.with, fits) {
                    (_, Err(reason)) => Err(reason),
                    (None, Ok(())) => Ok(String::new()),
                    (Some(with), Ok(())) => beside(checker, site, node, call, with),
                };
                let other = match &rule.when.without {
                    Some(class) if argument_of(checker, site, call, class) => Err(Reason::Context(
                        "the argument is of the kind that the rule leaves alone",
                    )),
                    _ => other,
                };
                let looped = |class| context::shares_loop(checker, site, node, class);
                let other = match (&rule.when.loop_with, &rule.when.loop_without) {
                    _ if other.is_err() => other,
                    (Some(class), _) if !looped(class) => {
                        Err(Reason::Context("the loop does nothing of the other kind"))
                    }
                    (_, Some(class)) if looped(class) => {
                        Err(Reason::Context("the loop has a limit"))
                    }
                    _ => other,
                };
                let other = match rule.when.stays {
                    true => other.and_then(|other| stays(checker, site, call).map(|()| other)),
                    false => other,
                };
                let other = other.and_then(|other| match ended(checker, site, call) {
                    Some(span) => Err(Reason::Released(span)),
                    None => Ok(other),
                });
                let outcome = match other {
                    Err(reason) => Outcome::Silent(reason),
                    Ok(other) => Outcome::Reported(Box::new(Reported {
                        item: item(checker.world, call),
                        other,
                        ..Reported::default()
                    })),
                };
                checker.add(known, site, node, call.evidence, outcome);
            }
        }
    }
}

/// Where the body itself ends what the call begins, such as a task that it aborts.
fn ended(checker: &Checker<'_>, site: &Site, call: &Call) -> Option<Span> {
    let graph = &site.graph;
    let facts = |call: &Call| facts_of(checker.world, call);
    let begun: Vec<&str> = facts(call).iter().filter_map(|fact| fact.acquires.as_deref()).collect();
    let held = moved_on(graph, vec![call.to], |_| true);
    let on_it = |other: &Call| {
        let place = other.receiver.as_ref().and_then(|receiver| receiver.place());
        place.is_some_and(|place| place.path.is_empty() && held.contains(&place.local))
    };
    let releases = |other: &Call| {
        facts(other)
            .iter()
            .any(|fact| fact.releases.iter().any(|class| begun.contains(&class.as_str())))
    };
    let mut all = graph.calls();
    let (id, _) = all.find(|(_, other)| !begun.is_empty() && on_it(other) && releases(other))?;
    Some(graph.node(id).span)
}

/// Made in a method of a type with a `Drop` of its own, which may give one of two owners up.
fn owner_drops(checker: &Checker<'_>, site: &Site) -> bool {
    let names = checker.world.names;
    let of = site.function.and_then(|id| names.function(id).of_type);
    of.is_some_and(|of| names.type_def(of).implements("Drop"))
}

/// Whether an argument was made by a call of this class, or is a part of `self`, of which nobody
/// can tell.
fn argument_of(checker: &Checker<'_>, site: &Site, call: &Call, class: &str) -> bool {
    let graph = &site.graph;
    let own = |arg: &Operand| {
        arg.place().is_some_and(|place| {
            let local = graph.local(place.local);
            !place.path.is_empty() && local.name.is_some_and(|name| name.as_str() == "self")
        })
    };
    call.args.iter().any(own)
        || call.args.iter().any(|arg| {
            let def = arg.place().and_then(|place| graph.local(place.local).def);
            let maker = def.and_then(|def| graph.call_at(def));
            maker.is_some_and(|maker| classes_of(checker.world, maker).contains(&class))
        })
}

/// What stands beside the call: the class may be that of the value that is given away, of a call
/// that made an argument or read out of a box in it, or of a call around.
fn beside(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    node: NodeId,
    call: &Call,
    class: &str,
) -> Result<String, Reason> {
    let named = around(checker, site, node, class);
    if let Some(other) = named.or_else(|| read_out(checker, site, call, class)) {
        return Ok(other);
    }
    let graph = &site.graph;
    for arg in &call.args {
        let made = arg.place().filter(|place| place.path.is_empty());
        let def = made.and_then(|place| graph.local(place.local).def);
        if let Some(other) = def.and_then(|def| graph.call_at(def))
            && classes_of(checker.world, other).contains(&class)
        {
            return match given_up(graph, call, other) {
                Some(id) => Err(Reason::Escapes(
                    graph.node(id).span,
                    "one of the two owners is given up again",
                )),
                None if owner_drops(checker, site) => {
                    Err(Reason::Context("the type that keeps it implements Drop"))
                }
                None => Ok(item(checker.world, other)),
            };
        }
    }
    match with_class(checker, site, call, class) {
        None => Ok(String::new()),
        Some(reason) => Err(reason),
    }
}

/// The call of a class that gets the value of a step as an argument.
pub(super) fn around(
    checker: &Checker<'_>,
    site: &Site,
    node: NodeId,
    class: &str,
) -> Option<String> {
    context::taken_by(&site.graph, node)
        .find(|(_, other)| classes_of(checker.world, other).contains(&class))
        .map(|(_, other)| item(checker.world, other))
}

/// Where the new owner, or the one that the raw handle is borrowed from, is not dropped after all.
fn given_up(graph: &Graph, call: &Call, other: &Call) -> Option<NodeId> {
    let mut same: Vec<LocalId> = vec![call.to];
    same.extend(other.receiver.as_ref().and_then(|receiver| receiver.place()).map(|at| at.local));
    for id in graph.ids() {
        if let NodeKind::Assign { to, value: Value::Use(operand) } = &graph.node(id).kind
            && operand.place().is_some_and(|place| same.contains(&place.local))
        {
            same.push(to.local);
        }
    }
    graph.calls().find_map(|(id, next)| {
        let touches = next
            .receiver
            .iter()
            .chain(&next.args)
            .any(|operand| operand.place().is_some_and(|place| same.contains(&place.local)));
        let name = next.name.as_str();
        let forgets =
            next.effects.contains(&crate::catalog::model::Effect::Forgets) || name == "forget";
        (touches && (forgets || name.starts_with("into_raw"))).then_some(id)
    })
}

/// The value that is given away must be of this class, nothing may have been taken out of it,
/// and it must be an owner.
fn with_class(checker: &Checker<'_>, site: &Site, call: &Call, class: &str) -> Option<Reason> {
    let unfit = Some(Reason::Context("nothing of the class that the rule wants is beside it"));
    let Some(given) = call.args.first().or(call.receiver.as_ref()) else { return unfit };
    let Some(place) = given.place() else { return unfit };
    let graph = &site.graph;
    let ty = super::uses::type_of(checker.world, graph, place.local, &place.path);
    if ty.is_ref() || !checker.world.classes(&ty).contains(&class) {
        return unfit;
    }
    let def = graph.local(place.local).def.and_then(|def| graph.call_at(def));
    if let Some(made) = def
        && (made.name.as_str().starts_with("from_raw") || made.name.as_str() == "borrow_raw")
    {
        let span = graph.local(place.local).span;
        return Some(Reason::Escapes(span, "it is a view of a handle that somebody else owns"));
    }
    // What is looked at afterwards may be taken out again.
    let mut same = vec![call.to];
    for id in graph.ids() {
        if let NodeKind::Assign { to, value: Value::Use(operand) } = &graph.node(id).kind
            && operand.place().is_some_and(|from| same.contains(&from.local))
        {
            if to.local == graph.result || !to.path.is_empty() {
                let span = graph.node(id).span;
                return Some(Reason::Escapes(span, "it is returned or stored"));
            }
            same.push(to.local);
        }
    }
    same.push(place.local);
    let taken = graph.calls().find(|(_, other)| {
        let raw = other.name.as_str();
        let reads = raw.starts_with("as_raw")
            || raw.starts_with("into_")
            || matches!(raw, "read" | "as_fd" | "take" | "drop");
        reads
            && other.to != call.to
            && other
                .receiver
                .iter()
                .chain(&other.args)
                .any(|operand| operand.place().is_some_and(|at| same.contains(&at.local)))
    });
    taken.map(|(node, _)| {
        Reason::Escapes(graph.node(node).span, "the raw handle was taken out, before or after")
    })
}
