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
        // A part of the message that nothing was put in for.
        let gaps = ["  ", " ,", " :", "{"];
        let with_gap = |text: &String| gaps.iter().any(|gap| text.contains(gap));
        for message in report.findings.iter().map(|of| &of.message).filter(|of| with_gap(of)) {
            wrong += &format!("{}: {message}\n", rule.id);
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

#[test]
fn no_rule_stands_above_its_tier_unless_the_page_says_so() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/precision.md");
    let page = std::fs::read_to_string(page).unwrap();
    let part = page.split_once("\n## By rule\n").expect("a table by rule").1;
    let part = part.split("\n## ").next().unwrap_or_default();
    let (mut seen, mut above) = (0, Vec::new());
    for line in part.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, severity, counts @ ..] = cells.as_slice() else { panic!("{line}") };
        let id = id.trim_matches('`');
        let known = Catalog::embedded().rules().iter().find(|known| known.rule.id == id);
        let known = known.unwrap_or_else(|| panic!("there is no rule {id}"));
        assert_eq!(format!("{:?}", known.rule.severity).to_lowercase(), *severity, "{id}");
        let counts: Vec<u32> = counts.iter().map(|count| count.parse().unwrap()).collect();
        let [right, lean_right, lean_wrong, wrong] = counts.as_slice() else { panic!("{line}") };
        // A warning is right nine times in ten.
        if *severity != "note" && right + lean_right < 9 * (lean_wrong + wrong) {
            above.push(id);
        }
        seen += 1;
    }
    assert!(seen > 20, "the table has {seen} rules");
    let said = part.lines().find(|line| line.starts_with("Below 90 %")).unwrap_or_default();
    let mut said: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    said.sort_unstable();
    above.sort_unstable();
    assert_eq!(above, said);
}
