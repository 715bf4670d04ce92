//! Reports as one page of HTML: without scripts, without anything from elsewhere, bounded in size.

mod axis;
mod bars;
mod chart;
mod connections;
mod heat;
mod lint;
mod page;
mod pools;
#[cfg(test)]
mod tests;
mod watch;

use std::io;

use crate::lint::Report;
use crate::live::history::History;
use crate::live::outcome::Outcome;

/// The page of a watch or replay; `command` is what made it.
///
/// # Errors
/// None that depend on the data.
pub fn watch_page(outcome: &Outcome, history: &History, command: &str) -> io::Result<String> {
    page::render("watch.html", &watch::Page::new(outcome, history, command))
}

/// The page of what lint found; `command` is what made it.
///
/// # Errors
/// None that depend on the data.
pub fn lint_page(report: &Report, notes: bool, command: &str) -> io::Result<String> {
    page::render("lint.html", &lint::Page::new(report, notes, command))
}
