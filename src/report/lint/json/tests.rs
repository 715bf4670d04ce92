//! Every field of the document, declared a second time: a change of any of them fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::super::samples;
use super::json;
use crate::lint::Report;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Document {
    schema: String,
    tool: Tool,
    findings: Vec<Finding>,
    issues: Vec<Issue>,
    why: Vec<String>,
    summary: Summary,
    #[serde(deserialize_with = "Option::deserialize")]
    stats: Option<Stats>,
    skipped: Vec<Skipped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Skipped {
    path: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Tool {
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Finding {
    rule: String,
    family: String,
    severity: String,
    confidence: String,
    path: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    function: String,
    message: String,
    help: String,
    related: Vec<Related>,
    fingerprint: String,
    package: String,
    module: String,
    fixes: Vec<Fix>,
    evidence: Vec<Seen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Seen {
    relation: String,
    target: String,
    group: String,
    place: String,
    survivors: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Fix {
    applicability: String,
    title: String,
    edits: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Edit {
    path: String,
    start_byte: u32,
    end_byte: u32,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Related {
    path: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    label: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Issue {
    path: String,
    #[serde(deserialize_with = "Option::deserialize")]
    line: Option<u32>,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Summary {
    errors: u64,
    warnings: u64,
    notes: u64,
    suppressed: u64,
    issues: u64,
    files: u64,
    lines: u64,
    in_baseline: u64,
    unchanged: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Stats {
    packages: u64,
    functions: u64,
    candidates: BTreeMap<String, u64>,
    skipped_files: BTreeMap<String, u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    elapsed_seconds: Option<f64>,
    cpu_seconds: BTreeMap<String, Option<f64>>,
}

fn written(report: &Report, elapsed: Option<Duration>) -> String {
    let mut out = Vec::new();
    json(report, elapsed, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

const ELAPSED: Option<Duration> = Some(Duration::from_millis(310));

#[test]
fn fields_are_frozen() {
    for (report, elapsed) in [(samples::full(), ELAPSED), (Report::default(), None)] {
        let text = written(&report, elapsed);
        let document: Document = serde_json::from_str(&text).expect("known fields");
        assert_eq!(document.schema, "poolscan.lint/1");
        assert_eq!(document.findings.len(), report.findings.len());
        assert_eq!(document.stats.is_some(), elapsed.is_some());
    }
}

#[test]
fn the_example_is_frozen() {
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    let example = include_str!("../../../../fixtures/json/lint-full.json")
        .replace("\"version\": \"0.1.0\"", version);
    assert_eq!(written(&samples::full(), ELAPSED), example);
}

/// Keys of objects whose keys are names, not fields.
const MAPS: [&str; 3] = ["candidates", "skipped_files", "cpu_seconds"];

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                into.insert(key.clone());
                if !MAPS.contains(&key.as_str()) {
                    keys(inner, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| keys(v, into)),
        _ => {}
    }
}

/// Properties of the schema; each of them must be required, too.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    if let Some(map) = schema.get("properties").and_then(Value::as_object) {
        let required = schema["required"].as_array().expect("a list of what is required");
        assert!(map.keys().all(|key| required.contains(&Value::from(key.as_str()))), "{map:?}");
        into.extend(map.keys().cloned());
    }
    if let Some(map) = schema.get("$defs").and_then(Value::as_object) {
        map.values().for_each(|d| properties(d, into));
    }
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    let schema = serde_json::from_str(include_str!("../../../../docs/schema/lint.schema.json"))
        .expect("JSON");
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    properties(&schema, &mut known);
    let document = serde_json::from_str(&written(&samples::full(), ELAPSED)).expect("JSON");
    keys(&document, &mut used);
    assert_eq!(used, known);
}
