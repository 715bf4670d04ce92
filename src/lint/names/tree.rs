//! Builds the module tree of a package: from the roots of its targets along `mod` items.

use std::path::{Path as FilePath, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lint::ir::{Item, ItemKind, Name};

use super::{Def, FileId, ModId, Names, Side, Source, Space};

/// The root file of a target.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) side: Side,
    pub(crate) name: String,
}

/// What there is to know about the package around the files.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) roots: Vec<Root>,
    /// Extern crate names as written, to lib names of packages.
    pub(crate) externs: Vec<(String, String)>,
    /// The lib name of the package itself.
    pub(crate) own: Option<String>,
    pub(crate) edition_2015: bool,
}

struct Builder {
    names: Names,
    by_path: FxHashMap<PathBuf, FileId>,
    claimed: Vec<bool>,
    /// Macros met so far that have `mod` in their bodies: what they are given may be modules.
    declaring: FxHashSet<Name>,
}

/// Builds the tree and registers what it declares. Files in no tree become roots of their own.
pub(crate) fn build(sources: Vec<Source>, around: &Surroundings) -> Names {
    let by_path = sources
        .iter()
        .zip(0..)
        .map(|(source, number)| (source.path.clone(), FileId(number)))
        .collect();
    let claimed = vec![false; sources.len()];
    let body_fns = sources.iter().map(|_| FxHashMap::default()).collect();
    let externs = around.externs.iter().map(|(name, lib)| (Name::new(name), Name::new(lib)));
    let names = Names {
        externs: externs.collect(),
        edition_2015: around.edition_2015,
        body_fns,
        sources,
        ..Names::default()
    };
    let mut builder = Builder { names, by_path, claimed, declaring: FxHashSet::default() };
    for root in &around.roots {
        let Some(&file) = builder.by_path.get(&root.path) else { continue };
        if builder.claimed[file.0 as usize] {
            continue;
        }
        let folder = root.path.parent().unwrap_or(FilePath::new("")).to_path_buf();
        let id = builder.root(file, root.side, &root.name, folder);
        if root.side == Side::Lib
            && let Some(own) = &around.own
        {
            builder.names.own = Some((Name::new(own), id));
        }
    }
    for number in 0..builder.claimed.len() {
        if !builder.claimed[number] {
            let file = FileId(u32::try_from(number).unwrap_or(u32::MAX));
            let path = builder.names.sources[number].path.clone();
            let folder = path.parent().unwrap_or(FilePath::new("")).to_path_buf();
            builder.root(file, Side::Orphan, "orphan", folder);
        }
    }
    let mut names = builder.names;
    super::define::link_impls(&mut names);
    super::renamed::mention(&mut names);
    names
}

impl Builder {
    fn root(&mut self, file: FileId, side: Side, name: &str, folder: PathBuf) -> ModId {
        let test = side == Side::Aside;
        let id = self.names.add_module(Name::new(name), None, file, side, test);
        self.fill_file(id, file, &folder);
        id
    }

    /// `folder`: where files of child modules are looked for.
    fn fill_file(&mut self, id: ModId, file: FileId, folder: &FilePath) {
        self.claimed[file.0 as usize] = true;
        let source = &mut self.names.sources[file.0 as usize];
        let attrs = source.file.attrs.clone();
        let items = std::mem::take(&mut source.file.items);
        let module = &mut self.names.modules[id.0 as usize];
        module.test |= attrs.test_only;
        self.fill(id, items, folder);
    }

    fn fill(&mut self, id: ModId, items: Vec<Item>, folder: &FilePath) {
        for item in items {
            let file = self.names.module(id).file;
            match item.kind {
                ItemKind::Mod(module) => {
                    let child = |tree: &mut Self| {
                        tree.child(id, item.name, item.public, item.attrs.test_only)
                    };
                    match module.items {
                        Some(items) => {
                            let child = child(self);
                            let within = module.files.into_iter().next().flatten();
                            let within = within.unwrap_or_else(|| item.name.to_string());
                            self.fill(child, items, &folder.join(within));
                        }
                        None => {
                            let places = module.files.iter();
                            let found: Vec<_> = places
                                .filter_map(|given| {
                                    self.place(item.name, given.as_deref(), folder, file)
                                })
                                .collect();
                            if found.is_empty() {
                                child(self);
                            }
                            for (at, folder) in found {
                                let child = child(self);
                                self.file_module(child, at, &folder);
                            }
                        }
                    }
                }
                ItemKind::Expanded(call) if self.declaring.contains(&item.name) => {
                    for name in call.idents {
                        let found = self.place(name, None, folder, file);
                        let found = found.filter(|(at, _)| !self.claimed[at.0 as usize]);
                        if let Some((at, folder)) = found {
                            let child = self.child(id, name, true, item.attrs.test_only);
                            self.file_module(child, at, &folder);
                        }
                    }
                }
                _ => {
                    if let ItemKind::Macro(def) = &item.kind
                        && def.idents.iter().any(|word| word.as_str() == "mod")
                    {
                        self.declaring.insert(item.name);
                    }
                    super::define::item(&mut self.names, id, item);
                }
            }
        }
    }

    fn child(&mut self, within: ModId, name: Name, public: bool, test_only: bool) -> ModId {
        let around = self.names.module(within);
        let (file, side, test) = (around.file, around.side, around.test || test_only);
        let child = self.names.add_module(name, Some(within), file, side, test);
        self.names.modules[child.0 as usize].public = public;
        self.declare(within, Space::Type, name, Def::Mod(child));
        child
    }

    fn declare(&mut self, id: ModId, space: Space, name: Name, def: Def) {
        self.names.modules[id.0 as usize].names.entry((space, name)).or_default().push(def);
    }

    /// The file of `mod name;` and the folder of the modules in it.
    fn place(
        &self,
        name: Name,
        given: Option<&str>,
        folder: &FilePath,
        from: FileId,
    ) -> Option<(FileId, PathBuf)> {
        let name = name.as_str();
        match given {
            Some(given) => {
                let beside = self.names.source(from).path.parent().map(|parent| parent.join(given));
                let candidates = [beside, Some(folder.join(given))];
                candidates.into_iter().flatten().find_map(|path| {
                    let path = plain(&path);
                    let file = *self.by_path.get(&path)?;
                    let folder = path.parent()?.to_path_buf();
                    Some((file, folder))
                })
            }
            None => {
                let flat = folder.join(format!("{name}.rs"));
                let nested = folder.join(name).join("mod.rs");
                [flat, nested]
                    .into_iter()
                    .find_map(|path| Some((*self.by_path.get(&path)?, folder.join(name))))
            }
        }
    }

    /// Fills a module from its file, unless another has that already (cyclic `#[path]`).
    fn file_module(&mut self, child: ModId, file: FileId, folder: &FilePath) {
        if self.claimed[file.0 as usize] {
            return;
        }
        self.names.modules[child.0 as usize].file = file;
        self.fill_file(child, file, folder);
    }
}

/// The path without `.` and `..`, by its text alone.
fn plain(path: &FilePath) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
