//! The pages of docs/ that are written from data are current; `POOLSCAN_WRITE=1` writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use poolscan::catalog::Catalog;
use poolscan::catalog::model::Rule;
use poolscan::report::lint::{Described, Page, pages};

use super::cases::{Row, Table, articles, defaults, mechanisms};

/// Compares a page with its file, or writes it.
fn current(path: &Path, text: &str) {
    if std::env::var_os("POOLSCAN_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let how = "run `POOLSCAN_WRITE=1 cargo test --test it pages` to write it again";
    assert!(there == text, "{} is not current: {how}", path.display());
}

/// The part of docs/fixes.md that is written from the rules.
const FIXES: &str = "## By rule\n";

/// How each rule is mended, and which are not.
fn fixes() -> String {
    let mut out = format!("{FIXES}\n| rule | shape | |\n|---|---|---|\n");
    let mut without = Vec::new();
    for known in Catalog::embedded().rules() {
        let id = known.rule.id.clone();
        let Some(fix) = &known.rule.fix else {
            without.push(id);
            continue;
        };
        let safe = if fix.safe { "safe" } else { "unsafe" };
        let shape = serde_json::to_value(fix.edit).unwrap();
        let _ = writeln!(out, "| {} | {} | {safe} |", links(&[id]), shape.as_str().unwrap());
    }
    let _ = writeln!(
        out,
        "\nA fix is offered only where its shape fits: the call is part of a chain, the guard has a \
         name and is not used later, the package depends on the crate under its own name.\n\n\
         ## Rules without a fix\n\nWhat is right there depends on what the program is for, or takes \
         more than one place.\n\n{}",
        links(&without)
    );
    out
}

#[test]
fn the_page_about_fixes_is_current() {
    let path = docs().join("fixes.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once(FIXES).unwrap();
    current(&path, &format!("{before}{}", fixes()));
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// The names of rules as links to their pages.
fn links(rules: &[String]) -> String {
    let link = |id: &String| {
        let catalog = Catalog::embedded();
        let known = catalog.rule(catalog.rule_named(id).unwrap_or_else(|| panic!("rule {id}")));
        format!("[`{id}`](rules/{}.md#{id})", known.family)
    };
    rules.iter().map(link).collect::<Vec<_>>().join(", ")
}

fn head(title: &str, file: &str, what: &str) -> String {
    format!(
        "# {title}\n\n{what}\nWritten from [fixtures/cases/{file}](../fixtures/cases/{file}), which \
         has an example for each row; a test lints them all.\n\n"
    )
}

/// A sentence behind the rules of a row.
fn note(row: &Row) -> String {
    if row.note.is_empty() { String::new() } else { format!(". {}", row.note) }
}

fn articles_page(table: &Table) -> String {
    let mut text = head(
        "Failures of five articles, and the rules that find them",
        "articles.toml",
        "Five articles on leaking services, mostly in Go and Java, tell of these failures. \
         Rust makes some of them impossible; the row then says what is left.",
    );
    for (short, title) in &table.articles {
        writeln!(text, "- {short}: {title}").unwrap();
    }
    text.push_str("\n| failure | in | found by |\n|---|---|---|\n");
    for row in &table.rows {
        let (articles, rules) = (row.articles.join(", "), links(&row.rules));
        writeln!(text, "| {} | {articles} | {rules}{} |", row.failure, note(row)).unwrap();
    }
    let mut by_rule: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    for row in &table.rows {
        for rule in &row.rules {
            by_rule.entry(rule).or_default().push(&row.failure);
        }
    }
    text.push_str("\n## By rule\n\n| rule | failures |\n|---|---|\n");
    for (rule, failures) in by_rule {
        let rule = links(std::slice::from_ref(rule));
        writeln!(text, "| {rule} | {} |", failures.join("; ")).unwrap();
    }
    text
}

fn defaults_page(table: &Table) -> String {
    let mut text = head(
        "Thirty dangerous defaults, and the rules that find them",
        "defaults.toml",
        "What these crates do when nobody says otherwise. The versions in Cargo.lock decide \
         whether a line is reported.",
    );
    text.push_str("| # | default | crates and versions | found by |\n|---|---|---|---|\n");
    for (number, row) in (1..).zip(&table.rows) {
        let rules = links(&row.rules);
        let Row { failure, versions, .. } = row;
        writeln!(text, "| {number} | {failure} | {versions} | {rules}{} |", note(row)).unwrap();
    }
    text
}

fn mechanisms_page(table: &Table) -> String {
    let mut text = head(
        "Mechanisms by which asynchronous services leak, and the rules that find them",
        "mechanisms.toml",
        "Ranked by how often people report them in issues. Not found in source: cycles of Arc, futures \
         that are kept unpolled while they hold a lock, and labels of metrics without a limit.",
    );
    text.push_str("| mechanism | found by |\n|---|---|\n");
    for row in &table.rows {
        writeln!(text, "| {} | {}{} |", row.failure, links(&row.rules), note(row)).unwrap();
    }
    text
}

#[test]
fn the_pages_about_rules_are_current() {
    let catalog = Catalog::embedded();
    let known = |rule: &Rule| -> BTreeSet<String> {
        catalog.packages_of(rule).into_iter().map(str::to_owned).collect()
    };
    let rules = catalog.rules().iter();
    let rules: Vec<Described<'_>> =
        rules.map(|known| Described { family: &known.family, rule: &known.rule }).collect();
    let folder = docs().join("rules");
    let pages = pages(&rules, &known);
    for Page { name, text } in &pages {
        current(&folder.join(name), text);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(pages.iter().any(|page| page.name == name), "docs/rules/{name} is about no rule");
    }
}

#[test]
fn the_tables_of_cases_are_current() {
    current(&docs().join("articles.md"), &articles_page(&articles()));
    current(&docs().join("mechanisms.md"), &mechanisms_page(&mechanisms()));
    let defaults = defaults();
    assert_eq!(defaults.rows.len(), 30);
    current(&docs().join("defaults.md"), &defaults_page(&defaults));
}
