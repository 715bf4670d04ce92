//! Places in a text as editors count them, and where they are after an edit.

use gen_lsp_types::{Position, Range};

/// What a column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// Two bytes each: what everyone understands.
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

impl Encoding {
    fn length(self, c: char) -> u32 {
        match self {
            Self::Utf8 => c.len_utf8() as u32,
            Self::Utf16 => c.len_utf16() as u32,
            Self::Utf32 => 1,
        }
    }
}

/// A text and where its lines begin.
pub(super) struct Index<'t> {
    text: &'t str,
    /// Bytes.
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Index<'t> {
    pub(super) fn new(text: &'t str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        // A carriage return alone ends a line, too, by the protocol.
        let ends = |&at: &usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let starts = (0..bytes.len()).filter(ends).map(|at| at + 1);
        Self { text, starts: std::iter::once(0).chain(starts).collect(), encoding }
    }

    /// Where a byte of the text is; its end when it has no such byte.
    pub(super) fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = &self.text[self.starts[line]..byte];
        let character = before.chars().map(|c| self.encoding.length(c)).sum();
        Position { line: line as u32, character }
    }

    pub(super) fn range(&self, (from, to): (usize, usize)) -> Range {
        Range { start: self.position(from), end: self.position(to) }
    }

    /// The byte at a position; the end of the line where it has no such column.
    pub(super) fn byte(&self, position: Position) -> usize {
        let Some(&start) = self.starts.get(position.line as usize) else { return self.text.len() };
        let mut at = start;
        let mut column = 0;
        for c in self.text[start..].chars() {
            if column >= position.character || matches!(c, '\n' | '\r') {
                break;
            }
            column += self.encoding.length(c);
            at += c.len_utf8();
        }
        at
    }

    /// The bytes of a line, from 0, without the space around its text.
    pub(super) fn line(&self, line: usize) -> (usize, usize) {
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let start = self.starts.get(line).copied().unwrap_or(end);
        let text = &self.text[start..end];
        let from = start + (text.len() - text.trim_start().len());
        (from.min(end), (start + text.trim_end().len()).max(from.min(end)))
    }
}

/// What became of the places of a text in a later one: known for all that lies outside of the part
/// that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// So many bytes at the start are the same.
    before: usize,
    /// From here on the end of the earlier text is the same, and from there on that of the later one.
    after: (usize, usize),
}

impl Shift {
    pub(super) fn between(old: &str, new: &str) -> Self {
        let pairs = old.bytes().zip(new.bytes());
        let same = pairs.take_while(|(old, new)| old == new).count();
        let before = old.floor_char_boundary(same).min(new.floor_char_boundary(same));
        let most = old.len().min(new.len()) - before;
        let pairs = old.bytes().rev().zip(new.bytes().rev()).take(most);
        let same = pairs.take_while(|(old, new)| old == new).count();
        // Equal bytes end in equal characters, but may begin within one.
        let behind = old.len() - old.ceil_char_boundary(old.len() - same);
        Self { before, after: (old.len() - behind, new.len() - behind) }
    }

    /// Where a range of bytes is now; none when it was touched.
    pub(super) fn range(&self, (from, to): (usize, usize)) -> Option<(usize, usize)> {
        let (old, new) = self.after;
        if to <= self.before {
            Some((from, to))
        } else if from >= old {
            Some((from - old + new, to - old + new))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "a\r\nß😀b\rc\n\n  d  ";

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn columns_count_what_was_agreed() {
        let of_b = TEXT.find('b').expect("it is there");
        for (encoding, column) in [(Encoding::Utf8, 6), (Encoding::Utf16, 3), (Encoding::Utf32, 2)]
        {
            let index = Index::new(TEXT, encoding);
            assert_eq!(index.position(of_b), at(1, column));
            assert_eq!(index.byte(at(1, column)), of_b);
            assert_eq!(index.position(of_b + 2), at(2, 0));
            assert_eq!(index.position(9999), at(4, 5));
            assert_eq!(index.byte(at(1, 99)), of_b + 1);
            assert_eq!(index.byte(at(99, 0)), TEXT.len());
        }
    }

    #[test]
    fn lines_have_no_space_around() {
        let index = Index::new(TEXT, Encoding::Utf8);
        let text = |line| {
            let (from, to) = index.line(line);
            &TEXT[from..to]
        };
        assert_eq!([text(0), text(2), text(3), text(4), text(5)], ["a", "c", "", "d", ""]);
    }

    #[test]
    fn what_was_not_touched_is_found_again() {
        let shift = Shift::between("one two three", "one 2 three");
        assert_eq!(shift.range((0, 3)), Some((0, 3)));
        assert_eq!(shift.range((8, 13)), Some((6, 11)));
        assert_eq!(shift.range((4, 7)), None);
        assert_eq!(shift.range((0, 13)), None);
        let same = Shift::between("abc", "abc");
        assert_eq!(same.range((1, 2)), Some((1, 2)));
    }

    proptest! {
        #[test]
        fn what_is_found_again_is_the_same(
            head in "[aß😀\n]{0,6}", old in "[aß😀\n]{0,6}", new in "[aß😀\n]{0,6}", tail in "[aß😀\n]{0,6}",
            from in 0..40_usize, length in 0..20_usize,
        ) {
            let (old, new) = (format!("{head}{old}{tail}"), format!("{head}{new}{tail}"));
            let from = old.floor_char_boundary(from);
            let to = old.floor_char_boundary(from + length);
            if let Some((now, end)) = Shift::between(&old, &new).range((from, to)) {
                prop_assert_eq!(new.get(now..end), old.get(from..to));
            }
        }

        #[test]
        fn positions_go_both_ways(text in "[aß😀\r\n]{0,12}", byte in 0..60_usize) {
            // Between the two characters that end a line there is no column.
            let split = text.get(..byte).is_some_and(|text| text.ends_with('\r'))
                && text.get(byte..).is_some_and(|text| text.starts_with('\n'));
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let index = Index::new(&text, encoding);
                let position = index.position(if split { byte + 1 } else { byte });
                prop_assert_eq!(index.position(index.byte(position)), position);
            }
        }
    }
}
