//! Loops over what is in a collection, and closures that methods run on it.

use crate::lint::ir::{ExprId, ExprKind, Name, Span};
use crate::lint::types::Ty;

use super::build::Builder;
use super::{LoopKind, NodeKind, Operand, Part, Place, Test, Value};

impl<'a> Builder<'a> {
    /// A loop over what is in a place. Of a list that was written with something in it, the first
    /// turn is taken for sure.
    pub(super) fn each(
        &mut self,
        place: &Place,
        (label, span): (Option<Name>, Span),
        turn: impl FnOnce(&mut Self, &Place),
    ) {
        let optional = self.place_ty(place).is_option();
        let first = match self.is_filled(place) {
            true => std::mem::take(&mut self.tails),
            false => Vec::new(),
        };
        let (_, head, out) = self.open_loop(label, LoopKind::For, span);
        let test = if optional { Test::Success(place.clone()) } else { Test::Opaque };
        let (mut yes, no) = self.branch(test, span);
        yes.extend(first);
        self.tails = yes;
        turn(self, &place.part(if optional { Part::Payload } else { Part::Element }));
        self.link(head);
        self.tails = no;
        self.link(out);
        self.close_loop(head, out);
    }

    /// Whether it was written as a list with something in it.
    fn is_filled(&self, place: &Place) -> bool {
        let def = self.graph.local(place.local).def.filter(|_| place.path.is_empty());
        def.is_some_and(|def| match &self.graph.node(def).kind {
            NodeKind::Assign { value: Value::Parts { parts, .. }, .. } => {
                parts.iter().any(|(part, _)| *part == Part::Element)
            }
            _ => false,
        })
    }

    /// `list.for_each(|x| …)`, which is the loop over that list.
    pub(super) fn for_each(
        &mut self,
        (place, by_ref): (&Place, bool),
        ty: &Ty,
        args: &'a [ExprId],
        span: Span,
    ) -> Option<Operand> {
        let body = self.body();
        let ([only], Ty::Slice(_)) = (args, ty.bare()) else { return None };
        let ExprKind::Closure { body: closure } = body.expr(*only).kind else { return None };
        if self.lowered.bodies[closure.0 as usize].is_async {
            return None;
        }
        self.each(place, (None, span), |this, element| {
            let element = element.clone();
            let given = if by_ref { Operand::Ref(element) } else { Operand::Move(element) };
            this.scoped(span, |this| this.apply(*only, vec![given], span));
        });
        Some(Operand::Unit)
    }

    /// Tells closures among the arguments what a method of this name calls them with.
    pub(super) fn run_on_each(&mut self, collection: &Ty, name: Name, args: &[Operand]) {
        let Some(before) = parameters_before(name.as_str()) else { return };
        let closure = |arg: &Operand| self.graph.local(arg.place()?.local).closure;
        if args.iter().all(|arg| closure(arg).is_none())
            || collection.is_result()
            || collection.is_option()
        {
            return;
        }
        let given = match (self.entry(collection), name.as_str()) {
            (Some((key, value)), "retain") => vec![key, value],
            (Some((key, value)), _) => vec![Ty::Tuple(vec![key, value])],
            (None, _) => vec![lent(self.element(collection))],
        };
        if given == [Ty::Unknown] {
            return;
        }
        let params: Vec<Ty> = std::iter::repeat_n(Ty::Unknown, before).chain(given).collect();
        for arg in args {
            self.will_be_given(Some(arg), params.clone());
        }
    }

    /// Tells an argument, where it is a closure, what it is called with.
    pub(super) fn will_be_given(&mut self, arg: Option<&Operand>, params: Vec<Ty>) {
        let closure =
            arg.and_then(Operand::place).and_then(|at| self.graph.local(at.local).closure);
        let mut nested = self.graph.nested.iter_mut();
        if let Some(nested) = nested.find(|nested| Some(nested.body) == closure) {
            nested.params = params;
        }
    }

    /// Key and value of a map.
    fn entry(&self, ty: &Ty) -> Option<(Ty, Ty)> {
        self.world.reach(ty).into_iter().find_map(|ty| match ty {
            Ty::Foreign(path, args) if path.as_str().ends_with("Map") => {
                match <[Ty; 2]>::try_from(args) {
                    Ok([key, value]) => Some((lent(key), lent(value))),
                    Err(_) => None,
                }
            }
            _ => None,
        })
    }
}

/// By reference: whether a closure is given what is in a collection or only lent it, nobody asks.
fn lent(ty: Ty) -> Ty {
    match ty {
        Ty::Unknown | Ty::Ref(_) => ty,
        other => Ty::Ref(Box::new(other)),
    }
}

/// How many parameters stand before the element, of methods that call a closure with each element.
fn parameters_before(name: &str) -> Option<usize> {
    match name {
        "map"
        | "for_each"
        | "filter"
        | "filter_map"
        | "flat_map"
        | "find"
        | "find_map"
        | "any"
        | "all"
        | "position"
        | "inspect"
        | "retain"
        | "partition"
        | "take_while"
        | "skip_while"
        | "map_while"
        | "try_for_each"
        | "for_each_concurrent"
        | "try_for_each_concurrent"
        | "max_by_key"
        | "min_by_key"
        | "sort_by_key"
        | "sort_by_cached_key" => Some(0),
        "fold" | "try_fold" | "scan" => Some(1),
        _ => None,
    }
}
