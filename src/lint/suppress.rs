//! Comments and attributes in the source that silence findings:
//! `// poolscan: allow(rule, reason = "…")`.

mod apply;
mod decided;
mod grammar;
mod units;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use apply::{Applied, InFile, Known, apply};
pub(crate) use decided::decided;

use super::scan::{Piece, scan};
use grammar::Allow;
use units::{Place, Units};

/// What every such comment begins with; it is in every such attribute, too.
const MARK: &str = "poolscan";

/// What names of clippy's lints begin with.
pub(crate) const CLIPPY: &str = "clippy::";

/// Where a suppression holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// In the whole file.
    File,
    /// From one line to another, both included: the statement, item or entry it stands at.
    Lines(u32, u32),
    /// Nowhere: no code follows it.
    Nowhere,
    /// Nowhere: it was not understood.
    Garbled,
}

/// A comment or attribute that silences findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Its line, from 1.
    pub line: u32,
    /// Where it holds.
    pub scope: Scope,
    /// The rules, as written.
    pub rules: Vec<String>,
    /// Why, as written; empty when nobody said.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Option<Date>,
    /// Written for clippy: nothing is said of one without a reason, or that silences nothing here.
    pub of_clippy: bool,
}

/// All suppressions of a file, in order, those for clippy if wanted. Documentation is none.
pub fn suppressions(source: &str, clippy: bool) -> Vec<Suppression> {
    // Nearly every file has none; this is all that they cost.
    let holds = |mark: &str| memchr::memmem::find(source.as_bytes(), mark.as_bytes()).is_some();
    if !(holds(MARK) || clippy && holds(CLIPPY)) {
        return Vec::new();
    }
    let mut reading =
        Reading { clippy, units: Units::new(), found: Vec::new(), places: Vec::new(), waiting: 0 };
    scan(source, |piece| match piece {
        Piece::Comment { line, text } => reading.comment(line, text),
        Piece::Documentation { .. } => {}
        Piece::Attribute { line, inner, text } => reading.attribute(line, inner, text),
        Piece::Code { line, end_line, text } => reading.code(line, end_line, text),
    });
    reading.finish()
}

/// Finds what each suppression stands at.
struct Reading {
    /// Whether attributes for clippy count.
    clippy: bool,
    units: Units,
    found: Vec<Suppression>,
    /// Of each that was found; none as long as no code follows.
    places: Vec<Option<Place>>,
    /// How many of the last ones wait for code.
    waiting: usize,
}

impl Reading {
    fn comment(&mut self, line: u32, text: &str) {
        let text = text.trim().strip_prefix(MARK).and_then(|rest| rest.strip_prefix(':'));
        let Some(text) = text else { return };
        let allow = grammar::comment(text);
        let place = match &allow {
            Some(allow) if allow.file => Some(Place::File),
            _ => self.units.behind(line),
        };
        self.add(line, allow, place);
    }

    fn attribute(&mut self, line: u32, inner: bool, text: &str) {
        let of_clippy = || grammar::clippy(text).filter(|_| self.clippy).map(Some);
        let Some(allow) = grammar::attribute(text).or_else(of_clippy) else { return };
        let place = inner.then(|| self.units.around(line));
        self.add(line, allow, place);
    }

    fn add(&mut self, line: u32, allow: Option<Allow>, place: Option<Place>) {
        let scope = if allow.is_some() { Scope::Nowhere } else { Scope::Garbled };
        let of_clippy = allow.as_ref().is_some_and(|allow| allow.of_clippy);
        let (rules, reason, until) =
            allow.map(|allow| (allow.rules, allow.reason, allow.until)).unwrap_or_default();
        self.found.push(Suppression { line, scope, rules, reason, until, of_clippy });
        self.places.push(place);
        self.waiting = if place.is_none() { self.waiting + 1 } else { 0 };
    }

    fn code(&mut self, line: u32, end_line: u32, text: &str) {
        let place = self.units.code(line, end_line, text);
        let first = self.places.len() - self.waiting;
        self.places[first..].fill(Some(place));
        self.waiting = 0;
    }

    fn finish(mut self) -> Vec<Suppression> {
        for (suppression, place) in self.found.iter_mut().zip(&self.places) {
            if let (Scope::Nowhere, Some(place)) = (suppression.scope, *place) {
                let lines = self.units.lines(place);
                suppression.scope =
                    lines.map_or(Scope::File, |(first, last)| Scope::Lines(first, last));
            }
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(source: &str) -> Vec<Scope> {
        suppressions(source, true).into_iter().map(|s| s.scope).collect()
    }

    #[test]
    fn rules_and_reason_are_read() {
        let found =
            suppressions("a(); // poolscan: allow(x-y, z): the caller waits: always\n", true);
        let want = Suppression {
            line: 1,
            scope: Scope::Lines(1, 1),
            rules: vec!["x-y".to_owned(), "z".to_owned()],
            reason: "the caller waits: always".to_owned(),
            until: None,
            of_clippy: false,
        };
        assert_eq!(found, [want]);
        assert_eq!(suppressions("/* poolscan:allow( x ) */ a();", true)[0].reason, "");
        assert_eq!(
            suppressions("// poolscan: allow-file(x): generated", true)[0].scope,
            Scope::File
        );
    }

    #[test]
    fn a_comment_above_holds_for_the_next_statement_or_item() {
        let source = "// poolscan: allow(x): why\n// more words\n\n#[rustfmt::skip] // still\n\
                      #[cfg(a = \"]\")]\nlet a = f(\n    1,\n    [0; 4],\n)\n.g();\nh();\n";
        assert_eq!(scopes(source), [Scope::Lines(6, 10)]);
        let item = "// poolscan: allow(x): y\npub fn f(\n  a: A,\n) {\n  a();\n}\nfn g() {}";
        assert_eq!(scopes(item), [Scope::Lines(2, 6)]);
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
    fn a_comment_within_holds_for_the_whole_statement() {
        let chain =
            "a();\nlet x = b()\n  // poolscan: allow(x): y\n  .c(|| {\n  })\n  .d()?;\ne();";
        assert_eq!(scopes(chain), [Scope::Lines(2, 6)]);
        let behind = "a();\nlet x = b() // poolscan: allow(x): y\n  .c()\n  .d()?;\ne();";
        assert_eq!(scopes(behind), [Scope::Lines(2, 4)]);
        let head = "a();\nif b { // poolscan: allow(x): y\n  c();\n} else {\n  d();\n}\ne();";
        assert_eq!(scopes(head), [Scope::Lines(2, 6)]);
        let arm =
            "match a {\n  // poolscan: allow(x): y\n  B { c } => {\n    d();\n  }\n  E => f(),\n}";
        assert_eq!(scopes(arm), [Scope::Lines(3, 5)]);
        let next = "if a {\n}\n// poolscan: allow(x): y\n*b = c;\nd();";
        assert_eq!(scopes(next), [Scope::Lines(4, 4)]);
    }

    #[test]
    fn at_the_end_of_a_block_only_the_end_counts() {
        let before = "fn f() {\n  a();\n  // poolscan: allow(x): y\n}\nfn g() {}";
        assert_eq!(scopes(before), [Scope::Lines(4, 4)]);
        assert_eq!(scopes("fn f() {\n  a();\n} // poolscan: allow(x): y\n"), [Scope::Lines(3, 3)]);
    }

    #[test]
    fn attributes_hold_like_comments() {
        let attr = "cfg_attr(any(), poolscan::allow(x, reason = \"y\", until = \"2027-01-31\"))";
        let source =
            format!("#[{attr}]\n#[inline]\nfn f() {{\n  #[{attr}]\n  a()\n    .b();\n}}\n");
        let found = suppressions(&source, true);
        assert_eq!(scopes(&source), [Scope::Lines(3, 7), Scope::Lines(5, 6)]);
        assert_eq!((found[0].reason.as_str(), found[0].line), ("y", 1));
        assert_eq!(found[0].until, Some(jiff::civil::date(2027, 1, 31)));
        let inner = format!("#![{attr}]\nmod a {{\n  #![{attr}]\n}}\n");
        assert_eq!(scopes(&inner), [Scope::File, Scope::Lines(2, 4)]);
        assert_eq!(scopes("#[cfg_attr(any(), poolscan::alow(x))]\nfn f() {}"), [Scope::Garbled]);
    }

    #[test]
    fn attributes_for_clippy_hold_when_wanted() {
        let source = "#[allow(clippy::mem_forget, dead_code)]\nfn f() {\n  g();\n}\n";
        let found = suppressions(source, true);
        assert_eq!(scopes(source), [Scope::Lines(2, 4)]);
        assert_eq!(
            (&*found[0].rules, found[0].of_clippy),
            (&["clippy::mem_forget".to_owned()][..], true)
        );
        assert_eq!(suppressions(source, false), []);
        assert_eq!(
            suppressions(&format!("{source}// poolscan: allow(x): y\na();"), false).len(),
            1
        );
    }

    #[test]
    fn only_comments_count() {
        let source = "let a = \"// poolscan: allow(x): y\";\n/// poolscan: allow(x): y\n\
                      // see poolscan: allow(x): y\nfn f() {}";
        assert_eq!(suppressions(source, true), []);
        assert_eq!(scopes("// poolscan: alow(x): y\nf();"), [Scope::Garbled]);
        assert_eq!(scopes("// poolscan: allow()\nf();"), [Scope::Garbled]);
        assert_eq!(scopes("// poolscan: allow(x\nf();"), [Scope::Garbled]);
    }

    #[test]
    fn windows_line_ends_change_nothing() {
        let found = suppressions("// poolscan: allow(x): y\r\nf();\r\n", true);
        assert_eq!((found[0].scope, found[0].reason.as_str()), (Scope::Lines(2, 2), "y"));
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        let many = "// poolscan: allow(x): y\nf(".repeat(50_000);
        assert_eq!(suppressions(&many, true).len(), 50_000);
        let marks = format!("// poolscan:\n{}", "r#".repeat(200_000));
        assert_eq!(suppressions(&marks, true).len(), 1);
        let hashes = format!("// poolscan:\n{}", "#".repeat(400_000));
        assert_eq!(suppressions(&hashes, true).len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(source in any::<String>(), tail in any::<String>()) {
            let text = format!("{source}// poolscan: allow(x): y\n{tail}");
            let lines = text.bytes().filter(|&b| b == b'\n').count() as u32 + 1;
            for found in suppressions(&text, true) {
                prop_assert!(found.line <= lines);
                if let Scope::Lines(first, last) = found.scope {
                    prop_assert!(first <= last && last <= lines);
                }
            }
        }
    }
}
