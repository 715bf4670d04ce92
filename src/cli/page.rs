//! The page of HTML beside a watch or replay, if one was asked for.

use std::path::PathBuf;

use super::args::Judging;
use super::whole;
use crate::live::facts::Fact;
use crate::live::history::History;
use crate::live::outcome::{Changes, Outcome};
use crate::report::watch_page;

/// What the page will show, and where it goes; without a page nothing is kept.
pub(super) struct Page(Option<(PathBuf, Box<History>)>);

impl Page {
    /// The page that the arguments name.
    pub(super) fn of(judging: &Judging) -> Self {
        Self(judging.report.clone().map(|path| (path, Box::default())))
    }

    /// Keeps what a step brought.
    pub(super) fn tick(&mut self, facts: &[Fact], changes: &Changes) {
        if let Some((_, history)) = &mut self.0 {
            history.take(facts, changes);
        }
    }

    /// Writes the page.
    ///
    /// # Errors
    /// The file cannot be written; then there is none, or the one of before.
    pub(super) fn write(self, outcome: &Outcome) -> anyhow::Result<()> {
        let Some((path, mut history)) = self.0 else { return Ok(()) };
        history.finish(outcome.now);
        let page = watch_page(outcome, &history, &whole::command_line())?;
        whole::write(&path, page.as_bytes())
    }
}
