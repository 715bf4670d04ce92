//! What functions of the package do with what they are given: worked out when somebody asks.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::catalog::model::Effect;
use crate::lint::bodies::{Bodies, Site};
use crate::lint::cfg::{Call, LocalId, Part, Place};
use crate::lint::ir::{BodyId, Name};
use crate::lint::names::{FileId, FnId, TypeId};
use crate::lint::types::World;

use super::{Fate, How, Start, follow};

/// What becomes of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParamFate {
    /// Released on every path, or handed on to somebody who is trusted.
    Released,
    /// Only looked at: the caller still has it.
    Kept,
    /// Taken by value and dropped on some path.
    Dropped,
    /// Given back at this place of the result.
    Returned(Vec<Part>),
    /// Stored, sent away, or not known.
    Escaped,
}

/// Function, number of the parameter, class, whether it is a raw value that is copied.
type Key = (FnId, usize, &'static str, bool);

/// Closure or async block, the variable in it, class, and what else says how it may be released.
/// Closures in closures, each with branches, would be walked again on every path of those around.
type Capture = (FileId, BodyId, LocalId, &'static str, bool, Option<TypeId>);

/// Summaries of functions, by parameter and class.
pub(crate) struct Summaries<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) bodies: &'a Bodies<'a>,
    params: RefCell<FxHashMap<Key, ParamFate>>,
    captures: RefCell<FxHashMap<Capture, ParamFate>>,
}

impl<'a> Summaries<'a> {
    pub(crate) fn new(world: &'a World<'a>, bodies: &'a Bodies<'a>) -> Self {
        Self { world, bodies, params: RefCell::default(), captures: RefCell::default() }
    }

    /// What the function does with the parameter of this number, the receiver being the first: it,
    /// its twins under other cfgs, and what implements it.
    pub(crate) fn param(&self, id: FnId, index: usize, class: &str, copied: bool) -> ParamFate {
        let class = Name::new(class).as_str();
        let key = (id, index, class, copied);
        if let Some(known) = self.params.borrow().get(&key) {
            return known.clone();
        }
        // While it is being worked out: who calls himself is not trusted to release.
        self.params.borrow_mut().insert(key, ParamFate::Escaped);
        let arms = self.world.names.arms(id).into_iter();
        let fates = arms.filter_map(|arm| self.work_out(arm, index, class, copied)).collect();
        let fate = joined(fates);
        self.params.borrow_mut().insert(key, fate.clone());
        fate
    }

    fn work_out(&self, id: FnId, index: usize, class: &str, copied: bool) -> Option<ParamFate> {
        let site = self.bodies.of_function(id)?;
        let Some(&param) = site.graph.params.get(index) else { return Some(ParamFate::Escaped) };
        let start = Start {
            class,
            node: site.graph.entry,
            held: Place::of(param),
            copied,
            fails: None,
            status: None,
            param: Some(param),
            by_value: false,
            own: None,
        };
        let fate = follow(&site, self, &start);
        let by_ref = site.graph.local(param).ty.is_ref()
            || self.world.receiver_of(id) != crate::lint::ir::Receiver::Value
                && index == 0
                && self.world.receiver_of(id) != crate::lint::ir::Receiver::None;
        Some(summed_up(&fate, copied || by_ref))
    }

    /// What a closure or async block does with a variable that it captures.
    pub(super) fn captured(
        &self,
        around: &Rc<Site>,
        body: BodyId,
        (local, moved): (LocalId, bool),
        start: &Start<'_>,
    ) -> ParamFate {
        let inside = || {
            let site = self.bodies.inner(around, body)?;
            let inner = site.graph.captured(around.graph.local(local).name?)?;
            Some((site, inner))
        };
        let Some((site, inner)) = inside() else { return ParamFate::Escaped };
        let class = Name::new(start.class).as_str();
        let key = (around.file, body, inner, class, start.by_value, start.own);
        if let Some(known) = self.captures.borrow().get(&key) {
            return known.clone();
        }
        let fate = self.work_out_captured(&site, inner, moved, start);
        self.captures.borrow_mut().insert(key, fate.clone());
        fate
    }

    /// What a closure does with what it is given first.
    pub(super) fn given(&self, around: &Rc<Site>, body: BodyId, start: &Start<'_>) -> ParamFate {
        let site = self.bodies.inner(around, body);
        let param = site.as_ref().and_then(|site| site.graph.params.first().copied());
        let (Some(site), Some(param)) = (site, param) else { return ParamFate::Escaped };
        self.inside(&site, param, true, start)
    }

    fn work_out_captured(
        &self,
        site: &Rc<Site>,
        inner: LocalId,
        moved: bool,
        start: &Start<'_>,
    ) -> ParamFate {
        // What it tells of such a call, and who fails with it, is not seen from here.
        let tells = |call: &Call| {
            let on = call.receiver.as_ref().and_then(|on| on.place());
            on.is_some_and(|on| on.local == inner) && call.effects.contains(&Effect::Succeeds)
        };
        if site.graph.calls().any(|(_, call)| tells(call)) {
            return ParamFate::Escaped;
        }
        self.inside(site, inner, moved, start)
    }

    /// What a body does with what one of its variables has from the begin.
    fn inside(&self, site: &Rc<Site>, held: LocalId, moved: bool, start: &Start<'_>) -> ParamFate {
        let start = Start {
            node: site.graph.entry,
            held: Place::of(held),
            fails: None,
            status: None,
            param: Some(held),
            ..start.clone()
        };
        summed_up(&follow(site, self, &start), !moved)
    }
}

/// What a body does with what it was given, or only `lent`.
fn summed_up(fate: &Fate, lent: bool) -> ParamFate {
    if fate.gave_up || fate.escaped.iter().any(|escape| escape.how != How::Returned) {
        return ParamFate::Escaped;
    }
    match (fate.returned.first(), fate.released.is_empty(), fate.kept, fate.lost.is_empty()) {
        (Some(place), true, _, _) => ParamFate::Returned(place.path.clone()),
        (Some(_), false, ..) => ParamFate::Escaped,
        // Released somewhere: callers that rely on it do so with reason.
        (None, false, ..) => ParamFate::Released,
        (None, true, true, _) if lent => ParamFate::Kept,
        (None, true, true, _) => ParamFate::Dropped,
        (None, true, false, false) => ParamFate::Dropped,
        (None, true, false, true) => ParamFate::Released,
    }
}

/// What becomes of it in whichever of the bodies runs: a release in any of them counts, otherwise
/// they must agree.
fn joined(fates: Vec<ParamFate>) -> ParamFate {
    if fates.contains(&ParamFate::Released) {
        return ParamFate::Released;
    }
    let mut fates = fates.into_iter();
    match fates.next() {
        Some(first) if fates.all(|fate| fate == first) => first,
        _ => ParamFate::Escaped,
    }
}
