//! Whether the other side is on this machine: of it an answer, or a refusal, comes at once.

use crate::lint::cfg::{Call, Graph, NodeKind, Operand, Value};
use crate::lint::ir::Lit;
use crate::lint::types::{Target, Ty};

/// Steps back towards where an address was made.
const STEPS: u32 = 6;

/// How types of sockets are called that only this machine can reach.
const LOCAL: &str = "Unix";

/// Whether an argument names this machine.
pub(super) fn is_near(graph: &Graph, call: &Call) -> bool {
    call.args.iter().any(|arg| names_this_machine(graph, arg, STEPS))
}

fn names_this_machine(graph: &Graph, operand: &Operand, depth: u32) -> bool {
    if operand.place().is_some_and(|place| is_local_socket(&graph.local(place.local).ty)) {
        return true;
    }
    let made = match operand {
        Operand::Lit(Lit::Str(text)) => return is_loopback(text.as_str()),
        Operand::Const(name) => return name.as_str() == "LOCALHOST",
        other => other.place().and_then(|place| {
            let local = graph.local(place.local);
            local.alias.as_ref().map_or(local.def, |from| graph.local(from.local).def)
        }),
    };
    let Some(made) = made.filter(|_| depth > 0) else { return false };
    let is_near = |operand: &Operand| names_this_machine(graph, operand, depth - 1);
    match &graph.node(made).kind {
        NodeKind::Assign { value: Value::Use(from), .. } => {
            names_this_machine(graph, from, depth - 1)
        }
        NodeKind::Assign { value: Value::Parts { parts, .. }, .. } => {
            parts.iter().any(|(_, part)| is_near(part))
        }
        NodeKind::Call(call) => {
            let of_local = match &call.target {
                Target::Api(_, path) | Target::Foreign(path) => {
                    path.as_str().split("::").any(|part| part.starts_with(LOCAL))
                }
                _ => false,
            };
            of_local || call.receiver.iter().chain(&call.args).any(is_near)
        }
        _ => false,
    }
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
