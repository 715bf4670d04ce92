//! The workspace of a package, and what the package takes from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{Inheritable, Manifest, WorkspaceTable};
use super::manifests::{Manifests, Slot};
use super::paths;

/// The root of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) dir: PathBuf,
    slot: Arc<Slot>,
}

impl Root {
    /// The workspace that the package in `dir` is part of: the one it names, its own, or the
    /// nearest above. Whether that one lists it as a member is Cargo's business.
    pub(super) fn of(dir: &Path, manifest: &Manifest, manifests: &Manifests) -> Option<Self> {
        let named = manifest.package.as_ref().and_then(|package| package.workspace.as_deref());
        let at = |dir: PathBuf| {
            let slot = manifests.get(&dir);
            slot.manifest()?.workspace.as_ref()?;
            Some(Self { dir, slot })
        };
        match named {
            Some(path) => at(paths::absolute(dir, path)),
            None => dir.ancestors().find_map(|dir| at(dir.to_owned())),
        }
    }

    /// What its manifest hands down.
    pub(super) fn table(&self) -> Option<&WorkspaceTable> {
        self.slot.manifest()?.workspace.as_ref()
    }
}

/// The value of a key of `[package]` that the workspace may set; `inherited` is what it sets.
///
/// # Errors
/// The key refers to a workspace that is not there or does not set it.
pub(super) fn value<'v>(
    key: &str,
    own: Option<&'v Inheritable>,
    inherited: Option<&'v String>,
) -> Result<Option<&'v str>, String> {
    match own {
        None => Ok(None),
        Some(Inheritable::Here(text)) => Ok(Some(text)),
        Some(Inheritable::Workspace {}) => match inherited {
            Some(text) => Ok(Some(text)),
            None => Err(format!("no workspace above sets the `{key}` that is taken from it")),
        },
    }
}
