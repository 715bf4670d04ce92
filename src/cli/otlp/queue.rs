//! What waits to be sent: bounded, never waited for by who fills it, and with a count of what was lost.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::live::outcome::Outcome;

/// Records that wait at most; the oldest go first.
pub(super) const MAX_RECORDS: usize = 1_024;

/// Between two attempts to send the same records.
const PAUSE: Duration = Duration::from_secs(5);

/// What did not get through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Sets of metrics, one a beat.
    pub(super) metrics: u64,
    /// Changes of findings.
    pub(super) records: u64,
}

/// What is sent at once.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) outcome: Option<Outcome>,
    pub(super) records: Vec<LogRecord>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest answer; an older one that nobody took is worth nothing beside it.
    outcome: Option<Outcome>,
    records: VecDeque<LogRecord>,
    /// What the sender has taken, and has not said what became of.
    sending: Lost,
    /// All so far, and all when that was last asked.
    lost: Lost,
    told: Lost,
    /// Records that were refused are not sent before.
    not_before: Option<Instant>,
    closed: bool,
}

/// The queue between who samples and who sends.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it; if somebody did, numbers are still numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an answer.
    pub(super) fn put_outcome(&self, outcome: Outcome) {
        let mut state = self.state();
        let replaced = state.outcome.replace(outcome).is_some();
        // Two that come at once are one; what a slow exchange keeps waiting is a gap.
        if replaced && state.sending != Lost::default() {
            state.lost.metrics += 1;
        }
        self.filled.notify_one();
    }

    /// Takes in records.
    pub(super) fn put_records(&self, records: Vec<LogRecord>) {
        let mut state = self.state();
        state.records.extend(records);
        state.shorten();
        self.filled.notify_one();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to send; `None`: nothing is left, and nothing more comes.
    pub(super) fn take(&self) -> Option<Load> {
        let mut state = self.state();
        loop {
            let pause = state.pause();
            let records = !state.records.is_empty() && pause.is_none();
            if state.outcome.is_some() || records {
                let records =
                    if records { std::mem::take(&mut state.records) } else { VecDeque::new() };
                let load = Load { outcome: state.outcome.take(), records: records.into() };
                let (metrics, records) = (load.outcome.is_some().into(), load.records.len() as u64);
                state.sending = Lost { metrics, records };
                return Some(load);
            }
            if state.closed {
                return None;
            }
            state = match pause {
                Some(pause) => {
                    let waited = self.filled.wait_timeout(state, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// What became of what was taken: `again` is tried once more after a pause, `lost` is not.
    /// Gives what was lost since the last call.
    pub(super) fn done(&self, again: Vec<LogRecord>, lost: Lost) -> Lost {
        let mut state = self.state();
        state.sending = Lost::default();
        state.lost.metrics += lost.metrics;
        state.lost.records += lost.records;
        state.not_before = (!again.is_empty()).then(|| Instant::now() + PAUSE);
        if state.closed {
            state.lost.records += again.len() as u64;
        } else {
            again.into_iter().rev().for_each(|record| state.records.push_front(record));
            state.shorten();
        }
        let all = state.lost;
        let Lost { metrics, records } = std::mem::replace(&mut state.told, all);
        Lost { metrics: all.metrics - metrics, records: all.records - records }
    }

    /// What is lost when nobody waits any longer.
    pub(super) fn left(&self) -> Lost {
        let state = self.state();
        Lost {
            metrics: state.lost.metrics
                + state.sending.metrics
                + u64::from(state.outcome.is_some()),
            records: state.lost.records + state.sending.records + state.records.len() as u64,
        }
    }
}

impl State {
    /// How long records still have to wait that were refused; not at all once the end has come.
    fn pause(&self) -> Option<Duration> {
        let left = self.not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero() && !self.closed && !self.records.is_empty()).then_some(left)
    }

    fn shorten(&mut self) {
        let more = self.records.len().saturating_sub(MAX_RECORDS);
        self.records.drain(..more);
        self.lost.records += more as u64;
    }
}
