//! The root of the repository around what is analysed.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::lint::workspace::absolute;
use crate::report::lint::Base;

/// Where the run is and the root of the repository around the first of `paths`; without a repository
/// the working directory is the root.
pub(super) fn base(paths: &[PathBuf]) -> Base {
    let cwd = std::env::current_dir().unwrap_or_default();
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let root = repository(&cwd, first).unwrap_or_else(|| cwd.clone());
    let text = |path: &Path| path.to_string_lossy().replace(MAIN_SEPARATOR, "/");
    Base::new(text(&cwd), text(&root))
}

/// The nearest folder at or above `path`, seen from `cwd`, that git keeps; a worktree has a file
/// `.git`.
pub(super) fn repository(cwd: &Path, path: &Path) -> Option<PathBuf> {
    let path = absolute(cwd, path);
    path.ancestors().find(|up| up.join(".git").exists()).map(Path::to_owned)
}
