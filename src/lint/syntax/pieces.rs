//! Keeps the items that can be read of a text whose brackets or quotes do not match.

use proc_macro2::TokenStream;

use crate::lint::ir::Span;

use super::lex::{comment, is_word, line, quote, string, word};

/// How items begin.
const ITEMS: &[&[u8]] = &[
    b"async",
    b"const",
    b"enum",
    b"extern",
    b"fn",
    b"impl",
    b"macro_rules",
    b"mod",
    b"pub",
    b"static",
    b"struct",
    b"trait",
    b"type",
    b"union",
    b"unsafe",
    b"use",
];

/// The text with all pieces blanked out in which something does not match, and those pieces. All
/// that is left keeps its line and column.
pub(super) fn readable(text: &str) -> (String, Vec<(Span, String)>) {
    let mut kept = String::with_capacity(text.len());
    let mut broken = Vec::new();
    let mut start = 0;
    for end in cuts(text).into_iter().chain([text.len()]) {
        let piece = &text[start..end];
        if piece.parse::<TokenStream>().is_ok() {
            kept.push_str(piece);
        } else {
            kept.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            let blank = piece.len() - piece.trim_start().len();
            broken.push((span(start + blank, end), "brackets or quotes do not match".to_owned()));
        }
        start = end;
    }
    (kept, broken)
}

fn span(start: usize, end: usize) -> Span {
    let place = |byte| u32::try_from(byte).unwrap_or(u32::MAX);
    Span { start: place(start), end: place(end) }
}

/// Where a text falls into pieces: behind what ends an item as long as all brackets match, and in
/// front of what begins like one in the first column, with its attributes.
fn cuts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut cuts = Vec::new();
    let mut open = Some(Vec::new());
    // What was read last ends there; whether more than attributes was read since the last cut.
    let (mut at, mut end, mut begun) = (0, 0, false);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let length = match byte {
            b'/' if rest.starts_with(b"//") => {
                at += line(rest);
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                at += comment(rest);
                continue;
            }
            _ if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'"' => string(rest),
            b'\'' => quote(&text[at..]),
            _ if is_word(byte) => word(rest),
            _ => 1,
        };
        let first = at == 0 || bytes[at - 1] == b'\n';
        if first && (byte == b'#' || ITEMS.contains(&&rest[..length])) {
            if begun {
                cuts.push(end);
            }
            begun = false;
            open = Some(Vec::new());
        }
        at += length;
        end = at;
        let outside = open.as_ref().is_none_or(Vec::is_empty);
        begun |= outside && !matches!(byte, b'#' | b'!' | b'[');
        open = open.and_then(|open| matched(open, byte));
        let whole = open.as_ref().is_some_and(Vec::is_empty);
        if whole && matches!(byte, b';' | b'}') {
            cuts.push(end);
            begun = false;
        }
    }
    cuts
}

/// The brackets that are open behind a byte; nothing when it closes another one.
fn matched(mut open: Vec<u8>, byte: u8) -> Option<Vec<u8>> {
    let closes = match byte {
        b'(' | b'[' | b'{' => {
            open.push(byte);
            return Some(open);
        }
        b')' => b'(',
        b']' => b'[',
        b'}' => b'{',
        _ => return Some(open),
    };
    (open.pop() == Some(closes)).then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> (String, usize) {
        let (kept, broken) = readable(text);
        let widths = |text: &str| text.lines().map(|line| line.chars().count()).collect::<Vec<_>>();
        assert_eq!(widths(&kept), widths(text));
        (kept.split_whitespace().collect::<Vec<_>>().join(" "), broken.len())
    }

    #[test]
    fn items_around_a_broken_one_stay() {
        let text = "#![a]\nuse b;\n\n/// Lost.\n#[cfg(test)]\nfn c() {\n    é((\n}\n\n#[d]\npub fn e() {}\n";
        assert_eq!(kept(text), ("#![a] use b; #[d] pub fn e() {}".to_owned(), 1));
    }

    #[test]
    fn what_stands_in_strings_and_comments_is_no_item() {
        let text = "const A: &str = r#\"\nfn b() {}\n\"#;\n/*\nfn c() {}\n*/\nfn d() { ] }\n";
        assert_eq!(kept(text).0, "const A: &str = r#\" fn b() {} \"#;");
    }

    #[test]
    fn items_before_the_first_wrong_bracket_stay() {
        let text = "fn a() {} #[b] fn c() { [3]; } } fn d() {}\nfn e() {} fn f( {} fn g() {}\n";
        assert_eq!(kept(text), ("fn a() {} #[b] fn c() { [3]; } fn e() {}".to_owned(), 2));
    }

    #[test]
    fn any_text_has_pieces() {
        for text in
            ["", "{ {", "\"", "'", "r#\"", "fn", "#", "\u{e9}'\u{e9}", "/*", "fn a() {\nfn b() }"]
        {
            readable(text);
        }
        assert_eq!(kept("{ {"), (String::new(), 1));
    }
}
