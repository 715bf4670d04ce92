//! owner-without-release: a field that holds a handle in a type that never releases it.

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{Engine, Handle};
use crate::lint::cfg::Call;
use crate::lint::ir::{Name, Span};
use crate::lint::names::{Shape, Side, TypeId};
use crate::lint::types::{Evidence, Target, Ty, World};

use super::endless::Endless;
use super::uses::{Index, Kept, Use, carrier, file_of, uses};
use super::{Candidate, Checker, Outcome, Reason, Reported};

/// A field with a handle in it.
struct Field<'r> {
    rule: &'r LintRule,
    owner: TypeId,
    name: Name,
    span: Span,
}

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::OwnerWithoutRelease);
    let fields = fields(checker, &rules);
    if fields.is_empty() {
        return;
    }
    let wanted: FxHashSet<Name> = fields.iter().map(|field| field.name).collect();
    let index = Index::new(checker.world.names, &wanted);
    let mut endless = Endless::new(checker);
    let mut found = Vec::new();
    // Of several rules the one that asks for more speaks.
    let (strict, others): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|field| field.rule.rule.when.endless);
    let mut said: FxHashSet<(TypeId, Name)> = FxHashSet::default();
    for field in strict.into_iter().chain(others) {
        let kept = Kept::Field(field.owner, field.name);
        let related = match silent(checker, &index, &field) {
            Some(reason) => Err(reason),
            None if said.contains(&(field.owner, field.name)) => Err(Reason::OtherRule),
            None if field.rule.rule.when.endless => endless.task(field.owner, field.name),
            None => Ok(Vec::new()),
        };
        let outcome = match related {
            Err(reason) => Outcome::Silent(reason),
            Ok(related) => {
                let owner = checker.world.names.type_def(field.owner).name;
                let item = format!("`{owner}::{}`", field.name);
                said.insert((field.owner, field.name));
                Outcome::Reported(Box::new(Reported { item, related, ..Reported::default() }))
            }
        };
        found.push(Candidate {
            rule: field.rule,
            file: file_of(checker.world.names, kept),
            span: field.span,
            function: None,
            evidence: Evidence::Resolved,
            outcome,
        });
    }
    checker.candidates.extend(found);
}

/// Fields of types outside of tests that hold a handle of some rule's class.
fn fields<'r>(checker: &Checker<'_>, rules: &[&'r LintRule]) -> Vec<Field<'r>> {
    let names = checker.world.names;
    let mut found = Vec::new();
    if rules.is_empty() {
        return found;
    }
    for (number, def) in (0..).zip(&names.types) {
        let Shape::Struct(fields) = &def.shape else { continue };
        let module = names.module(def.module);
        if module.test || module.side == Side::Aside {
            continue;
        }
        let mut scope = World::module_scope(def.module);
        scope.generics[0] = &def.generics;
        for (name, ty, span) in fields {
            let ty = checker.world.ty(ty, scope);
            for &rule in rules {
                if carrier(checker.world, &ty, &rule.rule.class, false).is_some() {
                    found.push(Field { rule, owner: TypeId(number), name: *name, span: *span });
                }
            }
        }
    }
    found
}

fn silent(checker: &Checker<'_>, index: &Index, field: &Field<'_>) -> Option<Reason> {
    let names = checker.world.names;
    let def = names.type_def(field.owner);
    if def.implements("Drop") {
        return Some(Reason::Escapes(field.span, "its type implements Drop"));
    }
    if def.public && is_public(&names.source(def.file).text, field.span) {
        return Some(Reason::Escapes(field.span, "everyone can take it out of the field"));
    }
    if !index.makes(names, field.owner) {
        return Some(Reason::Context("no value of the type is made here"));
    }
    if index.is_opaque(field.name) {
        return Some(Reason::Escapes(field.span, "a macro names it"));
    }
    let class = field.rule.rule.class.as_str();
    let kept = Kept::Field(field.owner, field.name);
    for site in index.sites(checker, field.name) {
        for (node, found) in uses(checker.world, &site, kept) {
            let span = if site.file == def.file { site.graph.node(node).span } else { field.span };
            match found {
                Use::Set => {}
                Use::Away => return Some(Reason::Escapes(span, "it is passed on")),
                Use::Method(call, ty) => {
                    if !harmless(checker.world, call, &ty, class) {
                        return Some(Reason::Released(span));
                    }
                }
            }
        }
    }
    None
}

/// Written with `pub` in front.
fn is_public(text: &str, span: Span) -> bool {
    let before = text.get(..span.start as usize).unwrap_or_default().trim_end();
    before.ends_with("pub")
}

/// A method that leaves the handle where it is.
fn harmless(world: &World<'_>, call: &Call, ty: &Ty, class: &str) -> bool {
    let name = call.name.as_str();
    if super::uses::reaches(name) {
        return true;
    }
    match &call.target {
        Target::Own(_) => return false,
        Target::Api(ids, _) => {
            let ends = ids.iter().map(|&id| &world.facts.api(id).fact).any(|fact| {
                fact.releases.iter().any(|known| known == class)
                    || fact.takes.contains(&Handle::Receiver)
            });
            if ends {
                return false;
            }
        }
        _ => {}
    }
    if world.facts.ends(name, class) {
        return false;
    }
    let on_handle = ty.path().is_some_and(|_| world.classes(ty).contains(&class));
    if on_handle {
        return !name.starts_with("into_") && !name.starts_with("poll");
    }
    // A collection or Option around it.
    matches!(
        name,
        "push"
            | "push_back"
            | "push_front"
            | "insert"
            | "is_some"
            | "is_none"
            | "len"
            | "is_empty"
            | "is_finished"
            | "id"
            | "kill"
            | "thread"
            | "reserve"
            | "capacity"
    )
}
