//! Guards that nobody knows: a method that says it takes a lock, a permit or a span, on something called so.

use crate::lint::bodies::Site;
use crate::lint::cfg::{NodeId, NodeKind};
use crate::lint::ir::{Body, ExprId, ExprKind, Name, PatKind, Stmt};
use crate::lint::types::Target;

use super::Checker;
use super::discarded::any_statement;

/// A way to take a guard.
struct Taking {
    class: &'static str,
    methods: &'static [&'static str],
    /// How the name of what it is called on ends; anything when there is none.
    on: &'static [&'static str],
    /// Whether what it gives has to be awaited or taken out of a Result: else it may be the Result
    /// of a lock that keeps the guard itself.
    opened: bool,
}

const TAKINGS: [Taking; 6] = [
    Taking {
        class: "guard",
        methods: &["lock", "read", "write", "enter"],
        on: &["lock", "mutex"],
        opened: true,
    },
    Taking { class: "guard", methods: &["enter"], on: &["runtime"], opened: false },
    Taking {
        class: "permit",
        methods: &["acquire", "acquire_owned"],
        on: &["semaphore"],
        opened: true,
    },
    Taking { class: "span-guard", methods: &["enter"], on: &["span"], opened: false },
    Taking { class: "span-guard", methods: &["entered"], on: &[], opened: false },
    Taking {
        class: "cancel-guard",
        methods: &["drop_guard", "drop_guard_ref"],
        on: &[],
        opened: false,
    },
];

/// Whether this step takes a guard of the class by all that names say, and a `let _` lets it go.
pub(super) fn let_go(checker: &Checker<'_>, site: &Site, id: NodeId, class: &str) -> bool {
    let NodeKind::Call(call) = &site.graph.node(id).kind else { return false };
    if !matches!(call.target, Target::Unknown(_)) || !call.args.is_empty() {
        return false;
    }
    let name = call.name.as_str();
    let fits = |taking: &&Taking| taking.class == class && taking.methods.contains(&name);
    let takings: Vec<&Taking> = TAKINGS.iter().filter(fits).collect();
    if takings.is_empty() {
        return false;
    }
    any_statement(checker, site, id, |body, around, stmt| {
        let Stmt::Let { pat, init: Some(init), .. } = stmt else { return false };
        let (taken, opened) = opened(body, *init);
        let ExprKind::Method { receiver, name, .. } = &body.expr(taken).kind else { return false };
        *name == call.name
            && matches!(body.pat(*pat).kind, PatKind::Wild)
            && around(body.expr(taken).span)
            && takings.iter().any(|taking| {
                (opened || !taking.opened)
                    && (taking.on.is_empty() || is_called(body, *receiver, taking.on))
            })
    })
}

/// What is awaited, or taken out of a Result; and whether anything was.
fn opened(body: &Body, mut at: ExprId) -> (ExprId, bool) {
    let start = at;
    loop {
        at = match &body.expr(at).kind {
            ExprKind::Try(inner) | ExprKind::Await(inner) => *inner,
            ExprKind::Method { receiver, name, .. }
                if matches!(name.as_str(), "unwrap" | "expect" | "unwrap_or_else") =>
            {
                *receiver
            }
            _ => return (at, at != start),
        };
    }
}

/// Whether the last name of an expression ends with one of these words.
fn is_called(body: &Body, at: ExprId, words: &[&str]) -> bool {
    let ends = |name: &Name| {
        let name = name.as_str().to_lowercase();
        words.iter().any(|word| name.ends_with(word))
    };
    match &body.expr(at).kind {
        ExprKind::Path(path) => path.segments.last().is_some_and(|last| ends(&last.name)),
        ExprKind::Field { name, .. } | ExprKind::Method { name, .. } => ends(name),
        ExprKind::Ref { operand } | ExprKind::Unary { operand, .. } => {
            is_called(body, *operand, words)
        }
        ExprKind::Index { base, .. } => is_called(body, *base, words),
        _ => false,
    }
}
