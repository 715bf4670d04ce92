//! What comparing the status of a call with a number or constant tells of it.

use crate::catalog::model::Fails;
use crate::lint::cfg::Operand;
use crate::lint::ir::{BinaryOp, Lit};

#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) enum Told {
    Failed,
    Fine,
}

/// What a comparison with a status says when it holds; its opposite says the opposite.
pub(super) fn meaning(op: BinaryOp, other: &Operand, fails: Fails) -> Option<Told> {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let number = match other {
        Operand::Lit(Lit::Int(number)) => Some(*number),
        _ => None,
    };
    let name = match other {
        Operand::Const(name) => Some(name.as_str()),
        _ => None,
    };
    Some(match (op, number, name, fails) {
        (Lt, Some(0), ..) | (Le | Eq, Some(-1), ..) => Told::Failed,
        (Ge, Some(0), ..) | (Gt | Ne, Some(-1), ..) => Told::Fine,
        (Gt, Some(0), _, Fails::Negative) => Told::Fine,
        (Eq, Some(0), _, Fails::NonZero) => Told::Fine,
        (Ne, Some(0), _, Fails::NonZero) => Told::Failed,
        (Eq, _, Some(name), _) if is_failure_name(name) => Told::Failed,
        (Ne, _, Some(name), _) if is_failure_name(name) => Told::Fine,
        (Eq, _, Some(name), _) if is_success_name(name) => Told::Fine,
        (Ne, _, Some(name), _) if is_success_name(name) => Told::Failed,
        _ => return None,
    })
}

/// Constants of C libraries that say that all is well.
pub(super) fn is_success_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name == "OK"
        || name.ends_with("_OK")
        || name.ends_with("SUCCESS")
        || name.ends_with("NO_ERROR")
        || name.ends_with("NOERROR")
}

fn is_failure_name(name: &str) -> bool {
    matches!(name, "MAP_FAILED" | "INVALID_HANDLE_VALUE" | "INVALID_SOCKET" | "SEM_FAILED")
        || name.ends_with("_ERROR") && !is_success_name(name)
        || name.ends_with("_FAILED")
}

/// The comparison with its sides exchanged.
pub(super) fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}
