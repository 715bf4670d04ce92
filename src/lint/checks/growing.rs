//! growing-collection: a long-lived collection into which the package only inserts.

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::Engine;
use crate::lint::cfg::{Call, Operand};
use crate::lint::ir::{Name, Receiver, Span};
use crate::lint::names::{Shape, Side, StaticId, TypeId};
use crate::lint::types::{Evidence, Ty, World};

use super::uses::{Index, Kept, Use, carrier, file_of, is_public, uses};
use super::{Candidate, Checker, Outcome, Reason, Reported, context};

/// A collection that is kept somewhere.
struct Held<'r> {
    rule: &'r LintRule,
    kept: Kept,
    map: Ty,
    span: Span,
}

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::GrowingCollection);
    let held = held(checker.world, &rules);
    if held.is_empty() {
        return;
    }
    let wanted: FxHashSet<Name> = held.iter().map(|held| held.kept.name()).collect();
    let index = Index::new(checker.world.names, &wanted);
    for held in held {
        let outcome = match silent(checker, &index, &held) {
            Some(reason) => Outcome::Silent(reason),
            None => {
                let shown = match held.kept {
                    Kept::Field(owner, name) => {
                        format!("`{}::{name}`", checker.world.names.type_def(owner).name)
                    }
                    Kept::Static(_, name) => format!("`{name}`"),
                };
                Outcome::Reported(Box::new(Reported { item: shown, ..Reported::default() }))
            }
        };
        checker.candidates.push(Candidate {
            rule: held.rule,
            file: file_of(checker.world.names, held.kept),
            span: held.span,
            function: None,
            evidence: Evidence::Resolved,
            outcome,
        });
    }
}

fn held<'r>(world: &World<'_>, rules: &[&'r LintRule]) -> Vec<Held<'r>> {
    let names = world.names;
    let mut found = Vec::new();
    let outside = |module| {
        let module = names.module(module);
        module.test || module.side == Side::Aside
    };
    for &rule in rules {
        let class = rule.rule.class.as_str();
        for (number, def) in (0..).zip(&names.statics) {
            if def.constant || outside(def.module) {
                continue;
            }
            let ty = world.ty(&def.ty, World::module_scope(def.module));
            if let Some(map) = carrier(world, &ty, class, true) {
                let kept = Kept::Static(StaticId(number), def.name);
                found.push(Held { rule, kept, map, span: def.span });
            }
        }
        for (number, def) in (0..).zip(&names.types) {
            let Shape::Struct(fields) = &def.shape else { continue };
            if outside(def.module) {
                continue;
            }
            let mut scope = World::module_scope(def.module);
            scope.generics[0] = &def.generics;
            for (name, ty, span) in fields {
                let ty = world.ty(ty, scope);
                if !shared(&ty) {
                    continue;
                }
                if let Some(map) = carrier(world, &ty, class, true) {
                    let kept = Kept::Field(TypeId(number), *name);
                    found.push(Held { rule, kept, map, span: *span });
                }
            }
        }
    }
    found
}

/// Behind a lock, or a map that locks itself: made to be used by many for long.
fn shared(ty: &Ty) -> bool {
    let Ty::Foreign(path, args) = ty else { return false };
    let text = path.as_str();
    let last = text.rsplit("::").next().unwrap_or(text);
    matches!(last, "Mutex" | "RwLock" | "DashMap" | "DashSet")
        || matches!(last, "Arc" | "Box") && args.first().is_some_and(shared)
}

fn silent(checker: &Checker<'_>, index: &Index, held: &Held<'_>) -> Option<Reason> {
    let names = checker.world.names;
    if few(checker.world, &held.map) {
        return Some(Reason::Context("its keys are few"));
    }
    if let Kept::Field(owner, _) = held.kept {
        let def = names.type_def(owner);
        if def.public && is_public(&names.source(def.file).text, held.span) {
            return Some(Reason::Escapes(held.span, "everyone can remove from it"));
        }
    }
    if index.is_opaque(held.kept.name()) {
        return Some(Reason::Escapes(held.span, "a macro names it"));
    }
    let file = file_of(names, held.kept);
    let mut filled = false;
    for site in index.sites(checker, held.kept.name()) {
        for (node, found) in uses(checker.world, &site, held.kept) {
            let span = if site.file == file { site.graph.node(node).span } else { held.span };
            let Use::Method(call, _) = found else {
                return Some(Reason::Escapes(span, "it is set anew or passed on"));
            };
            let name = call.name.as_str();
            if super::uses::reaches(name) || reads(name) {
                continue;
            }
            if !inserts(name) {
                return Some(Reason::Released(span));
            }
            let by_many = site.function.is_some_and(|id| {
                names.function(id).sig.receiver == Receiver::Ref
                    || matches!(held.kept, Kept::Static(..))
            });
            let contexts = context::contexts(checker.world, &site, node);
            let runs_often = !contexts.contains(&crate::catalog::model::Context::Once)
                && !contexts.contains(&crate::catalog::model::Context::Constructor);
            let set_up = site.function.is_some_and(|id| sets_up(names.function(id).name.as_str()));
            filled |= by_many && runs_often && !set_up && !fixed_key(call);
        }
    }
    (!filled).then_some(Reason::Context("nothing fills it again and again"))
}

/// Keys of which there cannot be many.
fn few(world: &World<'_>, map: &Ty) -> bool {
    let Ty::Foreign(_, args) = map else { return false };
    match args.first() {
        Some(Ty::Own(id, _)) => matches!(world.names.type_def(*id).shape, Shape::Enum(_)),
        // Of a static lifetime.
        Some(Ty::Ref(_) | Ty::Bool) => true,
        Some(Ty::Foreign(path, _)) => path.as_str().ends_with("::TypeId"),
        _ => false,
    }
}

/// What users of a registry call a few times, when they set it up.
fn sets_up(name: &str) -> bool {
    ["register", "add", "set", "with", "configure"].iter().any(|word| {
        name == *word || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'))
    })
}

/// The key is written in the source.
fn fixed_key(call: &Call) -> bool {
    matches!(call.args.first(), Some(Operand::Lit(_) | Operand::Const(_)))
}

fn inserts(name: &str) -> bool {
    matches!(name, "insert" | "entry" | "extend" | "try_insert" | "insert_full" | "insert_entry")
}

fn reads(name: &str) -> bool {
    matches!(
        name,
        "get"
            | "contains_key"
            | "contains"
            | "len"
            | "is_empty"
            | "iter"
            | "keys"
            | "values"
            | "get_key_value"
            | "range"
            | "reserve"
            | "capacity"
    )
}
