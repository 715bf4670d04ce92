//! Bounds in config structs: in their public fields, and in the structs that these hold.

use std::collections::BTreeSet;

use crate::catalog::model::BoundDefault;
use crate::lint::cfg::{Call, NodeId, NodeKind, Operand, Part, Place};
use crate::lint::ir::Name;
use crate::lint::types::{Target, Ty};

use super::Trace;

/// Structs in structs followed.
const NESTED: u32 = 4;

impl<'a> Trace<'a> {
    /// A struct that is written down: it has what the fields say, and else what the `default` of
    /// its type has.
    pub(super) fn written(
        &mut self,
        id: NodeId,
        parts: &[(Part, Operand)],
        rest: Option<&Operand>,
    ) {
        let Some(ty) = self.assigned_type(id) else { return };
        for (part, value) in parts {
            if let Part::Field(name) = part {
                self.field(id, &ty, &[*name], value);
            }
        }
        match rest {
            Some(rest) if !self.is_default(rest) => self.operand(Some(rest)),
            _ => {
                let known = self.defaults_of(&ty);
                self.unknown |= rest.is_some() && !known;
            }
        }
    }

    /// Whether what is assigned to, or into, is a struct of another crate.
    pub(super) fn is_config(&self, id: NodeId) -> bool {
        self.assigned_type(id).is_some_and(|ty| ty.path().is_some())
    }

    /// A field of a config struct is set: `config.timeout = …`, `config.pool.wait = …`
    pub(super) fn field_set(&mut self, id: NodeId, path: &[Part], value: &Operand) {
        let Some(ty) = self.assigned_type(id) else { return };
        let field = |part: &Part| match part {
            Part::Field(name) => Some(*name),
            _ => None,
        };
        let names: Vec<Name> = path.iter().filter_map(field).collect();
        self.field(id, &ty, &names, value);
    }

    fn field(&mut self, id: NodeId, ty: &Ty, path: &[Name], value: &Operand) {
        let Some((&name, rest)) = path.split_first() else { return };
        let Some(known) = ty.path().and_then(|path| self.world.facts.known_type(path)) else {
            return;
        };
        let none = matches!(value, Operand::Const(name) if name.as_str() == "None");
        if none {
            return;
        }
        if let Some(bound) = known.fact.fields.get(name.as_str()) {
            let span = self.site.graph.node(id).span;
            self.sets.entry(bound.clone()).or_insert(span);
        }
        let held = plain(self.world.field(ty, name));
        if rest.is_empty() {
            self.held(id, &held, value);
        } else {
            self.field(id, &held, rest, value);
        }
    }

    /// The bounds of a struct that is put into a config: those that it is known to lack are not set.
    pub(super) fn held(&mut self, id: NodeId, ty: &Ty, value: &Operand) {
        let bounds = self.covered(ty, NESTED);
        if bounds.is_empty() {
            return;
        }
        let depth = self.depth.saturating_sub(1);
        let mut inner = Trace { depth, ..Trace::new(self.checker, self.site) };
        // A config that goes into itself, round by round, is not followed for ever.
        if self.depth > 0 {
            inner.operand(Some(value));
        }
        let whole = self.depth > 0 && !inner.unknown && inner.param.is_none();
        let span = self.site.graph.node(id).span;
        for name in bounds {
            let lacks = inner.bounds.get(&name) == Some(&BoundDefault::Bounded(false));
            if !whole || !lacks || inner.sets.contains_key(&name) {
                self.sets.entry(name).or_insert(span);
            }
        }
    }

    /// Whether a call gets into a struct that a config holds, where it may set anything:
    /// `config.pool.get_or_insert_default()`.
    pub(super) fn reaches_into(&self, receiver: &Place) -> bool {
        let ty = self.site.graph.local(receiver.local).ty.clone();
        match receiver.path.first() {
            Some(Part::Field(name)) => {
                let held = plain(self.world.field(&ty, *name));
                !self.covered(&held, NESTED).is_empty()
            }
            _ => false,
        }
    }

    /// The type of a config that a setter is given as a whole, when it is one.
    pub(super) fn given_config(&self, call: &Call) -> Option<(Ty, Operand)> {
        let value = call.args.first()?;
        let place = value.place().filter(|place| place.path.is_empty())?;
        let ty = plain(self.site.graph.local(place.local).ty.clone());
        (!self.covered(&ty, NESTED).is_empty()).then(|| (ty, value.clone()))
    }

    /// Every bound that fields of a struct are, and fields of what these hold.
    fn covered(&self, ty: &Ty, depth: u32) -> BTreeSet<String> {
        let Some(known) = ty.path().and_then(|path| self.world.facts.known_type(path)) else {
            return BTreeSet::new();
        };
        let mut found: BTreeSet<String> = known.fact.fields.values().cloned().collect();
        for name in known.holds.keys().filter(|_| depth > 0) {
            let held = plain(self.world.field(ty, Name::new(name)));
            found.extend(self.covered(&held, depth - 1));
        }
        found
    }

    fn assigned_type(&self, id: NodeId) -> Option<Ty> {
        let graph = &self.site.graph;
        let NodeKind::Assign { to, .. } = &graph.node(id).kind else { return None };
        Some(graph.local(to.local).ty.clone())
    }

    /// `..Default::default()`
    fn is_default(&self, rest: &Operand) -> bool {
        let graph = &self.site.graph;
        let def = rest.place().and_then(|place| graph.local(place.local).def);
        let call = def.and_then(|def| graph.call_at(def));
        call.is_some_and(|call| {
            call.name.as_str() == "default" && call.receiver.is_none() && call.args.is_empty()
        })
    }

    /// The bounds that a value of a type has before anything is set; whether they are known.
    fn defaults_of(&mut self, ty: &Ty) -> bool {
        let (target, _) = self.world.associated(ty, Name::new("default"));
        let Target::Api(ids, _) = target else { return false };
        let bounds = ids.iter().flat_map(|&id| &self.world.facts.api(id).fact.bounds);
        for (name, default) in bounds.clone() {
            self.bound(name, default);
        }
        bounds.count() > 0
    }
}

/// What is in an Option.
fn plain(ty: Ty) -> Ty {
    if ty.is_option() { ty.payload() } else { ty.bare().clone() }
}
