//! Renders outcomes: one file a format; untrusted text is made harmless here, once.

mod candidates;
mod human;
mod json;
pub mod lint;
mod live_view;
mod number;
#[cfg(test)]
mod samples;
mod text;
mod wrap;

pub use candidates::{Candidate, candidates};
pub use human::{Style, human_changes, human_refresh, human_summary};
pub use json::{json, ndjson_change, ndjson_summary};
pub use live_view::LiveView;
pub use text::sanitise;
