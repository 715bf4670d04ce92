//! The tables of cases under fixtures/cases: each row names rules, and its examples show them.

use std::collections::{BTreeMap, BTreeSet};

use poolscan::catalog::Catalog;
use poolscan::finding::Severity;
use serde::Deserialize;

use super::linted::{Fired, Tree, differences, fired, marked};

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// Short names of where rows come from, with what they are.
    #[serde(default)]
    pub(crate) articles: BTreeMap<String, String>,
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
}

/// A way to fail, and what finds it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What goes wrong, in one sentence without a full stop.
    pub(crate) failure: String,
    #[serde(default)]
    pub(crate) articles: Vec<String>,
    /// Crates and versions for which it holds, in words.
    #[serde(default)]
    pub(crate) versions: String,
    /// Every rule must fire on an example of the row.
    pub(crate) rules: Vec<String>,
    /// What must be known to understand the row.
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) deps: BTreeMap<String, String>,
    /// Source in which the rules fire on the marked lines.
    pub(crate) bad: String,
    /// Versions with which the same source is fine.
    #[serde(default)]
    pub(crate) fine_with: BTreeMap<String, String>,
    /// Source in which they are silent.
    pub(crate) good: Option<String>,
    #[serde(default)]
    pub(crate) more: Vec<More>,
}

/// One more example of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct More {
    #[serde(default)]
    pub(crate) deps: BTreeMap<String, String>,
    pub(crate) bad: Option<String>,
    pub(crate) good: Option<String>,
}

pub(crate) fn articles() -> Table {
    toml::from_str(include_str!("../../fixtures/cases/articles.toml")).unwrap()
}

pub(crate) fn defaults() -> Table {
    toml::from_str(include_str!("../../fixtures/cases/defaults.toml")).unwrap()
}

pub(crate) fn mechanisms() -> Table {
    toml::from_str(include_str!("../../fixtures/cases/mechanisms.toml")).unwrap()
}

/// A package to be linted, and what must be found in it.
struct Sample<'t> {
    name: String,
    source: &'t str,
    expected: Fired,
    about: &'t [String],
}

/// Writes the examples of a table, one package each.
fn samples<'t>(table: &'t Table, tree: &Tree) -> Vec<Sample<'t>> {
    let mut samples = Vec::new();
    for (number, row) in (1..).zip(&table.rows) {
        let about = row.rules.as_slice();
        let mut add = |which: &str, deps: &BTreeMap<String, String>, source: &'t str, fires| {
            let name = format!("row{number}/{which}");
            tree.package(&name, deps, source);
            let expected = if fires { marked(source, &row.rules[0]) } else { Fired::new() };
            samples.push(Sample { name, source, expected, about });
        };
        add("bad", &row.deps, &row.bad, true);
        if !row.fine_with.is_empty() {
            let mut deps = row.deps.clone();
            deps.extend(row.fine_with.clone());
            add("fine", &deps, &row.bad, false);
        }
        if let Some(good) = &row.good {
            add("good", &row.deps, good, false);
        }
        for (at, more) in (1..).zip(&row.more) {
            for (which, source, fires) in [("bad", &more.bad, true), ("good", &more.good, false)] {
                if let Some(source) = source {
                    add(&format!("{which}{at}"), &more.deps, source, fires);
                }
            }
        }
    }
    samples
}

/// Everything in which the examples differ from what their rows say.
fn wrong(table: &Table) -> String {
    let tree = Tree::new();
    let samples = samples(table, &tree);
    let report = tree.lint("", &[]);
    let mut wrong = String::new();
    for sample in &samples {
        let path = tree.path(&sample.name);
        let warned = fired(&report, &path, Severity::Warning);
        let mut found = fired(&report, &path, Severity::Note);
        for (line, rules) in &mut found {
            // Notes of rules that the row is not about are nobody's business here.
            rules.retain(|rule| {
                let marked = sample.expected.get(line).is_some_and(|rules| rules.contains(rule));
                let warns = warned.get(line).is_some_and(|rules| rules.contains(rule));
                marked || sample.about.contains(rule) || warns && !sample.expected.is_empty()
            });
        }
        wrong += &differences(&sample.name, sample.source, &sample.expected, &found);
    }
    for (number, row) in (1..).zip(&table.rows) {
        let prefix = format!("row{number}/");
        let of_row = samples.iter().filter(|sample| sample.name.starts_with(&prefix));
        let shown: BTreeSet<&String> =
            of_row.flat_map(|sample| sample.expected.values().flatten()).collect();
        for rule in &row.rules {
            if Catalog::embedded().rule_named(rule).is_none() {
                wrong += &format!("{prefix} no rule is called {rule}\n");
            }
            if !shown.contains(rule) {
                wrong += &format!("{prefix} no example shows {rule}\n");
            }
        }
        for article in &row.articles {
            if !table.articles.contains_key(article) {
                wrong += &format!("{prefix} no article is called {article}\n");
            }
        }
    }
    wrong
}

#[test]
fn every_failure_of_the_articles_is_found() {
    let wrong = wrong(&articles());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_dangerous_default_is_found_where_it_holds() {
    let wrong = wrong(&defaults());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_reported_mechanism_is_found() {
    let wrong = wrong(&mechanisms());
    assert!(wrong.is_empty(), "\n{wrong}");
}
