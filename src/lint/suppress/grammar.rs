//! What suppressions say: `allow(rule, reason = "…", until = "2027-01-31")`, in a comment or attribute.

use jiff::civil::Date;

/// What one says, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allow {
    /// `allow-file`
    pub(super) file: bool,
    pub(super) rules: Vec<String>,
    pub(super) reason: String,
    pub(super) until: Option<Date>,
    /// An attribute for clippy.
    pub(super) of_clippy: bool,
}

/// Reads what stands behind the mark of a comment: also `allow(rule): reason`.
pub(super) fn comment(text: &str) -> Option<Allow> {
    let mut at = Reader(text);
    let file = at.eat("allow-file");
    if !file && !at.eat("allow") {
        return None;
    }
    let mut allow = at.arguments(file)?;
    if allow.reason.is_empty() && at.eat(":") {
        // The rest of a block comment may go over several lines; its first line is the reason.
        allow.reason = at.0.trim().lines().next().unwrap_or_default().trim_end().to_owned();
    }
    Some(allow)
}

/// Reads an attribute from between its brackets: `cfg_attr(any(), poolscan::allow(…))`, which no
/// compiler ever looks into. None: it is not ours; `Some(None)`: it is, and was not understood.
pub(super) fn attribute(text: &str) -> Option<Option<Allow>> {
    let mut at = Reader(text);
    let ours = ["cfg_attr", "(", "any", "(", ")", ",", "poolscan", "::"];
    if !ours.into_iter().all(|part| at.eat(part)) {
        return None;
    }
    let allow = if at.eat("allow") { at.arguments(false) } else { None };
    at.eat(",");
    Some(allow.filter(|_| at.eat(")") && at.0.trim().is_empty()))
}

/// Reads `allow(clippy::…)` and `expect(clippy::…)`; none when no lint of clippy is among the names.
pub(super) fn clippy(text: &str) -> Option<Allow> {
    let mut at = Reader(text);
    if !at.eat("allow") && !at.eat("expect") {
        return None;
    }
    let mut allow = at.arguments(false)?;
    allow.rules.retain(|rule| rule.starts_with(super::CLIPPY));
    allow.of_clippy = true;
    (!allow.rules.is_empty()).then_some(allow)
}

/// The text that is still to be read.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn eat(&mut self, part: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(part);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// `(rule, rule, reason = "…", until = "…")`
    fn arguments(&mut self, file: bool) -> Option<Allow> {
        let mut allow =
            Allow { file, rules: Vec::new(), reason: String::new(), until: None, of_clippy: false };
        if !self.eat("(") {
            return None;
        }
        while !self.eat(")") {
            let word = self.word()?;
            if self.eat("=") {
                let value = self.string()?;
                match word {
                    "reason" => allow.reason = value.trim().to_owned(),
                    "until" => allow.until = Some(date(&value)?),
                    _ => return None,
                }
            } else {
                allow.rules.push(word.to_owned());
            }
            if !self.eat(",") && !self.0.trim_start().starts_with(')') {
                return None;
            }
        }
        (!allow.rules.is_empty()).then_some(allow)
    }

    fn word(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '=' | '"');
        let (word, rest) = text.split_at(text.find(ends)?);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// A text in quotes, with `\"` and `\\` in it.
    fn string(&mut self) -> Option<String> {
        let text = self.0.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &text[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                _ => value.push(c),
            }
        }
        None
    }
}

/// `2027-01-31` and nothing else.
fn date(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allow(rules: &[&str], reason: &str, until: Option<Date>) -> Allow {
        let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
        Allow { file: false, rules, reason: reason.to_owned(), until, of_clippy: false }
    }

    #[test]
    fn both_ways_to_give_a_reason() {
        let day = jiff::civil::date(2027, 1, 31);
        let want = allow(&["x-y", "z"], "a \"b\", (c)", Some(day));
        let text = r#"allow(x-y, z, reason = "a \"b\", (c)", until="2027-01-31",)"#;
        assert_eq!(comment(text), Some(want.clone()));
        assert_eq!(comment("allow( x ) : why: so\n more"), Some(allow(&["x"], "why: so", None)));
        assert_eq!(comment("allow(x)"), Some(allow(&["x"], "", None)));
        assert_eq!(comment("allow-file(x): y").map(|allow| allow.file), Some(true));
        let attr = format!("cfg_attr( any( ) ,\n poolscan :: {text}, )");
        assert_eq!(attribute(&attr), Some(Some(want)));
    }

    #[test]
    fn what_is_not_understood() {
        for text in [
            "",
            "alow(x)",
            "allow",
            "allow()",
            "allow(x",
            "allow(x y)",
            "allow(x, because = \"y\")",
            "allow(reason = \"y\")",
            "allow(x, until = \"2027-02-30\")",
            "allow(x, reason = y)",
            "allow(x, until = \"2027-01-31T10:00\")",
            "allow(x, reason = \"y)",
        ] {
            assert_eq!(comment(text), None, "{text}");
        }
        assert_eq!(attribute("cfg_attr(any(), poolscan::deny(x))"), Some(None));
        assert_eq!(attribute("cfg_attr(any(), poolscan::allow(x)"), Some(None));
        for other in ["cfg_attr(any(), serde(x))", "allow(poolscan::x)", "cfg_attr(test, a)", ""] {
            assert_eq!(attribute(other), None, "{other}");
        }
    }

    #[test]
    fn attributes_for_clippy() {
        let names = |text: &str| clippy(text).map(|allow| allow.rules.join(" "));
        let read = |text: &str| names(text).unwrap_or_default();
        assert_eq!(read("allow(clippy::a, dead_code, clippy::b)"), "clippy::a clippy::b");
        assert_eq!(read("expect( clippy::a, reason = \"b\" )"), "clippy::a");
        for other in ["allow(dead_code)", "deny(clippy::a)", "allow(clippy::a", "allow", ""] {
            assert_eq!(names(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), tail in "[a-z(),=\"\\\\ ]{0,40}") {
            for text in [text.clone(), format!("allow({tail}"), format!("allow(x{tail}{text}")] {
                let _ = comment(&text);
                let _ = clippy(&text);
                let _ = attribute(&format!("cfg_attr(any(), poolscan::{text}"));
            }
        }
    }
}
