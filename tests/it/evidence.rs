//! Findings that were seen to leak in production: `lint --evidence` with a document of `watch`.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::linted::Tree;

/// Forgets a file that it opened a line before, in a method; and one in a function of its own.
const SOURCE: &str = "use std::fs::File;\n\npub struct Store;\n\nimpl Store {\n    \
    pub fn keep(&self) {\n        let file = File::open(\"/dev/null\").unwrap();\n        \
    std::mem::forget(file);\n    }\n}\n\npub fn other() {\n    \
    std::mem::forget(File::open(\"/dev/null\").unwrap());\n}\n";
const MANIFEST: &str = "[package]\nname = \"my-store\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

fn tree(evidence: &Value) -> Tree {
    let tree = Tree::new();
    tree.write("Cargo.toml", MANIFEST);
    tree.write("src/lib.rs", SOURCE);
    tree.write("watch.json", evidence.to_string());
    tree
}

/// A document of `watch` in which a group with this verdict was opened there.
fn watched(verdict: &str, opener: Value) -> Value {
    let resource =
        json!({ "group": ["file", "/dev/null"], "verdict": verdict, "openers": [opener] });
    let target = json!({ "target": { "name": "store" }, "resources": [resource] });
    json!({ "schema": "poolscan.watch/1", "targets": [target] })
}

fn keep() -> Value {
    json!({
        "function": "<my_store::Store>::keep",
        "file": "/build/store/src/lib.rs",
        "line": 7,
        "through": null,
        "certain": true,
        "survivors": 12,
    })
}

fn lint(tree: &Tree, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.current_dir(tree.path("")).args(["lint", "--no-config", "--no-cache", "--notes"]);
    command.args(["--evidence", "watch.json"]).args(more).output().unwrap()
}

/// Severity and evidence of the finding in a function.
fn found(evidence: &Value, function: &str) -> (String, Value) {
    let output = lint(&tree(evidence), &["--format", "json", "--select", "handle-forgotten"]);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = document["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["function"] == function).unwrap();
    (finding["severity"].as_str().unwrap().to_owned(), finding["evidence"].clone())
}

#[test]
fn what_was_seen_to_leak_is_one_step_worse_and_says_so() {
    let (severity, evidence) = found(&watched("leaking", keep()), "Store::keep");
    assert_eq!((severity.as_str(), &evidence[0]["relation"]), ("error", &json!("function")));
    assert_eq!((&evidence[0]["survivors"], &evidence[0]["target"]), (&json!(12), &json!("store")));
    let (severity, evidence) = found(&watched("leaking", keep()), "other");
    assert_eq!((severity.as_str(), evidence), ("warning", json!([])));
}

#[test]
fn what_is_not_certain_or_only_suspected_raises_nothing() {
    let mut unsure = keep();
    unsure["certain"] = json!(false);
    let (severity, evidence) = found(&watched("leaking", unsure), "Store::keep");
    assert_eq!((severity.as_str(), evidence.as_array().unwrap().len()), ("warning", 1));
    let (severity, evidence) = found(&watched("suspect", keep()), "Store::keep");
    assert_eq!((severity.as_str(), evidence), ("warning", json!([])));
    let mut pooled = keep();
    pooled["through"] = json!("some pool");
    assert_eq!(found(&watched("leaking", pooled), "Store::keep").0, "warning");
}

#[test]
fn tools_are_told_of_it() {
    let output = lint(&tree(&watched("leaking", keep())), &["--format", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let seen = results.iter().find(|r| r["properties"]["evidence"].is_array()).unwrap();
    assert_eq!(seen["level"], "error");
    let said = seen["relatedLocations"][0]["message"]["text"].as_str().unwrap();
    assert!(said.starts_with("seen leaking in store: 12 of file > /dev/null"), "{said}");
    let human = lint(&tree(&watched("leaking", keep())), &[]);
    assert!(String::from_utf8_lossy(&human.stdout).contains("seen leaking in store"));
}

#[test]
fn evidence_that_is_none_is_refused() {
    for wrong in [json!({}), json!([]), json!({ "schema": "poolscan.lint/1" }), json!("\u{1b}[31m")]
    {
        let output = lint(&tree(&wrong), &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(said.contains("the evidence `watch.json`") && !said.contains('\u{1b}'), "{said}");
    }
}
