//! Calls: what they lead to, what becomes of receiver and arguments, what they leave behind.

use crate::catalog::model::{Effect, Handle};
use crate::lint::ir::{BinaryOp, ExprId, ExprKind, Name, Path, Receiver, Span, TypeRef};
use crate::lint::types::{Evidence, Target, Ty};

use super::build::Builder;
use super::{Call, LocalId, LocalKind, NodeKind, Operand, Part, Place, Test, Value};

/// A call of which everything is evaluated.
pub(super) struct Ready {
    pub(super) target: Target,
    pub(super) evidence: Evidence,
    pub(super) receiver: Option<Operand>,
    pub(super) receiver_ty: Ty,
    pub(super) args: Vec<Operand>,
    pub(super) generics: Vec<Ty>,
    pub(super) name: Name,
    /// Where the step stands: at the name of a method, at the start of a function call.
    pub(super) span: Span,
}

impl<'a> Builder<'a> {
    pub(super) fn call(&mut self, callee: ExprId, args: &'a [ExprId], span: Span) -> Operand {
        let body = self.body();
        let ExprKind::Path(path) = &body.expr(callee).kind else {
            let function = self.look(callee);
            return self.call_value(function, args, span);
        };
        if let Some(local) = path.as_name().and_then(|name| self.find(name)) {
            return self.call_value(Operand::Ref(self.place_of(local)), args, span);
        }
        let (target, evidence) = self.world.value(path, self.request.scope);
        let args: Vec<Operand> = args.iter().map(|&arg| self.argument(arg)).collect();
        self.call_target(target, evidence, path, args, span)
    }

    /// An argument. A function that makes a value with bounds is given to somebody who calls it:
    /// `Lazy::new(Client::new)`.
    fn argument(&mut self, arg: ExprId) -> Operand {
        let body = self.body();
        let expr = body.expr(arg);
        if let ExprKind::Path(path) = &expr.kind
            && path.as_name().is_none_or(|name| self.find(name).is_none())
            && let (target @ Target::Api(..), evidence) = self.world.value(path, self.request.scope)
            && self.makes_bounded(&target)
        {
            return self.call_target(target, evidence, path, Vec::new(), expr.span);
        }
        self.value(arg)
    }

    fn makes_bounded(&self, target: &Target) -> bool {
        let Target::Api(ids, _) = target else { return false };
        ids.iter().any(|&id| {
            let fact = &self.world.facts.api(id).fact;
            fact.finishes.is_some() && !fact.bounds.is_empty()
        })
    }

    /// A call of a function that a path names, with its arguments evaluated.
    pub(super) fn call_target(
        &mut self,
        target: Target,
        evidence: Evidence,
        path: &Path,
        args: Vec<Operand>,
        span: Span,
    ) -> Operand {
        let name = path.last().map_or_else(|| Name::new("?"), |last| last.name);
        match &target {
            Target::Success => return self.success(name, args, span),
            Target::Failure => {
                let parts = args.into_iter().map(|arg| (Part::Field(Name::new("Err")), arg));
                let value = Value::Parts { parts: parts.collect(), rest: None, written: false };
                let made = self.made(value, Ty::result(Ty::Unknown), span);
                return Operand::Move(Place::of(made));
            }
            Target::Constructor(id) => {
                let field =
                    |at: usize| self.world.field_of_variant(*id, name, Name::new(&at.to_string()));
                let parts = args.into_iter().enumerate();
                let parts = parts.map(|(at, arg)| (Part::Field(field(at)), arg)).collect();
                let value = Value::Parts { parts, rest: None, written: true };
                let made = self.made(value, Ty::Own(*id, Vec::new()), span);
                return Operand::Move(Place::of(made));
            }
            _ => {}
        }
        let generics = path.segments.iter().flat_map(|segment| &segment.args);
        let generics = generics.map(|ty| self.world.ty(ty, self.request.scope)).collect();
        if let Target::Foreign(path) = &target
            && path.as_str() == "std::ptr::eq"
            && let [left, right] = args.as_slice()
        {
            let test = Test::Compare(BinaryOp::Eq, left.clone(), right.clone());
            return self.truth(Some(test), span);
        }
        if let Some(wrapped) = self.wrapped(&target, &args, span) {
            return wrapped;
        }
        self.finish(Ready {
            target,
            evidence,
            receiver: None,
            receiver_ty: Ty::Unknown,
            args,
            generics,
            name,
            span,
        })
    }

    /// `Ok(x)`, `Some(x)`
    pub(super) fn success(&mut self, name: Name, args: Vec<Operand>, span: Span) -> Operand {
        let inner = args.first().map(|arg| self.ty_of(arg)).unwrap_or_default();
        let ty = if name.as_str() == "Ok" { Ty::result(inner) } else { Ty::option(inner) };
        let parts = args.into_iter().map(|arg| (Part::Payload, arg)).collect();
        let made = self.made(Value::Parts { parts, rest: None, written: false }, ty, span);
        Operand::Move(Place::of(made))
    }

    /// `Box::new(x)`, `Mutex::new(x)`: what is inside is still what it was. Shared owners are not
    /// followed: which of them is the last cannot be told.
    fn wrapped(&mut self, target: &Target, args: &[Operand], span: Span) -> Option<Operand> {
        let path = match target {
            Target::Foreign(path) => path,
            // What facts say about it must not get lost.
            Target::Api(ids, path) => {
                let plain = ids.iter().all(|&id| {
                    let fact = &self.world.facts.api(id).fact;
                    fact.acquires.is_none() && fact.finishes.is_none() && fact.classes.is_empty()
                });
                if !plain {
                    return None;
                }
                path
            }
            _ => return None,
        };
        let [arg] = args else { return None };
        let (owner, function) = path.as_str().rsplit_once("::")?;
        if !matches!(function, "new" | "pin" | "from") {
            return None;
        }
        let owner = Name::new(owner);
        self.world.facts.type_fact(owner)?.derefs?;
        let inner = self.ty_of(arg);
        let shared = owner.as_str().ends_with("::Arc") || owner.as_str().ends_with("::Rc");
        let value = if shared { Value::Opaque(vec![arg.clone()]) } else { Value::Use(arg.clone()) };
        let made = self.made(value, Ty::Foreign(owner, vec![inner]), span);
        Some(Operand::Move(Place::of(made)))
    }

    /// A call of something that is a value: a closure, a function pointer.
    fn call_value(&mut self, function: Operand, args: &'a [ExprId], span: Span) -> Operand {
        let ty = self.ty_of(&function);
        let args: Vec<Operand> = args.iter().map(|&arg| self.value(arg)).collect();
        let name = Name::new("call");
        let returned = self.world.reach(&ty).into_iter().find_map(|ty| match ty {
            Ty::Fn(returned) => Some(*returned),
            _ => None,
        });
        let returned = returned.unwrap_or_default();
        let made = self.finish(Ready {
            target: Target::Unknown(name),
            evidence: Evidence::Unknown,
            receiver: Some(function),
            receiver_ty: ty,
            args,
            generics: Vec::new(),
            name,
            span,
        });
        if let Some(place) = made.place() {
            self.graph.locals[place.local.0 as usize].ty = returned;
        }
        made
    }

    pub(super) fn method(
        &mut self,
        receiver: ExprId,
        name: Name,
        generics: &'a [TypeRef],
        args: &'a [ExprId],
        opened: bool,
        at: Span,
    ) -> Operand {
        let (place, by_ref) = self.place(receiver);
        if !self.reachable() {
            return Operand::Unit;
        }
        let ty = self.place_ty(&place);
        let (target, evidence) = self.world.method(&ty, name);
        let known = !matches!(target, Target::Unknown(_) | Target::Shape(_));
        if !known && let Some(shaped) = self.shape(&place, by_ref, &ty, name, args, at) {
            return shaped;
        }
        if opened
            && matches!(target, Target::Unknown(_))
            && let Some(same) = self.reworded(&place, by_ref, &ty, args, at)
        {
            return same;
        }
        let args: Vec<Operand> = args.iter().map(|&arg| self.argument(arg)).collect();
        self.run_on_each(&ty, name, &args);
        let generics = generics.iter().map(|ty| self.world.ty(ty, self.request.scope)).collect();
        let moved = !by_ref && !ty.is_ref() && self.moves_receiver(&target, name);
        let on = match &self.body().expr(receiver).kind {
            // Its temporary holds nothing; the text may matter.
            ExprKind::Lit(lit) => Operand::Lit(lit.clone()),
            _ if moved => Operand::Move(place),
            _ => Operand::Ref(place),
        };
        self.finish(Ready {
            target,
            evidence,
            receiver: Some(on),
            receiver_ty: ty,
            args,
            generics,
            name,
            span: at,
        })
    }

    pub(super) fn moves_receiver(&self, target: &Target, name: Name) -> bool {
        if let Some(own) = self.world.own_function(target) {
            return self.world.receiver_of(own) == Receiver::Value;
        }
        match target {
            Target::Api(ids, _) => {
                name.as_str().starts_with("into_")
                    || ids.iter().any(|&id| {
                        let fact = &self.world.facts.api(id).fact;
                        fact.takes.contains(&Handle::Receiver)
                    })
            }
            _ => name.as_str().starts_with("into_"),
        }
    }

    /// Puts the step of a call, and what follows from what the function does.
    pub(super) fn finish(&mut self, ready: Ready) -> Operand {
        let Ready { target, evidence, receiver, receiver_ty, args, generics, name, span } = ready;
        let target = self.given(target, receiver.as_ref().map(|_| name), &args);
        let effects = self.effects(&target);
        let unsure = receiver.is_some() && self.may_begin(&target);
        let arg_types: Vec<Ty> = args.iter().map(|arg| self.ty_of(arg)).collect();
        if effects.contains(&Effect::Defers) {
            self.will_be_given(args.get(1), arg_types.first().cloned().into_iter().collect());
        }
        let mut ty = self.world.returns(&target, &receiver_ty, &arg_types);
        // `collect::<Result<_>>()` and the like.
        if let ([written], Ty::Unknown) = (generics.as_slice(), &ty)
            && matches!(name.as_str(), "collect" | "parse" | "into" | "try_into" | "default")
        {
            ty = written.clone();
        }
        let to = self.temp(ty.clone(), span);
        let call = Call {
            target,
            evidence,
            receiver,
            receiver_ty,
            args,
            to,
            name,
            effects: effects.clone(),
        };
        let node = self.step(NodeKind::Call(Box::new(call)), span);
        self.graph.locals[to.0 as usize].def = node;
        if unsure {
            self.unsure.extend(node);
        }
        let ends =
            effects.iter().any(|effect| matches!(effect, Effect::NeverReturns | Effect::Exits));
        if ends || ty == Ty::Never {
            self.never(span);
        }
        Operand::Move(Place::of(to))
    }

    /// What facts say that running it means.
    pub(super) fn effects(&self, target: &Target) -> Vec<Effect> {
        match target {
            Target::Api(ids, _) => {
                ids.iter().flat_map(|&id| self.world.facts.api(id).fact.effects.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Applies a function written as an argument to values: `|x| …`, `Some`, `Type::method`.
    pub(super) fn apply(&mut self, function: ExprId, values: Vec<Operand>, span: Span) -> Operand {
        let body = self.body();
        match &body.expr(function).kind {
            ExprKind::Closure { body: inner } => {
                let lowered = &self.lowered.bodies[inner.0 as usize];
                if !lowered.is_async && self.frames.len() < 8 {
                    return self.inline(*inner, &values, span);
                }
                let closure = self.value(function);
                let mut parts = vec![closure];
                parts.extend(values);
                let made = self.made(Value::Opaque(parts), Ty::Unknown, span);
                Operand::Move(Place::of(made))
            }
            ExprKind::Path(path) if path.as_name().is_none_or(|name| self.find(name).is_none()) => {
                let (target, evidence) = self.world.value(path, self.request.scope);
                self.call_target(target, evidence, path, values, span)
            }
            _ => {
                let function = self.look(function);
                let mut parts = vec![function];
                parts.extend(values);
                let made = self.made(Value::Opaque(parts), Ty::Unknown, span);
                Operand::Move(Place::of(made))
            }
        }
    }

    /// Runs the body of a closure here.
    fn inline(&mut self, id: crate::lint::ir::BodyId, values: &[Operand], span: Span) -> Operand {
        let lowered = &self.lowered.bodies[id.0 as usize];
        let result: LocalId = self.local(None, Ty::Unknown, LocalKind::Temp, span);
        self.declare(result);
        let back = self.join();
        let depth = self.scopes.len();
        self.frames.push(super::build::Frame { body: lowered, result, back: Some(back), depth });
        let end = Span { start: span.end.saturating_sub(1), end: span.end };
        self.scoped(end, |this| {
            for (number, param) in lowered.params.iter().enumerate() {
                let written = this.world.ty(&param.ty, this.request.scope);
                let value = values.get(number).cloned().unwrap_or(Operand::Unit);
                let (place, by_ref) = this.hold(value, span);
                if !written.is_unknown() && place.path.is_empty() {
                    let local = &mut this.graph.locals[place.local.0 as usize];
                    if local.ty.is_unknown() {
                        local.ty = written;
                    }
                }
                this.bind(param.pat, place, by_ref);
            }
            let value = this.value(lowered.root);
            this.store(Place::of(result), value, end);
        });
        self.frames.pop();
        self.link(back);
        self.resume_if_reached(back);
        Operand::Move(Place::of(result))
    }
}
