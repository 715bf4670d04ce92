//! Fields of enums of the package: which variant has them, and how places name them.

use crate::lint::ir::{Name, TypeRef, Variant};
use crate::lint::names::{Shape, TypeId};

use super::{Ty, World};

impl World<'_> {
    /// The name of a field of an enum: with that of its variant, where several have such a field.
    pub(crate) fn field_of_variant(&self, id: TypeId, variant: Name, field: Name) -> Name {
        let Shape::Enum(variants) = &self.names.type_def(id).shape else { return field };
        let fields = variants.iter().flat_map(|variant| &variant.fields);
        if fields.filter(|(name, _)| *name == field).count() < 2 {
            return field;
        }
        Name::new(&format!("{variant}.{field}"))
    }

    /// The only variant of an enum that has such a field.
    pub(crate) fn variant_of_field(&self, ty: &Ty, field: Name) -> Option<Name> {
        let Ty::Own(id, _) = ty.bare() else { return None };
        let Shape::Enum(variants) = &self.names.type_def(*id).shape else { return None };
        if let Some((variant, _)) = field.as_str().split_once('.') {
            return Some(Name::new(variant));
        }
        let has = |variant: &&Variant| variant.fields.iter().any(|(name, _)| *name == field);
        variants.iter().find(has).map(|variant| variant.name)
    }
}

/// The type of a field of an enum, as [`World::field_of_variant`] names it.
pub(super) fn field_in(variants: &[Variant], name: Name) -> Option<&TypeRef> {
    let (variant, name) = match name.as_str().split_once('.') {
        Some((variant, name)) => (Some(variant), name),
        None => (None, name.as_str()),
    };
    let of = |known: &&Variant| variant.is_none_or(|variant| known.name.as_str() == variant);
    let mut fields = variants.iter().filter(of).flat_map(|variant| &variant.fields);
    fields.find(|(field, _)| field.as_str() == name).map(|(_, ty)| ty)
}
