//! Every field of the documents, declared a second time: a change of any of them fails here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{
    DiagnosisChange, FindingChange, document, io, json, ndjson_change, ndjson_diagnosis,
    ndjson_summary,
};
use crate::finding::Verdict;
use crate::live::facts::TargetId;
use crate::live::outcome::ChangeKind;
use crate::report::samples;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Document {
    schema: String,
    tool: Tool,
    verdict: String,
    #[serde(deserialize_with = "Option::deserialize")]
    started: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    now_seconds: Option<f64>,
    scale: Scale,
    cost: Cost,
    late_facts: u64,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Scale {
    #[serde(deserialize_with = "Option::deserialize")]
    lifetime_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    bucket_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    age_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    start_up_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    shortest_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Cost {
    cpu_us: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    cpu_share: Option<f64>,
    identity_beats: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    beat_seconds: Option<f64>,
    evictions: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Target {
    target: TargetName,
    verdict: String,
    resources: Vec<Resource>,
    diagnoses: Vec<Diagnosis>,
    sources: Vec<Source>,
    limits: Vec<Limit>,
    pools: Vec<Pool>,
    gauges: BTreeMap<String, Option<f64>>,
    connections: Vec<Connections>,
    failed_calls: Vec<FailedCall>,
    processes: Vec<Process>,
    lifecycle: Vec<Event>,
    #[serde(deserialize_with = "Option::deserialize")]
    ended_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct FailedCall {
    #[serde(deserialize_with = "Option::deserialize")]
    failed_seconds: Option<f64>,
    error: String,
    pid: u32,
    #[serde(deserialize_with = "Option::deserialize")]
    call: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    function: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    file: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    line: Option<u32>,
    #[serde(deserialize_with = "Option::deserialize")]
    module: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    through: Option<String>,
    certain: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    unknown: Option<String>,
    stack: String,
    #[serde(deserialize_with = "Option::deserialize")]
    held: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    limit: Option<u64>,
    groups: Vec<HeldGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct HeldGroup {
    group: Vec<String>,
    count: u64,
    sites: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Connections {
    role: String,
    peer: String,
    active: u64,
    opened: u64,
    closed: u64,
    lower_bound: bool,
    lives: Vec<Lives>,
    #[serde(deserialize_with = "Option::deserialize")]
    estimate: Option<Estimate>,
    #[serde(deserialize_with = "Option::deserialize")]
    traced: Option<Traced>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Lives {
    #[serde(deserialize_with = "Option::deserialize")]
    from_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    to_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    count: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    not_seen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Estimate {
    label: String,
    #[serde(deserialize_with = "Option::deserialize")]
    opened: Option<f64>,
    opened_low: u64,
    opened_high: u64,
    rests_on: Vec<String>,
    includes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Traced {
    opened: u64,
    opened_high: u64,
    closed: u64,
    failed: u64,
    lives: Vec<Lives>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct TargetName {
    id: u32,
    name: String,
    pids: Vec<u32>,
    command: String,
    selector: String,
    #[serde(deserialize_with = "Option::deserialize")]
    uptime_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Resource {
    id: String,
    resource: String,
    #[serde(deserialize_with = "Option::deserialize")]
    kind: Option<String>,
    group: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    now: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    limit: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    limit_name: Option<String>,
    level: String,
    opened: u64,
    closed: u64,
    lower_bound: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    per_minute: Option<Rate>,
    #[serde(deserialize_with = "Option::deserialize")]
    seconds_to_limit: Option<TimeToLimit>,
    #[serde(deserialize_with = "Option::deserialize")]
    detectable_per_minute: Option<f64>,
    conclusive: bool,
    missing: String,
    verdict: String,
    confidence: String,
    #[serde(deserialize_with = "Option::deserialize")]
    since_seconds: Option<f64>,
    evidence: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    report: Option<Report>,
    next_steps: Vec<String>,
    examples: Vec<String>,
    sites: Vec<String>,
    history: Vec<Option<f64>>,
    together: Vec<Together>,
    #[serde(deserialize_with = "Option::deserialize")]
    part_of: Option<String>,
    openers: Vec<Opener>,
    #[serde(deserialize_with = "Option::deserialize")]
    traced: Option<TracedOpeners>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Opener {
    #[serde(deserialize_with = "Option::deserialize")]
    function: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    file: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    line: Option<u32>,
    #[serde(deserialize_with = "Option::deserialize")]
    module: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    through: Option<String>,
    lint_families: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    call: Option<String>,
    certain: bool,
    openings: u64,
    survivors: u64,
    promoted: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    share: Option<f64>,
    stack: String,
    #[serde(deserialize_with = "Option::deserialize")]
    source_line: Option<String>,
    static_findings: Vec<StaticFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct StaticFinding {
    relation: String,
    rule: String,
    family: String,
    severity: String,
    confidence: String,
    path: String,
    line: u32,
    function: String,
    message: String,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct TracedOpeners {
    #[serde(deserialize_with = "Option::deserialize")]
    age_seconds: Option<f64>,
    survivors: u64,
    promoted: u64,
    unknown: Vec<UnknownOpener>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct UnknownOpener {
    reason: String,
    promoted: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Together {
    id: String,
    births: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    apart: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    chance: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Rate {
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    low: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    high: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct TimeToLimit {
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    earliest: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    latest: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Report {
    clock: String,
    #[serde(deserialize_with = "Option::deserialize")]
    age_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    ln_e_surv: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    ln_e_growth: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    p_anytime: Option<f64>,
    survivors: u64,
    generations: u32,
    #[serde(deserialize_with = "Option::deserialize")]
    span_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    oldest_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    closed_after_age: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    alpha_hat: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    later_half: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    stock_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    never_closed_share: Option<f64>,
    pre_alive: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Diagnosis {
    id: String,
    rule: String,
    severity: String,
    message: String,
    next_steps: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    kind: Option<String>,
    group: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    count: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    held_seconds: Option<f64>,
    examples: Vec<String>,
    lint_rules: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Source {
    name: String,
    status: String,
    reason: String,
    cost_us: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct ChangeLine {
    r#type: String,
    #[serde(deserialize_with = "Option::deserialize")]
    at_seconds: Option<f64>,
    target: u32,
    before: String,
    resource: Resource,
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
struct Pool {
    name: String,
    level: String,
    #[serde(deserialize_with = "Option::deserialize")]
    in_use: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    idle: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    max: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    peak: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    waiting: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    waiting_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    waits: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    wait_total_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    timeouts: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    waiters_per_minute: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    per_second: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    hold_seconds: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    need: Option<Need>,
    #[serde(deserialize_with = "Option::deserialize")]
    watched_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Need {
    #[serde(deserialize_with = "Option::deserialize")]
    low: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    high: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Limit {
    name: String,
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<u64>,
    unlimited: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    used: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    per_minute: Option<f64>,
    #[serde(deserialize_with = "Option::deserialize")]
    seconds_to_limit: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Process {
    pid: u32,
    gauges: BTreeMap<String, Option<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Event {
    #[serde(deserialize_with = "Option::deserialize")]
    at_seconds: Option<f64>,
    pid: u32,
    event: String,
}

fn written(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

fn change() -> FindingChange {
    FindingChange {
        at: 300_000,
        target: TargetId(1),
        what: ChangeKind::Opened,
        resource: samples::leak(),
        before: Verdict::Suspect,
    }
}

fn diagnosis() -> DiagnosisChange {
    let diagnosis = samples::full().targets.remove(0).diagnoses.remove(0);
    DiagnosisChange { at: 300_000, target: TargetId(1), what: ChangeKind::Cleared, diagnosis }
}

#[test]
fn fields_are_frozen() {
    for outcome in [samples::full(), samples::empty()] {
        let text = written(|out| json(&outcome, "watch", out));
        let document: Document = serde_json::from_str(&text).expect("known fields");
        assert_eq!(document.schema, "poolscan.watch/1");
        assert!(!text.contains('\x1b'));
    }
    let line = written(|out| ndjson_change(&change(), out));
    let parsed: ChangeLine = serde_json::from_str(&line).expect("known fields");
    assert_eq!(parsed.r#type, "opened");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn examples_are_frozen() {
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    let full = include_str!("../../../fixtures/json/watch-full.json")
        .replace("\"version\": \"0.1.0\"", version);
    let empty = include_str!("../../../fixtures/json/watch-empty.json")
        .replace("\"version\": \"0.1.0\"", version);
    assert_eq!(written(|out| json(&samples::full(), "watch", out)), full);
    assert_eq!(written(|out| json(&samples::empty(), "watch", out)), empty);
    let line = include_str!("../../../fixtures/json/change.ndjson");
    let told = written(|out| ndjson_change(&change(), out))
        + &written(|out| ndjson_diagnosis(&diagnosis(), out));
    assert_eq!(told, line);
}

#[test]
fn summary_equals_document() {
    let outcome = samples::full();
    let document: Value =
        serde_json::from_str(&written(|out| json(&outcome, "watch", out))).expect("JSON");
    let line = written(|out| ndjson_summary(&outcome, "watch", out));
    let mut summary: Value = serde_json::from_str(&line).expect("JSON");
    let kind = summary.as_object_mut().and_then(|o| o.remove("type"));
    assert_eq!(kind, Some(Value::from("summary")));
    assert_eq!(summary, document);
}

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                into.insert(key.clone());
                // The keys below are names of gauges, not fields.
                if key != "gauges" {
                    keys(inner, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|v| keys(v, into)),
        _ => {}
    }
}

fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    if let Some(map) = schema.get("properties").and_then(Value::as_object) {
        into.extend(map.keys().cloned());
    }
    if let Some(map) = schema.get("$defs").and_then(Value::as_object) {
        map.values().for_each(|d| properties(d, into));
    }
}

#[test]
fn every_key_is_in_the_schema() {
    let schema =
        serde_json::from_str(include_str!("../../../docs/schema/watch.schema.json")).expect("JSON");
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    properties(&schema, &mut known);
    keys(
        &serde_json::to_value(document::Document::new(&samples::full(), "watch")).expect("JSON"),
        &mut used,
    );
    keys(&serde_json::to_value(document::ChangeLine::new(&change())).expect("JSON"), &mut used);
    let line = serde_json::to_value(document::DiagnosisLine::new(&diagnosis())).expect("JSON");
    keys(&line, &mut used);
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}
