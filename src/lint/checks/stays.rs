//! Whether a path, and all that is made of it, stays in the function that got it, and nothing here removes what is there.

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::Span;
use crate::lint::types::{Target, Ty};

use super::{Checker, Reason, facts_of};

/// Values followed.
const MOST: usize = 200;

/// Methods of a path that make one of something in it: who moves that leaves the rest behind.
const INSIDE: &[&str] = &["join", "with_extension", "with_file_name"];

/// Functions of the package looked into for a removal.
const DEPTH: u32 = 3;

/// Why not, when it does not.
pub(super) fn stays(checker: &Checker<'_>, site: &Site, call: &Call) -> Result<(), Reason> {
    let facts = facts_of(checker.world, call);
    let begun: Vec<&str> = facts.iter().filter_map(|fact| fact.acquires.as_deref()).collect();
    let graph = &site.graph;
    // With whether it is the path itself, and not one of something in there.
    let mut made = vec![(call.to, true)];
    let mut used = false;
    let mut next = 0;
    while let Some(&(at, whole)) = made.get(next) {
        next += 1;
        if made.len() > MOST {
            return Err(Reason::TooComplex);
        }
        for node in &graph.nodes {
            let mut itself = whole;
            let to = match &node.kind {
                NodeKind::Assign { to, value } if value.uses(at) => {
                    if leaves(site, to, value, at) {
                        return Err(Reason::Escapes(node.span, "it is returned or stored"));
                    }
                    to.local
                }
                NodeKind::Await { to, what } if is(what, at) => to.local,
                NodeKind::Call(other) if other.to != call.to => {
                    let mut given = other.receiver.iter().chain(&other.args);
                    if !given.any(|operand| is(operand, at)) {
                        continue;
                    }
                    used |= other.name.as_str() != "drop";
                    if whole && removes(checker, other, &begun, DEPTH) {
                        return Err(Reason::Released(node.span));
                    }
                    // Only a text has it: a log, or the message of an error.
                    let in_text = || !graph.nodes.iter().any(|node| node.kind.uses(other.to));
                    if other.name.as_str() == "display" && in_text() {
                        return Err(Reason::Escapes(node.span, "somebody is told of it"));
                    }
                    if takes(other, at) {
                        return Err(kept(node.span));
                    }
                    // `command.arg(path)`: what it is said to may say it on.
                    let told = other.receiver.iter().filter_map(Operand::place);
                    let known = |local| made.iter().any(|&(known, _)| known == local);
                    let told = told.map(|place| place.local).find(|&local| !known(local));
                    if let Some(told) = told {
                        if graph.local(told).kind == LocalKind::Captured || is_param(site, told) {
                            if whole || !matches!(other.target, Target::Own(_)) {
                                return Err(kept(node.span));
                            }
                        } else {
                            made.push((told, whole));
                        }
                    }
                    itself &= !INSIDE.contains(&other.name.as_str());
                    other.to
                }
                _ => continue,
            };
            let known = made.contains(&(to, itself));
            if known || !may_hold(graph.local(to).ty.yielded()) {
                continue;
            }
            if to == graph.result {
                return Err(Reason::Escapes(node.span, "it is returned or stored"));
            }
            made.push((to, itself));
        }
    }
    match used {
        true => Ok(()),
        // Whoever does not even look at it means to keep what is there.
        false => Err(Reason::Context("nothing is done with the path")),
    }
}

fn kept(span: Span) -> Reason {
    Reason::Escapes(span, "it is passed to a function that may keep it")
}

fn is(operand: &Operand, local: LocalId) -> bool {
    operand.place().is_some_and(|place| place.local == local)
}

fn is_param(site: &Site, local: LocalId) -> bool {
    site.graph.local(local).kind == LocalKind::Param
}

/// What is put into a value that was written out, into an error, into a closure, or where others see
/// it.
fn leaves(site: &Site, to: &Place, value: &Value, local: LocalId) -> bool {
    let taken = site.graph.local(to.local);
    let outside = matches!(taken.kind, LocalKind::Captured | LocalKind::Param);
    let told = |parts: &[(Part, Operand)]| {
        let mut with = parts.iter().filter(|(_, operand)| is(operand, local));
        taken.ty.is_result() && with.any(|(part, _)| *part != Part::Payload)
    };
    outside
        || !to.path.is_empty()
        || match value {
            Value::Closure { .. } => true,
            Value::Parts { parts, written, .. } => *written || told(parts),
            Value::Opaque(_) => taken.ty.is_result(),
            Value::Use(_) => false,
        }
}

/// A function of the package, or one that nobody knows, that gets the value itself.
fn takes(call: &Call, local: LocalId) -> bool {
    let by_value =
        call.args.iter().any(|arg| matches!(arg, Operand::Move(place) if place.local == local));
    match call.target {
        Target::Own(_) | Target::Constructor(_) | Target::Unknown(_) => by_value,
        _ => false,
    }
}

/// Whether a call, or one in what it calls, ends what was begun.
fn removes(checker: &Checker<'_>, call: &Call, begun: &[&str], depth: u32) -> bool {
    if let Target::Own(id) = call.target {
        let site = checker.bodies.of_function(id).filter(|_| depth > 0);
        let sites = site.map(|site| checker.bodies.with_nested(&site)).unwrap_or_default();
        return sites.iter().any(|site| {
            site.graph.calls().any(|(_, call)| removes(checker, call, begun, depth - 1))
        });
    }
    let mut released = facts_of(checker.world, call).into_iter().flat_map(|fact| &fact.releases);
    released.any(|class| begun.contains(&class.as_str()))
}

/// Whether a value of this type can have a path in it.
fn may_hold(ty: &Ty) -> bool {
    match ty.bare() {
        Ty::Int | Ty::Bool | Ty::Never => false,
        Ty::Tuple(parts) => parts.iter().any(may_hold),
        Ty::Ref(inner) | Ty::Ptr(inner) | Ty::Slice(inner) | Ty::Future(inner) => may_hold(inner),
        // The error of a Result only leads out.
        Ty::Foreign(_, args) if ty.is_result() => args.first().is_none_or(may_hold),
        Ty::Foreign(path, args) => match path.as_str() {
            "std::process::ExitStatus" | "std::process::Output" | "std::fs::File" => false,
            _ => args.is_empty() || args.iter().any(may_hold),
        },
        Ty::Unknown | Ty::Own(..) | Ty::Fn(_) | Ty::Traits(_) => true,
    }
}
