//! Works out the interface of a library from its names, types and summaries.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::{Engine, Handle};
use crate::catalog::{LintRule, TypeText};
use crate::lint::cfg::Part;
use crate::lint::checks::{Checker, built_by};
use crate::lint::findings::Lines;
use crate::lint::flow::ParamFate;
use crate::lint::ir::{Receiver, Span, TypeRef};
use crate::lint::names::{FileId, FnId, ModId, Shape, Side, StaticId, TypeId};
use crate::lint::types::{Target, Ty, World};

use super::paths::{Paths, parameters};
use super::{Begun, Function, HandedOut, Told, Type};

/// What a function gives its callers to look after.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) class: String,
    /// Where in its value.
    pub(crate) path: Vec<Part>,
    /// A raw value, of which there may be copies.
    pub(crate) copied: bool,
    /// Where it begins.
    pub(crate) begun: (FileId, Span),
}

impl Offer {
    /// Whether callers have to do the same with it, wherever it begins.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.class, &self.path, self.copied) == (&other.class, &other.path, other.copied)
    }
}

/// What the functions of a package give their callers to look after.
pub(crate) type Fresh = FxHashMap<FnId, Vec<Offer>>;

/// The interface of a library called `lib`.
pub(crate) fn work_out(checker: &Checker<'_>, lib: &str) -> Told {
    let world = checker.world;
    let mut told = Told { lib: lib.to_owned(), ..Told::default() };
    let paths = Paths::of(world, lib, &mut told);
    let (handles, builders) = (Handles::of(world, checker.rules), builders(world));
    let work = Work { world, checker, paths, handles, builders };
    for (id, def) in (0..).map(TypeId).zip(&world.names.types) {
        if work.is_offered(def.module) && def.public {
            told.types.insert(work.paths.of_type(id), work.type_of(id));
        }
    }
    for id in world.names.fn_ids() {
        let Some(path) = work.path_of(id) else { continue };
        let offers = checker.fresh.get(&id).map(Vec::as_slice).unwrap_or_default();
        // Written twice, for other platforms or features: the first, as in the package itself.
        told.functions.entry(path).or_insert_with(|| work.function(id, offers));
    }
    for (id, def) in (0..).map(StaticId).zip(&world.names.statics) {
        if work.is_offered(def.module) && def.public {
            let ty = world.returns(&Target::Static(id), &Ty::Unknown, &[]);
            let returns = work.paths.text(&ty).filter(|text| text != "int");
            if returns.is_some() {
                let known = Function { returns, value: true, ..Function::default() };
                told.functions.entry(work.paths.of_static(id)).or_insert(known);
            }
        }
    }
    told
}

struct Work<'w, 'a> {
    world: &'a World<'a>,
    checker: &'w Checker<'a>,
    paths: Paths<'a>,
    handles: Handles,
    builders: FxHashSet<&'a str>,
}

impl Work<'_, '_> {
    fn is_offered(&self, module: ModId) -> bool {
        let module = self.world.names.module(module);
        module.side == Side::Lib && !module.test
    }

    /// The path of a function that users may call: a public one, or one of a trait.
    fn path_of(&self, id: FnId) -> Option<String> {
        let names = self.world.names;
        let function = names.function(id);
        let public = function.public || function.of_trait.is_some();
        // Functions of C are judged by their names, whosever they are.
        let fits = public && !function.test && !function.sig.foreign && function.within.is_none();
        if !fits || !self.is_offered(function.module) {
            return None;
        }
        match (function.of_type, &function.of) {
            (Some(of), _) => {
                let def = names.type_def(of);
                let path = def.public.then(|| self.paths.of_type(of))?;
                Some(format!("{path}::{}", function.name))
            }
            (None, Some(_)) => None,
            (None, None) => Some(self.paths.of_function(id)),
        }
    }

    fn type_of(&self, id: TypeId) -> Type {
        let def = self.world.names.type_def(id);
        let mut known = Type { is: self.paths.alias(id), ..Type::default() };
        let generic = self.paths.generic(id);
        if let Ty::Own(_, parameters) = &generic
            && let Some(target) = self.world.dereferenced(id, parameters)
        {
            known.points_to = self.paths.text(&target);
        }
        if let Shape::Struct(fields) = &def.shape {
            for (name, ..) in fields {
                let ty = self.world.field(&generic, *name);
                if let Some(text) = self.paths.text(&ty).filter(|text| text != "int") {
                    known.holds.insert(name.as_str().to_owned(), text);
                }
            }
        }
        known
    }

    fn function(&self, id: FnId, offers: &[Offer]) -> Function {
        let function = self.world.names.function(id);
        let sig = &function.sig;
        let receiver = function.of_type.map(|of| self.paths.generic(of)).unwrap_or_default();
        let args = parameters("Arg", sig.params.len());
        let returned = self.world.returns(&Target::Own(id), &receiver, &args);
        let mut known = Function {
            returns: self.paths.text(&returned),
            never_returns: *returned.yielded() == Ty::Never,
            hands_out: offers.iter().filter_map(|offer| self.handed_out(offer)).collect(),
            ..Function::default()
        };
        let given = returned.yielded();
        let inside = if given.payload().is_unknown() { given } else { &given.payload() };
        if inside.path().is_some_and(|path| self.builders.contains(path.as_str()))
            && let Some((bounds, sets)) = built_by(self.checker, id)
        {
            (known.bounds, known.sets) = (bounds, sets);
        }
        let first = usize::from(sig.receiver != Receiver::None);
        if sig.receiver == Receiver::Value {
            known.takes.push("receiver".to_owned());
        }
        for (number, param) in sig.params.iter().enumerate() {
            self.param(id, number, first + number, param, &mut known);
        }
        known
    }

    /// What the function does with an argument that may be, or hold, something to look after. What
    /// was not seen to leave it alone may keep it.
    fn param(
        &self,
        id: FnId,
        number: usize,
        index: usize,
        written: &TypeRef,
        known: &mut Function,
    ) {
        let ty = self.world.ty(written, self.world.scope(id));
        let raw = matches!(ty.bare(), Ty::Int | Ty::Ptr(_));
        // Of what is given by value callers expect no more.
        if is_plain(written) || !raw && !ty.is_ref() {
            return;
        }
        let classes = self.handles.of_type(&ty);
        let mut kept = classes.len() > 0;
        for class in classes {
            match self.checker.summaries.param(id, index, class, raw) {
                ParamFate::Released => {
                    known.releases.push((class.to_owned(), format!("arg:{number}")));
                }
                ParamFate::Kept => {}
                ParamFate::Dropped | ParamFate::Returned(_) | ParamFate::Escaped => kept = false,
            }
        }
        if !kept {
            known.takes.push(format!("arg:{number}"));
        }
    }

    /// Where a fact can say that the handle is there.
    fn handed_out(&self, offer: &Offer) -> Option<HandedOut> {
        let handle = match offer.path.as_slice() {
            [] => "return".to_owned(),
            [Part::Payload] => "ok".to_owned(),
            [Part::Payload, Part::Field(name)] => {
                let number: u8 = name.as_str().parse().ok()?;
                format!("tuple:{number}")
            }
            _ => return None,
        };
        let (file, span) = offer.begun;
        let region = Lines::of(self.world.names, file).region(span);
        let begun = Begun {
            file: self.world.names.source(file).path.clone(),
            start: (region.line, region.column),
            end: (region.end_line, region.end_column),
            bytes: region.bytes,
        };
        Some(HandedOut { class: offer.class.clone(), handle, begun })
    }
}

/// Types whose values are finished, with bounds set on them before.
fn builders<'a>(world: &World<'a>) -> FxHashSet<&'a str> {
    let finishing = world.facts.catalog.apis().iter().filter(|api| api.fact.finishes.is_some());
    finishing.filter_map(|api| Some(api.path.rsplit_once("::")?.0)).collect()
}

/// Text, paths, sizes and the like: nothing to look after.
fn is_plain(ty: &TypeRef) -> bool {
    match ty {
        TypeRef::Ref(to) | TypeRef::Slice(to) => is_plain(to),
        TypeRef::Path(path) => path.last().is_some_and(|last| {
            let words = ["str", "String", "Path", "PathBuf", "OsStr", "Duration", "bool", "char"];
            let numbers = ["u8", "u16", "u32", "u64", "u128", "usize", "i64", "f32", "f64"];
            words.contains(&last.name.as_str()) || numbers.contains(&last.name.as_str())
        }),
        TypeRef::Fn(_) | TypeRef::Never => true,
        _ => false,
    }
}

/// Which classes of obligations a value of a type may be.
struct Handles {
    ints: BTreeSet<String>,
    pointers: BTreeSet<String>,
    by_path: FxHashMap<String, BTreeSet<String>>,
    none: BTreeSet<String>,
}

impl Handles {
    /// Going by what acquires something that one of the rules is about.
    fn of(world: &World<'_>, rules: &[&LintRule]) -> Self {
        let about = |class: &str| {
            rules.iter().any(|known| {
                matches!(known.rule.engine, Engine::MustRelease | Engine::UnbalancedRaw)
                    && known.rule.class == class
            })
        };
        let (ints, pointers, none) = <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
        let mut handles = Self { ints, pointers, by_path: FxHashMap::default(), none };
        for api in world.facts.catalog.apis() {
            let Some(class) = api.fact.acquires.as_deref().filter(|class| about(class)) else {
                continue;
            };
            if matches!(api.fact.handle, Some(Handle::Out(_) | Handle::OutAt(..))) {
                handles.ints.insert(class.to_owned());
                handles.pointers.insert(class.to_owned());
            } else if let Some(text) = &api.returns {
                handles.add(text, class);
            }
        }
        handles
    }

    fn add(&mut self, text: &TypeText, class: &str) {
        match text {
            TypeText::Int => drop(self.ints.insert(class.to_owned())),
            TypeText::Pointer => drop(self.pointers.insert(class.to_owned())),
            TypeText::Tuple(parts) => parts.iter().for_each(|part| self.add(part, class)),
            TypeText::Reference { to, .. } | TypeText::Future(to) => self.add(to, class),
            TypeText::Path(path, args) => {
                self.by_path.entry(path.to_string()).or_default().insert(class.to_owned());
                args.iter().for_each(|arg| self.add(arg, class));
            }
            _ => {}
        }
    }

    fn of_type(&self, ty: &Ty) -> impl ExactSizeIterator<Item = &str> {
        let found = match ty.bare() {
            Ty::Int => &self.ints,
            Ty::Ptr(_) => &self.pointers,
            Ty::Foreign(path, _) => self.by_path.get(path.as_str()).unwrap_or(&self.none),
            _ => &self.none,
        };
        found.iter().map(String::as_str)
    }
}
