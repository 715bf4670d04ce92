//! Lowers paths and types.

use syn::{
    GenericArgument, GenericParam, Generics, PathArguments, ReturnType, Type, TypeParamBound,
};

use crate::lint::ir::{Name, Path, Segment, TypeRef};

use super::name;

pub(super) fn path(path: &syn::Path, qself: Option<&syn::QSelf>) -> Path {
    Path {
        global: path.leading_colon.is_some(),
        segments: path.segments.iter().map(segment).collect(),
        qself: qself.map(|qself| Box::new(type_ref(&qself.ty))),
    }
}

fn segment(segment: &syn::PathSegment) -> Segment {
    let mut args = Vec::new();
    match &segment.arguments {
        PathArguments::None => {}
        PathArguments::AngleBracketed(list) => args = generic_args(list),
        // `Fn(A) -> B`: what it returns is what matters.
        PathArguments::Parenthesized(list) => args.push(returned(&list.output)),
    }
    Segment { name: name(&segment.ident), args }
}

/// Type arguments; `Output = T` and `Item = T` count as the first.
pub(super) fn generic_args(list: &syn::AngleBracketedGenericArguments) -> Vec<TypeRef> {
    list.args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(type_ref(ty)),
            GenericArgument::AssocType(assoc) => Some(type_ref(&assoc.ty)),
            _ => None,
        })
        .collect()
}

pub(super) fn returned(output: &ReturnType) -> TypeRef {
    match output {
        ReturnType::Default => TypeRef::Tuple(Vec::new()),
        ReturnType::Type(_, ty) => type_ref(ty),
    }
}

pub(super) fn type_ref(ty: &Type) -> TypeRef {
    match ty {
        Type::Path(ty) => TypeRef::Path(path(&ty.path, ty.qself.as_ref())),
        Type::Reference(ty) => TypeRef::Ref(Box::new(type_ref(&ty.elem))),
        Type::Ptr(ty) => TypeRef::Ptr(Box::new(type_ref(&ty.elem))),
        Type::Tuple(ty) => TypeRef::Tuple(ty.elems.iter().map(type_ref).collect()),
        Type::Array(ty) => TypeRef::Slice(Box::new(type_ref(&ty.elem))),
        Type::Slice(ty) => TypeRef::Slice(Box::new(type_ref(&ty.elem))),
        Type::Group(ty) => type_ref(&ty.elem),
        Type::Paren(ty) => type_ref(&ty.elem),
        Type::Never(_) => TypeRef::Never,
        Type::ImplTrait(ty) => TypeRef::Bounds(bounds(&ty.bounds)),
        Type::TraitObject(ty) => TypeRef::Bounds(bounds(&ty.bounds)),
        Type::FnPtr(ty) => TypeRef::Fn(Box::new(returned(&ty.output))),
        _ => TypeRef::Unknown,
    }
}

pub(super) fn bounds<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> Vec<Path> {
    bounds
        .into_iter()
        .filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => Some(path(&bound.path, None)),
            _ => None,
        })
        .collect()
}

/// Type parameters with their bounds, those of the where clause included.
pub(super) fn generics(generics: &Generics) -> Vec<(Name, Vec<Path>)> {
    let mut params: Vec<(Name, Vec<Path>)> = generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some((name(&param.ident), bounds(&param.bounds))),
            _ => None,
        })
        .collect();
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let syn::WherePredicate::Type(predicate) = predicate
            && let TypeRef::Path(bounded) = type_ref(&predicate.bounded_ty)
            && let Some(bounded) = bounded.as_name()
            && let Some((_, all)) = params.iter_mut().find(|(name, _)| *name == bounded)
        {
            all.extend(bounds(&predicate.bounds));
        }
    }
    params
}
