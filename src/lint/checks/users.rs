//! Where a value that lives on, such as a client, is used after it was made.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, NodeId, NodeKind, Operand, Value};
use crate::lint::ir::{Lit, Name};
use crate::lint::names::FnId;
use crate::lint::types::Target;

use super::Checker;
use super::near::is_near;

/// Functions followed into one after the other.
const DEPTH: u32 = 3;

/// Methods called on values of the type, anywhere in the package; nothing when what a call makes
/// never leaves its body.
pub(super) fn users(
    checker: &Checker<'_>,
    site: &Site,
    made: LocalId,
) -> Option<Vec<(Rc<Site>, NodeId)>> {
    if within(site, made, None).is_some() {
        return None;
    }
    let Some(ty) = type_name(site, made) else { return Some(Vec::new()) };
    let mut found: Vec<(Rc<Site>, NodeId)> = Vec::new();
    for name in methods(checker, ty) {
        // Too many to look at: nobody can say.
        let Some(sites) = checker.callers.naming(name) else { return Some(Vec::new()) };
        for site in sites {
            let on_it = site
                .graph
                .calls()
                .filter(|(_, call)| call.name == name && call.receiver_ty.path() == Some(ty));
            let on_it: Vec<NodeId> = on_it.map(|(node, _)| node).collect();
            found.extend(on_it.into_iter().map(|node| (Rc::clone(&site), node)));
        }
    }
    Some(found)
}

/// Methods of a type that there are facts about.
fn methods(checker: &Checker<'_>, ty: Name) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for api in checker.world.facts.catalog.apis() {
        if let Some((owner, name)) = api.path.rsplit_once("::")
            && owner == ty.as_str()
            && !names.contains(&Name::new(name))
        {
            names.push(Name::new(name));
        }
    }
    names
}

/// The path of the type of a value, or of what it gives when it is awaited and opened.
pub(super) fn type_name(site: &Site, local: LocalId) -> Option<Name> {
    let ty = site.graph.local(local).ty.yielded();
    ty.payload().path().or_else(|| ty.path())
}

/// Whether it is never kept, and asks nobody but this machine, neither here nor in functions of the
/// package that it is lent to.
pub(super) fn asks_near(checker: &Checker<'_>, site: &Rc<Site>, made: LocalId) -> bool {
    asks_only_near(checker, site, made, DEPTH, &mut FxHashSet::default())
}

/// What was looked at once has to hold, so it need not be looked at again.
fn asks_only_near(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    made: LocalId,
    depth: u32,
    seen: &mut FxHashSet<(FnId, usize)>,
) -> bool {
    let mut lent: Vec<(FnId, usize)> = Vec::new();
    let Some(same) = within(site, made, Some(&mut lent)) else { return false };
    let asks = |call: &&Call| {
        let on_it = call.receiver.as_ref().and_then(|receiver| receiver.place());
        on_it.is_some_and(|at| same.contains(&at.local)) && !call.args.is_empty()
    };
    let mut asked = site.graph.calls().map(|(_, call)| call).filter(asks).peekable();
    let used = asked.peek().is_some() || !lent.is_empty();
    used && asked.all(|call| is_near(checker, site, call))
        && lent.into_iter().all(|(id, number)| {
            if !seen.insert((id, number)) {
                return true;
            }
            let site = checker.bodies.of_function(id).filter(|_| depth > 0);
            let param = site.as_ref().and_then(|site| site.graph.params.get(number).copied());
            let given = site.zip(param);
            given
                .is_some_and(|(site, param)| asks_only_near(checker, &site, param, depth - 1, seen))
        })
}

/// Whether it never leaves its body, which asks for a stream of events: that stays open, however
/// long nothing comes, and a limit on the whole would cut it.
pub(super) fn asks_for_events(site: &Site, made: LocalId) -> bool {
    let says = |operand: &Operand| matches!(operand, Operand::Lit(Lit::Str(text)) if text.as_str() == "text/event-stream");
    within(site, made, None).is_some()
        && site.graph.calls().any(|(_, call)| call.args.iter().any(says))
}

/// All locals that hold it in turn; nothing when it is returned, stored or given away. Functions of
/// the package that it is lent to, and as which parameter, are only noted where somebody asks.
fn within(
    site: &Site,
    made: LocalId,
    mut lent: Option<&mut Vec<(FnId, usize)>>,
) -> Option<FxHashSet<LocalId>> {
    let graph = &site.graph;
    let ty = type_name(site, made);
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    // Steps stand in the order of the text: one pass follows what is bound, awaited and cloned.
    for id in graph.ids() {
        let is = |operand: &Operand| operand.place().is_some_and(|at| same.contains(&at.local));
        let next = match &graph.node(id).kind {
            NodeKind::Assign { to, value } if same.iter().any(|&local| value.uses(local)) => {
                let inside = matches!(value, Value::Use(_) | Value::Parts { written: false, .. });
                if !inside || to.local == graph.result || !to.path.is_empty() {
                    return None;
                }
                to.local
            }
            NodeKind::Await { to, what } if is(what) => to.local,
            NodeKind::Call(call) if call.args.iter().any(is) => {
                let (Target::Own(function), Some(lent)) = (&call.target, &mut lent) else {
                    return None;
                };
                let given = call.receiver.iter().chain(&call.args).enumerate();
                lent.extend(given.filter(|(_, arg)| is(arg)).map(|(at, _)| (*function, at)));
                continue;
            }
            NodeKind::Call(call) if call.receiver.as_ref().is_some_and(is) => {
                if type_name(site, call.to) != ty {
                    continue;
                }
                call.to
            }
            _ => continue,
        };
        same.insert(next);
    }
    Some(same)
}
