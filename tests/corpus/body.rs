//! What a source file holds: functions with their calls, locals and awaits, types with their fields.

use std::ops::Range;
use std::path::{Path, PathBuf};

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
    /// Modules in files of their own that only tests or other systems have.
    pub(crate) without: Vec<String>,
    /// The files of such modules, where they are written.
    pub(crate) without_paths: Vec<String>,
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
    /// The innermost block around it.
    pub(crate) block: Bytes,
    pub(crate) bytes: Bytes,
    /// With `.await`.
    pub(crate) awaited: Option<Bytes>,
    /// The statement that does nothing but this call.
    pub(crate) statement: Option<Bytes>,
    /// The innermost loop.
    pub(crate) repeated: Option<Bytes>,
    /// What has failed where the call stands: `accept()` in the arm `Err(…)` of its `match`.
    pub(crate) failed: Option<Bytes>,
    pub(crate) line: usize,
}

/// Names bound by `let`, `if let` or an arm.
pub(crate) struct Local {
    pub(crate) names: Vec<String>,
    pub(crate) pattern: Bytes,
    pub(crate) value: Bytes,
    pub(crate) block: Bytes,
    /// Whether it lives to the end of the block, or only as long as an `if let` or arm.
    pub(crate) whole_block: bool,
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
    /// The block that the statement is in.
    pub(crate) around: Bytes,
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
    /// Whether a path is that of a module below this file which is left out, or lies below it.
    pub(crate) fn leaves_out(&self, path: &Path) -> bool {
        let stem = self.path.file_stem().unwrap_or_default();
        let mut folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        if !["lib", "main", "mod"].iter().any(|name| stem == *name) {
            folder.push(stem);
        }
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let mut written = self.without_paths.iter();
        if written.any(|file| path == beside.join(file.trim_start_matches("./"))) {
            return true;
        }
        self.without.iter().any(|name| {
            path.starts_with(folder.join(name)) || path == folder.join(format!("{name}.rs"))
        })
    }

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
