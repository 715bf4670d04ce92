//! The log against the official schema, and the parts that tools rely on.

use serde_json::Value;

use super::super::explain::Described;
use super::super::explain::tests::rule;
use super::super::samples;
use super::{Base, sarif};
use crate::catalog::Catalog;
use crate::finding::LintFinding;
use crate::lint::Report;

fn written(report: &Report) -> Value {
    let rule = rule();
    let rules = [Described { family: "process", rule: &rule }];
    let mut out = Vec::new();
    sarif(report, &rules, &Base::new("/r/sub", "/r"), &mut out).expect("written");
    serde_json::from_slice(&out).expect("JSON")
}

/// What is wrong by the schema of OASIS.
fn complaints(log: &Value) -> Vec<String> {
    let text = include_str!("../../../../fixtures/sarif/sarif-schema-2.1.0.json");
    let mut schema: Value = serde_json::from_str(text).expect("JSON");
    // A pattern with a stray bracket, of fields that are not written: no regular expression.
    for holder in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][holder]["properties"]["language"];
        let pattern = language.as_object_mut().and_then(|field| field.remove("pattern"));
        assert!(pattern.is_some_and(|pattern| pattern.to_string().contains("}]?$")));
    }
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema is one");
    validator.iter_errors(log).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn the_official_schema_accepts_it() {
    for report in [samples::full(), Report::default()] {
        assert_eq!(complaints(&written(&report)), Vec::<String>::new());
    }
    // Against a validator that accepts everything.
    let mut wrong = written(&samples::full());
    wrong["runs"][0]["results"][0]["level"] = "loud".into();
    wrong["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"]["startLine"] =
        0.into();
    wrong["runs"][0]["extra"] = 1.into();
    assert_eq!(complaints(&wrong).len(), 3);
}

#[test]
fn every_rule_is_accepted() {
    let all: Vec<Described<'_>> = Catalog::embedded()
        .rules()
        .iter()
        .map(|known| Described { family: &known.family, rule: &known.rule })
        .collect();
    let template = samples::full().findings.remove(0);
    let of_rule =
        |known: &Described<'_>| LintFinding { rule: known.rule.id.clone(), ..template.clone() };
    let report = Report { findings: all.iter().map(of_rule).collect(), ..Report::default() };
    let mut out = Vec::new();
    sarif(&report, &all, &Base::new("/", "/"), &mut out).expect("written");
    let log: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(complaints(&log), Vec::<String>::new());
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), all.len());
    assert!(!log.to_string().contains("//~"));
}

#[test]
fn what_tools_rely_on() {
    let log = written(&samples::full());
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rule = &run["tool"]["driver"]["rules"][0];
    assert_eq!(rule["helpUri"], "https://example.org/a");
    assert!(rule["help"]["markdown"].as_str().is_some_and(|text| text.contains("```rust")));
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["ruleIndex"]), (&rule["id"], &0.into()));
    assert_eq!(result["fingerprints"]["poolscan/v1"], "72f12db904d70f6c");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "sub/src/start.rs");
    assert_eq!(place["artifactLocation"]["uriBaseId"], "%SRCROOT%");
    assert_eq!(place["region"]["startColumn"], 17);
    let flow = &result["codeFlows"][0]["threadFlows"][0]["locations"];
    let line = |at: usize| &flow[at]["location"]["physicalLocation"]["region"]["startLine"];
    assert_eq!((line(0), line(1)), (&4.into(), &6.into()));
    assert_eq!(result["relatedLocations"][0]["message"]["text"], "waited for here");
    let issues = run["invocations"][0]["toolExecutionNotifications"].as_array().expect("issues");
    assert_eq!(issues.len(), 2);
}
