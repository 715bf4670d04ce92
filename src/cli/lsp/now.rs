//! What was found in a document, at its places in the text as it is now.

use gen_lsp_types::{Diagnostic, Range};

use super::client::Client;
use super::documents::Document;
use super::look::{Found, Shown};
use super::place::{Index, Shift};

/// A document as it is now, and what was found in it as it was.
pub(super) struct Now<'a> {
    pub(super) document: &'a Document,
    pub(super) found: &'a Found,
    /// Of its text.
    pub(super) index: Index<'a>,
    then: Index<'a>,
    pub(super) shift: Shift,
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
}
