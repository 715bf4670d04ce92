//! What is sent says the same as what Prometheus is told, and every byte of it is understood.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::*;
use crate::finding::Verdict;
use crate::live::facts::TargetId;
use crate::live::outcome::{ChangeKind, Changes, DiagnosisChange, FindingChange};
use crate::report::samples;

const CLOCK: Clock = Clock { zero_ns: 1_700_000_000_000_000_000 };

fn told() -> Vec<Metric> {
    let request = metrics(&samples::full(), CLOCK, Resource::default());
    let bytes = request.encode_to_vec();
    let decoded = <_ as prost::Message>::decode(&*bytes).expect("decodes");
    assert_eq!(request, decoded);
    request
        .resource_metrics
        .into_iter()
        .flat_map(|r| r.scope_metrics)
        .flat_map(|s| s.metrics)
        .collect()
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn metrics_have_the_names_numbers_and_units_that_prometheus_is_told() {
    let all = told();
    let find = |name: &str| all.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name}"));
    let Some(Data::Sum(sum)) = &find("poolscan_connections_traced_opened").data else {
        panic!("no sum")
    };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
    let point = &sum.data_points[0];
    assert_eq!(point.value, Some(Number::AsDouble(60_001.0)));
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), {
        let now = samples::full().now;
        (CLOCK.zero_ns, CLOCK.at(now))
    });
    assert_eq!(text(&point.attributes, "peer"), Some("10.0.3.7:5432"));
    assert_eq!(find("poolscan_pool_wait_seconds").unit, "s");
    assert_eq!(find("poolscan_pool_used_ratio").unit, "1");
    let Some(Data::Histogram(lives)) = &find("poolscan_connection_traced_duration_seconds").data
    else {
        panic!("no histogram")
    };
    let point = &lives.data_points[0];
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
    assert_eq!((point.count, point.sum), (3, Some(7.01)));
    // The same names, but for the ending that counters get.
    let names: Vec<String> = crate::report::metric_names();
    for metric in &all {
        let total = format!("{}_total", metric.name);
        assert!(names.contains(&metric.name) || names.contains(&total), "{}", metric.name);
    }
    // Hostile names are harmless wherever they are shown.
    let Some(Data::Gauge(gauge)) = &find("poolscan_pool_in_use").data else { panic!("no gauge") };
    let pool = text(&gauge.data_points[0].attributes, "pool");
    assert_eq!(pool, Some("HikariCP \\u{1b}[31mmain"));
}

#[test]
fn a_change_is_a_record_with_its_place_and_severity() {
    let outcome = samples::full();
    let mut gone = samples::leak();
    gone.verdict = Verdict::Cleared;
    let finding = |what, resource| FindingChange {
        at: 5_000,
        target: TargetId(1),
        what,
        resource,
        before: Verdict::Suspect,
    };
    let changes = Changes {
        findings: vec![
            finding(ChangeKind::Changed, samples::leak()),
            finding(ChangeKind::Cleared, gone),
        ],
        diagnoses: vec![DiagnosisChange {
            at: 6_000,
            target: TargetId(1),
            what: ChangeKind::Opened,
            diagnosis: outcome.targets[0].diagnoses[0].clone(),
        }],
    };
    let records: Vec<LogRecord> = records(&changes, &outcome, CLOCK);
    let severities: Vec<i32> = records.iter().map(|record| record.severity_number).collect();
    assert_eq!(severities, [17, 9, 13]);
    let leak = &records[0];
    assert_eq!(
        (leak.severity_text.as_str(), leak.event_name.as_str()),
        ("ERROR", "poolscan.finding")
    );
    assert_eq!(leak.time_unix_nano, CLOCK.zero_ns + 5_000_000_000);
    for (name, wanted) in [
        ("target", "api"),
        ("pid", "10"),
        ("change", "changed"),
        ("verdict", "leaking"),
        ("verdict_before", "suspect"),
        ("group", "socket > tcp client > 10.0.3.7:5432 > CLOSE_WAIT"),
    ] {
        assert_eq!(text(&leak.attributes, name), Some(wanted), "{name}");
    }
    assert_eq!(text(&records[2].attributes, "rule"), Some("fd-limit"));
    let request = request(records, Resource::default());
    let decoded = <_ as prost::Message>::decode(&*request.encode_to_vec()).expect("decodes");
    assert_eq!(request, decoded);
}
