//! built-per-call: a costly value that is made, used and thrown away each time a function runs.

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{Context, Effect, Engine};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Edge, LocalId, LocalKind, NodeId, NodeKind, Operand, Test, Value};
use crate::lint::ir::Span;
use crate::lint::types::{Target, Ty};

use super::startup::Startup;
use super::{Checker, Outcome, Reason, Reported, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::BuiltPerCall);
    if rules.is_empty() {
        return;
    }
    let mut callers = None;
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let classes = super::classes_of(checker.world, call);
            for &known in rules.iter().filter(|known| classes.contains(&known.rule.class.as_str()))
            {
                let callers = callers.get_or_insert_with(|| Startup::new(checker.world.names));
                let outcome = match silent(checker, callers, known, site, node, call) {
                    Some(reason) => Outcome::Silent(reason),
                    None => Outcome::Reported(Box::new(Reported {
                        item: item(checker.world, call),
                        ..Reported::default()
                    })),
                };
                checker.add(known, site, node, call.evidence, outcome);
            }
        }
    }
}

fn silent(
    checker: &Checker<'_>,
    callers: &Startup,
    known: &LintRule,
    site: &Site,
    node: NodeId,
    call: &Call,
) -> Option<Reason> {
    let mut contexts = context::contexts(checker.world, site, node);
    let again = repeats(site, node, call);
    if contexts.contains(&Context::Loop) && !again && !around_loops(site) {
        // A loop that is left as soon as it worked tries again; it does not repeat.
        contexts.retain(|context| *context != Context::Loop);
    } else if again && !contexts.contains(&Context::Loop) {
        // A `for` ends, but it does this for each of what it goes through.
        contexts.push(Context::Loop);
    }
    if let Err(reason) = context::fits(&known.rule.when, &contexts) {
        return Some(Reason::Context(reason));
    }
    if !contexts.contains(&Context::Loop) {
        if contexts.contains(&Context::Once) {
            return Some(Reason::Context("it runs once"));
        }
        if contexts.contains(&Context::Constructor) {
            return Some(Reason::Context("it is made for a new value"));
        }
        if let Some(id) = site.function
            && callers.once(checker.world.names, id)
        {
            return Some(Reason::Context("only `main` leads here"));
        }
        if own_thread(site) || is_thread(checker, site) {
            return Some(Reason::Context("it is made for a thread or task of its own"));
        }
    }
    // One-shot calls throw the client away themselves.
    if known.rule.class == "http-call" {
        return None;
    }
    let mut life = Life { checker, site, same: FxHashSet::default(), escape: None, depth: 2 };
    life.follow(call.to);
    if let Some((span, how)) = life.escape {
        return Some(Reason::Escapes(span, how));
    }
    if inner_loop(site, node, &life.same) {
        return Some(Reason::Context("it is used in a loop of its own"));
    }
    None
}

/// A loop around the closure that this is, in the bodies around.
fn around_loops(site: &Site) -> bool {
    let mut at = site.parent.as_ref();
    while let Some((parent, node)) = at {
        if node.is_some_and(|node| parent.graph.loops_around(node).next().is_some()) {
            return true;
        }
        at = parent.parent.as_ref();
    }
    false
}

/// Whether the innermost loop goes on after the call worked.
fn repeats(site: &Site, node: NodeId, call: &Call) -> bool {
    let graph = &site.graph;
    let Some(around) = graph.loops_around(node).next() else { return false };
    let mut same: FxHashSet<LocalId> = FxHashSet::default();
    same.insert(call.to);
    let mut seen = vec![false; graph.nodes.len()];
    let mut stack: Vec<NodeId> = graph.node(node).next.iter().map(|&(_, next)| next).collect();
    while let Some(id) = stack.pop() {
        if id == around.head {
            return true;
        }
        let Some(slot) = seen.get_mut(id.0 as usize) else { continue };
        if std::mem::replace(slot, true) {
            continue;
        }
        match &graph.node(id).kind {
            NodeKind::Assign { to, value: Value::Use(from) }
            | NodeKind::Await { to, what: from }
                if from.place().is_some_and(|place| same.contains(&place.local)) =>
            {
                same.insert(to.local);
            }
            NodeKind::Branch(test) => {
                let wanted = worked(test, &same, true);
                for &(edge, next) in &graph.node(id).next {
                    if wanted.is_none_or(|holds| (edge == Edge::True) == holds) {
                        stack.push(next);
                    }
                }
                continue;
            }
            _ => {}
        }
        stack.extend(graph.node(id).next.iter().map(|&(_, next)| next));
    }
    false
}

/// Whether the test holds when the value was made; none when it tells nothing about that.
fn worked(test: &Test, same: &FxHashSet<LocalId>, holds: bool) -> Option<bool> {
    match test {
        Test::Success(place) if same.contains(&place.local) => Some(holds),
        Test::Not(inner) => worked(inner, same, !holds),
        _ => None,
    }
}

/// The closure or async block goes to a thread or task.
fn own_thread(site: &Site) -> bool {
    let Some((parent, Some(made))) = &site.parent else { return false };
    context::taken_by(&parent.graph, *made).any(|(_, call)| {
        call.effects.iter().any(|effect| matches!(effect, Effect::Spawns | Effect::Detaches))
            || call.name.as_str().contains("spawn")
    })
}

/// A function that is all that threads of its own do: what it makes lives as long as they do.
fn is_thread(checker: &Checker<'_>, site: &Site) -> bool {
    let Some(id) = site.function.filter(|_| site.parent.is_none()) else { return false };
    let Some(calls) = checker.callers.of(id) else { return false };
    // It may be called by a closure inside the one that the thread runs.
    let thread = |caller: &Site| {
        let mut at = caller.parent.as_ref();
        while let Some((parent, Some(made))) = at {
            let mut taken = context::taken_by(&parent.graph, *made);
            if taken
                .any(|(_, call)| super::classes_of(checker.world, call).contains(&"thread-spawn"))
            {
                return true;
            }
            at = parent.parent.as_ref();
        }
        false
    };
    !calls.is_empty() && calls.iter().all(|(caller, _)| thread(caller))
}

/// Whether the value is used in a loop inside the one that makes it: a loop that connects again.
fn inner_loop(site: &Site, node: NodeId, same: &FxHashSet<LocalId>) -> bool {
    let graph = &site.graph;
    let depth = graph.loops_around(node).count();
    graph.calls().any(|(id, call)| {
        let uses = call
            .receiver
            .iter()
            .chain(&call.args)
            .any(|operand| operand.place().is_some_and(|place| same.contains(&place.local)));
        uses && graph.loops_around(id).count() > depth
    })
}

/// The locals that a value goes through in a body, and where it leaves it.
struct Life<'a, 'c> {
    checker: &'a Checker<'c>,
    site: &'a Site,
    same: FxHashSet<LocalId>,
    escape: Option<(Span, &'static str)>,
    /// Functions of the package followed into.
    depth: u32,
}

impl Life<'_, '_> {
    fn follow(&mut self, first: LocalId) {
        self.same.insert(first);
        loop {
            let before = self.same.len();
            for id in self.site.graph.ids() {
                self.step(id);
                if self.escape.is_some() {
                    return;
                }
            }
            if self.same.len() == before {
                return;
            }
        }
    }

    fn has(&self, operand: &Operand) -> bool {
        operand.place().is_some_and(|place| self.same.contains(&place.local))
    }

    fn leaves(&mut self, id: NodeId, how: &'static str) {
        if self.escape.is_none() {
            self.escape = Some((self.site.graph.node(id).span, how));
        }
    }

    fn step(&mut self, id: NodeId) {
        let graph = &self.site.graph;
        match &graph.node(id).kind {
            NodeKind::Assign { to, value } => {
                let taken = match value {
                    Value::Use(operand) => self.has(operand),
                    Value::Parts { parts, rest, .. } => {
                        parts.iter().any(|(_, operand)| self.has(operand))
                            || rest.as_ref().is_some_and(|rest| self.has(rest))
                    }
                    Value::Closure { captured, .. } => {
                        if captured.iter().any(|(local, _)| self.same.contains(local)) {
                            self.leaves(id, "a closure or task takes it");
                        }
                        return;
                    }
                    Value::Opaque(used) => {
                        if used.iter().any(|operand| self.has(operand)) {
                            self.leaves(id, "it goes into something that is not understood");
                        }
                        return;
                    }
                };
                if !taken {
                    return;
                }
                let local = graph.local(to.local);
                let inside = matches!(local.kind, LocalKind::Binding | LocalKind::Temp);
                if !inside {
                    self.leaves(id, "it is returned or stored");
                } else if !matches!(local.ty, Ty::Bool | Ty::Int) {
                    self.same.insert(to.local);
                }
            }
            NodeKind::Await { to, what } if self.has(what) => {
                self.same.insert(to.local);
            }
            NodeKind::Select { futures } if futures.iter().any(|future| self.has(future)) => {
                self.leaves(id, "it goes into something that is not understood");
            }
            NodeKind::Call(call) => self.call(id, call),
            _ => {}
        }
    }

    fn call(&mut self, id: NodeId, call: &Call) {
        let name = call.name.as_str();
        let receives = call.receiver.as_ref().is_some_and(|operand| self.has(operand));
        // What takes it by value gives something made of it, as setters of a value around it do.
        let moves = matches!(call.receiver, Some(Operand::Move(_)));
        if receives && (moves || passes(name)) {
            self.same.insert(call.to);
        } else if receives
            && let Target::Own(function) = &call.target
            && self.keeps(*function, 0)
        {
            self.leaves(id, "it is passed to a function that may keep it");
        }
        let first = usize::from(call.receiver.is_some());
        for (number, arg) in call.args.iter().enumerate() {
            if !self.has(arg) {
                continue;
            }
            let by_value = matches!(arg, Operand::Move(_));
            match &call.target {
                Target::Own(function) => {
                    let keeps = self.keeps(*function, number + first);
                    if keeps {
                        self.leaves(id, "it is passed to a function that may keep it");
                    }
                }
                // A value around it, that lives as long.
                _ if call.receiver.is_none() && wraps(name) => {
                    self.same.insert(call.to);
                }
                Target::Api(_, path) if path.as_str() == "std::mem::drop" => {}
                _ if by_value => self.leaves(id, "it is passed to a function that may keep it"),
                _ => {}
            }
        }
    }

    /// Whether a function of the package lets its parameter outlive the call.
    fn keeps(&self, function: crate::lint::names::FnId, index: usize) -> bool {
        let site = self.checker.bodies.of_function(function).filter(|_| self.depth > 0);
        let Some(site) = site else { return true };
        let Some(&param) = site.graph.params.get(index) else { return true };
        let mut inner = Life {
            checker: self.checker,
            site: &site,
            same: FxHashSet::default(),
            escape: None,
            depth: self.depth - 1,
        };
        inner.follow(param);
        inner.escape.is_some()
    }
}

/// Methods whose result is, or shares, what they are called on.
fn passes(name: &str) -> bool {
    matches!(
        name,
        "clone"
            | "unwrap"
            | "expect"
            | "map_err"
            | "context"
            | "with_context"
            | "wrap_err"
            | "as_ref"
            | "handle"
            | "to_owned"
            | "pool"
            | "inner"
            | "boxed"
    ) || name.starts_with("into_")
}

/// Functions that make a value around what they are given.
fn wraps(name: &str) -> bool {
    matches!(name, "new" | "from" | "Ok" | "Some")
        || name.starts_with("with_")
        || name.starts_with("new_")
}
