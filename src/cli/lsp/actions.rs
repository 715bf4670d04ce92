//! What can be done about a finding: its fix, and a comment that silences it.

use std::collections::HashMap;

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionResponse, Diagnostic, DocumentChange, Edit,
    OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextDocumentIdentifier,
    TextEdit, Uri, WorkspaceEdit,
};

use super::client::Client;
use super::documents::Document;
use super::look::{Found, Shown, bytes, mark};
use super::place::{Index, Shift};
use crate::finding::{Applicability, Fix};
use crate::lint::fix::apply;
use crate::lint::suppress::{Scope, suppressions};

/// A document as it is now, and what was found in it as it was.
pub(super) struct Now<'a> {
    pub(super) document: &'a Document,
    pub(super) found: &'a Found,
    index: Index<'a>,
    then: Index<'a>,
    shift: Shift,
}

impl<'a> Now<'a> {
    pub(super) fn new(document: &'a Document, found: &'a Found, client: &Client) -> Self {
        Self {
            index: Index::new(&document.text, client.encoding),
            then: Index::new(&found.text, client.encoding),
            shift: Shift::between(&found.text, &document.text),
            document,
            found,
        }
    }

    /// All diagnostics where they are now, without those whose place was changed.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        let findings = self.found.findings.iter().map(|shown| &shown.diagnostic);
        findings.chain(&self.found.issues).filter_map(|one| self.moved(one)).collect()
    }

    /// Findings that touch a range, with their diagnostics as they are now.
    pub(super) fn at(&self, range: Range) -> impl Iterator<Item = (&'a Shown, Diagnostic)> {
        let all = self.found.findings.iter();
        all.filter_map(|shown| Some((shown, self.moved(&shown.diagnostic)?))).filter(
            move |(_, diagnostic)| {
                diagnostic.range.start <= range.end && range.start <= diagnostic.range.end
            },
        )
    }

    fn moved(&self, diagnostic: &Diagnostic) -> Option<Diagnostic> {
        let mut moved = diagnostic.clone();
        moved.range = self.range(moved.range)?;
        if let Some(related) = &mut moved.related_information {
            related.retain_mut(|related| {
                if related.location.uri.as_ref() != self.document.uri {
                    return true;
                }
                let range = self.range(related.location.range);
                related.location.range = range.unwrap_or(related.location.range);
                range.is_some()
            });
        }
        Some(moved)
    }

    fn range(&self, range: Range) -> Option<Range> {
        let bytes = (self.then.byte(range.start), self.then.byte(range.end));
        Some(self.index.range(self.shift.range(bytes)?))
    }

    /// What can be done about the findings that touch a range.
    pub(super) fn actions(&self, range: Range, client: &Client) -> Vec<CodeActionResponse> {
        let mut actions = Vec::new();
        for (shown, diagnostic) in self.at(range) {
            let fix = shown.finding.fix.as_ref();
            let mended = fix.and_then(|fix| Some((fix, self.mended(fix)?)));
            if let Some((fix, edits)) = mended {
                let safe = fix.applicability == Applicability::Safe;
                let caution = if safe { "" } else { " (unsafe: may change what the program does)" };
                let title = format!("{}{caution}", fix.title);
                actions.push(self.action(title, Some(safe), &diagnostic, edits, client));
            }
            if let Some(edit) = self.silenced(shown) {
                let title = format!("silence {} here, with a reason", shown.finding.rule);
                actions.push(self.action(title, None, &diagnostic, vec![edit], client));
            }
        }
        actions
    }

    fn action(
        &self,
        title: String,
        preferred: Option<bool>,
        diagnostic: &Diagnostic,
        edits: Vec<TextEdit>,
        client: &Client,
    ) -> CodeActionResponse {
        CodeActionResponse::CodeAction(CodeAction {
            title,
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: Some(vec![diagnostic.clone()]),
            is_preferred: preferred,
            edit: Some(self.edit(edits, client)),
            ..CodeAction::default()
        })
    }

    fn edit(&self, edits: Vec<TextEdit>, client: &Client) -> WorkspaceEdit {
        let uri = Uri::from(self.document.uri.as_str());
        if !client.versioned_edits {
            let changes = Some(HashMap::from([(uri, edits)]));
            return WorkspaceEdit { changes, ..WorkspaceEdit::default() };
        }
        let text_document = OptionalVersionedTextDocumentIdentifier {
            version: Some(self.document.version),
            text_document_identifier: TextDocumentIdentifier { uri },
        };
        let edits = edits.into_iter().map(Edit::TextEdit).collect();
        let change = DocumentChange::TextDocumentEdit(TextDocumentEdit { text_document, edits });
        WorkspaceEdit { document_changes: Some(vec![change]), ..WorkspaceEdit::default() }
    }

    /// The edits of a fix in the text as it is now; none when one of their places was changed, or
    /// what comes out would not parse.
    fn mended(&self, fix: &Fix) -> Option<Vec<TextEdit>> {
        let (then, now) = (mark(&self.found.text), mark(&self.document.text));
        let mut moved = fix.clone();
        let mut edits = Vec::new();
        for edit in &mut moved.edits {
            let (from, to) = self.shift.range(bytes(&edit.region, then))?;
            edits.push(TextEdit {
                range: self.index.range((from, to)),
                new_text: edit.text.clone(),
            });
            let of_text = |byte: usize| u32::try_from(byte.checked_sub(now)?).ok();
            edit.region.bytes = (of_text(from)?, of_text(to)?);
        }
        let applied = apply(&self.document.text[now..], &[&moved]);
        (!applied.applied.is_empty()).then_some(edits)
    }

    /// A line before a finding that silences it, for whoever has a reason; none where such a line
    /// would be no comment, or would not hold there.
    fn silenced(&self, shown: &Shown) -> Option<TextEdit> {
        let finding = &shown.finding;
        let (at, _) = self.shift.range(bytes(&finding.region, mark(&self.found.text)))?;
        let text = &*self.document.text;
        let before = text.get(..at)?;
        let start = before.rfind('\n').map_or(mark(text), |end| end + 1);
        let line = &text[start..];
        let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let comment = format!("{indent}// poolscan: allow({}, reason = \"\"){end}", finding.rule);
        let with = format!("{}{comment}{}", &text[..start], &text[start..]);
        let number = before.matches('\n').count() as u32 + 1;
        let holds = |scope: Scope| matches!(scope, Scope::Lines(from, to) if from <= number + 1 && number < to);
        let found = suppressions(&with, false);
        let ours =
            found.iter().find(|one| one.line == number && one.rules == [finding.rule.as_str()])?;
        let range = self.index.range((start, start));
        holds(ours.scope).then_some(TextEdit { range, new_text: comment })
    }
}
