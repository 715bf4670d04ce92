//! Reads Rust text just far enough to tell comments, attributes and code apart: linear, never fails.

/// Something that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A comment that is no documentation, without its marks.
    Comment {
        /// Line of its first character, from 1.
        line: u32,
        /// What it says.
        text: &'a str,
    },
    /// Documentation of what follows, without its marks.
    Documentation {
        /// What it says.
        text: &'a str,
    },
    /// An attribute that is no documentation comment.
    Attribute {
        /// Line of its first character, from 1.
        line: u32,
        /// Whether it is about what is around it: `#![…]`.
        inner: bool,
        /// What stands between its brackets.
        text: &'a str,
    },
    /// A word, a literal, or one character of punctuation; not in an attribute.
    Code {
        /// Line of its first character, from 1.
        line: u32,
        /// Line of its last character.
        end_line: u32,
        /// As it is written; a string with its prefix and quotes.
        text: &'a str,
    },
}

/// Calls `each` for every piece of `source`, in order.
pub(crate) fn scan<'a>(source: &'a str, mut each: impl FnMut(Piece<'a>)) {
    let mut at = Cursor { source, bytes: source.as_bytes(), at: 0, line: 1 };
    if source.starts_with("#!") && !source[2..].trim_start().starts_with('[') {
        at.line_end();
    }
    // Brackets that are open inside an attribute; 0 outside. Then where it began.
    let mut attribute = 0u32;
    let mut opened = Opened { line: 1, inner: false, from: 0 };
    while let Some(byte) = at.peek(0) {
        let (line, from) = (at.line, at.at);
        match byte {
            b'/' if at.peek(1) == Some(b'/') => {
                let text = at.line_comment();
                each_comment(&mut each, line, text, '/');
                continue;
            }
            b'/' if at.peek(1) == Some(b'*') => {
                let text = at.block_comment();
                each_comment(&mut each, line, text, '*');
                continue;
            }
            b'#' if attribute == 0 && at.opens_attribute() => {
                let inner = at.until_bracket();
                opened = Opened { line, inner, from: at.at };
                attribute = 1;
                continue;
            }
            _ if byte.is_ascii_whitespace() => {
                at.bump();
                continue;
            }
            b'"' => at.string(),
            b'\'' => at.quote(),
            _ if is_word(byte) => at.word(),
            _ => at.bump(),
        }
        if attribute == 0 {
            // A word that is the prefix of a string took the string with it.
            each(Piece::Code { line, end_line: at.line, text: at.text(from, at.at) });
        } else if byte == b'[' {
            attribute += 1;
        } else if byte == b']' {
            attribute -= 1;
            if attribute == 0 {
                let Opened { line, inner, from } = opened;
                each(Piece::Attribute { line, inner, text: at.text(from, at.at - 1) });
            }
        }
    }
}

/// Tells a comment or documentation of what follows; `mark` once more begins documentation.
fn each_comment<'a>(each: &mut impl FnMut(Piece<'a>), line: u32, text: &'a str, mark: char) {
    match text.strip_prefix(mark) {
        Some(text) if !text.starts_with(mark) => each(Piece::Documentation { text }),
        _ if text.starts_with('!') => {}
        _ => each(Piece::Comment { line, text }),
    }
}

/// Where an attribute began, and where its text does.
#[derive(Clone, Copy)]
struct Opened {
    line: u32,
    inner: bool,
    from: usize,
}

/// Whether a byte belongs to a word or number.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A place in the text, and its line.
struct Cursor<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Cursor<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn bump(&mut self) {
        if self.peek(0) == Some(b'\n') {
            self.line = self.line.saturating_add(1);
        }
        self.at = (self.at + 1).min(self.bytes.len());
    }

    fn line_end(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }

    /// Text between two places, which always lie beside ASCII characters.
    fn text(&self, from: usize, to: usize) -> &'a str {
        self.source.get(from..to).unwrap_or_default()
    }

    fn line_comment(&mut self) -> &'a str {
        let from = self.at + 2;
        self.line_end();
        self.text(from, self.at)
    }

    fn block_comment(&mut self) -> &'a str {
        let from = self.at + 2;
        let mut depth = 0u32;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return self.text(from, self.at),
                (Some(b'/'), Some(b'*')) => {
                    depth = depth.saturating_add(1);
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth = depth.saturating_sub(1);
                    self.at += 2;
                    if depth == 0 {
                        return self.text(from, self.at - 2);
                    }
                }
                _ => self.bump(),
            }
        }
    }

    /// Whether `#` is followed by `[` or `![`, perhaps after blanks.
    fn opens_attribute(&self) -> bool {
        let mut rest = self.bytes[self.at + 1..].iter().filter(|b| !matches!(b, b' ' | b'\t'));
        match rest.next() {
            Some(b'[') => true,
            Some(b'!') => rest.next() == Some(&b'['),
            _ => false,
        }
    }

    /// To behind the opening bracket; whether there was a `!` on the way.
    fn until_bracket(&mut self) -> bool {
        let mut inner = false;
        while let Some(byte) = self.peek(0).filter(|&byte| byte != b'[') {
            inner |= byte == b'!';
            self.bump();
        }
        self.bump();
        inner
    }

    /// From an opening `"` to behind the closing one.
    fn string(&mut self) {
        self.bump();
        while let Some(byte) = self.peek(0) {
            self.bump();
            match byte {
                b'"' => return,
                b'\\' => self.bump(),
                _ => {}
            }
        }
    }

    /// A character, or the quote of a lifetime.
    fn quote(&mut self) {
        self.bump();
        if self.peek(0) == Some(b'\\') {
            self.bump();
            self.bump();
            // The longest escape is `\u{10_FFFF}`; a character never goes over the line.
            for _ in 0..16 {
                match self.peek(0) {
                    None | Some(b'\n') => return,
                    Some(b'\'') => return self.bump(),
                    Some(_) => self.bump(),
                }
            }
            return;
        }
        let Some(c) = self.text(self.at, self.bytes.len()).chars().next() else { return };
        if c != '\'' && self.peek(c.len_utf8()) == Some(b'\'') {
            for _ in 0..=c.len_utf8() {
                self.bump();
            }
        }
    }

    /// A word or number; with it the string of which it is the prefix.
    fn word(&mut self) {
        let from = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
        match &self.bytes[from..self.at] {
            b"r" | b"br" | b"cr" => self.raw_string(),
            b"b" | b"c" if self.peek(0) == Some(b'"') => self.string(),
            _ => {}
        }
    }

    /// A raw string, if one begins here.
    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(hashes) == Some(b'#') {
            hashes += 1;
        }
        if self.peek(hashes) != Some(b'"') {
            // `r#name`: the name is another word. The marks are taken, so that nobody counts again.
            self.at += hashes;
            return;
        }
        self.at += hashes + 1;
        while let Some(byte) = self.peek(0) {
            self.bump();
            if byte == b'"' {
                let mut closing = 0;
                while closing < hashes && self.peek(0) == Some(b'#') {
                    self.bump();
                    closing += 1;
                }
                if closing == hashes {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn comments(source: &str) -> Vec<(u32, &str)> {
        let mut found = Vec::new();
        scan(source, |piece| {
            if let Piece::Comment { line, text } = piece {
                found.push((line, text));
            }
        });
        found
    }

    #[test]
    fn comments_are_told_from_strings() {
        let source = "let a = \"// no \\\" // no\"; // one\nlet b = r#\"\" // no \"#; /* two /* in */ */\n\
                      let c = '\"'; // three\nlet d: &'a str = b\"//\"; // four\nlet e = '\\''; // five\n\
                      br##\"\"# // no\n\"##;// six\nr#type // seven\n";
        let want = [
            (1, " one"),
            (2, " two /* in */ "),
            (3, " three"),
            (4, " four"),
            (5, " five"),
            (7, " six"),
            (8, " seven"),
        ];
        assert_eq!(comments(source), want);
    }

    #[test]
    fn documentation_is_no_comment() {
        let source = "//! a\n/// b\n/** c */\n/*! d */\n//// e\n/**/\n/***/ // f";
        let texts: Vec<_> = comments(source).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["// e", "", " f"]);
    }

    #[test]
    fn attributes_are_told_whole() {
        let source = "#![a(\"]\")] # [b[c] /* ] */ ]\n#[cfg(\n  d)]\nfn #";
        let mut found = Vec::new();
        scan(source, |piece| {
            if let Piece::Attribute { line, inner, text } = piece {
                found.push((line, inner, text));
            }
        });
        let want = [(1, true, "a(\"]\")"), (1, false, "b[c] /* ] */ "), (2, false, "cfg(\n  d)")];
        assert_eq!(found, want);
    }

    #[test]
    fn what_never_ends_ends_with_the_text() {
        for source in ["\"", "/*", "r#\"", "'", "'\\", "#[", "#!", "b'", "/*/", "\"\\", "'日"] {
            scan(source, |_| {});
        }
        assert_eq!(comments("/* open"), [(1, " open")]);
    }

    proptest! {
        #[test]
        fn lines_rise_and_nothing_panics(source in "[\\x00-\\x7f日'\"#r/*\\n\\[\\]!\\\\]{0,200}") {
            let mut last = 1;
            let lines = source.bytes().filter(|&b| b == b'\n').count() as u32 + 1;
            let mut fine = true;
            scan(&source, |piece| {
                let (line, end) = match piece {
                    Piece::Comment { line, .. } => (line, line),
                    Piece::Documentation { .. } => return,
                    // It is told when it ends.
                    Piece::Attribute { line, .. } => (last, line.max(last)),
                    Piece::Code { line, end_line, .. } => (line, end_line),
                };
                fine &= last <= line && line <= end && end <= lines;
                last = line;
            });
            prop_assert!(fine);
        }

        #[test]
        fn a_string_hides_everything(text in "[a-z/* ]{0,40}") {
            let source = format!("let a = \"{text}\"; let b = r#\"{text}\"#; // end");
            prop_assert_eq!(comments(&source), vec![(1, " end")]);
        }
    }
}
