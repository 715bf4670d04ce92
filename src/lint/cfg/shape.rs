//! Methods of Option and Result, and those that pass through what they are called on.

use crate::lint::ir::{ExprId, ExprKind, Name, Span};
use crate::lint::types::Ty;

use super::build::{Builder, Tail};
use super::{LocalId, NodeId, NodeKind, Operand, Part, Place, Test, Value};

impl<'a> Builder<'a> {
    /// The value of a method call that the engine understands by itself.
    pub(super) fn shape(
        &mut self,
        place: &Place,
        by_ref: bool,
        ty: &Ty,
        name: Name,
        args: &'a [ExprId],
        span: Span,
    ) -> Option<Operand> {
        let payload = place.part(Part::Payload);
        let known = ty.is_result() || ty.is_option();
        let inside = |place: Place| if by_ref { Operand::Ref(place) } else { Operand::Move(place) };
        Some(match name.as_str() {
            "unwrap" | "expect" | "unwrap_unchecked" | "unwrap_or_default" => {
                self.looks(args);
                inside(payload)
            }
            // A pointer is what it was made of, whoever looks at it.
            "as_ptr"
                if args.is_empty()
                    && ty.path().is_some_and(|path| path.as_str() == "std::ptr::NonNull") =>
            {
                Operand::Move(place.clone())
            }
            "as_ref" | "as_mut" | "as_deref" | "as_deref_mut" | "iter" | "iter_mut" | "by_ref"
            | "borrow" | "borrow_mut" | "deref" | "deref_mut" | "as_slice" | "as_pin_mut"
            | "as_ptr" | "as_mut_ptr"
                if args.is_empty() =>
            {
                Operand::Ref(place.clone())
            }
            // Of `MaybeUninit`.
            "assume_init" if args.is_empty() => inside(place.clone()),
            "into_iter" | "drain" => {
                self.looks(args);
                inside(place.clone())
            }
            "is_ok" | "is_some" => self.truth(Some(Test::Success(place.clone())), span),
            "is_success" if args.is_empty() => self.truth(Some(Test::Success(place.clone())), span),
            "is_err" | "is_none" | "is_error" | "is_failure" if args.is_empty() => {
                let test = Test::Not(Box::new(Test::Success(place.clone())));
                self.truth(Some(test), span)
            }
            "is_null" if args.is_empty() => self.truth(Some(Test::Null(place.clone())), span),
            "take" if args.is_empty() && (known || ty.is_unknown()) => {
                let value = Value::Use(Operand::Move(place.clone()));
                Operand::Move(Place::of(self.made(value, ty.bare().clone(), span)))
            }
            "cast" | "cast_mut" | "cast_const" if matches!(ty, Ty::Ptr(_)) => inside(place.clone()),
            "ok" if args.is_empty() => self.retyped(place, by_ref, Ty::option(ty.payload()), span),
            "ok_or" | "ok_or_else" | "map_err" | "context" | "with_context" | "wrap_err"
            | "wrap_err_with" | "into_diagnostic" | "change_context" | "inspect_err"
            | "map_err_into" => {
                self.on_failure(place, args, span);
                self.retyped(place, by_ref, Ty::result(ty.payload()), span)
            }
            "for_each" => return self.for_each((place, by_ref), ty, args, span),
            "inspect" if known => {
                self.looks(args);
                self.retyped(place, by_ref, ty.clone(), span)
            }
            "err" if known => Operand::Unit,
            "map" | "and_then" if known => {
                let [function] = args else { return None };
                self.mapped(place, by_ref, ty, *function, name.as_str() == "map", span)
            }
            "then" if *ty == Ty::Bool => {
                let [function] = args else { return None };
                self.when(place, *function, span)
            }
            "unwrap_or" | "unwrap_or_else" if known => {
                let [other] = args else { return None };
                self.unwrap_or(place, by_ref, *other, name.as_str() == "unwrap_or", span)
            }
            "insert" | "replace" if ty.is_option() => {
                let [value] = args else { return None };
                let value = self.value(*value);
                self.step(NodeKind::Assign { to: payload, value: Value::Use(value) }, span);
                Operand::Unit
            }
            _ => return None,
        })
    }

    fn looks(&mut self, args: &'a [ExprId]) {
        for &arg in args {
            self.look(arg);
        }
    }

    fn has_closure(&self, args: &[ExprId]) -> bool {
        let body = self.body();
        args.iter().any(|&arg| matches!(body.expr(arg).kind, ExprKind::Closure { .. }))
    }

    /// What `map_err` and its kin run when it failed: nothing of the value goes in.
    fn on_failure(&mut self, place: &Place, args: &'a [ExprId], span: Span) {
        if !self.has_closure(args) {
            self.looks(args);
            return;
        }
        let (yes, no) = self.branch(Test::Success(place.clone()), span);
        self.tails = no;
        for &arg in args {
            let value = self.apply(arg, vec![Operand::Unit], span);
            // What the closure gives lives on in the error.
            if let Operand::Move(_) = value {
                self.made(Value::Opaque(vec![value]), Ty::Unknown, span);
            }
        }
        self.tails.extend(yes);
    }

    /// `result.extension("text")?`, of a trait that nobody knows: methods that others add to Result
    /// and of which the value is opened at once give the failure other words, as `context` does.
    pub(super) fn reworded(
        &mut self,
        place: &Place,
        by_ref: bool,
        ty: &Ty,
        args: &'a [ExprId],
        span: Span,
    ) -> Option<Operand> {
        if !ty.is_result() || self.has_closure(args) {
            return None;
        }
        self.looks(args);
        Some(self.retyped(place, by_ref, ty.clone(), span))
    }

    /// The same value as another type.
    fn retyped(&mut self, place: &Place, by_ref: bool, ty: Ty, span: Span) -> Operand {
        if by_ref {
            return Operand::Ref(place.clone());
        }
        let value = Value::Use(Operand::Move(place.clone()));
        Operand::Move(Place::of(self.made(value, ty, span)))
    }

    fn mapped(
        &mut self,
        place: &Place,
        by_ref: bool,
        ty: &Ty,
        function: ExprId,
        wraps: bool,
        span: Span,
    ) -> Operand {
        let payload = place.part(Part::Payload);
        let out = self.temp(Ty::Unknown, span);
        let joined = self.join();
        let (yes, no) = self.branch(Test::Success(place.clone()), span);
        self.tails = yes;
        let value = if by_ref { Operand::Ref(payload) } else { Operand::Move(payload) };
        let value = self.apply(function, vec![value], span);
        let given = self.ty_of(&value);
        if self.graph.local(out).ty.is_unknown() {
            let made = if wraps { ty.with_payload(given) } else { given };
            self.graph.locals[out.0 as usize].ty = made;
        }
        let value = if wraps {
            Value::Parts { parts: vec![(Part::Payload, value)], rest: None, written: false }
        } else {
            Value::Use(value)
        };
        // A failure stays the one that it was.
        let failure = if ty.is_result() { Operand::Ref(place.clone()) } else { nothing() };
        self.or_else(out, value, failure, (joined, no), span)
    }

    /// Puts the value on this way, and goes on where the other way meets it, which leaves a failure.
    fn or_else(
        &mut self,
        out: LocalId,
        value: Value,
        failure: Operand,
        (joined, other): (NodeId, Vec<Tail>),
        span: Span,
    ) -> Operand {
        self.step(NodeKind::Assign { to: Place::of(out), value }, span);
        self.link(joined);
        self.tails = other;
        self.step(NodeKind::Assign { to: Place::of(out), value: Value::Use(failure) }, span);
        self.link(joined);
        self.resume_if_reached(joined);
        Operand::Move(Place::of(out))
    }

    /// `condition.then(|| …)`: what the closure gives, or nothing.
    fn when(&mut self, condition: &Place, function: ExprId, span: Span) -> Operand {
        let out = self.temp(Ty::Unknown, span);
        let joined = self.join();
        let test = self.test_of(&Operand::Ref(condition.clone())).unwrap_or(Test::Opaque);
        let (yes, no) = self.branch(test, span);
        self.tails = yes;
        let value = self.apply(function, Vec::new(), span);
        let given = self.ty_of(&value);
        self.graph.locals[out.0 as usize].ty = Ty::option(given);
        let value =
            Value::Parts { parts: vec![(Part::Payload, value)], rest: None, written: false };
        self.or_else(out, value, nothing(), (joined, no), span)
    }

    fn unwrap_or(
        &mut self,
        place: &Place,
        by_ref: bool,
        other: ExprId,
        plain: bool,
        span: Span,
    ) -> Operand {
        let payload = place.part(Part::Payload);
        let ty = self.place_ty(&payload);
        let out = self.temp(ty, span);
        let joined = self.join();
        let given = if plain { Some(self.value(other)) } else { None };
        let (yes, no) = self.branch(Test::Success(place.clone()), span);
        self.tails = yes;
        let value = if by_ref { Operand::Ref(payload) } else { Operand::Move(payload) };
        self.store(Place::of(out), value, span);
        self.link(joined);
        self.tails = no;
        let value = match given {
            Some(value) => value,
            None => self.apply(other, vec![Operand::Unit], span),
        };
        self.store(Place::of(out), value, span);
        self.link(joined);
        self.resume_if_reached(joined);
        Operand::Move(Place::of(out))
    }
}

fn nothing() -> Operand {
    Operand::Const(Name::new("None"))
}
