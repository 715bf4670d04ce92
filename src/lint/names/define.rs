//! Registers what modules declare: functions, types with their methods, constants, imports.

use rustc_hash::FxHashMap;

use crate::lint::ir::{
    BodyId, Fn, FnSig, Item, ItemKind, Name, Path, Receiver, Span, Stmt, TypeRef,
};

use super::{
    Associated, Def, FnId, Function, ModId, Names, Shape, Signature, Space, StaticDef, StaticId,
    TypeDef, TypeId,
};

/// The impl or trait that a method stands in.
#[derive(Debug, Clone, Default)]
struct Owner {
    of: Option<TypeRef>,
    of_trait: Option<Path>,
    generics: Vec<(Name, Vec<Path>)>,
}

/// Registers one item that is no module.
pub(super) fn item(names: &mut Names, module: ModId, item: Item) {
    let at = module.0 as usize;
    match item.kind {
        ItemKind::Mod(_) => {}
        ItemKind::Fn(_) => {
            let name = item.name;
            if let Some(id) = function(names, module, item, &Owner::default()) {
                names.modules[at].names.entry((Space::Value, name)).or_default().push(Def::Fn(id));
            }
        }
        ItemKind::Foreign(items) => {
            for item in items {
                self::item(names, module, item);
            }
        }
        ItemKind::Struct(lowered) => {
            let tuple = lowered.fields.first().is_some_and(|(name, ..)| name.as_str() == "0");
            let unit = lowered.fields.is_empty();
            let id = type_def(names, module, (item.name, item.span), item.public);
            names.types[id.0 as usize].shape = Shape::Struct(lowered.fields);
            names.types[id.0 as usize].generics = lowered.generics;
            if tuple || unit {
                let values = names.modules[at].names.entry((Space::Value, item.name));
                values.or_default().push(Def::Type(id));
            }
        }
        ItemKind::Enum(lowered) => {
            let id = type_def(names, module, (item.name, item.span), item.public);
            names.types[id.0 as usize].shape = Shape::Enum(lowered.variants);
        }
        ItemKind::Trait(lowered) => {
            let id = type_def(names, module, (item.name, item.span), item.public);
            names.types[id.0 as usize].shape = Shape::Trait;
            let path = Path::single(item.name);
            let owner = Owner { of: None, of_trait: Some(path), generics: Vec::new() };
            for member in lowered.items {
                let name = member.name;
                if let ItemKind::Alias { ty, .. } = member.kind {
                    names.types[id.0 as usize].associated.push(Associated {
                        name,
                        of_deref: false,
                        module,
                        of: None,
                        target: ty,
                        generics: Vec::new(),
                    });
                    continue;
                }
                if let Some(method) = function(names, module, member, &owner) {
                    names.fns[method.0 as usize].of_type = Some(id);
                    names.types[id.0 as usize].methods.entry(name).or_default().push(method);
                }
            }
        }
        ItemKind::Impl(lowered) => {
            let test = item.attrs.test_only;
            let of_trait = lowered.of.as_ref().and_then(Path::last);
            let dereferences = of_trait.is_some_and(|last| last.name.as_str() == "Deref");
            let owner = Owner {
                of: Some(lowered.target),
                of_trait: lowered.of,
                generics: lowered.generics,
            };
            for mut member in lowered.items {
                if let ItemKind::Alias { ty, .. } = member.kind {
                    names.associated.push(Associated {
                        name: member.name,
                        of_deref: dereferences && member.name.as_str() == "Target",
                        module,
                        of: owner.of.clone(),
                        target: ty,
                        generics: owner.generics.clone(),
                    });
                    continue;
                }
                member.attrs.test_only |= test;
                function(names, module, member, &owner);
            }
        }
        ItemKind::Alias { ty, generics } => {
            let id = type_def(names, module, (item.name, item.span), item.public);
            names.types[id.0 as usize].shape = Shape::Alias(ty);
            let generics = generics.into_iter().map(|name| (name, Vec::new()));
            names.types[id.0 as usize].generics = generics.collect();
        }
        ItemKind::Static(lowered) => {
            let id = StaticId(u32::try_from(names.statics.len()).unwrap_or(u32::MAX));
            let file = names.module(module).file;
            names.statics.push(StaticDef {
                span: item.span,
                name: item.name,
                public: item.public,
                module,
                file,
                ty: lowered.ty,
                body: lowered.body,
                int: lowered.int,
                text: lowered.text,
                constant: lowered.constant,
            });
            let values = names.modules[at].names.entry((Space::Value, item.name)).or_default();
            values.push(Def::Static(id));
        }
        ItemKind::Import(imports) => {
            let module = &mut names.modules[at];
            for import in imports {
                if import.glob {
                    module.globs.push(import);
                } else {
                    module.imports.entry(import.name).or_default().push(import);
                }
            }
        }
        ItemKind::ExternCrate(of) => {
            names.modules[at].externs.insert(item.name, of);
        }
        ItemKind::Macro(lowered) => {
            let signature = FnSig {
                receiver: Receiver::None,
                params: Vec::new(),
                returns: TypeRef::Unknown,
                is_async: false,
                foreign: false,
                generics: Vec::new(),
            };
            let id = FnId(u32::try_from(names.fns.len()).unwrap_or(u32::MAX));
            let mut function = blank(names, module, item.name, signature);
            function.macro_idents = lowered.idents;
            names.fns.push(function);
            // `macro_rules!` outside of bodies is seen from all over the crate, near enough.
            let of = names.module(module);
            let root = (!of.in_body).then_some(of.root.0 as usize);
            for at in std::iter::once(at).chain(root) {
                let macros = names.modules[at].names.entry((Space::Macro, item.name)).or_default();
                macros.push(Def::Macro(id));
            }
        }
    }
}

fn blank(names: &Names, module: ModId, name: Name, sig: Signature) -> Function {
    Function {
        name,
        module,
        inside: module,
        file: names.module(module).file,
        body: None,
        sig,
        of: None,
        of_type: None,
        of_trait: None,
        impl_generics: Vec::new(),
        public: false,
        within: None,
        test: names.module(module).test,
        meanings: Vec::new(),
        attributes: Vec::new(),
        may_be_dead: false,
        macro_idents: Vec::new(),
    }
}

fn type_def(names: &mut Names, module: ModId, item: (Name, Span), public: bool) -> TypeId {
    let (name, span) = item;
    let id = TypeId(u32::try_from(names.types.len()).unwrap_or(u32::MAX));
    names.types.push(TypeDef {
        name,
        span,
        module,
        file: names.module(module).file,
        shape: Shape::Struct(Vec::new()),
        generics: Vec::new(),
        methods: FxHashMap::default(),
        traits: Vec::new(),
        associated: Vec::new(),
        public,
    });
    let entry = names.modules[module.0 as usize].names.entry((Space::Type, name)).or_default();
    entry.push(Def::Type(id));
    id
}

/// Registers a function, and the items inside its body.
fn function(names: &mut Names, module: ModId, item: Item, owner: &Owner) -> Option<FnId> {
    let ItemKind::Fn(Fn { sig, body }) = item.kind else {
        return None;
    };
    let id = FnId(u32::try_from(names.fns.len()).unwrap_or(u32::MAX));
    let mut function = blank(names, module, item.name, sig);
    function.body = body;
    function.of.clone_from(&owner.of);
    function.of_trait.clone_from(&owner.of_trait);
    function.impl_generics.clone_from(&owner.generics);
    function.public = item.public;
    function.test |= item.attrs.test_only;
    function.attributes = item.attrs.paths;
    function.may_be_dead = item.attrs.may_be_dead;
    let (file, test) = (function.file, function.test);
    names.fns.push(function);
    names.by_name.entry(item.name).or_default().push(id);
    let Some(body) = body else { return Some(id) };
    let mut nested = Vec::new();
    claim_bodies(names, file.0 as usize, body, id, &mut nested);
    if !nested.is_empty() {
        let side = names.module(module).side;
        let inside = names.add_module(item.name, Some(module), file, side, test);
        names.modules[inside.0 as usize].in_body = true;
        names.fns[id.0 as usize].inside = inside;
        let first = names.fns.len();
        for nested in nested {
            self::item(names, inside, nested);
        }
        for function in &mut names.fns[first..] {
            function.within.get_or_insert(id);
        }
    }
    Some(id)
}

/// Notes whose body this is, for the bodies inside as well, and takes the items out of them: those
/// of all its blocks and closures share a scope, near enough.
fn claim_bodies(names: &mut Names, file: usize, body: BodyId, id: FnId, nested: &mut Vec<Item>) {
    let mut inner = Vec::new();
    let mut items = Vec::new();
    let lowered = &mut names.sources[file].file.bodies;
    if let Some(body) = lowered.get_mut(body.0 as usize) {
        for expr in &mut body.exprs {
            match &mut expr.kind {
                crate::lint::ir::ExprKind::Block { stmts, .. } => {
                    let mut kept = Vec::with_capacity(stmts.len());
                    for stmt in std::mem::take(stmts) {
                        match stmt {
                            Stmt::Item(item) => items.push(*item),
                            other => kept.push(other),
                        }
                    }
                    *stmts = kept.into();
                }
                crate::lint::ir::ExprKind::Async { body }
                | crate::lint::ir::ExprKind::Closure { body } => inner.push(*body),
                _ => {}
            }
        }
    }
    names.body_fns[file].insert(body, id);
    for body in inner {
        claim_bodies(names, file, body, id, nested);
    }
    nested.append(&mut items);
}

/// Joins methods and associated types to the types of the package that they are
/// implemented for.
pub(super) fn link_impls(names: &mut Names) {
    for number in 0..names.fns.len() {
        let function = &names.fns[number];
        let of = function.of.as_ref();
        let Some(id) = of.and_then(|of| implementor(names, function.module, of)) else { continue };
        let method = FnId(u32::try_from(number).unwrap_or(u32::MAX));
        let of_trait =
            function.of_trait.as_ref().and_then(|path| path.last().map(|last| last.name));
        let name = function.name;
        names.fns[number].of_type = Some(id);
        let def = &mut names.types[id.0 as usize];
        def.methods.entry(name).or_default().push(method);
        if let Some(of_trait) = of_trait {
            match def.traits.iter_mut().find(|(name, _)| *name == of_trait) {
                Some((_, methods)) => methods.push(method),
                None => def.traits.push((of_trait, vec![method])),
            }
        }
    }
    for associated in std::mem::take(&mut names.associated) {
        let of = associated.of.as_ref();
        if let Some(id) = of.and_then(|of| implementor(names, associated.module, of)) {
            names.types[id.0 as usize].associated.push(associated);
        }
    }
}

/// The type of the package that an impl is for; an alias is what it stands for.
fn implementor(names: &Names, module: ModId, of: &TypeRef) -> Option<TypeId> {
    let named = |module, of: &TypeRef| {
        let TypeRef::Path(path) = of else { return None };
        match names.def(module, path, Space::Type) {
            Some(Def::Type(id)) => Some(id),
            _ => None,
        }
    };
    let mut id = named(module, of)?;
    for _ in 0..8 {
        let def = names.type_def(id);
        let Shape::Alias(of) = &def.shape else { break };
        match named(def.module, of) {
            Some(next) => id = next,
            None => break,
        }
    }
    Some(id)
}
