//! Copies of published crates, to be changed and compiled.

use std::path::Path;

/// Sources without cargo's mark that they were unpacked, which would keep them from being mended.
pub(crate) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != ".cargo-ok" {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Takes away what an earlier run left there.
pub(crate) fn fresh(folder: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(folder).or_else(not_there)
}

/// What is not there need not be removed.
pub(crate) fn not_there(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
