//! What is followed through lists, macros, traits, twins and renamed imports: annotated packages.

use std::collections::BTreeMap;
use std::path::Path;

use poolscan::finding::Severity;

use super::linted::{Tree, differences, fired, marked};

#[test]
fn every_annotated_package() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lint/followed");
    let tree = Tree::new();
    let mut packages = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = format!("followed/{}", path.file_stem().unwrap().to_str().unwrap());
        let heads: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("//# "))
            .flat_map(|l| [l, "\n"])
            .collect();
        let deps: BTreeMap<String, String> = toml::from_str(&heads).unwrap();
        tree.package(&name, &deps, &text);
        packages.push((name, text));
    }
    packages.sort();
    let report = tree.lint("", &[]);
    let mut wrong = String::new();
    for (name, text) in &packages {
        let marks = marked(text, "");
        // Of notes only those that are marked somewhere in the package.
        let mut found = fired(&report, &tree.path(name), Severity::Note);
        let warned = fired(&report, &tree.path(name), Severity::Warning);
        let known: Vec<_> = marks.values().flatten().collect();
        for (line, rules) in &mut found {
            let warned = warned.get(line);
            rules.retain(|rule| {
                known.contains(&rule) || warned.is_some_and(|rules| rules.contains(rule))
            });
        }
        found.retain(|_, rules| !rules.is_empty());
        wrong += &differences(name, text, &marks, &found);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
