//! How deep a text nests, before a recursive parser is let at it.

/// Deeper texts are not parsed: the stack of a worker is reserved for this much.
pub(crate) const DEEPEST: usize = 12_000;

/// An upper bound of the nesting: open delimiters, plus runs of prefix operators, plus `else if`
/// chains, and words that nothing separates, as in `x = x = x` or `return return`, which all nest
/// in the tree. Linear; brackets in strings and comments count, too, which only makes it too
/// careful.
pub(crate) fn depth(source: &str) -> usize {
    let (mut open, mut run, mut words, mut elses) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut deepest, mut longest) = (0_usize, 0_usize);
    let mut in_word = false;
    let bytes = source.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let kind = KINDS[usize::from(byte)];
        if matches!(kind, Kind::Word) {
            if !in_word {
                in_word = true;
                words += 1;
                if run < 64 {
                    run = 0;
                }
                if byte == b'e' && bytes[at..].starts_with(b"else") {
                    elses += 1;
                }
            }
            continue;
        }
        in_word = false;
        match kind {
            Kind::Open => open += 1,
            Kind::Close => {
                open = open.saturating_sub(1);
                run = 0;
            }
            Kind::End => run = 0,
            Kind::Prefix => run += 1,
            Kind::Word | Kind::Other => continue,
        }
        deepest = deepest.max(open + run);
        if matches!(byte, b';' | b',' | b'{' | b'}') {
            longest = longest.max(words);
            words = 0;
        }
    }
    // A level of words or of `else` takes less of the stack than one below delimiters.
    deepest.max(longest.max(words) / 4).max(elses / 2)
}

/// What a byte does to the depth.
#[derive(Clone, Copy)]
enum Kind {
    Other,
    Open,
    Close,
    /// It ends what stands before.
    End,
    /// It may be an operator before its operand.
    Prefix,
    Word,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'(' | b'[' | b'{' => Kind::Open,
            b')' | b']' | b'}' => Kind::Close,
            b';' | b',' => Kind::End,
            b'!' | b'-' | b'&' | b'*' | b'|' | b'<' | b'=' | b':' => Kind::Prefix,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => Kind::Word,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
};

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
        assert!(depth(&"if x {} else ".repeat(4000)) >= 2000);
    }
}
