//! Makes untrusted text harmless for a terminal: what cannot be seen is shown as an escape.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longest text that is shown, in characters of the input.
const MAX_CHARS: usize = 512;

/// Replaces control, bidirectional, zero-width and tag characters by `\u{..}`; cuts after 512
/// characters and says so with `...`.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    let cut = text.char_indices().nth(MAX_CHARS).map(|(at, _)| at);
    let kept = &text[..cut.unwrap_or(text.len())];
    if cut.is_none() && !kept.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(kept.len() + 16);
    for c in kept.chars() {
        if is_hidden(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    if cut.is_some() {
        safe.push_str("...");
    }
    Cow::Owned(safe)
}

/// Whether a character acts on the terminal or cannot be seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || (c != ' ' && c.width().unwrap_or(0) == 0 && !is_mark(c))
}

/// A character of the same place for one that must not reach a terminal: columns stay right.
pub(crate) fn harmless(c: char, unicode: bool) -> char {
    match c {
        '\t' => '\t',
        c if is_hidden(c) => {
            if unicode {
                '\u{fffd}'
            } else {
                '?'
            }
        }
        c if !unicode && !c.is_ascii() => '?',
        c => c,
    }
}

/// Combining marks of the common scripts: no width of their own, but visible.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{34e}' | '\u{350}'..='\u{36f}')
}

/// Escapes everything outside ASCII, for terminals without Unicode.
pub(crate) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            plain.push(c);
        } else {
            plain.extend(c.escape_unicode());
        }
    }
    plain
}

/// Cuts to at most `width` columns; the cut is shown with `mark`.
pub(crate) fn fit(text: &str, width: usize, mark: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(mark.width());
    let mut used = 0;
    let mut short = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        short.push(c);
    }
    if mark.width() <= width {
        short.push_str(mark);
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_visible() {
        assert_eq!(sanitise("a\x1b[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert!(matches!(sanitise("plain"), Cow::Borrowed("plain")));
        assert!(sanitise(&"x".repeat(9_999)).len() < 520);
    }

    #[test]
    fn fits_by_columns() {
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("abc", 0, "…"), "");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in any::<String>()) {
            let hidden = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}');
            let found = sanitise(&text).chars().any(hidden);
            prop_assert!(!found);
        }

        #[test]
        fn never_wider(text in any::<String>(), width in 0usize..90) {
            let safe = sanitise(&text).into_owned();
            prop_assert!(fit(&safe, width, "…").width() <= width);
        }
    }
}
