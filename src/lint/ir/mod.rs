//! The linter's own form of source: compact, `Send`, without tokens; bodies as trees of expressions.

mod body;
mod item;
mod name;

pub(crate) use body::{
    Arm, BinaryOp, BlockKind, Body, BodyId, Branch, Expr, ExprId, ExprKind, Label, List, Lit,
    MacroBody, Param, Pat, PatId, PatKind, Stmt, UnaryOp,
};
pub(crate) use item::{
    Attrs, Enum, Fn, FnSig, Impl, Import, Item, ItemKind, MacroCall, MacroDef, Mod, Receiver,
    Static, Struct, Trait, Variant,
};
pub(crate) use name::Name;

/// A range of bytes in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// From the start of one to the end of the other.
    pub(crate) fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end.max(self.end) }
    }
}

/// A path as written: segments with their type arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path {
    /// `::a::b`
    pub(crate) global: bool,
    pub(crate) segments: Vec<Segment>,
    /// `<T as Trait>::f`: the type, the trait being the segments but the last.
    pub(crate) qself: Option<Box<TypeRef>>,
}

/// One name of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) name: Name,
    pub(crate) args: Vec<TypeRef>,
}

impl Path {
    /// One name and nothing else.
    pub(crate) fn single(name: Name) -> Self {
        let segments = vec![Segment { name, args: Vec::new() }];
        Self { global: false, segments, qself: None }
    }

    /// The name, when the path is nothing but one.
    pub(crate) fn as_name(&self) -> Option<Name> {
        match self.segments.as_slice() {
            [only] if !self.global && self.qself.is_none() => Some(only.name),
            _ => None,
        }
    }

    pub(crate) fn last(&self) -> Option<&Segment> {
        self.segments.last()
    }
}

/// A type as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeRef {
    Path(Path),
    /// `&T`, `&mut T`
    Ref(Box<Self>),
    /// `*const T`, `*mut T`
    Ptr(Box<Self>),
    Tuple(Vec<Self>),
    /// `[T]`, `[T; N]`
    Slice(Box<Self>),
    /// `impl A + B`, `dyn A + B`: the traits, each with `Output`-like associated types dropped but
    /// for the one of a future or iterator.
    Bounds(Vec<Path>),
    /// `fn(..) -> T`
    Fn(Box<Self>),
    Never,
    Unknown,
}

/// One source file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) items: Vec<Item>,
    pub(crate) bodies: Vec<Body>,
    /// `#![cfg(test)]` and the like.
    pub(crate) attrs: Attrs,
    pub(crate) lines: u32,
    /// Parts that could not be parsed: where, and why.
    pub(crate) broken: Vec<(Span, String)>,
}

impl File {
    /// Whether there was something to be parsed, and nothing could be.
    pub(crate) fn is_lost(&self) -> bool {
        self.items.is_empty() && !self.broken.is_empty()
    }
}
