//! unset-bound: a value with bounds of which the wanted ones are not set.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::model::{BoundDefault, Engine, Handle};
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Edge, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Test, Value,
};
use crate::lint::ir::{Name, Span};
use crate::lint::names::FnId;
use crate::lint::types::{Target, Ty, World};

use super::near::is_near;
use super::on_uses::{Made, OnUses};
use super::peer_wait::Search;
use super::person::takes_part;
use super::track::moved_on;
use super::users::{asks_for_events, asks_near, users};
use super::{Checker, Outcome, Reason, Reported, context, item};

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::UnsetBound);
    if rules.is_empty() {
        return;
    }
    let elsewhere = OnceCell::new();
    let search = OnceCell::new();
    for site in checker.sites {
        for (node, call) in super::calls(site) {
            let Target::Api(ids, path) = &call.target else { continue };
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
                let mut traces = vec![trace];
                if traces[0].param.is_some() {
                    traces = from_callers(checker, &traces[0]);
                }
                let (later, used) = set_later(checker, site, call.to);
                // Who gets it may set bounds on each use.
                let made = Made { site, call, path: path.as_str(), class };
                let by_users = |names: &[&str]| {
                    let elsewhere = elsewhere.get_or_init(|| OnUses::of(checker));
                    let search = search.get_or_init(|| Search::new(checker));
                    elsewhere.silent(checker, search, &made, names).filter(|_| !used)
                };
                let outcomes: Vec<_> = rules
                    .iter()
                    .filter(|known| known.rule.class == *class)
                    .map(|&known| {
                        let names = known.rule.when.enough.iter().flatten();
                        let names: Vec<&str> = names.map(String::as_str).collect();
                        let set = names.iter().find_map(|name| later.get(*name).copied());
                        let outcome = match set {
                            Some(span) => Outcome::Silent(Reason::Bounded(span)),
                            None => match by_users(&names) {
                                Some(reason) => Outcome::Silent(Reason::Context(reason)),
                                None => judge_all(checker, known, site, node, call, &traces),
                            },
                        };
                        let outcome = match outcome {
                            // A rule about what a deadline does is not answered by one.
                            Outcome::Reported(reported) if known.rule.when.with.is_none() => {
                                let search = search.get_or_init(|| Search::new(checker));
                                let limit = search.limit(site, call, used);
                                limit_of_uses(
                                    search,
                                    limit,
                                    users(checker, site, call.to),
                                    *reported,
                                )
                            }
                            other => other,
                        };
                        (known, outcome)
                    })
                    .collect();
                for (known, outcome) in outcomes {
                    checker.add(known, site, node, call.evidence, outcome);
                }
            }
        }
    }
}

/// Whether a type of the package connects for it: it may have limits of its own.
fn has_own_connector(graph: &Graph, call: &Call) -> bool {
    let is_own = |operand: &Operand| {
        operand.place().is_some_and(|place| {
            place.path.is_empty() && matches!(graph.local(place.local).ty, Ty::Own(..))
        })
    };
    call.name.as_str().contains("connector") && call.args.iter().any(is_own)
}

/// Silent where it has a limit itself, or all that it is used for has.
fn limit_of_uses(
    search: &Search<'_>,
    limit: Option<Reason>,
    used: Option<Vec<(Rc<Site>, NodeId)>>,
    reported: Reported,
) -> Outcome {
    let bounded = |(site, node): &(Rc<Site>, NodeId)| {
        let call = site.graph.call_at(*node);
        call.is_some_and(|call| search.limit(site, call, true).is_some())
    };
    let all = used.as_ref().is_some_and(|used| !used.is_empty() && used.iter().all(bounded));
    match limit {
        Some(reason) => Outcome::Silent(reason),
        None if all => Outcome::Silent(Reason::Context("all that it is used for has a limit")),
        None => Outcome::Reported(Box::new(Reported { used, ..reported })),
    }
}

fn operand(call: &Call, at: Handle) -> Option<&Operand> {
    match at {
        Handle::Arg(number) => call.args.get(usize::from(number)),
        _ => call.receiver.as_ref().or_else(|| call.args.first()),
    }
}

/// What is known of the builder that a function of the package gives its callers: the bounds that it
/// has, and those that are set. Nothing where it may come from elsewhere.
pub(crate) fn built_by(
    checker: &Checker<'_>,
    id: FnId,
) -> Option<(BTreeMap<String, BoundDefault>, BTreeSet<String>)> {
    let site = checker.bodies.of_function(id)?;
    let mut trace = Trace::new(checker, &site);
    trace.place(Place::of(site.graph.result));
    let whole = !trace.unknown && trace.param.is_none() && !trace.bounds.is_empty();
    whole.then(|| (trace.bounds, trace.sets.into_keys().collect()))
}

/// Bounds that are set on what the made value is used for: `client.get(url).timeout(t)`; and
/// whether it is used here at all.
fn set_later(checker: &Checker<'_>, site: &Site, made: LocalId) -> (BTreeMap<String, Span>, bool) {
    let graph = &site.graph;
    let mut used = false;
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    let mut sets = BTreeMap::new();
    // Steps stand in the order of the text: one pass follows what is bound, awaited and chained.
    for id in graph.ids() {
        let from =
            |operand: &Operand| operand.place().is_some_and(|place| same.contains(&place.local));
        let next = match &graph.node(id).kind {
            NodeKind::Assign { to, value: Value::Use(operand) } if from(operand) => to.local,
            NodeKind::Await { to, what } if from(what) => to.local,
            NodeKind::Call(call) if call.receiver.as_ref().is_some_and(from) => {
                if let Target::Api(ids, _) = &call.target {
                    used |= call.receiver.as_ref().is_some_and(from);
                    for &api in ids {
                        for name in &checker.world.facts.api(api).fact.sets {
                            sets.entry(name.clone()).or_insert(graph.node(id).span);
                        }
                    }
                    // `client.execute(request)`
                    for arg in &call.args {
                        let mut given = Trace::new(checker, site);
                        given.operand(Some(arg));
                        sets.extend(given.sets);
                    }
                }
                call.to
            }
            _ => continue,
        };
        same.insert(next);
    }
    (sets, used)
}

/// The traces of a value that came in by a parameter: one for each caller in the package.
fn from_callers<'a>(checker: &'a Checker<'a>, inner: &Trace<'a>) -> Vec<Trace<'a>> {
    let (Some(function), Some(index)) = (inner.site.function, inner.param) else {
        return Vec::new();
    };
    let mut traces = Vec::new();
    for site in checker.sites {
        for (_, call) in site.graph.calls() {
            if call.target != Target::Own(function) {
                continue;
            }
            let given = match (&call.receiver, index) {
                (Some(receiver), 0) => Some(receiver),
                (Some(_), index) => call.args.get(index - 1),
                (None, index) => call.args.get(index),
            };
            let mut trace = Trace::new(checker, site);
            trace.operand(given);
            trace.unknown |= trace.param.is_some() || inner.unknown;
            // Places in the caller mean nothing where the finding is.
            trace.made = None;
            trace.sets = trace.sets.into_keys().map(|name| (name, Span::default())).collect();
            trace.sets.extend(inner.sets.clone());
            trace.steps.clone_from(&inner.steps);
            traces.push(trace);
        }
    }
    traces
}

/// Reported when it is for any of the traces.
fn judge_all(
    checker: &Checker<'_>,
    known: &crate::catalog::LintRule,
    site: &Rc<Site>,
    node: NodeId,
    call: &Call,
    traces: &[Trace<'_>],
) -> Outcome {
    let mut silent = Outcome::Silent(Reason::UnknownOrigin);
    for trace in traces {
        match judge(checker, known, site, node, call, trace) {
            reported @ Outcome::Reported(_) => return reported,
            other => silent = other,
        }
    }
    silent
}

fn judge(
    checker: &Checker<'_>,
    known: &crate::catalog::LintRule,
    site: &Rc<Site>,
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
    if is_near(checker, site, call) || asks_near(checker, site, call.to) {
        return Outcome::Silent(Reason::Context("the other side is on this machine"));
    }
    if is_fall_back(checker, site, node, &known.rule.class) {
        return Outcome::Silent(Reason::OtherRule);
    }
    let other = match &when.with {
        None => String::new(),
        Some(with) => match under(checker, site, node, with) {
            Some(other) => other,
            None => {
                let why = "no call of the wanted class is around it";
                return Outcome::Silent(Reason::Context(why));
            }
        },
    };
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
    let bound = bound.replace('-', " ");
    let steps = trace.steps.iter().take(STEPS);
    related.extend(steps.map(|&span| (Role::Step, span, format!("does not set {bound}"))));
    let thought_of = when.milder_with.iter().any(|name| trace.sets.contains_key(name));
    let milder = match () {
        () if thought_of => Some("what is set notices that the other side is gone"),
        () if asks_for_events(site, call.to) => Some("it asks for a stream of events, which lasts"),
        () if has_own_connector(&site.graph, call) => {
            Some("a connector of the package is what connects")
        }
        () if takes_part(checker, site) => Some("a person takes part, and ends it"),
        () if is_replaced(&site.graph, call.to) => {
            Some("another path puts something else in its place")
        }
        () => None,
    };
    Outcome::Reported(Box::new(Reported {
        item: item(checker.world, call),
        bound,
        other,
        related,
        milder,
        ..Reported::default()
    }))
}

/// Whether it only takes the place of what a builder of the same class could not make: what is said
/// of that one is enough, and what makes it fail makes this fail, too.
fn is_fall_back(checker: &Checker<'_>, site: &Site, node: NodeId, class: &str) -> bool {
    let graph = &site.graph;
    let finishes = |call: &Call| match &call.target {
        Target::Api(ids, _) => ids
            .iter()
            .any(|&id| checker.world.facts.api(id).fact.finishes.as_deref() == Some(class)),
        _ => false,
    };
    let others: Vec<LocalId> = graph
        .calls()
        .filter(|(other, call)| *other != node && finishes(call))
        .map(|(_, call)| call.to)
        .collect();
    if others.is_empty() {
        return false;
    }
    let made = moved_on(graph, others, |_| true);
    graph.ids().any(|branch| {
        matches!(&graph.node(branch).kind, NodeKind::Branch(Test::Success(place)) if made.contains(&place.local))
            && graph.only_on(branch, Edge::False, node)
    })
}

/// Whether the variable that gets a value is given another one, too.
fn is_replaced(graph: &Graph, made: LocalId) -> bool {
    let moved = |value: &Value| match value {
        Value::Use(Operand::Move(place)) if place.path.is_empty() => Some(place.local),
        _ => None,
    };
    let into = |local: LocalId| {
        let nodes = graph.nodes.iter();
        nodes.filter_map(move |node| match &node.kind {
            NodeKind::Assign { to, value } if *to == Place::of(local) => Some(moved(value)),
            _ => None,
        })
    };
    let all = moved_on(graph, vec![made], |kind| kind == LocalKind::Binding);
    let bound = all.iter().copied().filter(|&local| local != made);
    bound
        .into_iter()
        .any(|local| into(local).any(|from| from.is_none_or(|from| !all.contains(&from))))
}

/// Whether a call of the class gets the value, or the async block that the step is in.
fn under(checker: &Checker<'_>, site: &Site, node: NodeId, class: &str) -> Option<String> {
    super::calls::around(checker, site, node, class).or_else(|| {
        let (parent, made) = site.parent.as_ref().filter(|_| site.graph.is_async)?;
        super::calls::around(checker, parent, (*made)?, class)
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
    /// Calls on the way from there that set nothing the rule asks for.
    steps: BTreeSet<Span>,
    pub(super) unknown: bool,
    /// It came in by this parameter; what was done to it before is up to the callers.
    param: Option<usize>,
    depth: u32,
}

/// Steps shown at most.
const STEPS: usize = 8;

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
            steps: BTreeSet::new(),
            unknown: false,
            param: None,
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
                    self.bound(name, default);
                }
            }
        }
        says
    }

    /// Where several facts may hold, one that bounds wins.
    fn bound(&mut self, name: &str, default: &BoundDefault) {
        let known = self.bounds.entry(name.to_owned()).or_insert_with(|| default.clone());
        if *known == BoundDefault::Bounded(false) {
            known.clone_from(default);
        }
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
        if local.kind == LocalKind::Param
            && place.path.is_empty()
            && self.param.is_none()
            && self.site.parent.is_none()
        {
            self.param = graph.params.iter().position(|&param| param == place.local);
        }
        if matches!(local.kind, LocalKind::Param | LocalKind::Captured) {
            self.unknown |= self.param.is_none();
        }
        let mut made = false;
        for id in graph.ids() {
            match &graph.node(id).kind {
                NodeKind::Assign { to, value } if to.local == place.local => {
                    made = true;
                    self.assigned(id, to, value);
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
        if !made && self.param.is_none() {
            self.unknown = true;
        }
    }

    fn assigned(&mut self, id: NodeId, to: &Place, value: &Value) {
        match value {
            Value::Use(operand) => {
                self.field_of(id, to);
                // `config.timeout = …` sets it, whatever it is.
                if !matches!(to.path.as_slice(), [Part::Field(_)])
                    && let Some(place) = operand.place()
                {
                    self.place(place.clone());
                }
            }
            Value::Parts { parts, rest, written } => {
                if *written {
                    for (part, operand) in parts {
                        let none =
                            matches!(operand, Operand::Const(name) if name.as_str() == "None");
                        if let (Part::Field(name), false) = (part, none) {
                            self.field(id, to.local, *name);
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

    /// `config.limits.timeout = …`, `config.limits.get_or_insert_default()`
    fn field_of(&mut self, id: NodeId, place: &Place) {
        if let Some(Part::Field(name)) = place.path.first() {
            self.field(id, place.local, *name);
        }
    }

    /// A field of a config struct is set.
    fn field(&mut self, id: NodeId, local: LocalId, name: Name) {
        let graph = &self.site.graph;
        if let Ty::Foreign(path, _) = graph.local(local).ty.bare()
            && let Some(fact) = self.world.facts.type_fact(*path)
            && let Some(bound) = fact.fields.get(name.as_str())
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
        if !says {
            self.steps.insert(self.site.graph.node(id).span);
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
    fn own(&mut self, function: FnId, call: &Call) {
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
        for (name, default) in &bounds {
            self.bound(name, default);
        }
        self.unknown |= unknown;
    }

    /// Setters in a chain that starts at a call on the value: `config.host(h).timeout(t);`
    fn chained(&mut self, from: LocalId) {
        if !self.seen.insert(from) {
            return;
        }
        let on = |call: &Call| {
            let place = call.receiver.as_ref().and_then(Operand::place);
            place.is_some_and(|place| place.local == from)
        };
        let graph = &self.site.graph;
        let links: Vec<_> = graph.calls().filter(|(_, call)| on(call)).collect();
        for (id, call) in links {
            self.call(id, call);
            self.chained(call.to);
        }
    }

    /// A call that uses the value without making it: a setter, or something that may set.
    fn used(&mut self, id: NodeId, call: &Call, local: LocalId) {
        self.call(id, call);
        let on = call.receiver.as_ref().and_then(Operand::place);
        if let Some(on) = on.filter(|on| on.local == local) {
            self.field_of(id, on);
            self.chained(call.to);
        }
        // Lent to somebody who may set anything. What is moved away is another value's story.
        let lent = call
            .args
            .iter()
            .any(|operand| matches!(operand, Operand::Ref(place) if place.local == local));
        if lent && matches!(call.target, Target::Own(_) | Target::Unknown(_)) {
            self.unknown = true;
        }
    }
}

fn uses(call: &Call, local: LocalId) -> bool {
    call.receiver
        .iter()
        .chain(&call.args)
        .any(|operand| operand.place().is_some_and(|place| place.local == local))
}
