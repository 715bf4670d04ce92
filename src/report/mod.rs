//! Renders outcomes: one file a format; untrusted text is made harmless here, once.

mod candidates;
mod comparison;
mod connections;
mod doctor;
mod html;
mod human;
mod json;
pub mod lint;
mod listing;
mod live_rules;
mod live_view;
mod number;
mod openers;
#[cfg(feature = "otlp")]
pub mod otlp;
mod prometheus;
#[cfg(test)]
mod samples;
mod text;
mod top;
#[cfg(target_os = "linux")]
pub mod tui;
mod wrap;

pub use candidates::{Candidate, candidates};
pub use comparison::{comparison, comparison_json};
pub use connections::connections;
pub use doctor::{doctor, doctor_json};
pub use html::{lint_page, watch_page};
pub use human::{Style, human_changes, human_summary};
pub use json::{json, ndjson_change, ndjson_diagnosis, ndjson_summary};
pub use listing::{Listing, gap, listing, listing_json};
pub use live_rules::{explain_live, explain_live_json, live_rules};
pub use live_view::LiveView;
pub use openers::folded;
pub use prometheus::{classic, lint_metrics, metric_names, watch_metrics};
pub use text::sanitise;
pub use top::{Top, top, top_json};
