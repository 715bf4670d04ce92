//! Lowers items: modules, functions, types, impls, imports.

use syn::{Fields, FnArg, ImplItem, Item as Syntax, ReceiverKind, TraitItem, UseTree, Visibility};

use crate::lint::ir::{
    Attrs, Enum, Fn, FnSig, Impl, Import, Item, ItemKind, Mod, Name, Param, PatKind, Path,
    Receiver, Segment, Span, Static, Struct, Trait, TypeRef, Variant,
};

use super::{Lowering, attrs, macros, name, path, span};

impl Lowering<'_> {
    pub(super) fn items(&mut self, items: &[Syntax]) -> Vec<Item> {
        let mut lowered = Vec::with_capacity(items.len());
        for item in items {
            self.item(item, &mut lowered);
        }
        lowered
    }

    pub(super) fn item(&mut self, item: &Syntax, into: &mut Vec<Item>) {
        let (attributes, visibility) = about(item);
        let attrs = self.attrs(attributes);
        if attrs.disabled {
            return;
        }
        let test = |path: &Path| {
            path.last().is_some_and(|last| matches!(last.name.as_str(), "test" | "bench"))
        };
        let testing = self.testing || attrs.test_only || attrs.paths.iter().any(test);
        // No rule is about tests. Of their modules it must be known which files they are.
        if testing && !matches!(item, Syntax::Mod(_)) {
            return;
        }
        let around = std::mem::replace(&mut self.testing, testing);
        self.production_item(item, attrs, visibility, into);
        self.testing = around;
    }

    fn production_item(
        &mut self,
        item: &Syntax,
        attrs: Attrs,
        visibility: Option<&Visibility>,
        into: &mut Vec<Item>,
    ) {
        // `pub(crate)` shows a name to the package alone.
        let public = matches!(visibility, Some(Visibility::Public(_)));
        let shared = visibility.is_some_and(|vis| !matches!(vis, Visibility::Inherited));
        let mut push = |ident: Option<&syn::Ident>, kind| {
            let (name, span) = ident.map_or((Name::new("_"), Span::default()), |ident| {
                (name(ident), span(ident.span()))
            });
            into.push(Item { name, kind, attrs: attrs.clone(), public, span });
        };
        match item {
            Syntax::Mod(item) => {
                let items = item.content.as_ref().map(|(_, items)| self.items(items));
                let files = attrs::files_of(&item.attrs);
                push(Some(&item.ident), ItemKind::Mod(Mod { items, files }));
            }
            Syntax::Fn(item) => {
                let function = self.function(&item.sig, Some(&item.block), false);
                push(Some(&item.sig.ident), ItemKind::Fn(function));
            }
            Syntax::Struct(item) => {
                let fields = self.fields(&item.fields);
                let generics = path::generics(&item.generics);
                push(Some(&item.ident), ItemKind::Struct(Struct { fields, generics }));
            }
            Syntax::Union(item) => {
                let generics = path::generics(&item.generics);
                push(Some(&item.ident), ItemKind::Struct(Struct { fields: Vec::new(), generics }));
            }
            Syntax::Enum(item) => {
                let lower = |variant: &syn::Variant| {
                    let fields = self.fields(&variant.fields).into_iter();
                    let fields = fields.map(|(name, ty, _)| (name, ty)).collect();
                    Variant { name: name(&variant.ident), fields }
                };
                let variants = item.variants.iter().map(lower).collect();
                push(Some(&item.ident), ItemKind::Enum(Enum { variants }));
            }
            Syntax::Trait(item) => {
                let items = self.trait_items(&item.items);
                push(Some(&item.ident), ItemKind::Trait(Trait { items }));
            }
            Syntax::Impl(item) => {
                let of = item.trait_.as_ref().map(|(of, _)| path::path(of, None));
                let target = path::type_ref(&item.self_ty);
                let generics = path::generics(&item.generics);
                let items = self.impl_items(&item.items);
                push(None, ItemKind::Impl(Impl { of, target, generics, items }));
            }
            Syntax::Type(item) => {
                let generics = path::generics(&item.generics).into_iter().map(|(name, _)| name);
                let kind =
                    ItemKind::Alias { ty: path::type_ref(&item.ty), generics: generics.collect() };
                push(Some(&item.ident), kind);
            }
            Syntax::Const(item) => {
                let lowered = self.constant(&item.ty, &item.expr, true);
                push(Some(&item.ident), ItemKind::Static(lowered));
            }
            Syntax::Static(item) => {
                let lowered = self.constant(&item.ty, &item.expr, false);
                push(Some(&item.ident), ItemKind::Static(lowered));
            }
            Syntax::Use(item) => {
                let mut imports = Vec::new();
                flatten(&item.tree, &mut Vec::new(), &mut imports);
                for import in &mut imports {
                    import.global = item.leading_colon.is_some();
                    import.public = shared;
                }
                push(None, ItemKind::Import(imports));
            }
            Syntax::ExternCrate(item) => {
                let shown = item.rename.as_ref().map_or(&item.ident, |(_, ident)| ident);
                push(Some(shown), ItemKind::ExternCrate(name(&item.ident)));
            }
            Syntax::ForeignMod(item) => {
                let mut inner = Vec::new();
                for item in &item.items {
                    if let syn::ForeignItem::Fn(item) = item {
                        let attrs = self.attrs(&item.attrs);
                        let kind = ItemKind::Fn(self.function(&item.sig, None, true));
                        let (name, span) = (name(&item.sig.ident), span(item.sig.ident.span()));
                        inner.push(Item { name, kind, attrs, public: true, span });
                    }
                }
                push(None, ItemKind::Foreign(inner));
            }
            Syntax::Macro(item) => match &item.ident {
                Some(ident) => {
                    push(Some(ident), ItemKind::Macro(macros::definition(&item.mac.tokens)));
                }
                None => self.macro_items(&item.mac, attrs, into),
            },
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Fields) -> Vec<(Name, TypeRef, Span)> {
        let mut lowered = Vec::new();
        for (number, field) in fields.iter().enumerate() {
            if !self.enabled(&field.attrs) {
                continue;
            }
            let ty = path::type_ref(&field.ty);
            match &field.ident {
                Some(ident) => lowered.push((name(ident), ty, span(ident.span()))),
                None => lowered.push((Name::new(&number.to_string()), ty, type_span(&field.ty))),
            }
        }
        lowered
    }

    fn constant(&mut self, ty: &syn::Type, value: &syn::Expr, constant: bool) -> Static {
        let int = super::expr::int_of(value);
        let body = match value {
            syn::Expr::Lit(_) | syn::Expr::Path(_) => None,
            _ => Some(
                self.body(Span::default(), false, false, |this| (Vec::new(), this.expr(value))),
            ),
        };
        let text = super::expr::text_of(value);
        Static { ty: path::type_ref(ty), body, constant, int, text }
    }

    pub(super) fn function(
        &mut self,
        sig: &syn::Signature,
        block: Option<&syn::Block>,
        foreign: bool,
    ) -> Fn {
        let mut receiver = Receiver::None;
        let mut params = Vec::new();
        let mut self_type = TypeRef::Path(single("Self"));
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(input) => {
                    receiver = match &input.kind {
                        ReceiverKind::Reference(_, _, Some(_)) => Receiver::RefMut,
                        ReceiverKind::Reference(..) => Receiver::Ref,
                        ReceiverKind::Typed(_, ty) => {
                            self_type = path::type_ref(ty);
                            if matches!(self_type, TypeRef::Ref(_)) {
                                Receiver::Ref
                            } else {
                                Receiver::Value
                            }
                        }
                        _ => Receiver::Value,
                    };
                }
                FnArg::Typed(input) => params.push(path::type_ref(&input.ty)),
            }
        }
        if matches!(receiver, Receiver::Ref | Receiver::RefMut)
            && !matches!(self_type, TypeRef::Ref(_))
        {
            self_type = TypeRef::Ref(Box::new(self_type));
        }
        let is_async = sig.asyncness.is_some();
        let lowered = FnSig {
            receiver,
            params,
            returns: path::returned(&sig.output),
            is_async,
            foreign: foreign || sig.abi.is_some(),
            generics: path::generics(&sig.generics),
        };
        let body = block.map(|block| {
            let at = span(sig.ident.span()).to(span(block.brace_token.span.close()));
            self.body(at, is_async, true, |this| {
                let mut params = Vec::new();
                for input in &sig.inputs {
                    let (pat, ty) = match input {
                        FnArg::Receiver(input) => {
                            let kind =
                                PatKind::Bind { name: Name::new("self"), by_ref: false, sub: None };
                            (this.push_pat(kind, span(input.self_token.span)), self_type.clone())
                        }
                        FnArg::Typed(input) => (this.pat(&input.pat), path::type_ref(&input.ty)),
                    };
                    params.push(Param { pat, ty });
                }
                (params, this.block(block))
            })
        });
        Fn { sig: lowered, body }
    }

    fn impl_items(&mut self, items: &[ImplItem]) -> Vec<Item> {
        let mut lowered = Vec::new();
        for item in items {
            match item {
                ImplItem::Fn(item) => {
                    let attrs = self.attrs(&item.attrs);
                    if attrs.disabled {
                        continue;
                    }
                    let public = matches!(item.vis, Visibility::Public(_));
                    let kind = ItemKind::Fn(self.function(&item.sig, Some(&item.block), false));
                    lowered.push(named(&item.sig.ident, kind, attrs, public));
                }
                ImplItem::Type(item) => {
                    let attrs = self.attrs(&item.attrs);
                    let ty = path::type_ref(&item.ty);
                    let kind = ItemKind::Alias { ty, generics: Vec::new() };
                    lowered.push(named(&item.ident, kind, attrs, true));
                }
                ImplItem::Const(item) => {
                    let attrs = self.attrs(&item.attrs);
                    let kind = ItemKind::Static(self.constant(&item.ty, &item.expr, true));
                    lowered.push(named(&item.ident, kind, attrs, true));
                }
                _ => {}
            }
        }
        lowered
    }

    fn trait_items(&mut self, items: &[TraitItem]) -> Vec<Item> {
        let mut lowered = Vec::new();
        for item in items {
            match item {
                TraitItem::Fn(item) => {
                    let attrs = self.attrs(&item.attrs);
                    let kind = ItemKind::Fn(self.function(&item.sig, item.default.as_ref(), false));
                    lowered.push(named(&item.sig.ident, kind, attrs, true));
                }
                TraitItem::Type(item) => {
                    let attrs = self.attrs(&item.attrs);
                    let ty = TypeRef::Bounds(path::bounds(&item.bounds));
                    let kind = ItemKind::Alias { ty, generics: Vec::new() };
                    lowered.push(named(&item.ident, kind, attrs, true));
                }
                _ => {}
            }
        }
        lowered
    }
}

fn named(ident: &syn::Ident, kind: ItemKind, attrs: Attrs, public: bool) -> Item {
    Item { name: name(ident), kind, attrs, public, span: span(ident.span()) }
}

fn single(text: &str) -> Path {
    let segments = vec![Segment { name: Name::new(text), args: Vec::new() }];
    Path { global: false, segments, qself: None }
}

fn type_span(ty: &syn::Type) -> Span {
    match ty {
        syn::Type::Path(ty) => {
            ty.path.segments.last().map(|last| span(last.ident.span())).unwrap_or_default()
        }
        _ => Span::default(),
    }
}

fn flatten(tree: &UseTree, prefix: &mut Vec<Name>, into: &mut Vec<Import>) {
    let import =
        |path: Vec<Name>, name, glob| Import { path, global: false, name, glob, public: false };
    match tree {
        UseTree::Path(tree) => {
            prefix.push(name(&tree.ident));
            flatten(&tree.tree, prefix, into);
            prefix.pop();
        }
        UseTree::Name(tree) => {
            let mut path = prefix.clone();
            // `use a::b::{self}` is `use a::b`.
            if tree.ident != "self" {
                path.push(name(&tree.ident));
            }
            if let Some(&last) = path.last() {
                into.push(import(path, last, false));
            }
        }
        UseTree::Rename(tree) => {
            let mut path = prefix.clone();
            if tree.ident != "self" {
                path.push(name(&tree.ident));
            }
            into.push(import(path, name(&tree.rename), false));
        }
        UseTree::Glob(_) => into.push(import(prefix.clone(), Name::new("*"), true)),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                flatten(tree, prefix, into);
            }
        }
    }
}

fn about(item: &Syntax) -> (&[syn::Attribute], Option<&Visibility>) {
    match item {
        Syntax::Const(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Enum(item) => (&item.attrs, Some(&item.vis)),
        Syntax::ExternCrate(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Fn(item) => (&item.attrs, Some(&item.vis)),
        Syntax::ForeignMod(item) => (&item.attrs, None),
        Syntax::Impl(item) => (&item.attrs, None),
        Syntax::Macro(item) => (&item.attrs, None),
        Syntax::Mod(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Static(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Struct(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Trait(item) => (&item.attrs, Some(&item.vis)),
        Syntax::TraitAlias(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Type(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Union(item) => (&item.attrs, Some(&item.vis)),
        Syntax::Use(item) => (&item.attrs, Some(&item.vis)),
        _ => (&[], None),
    }
}
