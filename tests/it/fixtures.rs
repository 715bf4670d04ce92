//! Templates filled with bindings: what each engine finds, and leaves alone, form by form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use poolscan::finding::Severity;
use serde::Deserialize;

use super::linted::{Tree, differences, fired, marked};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bindings {
    binding: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    name: String,
    /// File beside the bindings, without `.rs.tpl`.
    template: String,
    /// The rules that a word behind `//~` means, with blanks between.
    marks: BTreeMap<String, String>,
    #[serde(default)]
    deps: BTreeMap<String, String>,
    put: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lint")
}

impl Binding {
    /// The template with everything put in.
    fn expand(&self) -> String {
        let path = folder().join(format!("{}.rs.tpl", self.template));
        let template = std::fs::read_to_string(&path).unwrap();
        let mut parts = template.split('$');
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let (key, rest) = part.split_at(end.unwrap_or(part.len()));
            let put = self.put.get(key);
            let put = put.unwrap_or_else(|| panic!("{} does not say what ${key} is", self.name));
            if put.contains("{}") {
                let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
                let (argument, rest) = inner.unwrap_or_else(|| panic!("${key} has no argument"));
                out += &put.replace("{}", argument);
                out += rest;
            } else {
                out += put;
                out += rest;
            }
        }
        self.name_rules(&out)
    }

    /// Puts rules for the words behind marks; a word for no rule takes the mark away.
    fn names(&self, rule: &str) -> bool {
        self.marks.values().any(|rules| rules.split_whitespace().any(|name| name == rule))
    }

    fn name_rules(&self, text: &str) -> String {
        let mut out = String::new();
        for line in text.lines() {
            match line.split_once("//~") {
                Some((code, word)) => {
                    let word = word.trim();
                    let rules = self.marks.get(word);
                    let rules = rules.unwrap_or_else(|| panic!("{} has no {word}", self.name));
                    let mark = if rules.is_empty() { "" } else { "//~ " };
                    out += &format!("{code}{mark}{rules}");
                }
                None => out += line,
            }
            out.push('\n');
        }
        out
    }
}

fn bindings() -> Bindings {
    let text = std::fs::read_to_string(folder().join("bindings.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// Every template with every binding of it: a name, the versions it needs, the source.
pub(crate) fn filled_templates() -> Vec<(String, BTreeMap<String, String>, String)> {
    let filled = |binding: &Binding| {
        (format!("bound/{}", binding.name), binding.deps.clone(), binding.expand())
    };
    bindings().binding.iter().map(filled).collect()
}

#[test]
fn every_form_of_every_binding() {
    let bindings = bindings();
    let tree = Tree::new();
    let mut texts = Vec::new();
    for binding in &bindings.binding {
        let text = binding.expand();
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", binding.name));
        let name = format!("bound/{}", binding.name);
        tree.package(&name, &binding.deps, &text);
        texts.push((name, text, binding));
    }
    let report = tree.lint("", &[]);
    let mut wrong = String::new();
    for issue in &report.issues {
        wrong += &format!("{}:{}: {}\n", issue.path, issue.line, issue.message);
    }
    for (name, text, binding) in &texts {
        let mut found = fired(&report, &tree.path(name), Severity::Warning);
        // Of notes, only those that the binding is about.
        for (line, rules) in fired(&report, &tree.path(name), Severity::Note) {
            let named = rules.into_iter().filter(|rule| binding.names(rule));
            found.entry(line).or_default().extend(named);
        }
        found.retain(|_, rules| !rules.is_empty());
        wrong += &differences(name, text, &marked(text, ""), &found);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
