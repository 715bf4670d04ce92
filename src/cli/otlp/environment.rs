//! What the environment says of exports, by the names that OpenTelemetry gives these variables.

use std::time::Duration;

use opentelemetry_proto::tonic::resource::v1::Resource;
use ureq::http::{HeaderName, HeaderValue};

/// For one exchange, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise, as the standard has it.
const TIMEOUT: Duration = Duration::from_secs(10);
const SHORTEST: u64 = 100;
const LONGEST: u64 = 60_000;

/// Who we are: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, read by the official detectors.
pub(super) fn resource() -> Resource {
    let said = |name| std::env::var(name).unwrap_or_default();
    let named = !said("OTEL_SERVICE_NAME").is_empty()
        || said("OTEL_RESOURCE_ATTRIBUTES").contains("service.name=");
    let mut resource = opentelemetry_sdk::Resource::builder();
    if !named {
        resource = resource.with_service_name("poolscan");
    }
    Resource::from(&resource.build())
}

/// The time for one exchange, `OTEL_EXPORTER_OTLP_TIMEOUT` in milliseconds.
pub(super) fn timeout() -> Duration {
    let told = std::env::var("OTEL_EXPORTER_OTLP_TIMEOUT").ok();
    told.and_then(|text| text.trim().parse().ok())
        .map_or(TIMEOUT, |ms: u64| Duration::from_millis(ms.clamp(SHORTEST, LONGEST)))
}

/// Headers of each request, `OTEL_EXPORTER_OTLP_HEADERS`.
///
/// # Errors
/// One is no header; its text is not repeated, as it may hold a password.
pub(super) fn headers() -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    read_headers(&std::env::var("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default())
}

/// Reads `name=value,name=value`; values may be percent-encoded.
pub(super) fn read_headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let read = |(nth, entry): (usize, &str)| {
        let wrong = || format!("OTEL_EXPORTER_OTLP_HEADERS: entry {} is no header", nth + 1);
        let (name, value) = entry.split_once('=').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(&decoded(value.trim())).map_err(|_| wrong())?;
        Ok((name, value))
    };
    entries.enumerate().map(read).collect()
}

/// `%20` and the like as the bytes that they stand for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    bytes
}
