//! What type parameters and associated types stand for, as far as it is written down.

use crate::lint::ir::{Name, Path, TypeRef};
use crate::lint::names::{Associated, Function, TypeId};

use super::lookup::BOUNDS;
use super::{Scope, Ty, World};

impl World<'_> {
    /// `Of::Name`, where something is known of the type or its traits.
    pub(super) fn associated_ty(&self, of: &Ty, name: Name, depth: u32) -> Ty {
        let of_type = |ty: &Ty| match ty {
            Ty::Own(id, args) => {
                let mut associated = self.names.type_def(*id).associated.iter();
                let found = associated.find(|associated| associated.name == name)?;
                self.projected(*id, args, found, depth)
            }
            _ => None,
        };
        let found = match of.bare() {
            Ty::Traits(traits) => traits.iter().find_map(of_type),
            other => of_type(other),
        };
        found.unwrap_or_default()
    }

    /// An associated type of a type of the package with these arguments.
    pub(super) fn projected(
        &self,
        id: TypeId,
        args: &[Ty],
        found: &Associated,
        depth: u32,
    ) -> Option<Ty> {
        let given = found.of.as_ref().map(|of| {
            let mut given = Vec::new();
            self.match_params(of, &Ty::Own(id, args.to_vec()), &[&found.generics], &mut given);
            given
        });
        let Associated { module, of, target, generics, .. } = found;
        let scope = Scope {
            module: *module,
            of: of.as_ref(),
            of_type: Some(id),
            generics: [&[], generics],
            given: given.as_deref().unwrap_or_default(),
        };
        let depth = depth.checked_sub(1)?;
        // Bounds that name each other branch: a few steps say all that is needed.
        Some(self.ty_at(target, scope, if of.is_some() { depth } else { depth.min(BOUNDS) }))
    }

    /// What the type parameters of a function of the package stand for in a call.
    pub(super) fn stands_for(
        &self,
        function: &Function,
        receiver: &Ty,
        args: &[Ty],
    ) -> Vec<(Name, Ty)> {
        let mut given = Vec::new();
        let params = [function.sig.generics.as_slice(), function.impl_generics.as_slice()];
        if params.iter().all(|list| list.is_empty()) {
            return given;
        }
        if let Some(of) = &function.of {
            let reached = self.reach(receiver);
            let is_of = |ty: &&Ty| match (ty, function.of_type) {
                (Ty::Own(id, _), Some(of)) => *id == of,
                (Ty::Foreign(..), None) => true,
                _ => false,
            };
            if let Some(ty) = reached.iter().find(is_of) {
                self.match_params(of, ty, &params, &mut given);
            }
        }
        for (param, arg) in function.sig.params.iter().zip(args) {
            self.match_params(param, arg, &params, &mut given);
        }
        given
    }

    /// Reads off a type what the parameters stand for that are written in it.
    fn match_params(
        &self,
        written: &TypeRef,
        ty: &Ty,
        params: &[&[(Name, Vec<Path>)]],
        given: &mut Vec<(Name, Ty)>,
    ) {
        match (written, ty) {
            (_, Ty::Unknown) => {}
            (TypeRef::Path(path), ty) => {
                if let Some(name) = path.as_name()
                    && params.iter().any(|list| list.iter().any(|(param, _)| *param == name))
                {
                    if given.iter().all(|(known, _)| *known != name) {
                        given.push((name, ty.clone()));
                    }
                    return;
                }
                let Some(last) = path.last() else { return };
                let (name, args) = match ty.bare() {
                    Ty::Foreign(path, args) => {
                        let name = path.as_str().rsplit("::").next().unwrap_or_default();
                        (name, args)
                    }
                    Ty::Own(id, args) => (self.names.type_def(*id).name.as_str(), args),
                    _ => return,
                };
                if name == last.name.as_str() {
                    for (written, arg) in last.args.iter().zip(args) {
                        self.match_params(written, arg, params, given);
                    }
                }
            }
            (TypeRef::Ref(written), ty) => {
                let inner = if let Ty::Ref(inner) = ty { inner } else { ty };
                self.match_params(written, inner, params, given);
            }
            (TypeRef::Slice(written), Ty::Slice(inner)) => {
                self.match_params(written, inner, params, given);
            }
            (TypeRef::Tuple(parts), Ty::Tuple(types)) => {
                for (written, ty) in parts.iter().zip(types) {
                    self.match_params(written, ty, params, given);
                }
            }
            _ => {}
        }
    }
}
