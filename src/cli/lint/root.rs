//! The root of the repository around what is analysed.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::report::lint::Base;

/// Where the run is and the root of the repository around the first of `paths`; without a repository
/// the working directory is the root.
pub(super) fn base(paths: &[PathBuf]) -> Base {
    let cwd = std::env::current_dir().unwrap_or_default();
    let first = paths.first().and_then(|path| std::path::absolute(path).ok());
    let root = repository(first.as_deref().unwrap_or(&cwd)).unwrap_or(&cwd);
    let text = |path: &Path| path.to_string_lossy().replace(MAIN_SEPARATOR, "/");
    Base::new(text(&cwd), text(root))
}

/// The nearest folder at or above `path` that git keeps; a worktree has a file `.git`.
fn repository(path: &Path) -> Option<&Path> {
    path.ancestors().find(|up| up.join(".git").exists())
}
