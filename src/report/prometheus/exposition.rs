//! Metrics as text: OpenMetrics by the official library, and the older text format made of that.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::live::life_spans::{BUCKETS, EDGES_MS, LifeSpans};
use crate::report::number::rounded;
use crate::report::text::sanitise;

/// Longest label value, in characters.
const LABEL: usize = 128;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows, until its process starts anew.
    Counter,
    /// How many of what length there were.
    Histogram,
}

/// A metric: its name without `poolscan_` (and of counters, without `_total`), and what it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Description {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) kind: Kind,
    pub(in crate::report) help: &'static str,
}

/// A gauge.
pub(super) const fn gauge(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Gauge, help }
}

/// A counter.
pub(super) const fn counter(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Counter, help }
}

/// A histogram of lengths of life.
pub(super) const fn histogram(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Histogram, help }
}

impl Description {
    /// The name that queries use.
    pub(super) fn shown(&self) -> String {
        let end = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{end}", self.prefixed())
    }

    /// The same without the ending of counters.
    pub(in crate::report) fn prefixed(&self) -> String {
        format!("{PREFIX}_{}", self.name)
    }
}

/// What all names begin with.
const PREFIX: &str = "poolscan";

/// Labels of a sample.
pub(in crate::report) type Labels = Vec<(&'static str, String)>;

/// What a sample says.
#[derive(Debug)]
pub(in crate::report) enum Value {
    Number(f64),
    Lives(LifeSpans),
}

/// All metrics of one moment.
#[derive(Debug)]
pub(in crate::report) struct Exposition {
    families: Vec<(Description, Vec<(Labels, Value)>)>,
}

impl Exposition {
    /// Metrics without samples yet, in the order in which they are shown.
    pub(super) fn new(all: impl IntoIterator<Item = Description>) -> Self {
        Self { families: all.into_iter().map(|description| (description, Vec::new())).collect() }
    }

    /// Adds a sample of a metric that was described. What is not finite is not known, and left out.
    pub(super) fn add(&mut self, name: &str, labels: &[(&'static str, &str)], value: f64) {
        if let Some(value) = rounded(value) {
            self.push(name, labels, Value::Number(value));
        }
    }

    /// The same of a histogram.
    pub(super) fn add_lives(
        &mut self,
        name: &str,
        labels: &[(&'static str, &str)],
        lives: &LifeSpans,
    ) {
        self.push(name, labels, Value::Lives(*lives));
    }

    fn push(&mut self, name: &str, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|&(name, value)| (name, label(value))).collect();
        let family = self.families.iter_mut().find(|(description, _)| description.name == name);
        debug_assert!(family.is_some(), "{name} is not described");
        if let Some((_, samples)) = family {
            samples.push((labels, value));
        }
    }

    /// Samples of all metrics; a histogram has one for each bucket.
    pub(super) fn len(&self) -> usize {
        let len = |value: &Value| match value {
            Value::Number(_) => 1,
            Value::Lives(_) => BUCKETS + 2,
        };
        self.families.iter().flat_map(|(_, samples)| samples).map(|(_, value)| len(value)).sum()
    }

    /// All metrics with their samples.
    #[cfg(feature = "otlp")]
    pub(in crate::report) fn families(
        &self,
    ) -> impl Iterator<Item = (&Description, &[(Labels, Value)])> {
        self.families.iter().map(|(description, samples)| (description, samples.as_slice()))
    }

    /// The text, in OpenMetrics 1.0.
    ///
    /// # Errors
    /// None: a text takes everything.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

/// Untrusted text as a label: nothing hidden, and of bounded length. The library escapes the rest.
fn label(value: &str) -> String {
    sanitise(value).chars().take(LABEL).collect()
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (Description { name, kind, help }, samples) in &self.families {
            let kind = match kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in samples {
                if labels.is_empty() {
                    encode(value, kind, &mut family)?;
                } else {
                    encode(value, kind, &mut family.encode_family(labels)?)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(
    value: &Value,
    kind: MetricType,
    metric: &mut MetricEncoder<'_>,
) -> Result<(), fmt::Error> {
    match (value, kind) {
        (Value::Number(value), MetricType::Counter) => {
            metric.encode_counter::<NoLabelSet, _, f64>(value, None)
        }
        (Value::Number(value), _) => metric.encode_gauge(value),
        (Value::Lives(lives), _) => {
            let bounds = EDGES_MS.into_iter().map(|edge| edge as f64 / 1000.0);
            let bounds = bounds.chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(*lives.counts()).collect();
            let sum = lives.sum_ms() as f64 / 1000.0;
            metric.encode_histogram::<NoLabelSet>(sum, lives.total(), &buckets, None)
        }
    }
}

/// The same in the text format 0.0.4, which files for other exporters and older readers need: there
/// a counter is described under the name that its samples have.
pub fn classic(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + 256);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let counter = |line: &str| line.starts_with("# TYPE ") && line.ends_with(" counter");
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        // The description of a metric stands right before its type.
        let described = line.starts_with("# HELP ") && lines.peek().is_some_and(|l| counter(l));
        if described || counter(line) {
            let mut words = line.splitn(4, ' ');
            let mut next = || words.next().unwrap_or_default();
            out.push_str(&format!("{} {} {}_total {}", next(), next(), next(), next()));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Description; 3] = [
        gauge("handles", "Handles held"),
        counter("handle_births", "Handles seen to appear"),
        histogram("duration_seconds", "Lengths of life"),
    ];

    #[test]
    fn hostile_labels_stay_in_their_quotes() {
        let mut all = Exposition::new(ALL);
        let hostile = "a\"} 1\npoolscan_handles{x=\"\\\x1b[2J\u{202e}";
        all.add("handles", &[("target", hostile)], 3.0);
        all.add("handles", &[("target", "unknown")], f64::NAN);
        let text = all.text().expect("a text");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "{text}");
        assert!(!text.contains(['\x1b', '\u{202e}']));
        assert!(text.contains("poolscan_handles{target=\"a\\\"} 1\\\\u{a}"), "{text}");
        assert!(label(&"x".repeat(9_999)).len() <= LABEL);
    }

    #[test]
    fn both_formats_hold_the_same() {
        let mut all = Exposition::new(ALL);
        all.add("handle_births", &[("target", "api")], 7.0);
        let mut lives = LifeSpans::default();
        lives.add(3_000);
        lives.add(1_000_000_000);
        all.add_lives("duration_seconds", &[("role", "tcp client")], &lives);
        let text = all.text().expect("a text");
        assert!(
            text.ends_with("# EOF\n") && text.contains("# TYPE poolscan_handle_births counter")
        );
        let classic = classic(&text);
        for line in [
            "# HELP poolscan_handle_births_total Handles seen to appear",
            "# TYPE poolscan_handle_births_total counter",
            "poolscan_handle_births_total{target=\"api\"} 7.0",
            "poolscan_duration_seconds_bucket{le=\"5.0\",role=\"tcp client\"} 1",
            "poolscan_duration_seconds_sum{role=\"tcp client\"} 1000003.0",
            "poolscan_duration_seconds_bucket{le=\"+Inf\",role=\"tcp client\"} 2",
            "poolscan_duration_seconds_count{role=\"tcp client\"} 2",
        ] {
            assert!(classic.lines().any(|l| l == line), "{line} in {classic}");
        }
        assert!(!classic.contains("EOF"));
    }
}
