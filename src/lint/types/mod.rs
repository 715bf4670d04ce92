//! Light types: as much of a type as names, signatures and facts tell without a compiler.

mod known;
mod lookup;
mod params;
mod reach;
mod transaction;
mod variant;
mod written;

use super::ir::Name;
use super::names::TypeId;

pub(crate) use known::is_same_pointer;
pub(crate) use lookup::{Evidence, Scope, Target, World, is_type_name};
pub(crate) use transaction::{CLASS as OWN_TRANSACTION, KEEPS, held, reads, undoes};
pub(crate) use written::Written;

/// What is known about the type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Ty {
    #[default]
    Unknown,
    /// A type of another crate, by canonical path, with its type arguments.
    Foreign(Name, Vec<Self>),
    /// A type of the package.
    Own(TypeId, Vec<Self>),
    Ref(Box<Self>),
    Ptr(Box<Self>),
    Tuple(Vec<Self>),
    Slice(Box<Self>),
    /// Something that yields this when awaited.
    Future(Box<Self>),
    /// Something that returns this when called.
    Fn(Box<Self>),
    /// Known only by traits: canonical paths of foreign ones, types of own ones.
    Traits(Vec<Self>),
    Int,
    Bool,
    Never,
}

impl Ty {
    pub(crate) fn unit() -> Self {
        Self::Tuple(Vec::new())
    }

    pub(crate) fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }

    /// Without references around it.
    pub(crate) fn bare(&self) -> &Self {
        match self {
            Self::Ref(inner) => inner.bare(),
            other => other,
        }
    }

    pub(crate) fn is_ref(&self) -> bool {
        matches!(self, Self::Ref(_))
    }

    /// The foreign path, through references.
    pub(crate) fn path(&self) -> Option<Name> {
        match self.bare() {
            Self::Foreign(path, _) => Some(*path),
            _ => None,
        }
    }

    fn foreign(path: &str, args: Vec<Self>) -> Self {
        Self::Foreign(Name::new(path), args)
    }

    pub(crate) fn result(ok: Self) -> Self {
        Self::foreign("std::result::Result", vec![ok])
    }

    pub(crate) fn option(some: Self) -> Self {
        Self::foreign("std::option::Option", vec![some])
    }

    pub(crate) fn is_result(&self) -> bool {
        self.path().is_some_and(|path| path.as_str() == "std::result::Result")
    }

    pub(crate) fn is_option(&self) -> bool {
        self.path().is_some_and(|path| path.as_str() == "std::option::Option")
    }

    /// What is in `Ok` or `Some`.
    pub(crate) fn payload(&self) -> Self {
        match self.bare() {
            Self::Foreign(_, args) if self.is_result() || self.is_option() => {
                args.first().cloned().unwrap_or_default()
            }
            _ => Self::Unknown,
        }
    }

    /// What awaiting it gives; itself when it is no future.
    pub(crate) fn yielded(&self) -> &Self {
        match self {
            Self::Future(inner) => inner,
            other => other,
        }
    }

    /// The same shape around something else: `Result<A>` to `Result<B>`.
    pub(crate) fn with_payload(&self, payload: Self) -> Self {
        if self.is_option() {
            Self::option(payload)
        } else if self.is_result() {
            Self::result(payload)
        } else {
            Self::Unknown
        }
    }
}
