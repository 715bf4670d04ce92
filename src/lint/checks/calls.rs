//! call and forget: a call that is wrong by its class alone.

use crate::catalog::model::Engine;
use crate::lint::types::Target;

use super::{Checker, Outcome, Reason, Reported, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let mut rules = checker.of_engine(Engine::Call);
    rules.extend(checker.of_engine(Engine::Forget));
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let Target::Api(ids, _) = &call.target else { continue };
            let facts = ids.iter().map(|&id| &checker.world.facts.api(id).fact);
            let classes: Vec<&str> =
                facts.flat_map(|fact| fact.classes.iter().map(String::as_str)).collect();
            for &known in &rules {
                let rule = &known.rule;
                if !classes.contains(&rule.class.as_str()) {
                    continue;
                }
                let span = site.graph.node(node).span;
                let contexts = context::contexts(checker.world, site, node);
                let mut silent = context::fits(&rule.when, &contexts).err().map(Reason::Context);
                if let (Some(with), None) = (&rule.when.with, silent) {
                    silent = with_class(checker, site, call, with);
                }
                let outcome = match silent {
                    Some(reason) => Outcome::Silent(reason),
                    None => Outcome::Reported(Box::new(Reported {
                        item: item(checker.world, call),
                        ..Reported::default()
                    })),
                };
                checker.add(known, site, span, call.evidence, outcome);
            }
        }
    }
}

/// The value that is given away must be of this class, and nothing may have been taken out of it.
fn with_class(
    checker: &Checker<'_>,
    site: &crate::lint::bodies::Site,
    call: &crate::lint::cfg::Call,
    class: &str,
) -> Option<Reason> {
    let given = call.args.first().or(call.receiver.as_ref())?;
    let place = given.place()?;
    let ty = &site.graph.local(place.local).ty;
    if !place.path.is_empty() || !checker.world.classes(ty).contains(&class) {
        return Some(Reason::Context("the value is not of the class the rule is about"));
    }
    let taken = site.graph.calls().find(|(_, other)| {
        let raw = other.name.as_str();
        let reads = raw.starts_with("as_raw") || raw == "read" || raw == "as_fd";
        reads
            && other
                .receiver
                .iter()
                .chain(&other.args)
                .any(|operand| operand.place().is_some_and(|at| at.local == place.local))
    });
    taken.map(|(node, _)| {
        Reason::Escapes(site.graph.node(node).span, "the raw handle was taken out before")
    })
}
