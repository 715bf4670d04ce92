//! Functions of the package itself that somebody wrote facts about: what a call of one means is what
//! the facts say, not what its body does.

use rustc_hash::FxHashMap;

use crate::catalog::{ApiId, Catalog};
use crate::lint::facts::Facts;
use crate::lint::ir::Name;
use crate::lint::names::{Def, FnId, Names, Resolution, Space};

use super::Target;

/// See the module. What the binary carries is about the crates as others see them, and is not meant
/// for their own source.
#[derive(Default)]
pub(crate) struct Written {
    facts: FxHashMap<FnId, (Box<[ApiId]>, Name)>,
    functions: FxHashMap<Name, FnId>,
    /// The name of the package in paths.
    lib: Option<Name>,
}

impl Written {
    pub(crate) fn of(names: &Names, facts: &Facts<'_>) -> Self {
        let mut written = Self::default();
        let Some((lib, root)) = names.own else { return written };
        if facts.catalog.identity().is_none() {
            return written;
        }
        written.lib = Some(lib);
        let carried = Catalog::embedded();
        for api in facts.catalog.apis() {
            let mut segments = api.path.split("::");
            if segments.next() != Some(lib.as_str()) || !carried.apis_at(&api.path).is_empty() {
                continue;
            }
            let segments: Vec<Name> = segments.map(Name::new).collect();
            let path = Name::new(&api.path);
            let about = match names.resolve(root, &segments, false, Space::Value) {
                Resolution::Own(Def::Fn(id), rest) if rest.is_empty() => vec![id],
                Resolution::Own(Def::Type(id), rest) => match rest.as_slice() {
                    [name] => names.type_def(id).methods.get(name).cloned().unwrap_or_default(),
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
            for id in about {
                written.facts.insert(id, (facts.apis(path), path));
                written.functions.insert(path, id);
            }
        }
        written
    }

    /// Whether facts of this package are facts about the functions here.
    pub(crate) fn is_about(&self, package: &str) -> bool {
        let lib = self.lib.filter(|_| !self.facts.is_empty());
        lib.is_some_and(|lib| package.replace('-', "_") == lib.as_str())
    }

    /// What a call of a function of the package leads to.
    pub(super) fn target(&self, id: FnId) -> Target {
        match self.facts.get(&id) {
            Some((apis, path)) if !apis.is_empty() => Target::Api(apis.clone(), *path),
            _ => Target::Own(id),
        }
    }

    /// The function of the package that facts under this path are about.
    pub(super) fn function(&self, path: Name) -> Option<FnId> {
        self.functions.get(&path).copied()
    }
}
