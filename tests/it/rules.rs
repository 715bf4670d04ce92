//! The examples of the rules: `bad` fires on its marked lines and nowhere else, `good` nowhere.

use poolscan::catalog::Catalog;
use poolscan::finding::Severity;
use poolscan::lint::example::only;

use super::linted::{Tree, differences, fired, marked};

/// One package for each example.
fn examples() -> Tree {
    let tree = Tree::new();
    for known in Catalog::embedded().rules() {
        for snippet in known.rule.snippets() {
            let name = format!("{}/{}", known.rule.id, snippet.label());
            tree.package(&name, snippet.deps, snippet.source);
        }
    }
    tree
}

#[test]
fn each_rule_alone_fires_where_its_examples_say() {
    let tree = examples();
    let mut wrong = String::new();
    for known in Catalog::embedded().rules() {
        let rule = &known.rule;
        let report = tree.lint(&rule.id, &[&rule.id]);
        for snippet in rule.snippets() {
            let name = format!("{}/{}", rule.id, snippet.label());
            let found = fired(&report, &tree.path(&name), Severity::Note);
            let expected = only(marked(snippet.source, &rule.id), &rule.id);
            wrong += &differences(&name, snippet.source, &expected, &found);
        }
        for issue in &report.issues {
            wrong += &format!("{}:{}: {}\n", issue.path, issue.line, issue.message);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_rule_fires_on_the_cure_of_another() {
    let tree = examples();
    let report = tree.lint("", &[]);
    let mut wrong = String::new();
    for known in Catalog::embedded().rules() {
        let rule = &known.rule;
        for snippet in rule.snippets().iter().filter(|snippet| !snippet.fires) {
            let name = format!("{}/{}", rule.id, snippet.label());
            let found = fired(&report, &tree.path(&name), Severity::Warning);
            let expected = marked(snippet.source, &rule.id);
            wrong += &differences(&name, snippet.source, &expected, &found);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
