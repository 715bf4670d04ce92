//! Cuts rendered lines to the width, whatever colours they carry.

use unicode_width::UnicodeWidthChar;

use crate::report::text::fit;

/// Shown where something was cut off.
const MARK: &str = "...";

/// Cuts a line to at most `width` columns; colour sequences take none and are all kept.
pub(super) fn cut(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let mark = fit(MARK, width, "");
    let room = width - mark.len();
    let (mut short, mut used, mut full) = (String::with_capacity(line.len()), 0, false);
    for (text, is_sequence) in pieces(line) {
        if is_sequence {
            short.push_str(text);
            continue;
        }
        for c in text.chars() {
            used += c.width().unwrap_or(0);
            if !full && used > room {
                full = true;
                short.push_str(&mark);
            }
            if !full {
                short.push(c);
            }
        }
    }
    short
}

/// Cuts a path from the left: its end says more.
pub(super) fn cut_path(path: &str, width: usize) -> String {
    if columns(path) <= width || width <= MARK.len() {
        return path.to_owned();
    }
    let room = width - MARK.len();
    let mut used = 0;
    let from = path
        .char_indices()
        .rev()
        .take_while(|(_, c)| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .last()
        .map_or(path.len(), |(at, _)| at);
    format!("{MARK}{}", &path[from..])
}

/// Columns that a line takes.
pub(super) fn columns(line: &str) -> usize {
    let text = pieces(line).filter(|(_, is_sequence)| !is_sequence);
    text.flat_map(|(text, _)| text.chars()).map(|c| c.width().unwrap_or(0)).sum()
}

/// Text and colour sequences (`ESC [ … letter`) in turn; true for sequences.
fn pieces(line: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (end, is_sequence) = if let Some(inside) = rest.strip_prefix("\x1b[") {
            let end = inside.find(|c: char| ('@'..='~').contains(&c));
            (end.map_or(rest.len(), |end| end + 3), true)
        } else {
            let start = rest.chars().next().map_or(0, char::len_utf8);
            let next = rest[start..].find("\x1b[").map(|at| at + start);
            (next.unwrap_or(rest.len()), false)
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some((piece, is_sequence))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns() {
        let line = "\x1b[1mabcdef\x1b[0m日本";
        assert_eq!(columns(line), 10);
        assert_eq!(cut(line, 10), line);
        assert_eq!(cut(line, 8), "\x1b[1mabcde...\x1b[0m");
        assert_eq!(cut("日本語", 5), "日...");
        for width in 0..12 {
            assert!(columns(&cut(line, width)) <= width);
        }
    }

    #[test]
    fn paths_keep_their_end() {
        assert_eq!(cut_path("src/very/long/file.rs", 10), "...file.rs");
        assert_eq!(cut_path("src/a.rs", 10), "src/a.rs");
    }
}
