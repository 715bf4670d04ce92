//! Where a value that lives on, such as a client, is used after it was made.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, NodeId, NodeKind, Operand, Value};
use crate::lint::ir::Name;

use super::Checker;
use super::near::is_near;

/// Methods called on values of the type, anywhere in the package; nothing when what a call makes
/// never leaves its body.
pub(super) fn users(
    checker: &Checker<'_>,
    site: &Site,
    made: LocalId,
) -> Option<Vec<(Rc<Site>, NodeId)>> {
    if within(site, made).is_some() {
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

/// Whether it never leaves its body, and asks nobody but this machine there.
pub(super) fn asks_near(checker: &Checker<'_>, site: &Rc<Site>, made: LocalId) -> bool {
    let Some(same) = within(site, made) else { return false };
    let asks = |call: &&Call| {
        let on_it = call.receiver.as_ref().and_then(|receiver| receiver.place());
        on_it.is_some_and(|at| same.contains(&at.local)) && !call.args.is_empty()
    };
    let mut asked = site.graph.calls().map(|(_, call)| call).filter(asks).peekable();
    asked.peek().is_some() && asked.all(|call| is_near(checker, site, call))
}

/// All locals that hold it in turn; nothing when it is returned, stored or given away.
fn within(site: &Site, made: LocalId) -> Option<FxHashSet<LocalId>> {
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
            NodeKind::Call(call) if call.args.iter().any(is) => return None,
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
