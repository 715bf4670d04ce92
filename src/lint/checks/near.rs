//! Whether the other side is on this machine: of it an answer, or a refusal, comes at once.

use std::cell::Cell;
use std::rc::Rc;

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, LocalKind, NodeKind, Operand, Part, Value};
use crate::lint::ir::{Lit, Name};
use crate::lint::names::{StaticId, TypeId};
use crate::lint::types::{Target, Ty};

use super::Checker;
use super::uses::{put_in, type_of};

/// Steps back towards where an address was made.
const STEPS: u32 = 24;

/// Places looked at in all.
const MOST: u32 = 2_000;

/// How types of sockets are called that only this machine can reach.
const LOCAL: &str = "Unix";

/// Whether an argument, or what it is called on, names this machine; also where it comes from a
/// parameter, field or constant of the package that is never anything else.
pub(super) fn is_near(checker: &Checker<'_>, site: &Rc<Site>, call: &Call) -> bool {
    let search = Search { checker, left: Cell::new(MOST) };
    let mut operands = call.receiver.iter().chain(&call.args);
    operands.any(|operand| search.operand(site, operand, STEPS))
}

struct Search<'c, 'a> {
    checker: &'c Checker<'a>,
    /// Places that may still be looked at.
    left: Cell<u32>,
}

impl Search<'_, '_> {
    fn operand(&self, site: &Rc<Site>, operand: &Operand, depth: u32) -> bool {
        let left = self.left.get();
        if depth == 0 || left == 0 {
            return false;
        }
        self.left.set(left - 1);
        let place = match operand {
            Operand::Lit(Lit::Str(text)) => return is_loopback(text.as_str()),
            Operand::Const(name) => return name.as_str() == "LOCALHOST",
            other => other.place(),
        };
        let Some(place) = place else { return false };
        let graph = &site.graph;
        if is_local_socket(&graph.local(place.local).ty) {
            return true;
        }
        // The last field that is one of a type of the package.
        for (at, part) in place.path.iter().enumerate().rev() {
            if let Part::Field(field) = part
                && let owner = type_of(self.checker.world, graph, place.local, &place.path[..at])
                && let Ty::Own(of, _) = owner.bare()
            {
                return self.field(*of, *field, depth - 1);
            }
        }
        self.local(site, place.local, depth - 1)
    }

    fn local(&self, site: &Rc<Site>, id: LocalId, depth: u32) -> bool {
        let graph = &site.graph;
        let local = graph.local(id);
        if let Some(from) = &local.alias {
            return self.operand(site, &Operand::Ref(from.clone()), depth);
        }
        match local.kind {
            LocalKind::Captured => return self.outer(site, local.name, depth),
            LocalKind::Param => return self.param(site, id, depth),
            _ => {}
        }
        let is_near = |operand: &Operand| self.operand(site, operand, depth);
        let made = graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Assign { to, value } if to.local == id && to.path.is_empty() => match value {
                // A failure is no address.
                Value::Use(from) if is_failed(graph, from) => None,
                Value::Use(from) => Some(is_near(from)),
                Value::Parts { parts, .. } if is_failure(parts) => None,
                Value::Parts { parts, .. } => Some(parts.iter().any(|(_, part)| is_near(part))),
                Value::Opaque(used) => Some(used.iter().any(is_near)),
                Value::Closure { .. } => Some(false),
            },
            NodeKind::Await { to, what } if to.local == id => Some(is_near(what)),
            NodeKind::Call(call) if call.to == id => Some(self.made(site, call, depth)),
            _ => None,
        });
        always(made)
    }

    /// Whether a call makes something of this machine out of what it is given, or by itself.
    fn made(&self, site: &Rc<Site>, call: &Call, depth: u32) -> bool {
        let by_itself = match &call.target {
            Target::Api(_, path) | Target::Foreign(path) => {
                path.as_str().split("::").any(|part| part.starts_with(LOCAL))
            }
            Target::Own(id) => self
                .checker
                .bodies
                .of_function(*id)
                .filter(|_| depth > 0)
                .is_some_and(|site| self.local(&site, site.graph.result, depth - 1)),
            _ => false,
        };
        let mut operands = call.receiver.iter().chain(&call.args);
        by_itself || operands.any(|operand| self.operand(site, operand, depth))
    }

    /// A variable of the body around, or a constant of the package.
    fn outer(&self, site: &Rc<Site>, name: Option<Name>, depth: u32) -> bool {
        let Some(name) = name.filter(|_| depth > 0) else { return false };
        if let (Some((parent, _)), Some(local)) = (&site.parent, site.outer(name)) {
            return self.local(parent, local, depth - 1);
        }
        let statics = (0..).zip(&self.checker.world.names.statics);
        let of_name = statics.filter(|(_, def)| def.name == name).map(|(number, _)| {
            let site = self.checker.bodies.of_static(StaticId(number));
            site.is_some_and(|site| self.local(&site, site.graph.result, depth - 1))
        });
        always(of_name)
    }

    /// Whether callers in the package pass this machine.
    fn param(&self, site: &Rc<Site>, id: LocalId, depth: u32) -> bool {
        let index = site.graph.params.iter().position(|&param| param == id);
        let (Some(index), Some(function), None) = (index, site.function, &site.parent) else {
            return false;
        };
        let callers = self.checker.callers.of(function).filter(|_| depth > 0);
        let Some(callers) = callers else { return false };
        let given = callers.iter().map(|(caller, node)| {
            let call = caller.graph.call_at(*node);
            let given = call.and_then(|call| call.receiver.iter().chain(&call.args).nth(index));
            given.is_some_and(|given| self.operand(caller, given, depth - 1))
        });
        always(given)
    }

    /// Whether this field of a type is this machine where one is made.
    fn field(&self, of: TypeId, field: Name, depth: u32) -> bool {
        if depth == 0 {
            return false;
        }
        let set = put_in(self.checker, of, field).unwrap_or_default();
        always(set.iter().map(|(site, operand)| self.operand(site, operand, depth - 1)))
    }
}

/// Whether all are near, and there is one.
fn always(mut near: impl Iterator<Item = bool>) -> bool {
    near.next() == Some(true) && near.all(|near| near)
}

/// Whether a value is nothing but a failure.
fn is_failed(graph: &Graph, operand: &Operand) -> bool {
    let made = operand.place().filter(|place| place.path.is_empty());
    let def = made.and_then(|place| graph.local(place.local).def);
    matches!(def.map(|def| &graph.node(def).kind),
        Some(NodeKind::Assign { value: Value::Parts { parts, .. }, .. }) if is_failure(parts))
}

fn is_failure(parts: &[(Part, Operand)]) -> bool {
    parts.iter().all(|(part, _)| matches!(part, Part::Field(name) if name.as_str() == "Err"))
        && !parts.is_empty()
}

/// `UnixListener`, `UnixStream`, or something around one.
fn is_local_socket(ty: &Ty) -> bool {
    match ty.bare() {
        Ty::Foreign(path, args) => {
            let last = path.as_str().rsplit("::").next().unwrap_or_default();
            last.starts_with(LOCAL) || args.iter().any(is_local_socket)
        }
        _ => false,
    }
}

/// `127.0.0.1:80`, `http://localhost/`, `[::1]:443`
fn is_loopback(text: &str) -> bool {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || ".-_".contains(c));
    ["localhost", "127.0.0.1", "[::1]", "::1"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(ends))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_of_this_machine() {
        for text in
            ["127.0.0.1:80", "http://localhost/a", "[::1]:443", "localhost", "127.0.0.1:{port}"]
        {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["127.0.0.10:80", "localhost.example.org", "http://a/localhost", "", "{host}"] {
            assert!(!is_loopback(text), "{text}");
        }
    }
}
