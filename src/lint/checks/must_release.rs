//! must-release: an obligation that some path does not discharge.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::LintRule;
use crate::catalog::model::{Context, Engine, Fails, Handle, Paths, When};
use crate::finding::{MAX_EXITS, Region, Role};
use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place};
use crate::lint::flow::{Fate, How, Start, follow, holders};
use crate::lint::interface::{Fresh, Offer};
use crate::lint::ir::{Name, Path, Span};
use crate::lint::names::{FileId, FnId, Names, TypeId};
use crate::lint::types::{Evidence, OWN_TRANSACTION, Target, Ty, held, reads, undoes};

use super::callers::Callers;
use super::failure::Attempts;
use super::read_only::only_reads;
use super::{Checker, Outcome, Reason, Reported, context, done, failure, in_tests, item, makes};

/// Rounds of finding functions that return what they acquire.
const ROUNDS: usize = 4;

/// The classes of what finds the program that runs, and of what finds its arguments.
const OWN_EXECUTABLE: &str = "own-executable";
const OWN_ARGUMENTS: &str = "own-arguments";

/// Steps taken in one body; what begins behind them is not followed.
const STEPS: usize = 50_000_000;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rules = checker.of_engine(Engine::MustRelease);
    if rules.is_empty() {
        return;
    }
    let said = said_of_the_crate(checker);
    let mut fresh = Fresh::default();
    let mut sites = checker.sites.to_vec();
    add_callers(checker, checker.world.own_transactions().into_iter(), &mut sites);
    let mut found = Vec::new();
    let mut followed = FxHashSet::default();
    let mut steps: FxHashMap<*const Site, usize> = FxHashMap::default();
    let mut looked_at = 0;
    for round in 0..ROUNDS {
        let before: usize = fresh.values().map(Vec::len).sum();
        for (number, site) in sites.iter().enumerate() {
            let spent = steps.entry(Rc::as_ptr(site)).or_default();
            for (node, call) in site.graph.calls() {
                // Only what functions of the package give is news in a later round.
                if number < looked_at && !matches!(call.target, Target::Own(_)) {
                    continue;
                }
                for begin in starts(checker, site, call, &fresh) {
                    let key = (Rc::as_ptr(site), node, begin.class.clone(), begin.held.clone());
                    if !followed.insert(key) {
                        continue;
                    }
                    let fate = match *spent > STEPS {
                        true => Fate { gave_up: true, ..Fate::default() },
                        false => follow(site, checker.summaries, &begin.start(node)),
                    };
                    *spent += fate.steps;
                    found.push((Rc::clone(site), node, begin, fate));
                }
            }
        }
        looked_at = sites.len();
        for (site, node, begin, fate) in &found {
            note_returned(site, *node, begin, fate, &mut fresh);
        }
        note_traits(checker.world.names, &mut fresh);
        let after: usize = fresh.values().map(Vec::len).sum();
        if after == before || round + 1 == ROUNDS {
            // Whether it matters is decided last, when all wrappers are known.
            let callers = Rc::clone(&checker.callers);
            let attempts = RefCell::default();
            let known = Known { rules: &rules, said: &said, callers: &callers, attempts };
            for (site, node, begin, fate) in found {
                judge(checker, &known, &site, node, &begin, fate);
            }
            checker.fresh = fresh;
            return;
        }
        add_callers(checker, fresh.keys().copied(), &mut sites);
    }
}

/// What every fate is judged with.
struct Known<'s, 'a> {
    rules: &'s [&'a LintRule],
    said: &'s FxHashSet<(FileId, Span, &'a str)>,
    callers: &'s Callers<'a>,
    attempts: RefCell<FxHashMap<*const Site, Attempts>>,
}

/// Obligations of which the rules about whole crates have spoken already.
fn said_of_the_crate<'a>(checker: &Checker<'a>) -> FxHashSet<(FileId, Span, &'a str)> {
    let reported = checker.candidates.iter().filter(|candidate| {
        candidate.rule.rule.engine == Engine::UnbalancedRaw
            && matches!(candidate.outcome, Outcome::Reported(_))
    });
    reported.map(|known| (known.file, known.span, known.rule.rule.class.as_str())).collect()
}

/// Bodies that call a function which gives them something to look after.
fn add_callers(
    checker: &Checker<'_>,
    called: impl Iterator<Item = FnId>,
    sites: &mut Vec<Rc<Site>>,
) {
    let names = checker.world.names;
    let wanted: FxHashSet<Name> = called.map(|id| names.function(id).name).collect();
    if wanted.is_empty() {
        return;
    }
    let known: FxHashSet<FnId> = sites.iter().filter_map(|site| site.function).collect();
    for id in names.fn_ids() {
        let function = names.function(id);
        let Some(body) = names.body_of(function).filter(|_| !known.contains(&id)) else { continue };
        let calls = body.mentions.iter().any(|name| wanted.contains(name));
        if calls
            && !in_tests(names, id)
            && let Some(site) = checker.bodies.of_function(id)
        {
            sites.extend(checker.bodies.with_nested(&site));
        }
    }
}

/// An obligation that a call begins.
struct Begin {
    class: String,
    held: Place,
    copied: bool,
    fails: Option<Fails>,
    status: Option<Place>,
    by_value: bool,
    own: Option<TypeId>,
    from: From,
}

/// Where it was begun for who makes the call.
enum From {
    /// Here.
    Call,
    /// In a function of the package.
    Inside(FileId, Span),
    /// In another package of the workspace.
    Outside(Box<Region>),
}

impl Begin {
    fn start(&self, node: NodeId) -> Start<'_> {
        Start {
            class: &self.class,
            node,
            held: self.held.clone(),
            copied: self.copied,
            fails: self.fails,
            status: self.status.clone(),
            param: None,
            by_value: self.by_value,
            own: self.own,
        }
    }
}

fn starts(checker: &Checker<'_>, site: &Site, call: &Call, fresh: &Fresh) -> Vec<Begin> {
    match &call.target {
        Target::Api(ids, _) => ids
            .iter()
            .filter_map(|&id| {
                let fact = &checker.world.facts.api(id).fact;
                let class = fact.acquires.clone()?;
                if gives_back(&site.graph, call) {
                    return None;
                }
                let handle = fact.handle.unwrap_or(Handle::Return);
                let held = holders(call, handle)?;
                let ty = &site.graph.local(call.to).ty;
                let copied = match handle {
                    Handle::Out(_) | Handle::OutAt(..) => true,
                    Handle::Return => raw(ty),
                    Handle::Tuple(number) => match ty.payload() {
                        Ty::Tuple(parts) => parts.get(usize::from(number)).is_some_and(raw),
                        other => raw(&other),
                    },
                    _ => raw(&ty.payload()),
                };
                if copied && fact.fails.is_none() && forgotten(&site.graph, call.to) {
                    return None;
                }
                let status = Place::of(call.to);
                // What is left behind a pointer comes with a status that is 0 when all is well.
                let apart = !matches!(
                    handle,
                    Handle::Return | Handle::Ok | Handle::Some | Handle::Tuple(_)
                );
                let local = site.graph.local(held.local);
                // Behind a pointer that nobody kept: where it is cannot be told.
                if apart && local.kind == LocalKind::Temp {
                    return None;
                }
                // Left where the caller wants it.
                if matches!(handle, Handle::Out(_) | Handle::OutAt(..))
                    && local.kind == LocalKind::Param
                    && matches!(local.ty, Ty::Ref(_) | Ty::Ptr(_))
                {
                    return None;
                }
                let fails = fact.fails.map(|fails| if apart { Fails::NonZero } else { fails });
                let status = (apart || fails.is_some()).then_some(status);
                let by_value = !copied && ended_by_value(checker, ty);
                let outside = checker.world.facts.begun_at(id);
                let from = outside.map_or(From::Call, |at| From::Outside(Box::new(at)));
                Some(Begin { class, held, copied, fails, status, by_value, own: None, from })
            })
            .collect(),
        Target::Own(id) if let Some(begin) = own_transaction(checker, site, call, *id) => {
            vec![begin]
        }
        Target::Own(id) => fresh
            .get(id)
            .into_iter()
            .flatten()
            .filter(|offer| !offer.copied || !forgotten(&site.graph, call.to))
            .map(|offer| {
                let mut held = Place::of(call.to);
                held.path.clone_from(&offer.path);
                let (file, span) = offer.begun;
                Begin {
                    class: offer.class.clone(),
                    held,
                    copied: offer.copied,
                    fails: None,
                    status: None,
                    by_value: false,
                    own: None,
                    from: From::Inside(file, span),
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether it gives back the raw handle that its receiver was made of in the same function, which
/// had borrowed it: `let file = File::from_raw_fd(fd); …; let _fd = file.into_raw_fd();`.
fn gives_back(graph: &Graph, call: &Call) -> bool {
    let made = call.receiver.as_ref().and_then(|receiver| receiver.place());
    let made = made.and_then(|place| graph.call_at(graph.local(place.local).def?));
    call.name.as_str().starts_with("into_raw")
        && made.is_some_and(|made| made.name.as_str().starts_with("from_raw"))
}

/// Whether a reference to what the call gives is not enough to release it.
fn ended_by_value(checker: &Checker<'_>, given: &Ty) -> bool {
    let payload = given.yielded().payload();
    payload.path().is_some_and(|path| checker.world.facts.catalog.is_ended_by_value(path.as_str()))
}

/// A transaction of a type of the package.
fn own_transaction(checker: &Checker<'_>, site: &Site, call: &Call, id: FnId) -> Option<Begin> {
    // One that only reads has nothing to keep.
    let reads =
        |arg: &Operand| matches!(arg, Operand::Const(name) if name.as_str().starts_with("Read"));
    if call.args.iter().any(reads) {
        return None;
    }
    let (ty, inside) = held(&site.graph.local(call.to).ty);
    let value = Place::of(call.to);
    let held = if inside { value.part(Part::Payload) } else { value };
    let (own, by_value) = checker.world.own_transaction(id, &ty)?;
    if checker.bodies.of_function(id).is_some_and(|inner| begins_to_read(checker, &inner)) {
        return None;
    }
    let class = OWN_TRANSACTION.to_owned();
    let (copied, fails, status) = (false, None, None);
    let (own, from) = (Some(own), From::Call);
    Some(Begin { class, held, copied, fails, status, by_value, own, from })
}

/// Whether what a body begins is only read.
fn begins_to_read(checker: &Checker<'_>, site: &Site) -> bool {
    site.graph.calls().any(|(_, call)| {
        let Target::Own(id) = call.target else { return false };
        let (given, _) = held(&site.graph.local(call.to).ty);
        is_read(site, call) && checker.world.own_transaction(id, &given).is_some()
    })
}

/// Whether nothing ever uses it: `let _ = owner.into_raw()` is another way to forget the owner,
/// done on purpose where somebody else has the pointer already.
fn forgotten(graph: &Graph, local: LocalId) -> bool {
    !graph.nodes.iter().any(|node| match &node.kind {
        // Looking at it is no use of it, nor is moving it within itself or dropping it.
        NodeKind::Branch(_) => false,
        NodeKind::Assign { to, value } => to.local != local && value.uses(local),
        NodeKind::Call(call)
            if matches!(&call.target, Target::Api(_, path) if path.as_str() == "std::mem::drop") =>
        {
            false
        }
        other => other.uses(local),
    })
}

fn raw(ty: &Ty) -> bool {
    matches!(ty.bare(), Ty::Int | Ty::Ptr(_))
}

/// Functions that give what they acquire to their callers acquire it for them.
fn note_returned(site: &Site, node: NodeId, begin: &Begin, fate: &Fate, fresh: &mut Fresh) {
    let Some(id) = site.function.filter(|_| site.parent.is_none()) else { return };
    if begin.own.is_some() && site.graph.call_at(node).is_some_and(|call| is_read(site, call)) {
        return;
    }
    // A raw value that may also be kept somewhere is, in the hands of the caller, only lent.
    let kept = begin.copied && fate.escaped.iter().any(|escape| escape.how != How::Returned);
    if fate.gave_up || kept {
        return;
    }
    for place in &fate.returned {
        // Through an async function the value comes when it is awaited, which is seen through.
        let known = fresh.entry(id).or_default();
        let begun = match begin.from {
            From::Inside(file, span) => (file, span),
            From::Call | From::Outside(_) => (site.file, site.graph.node(node).span),
        };
        let (class, path, copied) = (begin.class.clone(), place.path.clone(), begin.copied);
        let offer = Offer { class, path, copied, begun };
        if offer.path.len() <= 3 && !known.iter().any(|other| other.is_like(&offer)) {
            known.push(offer);
        }
    }
}

/// A function of a trait gives what every impl of the package gives.
fn note_traits(names: &Names, fresh: &mut Fresh) {
    let declared: BTreeSet<FnId> =
        fresh.keys().filter_map(|&id| names.declared_in_trait(id)).collect();
    for id in declared {
        let arms = names.arms(id).into_iter().filter(|&arm| names.function(arm).body.is_some());
        let mut given = arms.map(|arm| fresh.get(&arm).map(Vec::as_slice).unwrap_or_default());
        let Some(first) = given.next() else { continue };
        let others: Vec<&[Offer]> = given.collect();
        let by_all = first.iter().filter(|offer| {
            others.iter().all(|offers| offers.iter().any(|other| other.is_like(offer)))
        });
        let by_all: Vec<Offer> = by_all.cloned().collect();
        let known = fresh.entry(id).or_default();
        for offer in by_all {
            if !known.iter().any(|other| other.is_like(&offer)) {
                known.push(offer);
            }
        }
    }
}

fn judge<'a>(
    checker: &mut Checker<'a>,
    Known { rules, said, callers, attempts }: &Known<'_, 'a>,
    site: &Rc<Site>,
    node: NodeId,
    begin: &Begin,
    mut fate: Fate,
) {
    let class = begin.class.as_str();
    let of_class: Vec<_> =
        rules.iter().filter(|known| known.rule.class == class).copied().collect();
    if of_class.is_empty() {
        return;
    }
    let Some(call) = site.graph.call_at(node) else { return };
    let span = site.graph.node(node).span;
    // A type of the package whose Drop undoes nothing, and that wraps no other, is known as a transaction by its names alone.
    let world = checker.world;
    let named = begin
        .own
        .is_some_and(|own| !world.undoes_when_dropped(own) && !world.wraps_transaction(own));
    let evidence = if named { call.evidence.min(Evidence::Probable) } else { call.evidence };
    if let Some(id) = site.function
        && context::is_entry(checker.world.names, id)
        && site.parent.is_none()
    {
        // What is lost when `main` ends is lost with the process.
        let before = fate.lost.len();
        fate.lost.retain(|loss| site.graph.loops_around(loss.node).next().is_some());
        if fate.lost.is_empty() && before > 0 {
            for known in of_class {
                let outcome = Outcome::Silent(Reason::ProcessEnds);
                checker.add(known, site, node, evidence, outcome);
            }
            return;
        }
    }
    {
        let mut attempts = attempts.borrow_mut();
        let attempts =
            attempts.entry(Rc::as_ptr(site)).or_insert_with(|| Attempts::of(&site.graph));
        fate.lost.retain(|loss| !failure::never_happens(checker, site, attempts, loss));
    }
    let ends =
        failure::is_final(checker, site, &fate.lost) || failure::is_last(callers, site, &fate.lost);
    let given_up = gives_up(checker, site, call);
    let said = said.contains(&(site.file, span, class));
    for known in of_class {
        if given_up {
            let outcome = Outcome::Silent(Reason::Context("`Drop` gives its owner up"));
            checker.add(known, site, node, evidence, outcome);
            continue;
        }
        if begin.own.is_some() && is_read(site, call) {
            let outcome = Outcome::Silent(Reason::Context("it is begun to read only"));
            checker.add(known, site, node, evidence, outcome);
            continue;
        }
        if known.rule.when.paths == Some(Paths::All)
            && only_reads(checker.bodies, &site.graph, call.to)
        {
            let outcome = Outcome::Silent(Reason::Context("only questions are asked on it"));
            checker.add(known, site, node, evidence, outcome);
            continue;
        }
        if said {
            checker.add(known, site, node, evidence, Outcome::Silent(Reason::OtherRule));
            continue;
        }
        let with = known.rule.when.with.as_deref();
        if with.is_some_and(|class| !done::with(checker.world, &site.graph, call.to, class)) {
            let outcome = Outcome::Silent(Reason::Context("nothing is done that has to be ended"));
            checker.add(known, site, node, evidence, outcome);
            continue;
        }
        let unasked =
            with.is_some() && site.graph.local(site.graph.result).ty == Ty::Tuple(Vec::new());
        let without = known.rule.when.without.as_ref();
        if without.is_some_and(|class| makes_or_gets(checker, callers, site, class)) {
            let outcome = Outcome::Silent(Reason::Context("the rule leaves such functions alone"));
            checker.add(known, site, node, evidence, outcome);
            continue;
        }
        let paths = match known.rule.when.paths.unwrap_or(Paths::Any) {
            Paths::All if class == OWN_TRANSACTION && only_undone(site, &fate) => Paths::Some,
            paths => paths,
        };
        let outcome = verdict(paths, &fate);
        let outcome = match outcome {
            Some(reason) => Outcome::Silent(reason),
            None if ends => Outcome::Silent(Reason::ProcessEnds),
            None => match fits(checker, callers, &known.rule.when, site, node) {
                Err(reason) => Outcome::Silent(Reason::Context(reason)),
                Ok(()) => Outcome::Reported(Box::new(Reported {
                    milder: unseen_owner(site, begin, &fate)
                        .or_else(|| unsure_owner(site, begin, &fate))
                        .or(unasked.then_some("it tells nobody whether all went well")),
                    ..reported(checker, call, begin, &fate)
                })),
            },
        };
        checker.add(known, site, node, evidence, outcome);
    }
}

/// `begin(Mode::Read)`
fn is_read(site: &Site, call: &Call) -> bool {
    call.args.iter().any(|arg| asks_to_read(&site.graph, arg))
}

fn asks_to_read(graph: &Graph, arg: &Operand) -> bool {
    match arg {
        Operand::Const(name) => reads(name.as_str()),
        // A variant of the package stands in a place of its name.
        arg => arg.place().is_some_and(|place| {
            let local = graph.local(place.local);
            local.kind == LocalKind::Captured
                && local.name.is_some_and(|name| {
                    name.as_str().starts_with(char::is_uppercase) && reads(name.as_str())
                })
        }),
    }
}

/// Whether a transaction is undone on some paths, kept on none, and left on one that succeeds:
/// that it is undone elsewhere does not keep what was done here.
fn only_undone(site: &Site, fate: &Fate) -> bool {
    let graph = &site.graph;
    let is_undo = |span: &Span| {
        graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::Call(call) => node.span == *span && undoes(call.name.as_str()),
            _ => false,
        })
    };
    fate.escaped.is_empty()
        && !fate.released.is_empty()
        && fate.released.iter().all(is_undo)
        && fate.lost.iter().any(|loss| failure::ends_well(graph, loss.node))
}

/// An owner that was given up as a pointer, of which no path shows who gets it, while somebody of
/// the package takes such pointers back: perhaps a copy of it goes there.
fn unseen_owner(site: &Site, begin: &Begin, fate: &Fate) -> Option<&'static str> {
    // A number of a descriptor that nobody has is plainly lost.
    let number = is_number(site, begin);
    let given_up = !number && begin.copied && begin.fails.is_none() && begin.status.is_none();
    let unseen = fate.released.is_empty() && fate.escaped.is_empty();
    (given_up && unseen).then_some("no path shows who gets the pointer, but somebody takes it back")
}

/// The number of a descriptor that goes to who may only want to look at it: whose it is, where it
/// is lost, no path shows.
fn unsure_owner(site: &Site, begin: &Begin, fate: &Fate) -> Option<&'static str> {
    let sure = |how: How| matches!(how, How::Owned | How::Returned);
    let owned = !fate.released.is_empty() || fate.escaped.iter().any(|escape| sure(escape.how));
    let unsure = is_number(site, begin) && !owned && !fate.escaped.is_empty();
    unsure.then_some("no path shows who closes it")
}

/// A number that names something, such as a descriptor: anybody can copy it.
fn is_number(site: &Site, begin: &Begin) -> bool {
    let ty = &site.graph.local(begin.held.local).ty;
    *ty.bare() == Ty::Int || ty.payload() == Ty::Int
}

/// Whether the function makes a call of the class, or may be given what one of its callers made so.
fn makes_or_gets(checker: &Checker<'_>, callers: &Callers<'_>, site: &Site, class: &str) -> bool {
    let given = || {
        let id = site.function.filter(|_| !site.graph.params.is_empty())?;
        callers.of(id)
    };
    makes(checker, site, class)
        || class == OWN_EXECUTABLE && hands_on_arguments(checker, site)
        || given().is_some_and(|all| all.iter().any(|(caller, _)| makes(checker, caller, class)))
}

/// Whether it starts something with the arguments of this process: its successor.
fn hands_on_arguments(checker: &Checker<'_>, site: &Site) -> bool {
    makes(checker, site, OWN_ARGUMENTS)
        && site.graph.calls().any(|(_, call)| call.name.as_str() == "args" && !call.args.is_empty())
}

/// Whether the rule is about this place; what `main` leads to just once runs once, too.
fn fits(
    checker: &Checker<'_>,
    callers: &Callers<'_>,
    when: &When,
    site: &Site,
    node: NodeId,
) -> Result<(), &'static str> {
    let mut contexts = context::contexts(checker.world, site, node);
    // Only few rules ask, and the answer takes a look at all callers.
    let asks = when.within.iter().chain(&when.not_within).any(|asked| *asked == Context::Once);
    if asks && callers.once_at(site, node) {
        contexts.push(Context::Once);
    }
    context::fits(when, &contexts)
}

/// A `drop` that takes the raw handle out of an owner: the owner had only borrowed it.
fn gives_up(checker: &Checker<'_>, site: &Site, call: &Call) -> bool {
    let of_trait = site.function.and_then(|id| checker.world.names.function(id).of_trait.as_ref());
    let in_drop = of_trait.and_then(Path::last).is_some_and(|last| last.name.as_str() == "Drop");
    in_drop && matches!(call.receiver, Some(Operand::Move(_)))
}

/// None when the rule is to be reported.
fn verdict(paths: Paths, fate: &Fate) -> Option<Reason> {
    if fate.gave_up {
        return Some(Reason::TooComplex);
    }
    let elsewhere =
        fate.escaped.first().map(|escape| Reason::Escapes(escape.span, escape.how.as_str()));
    let released = fate.released.first().map(|&span| Reason::Released(span));
    if fate.lost.is_empty() {
        return Some(elsewhere.or(released).unwrap_or(Reason::ProcessEnds));
    }
    if paths == Paths::Released && released.is_none() {
        return Some(elsewhere.unwrap_or(Reason::OtherRule));
    }
    let cared_for = released.or(elsewhere);
    match paths {
        Paths::Any | Paths::Released => None,
        // Somebody who takes it on some path may as well take it on all that matter.
        Paths::All => cared_for.map(|_| Reason::OtherRule),
        Paths::Some => match cared_for {
            None => Some(Reason::OtherRule),
            Some(_) => None,
        },
    }
}

fn reported(checker: &Checker<'_>, call: &Call, begin: &Begin, fate: &Fate) -> Reported {
    let mut related = Vec::new();
    for loss in fate.lost.iter().take(MAX_EXITS) {
        related.push((Role::Exit, loss.span, "it is lost here".to_owned()));
    }
    for &span in fate.released.iter().take(MAX_EXITS) {
        related.push((Role::Released, span, "another path releases it here".to_owned()));
    }
    for escape in fate.escaped.iter().filter(|escape| escape.how != How::Returned).take(4) {
        related.push((Role::Step, escape.span, escape.how.as_str().to_owned()));
    }
    let outside = match &begin.from {
        From::Outside(region) => {
            vec![((**region).clone(), "begun here for its callers".to_owned())]
        }
        From::Call | From::Inside(..) => Vec::new(),
    };
    Reported { item: item(checker.world, call), related, outside, ..Reported::default() }
}
