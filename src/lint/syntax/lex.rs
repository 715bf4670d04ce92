//! How far a token goes in a text that no parser has read: comments, strings, characters.

/// Whether a byte is one of a name, keyword or number.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether a byte opens a group.
pub(super) const fn is_open(byte: u8) -> bool {
    matches!(byte, b'(' | b'[' | b'{')
}

/// Bytes of a line comment.
pub(super) fn line(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

/// Bytes of a block comment; they nest.
pub(super) fn comment(rest: &[u8]) -> usize {
    let (mut at, mut open) = (2, 1_usize);
    while open > 0 && at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, open) = (at + 2, open + 1),
            [b'*', b'/', ..] => (at, open) = (at + 2, open - 1),
            _ => at += 1,
        }
    }
    at
}

/// Bytes of a string with escapes.
pub(super) fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if rest[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    rest.len()
}

/// Bytes of a name, keyword or number, and of the raw string whose prefix it is.
pub(super) fn word(rest: &[u8]) -> usize {
    let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
    match &rest[..length] {
        b"r" | b"br" | b"cr" => length + raw(&rest[length..]),
        _ => length,
    }
}

/// Bytes of a raw string behind its prefix; 0 when there is none.
fn raw(rest: &[u8]) -> usize {
    let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return 0;
    }
    let mut at = hashes + 1;
    while let Some(found) = rest.get(at..).and_then(|rest| memchr::memchr(b'"', rest)) {
        at += found + 1;
        let end = rest[at..].iter().take(hashes).take_while(|&&byte| byte == b'#').count();
        if end == hashes {
            return at + hashes;
        }
    }
    rest.len()
}

/// Bytes of a character, or of the mark of a lifetime.
pub(super) fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let behind = escaped + c.len_utf8();
            memchr::memchr(b'\'', &rest.as_bytes()[behind..])
                .map_or(rest.len(), |end| behind + end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}
