//! Cuts the lines that a finding needs out of a file, harmless and with their places.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::finding::Region;
use crate::report::text::harmless;

/// Some lines of a file. Every character that must not reach a terminal is replaced by one other
/// character, so columns stay what they were; bytes do not.
#[derive(Debug)]
pub(in crate::report) struct Window {
    /// Number of the first line, from 1.
    pub(in crate::report) first: u32,
    /// The lines, with `\n` between them.
    pub(in crate::report) text: String,
    /// Where each line begins in `text`.
    starts: Vec<usize>,
}

impl Window {
    /// The lines from `first` to `last`; the last line of the file if it is shorter than that.
    pub(in crate::report) fn new(source: &str, first: u32, last: u32, unicode: bool) -> Self {
        let (first, last) = (first.max(1), last.max(first).max(1));
        let mut window = Self { first, text: String::new(), starts: Vec::new() };
        let mut end = ("", 1);
        for (line, number) in source.split('\n').zip(1..=last) {
            end = (line, number);
            if number >= first {
                window.push(line, unicode);
            }
        }
        if window.starts.is_empty() {
            window.first = end.1;
            window.push(end.0, unicode);
        }
        window
    }

    fn push(&mut self, line: &str, unicode: bool) {
        if !self.starts.is_empty() {
            self.text.push('\n');
        }
        self.starts.push(self.text.len());
        let line = line.strip_suffix('\r').unwrap_or(line);
        self.text.extend(line.chars().map(|c| harmless(c, unicode)));
    }

    /// Bytes of a region in `text`; what lies outside is moved to the nearest place inside.
    pub(super) fn span(&self, region: &Region) -> Range<usize> {
        let start = self.offset(region.line, region.column);
        let end = self.offset(region.end_line, region.end_column);
        start..end.max(start)
    }

    /// Columns of the widest line.
    pub(super) fn widest(&self) -> usize {
        self.text.split('\n').map(columns).max().unwrap_or(0)
    }

    /// Columns between the start of a line and a place in it.
    pub(super) fn columns_before(&self, at: usize) -> usize {
        let line = self.starts.partition_point(|&start| start <= at).saturating_sub(1);
        columns(&self.text[self.starts[line]..at])
    }

    fn offset(&self, line: u32, column: u32) -> usize {
        let index = (line.saturating_sub(self.first) as usize).min(self.starts.len() - 1);
        let start = self.starts[index];
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let skipped = (column as usize).saturating_sub(1);
        let inside = self.text[start..end].char_indices().nth(skipped);
        inside.map_or(end, |(at, _)| start + at)
    }
}

/// Columns that text takes, where a tab is shown as four blanks.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c == '\t' { 4 } else { c.width().unwrap_or(0) }).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn span(window: &Window, at: [u32; 4]) -> Range<usize> {
        let [line, column, end_line, end_column] = at;
        let path = Arc::from("a.rs");
        window.span(&Region { path, line, column, end_line, end_column, bytes: (0, 0) })
    }

    #[test]
    fn columns_count_characters() {
        let window = Window::new("no\r\n日\x1b[本\r\nend", 2, 2, true);
        assert_eq!((window.first, window.text.as_str()), (2, "日\u{fffd}[本"));
        assert_eq!(&window.text[span(&window, [2, 4, 2, 5])], "本");
        assert_eq!(Window::new("日\tx", 1, 1, false).text, "?\tx");
    }

    #[test]
    fn what_lies_outside_is_moved_inside() {
        for source in ["", "\n", "ab", "ab\n", "ab\ncd"] {
            for at in [[0; 4], [9, 9, 9, 12], [2, 1, 1, 1], [u32::MAX; 4], [1, 3, 1, 3]] {
                let window = Window::new(source, at[0], at[2], true);
                let span = span(&window, at);
                assert!(span.start <= span.end && span.end <= window.text.len());
                assert!(window.text.is_char_boundary(span.start));
            }
        }
    }
}
