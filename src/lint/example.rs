//! Examples of rules as packages that can be linted, and where findings are expected in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Lines, from 1, each with the rules that fire there.
pub type Fired = BTreeMap<u32, BTreeSet<String>>;

/// The Cargo.toml of a package that depends on just these versions. `/` in its name becomes `-`.
pub fn manifest(name: &str, deps: &BTreeMap<String, String>) -> String {
    let name = name.replace('/', "-");
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n"
    );
    for (name, version) in deps {
        let _ = writeln!(text, "{name} = \"={version}\"");
    }
    text
}

/// What the marks of a text expect: `//~` alone means `own`, `//~ one two` names the rules.
pub fn marked(text: &str, own: &str) -> Fired {
    let mut marked = Fired::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((_, names)) = line.split_once("//~") else { continue };
        let rules: BTreeSet<String> = names.split_whitespace().map(str::to_owned).collect();
        let rules = if rules.is_empty() { [own.to_owned()].into() } else { rules };
        marked.insert(number, rules);
    }
    marked
}

/// What of `all` is about this rule.
pub fn only(all: Fired, rule: &str) -> Fired {
    let about = all.into_iter().filter(|(_, rules)| rules.contains(rule));
    about.map(|(line, _)| (line, [rule.to_owned()].into())).collect()
}

/// One line for each difference, with the line of the text.
pub fn differences(name: &str, text: &str, expected: &Fired, found: &Fired) -> String {
    let mut out = String::new();
    let empty = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let expected = expected.get(&number).unwrap_or(&empty);
        let found = found.get(&number).unwrap_or(&empty);
        for rule in expected.difference(found) {
            let _ = writeln!(out, "{name}:{number}: missing {rule}: {}", line.trim());
        }
        for rule in found.difference(expected) {
            let _ = writeln!(out, "{name}:{number}: unexpected {rule}: {}", line.trim());
        }
    }
    out
}
