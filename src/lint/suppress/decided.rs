//! Comments at a statement that say that what it does is meant: a decision, written down.

use super::units::{Place, Units};
use crate::lint::scan::{Piece, scan};

/// Words that say so of anything.
const MEANT: &[&str] = &[
    "on purpose",
    "intentional",
    "deliberate",
    "purposely",
    "purposefully",
    "by design",
    "fire and forget",
    "fire-and-forget",
    "no timeout",
    "without timeout",
    "without a timeout",
    "could use a timeout, but",
    "no deadline",
    "without a deadline",
    "not wait for",
    "n't wait for",
    "not waited",
    "never waited",
    "without waiting",
    "leak it",
    "leak this",
    "leak the",
    "is leaked",
    "are leaked",
    "never dropped",
    "never freed",
    "frees itself",
    "is freed by",
    "immediately release",
    "release it immediately",
    "released immediately",
    "and drop the guard",
    "and drop the lock",
    "and drop it again",
];

/// Those of them that say so of a function in its documentation, which tells of much else.
const DOCUMENTED: &[&str] = &[
    "on purpose",
    "intentional",
    "deliberate",
    "by design",
    "fire and forget",
    "fire-and-forget",
    "no timeout",
    "without a timeout",
    "not implement any timeout",
    "no deadline",
];

/// Words of those who mean to mend it, or speak of what they avoid.
const NOT_MEANT: &[&str] = &["todo", "fixme", "xxx", "bug", "avoid", "prevent", "unintentional"];

/// Longest statement that a comment before it is about, in lines.
const LONGEST: u32 = 25;

/// First and last line of each statement with such a comment before or behind it.
pub(crate) fn decided(source: &str) -> Vec<(u32, u32)> {
    let mut units = Units::new();
    let mut places: Vec<Place> = Vec::new();
    // Lines of comments in a row say one thing together.
    let (mut said, mut documented) = (String::new(), String::new());
    let mut carried = String::new();
    scan(source, |piece| match piece {
        Piece::Comment { line, text } => match units.behind(line) {
            Some(place) if is_decision(text, MEANT) => places.push(place),
            Some(_) => {}
            None => {
                said.push(' ');
                said.push_str(text.trim());
            }
        },
        Piece::Documentation { text } => {
            documented.push(' ');
            documented.push_str(text.trim());
        }
        Piece::Attribute { .. } => {}
        Piece::Code { line, end_line, text } => {
            let place = units.code(line, end_line, text);
            let decision = !said.is_empty() && is_decision(&said, MEANT)
                || !documented.is_empty() && is_decision(&documented, DOCUMENTED);
            if decision {
                places.push(place);
            }
            // What is let go of first is not all that it is about.
            if decision && text == "drop" {
                carried.clone_from(&said);
            }
            said.clear();
            documented.clear();
            if text == ";" {
                std::mem::swap(&mut said, &mut carried);
            }
        }
    });
    let lines = places.into_iter().filter_map(|place| units.lines(place));
    lines.filter(|(first, last)| last - first <= LONGEST).collect()
}

fn is_decision(text: &str, meant: &[&str]) -> bool {
    // Underscores and stars are marks of emphasis.
    let text: String = text.to_lowercase().chars().filter(|c| !"_*`".contains(*c)).collect();
    let holds = |words: &[&str]| words.iter().any(|word| text.contains(word));
    holds(meant) && !holds(NOT_MEANT) && !text.trim_start().starts_with("safety")
}

#[cfg(test)]
mod tests {
    use super::decided;

    #[test]
    fn a_comment_is_about_its_statement() {
        let source = "fn f() {\n    // Not waited on: it blocks.\n    // We end soon.\n    cmd\n        .spawn()?;\n    b(); // leaked on purpose\n    c();\n}\n";
        assert_eq!(decided(source), [(4, 5), (6, 6)]);
    }

    #[test]
    fn what_is_let_go_of_first_is_not_all_that_it_is_about() {
        let source = "fn f() {\n    // So we get and drop the guard.\n    drop(state); // first\n    let _ = g();\n    h();\n}\n";
        assert_eq!(decided(source), [(3, 3), (4, 4)]);
    }

    #[test]
    fn documentation_may_say_it_of_a_short_function() {
        let source =
            "/// Starts it: fire-and-forget, nobody waits.\n#[inline]\nfn f() {\n    a();\n}\n";
        assert_eq!(decided(source), [(3, 5)]);
        assert_eq!(decided(&source.replace("fire-and-forget", "without waiting")), []);
    }

    #[test]
    fn what_is_to_be_mended_or_avoided_is_no_decision() {
        for text in ["TODO: no timeout", "avoid to leak the fd", "SAFETY: never dropped", "a wait"]
        {
            assert_eq!(decided(&format!("// {text}\na();\n")), [], "{text}");
        }
        assert_eq!(decided("// We _could_ use a timeout, but not here.\na();\n"), [(2, 2)]);
    }
}
