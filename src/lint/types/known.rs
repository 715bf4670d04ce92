//! Types that come with the language, and those that facts write down.

use crate::catalog::TypeText;
use crate::lint::ir::Name;

use super::Ty;

pub(super) const VECTOR: &str = "std::vec::Vec";

/// Types and functions of the prelude that paths need no import for, and shared pointers: where
/// such a name comes through the glob of a crate that nobody knows, it means what it says.
pub(super) fn prelude(name: &str) -> Option<&'static str> {
    Some(match name {
        "Option" => "std::option::Option",
        "Result" => "std::result::Result",
        "Vec" => VECTOR,
        "Box" => "std::boxed::Box",
        "String" => "std::string::String",
        "Arc" => "std::sync::Arc",
        "Rc" => "std::rc::Rc",
        "drop" => "std::mem::drop",
        _ => return None,
    })
}

pub(super) fn primitive(name: &str) -> Option<Ty> {
    Some(match name {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128"
        | "usize" | "c_int" | "f32" | "f64" => Ty::Int,
        "bool" => Ty::Bool,
        _ => return None,
    })
}

/// A path of another crate with its arguments: every `…::Result` is a Result, boxed and local
/// futures are futures, raw descriptors are integers.
pub(super) fn foreign(path: Name, args: Vec<Ty>) -> Ty {
    let text = path.as_str();
    let last = text.rsplit("::").next().unwrap_or(text);
    match last {
        "Result" => Ty::result(args.into_iter().next().unwrap_or_default()),
        "BoxFuture" | "LocalBoxFuture" | "Future" => {
            Ty::Future(Box::new(args.into_iter().next().unwrap_or_default()))
        }
        "RawFd" | "c_int" => Ty::Int,
        "Fn" | "FnMut" | "FnOnce" => Ty::Fn(Box::new(args.into_iter().next().unwrap_or_default())),
        _ => Ty::Foreign(path, args),
    }
}

/// A type that a fact writes, for a call on `receiver` with arguments of these types.
pub(super) fn of_text(text: &TypeText, receiver: &Ty, args: &[Ty]) -> Ty {
    let one = |text: &TypeText| of_text(text, receiver, args);
    match text {
        TypeText::Path(path, parts) => foreign(Name::new(path), parts.iter().map(one).collect()),
        TypeText::Tuple(parts) => Ty::Tuple(parts.iter().map(one).collect()),
        TypeText::Reference { to, .. } => Ty::Ref(Box::new(one(to))),
        TypeText::Future(to) => Ty::Future(Box::new(one(to))),
        TypeText::Receiver => receiver.bare().clone(),
        TypeText::Argument(number) => args.get(usize::from(*number)).cloned().unwrap_or_default(),
        TypeText::Parameter(number) => match receiver.bare() {
            Ty::Foreign(_, parts) => parts.get(usize::from(*number)).cloned().unwrap_or_default(),
            _ => Ty::Unknown,
        },
        TypeText::Unknown => Ty::Unknown,
        TypeText::Int => Ty::Int,
        TypeText::Pointer => Ty::Ptr(Box::default()),
    }
}

/// Methods of pointers that give a pointer into the same.
pub(crate) fn is_same_pointer(name: &str) -> bool {
    matches!(
        name,
        "add"
            | "sub"
            | "offset"
            | "byte_add"
            | "byte_sub"
            | "byte_offset"
            | "wrapping_add"
            | "wrapping_sub"
            | "wrapping_offset"
    )
}
