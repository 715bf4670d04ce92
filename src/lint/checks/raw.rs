//! unbalanced-raw: ownership given up as a raw value that the package never takes back.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::LintRule;
use crate::catalog::model::{Engine, Handle};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, NodeId, NodeKind, Operand, Value};
use crate::lint::flow::{How, Start, follow, holders};
use crate::lint::ir::{ExprKind, MacroBody};
use crate::lint::types::{Target, Ty};

use super::{Checker, Outcome, Reason, Reported, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnbalancedRaw);
    if rules.is_empty() {
        return;
    }
    let mut balanced: FxHashMap<&str, bool> = FxHashMap::default();
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let Target::Api(ids, _) = &call.target else { continue };
            for &id in ids {
                let fact = &checker.world.facts.api(id).fact;
                let Some(class) = fact.acquires.as_deref() else { continue };
                let of_class: Vec<&LintRule> =
                    rules.iter().filter(|known| known.rule.class == class).copied().collect();
                if of_class.is_empty() {
                    continue;
                }
                let back =
                    *balanced.entry(class).or_insert_with(|| ended_somewhere(checker, class));
                let handle = fact.handle.unwrap_or(Handle::Return);
                for known in of_class {
                    let span = site.graph.node(node).span;
                    let contexts = context::contexts(checker.world, site, node);
                    let silent = context::fits(&known.rule.when, &contexts)
                        .err()
                        .map(Reason::Context)
                        .or_else(|| back.then_some(Reason::Released(span)))
                        .or_else(|| kept(checker, site, node, call, handle, class));
                    let outcome = match silent {
                        Some(reason) => Outcome::Silent(reason),
                        None => Outcome::Reported(Box::new(Reported {
                            item: item(checker.world, call),
                            ..Reported::default()
                        })),
                    };
                    checker.add(known, site, node, call.evidence, outcome);
                }
            }
        }
    }
}

/// Whether anything in the package, tests included, is called like what ends the class. What is
/// behind the name is not asked: a type that cannot be told may be the right one.
fn ended_somewhere(checker: &Checker<'_>, class: &str) -> bool {
    let names = checker.world.names;
    let mut known: FxHashMap<crate::lint::ir::Name, bool> = FxHashMap::default();
    let mut ends = |name: crate::lint::ir::Name| {
        *known.entry(name).or_insert_with(|| {
            checker.world.facts.ends(name.as_str(), class)
                // The memory is freed, or the owner rebuilt, by other means.
                || matches!(name.as_str(), "drop_in_place" | "from_raw_in" | "dealloc")
        })
    };
    let mut candidates = Vec::new();
    for (number, source) in (0..).zip(&names.sources) {
        for (at, body) in (0..).zip(&source.file.bodies) {
            if body.mentions.iter().any(|&name| ends(name)) {
                candidates.push((number, at));
            }
            for expr in &body.exprs {
                if let ExprKind::Macro { body: MacroBody::Opaque(tokens), .. } = &expr.kind
                    && tokens.iter().any(|&name| ends(name))
                {
                    return true;
                }
            }
        }
    }
    if names.fns.iter().any(|function| function.macro_idents.iter().any(|&name| ends(name))) {
        return true;
    }
    let mut seen = FxHashSet::default();
    for (number, at) in candidates {
        let body = crate::lint::ir::BodyId(at);
        let function = names.body_fns.get(number as usize).and_then(|map| map.get(&body));
        let Some(&id) = function else { return true };
        if !seen.insert(id) {
            continue;
        }
        let Some(site) = checker.bodies.of_function(id) else { return true };
        for site in checker.bodies.with_nested(&site) {
            let found = site.graph.calls().any(|(_, call)| match &call.target {
                Target::Api(ids, _) => ids.iter().any(|&id| {
                    let fact = &checker.world.facts.api(id).fact;
                    fact.releases.iter().any(|known| known == class)
                }),
                Target::Own(_) => false,
                _ => ends(call.name),
            });
            // Given as a value: `.map(Box::from_raw)`.
            let named = site.graph.nodes.iter().any(|node| {
                let ends_const =
                    |operand: &Operand| matches!(operand, Operand::Const(name) if checker.world.facts.ends(name.as_str(), class));
                match &node.kind {
                    NodeKind::Call(call) => call.args.iter().any(ends_const),
                    NodeKind::Assign { value: Value::Use(operand), .. } => ends_const(operand),
                    NodeKind::Assign { value: Value::Parts { parts, .. }, .. } => {
                        parts.iter().any(|(_, operand)| ends_const(operand))
                    }
                    _ => false,
                }
            });
            if found || named {
                return true;
            }
        }
    }
    false
}

/// Why somebody else may free it.
fn kept(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    node: NodeId,
    call: &Call,
    handle: Handle,
    class: &str,
) -> Option<Reason> {
    if handle == Handle::Receiver {
        // Nothing is left that could be followed.
        return None;
    }
    let Some(held) = holders(call, handle) else { return Some(Reason::UnknownOrigin) };
    let start = Start {
        class,
        node,
        held: held.clone(),
        copied: true,
        fails: None,
        status: None,
        param: None,
        by_value: false,
        own: None,
    };
    let fate = follow(site, checker.summaries, &start);
    if fate.gave_up {
        return Some(Reason::TooComplex);
    }
    if let Some(&span) = fate.released.first() {
        return Some(Reason::Released(span));
    }
    if let Some(escape) = fate.escaped.iter().find(|escape| escape.how != How::Passed) {
        return Some(Reason::Escapes(escape.span, escape.how.as_str()));
    }
    trusted(checker, site, held.local)
}

/// The first step that gives the raw value to somebody who may keep it for later: anything but
/// a function in C.
fn trusted(checker: &Checker<'_>, site: &Site, first: LocalId) -> Option<Reason> {
    let graph = &site.graph;
    let mut same: FxHashSet<LocalId> = FxHashSet::default();
    same.insert(first);
    loop {
        let before = same.len();
        for id in graph.ids() {
            let span = graph.node(id).span;
            let has = |operand: &Operand| {
                operand.place().is_some_and(|place| same.contains(&place.local))
            };
            match &graph.node(id).kind {
                NodeKind::Assign { to, value: Value::Use(operand) } if has(operand) => {
                    // A static is what this body has from outside.
                    let outside = graph.local(to.local).kind == LocalKind::Captured;
                    if !to.path.is_empty() || to.local == graph.result || outside {
                        return Some(Reason::Escapes(span, How::Stored.as_str()));
                    }
                    same.insert(to.local);
                }
                NodeKind::Assign { value: Value::Parts { parts, .. }, .. }
                    if parts.iter().any(|(_, operand)| has(operand)) =>
                {
                    return Some(Reason::Escapes(span, How::Stored.as_str()));
                }
                NodeKind::Call(call) => {
                    if call.receiver.as_ref().is_some_and(has) {
                        // `cast` and the like: still that pointer.
                        if matches!(graph.local(call.to).ty, Ty::Ptr(_) | Ty::Unknown) {
                            same.insert(call.to);
                        }
                    } else if call.args.iter().any(has) && !foreign(checker, call) {
                        return Some(Reason::Escapes(span, How::Passed.as_str()));
                    }
                }
                _ => {}
            }
        }
        if same.len() == before {
            break;
        }
    }
    None
}

/// A function in C: it cannot run the destructor of a Rust value.
fn foreign(checker: &Checker<'_>, call: &Call) -> bool {
    match &call.target {
        Target::Own(id) => {
            let function = checker.world.names.function(*id);
            function.body.is_none() && function.sig.foreign
        }
        Target::Foreign(path) => {
            path.as_str().contains("_sys::") || path.as_str().starts_with("libc::")
        }
        Target::Api(_, path) => path.as_str().starts_with("libc::"),
        // Nobody wrote it down: a binding that is generated when the package is built.
        Target::Unknown(name) => {
            call.receiver.is_none()
                && name.as_str().starts_with(|first: char| first.is_ascii_lowercase())
                && !checker.world.names.by_name.contains_key(name)
        }
        _ => false,
    }
}
