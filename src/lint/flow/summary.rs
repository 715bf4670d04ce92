//! What functions of the package do with what they are given: worked out when somebody asks.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::lint::bodies::Bodies;
use crate::lint::cfg::{Part, Place};
use crate::lint::names::FnId;
use crate::lint::types::World;

use super::{How, Start, follow};

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

/// Summaries of functions, by parameter and class.
pub(crate) struct Summaries<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) bodies: &'a Bodies<'a>,
    params: RefCell<FxHashMap<Key, ParamFate>>,
}

impl<'a> Summaries<'a> {
    pub(crate) fn new(world: &'a World<'a>, bodies: &'a Bodies<'a>) -> Self {
        Self { world, bodies, params: RefCell::default() }
    }

    /// What the function does with the parameter of this number, the receiver being the first.
    pub(crate) fn param(&self, id: FnId, index: usize, class: &str, copied: bool) -> ParamFate {
        let class = crate::lint::ir::Name::new(class).as_str();
        let key = (id, index, class, copied);
        if let Some(known) = self.params.borrow().get(&key) {
            return known.clone();
        }
        // While it is being worked out: who calls himself is not trusted to release.
        self.params.borrow_mut().insert(key, ParamFate::Escaped);
        let fate = self.work_out(id, index, class, copied);
        self.params.borrow_mut().insert(key, fate.clone());
        fate
    }

    fn work_out(&self, id: FnId, index: usize, class: &str, copied: bool) -> ParamFate {
        let Some(site) = self.bodies.of_function(id) else { return ParamFate::Escaped };
        let Some(&param) = site.graph.params.get(index) else { return ParamFate::Escaped };
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
        if fate.gave_up {
            return ParamFate::Escaped;
        }
        let elsewhere = fate.escaped.iter().any(|escape| escape.how != How::Returned);
        if elsewhere {
            return ParamFate::Escaped;
        }
        match (fate.returned.first(), fate.released.is_empty(), fate.kept, fate.lost.is_empty()) {
            (Some(place), true, _, _) => ParamFate::Returned(place.path.clone()),
            (Some(_), false, ..) => ParamFate::Escaped,
            // Released somewhere: callers that rely on it do so with reason.
            (None, false, ..) => ParamFate::Released,
            (None, true, true, _) if copied => ParamFate::Kept,
            (None, true, true, _) => {
                let by_ref = site.graph.local(param).ty.is_ref()
                    || self.world.receiver_of(id) != crate::lint::ir::Receiver::Value
                        && index == 0
                        && self.world.receiver_of(id) != crate::lint::ir::Receiver::None;
                if by_ref { ParamFate::Kept } else { ParamFate::Dropped }
            }
            (None, true, false, false) => ParamFate::Dropped,
            (None, true, false, true) => ParamFate::Released,
        }
    }
}
