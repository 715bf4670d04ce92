//! Transactions of types that nobody knows, told by the method that begins them.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{Engine, Paths};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, NodeId, NodeKind, Operand, Value};
use crate::lint::ir::{Name, Span};
use crate::lint::types::{Evidence, KEEPS, OWN_TRANSACTION, Target, reads, undoes};

use super::{Checker, Outcome, Reason, Reported, item};

/// What is begun: `begin_transaction`, `begin_write_txn`.
const TRANSACTIONS: [&str; 3] = ["transaction", "tx", "txn"];

/// First words of methods that only ask.
const ASKS: [&str; 16] = [
    "contains", "count", "exists", "fetch", "find", "get", "has", "is", "iter", "len", "list",
    "load", "lookup", "query", "scan", "select",
];

/// Methods that give the same value back: opened, or with another error.
const OPENS: [&str; 10] = [
    "as_mut",
    "as_ref",
    "borrow_mut",
    "context",
    "deref_mut",
    "expect",
    "inspect_err",
    "map_err",
    "unwrap",
    "with_context",
];

pub(super) fn check(checker: &mut Checker<'_>) {
    let of_class = |known: &&LintRule| {
        known.rule.class == OWN_TRANSACTION && known.rule.when.paths == Some(Paths::All)
    };
    let rules: Vec<&LintRule> =
        checker.of_engine(Engine::MustRelease).into_iter().filter(of_class).collect();
    if rules.is_empty() {
        return;
    }
    let sources = &checker.world.names.sources;
    let mentions = sources.iter().flat_map(|source| &source.file.bodies);
    let mentions = mentions.flat_map(|body| &body.mentions);
    let names: BTreeSet<&str> =
        mentions.map(|name| name.as_str()).filter(|name| begins(name)).collect();
    for name in names.into_iter().map(Name::new) {
        let Some(sites) = checker.callers.naming(name) else { continue };
        for site in sites {
            let unknown = |call: &Call| {
                call.name == name
                    && call.receiver.is_some()
                    && matches!(call.target, Target::Unknown(_) | Target::Foreign(_))
            };
            for (id, call) in site.graph.calls().filter(|(_, call)| unknown(call)) {
                for &known in &rules {
                    let outcome = match left(checker, &site, id, call) {
                        Err(reason) => Outcome::Silent(reason),
                        Ok(()) => Outcome::Reported(Box::new(Reported {
                            item: item(checker.world, call),
                            ..Reported::default()
                        })),
                    };
                    // The name says it plainly, whatever the type is.
                    checker.add(known, &site, id, Evidence::Resolved, outcome);
                }
            }
        }
    }
}

/// Whether a method of this name begins a transaction in which something is to be changed.
fn begins(name: &str) -> bool {
    name.strip_prefix("begin_").is_some_and(|what| {
        what.split('_').any(|word| TRANSACTIONS.contains(&word)) && !reads(what)
    })
}

/// Whether something is done in the transaction, and it neither ends nor goes anywhere.
fn left(checker: &Checker<'_>, site: &Site, made: NodeId, begun: &Call) -> Result<(), Reason> {
    let graph = &site.graph;
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([begun.to]);
    let mut done = false;
    // Steps stand in the order of the text: one pass follows what is bound and awaited.
    for id in graph.ids().filter(|&id| id != made) {
        let node = graph.node(id);
        let is = |operand: &Operand| {
            operand.place().is_some_and(|place| {
                let alias = graph.local(place.local).alias.as_ref();
                same.contains(&place.local) || alias.is_some_and(|at| same.contains(&at.local))
            })
        };
        let away = || Err(Reason::Escapes(node.span, "somebody else gets it"));
        match &node.kind {
            NodeKind::Await { to, what } if is(what) => {
                same.insert(to.local);
            }
            NodeKind::Assign { to, value: Value::Use(from) } if is(from) => {
                let here =
                    matches!(graph.local(to.local).kind, LocalKind::Binding | LocalKind::Temp);
                if to.local == graph.result || !here || !to.path.is_empty() {
                    return away();
                }
                same.insert(to.local);
            }
            NodeKind::Assign { value, .. } if same.iter().any(|&local| value.uses(local)) => {
                return away();
            }
            NodeKind::Select { futures } if futures.iter().any(is) => return away(),
            NodeKind::Call(call) if call.receiver.as_ref().is_some_and(is) => {
                let name = call.name.as_str();
                if ends(name) {
                    return Err(Reason::Released(node.span));
                }
                if OPENS.contains(&name) {
                    same.insert(call.to);
                } else if name.starts_with("into_") {
                    return away();
                } else {
                    done |= !asks(name);
                }
            }
            NodeKind::Call(call) if call.args.iter().any(is) => {
                lent(checker, call, node.span, is)?;
            }
            _ => {}
        }
    }
    if done { Ok(()) } else { Err(Reason::Context("nothing is changed in it")) }
}

/// An argument is only lent where it is a reference, and nobody who gets it may end it.
fn lent(
    checker: &Checker<'_>,
    call: &Call,
    span: Span,
    is: impl Fn(&Operand) -> bool,
) -> Result<(), Reason> {
    let names = checker.world.names;
    let ends_it = match call.target {
        Target::Own(id) => names
            .body_of(names.function(id))
            .is_none_or(|body| body.mentions.iter().any(|name| ends(name.as_str()))),
        _ => ends(call.name.as_str()),
    };
    let moved = call.args.iter().any(|arg| matches!(arg, Operand::Move(_)) && is(arg));
    if moved || ends_it {
        return Err(Reason::Escapes(span, "it is passed to somebody who may end it"));
    }
    Ok(())
}

/// `commit`, `commit_unchecked`, `rollback`
fn ends(name: &str) -> bool {
    name.split('_').any(|word| {
        word == KEEPS || undoes(word) || matches!(word, "close" | "end" | "finish" | "done")
    })
}

fn asks(name: &str) -> bool {
    name.split('_').next().is_some_and(|word| ASKS.contains(&word))
}
