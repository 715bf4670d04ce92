//! Comments in the source that silence findings: `// poolscan: allow(rule): reason`.

mod apply;

pub use apply::{Applied, Known, apply};

use super::scan::{Piece, scan};

/// What every such comment begins with.
const MARK: &str = "poolscan:";

/// Where a suppression holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the whole file.
    File,
    /// From one line to another, both included: the line of the comment, or the next statement.
    Lines(u32, u32),
    /// Nowhere: no code follows it.
    Nowhere,
    /// Nowhere: the comment was not understood.
    Garbled,
}

/// A comment that silences findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Line of the comment, from 1.
    pub line: u32,
    /// Where it holds.
    pub scope: Scope,
    /// The rules, as written.
    pub rules: Vec<String>,
    /// Why, as written; empty when nobody said.
    pub reason: String,
}

/// All suppressions of a file, in order. Only comments count, and documentation is none.
pub fn suppressions(source: &str) -> Vec<Suppression> {
    // Nearly every file has none; this is all that they cost.
    if memchr::memmem::find(source.as_bytes(), MARK.as_bytes()).is_none() {
        return Vec::new();
    }
    let mut reading = Reading::default();
    scan(source, |piece| match piece {
        Piece::Comment { line, text } => reading.comment(line, text),
        Piece::Code { line, end_line, text } => {
            reading.code(line, end_line, text.bytes().next().unwrap_or_default());
        }
        Piece::Attribute { .. } => {}
    });
    reading.close(i64::MIN);
    reading.found
}

/// Finds the statement to which each comment belongs.
#[derive(Default)]
struct Reading {
    found: Vec<Suppression>,
    /// Those that wait for code.
    pending: Vec<usize>,
    /// Those whose statement goes on, with the depth at which it began. Never falls.
    open: Vec<(usize, i64)>,
    /// Parentheses and brackets that are open.
    depth: i64,
    /// Line and first byte of the last code; line 0: none yet.
    last: (u32, u8),
}

impl Reading {
    fn comment(&mut self, line: u32, text: &str) {
        let Some(rest) = text.trim().strip_prefix(MARK) else { return };
        let mut suppression = parse(line, rest.trim());
        if suppression.scope == Scope::Nowhere {
            if self.last.0 == line {
                suppression.scope = Scope::Lines(line, line);
            } else {
                self.pending.push(self.found.len());
            }
        }
        self.found.push(suppression);
    }

    fn code(&mut self, line: u32, end_line: u32, byte: u8) {
        // A list entry ends with the comma at the end of its line.
        if self.last.1 == b',' && self.last.0 < line {
            self.close(self.depth);
        }
        match byte {
            b')' | b']' => {
                self.depth -= 1;
                self.close(self.depth + 1);
            }
            b'}' => self.close(i64::MIN),
            _ => {}
        }
        let begun = self.pending.drain(..);
        for index in begun {
            self.found[index].scope = Scope::Lines(line, end_line);
            self.open.push((index, self.depth));
        }
        self.last = (end_line, byte);
        match byte {
            b'(' | b'[' => self.depth += 1,
            b'{' => self.close(i64::MIN),
            b';' => self.close(self.depth),
            _ => {}
        }
    }

    /// Ends the statements that began at this depth or deeper, at the last code.
    fn close(&mut self, depth: i64) {
        while let Some(&(index, begun)) = self.open.last()
            && begun >= depth
        {
            self.open.pop();
            if let Scope::Lines(first, last) = self.found[index].scope {
                self.found[index].scope = Scope::Lines(first, last.max(self.last.0));
            }
        }
    }
}

/// Reads what stands behind the mark.
fn parse(line: u32, text: &str) -> Suppression {
    let garbled =
        Suppression { line, scope: Scope::Garbled, rules: Vec::new(), reason: String::new() };
    let (scope, rest) = if let Some(rest) = text.strip_prefix("allow-file") {
        (Scope::File, rest)
    } else if let Some(rest) = text.strip_prefix("allow") {
        (Scope::Nowhere, rest)
    } else {
        return garbled;
    };
    let Some((list, rest)) =
        rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'))
    else {
        return garbled;
    };
    let rules: Vec<String> =
        list.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(str::to_owned).collect();
    if rules.is_empty() {
        return garbled;
    }
    let reason = rest.trim_start().strip_prefix(':').unwrap_or_default();
    // The rest of a block comment may go over several lines; its first line is the reason.
    let reason = reason.trim().lines().next().unwrap_or_default().trim_end().to_owned();
    Suppression { line, scope, rules, reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(source: &str) -> Vec<Scope> {
        suppressions(source).into_iter().map(|s| s.scope).collect()
    }

    #[test]
    fn rules_and_reason_are_read() {
        let found = suppressions("a(); // poolscan: allow(x-y, z): the caller waits: always\n");
        let want = Suppression {
            line: 1,
            scope: Scope::Lines(1, 1),
            rules: vec!["x-y".to_owned(), "z".to_owned()],
            reason: "the caller waits: always".to_owned(),
        };
        assert_eq!(found, [want]);
        assert_eq!(suppressions("/* poolscan:allow( x ) */ a();")[0].reason, "");
        assert_eq!(suppressions("// poolscan: allow-file(x): generated")[0].scope, Scope::File);
    }

    #[test]
    fn a_comment_above_holds_for_the_next_statement() {
        let source = "// poolscan: allow(x): why\n// more words\n\n#[rustfmt::skip] // still\n\
                      #[cfg(a = \"]\")]\nlet a = f(\n    1,\n    [0; 4],\n)\n.g();\nh();\n";
        assert_eq!(scopes(source), [Scope::Lines(6, 10)]);
        assert_eq!(scopes("// poolscan: allow(x): y\nfn f() {\n  a();\n}"), [Scope::Lines(2, 2)]);
        assert_eq!(scopes("{\n// poolscan: allow(x): y\na()\n  .b()\n}"), [Scope::Lines(3, 4)]);
        let list = "f(\n  // poolscan: allow(x): y\n  a(1, 2),\n  b,\n);";
        assert_eq!(scopes(list), [Scope::Lines(3, 3)]);
        let last = "f(\n  // poolscan: allow(x): y\n  a(1, 2)\n);";
        assert_eq!(scopes(last), [Scope::Lines(3, 3)]);
        let two = "// poolscan: allow(x): y\n// poolscan: allow(z): y\na();";
        assert_eq!(scopes(two), [Scope::Lines(3, 3); 2]);
        assert_eq!(scopes("a();\n// poolscan: allow(x): y\n"), [Scope::Nowhere]);
    }

    #[test]
    fn only_comments_count() {
        let source = "let a = \"// poolscan: allow(x): y\";\n/// poolscan: allow(x): y\n\
                      // see poolscan: allow(x): y\nfn f() {}";
        assert_eq!(suppressions(source), []);
        assert_eq!(scopes("// poolscan: alow(x): y\nf();"), [Scope::Garbled]);
        assert_eq!(scopes("// poolscan: allow()\nf();"), [Scope::Garbled]);
        assert_eq!(scopes("// poolscan: allow(x\nf();"), [Scope::Garbled]);
    }

    #[test]
    fn windows_line_ends_change_nothing() {
        let found = suppressions("// poolscan: allow(x): y\r\nf();\r\n");
        assert_eq!((found[0].scope, found[0].reason.as_str()), (Scope::Lines(2, 2), "y"));
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        let many = "// poolscan: allow(x): y\nf(".repeat(50_000);
        assert_eq!(suppressions(&many).len(), 50_000);
        let marks = format!("// poolscan:\n{}", "r#".repeat(200_000));
        assert_eq!(suppressions(&marks).len(), 1);
        let hashes = format!("// poolscan:\n{}", "#".repeat(400_000));
        assert_eq!(suppressions(&hashes).len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(source in any::<String>(), tail in any::<String>()) {
            let text = format!("{source}// poolscan: allow(x): y\n{tail}");
            let lines = text.bytes().filter(|&b| b == b'\n').count() as u32 + 1;
            for found in suppressions(&text) {
                prop_assert!(found.line <= lines);
                if let Scope::Lines(first, last) = found.scope {
                    prop_assert!(first <= last && last <= lines);
                }
            }
        }
    }
}
