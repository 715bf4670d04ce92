//! Path patterns: one group for files that differ in a number only, in bounded number.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Longest pattern, in bytes.
const LONGEST: usize = 120;
/// File name patterns kept apart in one directory; later ones share `DIR/*`.
const PER_DIRECTORY: usize = 24;
/// Directories kept apart; later ones share one pattern.
const DIRECTORIES: usize = 512;
/// Distinct short strings kept for sharing.
const WORDS: usize = 8192;

/// Shares strings and hands out path patterns of bounded number.
#[derive(Debug, Default)]
pub struct Patterns {
    words: HashSet<Arc<str>>,
    directories: HashMap<String, HashSet<String>>,
}

impl Patterns {
    /// The shared copy of a string; beyond the bound a copy of its own.
    pub fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = Arc::from(text);
        if self.words.len() < WORDS {
            self.words.insert(Arc::clone(&word));
        }
        word
    }

    /// The pattern of a path: its directory, and its name with runs of digits and long runs of
    /// hexadecimal digits as `#`.
    pub fn path(&mut self, path: &[u8]) -> Arc<str> {
        let text = String::from_utf8_lossy(path);
        let (directory, name) = text.rsplit_once('/').unwrap_or(("", &text));
        let directory = directory
            .split('/')
            .map(|part| if is_number(part) { "#" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let name = collapse(name);
        if !self.directories.contains_key(&directory) && self.directories.len() >= DIRECTORIES {
            return self.word("other paths");
        }
        let names = self.directories.entry(directory.clone()).or_default();
        let name = if names.contains(&name) {
            name
        } else if names.len() < PER_DIRECTORY {
            names.insert(name.clone());
            name
        } else {
            "*".to_owned()
        };
        let pattern = format!("{directory}/{name}");
        self.word(cut(&pattern, LONGEST))
    }
}

/// The pattern of a plain name, such as a thread's.
pub fn of_name(name: &str) -> String {
    cut(&collapse(name), LONGEST).to_owned()
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Runs of digits, and runs of at least 8 hexadecimal digits with a digit among them, become `#`.
fn collapse(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(name.len().min(LONGEST));
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let hex = run(rest, u8::is_ascii_hexdigit);
        let digits = run(rest, u8::is_ascii_digit);
        if hex >= 8 && rest[..hex].iter().any(u8::is_ascii_digit) {
            out.push('#');
            at += hex;
        } else if digits > 0 {
            out.push('#');
            at += digits;
        } else {
            let Some(next) = name.get(at..).and_then(|rest| rest.chars().next()) else {
                break;
            };
            out.push(next);
            at += next.len_utf8();
        }
    }
    out
}

fn run(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(byte)).count()
}

/// At most `longest` bytes, cut between characters.
fn cut(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let end = (0..=longest).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_collapse() {
        let mut patterns = Patterns::default();
        assert_eq!(&*patterns.path(b"/var/log/app-2026.log"), "/var/log/app-#.log");
        assert_eq!(&*patterns.path(b"/s/1234/x"), "/s/#/x");
        assert_eq!(&*patterns.path(b"/s/deadbeef01-z"), "/s/#-z");
        assert_eq!(&*patterns.path(b"/s/facade"), "/s/facade");
        assert_eq!(&*patterns.path(b"/s/\xff\x1b"), "/s/\u{fffd}\u{1b}");
    }

    #[test]
    fn cardinality_and_length_are_bounded() {
        let mut patterns = Patterns::default();
        let mut seen = HashSet::new();
        for a in b'a'..=b'z' {
            for b in b'a'..=b'z' {
                seen.insert(patterns.path(&[b'/', b't', b'/', a, b'x', b]));
            }
        }
        assert_eq!(seen.len(), PER_DIRECTORY + 1);
        let long = "é".repeat(4000);
        assert!(patterns.path(long.as_bytes()).len() <= LONGEST);
    }
}
