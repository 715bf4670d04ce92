//! What stands beside a handle in a call: who takes it over, what it surely has, what takes nothing.

use crate::lint::cfg::{Call, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::{Body, BodyId};
use crate::lint::types::{Target, Ty};

use super::follow::{State, Walk, looks_like_c};
use super::hold;

/// Names that one value goes by, one after another.
const RENAMES: usize = 8;

impl Walk<'_> {
    /// A function of C that tells how it went: when it failed, it took nothing.
    pub(super) fn tells(&self, call: &Call) -> bool {
        let of_c = match &call.target {
            Target::Own(id) => self.world.names.function(*id).sig.foreign,
            Target::Foreign(path) => looks_like_c(path.as_str()),
            _ => false,
        };
        of_c && self.local(call.to).ty != Ty::unit()
    }

    /// A closure or function, given beside the handle, that releases or takes over such handles:
    /// `fd.checked(|fd| OwnedFd::from_raw_fd(fd))`, `set(Box::into_raw(b), Some(drop_box))`.
    pub(super) fn takes_over(&self, arg: &Operand, depth: u32) -> bool {
        let names = self.world.names;
        match arg {
            Operand::Move(place) | Operand::Ref(place) => {
                let local = self.local(place.local);
                if let (Ty::Fn(_), Some(name)) = (&local.ty, local.name) {
                    return names.by_name.get(&name).into_iter().flatten().any(|&id| {
                        let body = names.body_of(names.function(id));
                        body.is_some_and(|body| !self.harmless(body))
                    });
                }
                if let Some(body) = local.closure {
                    return !self.only_looks(body);
                }
                let def = local.def.filter(|_| depth > 0).map(|def| &self.graph.node(def).kind);
                match def {
                    Some(NodeKind::Assign { value: Value::Parts { parts, .. }, .. }) => {
                        parts.iter().any(|(_, part)| self.takes_over(part, depth - 1))
                    }
                    Some(NodeKind::Assign { value: Value::Use(from), .. }) => {
                        self.takes_over(from, depth - 1)
                    }
                    _ => false,
                }
            }
            Operand::Const(_) | Operand::Lit(_) | Operand::Unit => false,
        }
    }

    /// Whether a closure mentions nothing that releases or takes over.
    pub(super) fn only_looks(&self, body: BodyId) -> bool {
        self.world.names.body(self.site.file, body).is_some_and(|body| self.harmless(body))
    }

    fn harmless(&self, body: &Body) -> bool {
        body.mentions.iter().all(|&name| self.world.facts.harmless(name, self.start.class))
    }

    /// Whether it is a part that the handle surely has, by whatever names it went since:
    /// `child.stdin.take().ok_or(…)`.
    pub(super) fn is_present(&self, place: &Place, state: &State) -> bool {
        let mut place = place;
        for _ in 0..RENAMES {
            if let [Part::Field(name)] = place.path.as_slice()
                && let Ty::Foreign(path, _) = self.local(place.local).ty.bare()
                && let Some(known) = self.world.facts.type_fact(*path)
                && known.present.iter().any(|field| field == name.as_str())
            {
                return hold::touches(&state.held, &Place::of(place.local));
            }
            let local = self.local(place.local);
            let before = local.def.and_then(|def| match &self.graph.node(def).kind {
                NodeKind::Assign { value: Value::Use(from), .. } => from.place(),
                _ => None,
            });
            match local.alias.as_ref().or(before) {
                Some(from) => place = from,
                None => return false,
            }
        }
        false
    }
}

/// Methods of integers, which take nothing over.
pub(super) fn is_of_integers(name: &str) -> bool {
    let heads = [
        "is_",
        "to_",
        "as_",
        "from_",
        "checked_",
        "wrapping_",
        "saturating_",
        "overflowing_",
        "leading_",
        "trailing_",
        "count_",
    ];
    let whole = [
        "abs",
        "clone",
        "cmp",
        "eq",
        "fmt",
        "ge",
        "gt",
        "hash",
        "into",
        "le",
        "lt",
        "max",
        "min",
        "ne",
        "partial_cmp",
        "pow",
        "signum",
        "try_into",
        "unsigned_abs",
    ];
    whole.contains(&name) || heads.iter().any(|head| name.starts_with(head))
}
