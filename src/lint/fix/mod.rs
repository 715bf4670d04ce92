//! What mends a finding, as edits of its text: planned from data of rules and facts, in a closed
//! list of shapes.

mod apply;
mod chain;
mod code;
mod drops;
mod guard;
mod rounds;
mod scope;
mod template;

use std::rc::Rc;

use crate::catalog::model::{EditShape, RuleFix};

use super::bodies::{Bodies, Site};
use super::cfg::Call;
use super::checks::{Candidate, Outcome, Reported};
use super::ir::{ExprId, Span};
use super::names::{ModId, StaticId};
use super::types::World;
use code::{Change, Code};

pub use apply::{Applied, apply};
pub use rounds::{Mended, MendedFile, Overlay, mend};

/// A fix whose places are bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) safe: bool,
    pub(crate) title: String,
    pub(crate) changes: Vec<Change>,
}

/// Writes a fix to every reported candidate that has one.
pub(crate) fn plan(world: &World<'_>, bodies: &Bodies<'_>, candidates: &mut [Candidate<'_>]) {
    for candidate in candidates {
        let (rule, file, span) = (&candidate.rule.rule, candidate.file, candidate.span);
        let Some(fix) = &rule.fix else { continue };
        let Outcome::Reported(reported) = &mut candidate.outcome else { continue };
        let source = world.names.source(file);
        if !source.file.broken.is_empty() {
            // Whether the result still parses could not be told.
            continue;
        }
        let planned = if fix.edit == EditShape::ImplDrop {
            drops::implement(world, file, span)
        } else {
            let spot = Spot::find(world, bodies, candidate.function, file, span);
            spot.and_then(|spot| spot.shaped(fix, rule, reported))
        };
        reported.fix = planned.map(|(title, mut changes)| {
            changes.sort_by_key(|(span, _)| *span);
            Planned { safe: fix.safe, title, changes }
        });
    }
}

/// What a shape gives: a few words, and the changes.
type Shaped = Option<(String, Vec<Change>)>;

/// The call that a finding is about.
struct Spot<'a> {
    world: &'a World<'a>,
    code: Code<'a>,
    expr: ExprId,
    site: Rc<Site>,
    span: Span,
    module: ModId,
}

impl<'a> Spot<'a> {
    fn find(
        world: &'a World<'a>,
        bodies: &Bodies<'_>,
        function: Option<super::names::FnId>,
        file: super::names::FileId,
        span: Span,
    ) -> Option<Self> {
        let names = world.names;
        let (top, module) = match function {
            Some(id) => (bodies.of_function(id)?, names.function(id).inside),
            None => {
                let of_static = |(_, def): &(u32, &super::names::StaticDef)| {
                    let lowered = &names.source(file).file.bodies;
                    let body = def.body.and_then(|body| lowered.get(body.0 as usize));
                    let inside = |at: Span| at.start <= span.start && span.end <= at.end;
                    def.file == file && body.is_some_and(|body| inside(body.span))
                };
                let (number, def) = (0..).zip(&names.statics).find(of_static)?;
                (bodies.of_static(StaticId(number))?, def.module)
            }
        };
        let has =
            |site: &Rc<Site>| site.graph.calls().any(|(id, _)| site.graph.node(id).span == span);
        let site =
            bodies.with_nested(&top).into_iter().filter(|site| site.file == file).find(has)?;
        let source = names.source(file);
        let (code, expr) = Code::call_at(&source.file, &source.text, span)?;
        Some(Self { world, code, expr, site, span, module })
    }

    /// What the call leads to.
    fn call(&self) -> Option<&Call> {
        let mut calls = self.site.graph.calls();
        calls.find(|(id, _)| self.site.graph.node(*id).span == self.span).map(|(_, call)| call)
    }

    fn shaped(
        &self,
        fix: &RuleFix,
        rule: &crate::catalog::model::Rule,
        reported: &Reported,
    ) -> Shaped {
        match fix.edit {
            EditShape::SetBound => chain::set_bound(self, rule).or_else(|| template::rewrite(self)),
            EditShape::Rewrite => template::rewrite(self),
            EditShape::RewriteUnused => template::rewrite_unused(self),
            EditShape::RemoveCall => chain::remove(self),
            EditShape::Bind => guard::bind(self, fix.name.as_deref().unwrap_or("_guard")),
            EditShape::DropBefore => guard::drop_before(self, reported),
            EditShape::CollectBefore => drops::collect_before(self, reported),
            EditShape::ImplDrop => None,
        }
    }
}
