//! Puts fixes into a text: the first wins where two overlap, and what would not parse is left out.

use crate::finding::Fix;
use crate::lint::syntax::parses;

/// A text with fixes in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The new text.
    pub text: String,
    /// Which of the fixes are in it, by their numbers.
    pub applied: Vec<usize>,
    /// Which of them would have left a text that does not parse.
    pub broken: Vec<usize>,
}

/// Applies as many of the fixes as go together, in the order of the text. `text` is what the fixes
/// were planned for, without a byte order mark.
pub fn apply(text: &str, fixes: &[&Fix]) -> Applied {
    let mut order: Vec<usize> = (0..fixes.len()).collect();
    order.sort_by_key(|&number| fixes[number].edits.first().map(|edit| edit.region.bytes));
    let mut chosen: Vec<usize> = Vec::new();
    for number in order {
        let apart = chosen.iter().all(|&other| apart(fixes[number], fixes[other]));
        if apart && !fixes[number].edits.is_empty() {
            chosen.push(number);
        }
    }
    let whole = put(text, chosen.iter().map(|&number| fixes[number]));
    if let Some(text) = whole.filter(|text| parses(text)) {
        return Applied { text, applied: chosen, broken: Vec::new() };
    }
    // One of them is wrong: each is tried on its own, on top of those that went well.
    let mut applied = Applied { text: text.to_owned(), ..Applied::default() };
    for number in chosen {
        let with = applied.applied.iter().copied().chain([number]);
        match put(text, with.map(|number| fixes[number])).filter(|text| parses(text)) {
            Some(text) => {
                applied.text = text;
                applied.applied.push(number);
            }
            None => applied.broken.push(number),
        }
    }
    applied
}

/// Whether no edit of one touches an edit of the other.
fn apart(one: &Fix, other: &Fix) -> bool {
    one.edits.iter().all(|a| {
        let (from, to) = a.region.bytes;
        other.edits.iter().all(|b| b.region.bytes.1 < from || to < b.region.bytes.0)
    })
}

/// The text with these in it; None when a place is not in the text.
fn put<'f>(text: &str, fixes: impl Iterator<Item = &'f Fix>) -> Option<String> {
    let mut edits: Vec<_> = fixes.flat_map(|fix| &fix.edits).collect();
    edits.sort_by_key(|edit| edit.region.bytes);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let (from, to) = (edit.region.bytes.0 as usize, edit.region.bytes.1 as usize);
        out.push_str(text.get(at..from)?);
        out.push_str(&edit.text);
        text.get(from..to)?;
        at = to;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::finding::{Applicability, Edit, Region};

    use super::*;

    fn fix(edits: &[(u32, u32, &str)]) -> Fix {
        let edit = |&(from, to, text): &(u32, u32, &str)| Edit {
            region: Region {
                path: Arc::from("a.rs"),
                line: 1,
                column: 1,
                end_line: 1,
                end_column: 1,
                bytes: (from, to),
            },
            file_bytes: (from, to),
            text: text.to_owned(),
        };
        let edits = edits.iter().map(edit).collect();
        Fix { applicability: Applicability::Safe, title: String::new(), edits }
    }

    #[test]
    fn all_that_are_apart_are_applied() {
        let (one, two) = (fix(&[(9, 10, "2")]), fix(&[(3, 4, "g"), (11, 11, " ")]));
        let applied = apply("fn f() { 1; }", &[&one, &two]);
        assert_eq!((applied.text.as_str(), applied.applied), ("fn g() { 2;  }", vec![1, 0]));
    }

    #[test]
    fn the_first_of_two_that_overlap_wins() {
        let text = "fn f() { a(); }";
        let (later, first) = (fix(&[(9, 10, "c")]), fix(&[(9, 9, "b::")]));
        let applied = apply(text, &[&later, &first]);
        assert_eq!((applied.text.as_str(), applied.applied), ("fn f() { b::a(); }", vec![1]));
    }

    #[test]
    fn what_would_not_parse_is_left_out() {
        let text = "fn f() { a(); }";
        let (bad, good) = (fix(&[(3, 4, "(")]), fix(&[(9, 10, "b")]));
        let applied = apply(text, &[&bad, &good]);
        assert_eq!(applied.text, "fn f() { b(); }");
        assert_eq!((applied.applied, applied.broken), (vec![1], vec![0]));
    }

    #[test]
    fn places_outside_of_the_text_are_refused() {
        for edits in [&[(90, 91, "x")][..], &[(4, 2, "x")], &[(1, 2, "x")]] {
            let wrong = fix(edits);
            assert_eq!(apply("/*é*/", &[&wrong]).applied, Vec::<usize>::new(), "{edits:?}");
        }
    }
}
