//! Types of names, fields, functions and methods: what the package declares joined with facts.

use crate::catalog::ApiId;
use crate::lint::facts::Facts;
use crate::lint::ir::{Name, Path, Receiver, TypeRef};
use crate::lint::names::{Def, FnId, ModId, Names, Resolution, Shape, Space, StaticId, TypeId};

use super::written::Written;
use super::{Ty, known};

/// How sure it is what a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Evidence {
    /// Only the name is known.
    Unknown,
    /// A distinctive name of a crate that is a dependency.
    Probable,
    /// Every name on the way was resolved.
    Resolved,
}

/// What a path or method call leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A function of another crate that there are facts about.
    Api(Box<[ApiId]>, Name),
    /// A function of the package.
    Own(FnId),
    /// A function of another crate without facts.
    Foreign(Name),
    /// A tuple struct or variant of the package; with its number.
    Constructor(TypeId),
    /// `Ok`, `Some`
    Success,
    /// `Err`
    Failure,
    /// A method of Option or Result, of a smart pointer's inside, and the like, by name.
    Shape(Name),
    /// A constant.
    Static(StaticId),
    /// Not known; the name it is called by.
    Unknown(Name),
}

/// What a package declares, and what is known about the crates it uses.
pub(crate) struct World<'a> {
    pub(crate) names: &'a Names,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) written: Written,
}

/// Where a path or type is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) module: ModId,
    /// The type of the impl around.
    pub(crate) of: Option<&'a TypeRef>,
    pub(crate) of_type: Option<TypeId>,
    /// Type parameters in scope: of the function, and of the impl.
    pub(crate) generics: [&'a [(Name, Vec<Path>)]; 2],
    /// What some of them stand for.
    pub(crate) given: &'a [(Name, Ty)],
}

/// Type aliases and bounds followed at most.
pub(super) const DEPTH: u32 = 12;

/// Bounds of type parameters in bounds of type parameters.
pub(super) const BOUNDS: u32 = 4;

impl<'a> World<'a> {
    /// The scope that the signature of a function is written in.
    pub(crate) fn scope(&self, id: FnId) -> Scope<'a> {
        let function = &self.names.fns[id.0 as usize];
        Scope {
            module: function.module,
            of: function.of.as_ref(),
            of_type: function.of_type,
            generics: [&function.sig.generics, &function.impl_generics],
            given: &[],
        }
    }

    /// The scope of a function's body, with the items in it.
    pub(crate) fn body_scope(&self, id: FnId) -> Scope<'a> {
        Scope { module: self.names.function(id).inside, ..self.scope(id) }
    }

    /// The scope of a module, outside of functions.
    pub(crate) fn module_scope(module: ModId) -> Scope<'a> {
        Scope { module, of: None, of_type: None, generics: [&[], &[]], given: &[] }
    }

    pub(crate) fn ty(&self, ty: &TypeRef, scope: Scope<'_>) -> Ty {
        self.ty_at(ty, scope, DEPTH)
    }

    pub(super) fn ty_at(&self, ty: &TypeRef, scope: Scope<'_>, depth: u32) -> Ty {
        if depth == 0 {
            return Ty::Unknown;
        }
        let inner = |ty: &TypeRef| self.ty_at(ty, scope, depth - 1);
        match ty {
            TypeRef::Path(path) => self.path_ty(path, scope, depth - 1),
            TypeRef::Ref(to) => Ty::Ref(Box::new(inner(to))),
            TypeRef::Ptr(to) => Ty::Ptr(Box::new(inner(to))),
            TypeRef::Tuple(parts) => Ty::Tuple(parts.iter().map(inner).collect()),
            TypeRef::Slice(of) => Ty::Slice(Box::new(inner(of))),
            TypeRef::Bounds(bounds) => self.bounds_ty(bounds, scope, depth - 1),
            TypeRef::Fn(returns) => Ty::Fn(Box::new(inner(returns))),
            TypeRef::Never => Ty::Never,
            TypeRef::Unknown => Ty::Unknown,
        }
    }

    fn bounds_ty(&self, bounds: &[Path], scope: Scope<'_>, depth: u32) -> Ty {
        let mut traits = Vec::new();
        for bound in bounds {
            match self.path_ty(bound, scope, depth) {
                found @ (Ty::Future(_) | Ty::Fn(_)) => return found,
                Ty::Unknown => {}
                found => traits.push(found),
            }
        }
        if traits.is_empty() { Ty::Unknown } else { Ty::Traits(traits) }
    }

    fn path_ty(&self, path: &Path, scope: Scope<'_>, depth: u32) -> Ty {
        let Some(last) = path.last() else { return Ty::Unknown };
        if depth == 0 {
            return Ty::Unknown;
        }
        if let Some(of) = &path.qself {
            return self.associated_ty(&self.ty_at(of, scope, depth), last.name, depth);
        }
        if let Some(name) = path.as_name() {
            if name.as_str() == "Self" {
                return match scope.of {
                    Some(of) => self.ty_at(of, Scope { of: None, ..scope }, depth),
                    None => scope.of_type.map_or(Ty::Unknown, |id| Ty::Own(id, Vec::new())),
                };
            }
            if let Some((_, given)) = scope.given.iter().find(|(param, _)| *param == name) {
                return given.clone();
            }
            let bounds = scope.generics.iter().flat_map(|list| list.iter());
            if let Some((_, bounds)) = bounds.clone().find(|(param, _)| *param == name) {
                // Bounds that name other parameters branch: a few steps say all that is needed.
                return self.bounds_ty(bounds, scope, depth.min(BOUNDS));
            }
            if let Some(found) = known::primitive(name.as_str()) {
                return found;
            }
        }
        if let [of, _] = path.segments.as_slice()
            && (of.name.as_str() == "Self" || self.is_param(of.name, scope))
        {
            let of = TypeRef::Path(Path::single(of.name));
            return self.associated_ty(&self.ty_at(&of, scope, depth), last.name, depth);
        }
        let args: Vec<Ty> = last.args.iter().map(|arg| self.ty_at(arg, scope, depth)).collect();
        let segments: Vec<Name> = path.segments.iter().map(|segment| segment.name).collect();
        match self.names.resolve(scope.module, &segments, path.global, Space::Type) {
            Resolution::Own(Def::Type(id), rest) if rest.is_empty() => self.own_ty(id, args, depth),
            Resolution::Foreign(path) => {
                let path = self.facts.canonical(&path);
                match self.facts.known_type(path).and_then(|known| known.is.as_ref()) {
                    Some(is) => known::of_text(is, &Ty::Unknown, &args),
                    None => known::foreign(path, args),
                }
            }
            Resolution::Own(..) => Ty::Unknown,
            Resolution::Unknown => {
                match path.as_name().and_then(|name| known::prelude(name.as_str())) {
                    Some(path) => known::foreign(Name::new(path), args),
                    None => match last.name.as_str() {
                        // Traits of the prelude.
                        "Fn" | "FnMut" | "FnOnce" | "Future" => known::foreign(last.name, args),
                        _ => Ty::Unknown,
                    },
                }
            }
        }
    }

    /// A type of the package; an alias is what it stands for, with its parameters put in.
    pub(crate) fn named(&self, id: TypeId, args: Vec<Ty>) -> Ty {
        self.own_ty(id, args, DEPTH)
    }

    fn own_ty(&self, id: TypeId, args: Vec<Ty>, depth: u32) -> Ty {
        let def = self.names.type_def(id);
        let Shape::Alias(ty) = &def.shape else { return Ty::Own(id, args) };
        if depth == 0 {
            return Ty::Unknown;
        }
        // `type Shared<T> = Arc<Mutex<T>>`: the arguments stand where the parameters are.
        let params = def.generics.iter().map(|(param, _)| *param);
        let given: Vec<(Name, Ty)> = params.zip(args.iter().cloned()).collect();
        let mut scope = Self::module_scope(def.module);
        scope.generics[0] = &def.generics;
        scope.given = &given;
        self.ty_at(ty, scope, depth - 1)
    }

    /// The classes of a value of this type, itself or what it reaches through to.
    pub(crate) fn classes(&self, ty: &Ty) -> Vec<&'a str> {
        let mut classes = Vec::new();
        if let Ty::Foreign(path, _) = ty.bare()
            && let Some(fact) = self.facts.type_fact(*path)
        {
            classes.extend(fact.classes.iter().map(String::as_str));
        }
        classes
    }

    /// What a method call leads to, and the type that it is called on.
    pub(crate) fn method(&self, receiver: &Ty, name: Name) -> (Target, Evidence) {
        for ty in self.reach(receiver) {
            match &ty {
                Ty::Own(id, _) => {
                    if let Some(found) = self.own_method(*id, name) {
                        return (self.written.target(found), Evidence::Resolved);
                    }
                }
                Ty::Foreign(path, _) => {
                    if let Some(found) = self.foreign_method(*path, name) {
                        return (found, Evidence::Resolved);
                    }
                }
                Ty::Traits(traits) => {
                    for ty in traits {
                        match ty {
                            Ty::Own(id, _) => {
                                if let Some(found) = self.own_method(*id, name) {
                                    return (self.written.target(found), Evidence::Resolved);
                                }
                            }
                            Ty::Foreign(path, _) => {
                                if let Some(found) = self.foreign_method(*path, name) {
                                    return (found, Evidence::Resolved);
                                }
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if is_shape(name.as_str())
            && (receiver.is_result() || receiver.is_option() || receiver.is_unknown())
        {
            return (Target::Shape(name), Evidence::Resolved);
        }
        match self.extension(receiver, name) {
            Some(found) => (self.written.target(found), Evidence::Resolved),
            None => self.by_name(receiver, name),
        }
    }

    /// A method of a trait of the package, implemented for a type that is not its own: when it is
    /// the only one of that name for such a type.
    fn extension(&self, receiver: &Ty, name: Name) -> Option<FnId> {
        let receiver = receiver.bare();
        let Ty::Foreign(receiver, _) = receiver else { return None };
        let fits = |id: &&FnId| {
            let function = self.names.function(**id);
            let Some(of) = function.of.as_ref().filter(|_| function.of_trait.is_some()) else {
                return false;
            };
            match self.ty(of, self.scope(**id)) {
                Ty::Foreign(path, _) => path == *receiver,
                Ty::Unknown | Ty::Traits(_) => function.of_type.is_none(),
                _ => false,
            }
        };
        let mut found = self.names.by_name.get(&name)?.iter().filter(fits);
        let first = found.next().copied()?;
        found.next().is_none().then_some(first)
    }

    fn own_method(&self, id: TypeId, name: Name) -> Option<FnId> {
        self.names.type_def(id).methods.get(&name)?.first().copied()
    }

    fn foreign_method(&self, path: Name, name: Name) -> Option<Target> {
        let path = Name::new(&format!("{path}::{name}"));
        let apis = self.facts.apis(path);
        (!apis.is_empty()).then_some(Target::Api(apis, path))
    }

    /// A method that no type explains: a trait's whose name says enough, or nothing.
    fn by_name(&self, receiver: &Ty, name: Name) -> (Target, Evidence) {
        // A receiver that is known to be something else is no evidence. What can be awaited may
        // have setters of its own.
        let known = match receiver.bare() {
            Ty::Unknown | Ty::Traits(_) | Ty::Future(_) => false,
            Ty::Foreign(path, _) => self.facts.type_fact(*path).is_some_and(|fact| fact.chain),
            _ => true,
        };
        if known && !matches!(receiver.bare(), Ty::Own(..) | Ty::Foreign(..)) {
            return (Target::Unknown(name), Evidence::Unknown);
        }
        let apis = self.facts.distinctive(name, |package| self.depends(package));
        // All of one trait or type, or it is ambiguous.
        let Some(first) = apis.first().map(|&id| self.facts.api(id)) else {
            return (Target::Unknown(name), Evidence::Unknown);
        };
        if apis.iter().any(|&id| self.facts.api(id).path != first.path) {
            return (Target::Unknown(name), Evidence::Unknown);
        }
        let path = Name::new(&first.path);
        let evidence =
            if &*first.package == "std" { Evidence::Resolved } else { Evidence::Probable };
        (Target::Api(apis.into(), path), evidence)
    }

    /// Whether the package depends on this one.
    pub(crate) fn depends(&self, package: &str) -> bool {
        package == "std" || {
            let lib = package.replace('-', "_");
            self.names.externs.values().any(|name| name.as_str() == lib)
        }
    }

    /// What a path in an expression leads to.
    pub(crate) fn value(&self, path: &Path, scope: Scope<'_>) -> (Target, Evidence) {
        let Some(last) = path.last() else {
            return (Target::Unknown(Name::new("?")), Evidence::Unknown);
        };
        if let Some(qself) = &path.qself {
            return self.associated(&self.ty(qself, scope), last.name);
        }
        let segments: Vec<Name> = path.segments.iter().map(|segment| segment.name).collect();
        if segments.len() > 1 {
            let head = TypeRef::Path(Path {
                global: path.global,
                segments: path.segments[..segments.len() - 1].to_vec(),
                qself: None,
            });
            if segments[0].as_str() == "Self" || self.is_param(segments[0], scope) {
                return self.associated(&self.ty(&head, scope), last.name);
            }
            if segments.len() == 2 && known::prelude(segments[0].as_str()).is_some() {
                let ty = self.ty(&head, scope);
                if matches!(last.name.as_str(), "Ok" | "Some") {
                    return (Target::Success, Evidence::Resolved);
                }
                if !ty.is_unknown() {
                    return self.associated(&ty, last.name);
                }
            }
        }
        match self.names.resolve(scope.module, &segments, path.global, Space::Value) {
            Resolution::Own(Def::Fn(id), rest) if rest.is_empty() => {
                (self.written.target(id), Evidence::Resolved)
            }
            Resolution::Own(Def::Static(id), rest) if rest.is_empty() => {
                (Target::Static(id), Evidence::Resolved)
            }
            Resolution::Own(Def::Variant(id, _), rest) if rest.is_empty() => {
                (Target::Constructor(id), Evidence::Resolved)
            }
            Resolution::Own(Def::Type(id), rest) => match rest.as_slice() {
                [] => (Target::Constructor(id), Evidence::Resolved),
                [name] => self.associated(&self.own_ty(id, Vec::new(), DEPTH), *name),
                _ => (Target::Unknown(last.name), Evidence::Unknown),
            },
            Resolution::Foreign(path) => self.foreign_value(&path),
            _ => match (path.as_name(), last.name.as_str()) {
                (Some(_), "Ok" | "Some") => (Target::Success, Evidence::Resolved),
                (Some(_), "Err") => (Target::Failure, Evidence::Resolved),
                (Some(_), name) => match known::prelude(name) {
                    Some(path) => {
                        let path = Name::new(path);
                        (Target::Api(self.facts.apis(path), path), Evidence::Resolved)
                    }
                    None => match self.names.left_over(scope.module, last.name) {
                        Some(path) => self.foreign_value(&path),
                        None => (Target::Unknown(last.name), Evidence::Unknown),
                    },
                },
                _ => (Target::Unknown(last.name), Evidence::Unknown),
            },
        }
    }

    fn is_param(&self, name: Name, scope: Scope<'_>) -> bool {
        scope.generics.iter().flat_map(|list| list.iter()).any(|(param, _)| *param == name)
    }

    fn foreign_value(&self, path: &[Name]) -> (Target, Evidence) {
        let path = self.facts.canonical(path);
        match path.as_str() {
            "std::result::Result::Ok" | "std::option::Option::Some" | "std::task::Poll::Ready" => {
                return (Target::Success, Evidence::Resolved);
            }
            "std::result::Result::Err" => return (Target::Failure, Evidence::Resolved),
            _ => {}
        }
        let apis = self.facts.apis(path);
        if apis.is_empty() {
            // A function of a type that has another name.
            if let Some((owner, name)) = path.as_str().rsplit_once("::")
                && let Some(known) = self.facts.known_type(Name::new(owner))
                && let Some(is) = &known.is
            {
                return self.associated(&known::of_text(is, &Ty::Unknown, &[]), Name::new(name));
            }
            // A function of a trait, called by the type: `UnixListener::from_raw_fd`.
            if let Some((owner, name)) = path.as_str().rsplit_once("::")
                && is_type_name(owner)
                && let found @ (Target::Api(..), _) =
                    self.by_name(&Ty::Foreign(Name::new(owner), Vec::new()), Name::new(name))
            {
                return found;
            }
            return (Target::Foreign(path), Evidence::Resolved);
        }
        (Target::Api(apis, path), Evidence::Resolved)
    }

    /// The type of a macro's value.
    pub(crate) fn macro_value(&self, path: &Path, scope: Scope<'_>) -> Ty {
        let segments: Vec<Name> = path.segments.iter().map(|segment| segment.name).collect();
        match self.names.resolve(scope.module, &segments, path.global, Space::Macro) {
            Resolution::Foreign(path) => {
                let path = self.facts.canonical(&path);
                let written = self.facts.macro_returns(path);
                written.map(|text| known::of_text(text, &Ty::Unknown, &[])).unwrap_or_default()
            }
            _ => Ty::Unknown,
        }
    }

    /// `Type::function`
    pub(crate) fn associated(&self, ty: &Ty, name: Name) -> (Target, Evidence) {
        match ty.bare() {
            Ty::Own(id, _) => {
                if let Some(found) = self.own_method(*id, name) {
                    return (self.written.target(found), Evidence::Resolved);
                }
                if let Shape::Enum(variants) = &self.names.type_def(*id).shape
                    && variants.iter().any(|variant| variant.name == name)
                {
                    return (Target::Constructor(*id), Evidence::Resolved);
                }
                self.by_name(ty, name)
            }
            Ty::Foreign(path, _) => match self.foreign_method(*path, name) {
                Some(found) => (found, Evidence::Resolved),
                None => match self.by_name(ty, name) {
                    (Target::Unknown(_), _) => {
                        let path = Name::new(&format!("{path}::{name}"));
                        (Target::Foreign(path), Evidence::Resolved)
                    }
                    found => found,
                },
            },
            // `T::function`, of one of the traits that are asked for.
            Ty::Traits(traits) => {
                let found = traits.iter().find_map(|ty| match ty {
                    Ty::Own(id, _) => self.own_method(*id, name),
                    _ => None,
                });
                match found {
                    Some(found) => (self.written.target(found), Evidence::Resolved),
                    None => self.by_name(ty, name),
                }
            }
            _ => self.by_name(ty, name),
        }
    }

    /// What a call returns.
    pub(crate) fn returns(&self, target: &Target, receiver: &Ty, args: &[Ty]) -> Ty {
        match target {
            Target::Api(ids, path) => {
                let written = ids.iter().find_map(|&id| self.facts.api(id).returns.as_ref());
                // The receiver may be reached through pointers; its own type counts.
                let owner = self.owner_of(receiver, *path);
                match (written, self.written.function(*path)) {
                    (Some(text), _) => known::of_text(text, &owner, args),
                    (None, Some(own)) => self.returns(&Target::Own(own), receiver, args),
                    (None, None) => Ty::Unknown,
                }
            }
            Target::Own(id) => {
                let function = self.names.function(*id);
                let given = self.stands_for(function, receiver, args);
                let scope = Scope { given: &given, ..self.scope(*id) };
                let returned = self.ty(&function.sig.returns, scope);
                if function.sig.is_async { Ty::Future(Box::new(returned)) } else { returned }
            }
            Target::Constructor(id) => Ty::Own(*id, Vec::new()),
            Target::Success => Ty::Unknown,
            Target::Static(id) => {
                let def = &self.names.statics[id.0 as usize];
                self.ty(&def.ty, Self::module_scope(def.module))
            }
            // A clone is what it is of; of a guard, what the guard gives access to.
            Target::Unknown(name) if name.as_str() == "clone" => match receiver.bare() {
                Ty::Foreign(path, args) => {
                    let guards =
                        self.facts.type_fact(*path).filter(|fact| !fact.classes.is_empty());
                    match guards.and_then(|fact| fact.derefs) {
                        Some(number) => args.get(number).cloned().unwrap_or_default(),
                        None => receiver.bare().clone(),
                    }
                }
                other => other.clone(),
            },
            Target::Unknown(name)
                if matches!(receiver.bare(), Ty::Ptr(_))
                    && known::is_same_pointer(name.as_str()) =>
            {
                receiver.bare().clone()
            }
            // As good as a clone of a type of the package.
            Target::Unknown(name) if name.as_str() == "to_owned" => match receiver.bare() {
                own @ Ty::Own(..) => own.clone(),
                _ => Ty::Unknown,
            },
            // A projection, which macros write, has the fields of what is pinned.
            Target::Unknown(name)
                if matches!(name.as_str(), "project" | "project_ref")
                    && receiver.path().is_some_and(|path| path.as_str() == "std::pin::Pin") =>
            {
                let pinned = self.reach(receiver).into_iter().find(|ty| matches!(ty, Ty::Own(..)));
                pinned.map(|ty| Ty::Ref(Box::new(ty))).unwrap_or_default()
            }
            // `From` and `Default` give the type that they are called by.
            Target::Foreign(path) => match path.as_str().rsplit_once("::") {
                Some((owner, "from" | "default")) if is_type_name(owner) => {
                    known::foreign(Name::new(owner), Vec::new())
                }
                // `Arc::clone(&x)`
                Some((_, "clone")) => args.first().map(|of| of.bare().clone()).unwrap_or_default(),
                _ => Ty::Unknown,
            },
            // Builders: what nobody told us about gives back what it was called on.
            Target::Unknown(_) if self.chains(receiver) => receiver.bare().clone(),
            Target::Unknown(name) | Target::Shape(name) => self.handed_out(receiver, *name, args),
            _ => Ty::Unknown,
        }
    }

    /// What a method gives that hands out something of what it is called on.
    fn handed_out(&self, receiver: &Ty, name: Name, args: &[Ty]) -> Ty {
        let found = self.reach(receiver).into_iter().find_map(|ty| {
            // A slice hands out what a vector does, which is one.
            let ty = match ty {
                Ty::Slice(inner) => Ty::Foreign(Name::new(known::VECTOR), vec![*inner]),
                other => other,
            };
            let text = self.facts.given_by(ty.path()?, name)?;
            Some(known::of_text(text, &ty, args))
        });
        found.unwrap_or_default()
    }

    /// Whether it is a static or constant of another crate.
    pub(crate) fn is_value(&self, target: &Target) -> bool {
        let Target::Api(ids, _) = target else { return false };
        ids.iter().any(|&id| self.facts.api(id).fact.value)
    }

    fn chains(&self, ty: &Ty) -> bool {
        let fact = ty.path().and_then(|path| self.facts.type_fact(path));
        fact.is_some_and(|fact| fact.chain)
    }

    fn owner_of(&self, receiver: &Ty, method: Name) -> Ty {
        let owner = method.as_str().rsplit_once("::").map(|(owner, _)| owner);
        let reached = self.reach(receiver);
        let found = reached.iter().find(|ty| ty.path().map(|path| path.as_str()) == owner);
        match (found, owner) {
            (Some(found), _) => found.clone(),
            (None, Some(owner)) if receiver.is_unknown() => {
                known::foreign(Name::new(owner), Vec::new())
            }
            _ => receiver.clone(),
        }
    }

    /// The function of the package that a call leads to, be there facts about it or not.
    pub(crate) fn own_function(&self, target: &Target) -> Option<FnId> {
        match target {
            Target::Own(id) => Some(*id),
            Target::Api(_, path) => self.written.function(*path),
            _ => None,
        }
    }

    /// How a function of the package takes `self`.
    pub(crate) fn receiver_of(&self, id: FnId) -> Receiver {
        self.names.function(id).sig.receiver
    }
}

/// Whether a path ends like that of a type.
pub(crate) fn is_type_name(path: &str) -> bool {
    path.rsplit("::").next().is_some_and(|last| last.starts_with(char::is_uppercase))
}

/// Methods of Option and Result that the engine understands by itself.
pub(crate) fn is_shape(name: &str) -> bool {
    matches!(
        name,
        "unwrap"
            | "expect"
            | "unwrap_or"
            | "unwrap_or_else"
            | "unwrap_or_default"
            | "ok"
            | "err"
            | "map"
            | "and_then"
            | "map_err"
            | "or_else"
            | "ok_or"
            | "ok_or_else"
            | "context"
            | "with_context"
            | "wrap_err"
            | "wrap_err_with"
            | "inspect"
            | "inspect_err"
            | "then"
            | "as_ref"
            | "as_mut"
            | "as_deref"
            | "as_deref_mut"
            | "take"
            | "is_ok"
            | "is_err"
            | "is_some"
            | "is_none"
            | "transpose"
            | "flatten"
            | "filter"
            | "or"
            | "and"
            | "zip"
            | "unwrap_unchecked"
            | "into_diagnostic"
            | "change_context"
            | "map_or"
            | "map_or_else"
            | "cloned"
            | "copied"
            | "insert"
            | "replace"
            | "is_some_and"
            | "is_ok_and"
            | "iter"
    )
}
