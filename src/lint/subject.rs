//! What a finding is about, as written but without layout: part of its fingerprint.

use super::scan::{Piece, is_word, scan};

/// Longest subject, in bytes.
const LONGEST: usize = 200;

/// The code of `text` without white space, comments, attributes, trailing commas and the insides of
/// braces: what a formatter changes, or what is only called later, is no part of it.
pub(crate) fn subject(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0u32;
    scan(text, |piece| {
        let Piece::Code { text, .. } = piece else { return };
        if text == "}" {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 && out.len() < LONGEST {
            push(&mut out, text);
        }
        if text == "{" {
            depth = depth.saturating_add(1);
        }
    });
    out.truncate(out.floor_char_boundary(LONGEST));
    out
}

fn push(out: &mut String, piece: &str) {
    if matches!(piece, ")" | "]" | "}") && out.ends_with(',') {
        out.pop();
    }
    let words =
        out.bytes().next_back().is_some_and(is_word) && piece.bytes().next().is_some_and(is_word);
    if words {
        out.push(' ');
    }
    out.push_str(piece);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layout_is_no_part() {
        let one = "spawn(move || { work(); }, &[a, b])";
        let many = "spawn(\n    move || {\n        // more\n        other(1);\n    },\n    &[a, b], /* x */\n)";
        assert_eq!(subject(one), "spawn(move||{},&[a,b])");
        assert_eq!(subject(one), subject(many));
        assert_ne!(subject("spawn(\"a b\")"), subject("spawn(\"ab\")"));
        assert_ne!(subject("async move"), subject("asyncmove"));
    }

    #[test]
    fn what_is_long_is_cut() {
        assert!(subject(&"日本語 ".repeat(9_000)).len() <= LONGEST);
        assert_eq!(subject("}}} ) {{{ ,"), "}}}){");
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            prop_assert!(subject(&text).len() <= LONGEST);
        }
    }
}
