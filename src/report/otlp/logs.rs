//! Changes of findings and diagnoses as log records.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{Clock, attribute, scope, value};
use crate::finding::{Severity, Verdict};
use crate::live::facts::TargetId;
use crate::live::outcome::{ChangeKind, Changes, DiagnosisChange, FindingChange, Outcome};
use crate::report::human::{headline, name};

/// One record a change; `outcome` tells whose they are.
pub fn records(changes: &Changes, outcome: &Outcome, clock: Clock) -> Vec<LogRecord> {
    let findings = changes.findings.iter().map(|change| finding(change, outcome, clock));
    let diagnoses = changes.diagnoses.iter().map(|change| diagnosis(change, outcome, clock));
    findings.chain(diagnoses).collect()
}

/// The records of one request.
pub fn request(log_records: Vec<LogRecord>, resource: Resource) -> ExportLogsServiceRequest {
    let scope_logs = ScopeLogs { scope: Some(scope()), log_records, ..Default::default() };
    let resource = Some(resource);
    let resource_logs =
        ResourceLogs { resource, scope_logs: vec![scope_logs], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

/// What a collector has missed because it was slow or away.
pub fn lost(changes: u64, metrics: u64, now_ns: u64) -> LogRecord {
    let body = format!(
        "{changes} changes of findings and {metrics} sets of metrics were dropped before this: the \
         collector did not take them in time"
    );
    record("poolscan.dropped", SeverityNumber::Warn, &body, now_ns, Vec::new())
}

fn record(
    event: &str,
    severity: SeverityNumber,
    body: &str,
    at_ns: u64,
    attributes: Vec<KeyValue>,
) -> LogRecord {
    LogRecord {
        time_unix_nano: at_ns,
        observed_time_unix_nano: at_ns,
        severity_number: severity.into(),
        severity_text: severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_").to_owned(),
        body: Some(value(body)),
        attributes,
        event_name: event.to_owned(),
        ..Default::default()
    }
}

/// Whose change it is, as metrics name them.
fn who(target: TargetId, outcome: &Outcome) -> Vec<KeyValue> {
    let known = outcome.targets.iter().find(|known| known.target == target);
    let Some(known) = known else { return Vec::new() };
    let pid = known.facts.pids.first().map_or_else(String::new, u32::to_string);
    vec![attribute("target", name(known)), attribute("pid", &pid)]
}

fn finding(change: &FindingChange, outcome: &Outcome, clock: Clock) -> LogRecord {
    let r = &change.resource;
    let group = r.kind.iter().chain(&r.group).cloned().collect::<Vec<_>>().join(" > ");
    let mut attributes = who(change.target, outcome);
    attributes.extend([
        attribute("change", change.what.as_str()),
        attribute("id", &r.id),
        attribute("resource", &r.resource),
        attribute("group", &group),
        attribute("verdict", r.verdict.as_str()),
        attribute("verdict_before", change.before.as_str()),
        attribute("confidence", r.confidence.as_str()),
    ]);
    let evidence = r.evidence.first().map(|evidence| evidence.0.as_str());
    attributes.extend(evidence.map(|evidence| attribute("evidence", evidence)));
    let severity = match (change.what, r.verdict) {
        (ChangeKind::Cleared, _) => SeverityNumber::Info,
        (_, Verdict::Leaking) => SeverityNumber::Error,
        (_, Verdict::Suspect | Verdict::GrowingInUse) => SeverityNumber::Warn,
        _ => SeverityNumber::Info,
    };
    record("poolscan.finding", severity, &headline(r), clock.at(change.at), attributes)
}

fn diagnosis(change: &DiagnosisChange, outcome: &Outcome, clock: Clock) -> LogRecord {
    let d = &change.diagnosis;
    let mut attributes = who(change.target, outcome);
    attributes.extend([
        attribute("change", change.what.as_str()),
        attribute("id", &d.id),
        attribute("rule", &d.rule),
        attribute("severity", d.severity.as_str()),
    ]);
    let severity = match (change.what, d.severity) {
        (ChangeKind::Cleared, _) => SeverityNumber::Info,
        (_, Severity::Error) => SeverityNumber::Error,
        (_, Severity::Warning) => SeverityNumber::Warn,
        _ => SeverityNumber::Info,
    };
    record("poolscan.diagnosis", severity, &d.message, clock.at(change.at), attributes)
}
