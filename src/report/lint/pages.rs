//! Pages of documentation about rules in Markdown: one a family, and an index.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::explain::{Described, allowed_by, filled, severity, status};
use crate::catalog::Snippet;
use crate::catalog::model::Rule;

/// A file of documentation: its name and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Name of the file.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The pages about some rules; `packages` tells the crates whose facts a rule reacts to.
pub fn pages(list: &[Described<'_>], packages: &dyn Fn(&Rule) -> BTreeSet<String>) -> Vec<Page> {
    let mut families: BTreeMap<&str, Vec<Described<'_>>> = BTreeMap::new();
    for described in list {
        families.entry(described.family).or_default().push(*described);
    }
    let mut pages = vec![Page { name: "README.md".to_owned(), text: index(&families, packages) }];
    pages.extend(families.iter().map(|(family, rules)| {
        let mut text = format!("# Rules: {family}\n\n{ORIGIN}\n");
        for described in rules {
            text.push_str(&section(described.rule, &packages(described.rule)));
        }
        Page { name: format!("{family}.md"), text }
    }));
    pages
}

/// Where the pages come from.
const ORIGIN: &str =
    "Written by `poolscan rules --markdown DIR` from the rules themselves; do not edit.";

/// Lists all rules by family, and their names by crate.
fn index(
    families: &BTreeMap<&str, Vec<Described<'_>>>,
    packages: &dyn Fn(&Rule) -> BTreeSet<String>,
) -> String {
    let count: usize = families.values().map(Vec::len).sum();
    let mut text =
        format!("# Rules\n\n{ORIGIN}\n\n{count} rules in {} families.\n", families.len());
    let mut by_package: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (family, rules) in families {
        let _ = write!(text, "\n## {family}\n\n| rule | finds | severity |\n|---|---|---|\n");
        for Described { rule, .. } in rules {
            let link = format!("[`{id}`]({family}.md#{id})", id = rule.id);
            let summary = cell(&filled(&rule.summary));
            let _ = writeln!(text, "| {link} | {summary} | {} |", severity(rule));
            for package in packages(rule) {
                by_package.entry(package).or_default().push(link.clone());
            }
        }
    }
    text.push_str("\n## By crate\n\n| crate | rules |\n|---|---|\n");
    for (package, links) in by_package {
        let _ = writeln!(text, "| {package} | {} |", links.join(", "));
    }
    text
}

/// Everything about one rule, and the crates whose facts it reacts to.
#[must_use]
pub fn section(rule: &Rule, packages: &BTreeSet<String>) -> String {
    let mut text = format!("\n## {}\n\n{}.\n", rule.id, filled(&rule.summary));
    let mut facts = format!("{}, {}, since {}", severity(rule), status(rule), rule.since);
    if !rule.aliases.is_empty() {
        let _ = write!(facts, ", also called {}", rule.aliases.join(", "));
    }
    if !rule.clippy.is_empty() {
        let _ = write!(facts, ", {}", allowed_by(rule));
    }
    let _ = write!(text, "\n*{facts}*\n\n{}\n", rule.why.trim());
    let _ = write!(text, "\n**Instead:** {}.\n", rule.help);
    let _ = write!(text, "\n**Limits:** {}\n", rule.limits.trim());
    if !packages.is_empty() {
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let _ = write!(text, "\n**Crates:** {}\n", packages.join(", "));
    }
    for reference in &rule.references {
        let _ = write!(text, "\n- <{reference}>");
    }
    if !rule.references.is_empty() {
        text.push('\n');
    }
    for snippet in rule.snippets() {
        text.push_str(&code(&snippet));
    }
    text
}

/// An example, with what it depends on.
fn code(snippet: &Snippet<'_>) -> String {
    let lines = snippet.lines().map(|(code, marked)| match marked {
        true => format!("{code} // found\n"),
        false => format!("{code}\n"),
    });
    let source: String = lines.collect();
    // A fence that the text cannot close.
    let longest = source.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("\n{}:\n\n{fence}rust\n{source}{fence}\n", snippet.title())
}

/// Text that fits into a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
