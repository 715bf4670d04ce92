//! Paths without `.` and `..`, and paths as people read them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use anyhow::Context as _;

/// The folder that relative paths are meant from.
///
/// # Errors
/// It is gone, or may not be looked at.
pub fn working_directory() -> anyhow::Result<PathBuf> {
    env::current_dir().context("the working directory cannot be found")
}

/// `path` seen from the absolute folder `base`, without `.` and `..`. Symbolic links stay as they
/// are named, except before `..`, where the system would follow them too.
#[must_use]
pub fn absolute(base: &Path, path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if result.is_symlink()
                    && let Ok(real) = fs::canonicalize(&result)
                {
                    result = real;
                }
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// `path` relative to `cwd` with `/` between its parts, or the whole path when it lies elsewhere.
#[must_use]
pub fn shown(path: &Path, cwd: &Path) -> Arc<str> {
    let Ok(rest) = path.strip_prefix(cwd) else {
        return path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/").into();
    };
    let parts: Vec<_> = rest.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    if parts.is_empty() { ".".into() } else { parts.join("/").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved() {
        let base = Path::new("/a/b");
        assert_eq!(absolute(base, Path::new(".")), base);
        assert_eq!(absolute(base, Path::new("./c/../d.rs")), Path::new("/a/b/d.rs"));
        assert_eq!(absolute(base, Path::new("../../../..")), Path::new("/"));
        assert_eq!(absolute(base, Path::new("/x/y/")), Path::new("/x/y"));
    }

    #[test]
    fn what_lies_elsewhere_is_shown_whole() {
        let cwd = Path::new("/a/b");
        assert_eq!(&*shown(Path::new("/a/b/c/d.rs"), cwd), "c/d.rs");
        assert_eq!(&*shown(Path::new("/a/bc/d.rs"), cwd), "/a/bc/d.rs");
        assert_eq!(&*shown(cwd, cwd), ".");
    }
}
