//! Whether sources of evidence work here: plain data that trying them fills and a report shows.

/// How a source fared when it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Works {
    /// It delivers.
    Yes,
    /// It delivers in part.
    Partly,
    /// It does not.
    No,
}

impl Works {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partly => "partly",
            Self::No => "no",
        }
    }
}

/// One source that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it works.
    pub works: Works,
    /// What it delivered, or why it did not. May hold untrusted text.
    pub detail: String,
    /// The smallest change that would make it work, as a command where there is one.
    pub fix: Option<String>,
    /// What it adds to a verdict.
    pub adds: &'static str,
}
