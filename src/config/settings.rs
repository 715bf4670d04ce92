//! What can be set.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;

use super::Document;
use crate::finding::Severity;

/// The name of a file of settings.
pub const NAME: &str = "poolscan.toml";

/// A name of a rule, of a family, or `all`, with its place.
pub type Word = Spanned<String>;

/// One step to a table in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into the value of a key.
    Key(&'static str),
    /// Into an element of a list.
    Element(usize),
}

/// From which severity on a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// From this one on.
    Least(Severity),
    /// It does not.
    Never,
}

/// Where rules and facts of users are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knowledge {
    /// In a file; its absolute path, with the place where it is named.
    File(Spanned<PathBuf>),
    /// In a table of the document.
    Table(Vec<Step>),
}

/// What is different in some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPaths {
    /// Which, as in `.gitignore`.
    pub paths: Vec<Spanned<String>>,
    /// What does not count there.
    pub ignore: Vec<Word>,
    /// What is worse or better there.
    pub severity: Vec<(Word, Severity)>,
}

/// All that one file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub document: Arc<Document>,
    /// The header of its table there; nothing when it is the whole file.
    pub span: Range<usize>,
    /// Only these rules; all when absent.
    pub select: Option<Vec<Word>>,
    /// Not these rules.
    pub ignore: Vec<Word>,
    /// Severities of rules.
    pub severity: Vec<(Word, Severity)>,
    /// From which severity on a run fails.
    pub fail_on: Option<FailOn>,
    /// File with known findings, absolute.
    pub baseline: Option<PathBuf>,
    /// Macros whose arguments are expressions.
    pub transparent_macros: Vec<String>,
    /// Rules and facts.
    pub knowledge: Vec<Knowledge>,
    /// What is different in some files; what comes later counts more.
    pub overrides: Vec<InPaths>,
}

impl Settings {
    /// None, in this table of a file.
    pub(super) fn none(document: Arc<Document>, span: Range<usize>) -> Self {
        Self {
            document,
            span,
            select: None,
            ignore: Vec::new(),
            severity: Vec::new(),
            fail_on: None,
            baseline: None,
            transparent_macros: Vec::new(),
            knowledge: Vec::new(),
            overrides: Vec::new(),
        }
    }
}
