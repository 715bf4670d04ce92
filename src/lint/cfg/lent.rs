//! What a value is lent to says what it is: calls on unknown receivers, looked at again when all is known.

use crate::catalog::ApiId;
use crate::lint::ir::Name;
use crate::lint::types::{Evidence, Target, Ty};

use super::build::Builder;
use super::{Call, LocalId, LocalKind, NodeId, NodeKind, Operand, Part, Place, Test, Value};

impl Builder<'_> {
    /// Whether a call of a method that nobody knows might begin something, going by its name.
    pub(super) fn may_begin(&self, target: &Target) -> bool {
        let Target::Unknown(name) = target else { return false };
        let catalog = self.world.facts.catalog;
        let mut known = catalog.apis_named(name.as_str()).iter().map(|&id| catalog.api(id));
        known.any(|api| api.fact.acquires.is_some() && api.returns.is_some())
    }

    /// Tells calls by what becomes of their values: one that is lent where a function asks for a
    /// transaction is one, whoever began it.
    pub(super) fn recognise(&mut self) {
        for id in std::mem::take(&mut self.unsure) {
            let NodeKind::Call(call) = &self.graph.node(id).kind else { continue };
            let values = self.values(call.to);
            let Some((target, given)) = self.candidates(call.name).find(|(_, given)| {
                let payload = given.yielded().payload();
                payload.path().is_some_and(|path| self.is_lent_as(&values, path))
            }) else {
                continue;
            };
            self.settle(id, target, &values, &given);
        }
    }

    /// What a method of this name may be, in crates that the package depends on, with what it gives.
    fn candidates(&self, name: Name) -> impl Iterator<Item = (Target, Ty)> + use<'_> {
        let facts = self.world.facts;
        let ids: Vec<ApiId> = facts.catalog.apis_named(name.as_str()).to_vec();
        ids.into_iter().filter_map(move |id| {
            let api = facts.api(id);
            if api.fact.acquires.is_none() || !self.world.depends(&api.package) {
                return None;
            }
            let path = Name::new(&api.path);
            let ids = facts.apis(path);
            let target = Target::Api(ids, path);
            let given = self.world.returns(&target, &Ty::Unknown, &[]);
            Some((target, given))
        })
    }

    /// The locals that have the value of a call, or what is in it, from step to step; also what a
    /// method gives that nobody knows, such as one of others for Result.
    fn values(&self, first: LocalId) -> Vec<LocalId> {
        let mut all = vec![first];
        let mut next = 0;
        while let Some(&at) = all.get(next) {
            next += 1;
            for node in &self.graph.nodes {
                let to = match &node.kind {
                    NodeKind::Assign { to, value: Value::Use(Operand::Move(from)) }
                        if from.local == at
                            && from.path.iter().all(|part| *part == Part::Payload) =>
                    {
                        to
                    }
                    NodeKind::Await { to, what }
                        if what.place().is_some_and(|of| of.local == at) =>
                    {
                        to
                    }
                    NodeKind::Call(call) if self.passes_on(call, at) => &Place::of(call.to),
                    _ => continue,
                };
                if to.path.is_empty() && !all.contains(&to.local) {
                    all.push(to.local);
                }
            }
        }
        all
    }

    /// Whether it is called on a value that has no name yet, and opened at once.
    fn passes_on(&self, call: &Call, of: LocalId) -> bool {
        let receiver = call.receiver.as_ref().and_then(|receiver| receiver.place());
        let to = Place::of(call.to);
        let opens =
            |kind: &NodeKind| matches!(kind, NodeKind::Branch(Test::Success(of)) if *of == to);
        matches!(call.target, Target::Unknown(_))
            && call.args.is_empty()
            && self.graph.local(of).kind == LocalKind::Temp
            && receiver.is_some_and(|place| place.local == of && place.path.is_empty())
            && self.graph.nodes.iter().any(|node| opens(&node.kind))
    }

    /// Whether one of these is given, by reference, to who asks for this type.
    fn is_lent_as(&self, values: &[LocalId], path: Name) -> bool {
        let is = |arg: &Operand| arg.place().is_some_and(|place| values.contains(&place.local));
        let fact = self.world.facts.type_fact(path);
        self.graph.calls().any(|(_, call)| {
            let mut lent = call.args.iter().enumerate().filter(|(_, arg)| is(arg));
            let by_name =
                fact.is_some_and(|fact| fact.lent_to.iter().any(|name| name == call.name.as_str()));
            match &call.target {
                Target::Own(id) => {
                    let params = &self.world.names.function(*id).sig.params;
                    // A method that is called by its type has its receiver among the arguments.
                    let skipped = call.args.len().saturating_sub(params.len());
                    lent.any(|(number, _)| {
                        let param = number.checked_sub(skipped).and_then(|at| params.get(at));
                        let asked = param.map(|ty| self.world.ty(ty, self.world.scope(*id)));
                        asked.and_then(|ty| ty.path()).is_some_and(|asked| {
                            let of = |name: &String| name == asked.as_str();
                            asked == path || fact.is_some_and(|fact| fact.lent_as.iter().any(of))
                        })
                    })
                }
                _ => by_name && lent.next().is_some(),
            }
        })
    }

    /// Writes down what the call and its value are, and what is called on the value.
    fn settle(&mut self, id: NodeId, target: Target, values: &[LocalId], given: &Ty) {
        let effects = self.effects(&target);
        if let Some(call) = self.call_mut(id) {
            (call.target, call.evidence, call.effects) = (target, Evidence::Resolved, effects);
        }
        for node in &mut self.graph.nodes {
            if let NodeKind::Call(call) = &node.kind
                && values[1..].contains(&call.to)
                && let Some(from) = call.receiver.as_ref().and_then(|receiver| receiver.place())
            {
                let value = Value::Use(Operand::Move(from.clone()));
                node.kind = NodeKind::Assign { to: Place::of(call.to), value };
            }
        }
        let held = given.yielded();
        for (number, &local) in values.iter().enumerate() {
            // First what the call gives, then what that yields, then what is in it.
            let ty = if number == 0 { given.clone() } else { held.clone() };
            let in_it = self.graph.nodes.iter().any(|node| {
                matches!(&node.kind, NodeKind::Assign { to, value: Value::Use(Operand::Move(from)) }
                    if to.local == local && to.path.is_empty() && !from.path.is_empty())
            });
            let known = &mut self.graph.locals[local.0 as usize].ty;
            if known.is_unknown() || known.is_result() && known.payload().is_unknown() {
                *known = if in_it { held.payload() } else { ty };
            }
        }
        let on_it: Vec<NodeId> = self
            .graph
            .calls()
            .filter(|(_, call)| matches!(call.target, Target::Unknown(_)))
            .filter(|(_, call)| {
                let on = call.receiver.as_ref().and_then(|receiver| receiver.place());
                on.is_some_and(|place| values.contains(&place.local))
            })
            .map(|(id, _)| id)
            .collect();
        for id in on_it {
            let Some(place) =
                self.graph.call_at(id).and_then(|call| call.receiver.as_ref()?.place())
            else {
                continue;
            };
            let ty = self.place_ty(place);
            let name = self.graph.call_at(id).map(|call| call.name);
            let Some((target, evidence)) = name.map(|name| self.world.method(&ty, name)) else {
                continue;
            };
            let effects = self.effects(&target);
            if let Some(call) = self.call_mut(id) {
                call.receiver_ty = ty;
                (call.target, call.evidence, call.effects) = (target, evidence, effects);
            }
        }
    }

    fn call_mut(&mut self, id: NodeId) -> Option<&mut Call> {
        match &mut self.graph.nodes[id.0 as usize].kind {
            NodeKind::Call(call) => Some(call),
            _ => None,
        }
    }
}
