//! How deep a text nests, before a recursive parser is let at it.

/// Deeper texts are not parsed: the stack of a worker is reserved for this much.
pub(crate) const DEEPEST: usize = 12_000;

/// An upper bound of the nesting: open delimiters, plus runs of prefix operators, plus `else if`
/// chains, which all nest in the tree. Linear; brackets in strings and comments count, too, which
/// only makes it too careful.
pub(crate) fn depth(source: &str) -> usize {
    let (mut open, mut run, mut deepest) = (0_usize, 0_usize, 0_usize);
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
        deepest = deepest.max(open + run);
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
    }
}
