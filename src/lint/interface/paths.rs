//! What users of a library call its items and types.

use rustc_hash::FxHashMap;

use crate::lint::ir::{Name, TypeRef};
use crate::lint::names::{Def, Export, FnId, ModId, Names, Shape, StaticId, TypeId};
use crate::lint::types::{Ty, World};

use super::Told;

/// Types deeper than this are not told.
const DEPTH: u32 = 10;

/// Canonical paths: the first of the public ones, but one that facts know before all others; where
/// it is declared for what has none.
pub(super) struct Paths<'a> {
    world: &'a World<'a>,
    lib: String,
    of: FxHashMap<Def, String>,
}

impl<'a> Paths<'a> {
    /// Those of the library called `lib`; what is found under further paths is told as an alias.
    pub(super) fn of(world: &'a World<'a>, lib: &str, told: &mut Told) -> Self {
        let mut paths = Self { world, lib: lib.to_owned(), of: FxHashMap::default() };
        let known = |path: &str| world.facts.catalog.knows(path);
        for (segments, export) in world.names.exports() {
            let mut path = lib.to_owned();
            for segment in segments {
                path.push_str("::");
                path.push_str(segment);
            }
            match export {
                Export::Own(def) => {
                    let first = paths.of.entry(def).or_insert_with(|| path.clone());
                    if known(&path) && !known(first) {
                        std::mem::swap(first, &mut path);
                    }
                    if path != *first {
                        told.aliases.insert(path, first.clone());
                    }
                }
                Export::Foreign(of) => {
                    let is = world.facts.canonical(&of);
                    told.aliases.insert(path, is.as_str().to_owned());
                }
                Export::AllOf(of) => {
                    let of = world.facts.canonical(&of);
                    for name in world.facts.names_below(of.as_str()) {
                        let alias = told.aliases.entry(format!("{path}::{name}"));
                        alias.or_insert_with(|| format!("{of}::{name}"));
                    }
                }
            }
        }
        // An own item hides what a glob brings, and a longer path is no name of its own.
        let own: Vec<&String> = paths.of.values().collect();
        for path in own {
            told.aliases.remove(path);
        }
        paths
    }

    pub(super) fn of_type(&self, id: TypeId) -> String {
        let def = self.world.names.type_def(id);
        self.path(Def::Type(id), def.module, def.name)
    }

    pub(super) fn of_function(&self, id: FnId) -> String {
        let function = self.world.names.function(id);
        self.path(Def::Fn(id), function.module, function.name)
    }

    pub(super) fn of_static(&self, id: StaticId) -> String {
        let def = &self.world.names.statics[id.0 as usize];
        self.path(Def::Static(id), def.module, def.name)
    }

    fn path(&self, def: Def, module: ModId, name: Name) -> String {
        if let Some(known) = self.of.get(&def) {
            return known.clone();
        }
        // In a public module whose names were not all told, as private ones are not.
        if let Some(module) = self.of.get(&Def::Mod(module)) {
            return format!("{module}::{name}");
        }
        let names: &Names = self.world.names;
        match names.module_path(module).as_str() {
            "" => format!("{}::{name}", self.lib),
            module => format!("{}::{module}::{name}", self.lib),
        }
    }

    /// The type as a fact writes it; nothing when it says nothing.
    pub(super) fn text(&self, ty: &Ty) -> Option<String> {
        Some(self.part(ty, DEPTH)).filter(|text| text != "_")
    }

    fn part(&self, ty: &Ty, depth: u32) -> String {
        if depth == 0 {
            return "_".to_owned();
        }
        let one = |ty: &Ty| self.part(ty, depth - 1);
        let all = |args: &[Ty]| args.iter().map(one).collect::<Vec<_>>().join(", ");
        let with = |path: &str, args: &[Ty]| match args {
            [] => path.to_owned(),
            args => format!("{path}<{}>", all(args)),
        };
        match ty {
            Ty::Foreign(path, args) if is_plain(path.as_str()) => with(path.as_str(), args),
            Ty::Own(id, args) => match self.world.names.type_def(*id).shape {
                Shape::Trait => "_".to_owned(),
                _ => with(&self.of_type(*id), args),
            },
            Ty::Ref(to) => format!("&{}", one(to)),
            Ty::Future(to) => format!("Fut<{}>", one(to)),
            Ty::Tuple(parts) => format!("({})", all(parts)),
            Ty::Ptr(_) => "ptr".to_owned(),
            Ty::Int => "int".to_owned(),
            _ => "_".to_owned(),
        }
    }

    /// What an alias with type arguments stands for, its parameters put in as facts do.
    pub(super) fn alias(&self, id: TypeId) -> Option<String> {
        let def = self.world.names.type_def(id);
        let Shape::Alias(TypeRef::Path(_)) = &def.shape else { return None };
        self.text(&self.world.named(id, parameters("Arg", def.generics.len())))
    }

    /// A type with its parameters, as facts about it write them.
    pub(super) fn generic(&self, id: TypeId) -> Ty {
        Ty::Own(id, parameters("T", self.world.names.type_def(id).generics.len()))
    }
}

/// Facts write parameters with one digit.
const PARAMETERS: usize = 10;

/// `T0`, `T1`… or `Arg0`, `Arg1`…: types of which only the place is known.
pub(super) fn parameters(word: &str, count: usize) -> Vec<Ty> {
    let one = |number| Ty::Foreign(Name::new(&format!("{word}{number}")), Vec::new());
    (0..count.min(PARAMETERS)).map(one).collect()
}

/// Whether a fact can write this path.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}
