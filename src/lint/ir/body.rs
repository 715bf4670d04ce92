//! Bodies: trees of expressions in an arena, with the ranges they were written at.

use crate::catalog::model::MacroGrammar;

use super::{Item, Name, Path, Span, TypeRef};

/// A body in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BodyId(pub(crate) u32);

/// An expression in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ExprId(pub(crate) u32);

/// A pattern in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PatId(pub(crate) u32);

/// A loop or block label.
pub(crate) type Label = Option<Name>;

/// Expressions in a row.
pub(crate) type List = Box<[ExprId]>;

/// The body of a function, closure, async block, constant.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) exprs: Vec<Expr>,
    pub(crate) pats: Vec<Pat>,
    pub(crate) params: Vec<Param>,
    pub(crate) root: ExprId,
    /// An async fn, async block or async closure.
    pub(crate) is_async: bool,
    /// `move`
    pub(crate) is_move: bool,
    /// Last segments of every path, method and macro: what this body can be about.
    pub(crate) mentions: Box<[Name]>,
    /// Statements that only some builds have, by their expressions.
    pub(crate) perhaps: Vec<ExprId>,
    pub(crate) span: Span,
}

impl Body {
    /// Whether a statement may be missing from a build.
    pub(crate) fn is_perhaps(&self, stmt: &Stmt) -> bool {
        let (Stmt::Expr(expr) | Stmt::Let { init: Some(expr), .. }) = stmt else { return false };
        self.perhaps.contains(expr)
    }
}

/// A parameter, the receiver included.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) pat: PatId,
    pub(crate) ty: TypeRef,
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lit {
    Int(i128),
    Str(Name),
    Bool(bool),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Neg,
    Deref,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Plain,
    Unsafe,
    Const,
    Try,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Lit(Lit),
    Path(Box<Path>),
    Call {
        callee: ExprId,
        args: List,
    },
    Method {
        receiver: ExprId,
        name: Name,
        name_span: Span,
        generics: Box<[TypeRef]>,
        args: List,
    },
    Field {
        base: ExprId,
        name: Name,
    },
    Index {
        base: ExprId,
        index: ExprId,
    },
    Unary {
        op: UnaryOp,
        operand: ExprId,
    },
    Binary {
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
    },
    Assign {
        target: ExprId,
        value: ExprId,
    },
    /// `a += b`
    Update {
        target: ExprId,
        value: ExprId,
    },
    /// `&a`, `&mut a`, `&raw const a`
    Ref {
        operand: ExprId,
    },
    Cast {
        operand: ExprId,
        ty: Box<TypeRef>,
    },
    Tuple(List),
    Array(List),
    Struct {
        path: Box<Path>,
        fields: Box<[(Name, ExprId)]>,
        rest: Option<ExprId>,
    },
    Range(Option<ExprId>, Option<ExprId>),
    If {
        condition: ExprId,
        then: ExprId,
        otherwise: Option<ExprId>,
    },
    /// `let p = e` in a condition
    Let {
        pat: PatId,
        value: ExprId,
    },
    Match {
        subject: ExprId,
        arms: Box<[Arm]>,
    },
    Loop {
        label: Label,
        body: ExprId,
    },
    While {
        label: Label,
        condition: ExprId,
        body: ExprId,
    },
    For {
        label: Label,
        pat: PatId,
        iterator: ExprId,
        body: ExprId,
    },
    Block {
        kind: BlockKind,
        label: Label,
        stmts: Box<[Stmt]>,
        tail: Option<ExprId>,
    },
    Async {
        body: BodyId,
    },
    Closure {
        body: BodyId,
    },
    Break {
        label: Label,
        value: Option<ExprId>,
    },
    Continue {
        label: Label,
    },
    Return(Option<ExprId>),
    Try(ExprId),
    Await(ExprId),
    Yield(Option<ExprId>),
    Macro {
        path: Box<Path>,
        body: MacroBody,
    },
    /// Something that is not understood.
    Unknown,
}

/// The body of a macro call, as far as it is understood.
#[derive(Debug)]
pub(crate) enum MacroBody {
    /// `select!`
    Select { branches: Box<[Branch]>, otherwise: Option<ExprId> },
    /// Expressions, under a grammar that says what happens to them.
    Known { grammar: MacroGrammar, args: List },
    /// Expressions whose fate is not known; they may be moved.
    List(List),
    /// Tokens: the names among them are all that is known.
    Opaque(Box<[Name]>),
}

/// A branch of `select!`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pat: PatId,
    pub(crate) future: ExprId,
    pub(crate) guard: Option<ExprId>,
    pub(crate) body: ExprId,
}

#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) pat: PatId,
    pub(crate) guard: Option<ExprId>,
    pub(crate) body: ExprId,
}

#[derive(Debug)]
pub(crate) enum Stmt {
    Let {
        pat: PatId,
        ty: Option<TypeRef>,
        init: Option<ExprId>,
        otherwise: Option<ExprId>,
        span: Span,
    },
    /// With or without `;`: the value is dropped.
    Expr(ExprId),
    /// An item in a block.
    Item(Box<Item>),
}

#[derive(Debug)]
pub(crate) struct Pat {
    pub(crate) kind: PatKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum PatKind {
    Wild,
    Bind {
        name: Name,
        by_ref: bool,
        sub: Option<PatId>,
    },
    /// `Some(x)`, `Variant(a, b)`
    Variant {
        path: Box<Path>,
        args: Box<[PatId]>,
    },
    Struct {
        path: Box<Path>,
        fields: Box<[(Name, PatId)]>,
    },
    Tuple(Box<[PatId]>),
    Slice(Box<[PatId]>),
    Ref(PatId),
    Or(Box<[PatId]>),
    /// A path that is no binding: a constant or unit variant.
    Path(Box<Path>),
    Lit(Lit),
    Rest,
    Unknown,
}

impl Body {
    pub(crate) fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    pub(crate) fn pat(&self, id: PatId) -> &Pat {
        &self.pats[id.0 as usize]
    }
}

impl ExprKind {
    /// Calls `each` with every expression that stands directly in this one, in this body.
    pub(crate) fn each_child(&self, each: &mut dyn FnMut(ExprId)) {
        match self {
            Self::Lit(_)
            | Self::Path(_)
            | Self::Async { .. }
            | Self::Closure { .. }
            | Self::Continue { .. }
            | Self::Unknown => {}
            Self::Call { callee, args } => {
                each(*callee);
                args.iter().copied().for_each(each);
            }
            Self::Method { receiver, args, .. } => {
                each(*receiver);
                args.iter().copied().for_each(each);
            }
            Self::Field { base: one, .. }
            | Self::Unary { operand: one, .. }
            | Self::Ref { operand: one }
            | Self::Cast { operand: one, .. }
            | Self::Let { value: one, .. }
            | Self::Loop { body: one, .. }
            | Self::Try(one)
            | Self::Await(one) => each(*one),
            Self::Index { base: one, index: other }
            | Self::Binary { left: one, right: other, .. }
            | Self::Assign { target: one, value: other }
            | Self::Update { target: one, value: other }
            | Self::While { condition: one, body: other, .. }
            | Self::For { iterator: one, body: other, .. } => {
                each(*one);
                each(*other);
            }
            Self::Tuple(all) | Self::Array(all) => all.iter().copied().for_each(each),
            Self::Struct { fields, rest, .. } => {
                fields.iter().map(|&(_, value)| value).chain(*rest).for_each(each);
            }
            Self::Range(start, end) => start.iter().chain(end).copied().for_each(each),
            Self::If { condition, then, otherwise } => {
                [*condition, *then].into_iter().chain(*otherwise).for_each(each);
            }
            Self::Match { subject, arms } => {
                each(*subject);
                for arm in arms {
                    arm.guard.iter().copied().chain([arm.body]).for_each(&mut *each);
                }
            }
            Self::Block { stmts, tail, .. } => {
                for stmt in stmts {
                    match stmt {
                        Stmt::Let { init, otherwise, .. } => {
                            init.iter().chain(otherwise).copied().for_each(&mut *each);
                        }
                        Stmt::Expr(id) => each(*id),
                        Stmt::Item(_) => {}
                    }
                }
                tail.iter().copied().for_each(each);
            }
            Self::Break { value, .. } | Self::Return(value) | Self::Yield(value) => {
                value.iter().copied().for_each(each);
            }
            Self::Macro { body, .. } => match body {
                MacroBody::Select { branches, otherwise } => {
                    for branch in branches {
                        let guard = branch.guard;
                        [branch.future, branch.body].into_iter().chain(guard).for_each(&mut *each);
                    }
                    otherwise.iter().copied().for_each(each);
                }
                MacroBody::Known { args, .. } | MacroBody::List(args) => {
                    args.iter().copied().for_each(each);
                }
                MacroBody::Opaque(_) => {}
            },
        }
    }
}
