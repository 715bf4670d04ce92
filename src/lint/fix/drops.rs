//! Statements that release: in the `drop` of an owner, and before a collection gets more.

use crate::finding::Role;
use crate::lint::checks::Reported;
use crate::lint::ir::{ExprKind, Span};
use crate::lint::names::{FileId, Shape, TypeDef};
use crate::lint::scan::{Piece, scan};
use crate::lint::types::{Ty, World};

use super::code::{Code, indent, newline};
use super::scope::in_scope;
use super::{Shaped, Spot};

/// Collects what is done before the statement that puts more in.
pub(super) fn collect_before(spot: &Spot<'_>, reported: &Reported) -> Shaped {
    let call = spot.call()?;
    let ty = spot.site.graph.local(call.to).ty.path()?;
    let collect = spot.world.facts.type_fact(ty)?.collect.as_ref()?;
    let &(_, span, _) = reported.related.iter().find(|(role, ..)| *role == Role::Step)?;
    let source = spot.world.names.source(spot.site.file);
    let (code, fill) = Code::call_at(&source.file, &source.text, span)?;
    let ExprKind::Method { receiver, .. } = code.kind(fill) else { return None };
    if !matches!(code.kind(*receiver), ExprKind::Path(_)) {
        return None;
    }
    let value = code.slice(code.span(*receiver))?;
    let statement = in_scope(spot.world, spot.module, &collect.replace("{value}", value))?;
    let change = code.before(code.statement(fill)?, &statement)?;
    Some((format!("add `{statement}`"), vec![change]))
}

/// Implements Drop for the type that has a field at `span`.
pub(super) fn implement(world: &World<'_>, file: FileId, span: Span) -> Shaped {
    let names = world.names;
    let text: &str = &names.source(file).text;
    let (def, name, ty) = names.types.iter().filter(|def| def.file == file).find_map(|def| {
        let Shape::Struct(fields) = &def.shape else { return None };
        let (name, ty, _) = fields.iter().find(|(.., at)| *at == span)?;
        Some((def, name, ty))
    })?;
    // Where in a `drop` that is there already the release belongs is for a person to say.
    if def.implements("Drop") {
        return None;
    }
    let ty = world.ty(ty, World::module_scope(def.module));
    let field = format!("self.{name}");
    let (around, inner, value) = match &ty {
        Ty::Foreign(path, args) => match (path.as_str(), args.first()) {
            ("std::option::Option", Some(inner)) => {
                (Some(format!("if let Some(it) = &mut {field}")), inner.path()?, "it".to_owned())
            }
            ("std::vec::Vec", Some(inner)) => {
                (Some(format!("for it in &mut {field}")), inner.path()?, "it".to_owned())
            }
            _ => (None, *path, field),
        },
        _ => return None,
    };
    let end = world.facts.type_fact(inner)?.end.as_ref()?.replace("{value}", &value);
    let end = in_scope(world, def.module, &end)?;
    let at = end_of(text, def)?;
    let margin = indent(text, line_start(text, def.span.start as usize)).unwrap_or_default();
    let margin = format!("{}{margin}", newline(text));
    let mut lines = vec!["fn drop(&mut self) {".to_owned()];
    match around {
        Some(around) => {
            lines.push(format!("    {around} {{"));
            lines.extend(end.lines().map(|line| format!("        {line}")));
            lines.push("    }".to_owned());
        }
        None => lines.extend(end.lines().map(|line| format!("    {line}"))),
    }
    lines.push("}".to_owned());
    let body: String = lines.iter().map(|line| format!("{margin}    {line}")).collect();
    let blank = newline(text);
    let block = format!("{blank}{margin}impl Drop for {} {{{body}{margin}}}", def.name);
    let title = format!("implement Drop for `{}`", def.name);
    Some((title, vec![(Span { start: at, end: at }, block)]))
}

/// Where the first word of the line around `at` begins.
fn line_start(text: &str, at: usize) -> usize {
    let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let rest = text.get(line..).unwrap_or_default();
    line + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
}

/// Behind the last brace of a struct without parameters.
fn end_of(text: &str, def: &TypeDef) -> Option<u32> {
    let from = def.span.end as usize;
    let rest = text.get(from..)?;
    if !def.generics.is_empty() || !rest.trim_start().starts_with('{') {
        return None;
    }
    let (mut depth, mut end) = (0usize, None);
    scan(rest, |piece| {
        let Piece::Code { text: token, .. } = piece else { return };
        match token {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && end.is_none() {
                    end = Some(token.as_ptr() as usize - rest.as_ptr() as usize + 1);
                }
            }
            _ => {}
        }
    });
    u32::try_from(from + end?).ok()
}
