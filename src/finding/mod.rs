//! Defines what both wings of poolscan answer with: verdicts, confidence and evidence.

mod fingerprint;
mod link;
mod lint;
mod verdict;

pub use fingerprint::assign_fingerprints;
pub use link::{Linked, Relation, Seen};
pub use lint::{Applicability, Edit, Fix, LintFinding, MAX_EXITS, Region, Related, Role, Severity};
pub use verdict::{Confidence, Verdict};

/// One line of evidence behind a verdict: a statement with the numbers it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence(pub String);

impl Evidence {
    /// Wraps a finished sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}
