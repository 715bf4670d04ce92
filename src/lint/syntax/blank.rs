//! Blanks out what is there for tests only: no rule is about it, and to parse it is a quarter of
//! the work on a usual package.
//!
//! Of tests only modules are kept, since they tell which files are tests. All that is left keeps
//! its line and column. What is not plainly a test stays as it is.

use super::lex::{comment, is_open, is_word, line, quote, string, word};

/// The text without the bodies of its tests; nothing when it has none. `testing`: the whole file
/// is one.
pub(super) fn without_tests(source: &str, testing: bool) -> Option<String> {
    let marked =
        || MARKS.iter().any(|mark| memchr::memmem::find(source.as_bytes(), mark).is_some());
    if !testing && !marked() {
        return None;
    }
    let mut reader = Reader { source, at: 0, bodies: Vec::new() };
    reader.items(testing, 0);
    if reader.bodies.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(source.len());
    let mut done = 0;
    for &(start, end) in &reader.bodies {
        text.push_str(&source[done..start]);
        text.extend(source[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        done = end;
    }
    text.push_str(&source[done..]);
    Some(text)
}

/// How the attribute of a test module begins.
const MARKS: [&[u8]; 2] = [b"cfg(test", b"cfg(all(test"];
/// Modules in modules beyond this stay as they are.
const DEEPEST: usize = 64;

/// Reads the items of a text one after the other.
struct Reader<'s> {
    source: &'s str,
    at: usize,
    /// Bodies to be blanked, in their order.
    bodies: Vec<(usize, usize)>,
}

/// What was read of an item before its braces.
#[derive(Default)]
struct Header {
    /// It has an attribute that leaves it to tests.
    test: bool,
    module: bool,
}

impl Reader<'_> {
    /// The items up to the closing brace or the end. `testing`: all of them are tests.
    fn items(&mut self, mut testing: bool, depth: usize) {
        let mut header = Header::default();
        while let Some(byte) = self.skip_to_token() {
            match byte {
                b'}' => return,
                b'#' => {
                    self.at += 1;
                    let inner = self.rest().first() == Some(&b'!');
                    self.at += usize::from(inner);
                    if self.skip_to_token() == Some(b'[') {
                        let test = is_test(self.group());
                        testing |= inner && test;
                        header.test |= test;
                    }
                }
                b'{' if header.module && depth < DEEPEST => {
                    self.at += 1;
                    self.items(testing || header.test, depth + 1);
                    self.at += 1;
                    header = Header::default();
                }
                b'{' => {
                    let start = self.at + 1;
                    self.group();
                    // Without its closing brace it is no body.
                    if testing && self.source.as_bytes()[start..self.at].ends_with(b"}") {
                        self.bodies.push((start, self.at - 1));
                    }
                    header = Header::default();
                }
                b'(' | b'[' => {
                    self.group();
                }
                b';' => {
                    self.at += 1;
                    header = Header::default();
                }
                _ if is_word(byte) => header.module |= self.token() == b"mod",
                _ => {
                    self.token();
                }
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.source.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Goes on to what is neither space nor comment.
    fn skip_to_token(&mut self) -> Option<u8> {
        loop {
            let rest = self.rest();
            self.at += match rest {
                [] => return None,
                [b'/', b'/', ..] => line(rest),
                [b'/', b'*', ..] => comment(rest),
                [byte, ..] if byte.is_ascii_whitespace() => 1,
                [byte, ..] => return Some(*byte),
            };
        }
    }

    /// Takes a token that opens no group.
    fn token(&mut self) -> &[u8] {
        let rest = self.rest();
        let length = match rest[0] {
            b'"' => string(rest),
            b'\'' => quote(&self.source[self.at..]),
            byte if is_word(byte) => word(rest),
            _ => 1,
        };
        let start = self.at;
        self.at += length;
        &self.source.as_bytes()[start..self.at]
    }

    /// Takes a group with its delimiters, or all that is left where it does not end.
    fn group(&mut self) -> &str {
        let start = self.at;
        let mut open = 0_usize;
        while let Some(byte) = self.skip_to_token() {
            if is_open(byte) {
                open += 1;
                self.at += 1;
            } else if matches!(byte, b')' | b']' | b'}') {
                open -= 1;
                self.at += 1;
                if open == 0 {
                    break;
                }
            } else {
                self.token();
            }
        }
        &self.source[start..self.at]
    }
}

/// Whether an attribute in its brackets says that only tests have what it is on.
fn is_test(attribute: &str) -> bool {
    let dense: String = attribute.chars().take(32).filter(|c| !c.is_whitespace()).collect();
    dense == "[cfg(test)]" || dense.starts_with("[cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::super::lines::enter;
    use super::super::parse::{parse, whole};
    use super::super::{MacroGrammars, lower_parsed};
    use super::*;

    fn kept(source: &str, testing: bool) -> String {
        let text = without_tests(source, testing).unwrap_or_else(|| source.to_owned());
        let widths = |text: &str| text.lines().map(|line| line.chars().count()).collect::<Vec<_>>();
        assert_eq!(widths(&text), widths(source));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn bodies_of_test_modules_go_and_their_modules_stay() {
        let source = "fn a() { b() }\n#[cfg(test)]\n/// Tests.\npub(crate) mod tests {\n use x::{y, z};\n \
            #[path = \"d.rs\"] mod deep;\n mod inner { fn c() { \"}\" } }\n fn é() { 'é' }\n}\nfn d() { e() }";
        assert_eq!(
            kept(source, false),
            "fn a() { b() } #[cfg(test)] /// Tests. pub(crate) mod tests { use x::{ }; #[path = \
             \"d.rs\"] mod deep; mod inner { fn c() { } } fn é() { } } fn d() { e() }"
        );
    }

    #[test]
    fn what_others_have_too_stays() {
        for source in [
            "#[cfg(not(test))] mod a { fn b() { c() } }",
            "#[cfg(any(test, unix))] mod a { fn b() { c() } }",
            "#[cfg(test)] use x; mod a { fn b() { c() } }",
            "#[cfg(test)] fn a() { b() } mod a { fn b() { c() } }",
            "// #[cfg(test)]\nmod a { fn b() { c() } }",
            "const A: &str = \"#[cfg(test)]\"; mod a { fn b() { c() } }",
            "const A: &str = r#\"\"#[cfg(test)] mod a { fn b() { c() } }\"#;",
        ] {
            assert_eq!(without_tests(source, false), None, "{source}");
        }
    }

    #[test]
    fn a_file_that_is_a_test_keeps_its_items() {
        assert_eq!(
            kept("mod a; fn b<'a>(c: &'a str) { '{' }", true),
            "mod a; fn b<'a>(c: &'a str) { }"
        );
        assert_eq!(kept("#![cfg(test)] fn b() { c }", false), "#![cfg(test)] fn b() { }");
    }

    /// Our own source has tests in every form that its authors thought of.
    #[test]
    fn nothing_but_tests_is_lost() {
        let mut blanked = 0;
        let own = ignore::Walk::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).flatten();
        let own = own.filter(|entry| entry.path().extension().is_some_and(|end| end == "rs"));
        for entry in own.step_by(4) {
            let source = std::fs::read_to_string(entry.path()).unwrap();
            for testing in [false, true] {
                blanked += usize::from(without_tests(&source, testing).is_some());
                enter(&source);
                let lowered = |parsed| {
                    format!("{:?}", lower_parsed(parsed, &MacroGrammars::default(), testing))
                };
                let short = lowered(parse(&source, testing));
                assert!(short == lowered(whole(&source)), "{}", entry.path().display());
            }
        }
        assert!(blanked > 40, "{blanked} files have tests");
    }

    #[test]
    fn broken_texts_do_no_harm() {
        for source in [
            "#",
            "#[cfg(test",
            "#[cfg(test)] mod",
            "#[cfg(test)] mod a {",
            "}}",
            "#[cfg(test)] mod a { fn b() {",
        ] {
            kept(source, true);
            kept(source, false);
        }
        kept(&format!("#[cfg(test)] {}", "mod a {".repeat(100_000)), false);
        kept(&"(".repeat(100_000), true);
    }
}
