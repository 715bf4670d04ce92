//! A wait that is what a function of a trait is for, over what its callers bring: they hold the
//! future, and know the other side.

use std::rc::Rc;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, LocalKind, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::{Name, Receiver};
use crate::lint::names::{FnId, Names};
use crate::lint::types::Ty;

use super::Checker;
use super::doing::is_lazy;

/// Values looked at on the ways back from what is waited for to where it came in.
const MOST: usize = 60;

/// Whether a function of a trait waits for what it was given as a parameter, and only others of the
/// trait call it here. Of a trait of another crate whose functions are not async only a stream
/// counts: who brings an address there, such as an HTTP client, leaves the rest to the connector.
pub(super) fn is_brought(checker: &Checker<'_>, site: &Rc<Site>, call: &Call) -> bool {
    let names = checker.world.names;
    let Some(id) = site.function else { return false };
    let Some(of_trait) = names.function(id).of_trait.as_ref().and_then(|of| of.last()) else {
        return false;
    };
    let own = names.declares_trait(of_trait.name);
    let classes = super::classes_of(checker.world, call);
    let handshake = classes.contains(&"client-handshake");
    // Of a type of the package its own settings may be all that is asked.
    let by = |ty: &Ty| own || handshake || !matches!(ty.bare(), Ty::Own(..));
    let brought = || call.args.last().is_some_and(|last| is_param(checker, site, last, &by));
    // A server brings strangers.
    !classes.contains(&"server-handshake")
        && (match own {
            true => names.offers_trait(of_trait.name),
            false => handshake || names.function(id).sig.is_async,
        })
        && brought()
        && only_delegated(checker, id, of_trait.name)
}

/// Whether all calls that are seen stand in functions of the same trait.
fn only_delegated(checker: &Checker<'_>, id: FnId, of_trait: Name) -> bool {
    let names = checker.world.names;
    let callers = checker.callers.of(id);
    callers.is_some_and(|callers| {
        callers.iter().all(|(site, _)| site.function.is_some_and(|id| is_of(names, id, of_trait)))
    })
}

fn is_of(names: &Names, id: FnId, of_trait: Name) -> bool {
    let of = names.function(id).of_trait.as_ref().and_then(|of| of.last());
    of.is_some_and(|of| of.name == of_trait)
}

/// Whether it is a parameter of the function but `self`, of a type that counts, or was taken out of
/// one.
fn is_param(
    checker: &Checker<'_>,
    site: &Rc<Site>,
    operand: &Operand,
    counts: &dyn Fn(&Ty) -> bool,
) -> bool {
    let first = operand.place().map(|place| (Rc::clone(site), place.clone()));
    let mut todo: Vec<(Rc<Site>, Place)> = first.into_iter().collect();
    let mut seen = 0;
    while let Some((site, place)) = todo.pop() {
        seen += 1;
        let local = site.graph.local(place.local);
        let given = local.kind == LocalKind::Param && site.parent.is_none();
        if seen > MOST || given && !is_receiver(checker, &site, place.local) {
            return seen <= MOST && (!given || counts(&local.ty));
        }
        if let Some(from) = &local.alias {
            todo.push((Rc::clone(&site), from.clone()));
        } else if local.kind == LocalKind::Captured {
            let outer = local.name.and_then(|name| site.outer(name));
            let parent = site.parent.as_ref().zip(outer);
            todo.extend(parent.map(|((parent, _), outer)| (Rc::clone(parent), Place::of(outer))));
        } else {
            let from =
                site.graph.nodes.iter().flat_map(|node| made_of(&site.graph, &node.kind, &place));
            todo.extend(from.map(|from| (Rc::clone(&site), from.clone())));
        }
    }
    false
}

/// What a step makes this value of, where it goes on to be the same: moved, taken apart, wrapped.
fn made_of<'n>(graph: &Graph, kind: &'n NodeKind, place: &Place) -> Vec<&'n Place> {
    match kind {
        NodeKind::Assign { to, value } if to.local == place.local => match value {
            Value::Use(from) => from.place().into_iter().collect(),
            Value::Parts { parts, .. } => {
                let asked = |part: &Part| place.path.first().is_none_or(|first| first == part);
                let parts = parts.iter().filter(|(part, _)| asked(part));
                parts.filter_map(|(_, value)| value.place()).collect()
            }
            _ => Vec::new(),
        },
        // `stream.into_parts()`, `TokioIo::new(stream)`
        NodeKind::Call(call) if call.to == place.local => {
            match (&call.receiver, call.args.as_slice()) {
                (Some(receiver), _) => receiver.place().into_iter().collect(),
                // Of an own function, such as `address_of(endpoint)`, only what it makes at once.
                (None, [only]) if !is_lazy(graph, call) => only.place().into_iter().collect(),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn is_receiver(checker: &Checker<'_>, site: &Site, local: LocalId) -> bool {
    let takes_self = site
        .function
        .is_some_and(|id| checker.world.names.function(id).sig.receiver != Receiver::None);
    takes_self && site.graph.params.first() == Some(&local)
}
