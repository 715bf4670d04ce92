//! The examples of a rule as packages to be linted: one source, and the versions it assumes.

use std::collections::BTreeMap;

use super::model::Rule;

/// An example of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Snippet<'r> {
    /// Its name among the examples of the rule, such as `bad` or `good-2`.
    pub name: (&'static str, usize),
    /// Whether the rule must fire on it, or be silent.
    pub fires: bool,
    /// Versions of crates that it assumes.
    pub deps: &'r BTreeMap<String, String>,
    /// The text.
    pub source: &'r str,
}

impl Snippet<'_> {
    /// `bad`, `good`, `bad-2`: unique within the rule.
    pub fn label(&self) -> String {
        match self.name {
            (word, 0) => word.to_owned(),
            (word, number) => format!("{word}-{}", number + 1),
        }
    }

    /// Its lines without the marks, each with whether the rule must fire there.
    pub fn lines(&self) -> impl Iterator<Item = (&str, bool)> {
        self.source.trim_end().lines().map(|line| match line.split_once("//~") {
            Some((code, others)) => (code.trim_end(), others.trim().is_empty()),
            None => (line, false),
        })
    }

    /// `Found`, `Not found with redis 1.0.0`: over the text, for people. Only examples after the
    /// first say their versions.
    pub fn title(&self) -> String {
        let mut title = if self.fires { "Found" } else { "Not found" }.to_owned();
        if self.name.1 > 0 {
            let deps: Vec<_> = self.deps.iter().map(|(name, at)| format!("{name} {at}")).collect();
            title.push_str(&format!(" with {}", deps.join(", ")));
        }
        title
    }
}

impl Rule {
    /// All its examples.
    pub fn snippets(&self) -> Vec<Snippet<'_>> {
        let mut snippets = Vec::new();
        let mut add = |number, deps, bad, good| {
            for (word, fires, source) in [("bad", true, bad), ("good", false, good)] {
                if let Some(source) = source {
                    snippets.push(Snippet { name: (word, number), fires, deps, source });
                }
            }
        };
        add(0, &self.deps, Some(self.bad.as_str()), Some(self.good.as_str()));
        for (number, example) in (1..).zip(&self.examples) {
            add(number, &example.deps, example.bad.as_deref(), example.good.as_deref());
        }
        snippets
    }
}
