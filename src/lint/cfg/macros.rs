//! Macro calls whose bodies are understood.

use crate::catalog::model::{Handle, MacroGrammar};
use crate::lint::ir::{Branch, ExprId, ExprKind, Lit, MacroBody, Name, Path, Span};
use crate::lint::names::FnId;
use crate::lint::types::{Evidence, KEEPS, Target, Ty, undoes};

use super::build::Builder;
use super::call::Ready;
use super::{Exit, NodeKind, Operand, Part, Place, Test, Value};

/// A variable that a macro undoes before it returns, and how.
#[derive(Clone)]
struct Undone {
    arg: ExprId,
    place: Place,
    ty: Ty,
    name: Name,
    target: Target,
    evidence: Evidence,
}

impl<'a> Builder<'a> {
    pub(super) fn macro_call(
        &mut self,
        path: &'a Path,
        body: &'a MacroBody,
        span: Span,
    ) -> Operand {
        match body {
            MacroBody::Select { branches, otherwise } => self.select(branches, *otherwise, span),
            MacroBody::Known { grammar, args } => {
                let value = self.known_macro(*grammar, args, span);
                match (value, self.world.macro_value(path, self.request.scope)) {
                    // What a fact says of its value counts more than the text that is in it.
                    (Operand::Unit | Operand::Lit(_), ty) if !ty.is_unknown() => {
                        let made = self.made(Value::Opaque(Vec::new()), ty, span);
                        Operand::Move(Place::of(made))
                    }
                    (value, _) => value,
                }
            }
            MacroBody::List(args) => self.unknown_macro(path, args, span),
            MacroBody::Opaque(names) => {
                let mut used = Vec::new();
                for &name in names {
                    if let Some(local) = self.find(name) {
                        used.push(Operand::Move(self.place_of(local)));
                    }
                }
                self.may_return(self.own_macro(path), &used, &[], span);
                let made = self.made(Value::Opaque(used), Ty::Unknown, span);
                Operand::Move(Place::of(made))
            }
        }
    }

    fn select(&mut self, branches: &'a [Branch], otherwise: Option<ExprId>, span: Span) -> Operand {
        let result = self.temp(Ty::Unknown, span);
        let out = self.join();
        let end = Span { start: span.end.saturating_sub(1), end: span.end };
        self.scoped(end, |this| {
            let mut futures = Vec::new();
            for branch in branches {
                if let Some(guard) = branch.guard {
                    // Asked before anything is polled; what it borrows ends with it.
                    let at = this.body().expr(guard).span;
                    this.scoped(at, |this| this.look(guard));
                }
                let future = this.value(branch.future);
                futures.push(future);
            }
            let types: Vec<Ty> = futures.iter().map(|future| this.ty_of(future)).collect();
            let Some(node) = this.step(NodeKind::Select { futures }, span) else { return };
            for (branch, ty) in branches.iter().zip(types) {
                this.resume(node);
                let value = match ty.bare() {
                    Ty::Future(inner) => (**inner).clone(),
                    _ => Ty::Unknown,
                };
                let at = this.body().expr(branch.body).span;
                this.scoped(at, |this| {
                    let got = this.temp(value, span);
                    let failed = this.pattern(branch.pat, &Place::of(got), false);
                    let value = this.value(branch.body);
                    this.store(Place::of(result), value, at);
                    this.tails.extend(failed);
                });
                this.drop_to(this.scopes.len() - 1, end);
                this.link(out);
            }
            if let Some(otherwise) = otherwise {
                this.resume(node);
                let value = this.value(otherwise);
                this.store(Place::of(result), value, end);
                this.drop_to(this.scopes.len() - 1, end);
                this.link(out);
            }
            this.tails.clear();
        });
        self.resume_if_reached(out);
        Operand::Move(Place::of(result))
    }

    fn known_macro(&mut self, grammar: MacroGrammar, args: &'a [ExprId], span: Span) -> Operand {
        match grammar {
            MacroGrammar::Join | MacroGrammar::TryJoin => {
                let values: Vec<Operand> = args.iter().map(|&arg| self.value(arg)).collect();
                let mut parts = Vec::new();
                for (number, value) in values.into_iter().enumerate() {
                    let value = self.awaited(value, span);
                    let value = match (grammar, value) {
                        (MacroGrammar::TryJoin, Operand::Move(place)) => {
                            Operand::Move(place.part(Part::Payload))
                        }
                        (_, value) => value,
                    };
                    parts.push((Part::Field(Name::new(&number.to_string())), value));
                }
                let ty = Ty::Tuple(parts.iter().map(|(_, value)| self.ty_of(value)).collect());
                let value = Value::Parts { parts, rest: None, written: false };
                let made = self.made(value, ty.clone(), span);
                if grammar == MacroGrammar::Join {
                    return Operand::Move(Place::of(made));
                }
                self.success(Name::new("Ok"), vec![Operand::Move(Place::of(made))], span)
            }
            // It ends in a statement of its own: so do the temporaries of what it looks at.
            MacroGrammar::Format => {
                self.scoped_value(span, |this| this.looked_over(grammar, args, span))
            }
            MacroGrammar::Assert | MacroGrammar::Matches => self.looked_over(grammar, args, span),
            MacroGrammar::Return => {
                for &arg in args {
                    self.look(arg);
                }
                self.leave(Exit::Return, span);
                Operand::Unit
            }
            MacroGrammar::Ensure => {
                let Some((&condition, rest)) = args.split_first() else { return Operand::Unit };
                let (yes, no) = self.condition(condition);
                self.tails = no;
                for &arg in rest {
                    self.look(arg);
                }
                self.leave(Exit::Return, span);
                self.tails = yes;
                Operand::Unit
            }
            MacroGrammar::Never => {
                for &arg in args {
                    self.look(arg);
                }
                self.never(span);
                Operand::Unit
            }
            MacroGrammar::Call => self.system_call(args, true, Evidence::Probable, span),
            MacroGrammar::List => {
                let values: Vec<Operand> = args.iter().map(|&arg| self.value(arg)).collect();
                self.list(values, span)
            }
            MacroGrammar::Defer => {
                // It runs when the scope is left, on every path. What it takes care of is not
                // worked out: anything in scope may be.
                let in_scope =
                    self.env.iter().map(|&(_, local)| Operand::Move(self.place_of(local)));
                let in_scope = in_scope.collect();
                self.made(Value::Opaque(in_scope), Ty::Unknown, span);
                Operand::Unit
            }
            _ => {
                let mut last = Operand::Unit;
                for &arg in args {
                    last = self.value(arg);
                }
                last
            }
        }
    }

    /// What a macro only looks at.
    fn looked_over(&mut self, grammar: MacroGrammar, args: &'a [ExprId], span: Span) -> Operand {
        let mut text = Operand::Lit(Lit::Other);
        let mut host = None;
        for (number, &arg) in args.iter().enumerate() {
            let seen = self.look(arg);
            self.looked_at(&seen, span);
            match (number, &seen) {
                (0, Operand::Lit(_)) => text = seen,
                (1, Operand::Ref(_) | Operand::Lit(Lit::Str(_))) => host = Some(seen),
                _ => {}
            }
        }
        // How a text begins is all that is known of it, and whom an address names.
        match (grammar, host) {
            (MacroGrammar::Format, Some(known @ Operand::Lit(_))) if begins_with(&text) => known,
            (MacroGrammar::Format, Some(host)) if begins_with_host(&text) => {
                let used = vec![host];
                Operand::Move(Place::of(self.made(Value::Opaque(used), Ty::Unknown, span)))
            }
            (MacroGrammar::Format, _) => text,
            _ => Operand::Unit,
        }
    }

    fn own_macro(&self, path: &Path) -> Option<FnId> {
        self.world.names.macro_def(self.request.scope.module, path)
    }

    /// A macro without facts. One of the crate's own around a call into libc is that call.
    fn unknown_macro(&mut self, path: &Path, args: &'a [ExprId], span: Span) -> Operand {
        let own = self.own_macro(path);
        if let Some(id) = own
            && let [only] = args
        {
            let only = self.peeled(only);
            let idents = &self.world.names.function(id).macro_idents;
            let has = |word: &str| idents.iter().any(|name| name.as_str() == word);
            let checked = has("Ok") || has("Err");
            let only = std::slice::from_ref(only);
            // Its own body says into what it is a call.
            if has("libc") && self.names_function(only[0]) {
                return self.system_call(only, checked, Evidence::Resolved, span);
            }
            if self.acquired_class(only[0]).is_some_and(|class| self.hands_on(idents, class)) {
                return self.system_call(only, checked, Evidence::Probable, span);
            }
        }
        let undone: Vec<Undone> = match own {
            Some(id) => args.iter().filter_map(|&arg| self.undone_by(id, arg)).collect(),
            None => Vec::new(),
        };
        // In which statement one of our own puts an argument is not seen: not in that of the call.
        let others = args.iter().filter(|&&arg| undone.iter().all(|undone| undone.arg != arg));
        let values = others.map(|&arg| match own {
            Some(_) => self.scoped_value(span, |this| this.value(arg)),
            None => self.value(arg),
        });
        let values: Vec<Operand> = values.collect();
        self.may_return(own, &values, &undone, span);
        let made = self.made(Value::Opaque(values), Ty::Unknown, span);
        Operand::Move(Place::of(made))
    }

    /// Whether a macro of the package undoes what a variable does when it returns:
    /// `attempt!(transaction, work)`. One that also keeps it ends it on the other path, too, and
    /// what becomes of it is not seen.
    fn undone_by(&self, id: FnId, arg: ExprId) -> Option<Undone> {
        let ExprKind::Path(path) = &self.body().expr(arg).kind else { return None };
        let place = self.place_of(self.find(path.as_name()?)?);
        let idents = &self.world.names.function(id).macro_idents;
        let has = |word: &str| idents.iter().any(|name| name.as_str() == word);
        if !has("return") || has(KEEPS) {
            return None;
        }
        let ty = self.place_ty(&place);
        idents.iter().filter(|name| undoes(name.as_str())).find_map(|&name| {
            let (target, evidence) = self.world.method(&ty, name);
            let known = !matches!(target, Target::Unknown(_) | Target::Shape(_));
            known.then(|| Undone {
                arg,
                place: place.clone(),
                ty: ty.clone(),
                name,
                target,
                evidence,
            })
        })
    }

    /// A macro of the package that names `return`: perhaps it does, going by what it is given.
    fn may_return(&mut self, own: Option<FnId>, given: &[Operand], undone: &[Undone], span: Span) {
        let Some(id) = own else { return };
        let idents = &self.world.names.function(id).macro_idents;
        let has = |word: &str| idents.iter().any(|name| name.as_str() == word);
        // That of a function or block in it leaves only that.
        if !has("return") || has("fn") || has("async") {
            return;
        }
        let mut asked: Vec<Place> = Vec::new();
        for value in given {
            asked.extend(value.place().cloned());
            asked.extend(self.test_of(value).iter().flat_map(Test::places).cloned());
        }
        let (returns, stays) = self.branch(Test::Given(asked), span);
        self.tails = returns;
        for Undone { place, ty, name, target, evidence, .. } in undone.iter().cloned() {
            let on = if self.moves_receiver(&target, name) {
                Operand::Move(place)
            } else {
                Operand::Ref(place)
            };
            self.finish(Ready {
                target,
                evidence,
                receiver: Some(on),
                receiver_ty: ty,
                args: Vec::new(),
                generics: Vec::new(),
                name,
                span,
            });
        }
        self.leave(Exit::Return, span);
        self.tails = stays;
    }

    /// Without `unsafe { … }` around.
    fn peeled(&self, mut id: &'a ExprId) -> &'a ExprId {
        let body = self.body();
        while let ExprKind::Block { stmts, tail: Some(tail), .. } = &body.expr(*id).kind
            && stmts.is_empty()
        {
            id = tail;
        }
        id
    }

    /// The class of what a call returns to be looked after, when failure is a number or null.
    fn acquired_class(&self, id: ExprId) -> Option<&'a str> {
        let body = self.body();
        let ExprKind::Call { callee, .. } = &body.expr(id).kind else { return None };
        let ExprKind::Path(path) = &body.expr(*callee).kind else { return None };
        let (Target::Api(ids, _), _) = self.world.value(path, self.request.scope) else {
            return None;
        };
        ids.iter().map(|&id| &self.world.facts.api(id).fact).find_map(|fact| {
            // What is left behind a pointer comes with a status.
            let told = match fact.handle {
                None | Some(Handle::Return) => fact.fails.is_some(),
                other => matches!(other, Some(Handle::Out(_))),
            };
            fact.acquires.as_deref().filter(|_| told)
        })
    }

    /// Whether a macro that names these gives on the number it gets: it names nothing that could
    /// end it, and no type that could hold it.
    fn hands_on(&self, idents: &[Name], class: &str) -> bool {
        const ERRORS: [&str; 6] = ["Ok", "Err", "Error", "ErrorKind", "Interrupted", "Result"];
        idents.iter().all(|&name| {
            let text = name.as_str();
            let is_type = text.starts_with(char::is_uppercase) && text.contains(char::is_lowercase);
            self.world.facts.harmless(name, class) && (!is_type || ERRORS.contains(&text))
        })
    }

    fn names_function(&self, id: ExprId) -> bool {
        let body = self.body();
        match &body.expr(id).kind {
            ExprKind::Call { callee, .. } => {
                matches!(&body.expr(*callee).kind, ExprKind::Path(path) if path.as_name().is_some())
            }
            _ => false,
        }
    }

    /// `syscall!(close(fd))`: a call into libc whose failure becomes an error.
    fn system_call(
        &mut self,
        args: &'a [ExprId],
        checked: bool,
        known: Evidence,
        span: Span,
    ) -> Operand {
        let body = self.body();
        let (function, inner): (ExprId, &'a [ExprId]) = match args {
            [only] => match &body.expr(*only).kind {
                ExprKind::Call { callee, args } => (*callee, args),
                _ => return self.value(*only),
            },
            [function, rest @ ..] => (*function, rest),
            [] => return Operand::Unit,
        };
        let ExprKind::Path(path) = &body.expr(function).kind else {
            return self.call(function, inner, span);
        };
        let (mut target, evidence) = self.world.value(path, self.request.scope);
        if let (Some(name), Target::Unknown(_)) = (path.as_name(), &target) {
            let path = Name::new(&format!("libc::{name}"));
            target = Target::Api(self.world.facts.apis(path), path);
        }
        let evidence = evidence.max(known);
        let values: Vec<Operand> = inner.iter().map(|&arg| self.value(arg)).collect();
        let value = self.call_target(target, evidence, path, values, span);
        if !checked {
            return value;
        }
        let Some(place) = value.place().cloned() else { return value };
        // Negative: an error; anything else is in Ok.
        let out = self.temp(Ty::result(self.ty_of(&value)), span);
        let joined = self.join();
        let zero = Operand::Lit(Lit::Int(0));
        let test = Test::Compare(crate::lint::ir::BinaryOp::Lt, Operand::Ref(place.clone()), zero);
        let (failed, fine) = self.branch(test, span);
        self.tails = fine;
        let parts = vec![(Part::Payload, Operand::Move(place))];
        self.step(
            NodeKind::Assign {
                to: Place::of(out),
                value: Value::Parts { parts, rest: None, written: false },
            },
            span,
        );
        self.link(joined);
        self.tails = failed;
        let error = vec![(Part::Field(Name::new("Err")), Operand::Unit)];
        let value = Value::Parts { parts: error, rest: None, written: false };
        self.step(NodeKind::Assign { to: Place::of(out), value }, span);
        self.link(joined);
        self.resume_if_reached(joined);
        Operand::Move(Place::of(out))
    }
}

/// `{}/path` or `http://{}/path`: what is put in first says whom it names.
fn begins_with(text: &Operand) -> bool {
    let whole = |text: &str| {
        let rest = text.strip_prefix('{').and_then(|text| text.split_once('}'));
        rest.is_some_and(|(_, rest)| {
            !rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
        })
    };
    matches!(text, Operand::Lit(Lit::Str(text)) if whole(text.as_str())) || begins_with_host(text)
}

/// `http://{}/path`, where what follows is put in.
fn begins_with_host(text: &Operand) -> bool {
    let Operand::Lit(Lit::Str(text)) = text else { return false };
    text.as_str().split_once("://").is_some_and(|(scheme, rest)| {
        rest.starts_with('{') && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    })
}
