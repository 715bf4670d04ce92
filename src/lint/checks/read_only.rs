//! A transaction on which only questions are asked: nothing is lost when it rolls back.

use rustc_hash::FxHashSet;

use crate::lint::cfg::{Call, Graph, LocalId, NodeKind, Operand, Value};
use crate::lint::ir::Lit;

/// How a statement begins that changes nothing, and how it goes on where it calls no function for
/// what it does.
const QUESTION: (&str, &str) = ("select ", " from ");

/// Steps back from a statement to its text.
const STEPS: usize = 12;

/// Whether each statement that gets the value is a question, by its text, and there is one.
pub(super) fn only_reads(graph: &Graph, made: LocalId) -> bool {
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    let mut asked = false;
    // Steps stand in the order of the text: one pass follows what is bound and awaited.
    for node in &graph.nodes {
        let is = |operand: &Operand| {
            let place = operand.place();
            place.is_some_and(|place| {
                let alias = graph.local(place.local).alias.as_ref();
                same.contains(&place.local) || alias.is_some_and(|at| same.contains(&at.local))
            })
        };
        match &node.kind {
            NodeKind::Await { to, what } if is(what) => {
                same.insert(to.local);
            }
            NodeKind::Assign { to, value: Value::Use(from) } if is(from) => {
                if to.local == graph.result {
                    return false;
                }
                same.insert(to.local);
            }
            NodeKind::Assign { value, .. } if same.iter().any(|&local| value.uses(local)) => {
                return false;
            }
            NodeKind::Call(call) if call.receiver.iter().chain(&call.args).any(is) => {
                // What it derefs to is the connection itself.
                if matches!(call.name.as_str(), "as_mut" | "deref_mut" | "borrow_mut") {
                    same.insert(call.to);
                } else if is_question(graph, call) {
                    asked = true;
                } else {
                    return false;
                }
            }
            _ => {}
        }
    }
    asked
}

/// `query("SELECT …").bind(x).fetch_one(tx)`: the text where the chain begins.
fn is_question(graph: &Graph, call: &Call) -> bool {
    let mut at = call;
    for _ in 0..STEPS {
        let text = at.args.iter().find_map(|arg| match arg {
            Operand::Lit(Lit::Str(text)) => Some(text.as_str().trim_start().to_lowercase()),
            _ => None,
        });
        if let Some(text) = text {
            return text.starts_with(QUESTION.0) && text.contains(QUESTION.1);
        }
        let receiver = at.receiver.as_ref().and_then(|receiver| receiver.place());
        let made = receiver.and_then(|place| graph.call_at(graph.local(place.local).def?));
        match made {
            Some(made) => at = made,
            None => return false,
        }
    }
    false
}
