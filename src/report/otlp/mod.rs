//! The metrics of a watch and the changes of its findings as messages of OpenTelemetry.
//!
//! The messages are the official ones. The SDK that usually fills them in counts by itself: lives that
//! were counted elsewhere cannot be handed to it.

mod logs;
mod metrics;
#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};

pub use logs::{lost, records, request};
pub use metrics::metrics;

use crate::live::facts::Millis;
use crate::report::text::sanitise;

/// Wall clock of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// At event time 0, nanoseconds since the Unix epoch.
    pub zero_ns: u64,
}

impl Clock {
    /// One by which event time 0 was `ms` milliseconds after the Unix epoch.
    pub fn new(ms: i64) -> Self {
        Self { zero_ns: u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000) }
    }

    /// Nanoseconds since the Unix epoch at this event time.
    fn at(self, at: Millis) -> u64 {
        self.zero_ns.saturating_add(u64::try_from(at).unwrap_or(0).saturating_mul(1_000_000))
    }
}

/// Who says it.
fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "poolscan".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    }
}

fn value(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(sanitise(text).into_owned())) }
}

fn attribute(name: &str, text: &str) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(value(text)), ..Default::default() }
}
