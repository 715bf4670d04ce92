//! Recording beside a watch: a failure is told once and never stops the watch.

use std::fs::File;
use std::path::Path;

use anyhow::Context;

use super::complain;
use crate::live::facts::Fact;
use crate::live::record::{Header, Recorder};

/// A recording in progress, if one was asked for and still works.
pub(super) struct Recording {
    recorder: Option<Recorder<File>>,
    failed: bool,
    told_full: bool,
}

impl Recording {
    /// No recording.
    pub(super) fn none() -> Self {
        Self { recorder: None, failed: false, told_full: false }
    }

    /// Starts one.
    pub(super) fn start(
        path: &Path,
        header: &Header,
        max_bytes: Option<u64>,
    ) -> anyhow::Result<Self> {
        let recorder = Recorder::create(path, header, max_bytes)
            .with_context(|| format!("cannot record to {}", path.display()))?;
        Ok(Self { recorder: Some(recorder), failed: false, told_full: false })
    }

    /// Adds the facts of one tick.
    pub(super) fn tick(&mut self, facts: &[Fact]) {
        let Some(recorder) = &mut self.recorder else { return };
        let written = recorder.write(facts).and_then(|()| recorder.flush_tick());
        if let Err(error) = written {
            complain(&format!(
                "recording stopped: {error}; the watch goes on, what was written stays readable"
            ));
            self.recorder = None;
            self.failed = true;
        } else if recorder.is_full() && !self.told_full {
            self.told_full = true;
            complain("recording stopped at its size limit; the watch goes on");
        }
    }

    /// Ends it; returns whether everything that was asked for is in the file.
    pub(super) fn finish(self, reason: &str) -> bool {
        let Some(recorder) = self.recorder else { return !self.failed };
        match recorder.finish(reason) {
            Ok(()) => true,
            Err(error) => {
                complain(&format!("recording is cut short: {error}"));
                false
            }
        }
    }
}
