//! discarded-guard: a value that works while it lives, dropped where it was made.

use rustc_hash::FxHashSet;

use crate::catalog::model::Engine;
use crate::finding::Role;
use crate::lint::bodies::Site;
use crate::lint::cfg::{
    Call, Exit, Graph, LocalId, LocalKind, NodeId, NodeKind, Part, Place, Value, Visit,
};
use crate::lint::flow::Holders;
use crate::lint::ir::{BlockKind, Body, ExprId, ExprKind, PatKind, Span, Stmt};
use crate::lint::names::FnId;
use crate::lint::types::{Evidence, Target, Ty, World};

use super::held::{begins, maker, may_begin};
use super::track::{self, Turn};
use super::{Checker, Outcome, Reason, Reported, classes_of, context, item, makes, named};

/// The class of any lock guard.
const GUARD: &str = "guard";

/// The class of what a semaphore gives.
const PERMIT: &str = "permit";

/// Words in the names of functions that wait for others to be done.
const ENDS: [&str; 6] = ["shutdown", "close", "stop", "drain", "quiesce", "wait"];

/// How methods begin that do not wait for their turn.
const TRY: &str = "try_";

/// What types that are guards are called.
const GUARDS: [&str; 2] = ["Guard", "Permit"];

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::DiscardedGuard);
    if rules.is_empty() {
        return;
    }
    for site in checker.sites {
        for id in site.graph.ids() {
            let may_begin = may_begin(checker, site, id);
            for &known in &rules {
                let class = &known.rule.class;
                let held = may_begin
                    .then(|| begins(checker, site, id, class))
                    .flatten()
                    .or_else(|| (class == GUARD).then(|| locked(checker, site, id))?);
                let by_name = held.is_none() && named::let_go(checker, site, id, class);
                if held.is_none() && !by_name {
                    continue;
                }
                let Some(taken) = maker(&site.graph, id) else { continue };
                let Some(call) = site.graph.call_at(taken) else { continue };
                let with = known.rule.when.with.as_deref();
                let contexts = context::contexts(checker.world, site, id);
                let passed_on = call.args.iter().filter_map(|arg| arg.place()).any(|place| {
                    let ty = &site.graph.local(place.local).ty;
                    track::inside(checker.world, ty, &known.rule.class).is_some()
                });
                let without = known.rule.when.without.as_deref();
                let locks = matches!(class.as_str(), GUARD | PERMIT);
                let judged = if passed_on {
                    // It was there before: waiting with it was the point.
                    Err(Reason::Context("it came in by an argument"))
                } else {
                    let own = matches!(call.target, Target::Own(_));
                    let let_go = || is_let_go(checker, site, id);
                    let asks = locks && call.name.as_str().starts_with(TRY);
                    match held {
                        // Its statement is all that there is to know of it.
                        None => Ok(id),
                        Some(_) if asks && !let_go() => {
                            Err(Reason::Context("it only asks whether it is free"))
                        }
                        Some(_) if own && !let_go() => {
                            Err(Reason::Context("it may be called for what else it does"))
                        }
                        Some(held) => dropped_at_once(checker, site, id, held, with),
                    }
                };
                let judged = judged.and_then(|end| match goes_on(&site.graph, end) {
                    true => Ok(end),
                    false => Err(Reason::ProcessEnds),
                });
                let judged =
                    judged.and_then(|end| match !locks || !is_last(checker, site, taken) {
                        true => Ok(end),
                        false => Err(Reason::Context("nothing is done behind it")),
                    });
                let judged = judged.and_then(|end| match stands_alone(checker, site, taken) {
                    true => {
                        Err(Reason::Context("its block does nothing else: it waits on purpose"))
                    }
                    false => Ok(end),
                });
                let judged = match without {
                    Some(class) if judged.is_ok() && file_makes(checker, site, class) => {
                        Err(Reason::Context("the file makes what the rule leaves alone"))
                    }
                    _ => judged,
                };
                let outcome = match (judged, context::fits(&known.rule.when, &contexts)) {
                    (Err(reason), _) => Outcome::Silent(reason),
                    (Ok(_), Err(reason)) => Outcome::Silent(Reason::Context(reason)),
                    (Ok(end), Ok(())) => {
                        let span = site.graph.node(end).span;
                        let milder = is_barrier(checker.world, site, call).then_some(
                            "it locks nothing: to wait for the others may be all it is for",
                        );
                        Outcome::Reported(Box::new(Reported {
                            item: item(checker.world, call),
                            related: vec![(Role::Exit, span, "it is dropped here".to_owned())],
                            milder,
                            ..Reported::default()
                        }))
                    }
                };
                let evidence = if by_name { Evidence::Resolved } else { call.evidence };
                checker.add(known, site, taken, evidence, outcome);
            }
        }
    }
}

/// Whether a way from a step leads to anything but a panic.
fn goes_on(graph: &Graph, from: NodeId) -> bool {
    graph.leads([from], |id| {
        let node = graph.node(id);
        match node.kind {
            NodeKind::Exit(Exit::Never) => Visit::Ends,
            NodeKind::Exit(_) => Visit::Found,
            // Round and round is a way, too.
            _ if node.inside.is_some() => Visit::Found,
            _ => Visit::On,
        }
    })
}

/// Whether it is the last statement of its function, which then gives nothing or a plain value.
fn is_last(checker: &Checker<'_>, site: &Site, taken: NodeId) -> bool {
    let at = site.graph.node(taken).span;
    let around = |span: Span| span.start <= at.start && at.end <= span.end;
    let mut bodies = checker.world.names.source(site.file).file.bodies.iter();
    site.parent.is_none()
        && bodies.any(|body| {
            let ExprKind::Block { stmts, tail, .. } = &body.expr(body.root).kind else {
                return false;
            };
            let init = match stmts.last() {
                Some(Stmt::Let { init: Some(init), .. } | Stmt::Expr(init)) => *init,
                _ => return false,
            };
            let init = body.expr(init);
            // Of a block or loop around it, other statements may come behind.
            let itself = matches!(
                init.kind,
                ExprKind::Method { .. }
                    | ExprKind::Call { .. }
                    | ExprKind::Try(_)
                    | ExprKind::Await(_)
            );
            itself && around(init.span) && tail.is_none_or(|tail| is_plain(body, tail))
        })
}

/// `true`, `None`, `Ok(())`
fn is_plain(body: &Body, expr: ExprId) -> bool {
    match &body.expr(expr).kind {
        ExprKind::Lit(_) | ExprKind::Path(_) => true,
        ExprKind::Tuple(parts) => parts.iter().all(|&part| is_plain(body, part)),
        ExprKind::Call { callee, args } => {
            let made = match &body.expr(*callee).kind {
                ExprKind::Path(path) => path.last().map(|last| last.name),
                _ => None,
            };
            made.is_some_and(|name| matches!(name.as_str(), "Ok" | "Some"))
                && args.iter().all(|&arg| is_plain(body, arg))
        }
        _ => false,
    }
}

/// Whether a call of this class stands in the same file.
fn file_makes(checker: &Checker<'_>, site: &Site, class: &str) -> bool {
    let names = checker.world.names;
    let of_file = names.fn_ids().filter(|&id| names.function(id).file == site.file);
    of_file.filter_map(|id| checker.bodies.of_function(id)).any(|site| {
        let sites = checker.bodies.with_nested(&site);
        sites.iter().any(|site| makes(checker, site, class))
    })
}

/// Whether it is taken by the only statement of a block that is a statement itself.
fn stands_alone(checker: &Checker<'_>, site: &Site, taken: NodeId) -> bool {
    any_statement(checker, site, taken, |body, around, stmt| {
        let Stmt::Expr(inner) = stmt else { return false };
        let inner = body.expr(*inner);
        around(inner.span)
            && matches!(&inner.kind,
                ExprKind::Block { kind: BlockKind::Plain, label: None, stmts, tail: None }
                    if stmts.len() == 1)
    })
}

/// Whether this holds of a statement of the blocks around a step; it is told what lies around it.
pub(super) fn any_statement(
    checker: &Checker<'_>,
    site: &Site,
    step: NodeId,
    holds: impl Fn(&Body, &dyn Fn(Span) -> bool, &Stmt) -> bool,
) -> bool {
    let at = site.graph.node(step).span;
    let around = |span: Span| span.start <= at.start && at.end <= span.end;
    let bodies = &checker.world.names.source(site.file).file.bodies;
    bodies.iter().filter(|body| around(body.span)).any(|body| {
        let blocks = body.exprs.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Block { stmts, .. } if around(expr.span) => Some(stmts),
            _ => None,
        });
        blocks.flatten().any(|stmt| holds(body, &around, stmt))
    })
}

/// Whether it waits until nobody reads, where there is nothing to write, `RwLock<()>`, and the
/// function is there to end something.
fn is_barrier(world: &World<'_>, site: &Site, call: &Call) -> bool {
    let is_empty_lock = |ty: &Ty| match ty {
        Ty::Foreign(path, args) => {
            path.as_str().ends_with("::RwLock") && *args == [Ty::Tuple(Vec::new())]
        }
        _ => false,
    };
    let ends = |id: FnId| {
        let name = world.names.function(id).name.as_str();
        name.split('_').any(|word| ENDS.contains(&word))
    };
    call.name.as_str() == "write"
        && site.function.is_some_and(ends)
        && world.reach(&call.receiver_ty).iter().any(is_empty_lock)
}

/// Whether it is a type of the package that says so and does something when it is dropped.
fn is_own_guard(world: &World<'_>, ty: &Ty) -> bool {
    let Ty::Own(id, _) = ty else { return false };
    let def = world.names.type_def(*id);
    let says = |word: &str| def.name.as_str().ends_with(word);
    GUARDS.iter().any(|word| says(word)) && def.implements("Drop")
}

/// Whether it is the value of a `let _`. Else a guard may do its work in the statement: with a closure
/// that it was given, or a value that it shows.
fn is_let_go(checker: &Checker<'_>, site: &Site, taken: NodeId) -> bool {
    any_statement(checker, site, taken, |body, around, stmt| {
        let Stmt::Let { pat, init: Some(init), .. } = stmt else { return false };
        matches!(body.pat(*pat).kind, PatKind::Wild) && around(body.expr(*init).span)
    })
}

/// Where the value is when a function of the package gives a guard of its own, or the handle of
/// what it locks.
fn locked(checker: &Checker<'_>, site: &Site, id: NodeId) -> Option<Place> {
    let (graph, world) = (&site.graph, checker.world);
    let local = match &graph.node(id).kind {
        NodeKind::Call(call) => call.to,
        NodeKind::Await { to, .. } => to.local,
        _ => return None,
    };
    let Target::Own(function) = graph.call_at(maker(graph, id)?)?.target else { return None };
    let given = &graph.local(local).ty;
    let (ty, path) = match given.payload() {
        Ty::Unknown => (given.clone(), Vec::new()),
        payload => (payload, vec![Part::Payload]),
    };
    let handle = || world.classes(&ty).contains(&"os-handle") && locks(world, function);
    let fits = is_own_guard(world, &ty) && is_let_go(checker, site, id) || handle();
    fits.then_some(Place { local, path })
}

/// Whether the names of a function and its type say that it takes a lock.
fn locks(world: &World<'_>, id: FnId) -> bool {
    let function = world.names.function(id);
    let name = function.name.as_str();
    let of_lock = || {
        function.of_type.is_some_and(|of| world.names.type_def(of).name.as_str().ends_with("Lock"))
    };
    name == "lock" || name == "acquire" && of_lock()
}

/// The step that drops the value before anything else happens.
fn dropped_at_once(
    checker: &Checker<'_>,
    site: &Site,
    start: NodeId,
    held: Place,
    with: Option<&str>,
) -> Result<NodeId, Reason> {
    let (world, graph) = (checker.world, &site.graph);
    let mut end = None;
    // What a call of the class `with` took out of it, and keeps nothing alive.
    let mut taken: FxHashSet<LocalId> = FxHashSet::default();
    let mut kept = with.is_none();
    let mut seen: FxHashSet<(NodeId, Holders)> = FxHashSet::default();
    let mut stack: Vec<(NodeId, Holders)> =
        graph.node(start).next.iter().map(|&(_, next)| (next, vec![held.clone()])).collect();
    while let Some((id, mut held)) = stack.pop() {
        if !seen.insert((id, held.clone())) {
            continue;
        }
        let node = graph.node(id);
        let used = |how| Err(Reason::Escapes(node.span, how));
        if track::has_alias(graph, &held) {
            return used("it is used in its statement");
        }
        let turn = track::step(world, graph, id, &mut held);
        match (&node.kind, turn) {
            (_, Turn::Gone) => {
                end = Some(id);
                continue;
            }
            (_, Turn::Named) => return used("it is bound to a name"),
            (_, Turn::Moved) => return used("it is given to somebody else"),
            (_, Turn::Awaited) => return used("it is awaited"),
            (_, Turn::DroppedByHand) => return used("it is dropped on purpose"),
            (NodeKind::Call(call), _) => {
                let takes = with.is_some_and(|with| classes_of(world, call).contains(&with));
                let goes_on = call.receiver.as_ref().and_then(|receiver| receiver.place());
                let goes_on = goes_on.is_some_and(|place| taken.contains(&place.local));
                if takes && turn == Turn::Used || goes_on && turn != Turn::Used {
                    taken.insert(call.to);
                } else {
                    return used("other code runs while it lives");
                }
            }
            (_, Turn::Used) => return used("it is used in its statement"),
            (NodeKind::Assign { to, value: Value::Use(operand) }, Turn::On)
                if operand.place().is_some_and(|place| taken.contains(&place.local)) =>
            {
                taken.insert(to.local);
                let kind = graph.local(to.local).kind;
                kept |= matches!(kind, LocalKind::Binding | LocalKind::Result);
            }
            (NodeKind::Await { .. } | NodeKind::Select { .. }, _) => {
                return used("other code runs while it lives");
            }
            (NodeKind::Exit(_), _) => return used("it is returned"),
            _ => {}
        }
        for &(edge, next) in &node.next {
            if let NodeKind::Branch(test) = &node.kind
                && !track::possible(test, edge, &held)
            {
                continue;
            }
            stack.push((next, held.clone()));
        }
    }
    match end {
        // Where something has to be taken out of it first, whoever makes it and drops it at once may
        // only want to know whether that works.
        Some(end) if kept => Ok(end),
        Some(end) => Err(Reason::Released(graph.node(end).span)),
        None => Err(Reason::UnknownOrigin),
    }
}
