//! unset-bound: a value with bounds of which the wanted ones are not set.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::catalog::model::{BoundDefault, Engine, Handle};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::Span;
use crate::lint::types::{Target, Ty, World};

use super::{Checker, Outcome, Reason, Reported, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnsetBound);
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let Target::Api(ids, _) = &call.target else { continue };
            for &id in ids {
                let fact = &checker.world.facts.api(id).fact;
                let Some(class) = &fact.finishes else { continue };
                if !rules.iter().any(|known| known.rule.class == *class) {
                    continue;
                }
                let mut trace = Trace::new(checker, site);
                trace.call(node, call);
                let at = fact.at.unwrap_or(Handle::Receiver);
                if fact.bounds.is_empty() {
                    trace.operand(operand(call, at));
                }
                let span = site.graph.node(node).span;
                let outcomes: Vec<_> = rules
                    .iter()
                    .filter(|known| known.rule.class == *class)
                    .map(|&known| (known, judge(checker, known, site, node, call, &trace)))
                    .collect();
                for (known, outcome) in outcomes {
                    checker.add(known, site, span, call.evidence, outcome);
                }
            }
        }
    }
}

fn operand(call: &Call, at: Handle) -> Option<&Operand> {
    match at {
        Handle::Arg(number) => call.args.get(usize::from(number)),
        _ => call.receiver.as_ref().or_else(|| call.args.first()),
    }
}

fn judge(
    checker: &Checker<'_>,
    known: &crate::catalog::LintRule,
    site: &Site,
    node: NodeId,
    call: &Call,
    trace: &Trace<'_>,
) -> Outcome {
    let when = &known.rule.when;
    if trace.unknown || trace.bounds.is_empty() {
        return Outcome::Silent(Reason::UnknownOrigin);
    }
    let contexts = context::contexts(checker.world, site, node);
    if let Err(reason) = context::fits(when, &contexts) {
        return Outcome::Silent(Reason::Context(reason));
    }
    if let Some(with) = &when.with
        && !under(checker, site, node, with)
    {
        return Outcome::Silent(Reason::Context("no call of the wanted class is around it"));
    }
    let bounded = |name: &str| {
        trace.sets.contains_key(name)
            || matches!(
                trace.bounds.get(name),
                Some(BoundDefault::Bounded(true) | BoundDefault::Words(_))
            )
    };
    let names: BTreeSet<&str> = when.enough.iter().flatten().map(String::as_str).collect();
    if !names.iter().any(|name| trace.bounds.contains_key(*name)) {
        return Outcome::Silent(Reason::Context("the value has no such bound"));
    }
    if let Some(set) = when.enough.iter().find(|set| set.iter().all(|name| bounded(name))) {
        let span = set.iter().find_map(|name| trace.sets.get(name.as_str()).copied());
        return Outcome::Silent(Reason::Bounded(span.unwrap_or(site.graph.node(node).span)));
    }
    if !when.only_with.iter().all(|name| bounded(name)) {
        return Outcome::Silent(Reason::OtherRule);
    }
    // The milder degrees are other rules: they say `only_with`.
    let mut related: Vec<(Role, Span, String)> = trace
        .sets
        .iter()
        .map(|(name, span)| (Role::Configured, *span, format!("sets {}", name.replace('-', " "))))
        .collect();
    if let Some(made) = trace.made
        && made != site.graph.node(node).span
    {
        related.push((Role::Configured, made, "made here".to_owned()));
    }
    let bound = when.enough.first().map(|set| set.join(" and ")).unwrap_or_default();
    Outcome::Reported(Box::new(Reported {
        item: item(checker.world, call),
        bound: bound.replace('-', " "),
        related,
        ..Reported::default()
    }))
}

/// Whether a call of the class gets the value, or the async block that the step is in.
fn under(checker: &Checker<'_>, site: &Site, node: NodeId, class: &str) -> bool {
    if super::calls::around(checker, site, node, class).is_some() {
        return true;
    }
    site.graph.is_async
        && site.parent.as_ref().is_some_and(|(parent, made)| {
            made.is_some_and(|made| super::calls::around(checker, parent, made, class).is_some())
        })
}

/// What is known about a builder: where it was made, and what was set on any path.
pub(super) struct Trace<'a> {
    world: &'a World<'a>,
    checker: &'a Checker<'a>,
    site: &'a Site,
    seen: FxHashSet<LocalId>,
    pub(super) sets: BTreeMap<String, Span>,
    pub(super) bounds: BTreeMap<String, BoundDefault>,
    pub(super) made: Option<Span>,
    pub(super) unknown: bool,
    depth: u32,
}

/// Functions of the package followed into.
const DEPTH: u32 = 4;

impl<'a> Trace<'a> {
    pub(super) fn new(checker: &'a Checker<'a>, site: &'a Site) -> Self {
        Self {
            world: checker.world,
            checker,
            site,
            seen: FxHashSet::default(),
            sets: BTreeMap::new(),
            bounds: BTreeMap::new(),
            made: None,
            unknown: false,
            depth: DEPTH,
        }
    }

    /// Takes in what a call says; true when it says something.
    fn call(&mut self, node: NodeId, call: &Call) -> bool {
        let Target::Api(ids, _) = &call.target else { return false };
        let span = self.site.graph.node(node).span;
        let mut says = false;
        for &id in ids {
            let fact = &self.world.facts.api(id).fact;
            for name in &fact.sets {
                self.sets.entry(name.clone()).or_insert(span);
                says = true;
            }
            if !fact.bounds.is_empty() {
                says = true;
                self.made = Some(span);
                for (name, default) in &fact.bounds {
                    self.bounds.insert(name.clone(), default.clone());
                }
            }
        }
        says
    }

    fn operand(&mut self, operand: Option<&Operand>) {
        match operand.and_then(Operand::place) {
            Some(place) => self.place(place.clone()),
            None => self.unknown = true,
        }
    }

    /// Everything that may have made or changed the value at a place.
    fn place(&mut self, place: Place) {
        if !self.seen.insert(place.local) {
            return;
        }
        let graph = &self.site.graph;
        let local = graph.local(place.local);
        if matches!(local.kind, LocalKind::Param | LocalKind::Captured) {
            self.unknown = true;
            return;
        }
        let mut made = false;
        for id in graph.ids() {
            match &graph.node(id).kind {
                NodeKind::Assign { to, value } if to.local == place.local => {
                    made = true;
                    self.assigned(id, &to.path, value);
                }
                NodeKind::Await { to, what } if to.local == place.local => {
                    made = true;
                    self.operand(Some(what));
                }
                NodeKind::Call(call) => {
                    if call.to == place.local {
                        made = true;
                        self.maker(id, call);
                    } else if uses(call, place.local) {
                        self.used(id, call, place.local);
                    }
                }
                _ => {}
            }
        }
        if !made {
            self.unknown = true;
        }
    }

    fn assigned(&mut self, id: NodeId, path: &[Part], value: &Value) {
        match value {
            Value::Use(operand) => match path {
                // `config.timeout = …`
                [Part::Field(name)] => self.field(id, name.as_str()),
                _ => match operand {
                    Operand::Move(place) | Operand::Ref(place) => self.place(place.clone()),
                    _ => {}
                },
            },
            Value::Parts { parts, rest, written } => {
                if *written {
                    for (part, operand) in parts {
                        let none =
                            matches!(operand, Operand::Const(name) if name.as_str() == "None");
                        if let (Part::Field(name), false) = (part, none) {
                            self.field(id, name.as_str());
                        }
                    }
                    match rest {
                        Some(Operand::Move(place) | Operand::Ref(place)) => {
                            self.place(place.clone())
                        }
                        _ => self.unknown |= rest.is_some(),
                    }
                } else {
                    for (_, operand) in parts {
                        self.operand(Some(operand));
                    }
                }
            }
            _ => self.unknown = true,
        }
    }

    /// A field of a config struct is set.
    fn field(&mut self, id: NodeId, name: &str) {
        let graph = &self.site.graph;
        let NodeKind::Assign { to, .. } = &graph.node(id).kind else { return };
        let ty = graph.local(to.local).ty.clone();
        if let Ty::Foreign(path, _) = ty.bare()
            && let Some(fact) = self.world.facts.type_fact(*path)
            && let Some(bound) = fact.fields.get(name)
        {
            self.sets.entry(bound.clone()).or_insert(graph.node(id).span);
        }
    }

    /// The call that made the value.
    fn maker(&mut self, id: NodeId, call: &Call) {
        let made_before = self.made.is_some();
        let says = self.call(id, call);
        if self.made.is_some() && !made_before {
            return;
        }
        match &call.target {
            Target::Own(function) => self.own(*function, call),
            Target::Api(..) | Target::Unknown(_) | Target::Shape(_) => match &call.receiver {
                Some(receiver) => self.operand(Some(receiver)),
                None if says => self.operand(call.args.first()),
                None => self.unknown = true,
            },
            _ => self.unknown = true,
        }
    }

    /// A function of the package that makes the value, or passes it through.
    fn own(&mut self, function: crate::lint::names::FnId, call: &Call) {
        let Some(site) = self.checker.bodies.of_function(function).filter(|_| self.depth > 0)
        else {
            self.unknown = true;
            return;
        };
        let result = Place::of(site.graph.result);
        let mut inner = Trace { depth: self.depth - 1, ..Trace::new(self.checker, &site) };
        inner.place(result);
        let (sets, bounds, unknown) = (inner.sets, inner.bounds, inner.unknown);
        // Spans of another file mean nothing here.
        let here =
            self.site.graph.node(self.site.graph.local(call.to).def.unwrap_or(NodeId(0))).span;
        self.sets.extend(sets.into_keys().map(|name| (name, here)));
        self.bounds.extend(bounds);
        self.unknown |= unknown;
    }

    /// A call that uses the value without making it: a setter, or something that may set.
    fn used(&mut self, id: NodeId, call: &Call, local: LocalId) {
        self.call(id, call);
        let by_receiver = call
            .receiver
            .as_ref()
            .and_then(Operand::place)
            .is_some_and(|place| place.local == local);
        // A setter that gives back what it was called on: the chain goes on there.
        let graph = &self.site.graph;
        let given = graph.local(call.to).ty.bare();
        if by_receiver && !given.is_unknown() && given == graph.local(local).ty.bare() {
            self.place(Place::of(call.to));
        }
        if !by_receiver && matches!(call.target, Target::Own(_) | Target::Unknown(_)) {
            // Passed on: somebody else may have set anything.
            let finishes = false;
            self.unknown |= !finishes;
        }
    }
}

fn uses(call: &Call, local: LocalId) -> bool {
    call.receiver
        .iter()
        .chain(&call.args)
        .any(|operand| operand.place().is_some_and(|place| place.local == local))
}
