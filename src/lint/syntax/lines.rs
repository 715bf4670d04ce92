//! Where tokens stand, in bytes: from their lines and columns.
//!
//! The parser's own way from a token to bytes fills a map by every question, which costs a tenth of
//! the whole run; lines and columns it has at hand.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::lint::ir::Span;

thread_local! {
    /// The file that this thread lowers.
    static LINES: RefCell<Lines> = RefCell::default();
}

#[derive(Default)]
struct Lines {
    /// Byte at which each line starts.
    starts: Vec<u32>,
    /// Lines in which columns are not bytes, by number from 0.
    wide: FxHashMap<usize, String>,
}

/// Makes `text` the file whose tokens [`span`] is asked about on this thread; how many lines it has.
pub(super) fn enter(text: &str) -> u32 {
    LINES.with_borrow_mut(|lines| {
        lines.starts.clear();
        lines.wide.clear();
        lines.starts.push(0);
        lines.starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| place(at + 1)));
        if text.ends_with('\n') || text.is_empty() {
            lines.starts.pop();
        }
        if !text.is_ascii() {
            let wide = text.split_inclusive('\n').enumerate().filter(|(_, line)| !line.is_ascii());
            lines.wide.extend(wide.map(|(number, line)| (number, line.to_owned())));
        }
        u32::try_from(lines.starts.len()).unwrap_or(u32::MAX)
    })
}

fn place(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

/// Bytes of a token.
pub(super) fn span(span: proc_macro2::Span) -> Span {
    LINES.with_borrow(|lines| Span { start: lines.byte(span.start()), end: lines.byte(span.end()) })
}

impl Lines {
    fn byte(&self, at: proc_macro2::LineColumn) -> u32 {
        // Tokens made by nobody stand in line 0.
        let Some(line) = at.line.checked_sub(1) else { return 0 };
        let Some(&start) = self.starts.get(line) else { return 0 };
        let column = match self.wide.get(&line) {
            Some(text) => text.char_indices().nth(at.column).map_or(text.len(), |(byte, _)| byte),
            None => at.column,
        };
        start.saturating_add(place(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_parser() {
        let text = "fn a() {}\r\n/* ä𝄞 */ fn ö() { \"ß\\n\nx\"; y }\n\nfn z() {}";
        enter(text);
        let tokens: proc_macro2::TokenStream = text.parse().unwrap();
        let mut stack = vec![tokens];
        let mut seen = 0;
        while let Some(tokens) = stack.pop() {
            for token in tokens {
                let range = token.span().byte_range();
                let found = span(token.span());
                assert_eq!((found.start as usize, found.end as usize), (range.start, range.end));
                seen += 1;
                if let proc_macro2::TokenTree::Group(group) = token {
                    stack.push(group.stream());
                }
            }
        }
        assert!(seen >= 10, "{seen}");
    }
}
