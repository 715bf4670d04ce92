//! How deep a text nests, before a recursive parser is let at it.

/// Deeper texts are not parsed: the stack of a worker is reserved for this much.
pub(crate) const DEEPEST: usize = 12_000;

/// An upper bound of the nesting: open delimiters, plus runs of prefix operators, plus `else if`
/// chains, and words that nothing separates, as in `x = x = x` or `return return`, which all nest
/// in the tree. Linear; brackets in strings and comments count, too, which only makes it too
/// careful.
pub(crate) fn depth(source: &str) -> usize {
    let (mut open, mut run, mut words, mut deepest) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut in_word = false;
    for &byte in source.as_bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => {
                open = open.saturating_sub(1);
                run = 0;
            }
            b';' => run = 0,
            b'!' | b'-' | b'&' | b'*' | b'|' | b'<' | b'=' | b':' => run += 1,
            _ if byte.is_ascii_alphanumeric() && run > 0 && run < 64 => run = 0,
            _ => {}
        }
        if matches!(byte, b';' | b',' | b'{' | b'}') {
            words = 0;
        }
        let word = byte.is_ascii_alphanumeric() || byte == b'_';
        words += usize::from(word && !in_word);
        in_word = word;
        // A level takes less of the stack here than below delimiters.
        deepest = deepest.max(open + run).max(words / 4);
    }
    deepest.max(source.matches("else").count() / 4).max(source.matches("else if").count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_nests() {
        assert_eq!(depth("fn f() { g((1)) }"), 3);
        assert!(depth(&"&".repeat(1000)) >= 1000);
        assert!(depth(&"!".repeat(500)) >= 500);
        assert_eq!(depth(&"x=".repeat(4000)), 1000);
        assert!(depth(&"let x = y;\n".repeat(4000)) < 10);
    }
}
