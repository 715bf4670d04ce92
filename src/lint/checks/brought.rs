//! A wait that is what a function of a trait is for, over what its callers bring: they hold the
//! future, and know the other side.

use std::rc::Rc;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::{Name, Receiver};
use crate::lint::names::{FnId, Names};
use crate::lint::types::Target;

use super::Checker;

/// Steps back from what is waited for to where it came in.
const STEPS: u32 = 12;

/// Whether a function of a trait waits for what it was given as a parameter, and only others of the
/// trait call it here. Of a trait of another crate only a stream counts: who brings an address
/// there, such as an HTTP client, leaves the rest to the connector.
pub(super) fn is_brought(checker: &Checker<'_>, site: &Rc<Site>, call: &Call) -> bool {
    let names = checker.world.names;
    let Some(id) = site.function else { return false };
    let Some(of_trait) = names.function(id).of_trait.as_ref().and_then(|of| of.last()) else {
        return false;
    };
    let own = names.declares_trait(of_trait.name);
    let classes = super::classes_of(checker.world, call);
    let brought = || call.args.last().is_some_and(|last| is_param(checker, site, last, STEPS));
    // A server brings strangers.
    !classes.contains(&"server-handshake")
        && (if own {
            names.offers_trait(of_trait.name)
        } else {
            classes.contains(&"client-handshake")
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

/// Whether it is a parameter of the function but `self`, or was taken out of one.
fn is_param(checker: &Checker<'_>, site: &Rc<Site>, operand: &Operand, depth: u32) -> bool {
    let Some(place) = operand.place().filter(|_| depth > 0) else { return false };
    let graph = &site.graph;
    let local = graph.local(place.local);
    let goes_on = |operand: &Operand| is_param(checker, site, operand, depth - 1);
    if let Some(from) = &local.alias {
        return goes_on(&Operand::Ref(from.clone()));
    }
    match local.kind {
        LocalKind::Captured => {
            let outer = local.name.and_then(|name| site.outer(name));
            let parent = site.parent.as_ref().zip(outer);
            parent.is_some_and(|((parent, _), outer)| {
                is_param(checker, parent, &Operand::Ref(Place::of(outer)), depth - 1)
            })
        }
        LocalKind::Param => site.parent.is_none() && !is_receiver(checker, site, place.local),
        _ => graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::Assign { to, value } if to.local == place.local => match value {
                Value::Use(from) => goes_on(from),
                Value::Parts { parts, .. } => {
                    let asked = |part: &Part| place.path.first().is_none_or(|first| first == part);
                    parts.iter().any(|(part, value)| asked(part) && goes_on(value))
                }
                _ => false,
            },
            // `stream.into_parts()`, `TokioIo::new(stream)`
            NodeKind::Call(call) if call.to == place.local => {
                match (&call.receiver, call.args.as_slice()) {
                    (Some(receiver), _) => goes_on(receiver),
                    (None, [only]) => !matches!(call.target, Target::Own(_)) && goes_on(only),
                    _ => false,
                }
            }
            _ => false,
        }),
    }
}

fn is_receiver(checker: &Checker<'_>, site: &Site, local: LocalId) -> bool {
    let takes_self = site
        .function
        .is_some_and(|id| checker.world.names.function(id).sig.receiver != Receiver::None);
    takes_self && site.graph.params.first() == Some(&local)
}
