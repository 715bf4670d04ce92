//! A line on a terminal that tells how far the work is, and leaves nothing behind.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lint::Progress;

/// What takes less time than this needs no progress.
const PATIENCE: Duration = Duration::from_millis(400);
/// Time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// The line, shared with the threads that do the work.
pub(super) struct ProgressLine(Option<Arc<Mutex<State>>>);

struct State {
    next: Instant,
    drawn: bool,
    over: bool,
}

impl ProgressLine {
    /// A line on standard error, if that is a terminal.
    pub(super) fn start() -> Self {
        let state = State { next: Instant::now() + PATIENCE, drawn: false, over: false };
        Self(io::stderr().is_terminal().then(|| Arc::new(Mutex::new(state))))
    }

    /// What the work calls; nothing when nobody watches.
    pub(super) fn callback(&self) -> Option<Progress> {
        let state = Arc::clone(self.0.as_ref()?);
        Some(Progress(Arc::new(move |done, total| {
            // Whoever finds the line busy goes on: the work comes first.
            let Ok(mut state) = state.try_lock() else { return };
            let now = Instant::now();
            if now < state.next || state.over {
                return;
            }
            state.next = now + PAUSE;
            state.drawn = true;
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r\x1b[K{done} of {total} files");
        })))
    }

    /// Takes the line away.
    pub(super) fn finish(self) {
        let Some(state) = self.0 else { return };
        let Ok(mut state) = state.lock() else { return };
        state.over = true;
        if state.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
