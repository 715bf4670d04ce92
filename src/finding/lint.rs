//! What static analysis answers with: a finding at a place, with the path that proves it.
//!
//! What is serialised here is only for the cache, which every build begins anew; documents have
//! types of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Confidence, Seen};

/// How bad a finding is. `--fail-on` compares by this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Counted, and shown when asked for.
    Note,
    /// Right at least nine times in ten on real code.
    Warning,
    /// Right in practically every case.
    Error,
}

impl Severity {
    /// The name used in documents and rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// One step more: what was seen to happen is worth that.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Note => Self::Warning,
            Self::Warning | Self::Error => Self::Error,
        }
    }

    /// One step less: what evidence that is only probable is worth.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Error => Self::Warning,
            Self::Warning | Self::Note => Self::Note,
        }
    }
}

/// A range in a source file. Lines and columns count from 1, columns in Unicode scalar values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Region {
    /// Path as reported: relative to the working directory, with `/`.
    pub path: Arc<str>,
    /// First line.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column behind the last character.
    pub end_column: u32,
    /// The same range in bytes of the file.
    pub bytes: (u32, u32),
}

/// What a related place has to do with the finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Where the obligation began.
    Acquired,
    /// Where a value was configured.
    Configured,
    /// A step on the way.
    Step,
    /// Where the function is left without the release.
    Exit,
    /// Where another path releases it.
    Released,
}

impl Role {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::Configured => "configured",
            Self::Step => "step",
            Self::Exit => "exit",
            Self::Released => "released",
        }
    }
}

/// Exits that a finding names, at most.
pub const MAX_EXITS: usize = 16;

/// A place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Related {
    /// Where.
    pub region: Region,
    /// What it has to do with the finding.
    pub role: Role,
    /// A few words shown at the place.
    pub label: String,
}

/// Whether a fix may change what the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Applicability {
    /// The program does what it did, but for what was found.
    Safe,
    /// It may wait shorter or longer, end something earlier, or need a look to compile.
    Unsafe,
}

impl Applicability {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
        }
    }
}

/// Text that is to stand at a place instead of what stands there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    /// What is replaced; empty where text is only added.
    pub region: Region,
    /// The same in bytes of the file, a byte order mark counted.
    pub file_bytes: (u32, u32),
    /// The text.
    pub text: String,
}

/// Edits of one file that mend a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fix {
    /// Whether it may be applied without a look.
    pub applicability: Applicability,
    /// A few words: what it does.
    pub title: String,
    /// In the order of the text; they do not overlap.
    pub edits: Vec<Edit>,
}

/// A defect in source code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LintFinding {
    /// Where it is reported.
    pub region: Region,
    /// Id of the rule.
    pub rule: String,
    /// What its fingerprint takes for the rule: the same for rules that are about one obligation in
    /// several degrees, so that who mends one of several exits still has the same finding.
    pub defect: String,
    /// Folder of the rule: `process`, `fd`, `timeout`, …
    pub family: String,
    /// How bad it is, after context and evidence lowered it.
    pub severity: Severity,
    /// `High` when every name was resolved, `Medium` when one was only probable.
    pub confidence: Confidence,
    /// Name of the package, empty for a file of none.
    pub package: Arc<str>,
    /// Path of the module in its package, empty for a root.
    pub module: String,
    /// Qualified name of the function, empty outside functions.
    pub function: String,
    /// The code that it is about, without layout.
    pub subject: String,
    /// One sentence: what is wrong here.
    pub message: String,
    /// One sentence: what to write instead.
    pub help: String,
    /// Acquisition, steps, every leaking exit (16 at most), releases on other paths.
    pub related: Vec<Related>,
    /// What mends it, when that can be written by itself.
    pub fix: Option<Fix>,
    /// Stays the same when lines and files move: of defect, package, module, function and subject.
    pub fingerprint: String,
    /// Leaks of running programs at this place, if anybody told of them.
    pub seen: Vec<Seen>,
}
