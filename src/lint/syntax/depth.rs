//! How deep a text may nest, before a recursive parser is let at it.
//!
//! A level of the syntax tree takes at least one token. So the nesting at a token is at most what
//! stands before it in its group since the last separator, and the same for each group around:
//! `f(a, -g(b))` counts `f (`, then `- g (`, then `b`. Tokens at which a parser calls itself count
//! whole, others a quarter: they take little of the stack when the tree is walked.

use super::lex::{comment, is_open, is_word, line, quote, string, word};

/// Deeper texts are not parsed: the stack of a worker is reserved for this much.
pub(crate) const DEEPEST: usize = 12_000;

/// Quarters of a level: a delimiter, a prefix operator, a generic argument.
const WHOLE: usize = 4;
/// Quarters of a level: any other token.
const PART: usize = 1;

/// An upper bound of the nesting, in levels. Linear.
pub(crate) fn depth(source: &str) -> usize {
    let all = every_token(source.as_bytes());
    // Nearly every file is so short that no order of its tokens could be deep.
    let quarters = if all <= DEEPEST * WHOLE { all } else { Groups::default().read(source) };
    quarters.div_ceil(WHOLE)
}

/// The bound if all tokens were in one another.
fn every_token(bytes: &[u8]) -> usize {
    let mut in_word = false;
    bytes.iter().fold(0, |sum, &byte| {
        let word = is_word(byte);
        let starts = word && !in_word;
        in_word = word;
        sum + usize::from(WEIGHTS[usize::from(byte)]) + usize::from(starts)
    })
}

/// Quarters by byte; words count where they start.
const WEIGHTS: [u8; 256] = {
    let mut weights = [PART as u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let this = byte as u8;
        if is_word(this) || this.is_ascii_whitespace() || matches!(this, b')' | b']' | b'}') {
            weights[byte] = 0;
        } else if is_open(this) || is_operator(this) {
            weights[byte] = WHOLE as u8;
        }
        byte += 1;
    }
    weights
};

/// It may stand before its operand.
const fn is_operator(byte: u8) -> bool {
    matches!(byte, b'!' | b'-' | b'&' | b'*' | b'|' | b'<' | b'=' | b':' | b'.')
}

/// What was read of a group, in quarters of a level.
#[derive(Default, Clone, Copy)]
struct Group {
    /// Since the last separator.
    run: usize,
    /// Generic arguments and closures, which go on behind a comma.
    open: usize,
    /// A block was closed last: what follows may be the next statement.
    after_block: bool,
    /// What was read last is an operand, so that an operator stands behind it.
    after_operand: bool,
}

#[derive(Default)]
struct Groups {
    around: Vec<Group>,
    /// Sum of the groups around.
    outer: usize,
    here: Group,
    deepest: usize,
}

impl Groups {
    fn read(mut self, source: &str) -> usize {
        let bytes = source.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = &bytes[at..];
            at += match byte {
                b'/' if rest.starts_with(b"//") => line(rest),
                b'/' if rest.starts_with(b"/*") => comment(rest),
                b'"' => {
                    self.token(PART);
                    string(rest)
                }
                b'\'' => {
                    self.token(PART);
                    quote(&source[at..])
                }
                _ if is_word(byte) => self.word(rest),
                _ if byte.is_ascii_whitespace() => 1,
                _ => {
                    self.mark(byte);
                    1
                }
            };
        }
        self.deepest
    }

    /// A name, keyword or number, or a raw string; how many bytes it has.
    fn word(&mut self, rest: &[u8]) -> usize {
        let length = word(rest);
        if self.here.after_block && !matches!(&rest[..length], b"else" | b"as") {
            self.here = Group::default();
        }
        self.token(PART);
        length
    }

    /// An operand.
    fn token(&mut self, quarters: usize) {
        self.here.after_block = false;
        self.here.after_operand = true;
        self.add(quarters);
    }

    fn add(&mut self, quarters: usize) {
        self.here.run += quarters;
        self.deepest = self.deepest.max(self.outer + self.here.run + self.here.open);
    }

    fn mark(&mut self, byte: u8) {
        let prefix = !self.here.after_operand;
        match byte {
            _ if is_open(byte) => {
                self.token(WHOLE);
                self.outer += self.here.run + self.here.open;
                self.around.push(self.here);
                self.here = Group::default();
            }
            b')' | b']' | b'}' => {
                if let Some(group) = self.around.pop() {
                    self.outer -= group.run + group.open;
                    self.here = Group { after_block: byte == b'}', ..group };
                }
            }
            b';' => self.here = Group::default(),
            b',' => self.here = Group { open: self.here.open, ..Group::default() },
            b'#' if self.here.after_block => self.here = Group::default(),
            b'<' => self.keep(WHOLE),
            b'|' if prefix => self.keep(WHOLE),
            b'>' => {
                self.here.open = self.here.open.saturating_sub(WHOLE);
                self.token(PART);
            }
            // The operand goes on: `x?`, `x.y`
            b'?' => self.token(PART),
            _ => {
                self.here.after_block = false;
                self.here.after_operand = false;
                self.add(if prefix { WHOLE } else { PART });
            }
        }
    }

    /// Counts behind the next comma, too.
    fn keep(&mut self, quarters: usize) {
        self.here.after_block = false;
        self.here.after_operand = false;
        self.here.open += quarters;
        self.add(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a text that is too long for the quick bound.
    fn exact(source: &str) -> usize {
        Groups::default().read(source).div_ceil(WHOLE)
    }

    #[test]
    fn counts_what_nests() {
        assert!((3..8).contains(&exact("fn f() { g((1)) }")));
        for (piece, least) in [
            ("&", 1000),
            ("!", 1000),
            ("x=", 500),
            ("?", 250),
            (".a", 500),
            ("()", 1000),
            ("+()", 1000),
            (" as u8", 500),
            ("return ", 250),
            ("|x,y|", 1000),
            ("T<u8,", 1000),
            ("if x {} else ", 1000),
            ("!/**/(/*)*/", 2000),
            ("(\")\",", 1000),
            ("(')',", 1000),
            ("(r#\")\"#,", 1000),
            ("('a,", 1000),
            ("match x{_=>y}.z.", 1000),
        ] {
            let deep = exact(&piece.repeat(1000));
            assert!(deep >= least, "{piece}: {deep}");
        }
    }

    #[test]
    fn counts_little_where_nothing_nests() {
        for piece in [
            "let x = y;\n",
            "f(a),",
            "fn f() -> u8 { 1 }\n#[a]\n",
            "if x { y } ",
            "// ((((\n",
            "/* (( /* (( */ */",
            "\"((\\\"((\",",
            "'(',",
            "'\\'', '(',",
            "r##\"(\"#(\"##,",
            "A::B(x) => y,",
        ] {
            let deep = exact(&piece.repeat(4000));
            assert!(deep < 12, "{piece}: {deep}");
        }
    }

    #[test]
    fn the_quick_bound_is_never_below() {
        for text in [include_str!("depth.rs"), include_str!("expr.rs"), include_str!("../run.rs")] {
            assert!(every_token(text.as_bytes()) >= Groups::default().read(text));
            assert!(exact(text) < 200, "{}", exact(text));
        }
    }
}
