//! Fixes on every bad example of every rule and on all forms of the fixtures: where one is offered
//! the finding goes, the file parses, no other line is touched, and a second run changes nothing.

use std::collections::BTreeMap;

use poolscan::catalog::Catalog;
use poolscan::lint::fix::{Mended, Overlay, mend};
use poolscan::lint::{Options, Report, run};

use super::fixtures::filled_templates;
use super::linted::Tree;

fn no_judge(_: &mut Report) -> anyhow::Result<()> {
    Ok(())
}

/// Everything in the folder mended, in memory.
fn mended(tree: &Tree, select: &[String]) -> Mended {
    let options = Options {
        paths: vec![tree.path("")],
        select: select.to_vec(),
        threads: Some(2),
        ..Options::default()
    };
    let lint = |overlay: &Overlay| run(&Options { overlay: overlay.clone(), ..options.clone() });
    mend(&lint, false, &|_| true, &no_judge).unwrap()
}

/// What is wrong with the mended state, in a line each; the state is written to the folder.
fn check(tree: &Tree, mended: &Mended, select: &[String]) -> String {
    let mut wrong = String::new();
    for issue in &mended.report.issues {
        wrong += &format!("{}:{}: {}\n", issue.path, issue.line, issue.message);
    }
    for f in mended.report.findings.iter().filter(|f| f.fix.is_some()) {
        wrong += &format!("{}:{}: {} is still offered\n", f.region.path, f.region.line, f.rule);
    }
    for (shown, file) in &mended.files {
        if let Err(error) = syn::parse_file(&file.after) {
            wrong += &format!("{shown}: {error}\n");
        }
        std::fs::write(&file.path, &*file.after).unwrap();
    }
    let again = self::mended(tree, select);
    for shown in again.files.keys() {
        wrong += &format!("{shown}: a second run changes it again\n");
    }
    wrong
}

#[test]
fn every_example_of_every_rule() {
    let mut wrong = String::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for known in Catalog::embedded().rules() {
        let rule = &known.rule;
        let tree = Tree::new();
        for snippet in rule.snippets().iter().filter(|snippet| snippet.fires) {
            let name = format!("{}/{}", rule.id, snippet.label());
            tree.package(&name, snippet.deps, snippet.source);
        }
        let select = [rule.id.clone()];
        let before = tree.lint("", &[&rule.id]);
        let offered = before.findings.iter().filter(|f| f.fix.is_some()).count() as u64;
        let mended = mended(&tree, &select);
        let done = mended.rules.get(&rule.id).copied().unwrap_or(0);
        if done < offered {
            wrong += &format!("{}: {done} of {offered} are mended\n", rule.id);
        }
        if rule.fix.is_some() != (offered > 0) {
            wrong += &format!("{}: says it has a fix, and offers {offered}\n", rule.id);
        }
        counts.insert(&rule.id, offered);
        wrong += &check(&tree, &mended, &select);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(counts.values().filter(|&&count| count > 0).count() > 30, "{counts:?}");
}

#[test]
fn every_form_of_every_fixture() {
    let tree = Tree::new();
    for (name, deps, text) in filled_templates() {
        tree.package(&name, &deps, &text);
    }
    let mended = mended(&tree, &[]);
    let wrong = check(&tree, &mended, &[]);
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(mended.rules.values().sum::<u64>() > 50, "{:?}", mended.rules);
}
