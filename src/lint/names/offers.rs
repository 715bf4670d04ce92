//! What users of a library can name, and by which names a type goes in the package.

use super::{FnId, ModId, Names, Shape, Side, TypeId};
use crate::lint::ir::{Name, TypeRef};

impl Names {
    /// Whether users of the library can call this function: it and its type are public, and public
    /// modules or a public `use` lead to them.
    pub(crate) fn is_offered(&self, id: FnId) -> bool {
        let function = self.function(id);
        if !function.public || !self.is_of_library(id) {
            return false;
        }
        let (name, module) = match function.of_type.map(|of| self.type_def(of)) {
            Some(of) if !of.public => return false,
            Some(of) => (of.name, of.module),
            None => (function.name, function.module),
        };
        self.is_reachable(name, module)
    }

    /// Whether the function is in the library, and not only in a program.
    pub(crate) fn is_of_library(&self, id: FnId) -> bool {
        self.module(self.function(id).module).side == Side::Lib
    }

    /// Whether the package has a program of its own.
    pub(crate) fn has_program(&self) -> bool {
        self.modules.iter().any(|module| module.side == Side::Bin)
    }

    /// Whether users of the library can name a trait of this name.
    pub(crate) fn offers_trait(&self, name: Name) -> bool {
        self.types.iter().any(|def| {
            def.name == name
                && matches!(def.shape, Shape::Trait)
                && def.public
                && self.module(def.module).side == Side::Lib
                && self.is_reachable(name, def.module)
        })
    }

    /// Whether public modules, or a public `use`, lead to a public item.
    fn is_reachable(&self, name: Name, module: ModId) -> bool {
        if self.module(module).in_body {
            return false;
        }
        let ways = std::iter::successors(Some(module), |&at| self.module(at).parent);
        ways.clone().all(|at| self.module(at).parent.is_none() || self.module(at).public)
            || self.is_reexported(name, &ways.collect::<Vec<_>>())
    }

    /// Its own name, and what `use … as` and `type … =` call it anywhere in the package.
    pub(crate) fn names_of(&self, id: TypeId) -> Vec<Name> {
        let own = self.type_def(id).name;
        let renamed = self
            .modules
            .iter()
            .flat_map(|module| &module.imports)
            .filter(|(_, all)| all.iter().any(|import| import.path.last() == Some(&own)));
        let aliases = self.types.iter().filter(|def| match &def.shape {
            Shape::Alias(TypeRef::Path(path)) => path.last().is_some_and(|last| last.name == own),
            _ => false,
        });
        let others = renamed.map(|(&name, _)| name).chain(aliases.map(|def| def.name));
        std::iter::once(own).chain(others).collect()
    }

    /// A public `use` of the item, or of all that is in one of the modules around it.
    fn is_reexported(&self, item: Name, around: &[ModId]) -> bool {
        let named =
            |name: Name| name == item || around.iter().any(|&at| self.module(at).name == name);
        self.modules.iter().any(|module| {
            let imports = module.imports.values().flatten().chain(&module.globs);
            imports
                .into_iter()
                .any(|import| import.public && import.path.last().is_some_and(|&last| named(last)))
        })
    }
}
