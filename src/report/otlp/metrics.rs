//! The metrics that Prometheus is told, under the same names.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{Clock, attribute, scope};
use crate::live::life_spans::{EDGES_MS, LifeSpans};
use crate::live::outcome::Outcome;
use crate::report::prometheus::{Description, Kind, Labels, Value, exposition};

/// All metrics of an outcome; those without samples are left out.
pub fn metrics(outcome: &Outcome, clock: Clock, resource: Resource) -> ExportMetricsServiceRequest {
    let times = Times { start: clock.at(0), now: clock.at(outcome.now) };
    let exposition = exposition(outcome);
    let families = exposition.families().filter(|(_, samples)| !samples.is_empty());
    let metrics = families.map(|(description, samples)| metric(description, samples, times));
    let scope_metrics =
        ScopeMetrics { scope: Some(scope()), metrics: metrics.collect(), ..Default::default() };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![scope_metrics],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

/// From when to when samples count, nanoseconds since the Unix epoch.
#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

fn metric(description: &Description, samples: &[(Labels, Value)], times: Times) -> Metric {
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || samples.iter().filter_map(|(labels, value)| number(labels, value, times));
    let data = match description.kind {
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers().collect() }),
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers().collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: samples
                .iter()
                .filter_map(|(labels, value)| histogram(labels, value, times))
                .collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        // Without the ending of counters, which back ends for Prometheus add.
        name: description.prefixed(),
        description: description.help.to_owned(),
        unit: unit(description.name).to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

/// The unit that a name ends with, as UCUM writes it; counts have none.
fn unit(name: &str) -> &'static str {
    match name {
        _ if name.ends_with("_bytes_per_second") => "By/s",
        _ if name.ends_with("_bytes") => "By",
        _ if name.ends_with("_seconds") => "s",
        _ if name.ends_with("_ratio") => "1",
        _ => "",
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(name, text)| attribute(name, text)).collect()
}

fn number(labels: &Labels, value: &Value, times: Times) -> Option<NumberDataPoint> {
    let Value::Number(value) = value else { return None };
    Some(NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        value: Some(Number::AsDouble(*value)),
        ..Default::default()
    })
}

fn histogram(labels: &Labels, value: &Value, times: Times) -> Option<HistogramDataPoint> {
    let Value::Lives(lives) = value else { return None };
    let lives: &LifeSpans = lives;
    Some(HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        count: lives.total(),
        sum: Some(lives.sum_ms() as f64 / 1000.0),
        bucket_counts: lives.counts().to_vec(),
        explicit_bounds: EDGES_MS.iter().map(|&edge| edge as f64 / 1000.0).collect(),
        ..Default::default()
    })
}
