//! late-deadline: a wait in the argument of a deadline, over before the deadline begins.

use std::cell::OnceCell;

use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{NodeId, NodeKind};

use super::doing::Doing;
use super::held::maker;
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::LateDeadline);
    if rules.is_empty() {
        return;
    }
    let doing = OnceCell::new();
    for site in checker.sites {
        for (deadline, call) in super::calls(site) {
            let classes = classes_of(checker.world, call);
            for &known in &rules {
                if !classes.contains(&known.rule.class.as_str()) {
                    continue;
                }
                for (awaited, wait) in waits_within(site, deadline) {
                    let doing = doing.get_or_init(|| Doing::new(checker.world, checker.bodies));
                    let does = doing.step(site, awaited);
                    let contexts = context::contexts(checker.world, site, awaited);
                    let outcome = match context::fits(&known.rule.when, &contexts) {
                        Err(reason) => Outcome::Silent(Reason::Context(reason)),
                        Ok(()) if !does.waits => {
                            Outcome::Silent(Reason::Context("it waits for no peer"))
                        }
                        Ok(()) if does.bounds => {
                            Outcome::Silent(Reason::Context("it has a limit of its own"))
                        }
                        Ok(()) => reported(checker, site, deadline, wait),
                    };
                    checker.add(known, site, wait, call.evidence, outcome);
                }
            }
        }
    }
}

/// Awaits of this body that stand in an argument of the call, with the calls that are awaited.
fn waits_within(site: &Site, deadline: NodeId) -> Vec<(NodeId, NodeId)> {
    let graph = &site.graph;
    let around = graph.node(deadline).span;
    let inside = graph.ids().filter(|&id| {
        let node = graph.node(id);
        matches!(node.kind, NodeKind::Await { .. })
            && around.start <= node.span.start
            && node.span.end <= around.end
    });
    inside.filter_map(|id| Some((id, maker(graph, id)?))).collect()
}

fn reported(checker: &Checker<'_>, site: &Site, deadline: NodeId, wait: NodeId) -> Outcome {
    let graph = &site.graph;
    let item = |id| graph.call_at(id).map(|call| item(checker.world, call)).unwrap_or_default();
    let span = graph.node(deadline).span;
    Outcome::Reported(Box::new(Reported {
        item: item(wait),
        other: item(deadline),
        related: vec![(Role::Configured, span, "the limit that begins too late".to_owned())],
        ..Reported::default()
    }))
}
