//! Items: what a module declares, as far as names, types and bodies need it.

use super::{BodyId, Name, Path, Span, TypeRef};

/// Something declared in a module, block, impl or trait.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) name: Name,
    pub(crate) kind: ItemKind,
    pub(crate) attrs: Attrs,
    pub(crate) public: bool,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum ItemKind {
    Mod(Mod),
    Fn(Fn),
    Struct(Struct),
    Enum(Enum),
    Trait(Trait),
    Impl(Impl),
    /// `type A<T> = B;`
    Alias {
        ty: TypeRef,
        generics: Vec<Name>,
    },
    Static(Static),
    Import(Vec<Import>),
    Macro(MacroDef),
    /// `extern "C" { … }`: functions without bodies.
    Foreign(Vec<Item>),
    /// `extern crate a as b`: the crate.
    ExternCrate(Name),
}

/// A module: inline, or in a file of its own.
#[derive(Debug)]
pub(crate) struct Mod {
    /// None for `mod name;`.
    pub(crate) items: Option<Vec<Item>>,
    /// Where it may be, as far as conditions tell: `#[path = "…"]`, also from `cfg_attr`; none for
    /// the usual place.
    pub(crate) files: Vec<Option<String>>,
}

/// A function or method.
#[derive(Debug)]
pub(crate) struct Fn {
    pub(crate) sig: FnSig,
    pub(crate) body: Option<BodyId>,
}

/// What a caller sees of a function.
#[derive(Debug)]
pub(crate) struct FnSig {
    pub(crate) receiver: Receiver,
    /// Without the receiver.
    pub(crate) params: Vec<TypeRef>,
    pub(crate) returns: TypeRef,
    pub(crate) is_async: bool,
    /// `extern "C"`, or declared in an extern block.
    pub(crate) foreign: bool,
    /// Type parameters with their bounds.
    pub(crate) generics: Vec<(Name, Vec<Path>)>,
}

/// How a method takes `self`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    None,
    Value,
    Ref,
    RefMut,
}

#[derive(Debug)]
pub(crate) struct Struct {
    /// Names are numbers in tuple structs.
    pub(crate) fields: Vec<(Name, TypeRef, Span)>,
    pub(crate) generics: Vec<(Name, Vec<Path>)>,
}

#[derive(Debug)]
pub(crate) struct Enum {
    pub(crate) variants: Vec<Variant>,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: Name,
    /// Names are numbers in tuple variants.
    pub(crate) fields: Vec<(Name, TypeRef)>,
}

#[derive(Debug)]
pub(crate) struct Trait {
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) struct Impl {
    pub(crate) of: Option<Path>,
    pub(crate) target: TypeRef,
    pub(crate) generics: Vec<(Name, Vec<Path>)>,
    pub(crate) items: Vec<Item>,
}

/// A constant or static.
#[derive(Debug)]
pub(crate) struct Static {
    pub(crate) ty: TypeRef,
    pub(crate) body: Option<BodyId>,
    pub(crate) constant: bool,
    /// Its value, when it is a whole number.
    pub(crate) int: Option<i128>,
    /// Its value, when it is a text.
    pub(crate) text: Option<Name>,
}

/// One name that a `use` brings in.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) path: Vec<Name>,
    pub(crate) global: bool,
    /// `use a::b as c`; `_` for unnamed.
    pub(crate) name: Name,
    /// `use a::*`
    pub(crate) glob: bool,
    pub(crate) public: bool,
}

/// `macro_rules! name { … }`
#[derive(Debug)]
pub(crate) struct MacroDef {
    /// Names used in its bodies: what it may call.
    pub(crate) idents: Vec<Name>,
}

/// What attributes say, with cfg already decided as far as it can be.
#[derive(Debug, Default, Clone)]
pub(crate) struct Attrs {
    /// `#[cfg(test)]` or a predicate that only holds in tests.
    pub(crate) test_only: bool,
    /// A cfg that is false on the chosen target.
    pub(crate) disabled: bool,
    /// A cfg of which nothing is known (feature and the like).
    pub(crate) conditional: bool,
    /// Paths of other attributes, such as `tokio::main`.
    pub(crate) paths: Vec<Path>,
    /// `#[macro_export]`, `#[macro_use]`
    pub(crate) macro_use: bool,
    /// `#[allow(dead_code)]`: perhaps nobody calls it.
    pub(crate) may_be_dead: bool,
}
