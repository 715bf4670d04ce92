//! Lowers patterns.

use syn::Pat;

use crate::lint::ir::{Lit, Name, PatId, PatKind, Span};

use super::{Lowering, expr, name, path, span};

impl Lowering<'_> {
    pub(super) fn pat(&mut self, pat: &Pat) -> PatId {
        match pat {
            Pat::Ident(pat) => {
                let sub = pat.subpat.as_ref().map(|(_, sub)| self.pat(sub));
                let kind =
                    PatKind::Bind { name: name(&pat.ident), by_ref: pat.by_ref.is_some(), sub };
                self.push_pat(kind, span(pat.ident.span()))
            }
            Pat::Guard(pat) => self.pat(&pat.pat),
            Pat::Paren(pat) => self.pat(&pat.pat),
            Pat::Type(pat) => self.pat(&pat.pat),
            Pat::Reference(pat) => {
                let inner = self.pat(&pat.pat);
                self.push_pat(PatKind::Ref(inner), Span::default())
            }
            Pat::Or(pat) => {
                let cases = pat.cases.iter().map(|pat| self.pat(pat)).collect();
                self.push_pat(PatKind::Or(cases), Span::default())
            }
            Pat::Tuple(pat) => {
                let parts = pat.elems.iter().map(|pat| self.pat(pat)).collect();
                self.push_pat(PatKind::Tuple(parts), Span::default())
            }
            Pat::Slice(pat) => {
                let parts = pat.elems.iter().map(|pat| self.pat(pat)).collect();
                self.push_pat(PatKind::Slice(parts), Span::default())
            }
            Pat::TupleStruct(pat) => {
                let args = pat.elems.iter().map(|pat| self.pat(pat)).collect();
                let at = first_of(&pat.path);
                let path = Box::new(path::path(&pat.path, pat.qself.as_ref()));
                self.push_pat(PatKind::Variant { path, args }, at)
            }
            Pat::Struct(pat) => {
                let fields =
                    pat.fields.iter().map(|field| (member(&field.member), self.pat(&field.pat)));
                let fields = fields.collect();
                let at = first_of(&pat.path);
                let path = Box::new(path::path(&pat.path, pat.qself.as_ref()));
                self.push_pat(PatKind::Struct { path, fields }, at)
            }
            Pat::Path(pat) => {
                let at = first_of(&pat.path);
                let path = Box::new(path::path(&pat.path, pat.qself.as_ref()));
                self.push_pat(PatKind::Path(path), at)
            }
            Pat::Lit(pat) => self.push_pat(PatKind::Lit(expr::literal(&pat.lit)), Span::default()),
            Pat::Range(_) => self.push_pat(PatKind::Lit(Lit::Other), Span::default()),
            Pat::Rest(_) => self.push_pat(PatKind::Rest, Span::default()),
            Pat::Wild(pat) => self.push_pat(PatKind::Wild, span(pat.underscore_token.span)),
            _ => self.push_pat(PatKind::Unknown, Span::default()),
        }
    }
}

fn first_of(path: &syn::Path) -> Span {
    path.segments.first().map(|segment| span(segment.ident.span())).unwrap_or_default()
}

pub(super) fn member(member: &syn::Member) -> Name {
    match member {
        syn::Member::Named(ident) => name(ident),
        syn::Member::Unnamed(index) => Name::new(&index.index.to_string()),
    }
}
