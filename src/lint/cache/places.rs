//! What files are called in what is kept: by number those of the package, by their whole path those
//! of others.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::lint::interface::Interface;
use crate::lint::workspace::{self, SourceFile};

/// Names of files, as this run shows them and as they are kept.
pub(crate) struct Places {
    kept: FxHashMap<Arc<str>, Arc<str>>,
    shown: FxHashMap<Arc<str>, Arc<str>>,
}

impl Places {
    /// Of the files of a package and of those of others that findings in it may point into.
    pub(crate) fn of(files: &[&SourceFile], members: &[Arc<Interface>], cwd: &Path) -> Self {
        let own = (0..).zip(files).map(|(number, file): (u32, _)| {
            (Arc::clone(&file.shown), Arc::from(number.to_string()))
        });
        let others = members.iter().flat_map(|member| member.files());
        let others = others
            .filter_map(|path| Some((workspace::shown(path, cwd), Arc::from(path.to_str()?))));
        let pairs: Vec<(Arc<str>, Arc<str>)> = own.chain(others).collect();
        let turned = pairs.iter().map(|(shown, kept)| (Arc::clone(kept), Arc::clone(shown)));
        Self { shown: turned.collect(), kept: pairs.into_iter().collect() }
    }

    /// The name under which a file is kept.
    pub(super) fn kept(&self, shown: &str) -> Option<Arc<str>> {
        self.kept.get(shown).cloned()
    }

    /// How this run shows what is kept under this name.
    pub(super) fn shown(&self, kept: &str) -> Option<Arc<str>> {
        self.shown.get(kept).cloned()
    }
}
