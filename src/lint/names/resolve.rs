//! Resolves paths: through scopes, `use`, globs, renames, re-exports and the prelude.

use rustc_hash::FxHashMap;

use crate::lint::ir::{Import, Name, Path};

use super::{Def, FnId, ModId, Names, Shape, Space};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Something of the package; with the segments that were left over (associated items).
    Own(Def, Vec<Name>),
    /// A path into another crate, by the lib name of its package.
    Foreign(Vec<Name>),
    /// Nothing that is known.
    Unknown,
}

/// A name looked for in a module.
type Key = (ModId, Space, Name);

/// What was found before, and what the search that is going on has met.
#[derive(Debug, Default)]
pub(super) struct Search {
    known: FxHashMap<Key, Resolution>,
    /// None while it is being looked for.
    met: FxHashMap<Key, Option<Resolution>>,
    depth: u32,
}

/// Longest chain of re-exports that is followed.
const HOPS: u32 = 24;

impl Names {
    /// A definition of the package that a path names as a whole.
    pub(crate) fn def(&self, module: ModId, path: &Path, space: Space) -> Option<Def> {
        let segments: Vec<Name> = path.segments.iter().map(|segment| segment.name).collect();
        match self.resolve(module, &segments, path.global, space) {
            Resolution::Own(def, rest) if rest.is_empty() => Some(def),
            _ => None,
        }
    }

    /// The `macro_rules!` of the package that a path names: a name alone is seen wherever it comes
    /// after the definition, near enough in the whole crate.
    pub(crate) fn macro_def(&self, module: ModId, path: &Path) -> Option<FnId> {
        let found = self.def(module, path, Space::Macro).or_else(|| {
            let root = self.module(self.module(module).root);
            root.names.get(&(Space::Macro, path.as_name()?))?.first().copied()
        });
        match found {
            Some(Def::Macro(id)) => Some(id),
            _ => None,
        }
    }

    /// Resolves a path as written in `module`.
    pub(crate) fn resolve(
        &self,
        module: ModId,
        segments: &[Name],
        global: bool,
        space: Space,
    ) -> Resolution {
        self.walk(module, segments, global, space, HOPS)
    }

    fn walk(
        &self,
        module: ModId,
        segments: &[Name],
        global: bool,
        space: Space,
        hops: u32,
    ) -> Resolution {
        let Some((&first, rest)) = segments.split_first() else {
            return Resolution::Own(Def::Mod(module), Vec::new());
        };
        if hops == 0 {
            return Resolution::Unknown;
        }
        if global && !self.edition_2015 {
            return self.foreign(module, segments);
        }
        let here = self.module(module);
        match first.as_str() {
            "crate" | "$crate" => return self.inside(here.root, rest, space, hops),
            "self" => return self.inside(self.named(module), rest, space, hops),
            "super" => {
                let named = self.named(module);
                let parent = self.module(named).parent.unwrap_or(named);
                // Each further `super` is seen from there.
                return self.walk(parent, &prefixed_self(rest), false, space, hops - 1);
            }
            _ => {}
        }
        let start = if global { here.root } else { module };
        for at in self.outwards(start) {
            if let Some(found) = self.first(at, first, rest, space, hops) {
                return found;
            }
            if self.hides(at, first, hops) {
                return Resolution::Unknown;
            }
        }
        self.foreign(module, segments)
    }

    /// Whether the items of a body import something unknown under a name: what the name is around
    /// them is not meant.
    fn hides(&self, body: ModId, name: Name, hops: u32) -> bool {
        let here = self.module(body);
        let nothing = |space| self.name(body, name, space, hops) == Resolution::Unknown;
        here.in_body
            && here.imports.contains_key(&name)
            && [Space::Type, Space::Value, Space::Macro].into_iter().all(nothing)
    }

    /// Looks the first name up in a module, and follows the rest from what it is; none when it is
    /// nothing there.
    fn first(
        &self,
        module: ModId,
        first: Name,
        rest: &[Name],
        space: Space,
        hops: u32,
    ) -> Option<Resolution> {
        let first_space = if rest.is_empty() { space } else { Space::Type };
        Some(match self.name(module, first, first_space, hops) {
            Resolution::Own(Def::Mod(found), none) if none.is_empty() => {
                self.inside(found, rest, space, hops)
            }
            Resolution::Own(def, mut left) => {
                left.extend_from_slice(rest);
                self.variant(def, left, hops)
            }
            Resolution::Foreign(mut path) => {
                path.extend_from_slice(rest);
                Resolution::Foreign(path)
            }
            Resolution::Unknown => return None,
        })
    }

    /// Follows the rest of a path from a module of the package.
    fn inside(&self, module: ModId, segments: &[Name], space: Space, hops: u32) -> Resolution {
        let Some((&first, rest)) = segments.split_first() else {
            return Resolution::Own(Def::Mod(module), Vec::new());
        };
        if hops == 0 {
            return Resolution::Unknown;
        }
        if first.as_str() == "self" {
            return self.inside(module, rest, space, hops - 1);
        }
        if first.as_str() == "super" {
            let parent = self.module(module).parent.unwrap_or(module);
            return self.inside(parent, rest, space, hops - 1);
        }
        self.first(module, first, rest, space, hops).unwrap_or(Resolution::Unknown)
    }

    /// `Enum::Variant`, and aliases of enums.
    fn variant(&self, def: Def, left: Vec<Name>, hops: u32) -> Resolution {
        let (Def::Type(id), [name, ..]) = (def, left.as_slice()) else {
            return Resolution::Own(def, left);
        };
        match &self.type_def(id).shape {
            Shape::Enum(variants) => {
                let found = variants.iter().zip(0..).find(|(variant, _)| variant.name == *name);
                match found {
                    Some((_, number)) => {
                        Resolution::Own(Def::Variant(id, number), left[1..].to_vec())
                    }
                    None => Resolution::Own(def, left),
                }
            }
            // `Alias::new`: the path of what it stands for, when that is foreign.
            Shape::Alias(crate::lint::ir::TypeRef::Path(path)) if hops > 0 => {
                let segments: Vec<Name> = path.segments.iter().map(|part| part.name).collect();
                let module = self.type_def(id).module;
                match self.walk(module, &segments, path.global, Space::Type, hops - 1) {
                    Resolution::Foreign(mut path) => {
                        path.extend_from_slice(&left);
                        Resolution::Foreign(path)
                    }
                    Resolution::Own(found, rest) if found != def && rest.is_empty() => {
                        self.variant(found, left, hops - 1)
                    }
                    _ => Resolution::Own(def, left),
                }
            }
            _ => Resolution::Own(def, left),
        }
    }

    /// One name in a module. Globs that lead back to where the search came from add nothing;
    /// within one search every name of every module is looked up once.
    fn name(&self, module: ModId, name: Name, space: Space, hops: u32) -> Resolution {
        if hops == 0 {
            return Resolution::Unknown;
        }
        let key = (module, space, name);
        {
            let mut search = self.search.borrow_mut();
            if let Some(known) = search.known.get(&key) {
                return known.clone();
            }
            if let Some(met) = search.met.get(&key) {
                return met.clone().unwrap_or(Resolution::Unknown);
            }
            search.met.insert(key, None);
            search.depth += 1;
        }
        let found = self.look_up(module, name, space, hops);
        let mut search = self.search.borrow_mut();
        search.depth -= 1;
        if search.depth == 0 {
            search.met.clear();
            search.known.insert(key, found.clone());
        } else {
            search.met.insert(key, Some(found.clone()));
        }
        found
    }

    /// One name in a module: declared, imported, or through a glob.
    fn look_up(&self, module: ModId, name: Name, space: Space, hops: u32) -> Resolution {
        let here = self.module(module);
        if let Some(defs) = here.names.get(&(space, name)) {
            // Several under different cfgs: the first that is code.
            if let Some(&def) = defs.first() {
                return Resolution::Own(def, Vec::new());
            }
        }
        if let Some(imports) = here.imports.get(&name) {
            for import in imports {
                let found = self.import(module, import, space, hops);
                if found != Resolution::Unknown {
                    return found;
                }
            }
        }
        if space == Space::Type
            && let Some(&of) = here.externs.get(&name)
        {
            return self.foreign(module, &[of]);
        }
        let mut guess = Resolution::Unknown;
        for glob in &here.globs {
            match self.import(module, glob, Space::Type, hops) {
                Resolution::Own(Def::Mod(found), rest) if rest.is_empty() && found != module => {
                    let found = self.name(found, name, space, hops - 1);
                    if found != Resolution::Unknown {
                        return found;
                    }
                }
                Resolution::Own(Def::Type(id), rest) if rest.is_empty() => {
                    if let Shape::Enum(variants) = &self.type_def(id).shape
                        && let Some((_, number)) =
                            variants.iter().zip(0..).find(|(variant, _)| variant.name == name)
                    {
                        return Resolution::Own(Def::Variant(id, number), Vec::new());
                    }
                }
                Resolution::Foreign(mut path) => {
                    path.push(name);
                    if guess == Resolution::Unknown && self.is_known(&path) {
                        guess = Resolution::Foreign(path);
                    }
                }
                _ => {}
            }
        }
        guess
    }

    /// Where a function must come from that nothing in the package is called like: the one crate of
    /// which the module or a body has a glob. Those of std have known functions, or types and traits
    /// alone.
    pub(crate) fn left_over(&self, module: ModId, name: Name) -> Option<Vec<Name>> {
        if self.by_name.contains_key(&name) || !name.as_str().starts_with(char::is_lowercase) {
            return None;
        }
        let mut found: Option<Vec<Name>> = None;
        let mut seen: Vec<ModId> = self.outwards(module).collect();
        let mut next = 0;
        while let Some(&at) = seen.get(next) {
            next += 1;
            for glob in &self.module(at).globs {
                match self.import(at, glob, Space::Type, HOPS) {
                    Resolution::Own(Def::Mod(inner), rest) if rest.is_empty() => {
                        if !seen.contains(&inner) {
                            seen.push(inner);
                        }
                    }
                    Resolution::Own(..) => {}
                    Resolution::Foreign(path) if path.first().is_some_and(|of| *of == "std") => {}
                    Resolution::Foreign(path) => match &found {
                        Some(found) if found.first() != path.first() => return None,
                        Some(_) => {}
                        None => found = Some(path),
                    },
                    Resolution::Unknown => return None,
                }
            }
        }
        let mut path = found?;
        path.push(name);
        Some(path)
    }

    fn import(&self, module: ModId, import: &Import, space: Space, hops: u32) -> Resolution {
        let start = if self.edition_2015 { self.module(module).root } else { module };
        // In 2015 `use` paths start at the root of the crate.
        match import.path.first().map(|first| first.as_str()) {
            Some("crate" | "self" | "super" | "$crate") => {
                self.walk(module, &import.path, import.global, space, hops - 1)
            }
            // `use name::…` where the module declares that very import: the crate is meant, or in a
            // body what the name is around it.
            Some(_) if import.path.first() == Some(&import.name) && !import.glob => {
                if let Some(around) = self.outwards(start).nth(1) {
                    return self.walk(around, &import.path, import.global, space, hops - 1);
                }
                if import.path.len() == 1 || !self.declares(start, import.path[0]) {
                    return self.foreign(module, &import.path);
                }
                self.walk(start, &import.path, import.global, space, hops - 1)
            }
            _ => self.walk(start, &import.path, import.global, space, hops - 1),
        }
    }

    fn declares(&self, module: ModId, name: Name) -> bool {
        self.module(module).names.contains_key(&(Space::Type, name))
    }

    /// A path that starts with an extern crate.
    fn foreign(&self, module: ModId, segments: &[Name]) -> Resolution {
        let Some((&first, rest)) = segments.split_first() else { return Resolution::Unknown };
        let text = first.as_str();
        if matches!(text, "std" | "core" | "alloc") {
            let mut path = vec![Name::new("std")];
            path.extend_from_slice(rest);
            return Resolution::Foreign(path);
        }
        if let Some((own, root)) = self.own
            && own == first
            && root != self.module(module).root
        {
            return match self.inside(root, rest, Space::Value, HOPS) {
                Resolution::Unknown => self.inside(root, rest, Space::Type, HOPS),
                found => found,
            };
        }
        let renamed = self.module(self.module(module).root).externs.get(&first).copied();
        if let Some(&lib) = self.externs.get(&renamed.unwrap_or(first)) {
            let mut path = vec![lib];
            path.extend_from_slice(rest);
            return Resolution::Foreign(path);
        }
        Resolution::Unknown
    }

    /// Whether a foreign path is one that a fact is about.
    fn is_known(&self, path: &[Name]) -> bool {
        let text: Vec<&str> = path.iter().map(|name| name.as_str()).collect();
        (self.known.0)(&text.join("::"))
    }
}

fn prefixed_self(rest: &[Name]) -> Vec<Name> {
    let mut path = vec![Name::new("self")];
    path.extend_from_slice(rest);
    path
}
