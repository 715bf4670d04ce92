//! From text to the linter's own form: the only place that knows the parser's types.

mod attrs;
mod blank;
mod depth;
mod expr;
mod item;
mod json;
mod lex;
mod lines;
mod macros;
mod parse;
mod pat;
mod path;
mod pieces;

use rustc_hash::FxHashMap;

use crate::catalog::model::MacroGrammar;

use super::ir::{
    Body, BodyId, Expr, ExprId, ExprKind, File, Name, Param, Pat, PatId, PatKind, Span,
};

use lines::span;
use parse::Parsed;

pub(crate) use depth::{DEEPEST, depth};

/// How foreign macros are read, by the last segment of their paths.
pub(crate) type MacroGrammars = FxHashMap<Name, MacroGrammar>;

/// Parses and lowers one file. What cannot be parsed is in [`File::broken`]. Of tests (`testing`:
/// the whole file is one) only modules are kept.
pub(crate) fn lower(source: &str, grammars: &MacroGrammars, testing: bool) -> File {
    let lines = lines::enter(source);
    let file = lower_parsed(parse::parse(source, testing), grammars, testing);
    File { lines, ..file }
}

/// Of the file that was entered.
fn lower_parsed(parsed: Parsed, grammars: &MacroGrammars, testing: bool) -> File {
    let mut lowering = Lowering { file: File::default(), grammars, bodies: Vec::new(), testing };
    lowering.file.attrs = lowering.attrs(&parsed.attrs);
    lowering.testing |= lowering.file.attrs.test_only;
    lowering.file.items = lowering.items(&parsed.items);
    lowering.file.broken = parsed.broken;
    let file = lowering.file;
    drop(parsed.items);
    // Every file adds to this thread's table of source text; nothing asks for it any more.
    proc_macro2::extra::invalidate_current_thread_spans();
    file
}

/// Whether a text is a Rust file as a whole.
pub(crate) fn parses(source: &str) -> bool {
    if depth(source) > DEEPEST {
        return false;
    }
    let whole = parse::whole(source).broken.is_empty();
    proc_macro2::extra::invalidate_current_thread_spans();
    whole
}

/// Only parses, for measuring what the rest costs.
pub fn parse_only(source: &str) -> bool {
    let parsed = syn::parse_file(source).is_ok();
    proc_macro2::extra::invalidate_current_thread_spans();
    parsed
}

/// The file that is being lowered, and the bodies that are open.
struct Lowering<'g> {
    file: File,
    grammars: &'g MacroGrammars,
    bodies: Vec<Open>,
    /// What is being lowered is there for tests only.
    testing: bool,
}

/// A body under construction.
struct Open {
    exprs: Vec<Expr>,
    pats: Vec<Pat>,
    names: Vec<Name>,
    perhaps: Vec<ExprId>,
}

impl Open {
    fn new() -> Self {
        Self { exprs: Vec::new(), pats: Vec::new(), names: Vec::new(), perhaps: Vec::new() }
    }
}

impl Lowering<'_> {
    /// Lowers a body of its own: parameters, then the root expression.
    fn body(
        &mut self,
        span: Span,
        is_async: bool,
        is_move: bool,
        fill: impl FnOnce(&mut Self) -> (Vec<Param>, ExprId),
    ) -> BodyId {
        let id = BodyId(u32::try_from(self.file.bodies.len()).unwrap_or(u32::MAX));
        // Its place is taken now, so that nested bodies get later numbers.
        self.file.bodies.push(Body {
            exprs: Vec::new(),
            pats: Vec::new(),
            params: Vec::new(),
            root: ExprId(0),
            is_async,
            is_move,
            mentions: Box::default(),
            perhaps: Vec::new(),
            span,
        });
        self.bodies.push(Open::new());
        let (params, root) = fill(self);
        let Some(open) = self.bodies.pop() else { return id };
        if let Some(parent) = self.bodies.last_mut() {
            parent.names.extend(&open.names);
        }
        let body = &mut self.file.bodies[id.0 as usize];
        body.exprs = open.exprs;
        body.pats = open.pats;
        body.params = params;
        body.root = root;
        body.mentions = distinct(open.names);
        body.perhaps = open.perhaps;
        id
    }

    fn open(&mut self) -> &mut Open {
        if self.bodies.is_empty() {
            // Never on real input: expressions are only lowered inside bodies.
            self.bodies.push(Open::new());
        }
        let last = self.bodies.len() - 1;
        &mut self.bodies[last]
    }

    fn push(&mut self, kind: ExprKind, span: Span) -> ExprId {
        let exprs = &mut self.open().exprs;
        exprs.push(Expr { kind, span });
        ExprId(u32::try_from(exprs.len() - 1).unwrap_or(u32::MAX))
    }

    fn push_pat(&mut self, kind: PatKind, span: Span) -> PatId {
        let pats = &mut self.open().pats;
        pats.push(Pat { kind, span });
        PatId(u32::try_from(pats.len() - 1).unwrap_or(u32::MAX))
    }

    fn span_of(&mut self, id: ExprId) -> Span {
        self.open().exprs[id.0 as usize].span
    }

    fn mention(&mut self, name: Name) {
        self.open().names.push(name);
    }
}

fn distinct(mut names: Vec<Name>) -> Box<[Name]> {
    let mut seen = rustc_hash::FxHashSet::default();
    names.retain(|&name| seen.insert(name));
    names.into_boxed_slice()
}

/// The name of an identifier, without `r#`.
fn name(ident: &syn::Ident) -> Name {
    use std::cell::RefCell;
    use std::fmt::Write;
    thread_local! {
        static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
    }
    TEXT.with_borrow_mut(|text| {
        text.clear();
        let _ = write!(text, "{ident}");
        Name::new(text.strip_prefix("r#").unwrap_or(text))
    })
}
