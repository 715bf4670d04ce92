//! What a source file holds: functions with their calls, locals and awaits, types with their fields.

use std::ops::Range;
use std::path::PathBuf;

use crate::walk;

/// Bytes of the file.
pub(crate) type Bytes = Range<usize>;
/// First and last line.
pub(crate) type Lines = (usize, usize);

/// A parsed file without its test code.
#[derive(Default)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) functions: Vec<Function>,
    pub(crate) types: Vec<Type>,
    pub(crate) impls: Vec<Impl>,
}

/// A function, method or trait method with a body.
#[derive(Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: Lines,
    pub(crate) bytes: Bytes,
    pub(crate) calls: Vec<Call>,
    pub(crate) locals: Vec<Local>,
    pub(crate) scopes: Vec<Scope>,
    /// Ends of awaits, each with the closure or async block it is in.
    pub(crate) awaits: Vec<(usize, usize)>,
}

/// A call of a function or method.
pub(crate) struct Call {
    /// Last segment.
    pub(crate) name: String,
    /// The whole path of a function, empty for methods.
    pub(crate) path: String,
    pub(crate) receiver: Option<Bytes>,
    pub(crate) arguments: Vec<Bytes>,
    pub(crate) bytes: Bytes,
    /// With `.await`.
    pub(crate) awaited: Option<Bytes>,
    /// The statement that does nothing but this call.
    pub(crate) statement: Option<Bytes>,
    /// The innermost loop.
    pub(crate) repeated: Option<Bytes>,
    pub(crate) line: usize,
}

/// Names bound by `let`, `if let` or an arm.
pub(crate) struct Local {
    pub(crate) names: Vec<String>,
    pub(crate) pattern: Bytes,
    pub(crate) value: Bytes,
    pub(crate) block: Bytes,
    /// The closure or async block it is in.
    pub(crate) body: usize,
    pub(crate) line: usize,
}

/// A block that is a statement of its own, or the value of a `let`.
pub(crate) struct Scope {
    /// The statement, up to the inside of the block.
    pub(crate) head: Bytes,
    /// The last expression, when the block has a value.
    pub(crate) value: Option<Bytes>,
    pub(crate) inside: Bytes,
    /// From the block's end to the statement's end.
    pub(crate) tail: Bytes,
    pub(crate) line: usize,
}

/// A struct.
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) lines: Lines,
    pub(crate) fields: Vec<(String, String)>,
}

/// An impl block.
pub(crate) struct Impl {
    pub(crate) of: String,
    pub(crate) drop: bool,
    pub(crate) lines: Lines,
    pub(crate) bytes: Bytes,
}

impl File {
    /// Parses; nothing when the parser gives up.
    pub(crate) fn read(path: PathBuf, text: String) -> Option<Self> {
        let tree = syn::parse_file(&text).ok()?;
        let file = Self { path, text, ..Self::default() };
        Some(walk::fill(file, &tree))
    }

    pub(crate) fn at(&self, bytes: &Bytes) -> &str {
        self.text.get(bytes.clone()).unwrap_or_default()
    }
}
