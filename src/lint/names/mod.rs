//! What names mean: the module tree of a package, its definitions, and paths resolved through
//! `use`, globs, renames and re-exports.

mod arms;
mod define;
mod exports;
mod offers;
mod renamed;
mod resolve;
mod stand_in;
#[cfg(test)]
mod tests;
mod tree;

use rustc_hash::FxHashMap;

use super::ir::{Body, BodyId, File, Import, Name, Path, Span, TypeRef};
use crate::catalog::model::AttributeMeaning;

pub(crate) use exports::Export;
pub(crate) use resolve::Resolution;
pub(crate) use tree::{Root, Surroundings, build};

/// A source file of the package, lowered.
#[derive(Debug)]
pub(crate) struct Source {
    /// Absolute path.
    pub(crate) path: std::path::PathBuf,
    pub(crate) shown: std::sync::Arc<str>,
    pub(crate) reported: bool,
    pub(crate) text: std::sync::Arc<str>,
    /// Bytes of the file before the text: those of a byte order mark.
    pub(crate) mark: u32,
    pub(crate) file: File,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u32);
    )*};
}

ids! {
    /// A source file.
    FileId;
    /// A module.
    ModId;
    /// A function or method.
    FnId;
    /// A struct, enum, trait or type alias.
    TypeId;
    /// A constant or static.
    StaticId;
}

/// What a name stands for in the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Def {
    Mod(ModId),
    Fn(FnId),
    Type(TypeId),
    Variant(TypeId, u32),
    Static(StaticId),
    Macro(FnId),
}

/// Which kind of name is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Type,
    Value,
    Macro,
}

/// Where the target stands that a module belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Lib,
    Bin,
    /// Tests, benches, examples, build scripts.
    Aside,
    /// A file outside of any module tree.
    Orphan,
}

#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: Name,
    pub(crate) parent: Option<ModId>,
    pub(crate) root: ModId,
    pub(crate) file: FileId,
    pub(crate) side: Side,
    pub(crate) test: bool,
    /// Items of a function's body: names that are not among them mean what they mean around it.
    pub(crate) in_body: bool,
    /// Declared with `pub`.
    public: bool,
    names: FxHashMap<(Space, Name), Vec<Def>>,
    imports: FxHashMap<Name, Vec<Import>>,
    globs: Vec<Import>,
    /// `extern crate x as y`
    externs: FxHashMap<Name, Name>,
}

/// A function or method of the package.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Name,
    pub(crate) module: ModId,
    /// Where names in its body are looked for first: a module of its own if it has items.
    pub(crate) inside: ModId,
    pub(crate) file: FileId,
    pub(crate) body: Option<BodyId>,
    /// Where it is declared among the items of its file.
    pub(crate) sig: Signature,
    /// The type whose impl it is in.
    pub(crate) of: Option<TypeRef>,
    pub(crate) of_type: Option<TypeId>,
    /// The trait that the impl is of, or that declares it.
    pub(crate) of_trait: Option<Path>,
    pub(crate) impl_generics: Vec<(Name, Vec<Path>)>,
    pub(crate) public: bool,
    /// The function in whose body it is declared.
    pub(crate) within: Option<FnId>,
    pub(crate) test: bool,
    pub(crate) meanings: Vec<AttributeMeaning>,
    pub(crate) attributes: Vec<Path>,
    /// The package says that perhaps nobody calls it.
    pub(crate) may_be_dead: bool,
    /// Names in the bodies of a macro.
    pub(crate) macro_idents: Vec<Name>,
}

/// What callers see; moved out of the items.
pub(crate) type Signature = super::ir::FnSig;

/// A type of the package.
#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) name: Name,
    /// Its name, where it is declared.
    pub(crate) span: Span,
    pub(crate) module: ModId,
    pub(crate) file: FileId,
    pub(crate) shape: Shape,
    pub(crate) generics: Vec<(Name, Vec<Path>)>,
    pub(crate) methods: FxHashMap<Name, Vec<FnId>>,
    /// Traits implemented for it, by last name, with the methods of each.
    pub(crate) traits: Vec<(Name, Vec<FnId>)>,
    /// Of the traits that it implements; of a trait, those that it asks for.
    pub(crate) associated: Vec<Associated>,
    pub(crate) public: bool,
}

impl TypeDef {
    /// Whether a trait of this name is implemented for it in the package.
    pub(crate) fn implements(&self, name: &str) -> bool {
        self.traits.iter().any(|(of, _)| of.as_str() == name)
    }
}

/// `impl Deref for Of { type Target = …; }`, `trait Deref { type Target: …; }`
#[derive(Debug, Clone)]
pub(crate) struct Associated {
    pub(crate) name: Name,
    /// What method calls reach through to.
    pub(crate) of_deref: bool,
    pub(crate) module: ModId,
    /// What the impl is for; none in a trait, where its bounds are all that is known.
    pub(crate) of: Option<TypeRef>,
    pub(crate) target: TypeRef,
    pub(crate) generics: Vec<(Name, Vec<Path>)>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Struct(Vec<(Name, TypeRef, Span)>),
    Enum(Vec<super::ir::Variant>),
    Trait,
    Alias(TypeRef),
}

#[derive(Debug)]
pub(crate) struct StaticDef {
    pub(crate) name: Name,
    pub(crate) public: bool,
    pub(crate) span: Span,
    pub(crate) module: ModId,
    pub(crate) file: FileId,
    pub(crate) ty: TypeRef,
    pub(crate) body: Option<BodyId>,
    pub(crate) int: Option<i128>,
    pub(crate) text: Option<Name>,
    pub(crate) constant: bool,
}

/// Everything a package declares.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) sources: Vec<Source>,
    pub(crate) modules: Vec<Module>,
    pub(crate) fns: Vec<Function>,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) statics: Vec<StaticDef>,
    /// Joined to their types by and by.
    associated: Vec<Associated>,
    /// Functions by name: where an unknown receiver's method could be.
    pub(crate) by_name: FxHashMap<Name, Vec<FnId>>,
    /// Extern crates by the name that code uses: the lib name of the package.
    pub(crate) externs: FxHashMap<Name, Name>,
    /// The package's own name, as its other targets write it, with the root of the lib.
    pub(crate) own: Option<(Name, ModId)>,
    pub(crate) edition_2015: bool,
    /// Function whose body a body is, or lies in.
    pub(crate) body_fns: Vec<FxHashMap<BodyId, FnId>>,
    /// Whether there is a fact about a foreign path.
    known: Known,
    search: std::cell::RefCell<resolve::Search>,
}

/// See [`Names::known`].
struct Known(Box<dyn Fn(&str) -> bool>);

impl Default for Known {
    fn default() -> Self {
        Self(Box::new(|_| false))
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

impl Names {
    /// Tells which foreign paths there are facts about: names from globs are guessed by it.
    pub(crate) fn set_known(&mut self, known: Box<dyn Fn(&str) -> bool>) {
        self.known = Known(known);
        self.search = std::cell::RefCell::default();
    }

    pub(crate) fn source(&self, id: FileId) -> &Source {
        &self.sources[id.0 as usize]
    }

    pub(crate) fn module(&self, id: ModId) -> &Module {
        &self.modules[id.0 as usize]
    }

    /// The body of this number in a file.
    pub(crate) fn body(&self, file: FileId, body: BodyId) -> Option<&Body> {
        self.source(file).file.bodies.get(body.0 as usize)
    }

    /// The body of a function, where it has one.
    pub(crate) fn body_of(&self, function: &Function) -> Option<&Body> {
        self.body(function.file, function.body?)
    }

    pub(crate) fn function(&self, id: FnId) -> &Function {
        &self.fns[id.0 as usize]
    }

    pub(crate) fn type_def(&self, id: TypeId) -> &TypeDef {
        &self.types[id.0 as usize]
    }

    pub(crate) fn fn_ids(&self) -> impl Iterator<Item = FnId> + use<> {
        (0..u32::try_from(self.fns.len()).unwrap_or(u32::MAX)).map(FnId)
    }

    /// Whether the package has a trait of this name.
    pub(crate) fn declares_trait(&self, name: Name) -> bool {
        self.types.iter().any(|def| def.name == name && matches!(def.shape, Shape::Trait))
    }

    /// Whether no module of any target is in this file.
    pub(crate) fn is_outside(&self, file: FileId) -> bool {
        self.modules.iter().any(|module| module.file == file && module.side == Side::Orphan)
    }

    fn add_module(
        &mut self,
        name: Name,
        parent: Option<ModId>,
        file: FileId,
        side: Side,
        test: bool,
    ) -> ModId {
        let id = ModId(u32::try_from(self.modules.len()).unwrap_or(u32::MAX));
        let root = parent.map_or(id, |parent| self.module(parent).root);
        self.modules.push(Module {
            name,
            parent,
            root,
            file,
            side,
            test,
            in_body: false,
            public: false,
            names: FxHashMap::default(),
            imports: FxHashMap::default(),
            globs: Vec::new(),
            externs: FxHashMap::default(),
        });
        id
    }

    /// The module itself, and around the items of a body those that a name is looked for in after.
    fn outwards(&self, module: ModId) -> impl Iterator<Item = ModId> {
        std::iter::successors(Some(module), |&at| {
            let at = self.module(at);
            at.parent.filter(|_| at.in_body)
        })
    }

    /// The module of the source that items of a body are in.
    fn named(&self, module: ModId) -> ModId {
        self.outwards(module).last().unwrap_or(module)
    }

    /// `module::Type::function`, as shown.
    pub(crate) fn qualified(&self, id: FnId) -> String {
        let function = self.function(id);
        let mut parts = self.modules_to(function.module);
        parts.extend(function.of_type.map(|of| self.type_def(of).name.as_str()));
        parts.push(function.name.as_str());
        parts.join("::")
    }

    /// `a::b`, empty for the root of a target.
    pub(crate) fn module_path(&self, id: ModId) -> String {
        self.modules_to(id).join("::")
    }

    /// Names of the modules from below the root to this one.
    fn modules_to(&self, id: ModId) -> Vec<&'static str> {
        let mut parts = Vec::new();
        let mut at = self.module(id);
        while let Some(parent) = at.parent {
            parts.extend((!at.in_body).then_some(at.name.as_str()));
            at = self.module(parent);
        }
        parts.reverse();
        parts
    }
}
