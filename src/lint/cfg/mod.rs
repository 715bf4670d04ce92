//! Control flow of one body: a graph of steps over places, with drops where scopes end.

mod build;
mod call;
mod control;
mod each;
mod expr;
mod given;
mod lent;
mod macros;
mod pattern;
mod shape;

use crate::catalog::model::Effect;

use super::ir::{BinaryOp, BodyId, Lit, Name, Span};
use super::types::{Evidence, Target, Ty};

pub(crate) use build::{Request, build};

/// A step in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// A local of its graph: parameters, bindings, temporaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LocalId(pub(crate) u32);

/// The flow of a body.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) locals: Vec<Local>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) loops: Vec<Loop>,
    pub(crate) entry: NodeId,
    /// Where the value of the body ends up.
    pub(crate) result: LocalId,
    /// Parameters in order, the receiver included.
    pub(crate) params: Vec<LocalId>,
    pub(crate) is_async: bool,
    /// Closures and async blocks that do not run in place.
    pub(crate) nested: Vec<Nested>,
    /// Statements that only some builds have.
    pub(crate) perhaps: Vec<Span>,
}

/// A closure or async block, with the variables around it and their types.
#[derive(Debug)]
pub(crate) struct Nested {
    pub(crate) body: BodyId,
    pub(crate) outer: Vec<(Name, Ty)>,
    /// Types of its parameters, as far as who runs it tells.
    pub(crate) params: Vec<Ty>,
    /// The step that makes it.
    pub(crate) made: Option<NodeId>,
}

/// Where values live. References and dereferences are seen through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) local: LocalId,
    pub(crate) path: Vec<Part>,
}

/// A step from a value into a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Field(Name),
    /// What is in `Ok` or `Some`.
    Payload,
    /// Any element.
    Element,
}

// Names have no order of their own; parts are ordered by text, for stable results.
impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |part: &Self| match part {
            Self::Field(name) => (0, name.as_str()),
            Self::Payload => (1, ""),
            Self::Element => (2, ""),
        };
        key(self).cmp(&key(other))
    }
}

impl Place {
    pub(crate) fn of(local: LocalId) -> Self {
        Self { local, path: Vec::new() }
    }

    pub(crate) fn part(&self, part: Part) -> Self {
        let mut place = self.clone();
        place.path.push(part);
        place
    }

    /// What is behind `prefix`, when this place lies in it.
    pub(crate) fn within(&self, prefix: &Self) -> Option<&[Part]> {
        if self.local != prefix.local {
            return None;
        }
        self.path.strip_prefix(prefix.path.as_slice())
    }
}

/// Something used by a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// By value: moved, or copied.
    Move(Place),
    /// By reference.
    Ref(Place),
    Lit(Lit),
    /// A constant by name.
    Const(Name),
    Unit,
}

impl Operand {
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Move(place) | Self::Ref(place) => Some(place),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) name: Option<Name>,
    pub(crate) ty: Ty,
    pub(crate) kind: LocalKind,
    pub(crate) span: Span,
    /// It is a reference to this place.
    pub(crate) alias: Option<Place>,
    /// The closure or async block that it is.
    pub(crate) closure: Option<BodyId>,
    /// The step that made it.
    pub(crate) def: Option<NodeId>,
    /// A truth value that tells this.
    pub(crate) test: Option<Test>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalKind {
    Param,
    Binding,
    Temp,
    Result,
    /// A variable of the body around.
    Captured,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
    pub(crate) next: Vec<(Edge, NodeId)>,
    /// Innermost loop around.
    pub(crate) inside: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Edge {
    Next,
    True,
    False,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    /// Where paths meet.
    Join,
    Assign {
        to: Place,
        value: Value,
    },
    Call(Box<Call>),
    Await {
        to: Place,
        what: Operand,
    },
    /// `select!`: waits for the first of these.
    Select {
        futures: Vec<Operand>,
    },
    /// A local goes out of scope.
    Drop(LocalId),
    Branch(Test),
    Exit(Exit),
}

impl NodeKind {
    /// Whether the step looks at, moves or writes into a local.
    pub(crate) fn uses(&self, local: LocalId) -> bool {
        let of = |operand: &Operand| operand.place().is_some_and(|place| place.local == local);
        match self {
            Self::Join | Self::Drop(_) | Self::Exit(_) => false,
            Self::Assign { to, value } => {
                to.local == local && !to.path.is_empty() || value.uses(local)
            }
            Self::Call(call) => call.receiver.iter().chain(&call.args).any(of),
            Self::Await { what, .. } => of(what),
            Self::Select { futures } => futures.iter().any(of),
            Self::Branch(test) => test.asks(local),
        }
    }
}

impl Test {
    fn asks(&self, local: LocalId) -> bool {
        self.places().any(|place| place.local == local)
    }

    /// What it looks at.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let mut test = self;
        while let Self::Not(inner) = test {
            test = inner;
        }
        let (one, other, given): (_, _, &[Place]) = match test {
            Self::Success(place) | Self::Variant(place, _) | Self::Null(place) => {
                (Some(place), None, &[])
            }
            Self::Compare(_, left, right) => (left.place(), right.place(), &[]),
            Self::Given(places) => (None, None, places),
            Self::Not(_) | Self::Opaque => (None, None, &[]),
        };
        one.into_iter().chain(other).chain(given)
    }
}

/// How a body is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Exit {
    Return,
    /// `?`
    Try,
    End,
    /// A panic, `exit`, `abort`: nothing is released any more, and nothing needs to be.
    Never,
}

#[derive(Debug)]
pub(crate) enum Value {
    Use(Operand),
    /// A struct, tuple, variant or list made of parts.
    Parts {
        parts: Vec<(Part, Operand)>,
        rest: Option<Operand>,
        written: bool,
    },
    /// A closure or async block, with what it captures.
    Closure {
        body: BodyId,
        captured: Vec<(LocalId, bool)>,
    },
    /// Something that is not understood, and may do anything with these.
    Opaque(Vec<Operand>),
}

impl Value {
    /// Whether it is made of this local, or of a part of it.
    pub(crate) fn uses(&self, local: LocalId) -> bool {
        let is = |operand: &Operand| operand.place().is_some_and(|place| place.local == local);
        match self {
            Self::Use(operand) => is(operand),
            Self::Parts { parts, rest, .. } => {
                parts.iter().any(|(_, operand)| is(operand)) || rest.as_ref().is_some_and(is)
            }
            Self::Closure { captured, .. } => captured.iter().any(|&(taken, _)| taken == local),
            Self::Opaque(used) => used.iter().any(is),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(crate) evidence: Evidence,
    pub(crate) receiver: Option<Operand>,
    pub(crate) receiver_ty: Ty,
    pub(crate) args: Vec<Operand>,
    pub(crate) to: LocalId,
    /// The name as written.
    pub(crate) name: Name,
    pub(crate) effects: Vec<Effect>,
}

/// What a branch looks at. `True` edges are taken when it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// It is `Ok` or `Some`.
    Success(Place),
    /// It is this variant of something else.
    Variant(Place, Name),
    Compare(BinaryOp, Operand, Operand),
    /// The pointer is null.
    Null(Place),
    Not(Box<Self>),
    /// Something about these that is not known.
    Given(Vec<Place>),
    Opaque,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) parent: Option<u32>,
    pub(crate) kind: LoopKind,
    pub(crate) span: Span,
    pub(crate) head: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopKind {
    /// `loop`, `while true`
    Loop,
    While,
    For,
}

/// What a step is to a search along the ways.
pub(crate) enum Visit {
    /// It is what is looked for.
    Found,
    /// What is behind it may be.
    On,
    /// Nothing behind it counts.
    Ends,
}

impl Graph {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn local(&self, id: LocalId) -> &Local {
        &self.locals[id.0 as usize]
    }

    /// What a closure or async block calls a variable of this name around it.
    pub(crate) fn captured(&self, name: Name) -> Option<LocalId> {
        let is = |local: &Local| local.kind == LocalKind::Captured && local.name == Some(name);
        (0..).map(LocalId).zip(&self.locals).find(|(_, local)| is(local)).map(|(id, _)| id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// All calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (NodeId, &Call)> {
        self.ids().zip(&self.nodes).filter_map(|(id, node)| match &node.kind {
            NodeKind::Call(call) => Some((id, &**call)),
            _ => None,
        })
    }

    /// Steps that are reached from this one, itself included.
    pub(crate) fn reached(&self, from: NodeId) -> Vec<bool> {
        let mut seen = vec![false; self.nodes.len()];
        self.leads([from], |id| {
            seen[id.0 as usize] = true;
            Visit::On
        });
        seen
    }

    /// Whether ways from these steps, themselves included, lead to what is looked for.
    pub(crate) fn leads(
        &self,
        from: impl IntoIterator<Item = NodeId>,
        mut visit: impl FnMut(NodeId) -> Visit,
    ) -> bool {
        let mut seen = vec![false; self.nodes.len()];
        let mut stack: Vec<NodeId> = from.into_iter().collect();
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            match visit(id) {
                Visit::Found => return true,
                Visit::On => stack.extend(self.node(id).next.iter().map(|&(_, next)| next)),
                Visit::Ends => {}
            }
        }
        false
    }

    /// Whether this side of a branch leads to a step, and the other does not.
    pub(crate) fn only_on(&self, branch: NodeId, side: Edge, step: NodeId) -> bool {
        let other = if side == Edge::True { Edge::False } else { Edge::True };
        let leads = |side: Edge| {
            let mut next = self.node(branch).next.iter().filter(|(edge, _)| *edge == side);
            next.any(|&(_, next)| self.reached(next).get(step.0 as usize) == Some(&true))
        };
        leads(side) && !leads(other)
    }

    /// Whether a local is used by a step behind this one; going out of scope is no use.
    pub(crate) fn used_after(&self, from: NodeId, local: LocalId) -> bool {
        let behind = self.node(from).next.iter().map(|&(_, next)| next);
        self.leads(behind, |id| match self.node(id).kind.uses(local) {
            true => Visit::Found,
            false => Visit::On,
        })
    }

    pub(crate) fn call_at(&self, id: NodeId) -> Option<&Call> {
        match &self.node(id).kind {
            NodeKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The loops around a step, the innermost first.
    pub(crate) fn loops_around(&self, id: NodeId) -> impl Iterator<Item = &Loop> {
        let first = self.node(id).inside;
        std::iter::successors(first, |&at| self.loops[at as usize].parent)
            .map(|at| &self.loops[at as usize])
    }

    /// Whether a step is one of the turns of a loop.
    pub(crate) fn is_in(&self, id: NodeId, round: &Loop) -> bool {
        self.loops_around(id).any(|around| around.head == round.head)
    }
}
