//! The text that facts or a rule stand in, whole or as one table of it, and where its keys are.

use std::cell::OnceCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file, or one table in it, that says something about a crate or is a rule.
#[derive(Debug, Clone, Copy)]
pub struct Text<'t> {
    /// Name of the file, for people.
    pub name: &'t str,
    /// All of it.
    pub text: &'t str,
    /// The table; the whole file when absent.
    pub table: Option<&'t Spanned<DeValue<'t>>>,
    /// Whether it is of the catalogue itself, where the name says what is in it.
    pub(super) ours: bool,
}

impl<'t> Text<'t> {
    /// A file of the catalogue.
    pub(super) fn ours(name: &'t str, text: &'t str) -> Self {
        Self { name, text, table: None, ours: true }
    }

    /// A file of a user.
    pub fn file(name: &'t str, text: &'t str) -> Self {
        Self { name, text, table: None, ours: false }
    }

    /// A table in a file of a user.
    pub fn table(name: &'t str, text: &'t str, table: &'t Spanned<DeValue<'t>>) -> Self {
        Self { name, text, table: Some(table), ours: false }
    }
}

/// Finds keys again; parses a file once, and only when something is wrong with it.
pub(super) struct Keys<'t> {
    text: Text<'t>,
    parsed: OnceCell<Option<Spanned<DeTable<'t>>>>,
}

impl<'t> Keys<'t> {
    pub(super) fn of(text: Text<'t>) -> Self {
        Self { text, parsed: OnceCell::new() }
    }

    /// Where `key` stands in the table `header` of this number (`""` for the top), or in a table of
    /// that; without such a key the table itself, else the start.
    pub(super) fn span(&self, key: &str, header: &str, number: usize) -> Range<usize> {
        let top = match self.text.table {
            Some(table) => table.get_ref().as_table().map(|keys| (keys, table.span())),
            None => self.whole().map(|keys| (keys, 0..0)),
        };
        let Some((top, at)) = top else { return 0..0 };
        if header.is_empty() {
            return key_in(top, key).unwrap_or(at);
        }
        let element = top.get(header).and_then(|list| list.get_ref().as_array()?.get(number));
        let Some(element) = element else { return at };
        let inside = element.get_ref().as_table().and_then(|keys| key_in(keys, key));
        inside.unwrap_or_else(|| element.span())
    }

    fn whole(&self) -> Option<&DeTable<'t>> {
        let parsed = self.parsed.get_or_init(|| DeTable::parse(self.text.text).ok());
        parsed.as_ref().map(Spanned::get_ref)
    }
}

/// The place of a key in a table, or in one of its tables.
fn key_in(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    if let Some((found, _)) = table.get_key_value(key) {
        return Some(found.span());
    }
    let tables = table.iter().filter_map(|(_, value)| value.get_ref().as_table());
    tables
        .filter_map(|inner| inner.get_key_value(key))
        .map(|(found, _)| found.span())
        .min_by_key(|span| span.start)
}

/// The line of a byte, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
