//! What is wrong with a file of the catalogue, and where.

use std::fmt;
use std::ops::Range;

use super::text::line_at;

/// One thing that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file, as it was given.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// Key that is wrong; empty when the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// Something that is wrong at `span` of the file `name` with this `text`.
    pub(super) fn at(
        name: &str,
        text: &str,
        span: Range<usize>,
        key: &str,
        message: String,
    ) -> Self {
        let line = line_at(text, span.start);
        Self { file: name.to_owned(), line, span, key: key.to_owned(), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Files that are no catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    /// Everything that is wrong, in the order of the files. Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogError {}
