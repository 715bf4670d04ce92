//! Reading a TOML file; what is wrong with it becomes an issue with its line.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::paths;
use crate::lint::Issue;

/// The values of the file at `path` and its text, or an issue that says what is wrong and, in the
/// words of `instead`, what is done without it.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    cwd: &Path,
    instead: &str,
) -> Result<T, Broken> {
    let issue = |line, what: &str| Issue {
        path: paths::shown(path, cwd),
        line,
        message: format!("{what}; {instead}"),
    };
    let bytes = fs::read(path).map_err(|error| Broken {
        issue: issue(0, &format!("cannot be read: {error}")),
        text: String::new(),
    })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_at(&text, span.start));
        Broken { issue: issue(line, error.message()), text }
    })
}

/// A file that is not what it should be.
pub(super) struct Broken {
    pub(super) issue: Issue,
    /// What could be read of it.
    pub(super) text: String,
}

fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().iter().take(offset);
    u32::try_from(before.filter(|byte| **byte == b'\n').count() + 1).unwrap_or(u32::MAX)
}
