//! Explains a line: how each call on it resolved, and what engines made of every candidate.

use crate::catalog::model::ApiFact;

use super::bodies::Bodies;
use super::checks::{Candidate, Outcome, short};
use super::findings::Lines;
use super::names::{FileId, Names};
use super::types::{Evidence, Target, Ty, World};

/// Sentences about a line, from 1.
pub(crate) fn explain(
    world: &World<'_>,
    bodies: &Bodies<'_>,
    candidates: &[Candidate<'_>],
    file: FileId,
    line: u32,
) -> Vec<String> {
    let names = world.names;
    let lines = Lines::of(names, file);
    let mut told = Vec::new();
    for id in names.fn_ids() {
        let function = names.function(id);
        let Some(body) = function.body.filter(|_| function.file == file) else { continue };
        let span = names.source(file).file.bodies[body.0 as usize].span;
        if !(lines.line(span.start)..=lines.line(span.end)).contains(&line) {
            continue;
        }
        let Some(site) = bodies.of_function(id) else { continue };
        for site in bodies.with_nested(&site) {
            for (node, call) in site.graph.calls() {
                if lines.line(site.graph.node(node).span.start) == line {
                    told.push(call_sentence(world, call));
                }
            }
        }
    }
    for candidate in candidates {
        if candidate.file == file && lines.line(candidate.span.start) == line {
            told.push(outcome_sentence(candidate, &lines));
        }
    }
    if told.is_empty() {
        told.push("no call on this line is in a body that was looked at".to_owned());
    }
    told.dedup();
    told
}

fn call_sentence(world: &World<'_>, call: &super::cfg::Call) -> String {
    let sure = match call.evidence {
        Evidence::Resolved => "resolved",
        Evidence::Probable => "probable, by its name",
        Evidence::Unknown => "not known",
    };
    let target = match &call.target {
        Target::Api(ids, path) => {
            let facts: Vec<String> =
                ids.iter().flat_map(|&id| words(&world.facts.api(id).fact)).collect();
            format!(
                "{path} ({sure}; {})",
                if facts.is_empty() { "no effect".into() } else { facts.join(", ") }
            )
        }
        Target::Own(id) => format!("{} of this package ({sure})", world.names.qualified(*id)),
        Target::Foreign(path) => format!("{path} (no facts)"),
        Target::Shape(name) => format!("{name} of Option or Result"),
        _ => format!("a function that is {sure}"),
    };
    let receiver = match &call.receiver {
        Some(_) => format!(" on {}", shown(world.names, &call.receiver_ty)),
        None => String::new(),
    };
    format!("`{}`{receiver} is {target}", call.name)
}

fn words(fact: &ApiFact) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |what: &str, which: &str| words.push(format!("{what} {which}"));
    if let Some(class) = &fact.acquires {
        say("acquires", class);
    }
    for class in &fact.releases {
        say("releases", class);
    }
    for class in &fact.classes {
        say("is a", class);
    }
    for bound in &fact.sets {
        say("sets", bound);
    }
    if let Some(class) = &fact.finishes {
        say("finishes", class);
    }
    words
}

fn shown(names: &Names, ty: &Ty) -> String {
    match ty {
        Ty::Foreign(path, args) if args.is_empty() => format!("`{}`", short(path.as_str())),
        Ty::Foreign(path, args) => {
            let args: Vec<String> = args.iter().map(|arg| shown(names, arg)).collect();
            format!("`{}` of {}", short(path.as_str()), args.join(" and "))
        }
        Ty::Own(id, _) => format!("`{}`", names.type_def(*id).name),
        Ty::Ref(inner) => format!("a reference to {}", shown(names, inner)),
        Ty::Ptr(inner) => format!("a pointer to {}", shown(names, inner)),
        Ty::Future(inner) => format!("a future of {}", shown(names, inner)),
        Ty::Slice(inner) => format!("a list of {}", shown(names, inner)),
        Ty::Fn(inner) => format!("a function that returns {}", shown(names, inner)),
        Ty::Tuple(_) => "a tuple".to_owned(),
        Ty::Traits(_) => "something known by its traits".to_owned(),
        Ty::Int => "a number".to_owned(),
        Ty::Bool => "a truth value".to_owned(),
        Ty::Never | Ty::Unknown => "a value of unknown type".to_owned(),
    }
}

fn outcome_sentence(candidate: &Candidate<'_>, lines: &Lines<'_>) -> String {
    let rule = &candidate.rule.rule.id;
    match &candidate.outcome {
        Outcome::Reported(reported) => match reported.milder {
            Some(why) => format!("{rule}: reported, one degree lower: {why}"),
            None => format!("{rule}: reported"),
        },
        Outcome::Silent(reason) => {
            let place = reason.span().map(|span| format!(" (line {})", lines.line(span.start)));
            format!("{rule}: silent, {}{}", reason.sentence(), place.unwrap_or_default())
        }
    }
}
