//! The text around an expression: who contains it, its statement, where things can be written.

use crate::lint::ir::{Body, ExprId, ExprKind, File, Name, PatId, PatKind, Span, Stmt};
use crate::lint::scan::{Piece, scan};

/// What an expression stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// It is the body.
    Root,
    Expr(ExprId),
    /// It is this statement of a block, or what the `let` there binds.
    Stmt(ExprId, usize),
    /// It is the value of a block.
    Tail(ExprId),
}

/// A body and its text.
pub(super) struct Code<'a> {
    pub(super) text: &'a str,
    pub(super) body: &'a Body,
    parents: Vec<Parent>,
}

/// A replaced range and what stands there then.
pub(super) type Change = (Span, String);

impl<'a> Code<'a> {
    /// The call that findings place at `span`, in whichever body of the file.
    pub(super) fn call_at(file: &'a File, text: &'a str, span: Span) -> Option<(Self, ExprId)> {
        Self::find(file, text, |body, id| match &body.expr(id).kind {
            ExprKind::Method { name_span, .. } => *name_span == span,
            ExprKind::Call { .. } => body.expr(id).span == span,
            _ => false,
        })
    }

    /// The expression of a step at `span`: a call, or an await as a whole.
    pub(super) fn step_at(file: &'a File, text: &'a str, span: Span) -> Option<(Self, ExprId)> {
        Self::call_at(file, text, span).or_else(|| {
            Self::find(file, text, |body, id| {
                let expr = body.expr(id);
                expr.span == span && matches!(expr.kind, ExprKind::Await(_))
            })
        })
    }

    fn find(
        file: &'a File,
        text: &'a str,
        is: impl Fn(&Body, ExprId) -> bool,
    ) -> Option<(Self, ExprId)> {
        file.bodies.iter().find_map(|body| {
            let ids = (0..u32::try_from(body.exprs.len()).unwrap_or(u32::MAX)).map(ExprId);
            let id = { ids }.find(|&id| is(body, id))?;
            let mut code = Self { text, body, parents: vec![Parent::Root; body.exprs.len()] };
            code.note_parents();
            Some((code, id))
        })
    }

    fn note_parents(&mut self) {
        let body = self.body;
        for (at, expr) in (0..).map(ExprId).zip(&body.exprs) {
            expr.kind.each_child(&mut |child| self.parents[child.0 as usize] = Parent::Expr(at));
            let ExprKind::Block { stmts, tail, .. } = &expr.kind else { continue };
            for (number, stmt) in stmts.iter().enumerate() {
                let (Stmt::Let { init: Some(id), .. } | Stmt::Expr(id)) = stmt else { continue };
                self.parents[id.0 as usize] = Parent::Stmt(at, number);
            }
            if let Some(tail) = tail {
                self.parents[tail.0 as usize] = Parent::Tail(at);
            }
        }
    }

    pub(super) fn parent(&self, id: ExprId) -> Parent {
        self.parents[id.0 as usize]
    }

    pub(super) fn kind(&self, id: ExprId) -> &'a ExprKind {
        &self.body.expr(id).kind
    }

    pub(super) fn span(&self, id: ExprId) -> Span {
        self.body.expr(id).span
    }

    pub(super) fn slice(&self, span: Span) -> Option<&'a str> {
        self.text.get(span.start as usize..span.end as usize)
    }

    /// The statement of a block that an expression is in; the value of a block is its last.
    pub(super) fn statement(&self, mut id: ExprId) -> Option<(ExprId, usize)> {
        loop {
            match self.parent(id) {
                Parent::Stmt(block, number) => return Some((block, number)),
                Parent::Expr(around) => id = around,
                Parent::Tail(block) => return Some((block, self.stmts(block)?.len())),
                Parent::Root => return None,
            }
        }
    }

    pub(super) fn stmts(&self, block: ExprId) -> Option<&'a [Stmt]> {
        match self.kind(block) {
            ExprKind::Block { stmts, .. } => Some(stmts),
            _ => None,
        }
    }

    pub(super) fn stmt(&self, (block, number): (ExprId, usize)) -> Option<&'a Stmt> {
        self.stmts(block)?.get(number)
    }

    /// What wraps a value without using it: `?`, `.await`, `.unwrap()`. The outermost of these.
    pub(super) fn unwrapped(&self, mut id: ExprId) -> ExprId {
        while let Parent::Expr(around) = self.parent(id) {
            let wraps = match self.kind(around) {
                ExprKind::Try(_) | ExprKind::Await(_) => true,
                ExprKind::Method { receiver, name, .. } => {
                    *receiver == id && matches!(name.as_str(), "unwrap" | "expect" | "ok")
                }
                _ => false,
            };
            if !wraps {
                break;
            }
            id = around;
        }
        id
    }

    /// Where a statement begins, when something can be written before it.
    pub(super) fn start(&self, at: (ExprId, usize)) -> Option<u32> {
        let start = match (self.stmt(at), self.kind(at.0)) {
            (Some(Stmt::Let { span, .. }), _) => span.start,
            (Some(Stmt::Expr(id)), _) => self.span(*id).start,
            (None, ExprKind::Block { tail: Some(tail), .. }) => self.span(*tail).start,
            _ => return None,
        };
        begins(self.text, start as usize).then_some(start)
    }

    /// Writes a statement before another.
    pub(super) fn before(&self, at: (ExprId, usize), statement: &str) -> Option<Change> {
        let start = self.start(at)?;
        let line = indent(self.text, start as usize);
        let text = match line {
            Some(indent) => format!("{statement}{}{indent}", newline(self.text)),
            None => format!("{statement} "),
        };
        Some((Span { start, end: start }, text))
    }

    /// The name that a `let` gives to this value, and nothing else.
    pub(super) fn named(&self, at: (ExprId, usize)) -> Option<Name> {
        match self.stmt(at)? {
            Stmt::Let { pat, otherwise: None, .. } => match &self.body.pat(*pat).kind {
                PatKind::Bind { name, by_ref: false, sub: None } => Some(*name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The names that a pattern binds.
    pub(super) fn bound(&self, pat: PatId) -> Vec<Name> {
        match &self.body.pat(pat).kind {
            PatKind::Bind { name, sub, .. } => {
                let inner = sub.map(|sub| self.bound(sub)).unwrap_or_default();
                inner.into_iter().chain([*name]).collect()
            }
            PatKind::Variant { args: parts, .. }
            | PatKind::Tuple(parts)
            | PatKind::Slice(parts)
            | PatKind::Or(parts) => parts.iter().flat_map(|&part| self.bound(part)).collect(),
            PatKind::Struct { fields, .. } => {
                fields.iter().flat_map(|&(_, part)| self.bound(part)).collect()
            }
            PatKind::Ref(inner) => self.bound(*inner),
            _ => Vec::new(),
        }
    }

    /// A name that occurs nowhere in the file.
    pub(super) fn unused_name(&self, wanted: &str) -> String {
        let taken = |name: &str| mentions(self.text, name);
        let numbered = (2..).map(|number| format!("{wanted}{number}"));
        std::iter::once(wanted.to_owned())
            .chain(numbered)
            .find(|name| !taken(name))
            .unwrap_or_default()
    }
}

/// Whether code in the text has this word.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    let mut found = false;
    scan(text, |piece| {
        found |= matches!(piece, Piece::Code { text, .. } if text == word);
    });
    // What a format string captures is no word of its own.
    found || text.contains(&format!("{{{word}")) && !word.is_empty()
}

/// Whether code in the text has a comment.
pub(super) fn has_comment(text: &str) -> bool {
    text.contains("//") || text.contains("/*")
}

/// The white space before `at`, when there is nothing else on its line.
pub(super) fn indent(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    line.trim().is_empty().then_some(line)
}

/// How lines of this text end.
pub(super) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Whether a statement begins at `at`: there is neither an attribute nor an operator before it.
fn begins(text: &str, at: usize) -> bool {
    let mut before = text.get(..at).unwrap_or_default();
    loop {
        before = before.trim_end();
        let line = before.rsplit('\n').next().unwrap_or_default();
        match line.split_once("//") {
            Some((code, _)) if code.trim().is_empty() => {
                before = &before[..before.len() - line.len()];
            }
            Some((code, _)) => return code.trim_end().ends_with([';', '{', '}']),
            None => return before.ends_with([';', '{', '}']),
        }
    }
}
