//! What is in a value, and what it points to: fields, references, smart pointers, `Deref`.

use crate::lint::ir::Name;
use crate::lint::names::{Shape, TypeId};

use super::lookup::DEPTH;
use super::variant::field_in;
use super::{Ty, World, known};

impl World<'_> {
    /// The type of a field, through references and smart pointers.
    pub(crate) fn field(&self, ty: &Ty, name: Name) -> Ty {
        for ty in self.reach(ty) {
            match &ty {
                Ty::Own(id, args) => {
                    let def = self.names.type_def(*id);
                    let written = match &def.shape {
                        Shape::Struct(fields) => {
                            fields.iter().find(|(field, ..)| *field == name).map(|(_, ty, _)| ty)
                        }
                        Shape::Enum(variants) => field_in(variants, name),
                        _ => None,
                    };
                    if let Some(ty) = written {
                        let params = def.generics.iter().map(|(param, _)| *param);
                        let given: Vec<(Name, Ty)> = params.zip(args.iter().cloned()).collect();
                        let mut scope = Self::module_scope(def.module);
                        scope.generics[0] = &def.generics;
                        scope.given = &given;
                        return self.ty(ty, scope);
                    }
                }
                Ty::Foreign(path, _) => {
                    let known = self.facts.known_type(*path);
                    if let Some(text) = known.and_then(|known| known.holds.get(name.as_str())) {
                        return known::of_text(text, &ty, &[]);
                    }
                }
                Ty::Tuple(parts) => {
                    let at = name.as_str().parse::<usize>().ok();
                    return at.and_then(|at| parts.get(at).cloned()).unwrap_or_default();
                }
                _ => {}
            }
        }
        Ty::Unknown
    }

    /// The type, and what method calls on it reach through to.
    pub(crate) fn reach(&self, ty: &Ty) -> Vec<Ty> {
        let mut reached = Vec::new();
        let mut at = ty.clone();
        for _ in 0..8 {
            let next = match &at {
                Ty::Ref(inner) | Ty::Ptr(inner) => Some((**inner).clone()),
                Ty::Foreign(path, args) => self.facts.known_type(*path).and_then(|known| {
                    let argument = known.fact.derefs.and_then(|number| args.get(number).cloned());
                    let points_to = known.points_to.as_ref();
                    argument.or_else(|| Some(known::of_text(points_to?, &at, &[])))
                }),
                Ty::Own(id, args) => self.dereferenced(*id, args),
                _ => None,
            };
            reached.push(at);
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        reached
    }

    /// What `Deref` of a type of the package says it points to.
    pub(crate) fn dereferenced(&self, id: TypeId, args: &[Ty]) -> Option<Ty> {
        let mut derefs = self.names.type_def(id).associated.iter().filter(|of| of.of_deref);
        derefs.next().and_then(|target| self.projected(id, args, target, DEPTH))
    }
}
