//! Where code runs: in tests, once, per call, per request, in a loop.

use crate::catalog::model::{AttributeMeaning, Context, When};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, Loop, LoopKind, NodeId};
use crate::lint::ir::Receiver;
use crate::lint::names::{FnId, Names, Side};
use crate::lint::types::{Target, World};

/// Tests, benches, examples, build scripts: code that no service runs.
pub(crate) fn in_tests(names: &Names, id: FnId) -> bool {
    let function = names.function(id);
    let module = names.module(function.module);
    function.test
        || module.test
        || module.side == Side::Aside
        || function
            .meanings
            .iter()
            .any(|meaning| matches!(meaning, AttributeMeaning::Test | AttributeMeaning::Bench))
        || function.within.is_some_and(|outer| in_tests(names, outer))
}

/// What is known about where a step runs.
pub(super) fn contexts(world: &World<'_>, site: &Site, node: NodeId) -> Vec<Context> {
    let mut contexts = Vec::new();
    // A closure in an async body runs wherever it is called.
    if site.graph.is_async {
        contexts.push(Context::Async);
    }
    let mut at = Some((site, Some(node)));
    while let Some((site, node)) = at {
        // A `for` ends with what it goes through.
        let looped = node.is_some_and(|node| {
            site.graph.loops_around(node).any(|around| around.kind != LoopKind::For)
        });
        if looped && !contexts.contains(&Context::Loop) {
            contexts.push(Context::Loop);
        }
        if runs_once(world, site) {
            contexts.push(Context::Once);
            return contexts;
        }
        at = site.parent.as_ref().map(|(parent, node)| (&**parent, *node));
    }
    let Some(id) = site.function else {
        contexts.push(Context::Once);
        return contexts;
    };
    let function = world.names.function(id);
    let side = world.names.module(function.module).side;
    if function.meanings.contains(&AttributeMeaning::Handler) {
        contexts.push(Context::Handler);
    }
    if side == Side::Bin {
        contexts.push(Context::Binary);
    }
    if is_entry(world.names, id) {
        contexts.push(Context::Once);
    } else if is_constructor(world, id) {
        contexts.push(Context::Constructor);
    } else {
        contexts.push(Context::Function);
        if function.sig.receiver != Receiver::None {
            contexts.push(Context::Method);
        }
    }
    contexts
}

/// A closure that is given to something that runs it only once.
fn runs_once(world: &World<'_>, site: &Site) -> bool {
    let Some((parent, Some(made))) = &site.parent else { return false };
    taken_by(&parent.graph, *made)
        .any(|(_, call)| super::classes_of(world, call).contains(&"once-init"))
}

/// Whether a loop around the step makes a call of the class, too.
pub(super) fn shares_loop(
    checker: &super::Checker<'_>,
    site: &Site,
    id: NodeId,
    class: &str,
) -> bool {
    site.graph.loops_around(id).any(|round| loop_makes(checker, site, round, class))
}

/// Whether a loop makes a call of the class.
pub(super) fn loop_makes(
    checker: &super::Checker<'_>,
    site: &Site,
    round: &Loop,
    class: &str,
) -> bool {
    let graph = &site.graph;
    graph
        .calls()
        .any(|(other, call)| graph.is_in(other, round) && has_class(checker, call, class, 2))
}

/// A call of the class, or of a function of the package that makes one.
fn has_class(checker: &super::Checker<'_>, call: &Call, class: &str, depth: u32) -> bool {
    if let Target::Own(id) = &call.target {
        let site = checker.bodies.of_function(*id).filter(|_| depth > 0);
        return site.is_some_and(|site| {
            site.graph.calls().any(|(_, call)| has_class(checker, call, class, depth - 1))
        });
    }
    super::classes_of(checker.world, call).contains(&class)
}

/// Calls that get what a step makes as an argument.
pub(super) fn taken_by(graph: &Graph, made: NodeId) -> impl Iterator<Item = (NodeId, &Call)> {
    graph.calls().filter(move |(_, call)| {
        call.args.iter().any(|arg| {
            let local = arg.place().map(|place| graph.local(place.local));
            local.is_some_and(|local| local.def == Some(made))
        })
    })
}

/// `main` and the like: it runs once, and the process ends with it.
pub(super) fn is_entry(names: &Names, id: FnId) -> bool {
    let function = names.function(id);
    function.meanings.contains(&AttributeMeaning::Entry)
        || function.name.as_str() == "main"
            && function.of.is_none()
            && names.module(function.module).parent.is_none()
}

/// It makes a value of the type that it belongs to, or is called like something that sets up.
fn is_constructor(world: &World<'_>, id: FnId) -> bool {
    let function = world.names.function(id);
    let name = function.name.as_str();
    let named = ["new", "default", "build", "init", "setup", "create", "connect", "start", "from"]
        .iter()
        .any(|word| {
            name == *word
                || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'))
                || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('_'))
        });
    let returned = world.ty(&function.sig.returns, world.scope(id));
    let inside = match &returned {
        crate::lint::types::Ty::Foreign(..) => returned.payload(),
        other => other.clone(),
    };
    let makes_self = matches!(
        (&inside, &returned, function.of_type),
        (crate::lint::types::Ty::Own(made, _), _, Some(of))
            | (_, crate::lint::types::Ty::Own(made, _), Some(of)) if *made == of
    );
    named || makes_self
}

/// Whether a rule wants to be asked here; the reason when not.
pub(super) fn fits(when: &When, contexts: &[Context]) -> Result<(), &'static str> {
    if !when.within.is_empty() && !when.within.iter().any(|context| contexts.contains(context)) {
        return Err("the rule is about other places");
    }
    if when.not_within.iter().any(|context| contexts.contains(context)) {
        return Err("the rule leaves such places alone");
    }
    Ok(())
}
