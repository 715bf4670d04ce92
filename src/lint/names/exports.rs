//! Under which paths users of the library can name what it declares and what it passes on.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashSet;

use crate::lint::ir::Name;

use super::{Def, ModId, Names, Resolution, Space};

/// What a public path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Export {
    /// Something that the library declares.
    Own(Def),
    /// A path into another crate.
    Foreign(Vec<Name>),
    /// Everything right below a path into another crate.
    AllOf(Vec<Name>),
}

/// What a module offers: public names by space, those that its globs bring included, and the paths
/// into other crates of which a glob brings all.
type Offered = (BTreeMap<(&'static str, u8), Export>, Vec<Vec<Name>>);

/// Public paths looked at; a library with more is known in part.
const MOST: usize = 50_000;

impl Names {
    /// Every public path from below the root of the library: shorter ones first, then by name.
    /// Modules are entered once, by the first path that leads there.
    pub(crate) fn exports(&self) -> Vec<(Vec<&'static str>, Export)> {
        let Some((_, root)) = self.own else { return Vec::new() };
        let mut found = Vec::new();
        let mut entered = FxHashSet::from_iter([root]);
        let mut next = VecDeque::from([(Vec::new(), root)]);
        while let Some((above, module)) = next.pop_front() {
            if found.len() > MOST {
                break;
            }
            let (names, globs) = self.offered_by(module);
            for ((name, _), export) in names {
                let mut path: Vec<&'static str> = above.clone();
                path.push(name);
                if let Export::Own(Def::Mod(inner)) = export
                    && entered.insert(inner)
                {
                    next.push_back((path.clone(), inner));
                }
                found.push((path, export));
            }
            found.extend(globs.into_iter().map(|of| (above.clone(), Export::AllOf(of))));
        }
        found
    }

    fn offered_by(&self, module: ModId) -> Offered {
        let spaces = [(Space::Type, 0), (Space::Value, 1)];
        let (mut names, mut globs) = (BTreeMap::new(), Vec::new());
        let mut seen = FxHashSet::from_iter([module]);
        let mut modules = VecDeque::from([module]);
        while let Some(at) = modules.pop_front() {
            let here = self.module(at);
            if here.test {
                continue;
            }
            for &(space, number) in &spaces {
                let declared = here.names.iter().filter_map(|(&(of, name), defs)| {
                    let def = defs.first().filter(|&&def| of == space && self.is_public(def))?;
                    Some((name, Export::Own(*def)))
                });
                let imported = here.imports.iter().filter_map(|(&name, imports)| {
                    let inside = [Name::new("self"), name];
                    let public = imports.iter().any(|import| import.public);
                    let export = self.exported(at, &inside, false, space).filter(|_| public)?;
                    Some((name, export))
                });
                declared.chain(imported).for_each(|(name, export)| {
                    names.entry((name.as_str(), number)).or_insert(export);
                });
            }
            for glob in here.globs.iter().filter(|import| import.public) {
                match self.exported(at, &glob.path, glob.global, Space::Type) {
                    Some(Export::Own(Def::Mod(of))) if seen.insert(of) => modules.push_back(of),
                    Some(Export::Foreign(path)) => globs.push(path),
                    _ => {}
                }
            }
        }
        (names, globs)
    }

    fn exported(&self, module: ModId, path: &[Name], global: bool, space: Space) -> Option<Export> {
        match self.resolve(module, path, global, space) {
            Resolution::Own(def, rest) if rest.is_empty() => Some(Export::Own(def)),
            Resolution::Foreign(path) => Some(Export::Foreign(path)),
            _ => None,
        }
    }

    fn is_public(&self, def: Def) -> bool {
        match def {
            Def::Mod(id) => self.module(id).public,
            Def::Fn(id) => self.function(id).public,
            Def::Type(id) => self.type_def(id).public,
            Def::Static(id) => self.statics[id.0 as usize].public,
            Def::Variant(..) | Def::Macro(_) => false,
        }
    }
}
