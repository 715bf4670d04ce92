//! owner-without-release: a field that holds a handle in a type that never releases it.

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{Engine, Handle};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::Call;
use crate::lint::flow::ParamFate;
use crate::lint::ir::{Name, Span};
use crate::lint::names::{FnId, ModId, Names, Shape, Side, TypeId};
use crate::lint::types::{Evidence, Target, Ty, World};

use super::endless::Endless;
use super::uses::{Index, Kept, Use, carrier, file_of, is_public, uses};
use super::{Candidate, Checker, Outcome, Reason, Reported, classes_of};

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
        let related = match never_released(checker, &index, &field) {
            Err(reason) => Err(reason),
            Ok(_) if said.contains(&(field.owner, field.name)) => Err(Reason::OtherRule),
            Ok(_) if field.rule.rule.when.endless => endless.task(field.owner, field.name),
            Ok(steps) => Ok(steps),
        };
        let outcome = match related {
            Err(reason) => Outcome::Silent(reason),
            Ok(related) => {
                let owner = checker.world.names.type_def(field.owner).name;
                let item = format!("`{owner}::{}`", field.name);
                said.insert((field.owner, field.name));
                let ended = field.rule.rule.when.with.is_some() && !related.is_empty();
                let milder = ended.then_some("its Drop ends it, and little is left over");
                Outcome::Reported(Box::new(Reported {
                    item,
                    related,
                    milder,
                    ..Reported::default()
                }))
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

/// The steps of its Drop that end what is in the field without the release that has to follow;
/// none where there is no Drop.
fn never_released(
    checker: &Checker<'_>,
    index: &Index,
    field: &Field<'_>,
) -> Result<Vec<(Role, Span, String)>, Reason> {
    let names = checker.world.names;
    let def = names.type_def(field.owner);
    let dropped = Reason::Escapes(field.span, "its type implements Drop");
    let has_drop = def.implements("Drop");
    let ending = field.rule.rule.when.with.as_deref();
    if has_drop && ending.is_none() {
        return Err(dropped);
    }
    if def.public && is_public(&names.source(def.file).text, field.span) {
        return Err(Reason::Escapes(field.span, "everyone can take it out of the field"));
    }
    if !index.makes(names, field.owner) {
        return Err(Reason::Context("no value of the type is made here"));
    }
    if index.is_opaque(field.name) {
        return Err(Reason::Escapes(field.span, "a macro names it"));
    }
    let class = field.rule.rule.class.as_str();
    let kept = Kept::Field(field.owner, field.name);
    let dropping = drop_steps(checker, field.owner);
    let private = is_private(&names.source(def.file).text, field.span);
    let mut ends = Vec::new();
    for site in index.sites(checker, field.name) {
        let in_drop = site.function.is_some_and(|id| dropping.contains(&id));
        if private && !sees_private(names, &site, def.module) {
            continue;
        }
        for (node, found) in uses(checker.world, &site, kept) {
            let span = if site.file == def.file { site.graph.node(node).span } else { field.span };
            match found {
                Use::Set => {}
                Use::Passed(call, number) if only_looks(checker, call, number, class) => {}
                Use::Away | Use::Passed(..) => {
                    return Err(Reason::Escapes(span, "it is passed on"));
                }
                Use::Method(call, ty) => {
                    if !harmless(checker.world, call, &ty, class) {
                        return Err(Reason::Released(span));
                    }
                    if !in_drop {
                        continue;
                    }
                    if ending.is_some_and(|class| classes_of(checker.world, call).contains(&class))
                    {
                        ends.push((Role::Step, span, "it is ended here".to_owned()));
                    } else if !super::uses::reaches(call.name.as_str()) {
                        // What is asked for there may be what the release is done by.
                        return Err(dropped);
                    }
                }
            }
        }
    }
    if has_drop && ends.is_empty() { Err(dropped) } else { Ok(ends) }
}

/// The `drop` of a type, and the functions of the package that it calls.
fn drop_steps(checker: &Checker<'_>, id: TypeId) -> FxHashSet<FnId> {
    let def = checker.world.names.type_def(id);
    let of_drop = def.traits.iter().filter(|(of, _)| of.as_str() == "Drop");
    let mut steps: FxHashSet<FnId> =
        of_drop.flat_map(|(_, methods)| methods.iter().copied()).collect();
    let sites: Vec<_> = steps.iter().filter_map(|&id| checker.bodies.of_function(id)).collect();
    for site in sites {
        steps.extend(site.graph.calls().filter_map(|(_, call)| match call.target {
            Target::Own(id) => Some(id),
            _ => None,
        }));
    }
    steps
}

/// Written without any `pub`.
fn is_private(text: &str, span: Span) -> bool {
    let before = text.get(..span.start as usize).unwrap_or_default();
    let before = before.rsplit(['\n', '{', '(', ',']).next().unwrap_or_default().trim();
    before.is_empty() || before.ends_with(']')
}

/// Whether a body is in a module or below it: only there are its private fields known.
fn sees_private(names: &Names, site: &Site, module: ModId) -> bool {
    let Some(id) = site.function else { return true };
    let mut at = Some(names.function(id).module);
    while let Some(inner) = at {
        if inner == module {
            return true;
        }
        at = names.module(inner).parent;
    }
    false
}

/// Whether a function of the package leaves its argument of this number where it is.
fn only_looks(checker: &Checker<'_>, call: &Call, number: usize, class: &str) -> bool {
    let Target::Own(id) = call.target else { return false };
    let number = number + usize::from(call.receiver.is_some());
    checker.summaries.param(id, number, class, false) == ParamFate::Kept
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
