//! What can be done about a finding: its fix, and a comment that silences it.

use std::collections::HashMap;

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionResponse, Diagnostic, DocumentChange, Edit,
    OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextDocumentIdentifier,
    TextEdit, Uri, WorkspaceEdit,
};

use super::client::Client;
use super::look::{Shown, bytes, mark};
use super::now::Now;
use crate::finding::{Applicability, Fix};
use crate::lint::fix::apply;
use crate::lint::suppress::{Scope, suppressions};

/// What can be done about the findings that touch a range.
pub(super) fn actions(now: &Now<'_>, range: Range, client: &Client) -> Vec<CodeActionResponse> {
    let mut actions = Vec::new();
    for (shown, diagnostic) in now.at(range) {
        let fix = shown.finding.fix.as_ref();
        let mended = fix.and_then(|fix| Some((fix, mended(now, fix)?)));
        if let Some((fix, edits)) = mended {
            let safe = fix.applicability == Applicability::Safe;
            let caution = if safe { "" } else { " (unsafe: may change what the program does)" };
            let title = format!("{}{caution}", fix.title);
            actions.push(action(now, title, Some(safe), &diagnostic, edits, client));
        }
        if let Some(edit) = silenced(now, shown) {
            let title = format!("silence {} here, with a reason", shown.finding.rule);
            actions.push(action(now, title, None, &diagnostic, vec![edit], client));
        }
    }
    actions
}

fn action(
    now: &Now<'_>,
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
        edit: Some(edit(now, edits, client)),
        ..CodeAction::default()
    })
}

fn edit(now: &Now<'_>, edits: Vec<TextEdit>, client: &Client) -> WorkspaceEdit {
    let uri = Uri::from(now.document.uri.as_str());
    if !client.versioned_edits {
        let changes = Some(HashMap::from([(uri, edits)]));
        return WorkspaceEdit { changes, ..WorkspaceEdit::default() };
    }
    let text_document = OptionalVersionedTextDocumentIdentifier {
        version: Some(now.document.version),
        text_document_identifier: TextDocumentIdentifier { uri },
    };
    let edits = edits.into_iter().map(Edit::TextEdit).collect();
    let change = DocumentChange::TextDocumentEdit(TextDocumentEdit { text_document, edits });
    WorkspaceEdit { document_changes: Some(vec![change]), ..WorkspaceEdit::default() }
}

/// The edits of a fix in the text as it is now; none when one of their places was changed, or
/// what comes out would not parse.
fn mended(now: &Now<'_>, fix: &Fix) -> Option<Vec<TextEdit>> {
    let (before, after) = (mark(&now.found.text), mark(&now.document.text));
    let mut moved = fix.clone();
    let mut edits = Vec::new();
    for edit in &mut moved.edits {
        let (from, to) = now.shift.range(bytes(&edit.region, before))?;
        edits.push(TextEdit { range: now.index.range((from, to)), new_text: edit.text.clone() });
        let of_text = |byte: usize| u32::try_from(byte.checked_sub(after)?).ok();
        edit.region.bytes = (of_text(from)?, of_text(to)?);
    }
    let applied = apply(&now.document.text[after..], &[&moved]);
    (!applied.applied.is_empty()).then_some(edits)
}

/// A line before a finding that silences it, for whoever has a reason; none where such a line
/// would be no comment, or would not hold there.
fn silenced(now: &Now<'_>, shown: &Shown) -> Option<TextEdit> {
    let finding = &shown.finding;
    let (at, _) = now.shift.range(bytes(&finding.region, mark(&now.found.text)))?;
    let text = &*now.document.text;
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(mark(text), |end| end + 1);
    let line = &text[start..];
    let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let comment = format!("{indent}// poolscan: allow({}, reason = \"\"){end}", finding.rule);
    let with = format!("{}{comment}{}", &text[..start], &text[start..]);
    let number = before.matches('\n').count() as u32 + 1;
    let holds =
        |scope: Scope| matches!(scope, Scope::Lines(from, to) if from <= number + 1 && number < to);
    let found = suppressions(&with, false);
    let ours =
        found.iter().find(|one| one.line == number && one.rules == [finding.rule.as_str()])?;
    let range = now.index.range((start, start));
    holds(ours.scope).then_some(TextEdit { range, new_text: comment })
}
