//! What leads to a step: a service, users of a library, or only a command that somebody waits for.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::model::{AttributeMeaning, Context, Effect};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, LoopKind, NodeId, NodeKind, Value};
use crate::lint::ir::Path;
use crate::lint::names::FnId;
use crate::lint::types::Target;

use super::callers::Callers;
use super::doing::is_lazy;
use super::{classes_of, context, detached};

/// Functions looked at on the ways back; with more of them nobody can say.
const MOST: usize = 1_500;

/// Who gets to a step; what comes later counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// `main` alone: when the command ends everything ends, and somebody waits for that.
    Command,
    /// Nobody is seen to call it.
    Unseen,
    /// Users of the library.
    Offered,
    /// A loop without a known end, a task that nobody waits for, a handler.
    Service,
}

impl Reach {
    /// Why a rule takes it less seriously, when it does.
    pub(super) fn milder(self, within: &[Context]) -> Option<&'static str> {
        let (context, why) = match self {
            Self::Command => (Context::Command, "somebody waits for the command, and ends it"),
            Self::Unseen => (Context::Unseen, "nothing that is seen leads to it"),
            Self::Offered => (Context::Offered, "only users of the library call it"),
            Self::Service => return None,
        };
        within.contains(&context).then_some(why)
    }
}

/// Methods that run a closure before they return, or whose closures are run by who goes through
/// what they return.
const RUN_HERE: &[&str] = &[
    "map",
    "for_each",
    "filter",
    "filter_map",
    "flat_map",
    "find",
    "find_map",
    "fold",
    "try_fold",
    "try_for_each",
    "any",
    "all",
    "and_then",
    "then",
    "map_err",
    "map_or",
    "map_or_else",
    "or_else",
    "ok_or_else",
    "unwrap_or_else",
    "inspect",
    "inspect_err",
    "partition",
    "position",
    "retain",
    "take_while",
    "skip_while",
    "with",
    "scope",
    "install",
    "in_scope",
    "catch_unwind",
    "call_once",
    "sort_by",
    "sort_by_key",
    "block_on",
    "get_or_insert_with",
    "with_context",
    "is_some_and",
];

impl Callers<'_> {
    /// What leads to a step, by all ways together.
    pub(super) fn reach(&self, site: &Rc<Site>, node: NodeId) -> Reach {
        // What only calls itself in a circle is reached from nowhere.
        let mut found: Option<Reach> = None;
        let mut seen: FxHashSet<FnId> = FxHashSet::default();
        let mut stack = vec![(Rc::clone(site), node)];
        while let Some((site, node)) = stack.pop() {
            let Some(function) = self.outwards(&site, node) else { return Reach::Service };
            let Some(id) = function else {
                found = found.max(Some(Reach::Unseen));
                continue;
            };
            if !seen.insert(id) {
                continue;
            }
            if seen.len() > MOST {
                return Reach::Unseen;
            }
            match self.origin(id) {
                Origin::Root(reach) => found = found.max(Some(reach)),
                Origin::Calls(calls) => stack.extend(calls),
            }
            if found == Some(Reach::Service) {
                break;
            }
        }
        found.unwrap_or(Reach::Unseen)
    }

    /// Whether nothing calls it, nor can, and the package says that this may be; or only such
    /// functions do.
    pub(super) fn is_dead(&self, id: FnId) -> bool {
        let names = self.world.names;
        // What only calls itself in a circle is not said to be dead.
        let mut said = false;
        let mut seen: FxHashSet<FnId> = FxHashSet::default();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            let function = names.function(id);
            let by_others = context::is_entry(names, id)
                || function.test
                || function.sig.foreign
                || function.of_trait.is_some()
                || !function.meanings.is_empty()
                || names.is_offered(id);
            if by_others || seen.len() > MOST {
                return false;
            }
            let calls = self.of(id).zip(self.values(function.name));
            let Some((calls, _)) = calls.filter(|(_, values)| values.is_empty()) else {
                return false;
            };
            let callers = calls.iter().map(|(site, _)| site.function);
            let Some(callers) = callers.collect::<Option<Vec<FnId>>>() else { return false };
            if callers.is_empty() && !function.may_be_dead {
                return false;
            }
            said |= callers.is_empty();
            stack.extend(callers);
        }
        said
    }

    /// The function around a step that runs at most as often as the function is called, and that
    /// is waited for; nothing when it is of a service. In an initialiser there is no function.
    fn outwards(&self, site: &Site, node: NodeId) -> Option<Option<FnId>> {
        let graph = &site.graph;
        if self.goes_round(site, node) {
            return None;
        }
        if let Some(call) = graph.call_at(node)
            && is_lazy(graph, call)
            && !self.is_waited_for(site, call.to, true)
        {
            return None;
        }
        let Some((parent, made)) = &site.parent else { return Some(site.function) };
        let made = (*made)?;
        let NodeKind::Assign { to, .. } = &parent.graph.node(made).kind else { return None };
        let params = graph.locals.iter().any(|local| local.kind == LocalKind::Param);
        let block = graph.is_async && !params;
        self.is_waited_for(parent, to.local, block).then(|| self.outwards(parent, made)).flatten()
    }

    /// A loop without a known end is around it.
    fn goes_round(&self, site: &Site, node: NodeId) -> bool {
        let graph = &site.graph;
        let mut kinds = graph.loops_around(node).map(|around| around.kind).peekable();
        // A `for` ends with what it goes through; what comes from others does not.
        kinds.peek().is_some()
            && (kinds.any(|kind| kind != LoopKind::For)
                || graph.calls().any(|(_, call)| {
                    call.effects.contains(&Effect::Endless)
                        || classes_of(self.world, call).contains(&"accept")
                })
                || graph
                    .locals
                    .iter()
                    .any(|local| self.world.classes(&local.ty).contains(&"channel-receiver")))
    }

    /// Whether a future or, when it is no `block`, a closure is run by the body that has it, or
    /// by something that this body waits for.
    fn is_waited_for(&self, site: &Site, made: LocalId, block: bool) -> bool {
        let graph = &site.graph;
        let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
        // Steps stand in the order of the text: one pass follows what is bound and passed on.
        for id in graph.ids() {
            match &graph.node(id).kind {
                NodeKind::Assign { to, value } if same.iter().any(|&local| value.uses(local)) => {
                    let stored = to.local == graph.result
                        || matches!(value, Value::Parts { written: true, .. });
                    if stored && !block {
                        return false;
                    }
                    same.insert(to.local);
                }
                NodeKind::Call(call) => {
                    let taken = call.receiver.iter().chain(&call.args).any(|operand| {
                        operand.place().is_some_and(|place| same.contains(&place.local))
                    });
                    if !taken {
                        continue;
                    }
                    if call.effects.contains(&Effect::Spawns) {
                        let left = call.effects.contains(&Effect::Detaches)
                            && detached::kept(self.world, site, id, call).is_none();
                        if left {
                            return false;
                        }
                    } else if block {
                        same.insert(call.to);
                    } else if !self.runs_here(call, &same) {
                        return false;
                    }
                }
                _ => {}
            }
        }
        true
    }

    /// Whether a call runs the closures that it is given, and only while it lasts.
    fn runs_here(&self, call: &Call, given: &FxHashSet<LocalId>) -> bool {
        let Target::Own(id) = &call.target else {
            return RUN_HERE.contains(&call.name.as_str())
                || classes_of(self.world, call).contains(&"once-init");
        };
        let Some(site) = self.bodies.of_function(*id) else { return false };
        let graph = &site.graph;
        // The receiver comes first among the parameters.
        let operands = call.receiver.iter().chain(&call.args).zip(&graph.params);
        let mut params = operands.filter(|(operand, _)| {
            operand.place().is_some_and(|place| given.contains(&place.local))
        });
        params.all(|(_, &param)| {
            let on_it = |called: &Call| {
                let place = called.receiver.as_ref().and_then(|receiver| receiver.place());
                place.is_some_and(|place| place.local == param)
            };
            let mut runs = graph
                .calls()
                .filter(|(_, called)| called.name.as_str() == "call" && on_it(called))
                .peekable();
            runs.peek().is_some() && runs.all(|(node, _)| !self.goes_round(&site, node))
        })
    }

    /// Who calls a function.
    fn origin(&self, id: FnId) -> Origin {
        let names = self.world.names;
        if context::is_entry(names, id) {
            return Origin::Root(Reach::Command);
        }
        let function = names.function(id);
        let by_others = function.meanings.contains(&AttributeMeaning::Handler)
            || function.sig.foreign
            || function.of_trait.as_ref().is_some_and(|of| !self.is_own_trait(of));
        if by_others {
            return Origin::Root(Reach::Service);
        }
        let calls = self.of(id).zip(self.values(function.name));
        let Some((mut calls, values)) = calls else { return Origin::Root(Reach::Unseen) };
        calls.retain(|(site, _)| site.function != Some(id));
        for (site, local) in values {
            let used = site.graph.ids().find(|&at| site.graph.node(at).kind.uses(local));
            let Some(used) = used.filter(|_| self.is_waited_for(&site, local, false)) else {
                return Origin::Root(Reach::Service);
            };
            calls.push((site, used));
        }
        if !calls.is_empty() {
            return Origin::Calls(calls);
        }
        let offered = names.is_offered(id);
        Origin::Root(if offered { Reach::Offered } else { Reach::Unseen })
    }

    fn is_own_trait(&self, path: &Path) -> bool {
        path.last().is_some_and(|last| self.world.names.declares_trait(last.name))
    }
}

/// Where calls of a function come from.
enum Origin {
    Root(Reach),
    Calls(Vec<(Rc<Site>, NodeId)>),
}
