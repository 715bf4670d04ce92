//! A transaction on which only questions are asked: nothing is lost when it rolls back.

use rustc_hash::FxHashSet;

use crate::lint::bodies::Bodies;
use crate::lint::cfg::{Call, Graph, LocalId, NodeKind, Operand, Value};
use crate::lint::ir::Lit;
use crate::lint::names::FnId;
use crate::lint::types::Target;

/// How a statement begins that changes nothing, and how it goes on where it calls no function for
/// what it does.
const QUESTION: (&str, &str) = ("select ", " from ");

/// Methods that give rows back. Where the text is put together elsewhere they are taken for questions.
const FETCHES: &[&str] = &[
    "fetch",
    "fetch_all",
    "fetch_one",
    "fetch_optional",
    "query_as",
    "query_map",
    "query_one",
    "query_opt",
    "query_row",
];

/// Steps back from a statement to its text.
const STEPS: usize = 12;

/// Functions followed into one after the other.
const DEPTH: u32 = 3;

/// Whether each statement that gets the value is a question, by its text, and there is one; also in
/// functions of the package that it is lent to.
pub(super) fn only_reads(bodies: &Bodies<'_>, graph: &Graph, made: LocalId) -> bool {
    reads(bodies, graph, made, DEPTH, &mut FxHashSet::default())
}

/// What was looked at once has had its say, so it need not be looked at again.
fn reads(
    bodies: &Bodies<'_>,
    graph: &Graph,
    made: LocalId,
    depth: u32,
    seen: &mut FxHashSet<(FnId, usize)>,
) -> bool {
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
                } else if let Target::Own(function) = call.target {
                    let given = call.receiver.iter().chain(&call.args).enumerate();
                    for (at, _) in given.filter(|(_, operand)| is(operand)) {
                        if !seen.insert((function, at)) {
                            continue;
                        }
                        let site = bodies.of_function(function).filter(|_| depth > 0);
                        let Some(site) = site else { return false };
                        let Some(&param) = site.graph.params.get(at) else { return false };
                        if !reads(bodies, &site.graph, param, depth - 1, seen) {
                            return false;
                        }
                    }
                    asked = true;
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
        let mut seen = FxHashSet::default();
        if let Some(asks) = at.args.iter().find_map(|arg| asks(graph, arg, &mut seen)) {
            return asks;
        }
        let receiver = at.receiver.as_ref().and_then(|receiver| receiver.place());
        let made = receiver.and_then(|place| graph.call_at(graph.local(place.local).def?));
        match made {
            Some(made) => at = made,
            None => break,
        }
    }
    FETCHES.contains(&call.name.as_str())
}

/// Whether a text that is written here, or bound to a name before, is that of a question; None for
/// what is no text.
fn asks(graph: &Graph, operand: &Operand, seen: &mut FxHashSet<LocalId>) -> Option<bool> {
    let place = match operand {
        Operand::Lit(Lit::Str(text)) => return Some(is_question_text(text.as_str())),
        operand => operand.place()?,
    };
    if seen.len() >= STEPS {
        return None;
    }
    if !seen.insert(place.local) {
        // It was asked already, and has its say there.
        return Some(true);
    }
    if let Some(of) = &graph.local(place.local).alias {
        return asks(graph, &Operand::Ref(of.clone()), seen);
    }
    // One of several, as in both branches of an `if`: each counts.
    let given = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Assign { to, value: Value::Use(from) } if to == place => Some(from),
        _ => None,
    });
    let mut texts = given.map(|from| asks(graph, from, seen));
    let first = texts.next()??;
    Some(first && texts.all(|text| text == Some(true)))
}

fn is_question_text(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    text.starts_with(QUESTION.0) && text.contains(QUESTION.1)
}
