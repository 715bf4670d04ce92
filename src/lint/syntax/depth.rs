//! How deep a text nests, before a recursive parser is let at it.

/// Deeper texts are not parsed: the stack of a worker is reserved for this much.
pub(crate) const DEEPEST: usize = 12_000;

/// An upper bound of the nesting: open delimiters, plus runs of prefix operators, plus `else if`
/// chains, which all nest in the tree. Linear; brackets in strings and comments count, too, which
/// only makes it too careful.
pub(crate) fn depth(source: &str) -> usize {
    let (mut open, mut run, mut deepest, mut elses) = (0_usize, 0_usize, 0_usize, 0_usize);
    let bytes = source.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match KINDS[usize::from(byte)] {
            Kind::Other => continue,
            Kind::Open => open += 1,
            Kind::Close => {
                open = open.saturating_sub(1);
                run = 0;
            }
            Kind::End => run = 0,
            Kind::Prefix => run += 1,
            Kind::Word => {
                if run > 0 && run < 64 {
                    run = 0;
                }
                if byte == b'e' && bytes[at..].starts_with(b"else if") {
                    elses += 1;
                }
                continue;
            }
        }
        deepest = deepest.max(open + run);
    }
    deepest.max(elses)
}

/// What a byte does to the depth.
#[derive(Clone, Copy)]
enum Kind {
    Other,
    Open,
    Close,
    End,
    Prefix,
    Word,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'(' | b'[' | b'{' => Kind::Open,
            b')' | b']' | b'}' => Kind::Close,
            b';' => Kind::End,
            b'!' | b'-' | b'&' | b'*' | b'|' | b'<' | b'=' | b':' => Kind::Prefix,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Kind::Word,
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
    }
}
