//! own-bound-none: a limit of a type of the package that is off unless somebody sets it.

use rustc_hash::FxHashSet;

use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::ir::{Body, BodyId, ExprKind, Name, Path, Receiver, Span, TypeRef};
use crate::lint::names::{Def, FileId, FnId, Names, Shape, Space, TypeId};
use crate::lint::types::{Evidence, Ty, World};

use super::{Candidate, Checker, Outcome, Reason, Reported, in_tests};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::OwnBoundNone);
    for known in rules {
        let words: Vec<String> =
            known.rule.when.enough.iter().flatten().map(|word| word.replace('-', "_")).collect();
        let fields = fields(checker.world, &words);
        if fields.is_empty() {
            continue;
        }
        let defaulted = defaulted(checker.world, &fields);
        let nones = nones(checker.world, &fields);
        let mut told = FxHashSet::default();
        let names = checker.world.names;
        let is_wrapped = |id: FnId, settings: TypeId| {
            names.function(id).of_type.is_some_and(|of| wraps(names, of, settings))
        };
        for &(file, function, of, name, span) in &nones {
            let def = checker.world.names.type_def(of);
            let outcome = if defaulted.contains(&name) {
                Outcome::Silent(Reason::Bounded(span))
            } else if !def.public && !is_wrapped(function, of) {
                Outcome::Silent(Reason::Context("only this package makes it"))
            } else if !told.insert((function, of)) {
                // One place for all limits of the type.
                Outcome::Silent(Reason::OtherRule)
            } else {
                let others = nones.iter().filter(|other| {
                    (other.1, other.2) == (function, of)
                        && other.3 != name
                        && !defaulted.contains(&other.3)
                });
                let related =
                    others.map(|other| (Role::Configured, other.4, "None, too".to_owned()));
                Outcome::Reported(Box::new(Reported {
                    item: format!("`{}::{name}`", def.name),
                    bound: name.as_str().replace('_', " "),
                    related: related.collect(),
                    ..Reported::default()
                }))
            };
            checker.candidates.push(Candidate {
                rule: known,
                file,
                span,
                function: Some(function),
                evidence: Evidence::Resolved,
                outcome,
            });
        }
    }
}

/// `read_timeout`, `timeout_ms`, `tcp_keep_alive` for the words `timeout` and `tcp_keepalive`.
fn named(name: &str, words: &[String]) -> bool {
    let name = ["_ms", "_millis", "_secs", "_seconds", "_duration"]
        .iter()
        .find_map(|unit| name.strip_suffix(unit))
        .unwrap_or(name)
        .replace("keep_alive", "keepalive");
    words.iter().any(|word| {
        name == *word || name.strip_suffix(word.as_str()).is_some_and(|rest| rest.ends_with('_'))
    })
}

/// Optional durations and numbers that are called like the bound.
fn fields(world: &World<'_>, words: &[String]) -> FxHashSet<(TypeId, Name)> {
    let mut found = FxHashSet::default();
    for (number, def) in (0..).zip(&world.names.types) {
        let Shape::Struct(fields) = &def.shape else { continue };
        for (name, ty, _) in fields {
            if !named(name.as_str(), words) {
                continue;
            }
            let ty = world.ty(ty, World::module_scope(def.module));
            let inner = ty.payload();
            let limit = inner == Ty::Int
                || inner.path().is_some_and(|path| path.as_str().ends_with("::Duration"));
            if ty.is_option() && limit {
                found.insert((TypeId(number), *name));
            }
        }
    }
    found
}

/// Names of fields for which a limit is put in where they are used.
fn defaulted(world: &World<'_>, fields: &FxHashSet<(TypeId, Name)>) -> FxHashSet<Name> {
    let mut found = FxHashSet::default();
    for source in &world.names.sources {
        for body in &source.file.bodies {
            for expr in &body.exprs {
                let ExprKind::Method { receiver, name, .. } = &expr.kind else { continue };
                let fills = name.as_str().starts_with("unwrap_or")
                    || name.as_str().starts_with("get_or_insert")
                    || matches!(name.as_str(), "or" | "or_else" | "map_or" | "map_or_else");
                if !fills {
                    continue;
                }
                if let ExprKind::Field { name, .. } = &body.expr(*receiver).kind
                    && fields.iter().any(|(_, field)| field == name)
                {
                    found.insert(*name);
                }
            }
        }
    }
    found
}

/// Where a constructor leaves such a field at None.
fn nones(
    world: &World<'_>,
    fields: &FxHashSet<(TypeId, Name)>,
) -> Vec<(FileId, FnId, TypeId, Name, Span)> {
    let names = world.names;
    let mut found = Vec::new();
    for id in names.fn_ids() {
        let function = names.function(id);
        let (Some(body), Some(of)) = (function.body, function.of_type) else { continue };
        // What is made around something, a stream or a request, is no set of settings.
        if !is_default(function.name.as_str())
            || !function.sig.params.is_empty()
            || in_tests(names, id)
        {
            continue;
        }
        let has = |(owner, _): &(TypeId, Name)| *owner == of || wraps(names, of, *owner);
        if function.sig.receiver != Receiver::None || !fields.iter().any(has) {
            // A builder may be made by the type that it builds.
            if function.name.as_str() != "builder" {
                continue;
            }
        }
        for lowered in bodies(names, function.file, body) {
            for expr in &lowered.exprs {
                let ExprKind::Struct { path, fields: written, .. } = &expr.kind else { continue };
                let Some(made) = made(world, id, path) else { continue };
                for (name, value) in written {
                    let ExprKind::Path(path) = &lowered.expr(*value).kind else { continue };
                    let none = path.last().is_some_and(|last| last.name.as_str() == "None");
                    if none && fields.contains(&(made, *name)) && !set_later(lowered, *name) {
                        found.push((function.file, id, made, *name, lowered.expr(*value).span));
                    }
                }
            }
        }
    }
    found
}

/// A body, and the closures in it: `Inner::new().map(|inner| Self { inner, timeout: None })`.
fn bodies(names: &Names, file: FileId, body: BodyId) -> Vec<&Body> {
    let mut found: Vec<&Body> = names.body(file, body).into_iter().collect();
    let mut next = 0;
    while let Some(&at) = found.get(next) {
        next += 1;
        found.extend(at.exprs.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Closure { body } => names.body(file, *body),
            _ => None,
        }));
    }
    found
}

/// Whether the public type is made around settings of the type of the field.
fn wraps(names: &Names, of: TypeId, settings: TypeId) -> bool {
    let def = names.type_def(of);
    let Shape::Struct(fields) = &def.shape else { return false };
    def.public
        && fields.iter().any(|(_, ty, _)| {
            let TypeRef::Path(path) = ty else { return false };
            names.def(def.module, path, Space::Type) == Some(Def::Type(settings))
        })
}

fn is_default(name: &str) -> bool {
    matches!(name, "default" | "new" | "builder") || name.starts_with("new_")
}

/// The type that a struct expression makes.
fn made(world: &World<'_>, id: FnId, path: &Path) -> Option<TypeId> {
    if path.as_name().is_some_and(|name| name.as_str() == "Self") {
        return world.names.function(id).of_type;
    }
    match world.names.def(world.names.function(id).inside, path, Space::Type) {
        Some(Def::Type(id)) => Some(id),
        _ => None,
    }
}

/// Whether the constructor sets the field after all.
fn set_later(body: &Body, field: Name) -> bool {
    body.exprs.iter().any(|expr| match &expr.kind {
        ExprKind::Assign { target, .. } => {
            matches!(&body.expr(*target).kind, ExprKind::Field { name, .. } if *name == field)
        }
        _ => false,
    })
}
