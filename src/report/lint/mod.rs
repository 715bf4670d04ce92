//! Renders what the linter found, and what its rules are.

mod agent;
mod base;
mod cut;
pub(super) mod explain;
mod github;
mod human;
mod json;
mod mistakes;
mod pages;
pub(super) mod rules;
#[cfg(test)]
pub(super) mod samples;
mod sarif;
mod snippet;
mod summary;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use agent::agent;
pub use base::{Base, file_uri};
pub use explain::{Described, explain, explain_json, help_uri};
pub use github::github;
pub use human::human;
pub use json::json;
pub use mistakes::mistakes;
pub use pages::{Page, pages, section};
pub use rules::{rules, rules_json};
pub use sarif::sarif;

pub(super) use human::{label, offer};
pub(super) use snippet::Window;
pub(super) use summary::{Counts, issue_line, some};

use super::Style;

/// What of a report is shown, and how.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// What the terminal can show.
    pub style: Style,
    /// Show notes instead of counting them.
    pub notes: bool,
    /// Show what the run looked at and what it cost.
    pub stats: bool,
    /// How long the run took, on the clock; none where the same source must give the same text.
    pub elapsed: Option<Duration>,
}
