//! Renders outcomes: one file a format; untrusted text is made harmless here, once.

mod candidates;
mod human;
mod json;
pub mod lint;
mod listing;
mod live_view;
mod number;
#[cfg(test)]
mod samples;
mod text;
mod top;
mod wrap;

pub use candidates::{Candidate, candidates};
pub use human::{Style, human_changes, human_refresh, human_summary};
pub use json::{json, ndjson_change, ndjson_summary};
pub use listing::{Listing, listing, listing_json};
pub use live_view::LiveView;
pub use text::sanitise;
pub use top::{Top, top, top_json};
