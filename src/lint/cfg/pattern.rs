//! Patterns: what they test, and what they bind.

use crate::lint::ir::{BinaryOp, Name, PatId, PatKind, Path, TypeRef};
use crate::lint::names::{Shape, TypeId};
use crate::lint::types::{Target, Ty};

use super::build::{Builder, Tail};
use super::{LocalKind, Operand, Part, Place, Test};

impl Builder<'_> {
    /// Matches a place: goes on where it matches, returns where it does not.
    pub(super) fn pattern(&mut self, pat: PatId, place: &Place, by_ref: bool) -> Vec<Tail> {
        let body = self.body();
        let pattern = body.pat(pat);
        let span = pattern.span;
        match &pattern.kind {
            PatKind::Wild | PatKind::Rest | PatKind::Unknown => Vec::new(),
            PatKind::Bind { name, by_ref: by, sub } => {
                if self.constant_name(*name) && sub.is_none() {
                    let path = Path {
                        segments: vec![crate::lint::ir::Segment { name: *name, args: Vec::new() }],
                        ..Path::default()
                    };
                    return self.unit_pattern(&path, place, span);
                }
                let failed = match sub {
                    Some(sub) => self.pattern(*sub, place, true),
                    None => Vec::new(),
                };
                self.bind_name(*name, place, by_ref || *by || sub.is_some(), span);
                failed
            }
            PatKind::Variant { path, args } => {
                let last = path.last().map(|last| last.name);
                let mut variant = None;
                let (test, failure) = match last.map(|name| name.as_str()) {
                    Some("Ok" | "Some" | "Ready") => (Test::Success(place.clone()), false),
                    Some("Err") => (Test::Success(place.clone()), true),
                    _ => match (self.world.value(path, self.request.scope).0, last) {
                        // A tuple struct always matches.
                        (Target::Constructor(id), Some(name)) if !self.is_variant(id, name) => {
                            self.tell(place, Ty::Own(id, Vec::new()));
                            return self.fields(None, args, place, by_ref);
                        }
                        (Target::Constructor(id), Some(name)) => {
                            variant = Some((id, name));
                            self.tell(place, Ty::Own(id, Vec::new()));
                            (Test::Variant(place.clone(), name), false)
                        }
                        (_, Some(name)) => (Test::Variant(place.clone(), name), false),
                        (_, None) => (Test::Opaque, false),
                    },
                };
                let success = matches!(test, Test::Success(_));
                let (yes, no) = self.branch(test, span);
                let (yes, mut no) = if failure { (no, yes) } else { (yes, no) };
                self.tails = yes;
                let failed = match (success, failure, &**args) {
                    (true, false, [only]) => {
                        self.pattern(*only, &place.part(Part::Payload), by_ref)
                    }
                    (true, true, [only]) => {
                        self.pattern(*only, &place.part(Part::Field(Name::new("Err"))), by_ref)
                    }
                    _ => self.fields(variant, args, place, by_ref),
                };
                no.extend(failed);
                no
            }
            PatKind::Struct { path, fields } => {
                let last = path.last().map(|last| last.name);
                let mut failed = Vec::new();
                let variant = self.variant(path);
                let ty = match variant {
                    Some((id, _)) => Ty::Own(id, Vec::new()),
                    None => self.world.ty(&TypeRef::Path((**path).clone()), self.request.scope),
                };
                self.tell(place, ty);
                if let (Some(_), Some(name)) = (variant, last) {
                    let (yes, no) = self.branch(Test::Variant(place.clone(), name), span);
                    self.tails = yes;
                    failed = no;
                }
                for &(name, pat) in fields {
                    let name = self.field_name(variant, name);
                    let more = self.pattern(pat, &place.part(Part::Field(name)), by_ref);
                    failed.extend(more);
                }
                failed
            }
            PatKind::Tuple(parts) => self.fields(None, parts, place, by_ref),
            PatKind::Slice(parts) => {
                let (yes, mut failed) = self.branch(Test::Opaque, span);
                self.tails = yes;
                for &part in parts {
                    let more = self.pattern(part, &place.part(Part::Element), by_ref);
                    failed.extend(more);
                }
                failed
            }
            PatKind::Ref(inner) => self.pattern(*inner, place, true),
            PatKind::Or(parts) => self.alternatives(parts, place, by_ref),
            PatKind::Path(path) => self.unit_pattern(path, place, span),
            PatKind::Lit(lit) => {
                let other = Operand::Lit(lit.clone());
                let test = Test::Compare(BinaryOp::Eq, Operand::Ref(place.clone()), other);
                let (yes, no) = self.branch(test, span);
                self.tails = yes;
                no
            }
        }
    }

    fn unit_pattern(
        &mut self,
        path: &Path,
        place: &Place,
        span: crate::lint::ir::Span,
    ) -> Vec<Tail> {
        let name = path.last().map_or_else(|| Name::new("?"), |last| last.name);
        if matches!(name.as_str(), "None" | "Pending") {
            let (yes, no) = self.branch(Test::Success(place.clone()), span);
            self.tails = no;
            return yes;
        }
        let (yes, no) = self.branch(Test::Variant(place.clone(), name), span);
        self.tails = yes;
        no
    }

    /// The enum of the package whose variant a path names.
    pub(super) fn variant(&self, path: &Path) -> Option<(TypeId, Name)> {
        match (self.world.value(path, self.request.scope).0, path.last()) {
            (Target::Constructor(id), Some(last)) if self.is_variant(id, last.name) => {
                Some((id, last.name))
            }
            _ => None,
        }
    }

    /// How places name a field: of an enum with its variant, where that matters.
    pub(super) fn field_name(&self, variant: Option<(TypeId, Name)>, field: Name) -> Name {
        variant.map_or(field, |(id, name)| self.world.field_of_variant(id, name, field))
    }

    fn is_variant(&self, id: TypeId, name: Name) -> bool {
        match &self.world.names.type_def(id).shape {
            Shape::Enum(variants) => variants.iter().any(|variant| variant.name == name),
            _ => false,
        }
    }

    fn fields(
        &mut self,
        variant: Option<(TypeId, Name)>,
        parts: &[PatId],
        place: &Place,
        by_ref: bool,
    ) -> Vec<Tail> {
        let body = self.body();
        let rest = parts.iter().position(|&part| matches!(body.pat(part).kind, PatKind::Rest));
        let total = match self.place_ty(place).bare() {
            Ty::Tuple(types) => types.len(),
            _ => parts.len(),
        };
        let mut failed = Vec::new();
        for (number, &part) in parts.iter().enumerate() {
            let at = match rest {
                // Behind `..`: counted from the end.
                Some(rest) if number > rest => (total + number).saturating_sub(parts.len()),
                _ => number,
            };
            let name = self.field_name(variant, Name::new(&at.to_string()));
            let field = place.part(Part::Field(name));
            failed.extend(self.pattern(part, &field, by_ref));
        }
        failed
    }

    /// `a | b`: what the first binds is what all of them bind.
    fn alternatives(&mut self, parts: &[PatId], place: &Place, by_ref: bool) -> Vec<Tail> {
        let first_env = self.env.len();
        let mut matched: Vec<Tail> = Vec::new();
        let mut bound: Option<Vec<(Name, super::LocalId)>> = None;
        for &part in parts {
            if !self.reachable() {
                break;
            }
            let failed = self.pattern(part, place, by_ref);
            let names = self.env.split_off(first_env);
            match &bound {
                None => bound = Some(names),
                Some(bound) => {
                    for &(name, local) in bound {
                        let other = names.iter().find(|(known, _)| *known == name);
                        if let Some(&(_, other)) = other
                            && self.graph.local(local).alias.is_none()
                        {
                            let value = Operand::Move(Place::of(other));
                            let span = self.graph.local(other).span;
                            self.store(Place::of(local), value, span);
                        }
                    }
                }
            }
            matched.append(&mut self.tails);
            self.tails = failed;
        }
        self.env.extend(bound.unwrap_or_default());
        std::mem::replace(&mut self.tails, matched)
    }

    fn bind_name(&mut self, name: Name, place: &Place, by_ref: bool, span: crate::lint::ir::Span) {
        let ty = self.place_ty(place);
        let id = self.local(Some(name), ty, LocalKind::Binding, span);
        if by_ref {
            self.graph.locals[id.0 as usize].alias = Some(place.clone());
        } else {
            self.declare(id);
            self.store(Place::of(id), Operand::Move(place.clone()), span);
        }
        self.env.push((name, id));
    }

    /// A pattern that always matches.
    pub(super) fn bind(&mut self, pat: PatId, place: Place, by_ref: bool) {
        let failed = self.pattern(pat, &place, by_ref);
        self.tails.extend(failed);
    }

    /// `let x;`
    pub(super) fn declare_bindings(&mut self, pat: PatId, ty: &Ty) {
        let body = self.body();
        match &body.pat(pat).kind {
            PatKind::Bind { name, .. } => {
                let span = body.pat(pat).span;
                let id = self.local(Some(*name), ty.clone(), LocalKind::Binding, span);
                self.declare(id);
                self.env.push((*name, id));
            }
            PatKind::Tuple(parts) => {
                for (number, &part) in parts.iter().enumerate() {
                    let inner = match ty {
                        Ty::Tuple(types) => types.get(number).cloned().unwrap_or_default(),
                        _ => Ty::Unknown,
                    };
                    self.declare_bindings(part, &inner);
                }
            }
            _ => {}
        }
    }
}
