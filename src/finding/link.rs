//! What joins the two kinds of answers: places that a running program points at, and findings there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Confidence, Severity};

/// How near a place in source is to what a running program points at, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Relation {
    /// On the very line.
    Line,
    /// In the same function.
    Function,
    /// In a function that was on the stack.
    Caller,
    /// Nowhere near: about the library that opened it. A candidate, no proof.
    Family,
}

impl Relation {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Function => "function",
            Self::Caller => "caller",
            Self::Family => "family",
        }
    }
}

/// A finding of the linter, beside a place of which handles leak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// How near it is.
    pub relation: Relation,
    /// Id of the rule.
    pub rule: String,
    /// Its family.
    pub family: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where: path as reported.
    pub path: Arc<str>,
    /// First line.
    pub line: u32,
    /// Qualified name of the function.
    pub function: String,
    /// What is wrong there.
    pub message: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// What a running program was seen to do at the place of a finding. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// How near the place is.
    pub relation: Relation,
    /// The process.
    pub target: String,
    /// The group that leaks.
    pub group: String,
    /// Function and line that opened them.
    pub place: String,
    /// Handles from there that are still open.
    pub survivors: u64,
}

impl Seen {
    /// What was seen, in one sentence. Untrusted text.
    pub fn sentence(&self) -> String {
        let near = match self.relation {
            Relation::Line => "on this line",
            Relation::Function => "in this function",
            Relation::Caller => "in a function that it calls",
            Relation::Family => "by such a library",
        };
        let Self { target, group, place, survivors, .. } = self;
        format!("seen leaking in {target}: {survivors} of {group} opened {near} ({place})")
    }
}
