//! One task as its console tells of it: what it is, and how it fares from poll to poll.

use std::sync::Arc;

use prost_types::Timestamp;
use tokio_console_api::field::{Name, Value};
use tokio_console_api::tasks::{self, Stats};

use super::texts::Texts;
use super::wire;
use crate::live::facts::{Millis, Poll};

/// The console's own tasks bear names that begin so.
const OWN: &str = "console::";
/// In one poll for so long, a task is told to be.
const LONG_POLL: Millis = 1_000;
/// Over so long it is counted how often a task wakes itself.
const SPIN_WINDOW: Millis = 5_000;
/// It spins if it does so more often than this a second, and most of its wakes are its own.
const SPINS_PER_SECOND: u64 = 100;

/// What a task is and where it was spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Introduced {
    /// `task`, `local`, `blocking` or `block_on`.
    pub(super) role: Arc<str>,
    /// `src/main.rs:12`.
    pub(super) site: Arc<str>,
    /// The name that it was given, if any. Untrusted text.
    pub(super) name: Arc<str>,
    /// The number by which the program knows it, where that is told.
    pub(super) own_id: Option<u64>,
}

impl Introduced {
    /// Whether it is the console's own.
    pub(super) fn is_own(&self) -> bool {
        self.name.starts_with(OWN)
    }
}

/// Who a task is; nothing when the bytes are no task.
pub(super) fn introduced(part: &[u8], texts: &mut Texts) -> Option<(u64, Introduced)> {
    let told: tasks::Task = wire::decoded(part)?;
    let mut role = texts.share("task");
    let mut name = texts.share("");
    let mut own_id = None;
    for field in &told.fields {
        let Some(Name::StrName(key)) = &field.name else { continue };
        match (&**key, &field.value) {
            ("kind", Some(Value::StrVal(value) | Value::DebugVal(value))) => {
                role = texts.share(value);
            }
            ("task.name", Some(Value::StrVal(value) | Value::DebugVal(value))) => {
                name = texts.share(value);
            }
            ("task.id", Some(Value::U64Val(value))) => own_id = Some(*value),
            _ => {}
        }
    }
    let site = texts.place(told.location.as_ref());
    Some((told.id?.id, Introduced { role, site, name, own_id }))
}

/// The target's own time of a birth: with the number, which is used again, the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Made(i64, i32);

impl Made {
    /// From the time that the target tells.
    pub(super) fn of(time: &Timestamp) -> Self {
        Self(time.seconds, time.nanos)
    }
}

/// The numbers of a task, in event time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// When it was last polled; now while it is.
    pub(super) last: Millis,
    /// In one poll since then.
    pub(super) running: Option<Millis>,
    orphan: bool,
    wakes: u64,
    own_wakes: u64,
}

impl Reading {
    /// From what the console tells at `now`.
    pub(super) fn of(
        stats: &Stats,
        created: Millis,
        event: impl Fn(&Timestamp) -> Millis,
        now: Millis,
    ) -> Self {
        let polls = stats.poll_stats.as_ref();
        let of_polls = |time: fn(&tokio_console_api::PollStats) -> Option<&Timestamp>| {
            polls.and_then(time).map(&event)
        };
        let began = of_polls(|polls| polls.last_poll_started.as_ref());
        let ended = of_polls(|polls| polls.last_poll_ended.as_ref());
        let running = began
            .filter(|&began| ended.is_none_or(|ended| ended < began) && stats.dropped_at.is_none());
        let woken = stats.last_wake.as_ref().map(&event);
        let last =
            if running.is_some() { now } else { created.max(began.max(ended).unwrap_or(created)) };
        Self {
            last,
            running,
            // One that was never polled is woken by its birth.
            orphan: stats.waker_clones <= stats.waker_drops
                && began.is_some_and(|began| woken.is_none_or(|woken| woken <= began)),
            wakes: stats.wakes,
            own_wakes: stats.self_wakes,
        }
    }
}

/// A living task.
#[derive(Debug)]
pub(super) struct Task {
    /// Our number of it.
    pub(super) number: u64,
    pub(super) made: Made,
    /// When it was last polled.
    pub(super) last: Millis,
    /// It was told to be silent.
    pub(super) silent: bool,
    /// In one poll since then.
    pub(super) running: Option<Millis>,
    /// It waits for what nobody has moved since then.
    pub(super) stuck: Option<(Millis, Arc<str>)>,
    /// What was told last.
    pub(super) told: Poll,
    orphan: bool,
    wakes: Wakes,
}

/// How often it had been woken, and by itself, at some time.
#[derive(Debug, Clone, Copy)]
struct Wakes {
    at: Millis,
    all: u64,
    own: u64,
    spinning_since: Option<Millis>,
}

impl Task {
    /// One of which nothing but its birth is known.
    pub(super) fn new(number: u64, made: Made, last: Millis, silent: bool) -> Self {
        Self {
            number,
            made,
            last,
            silent,
            running: None,
            stuck: None,
            told: Poll::default(),
            orphan: false,
            wakes: Wakes { at: Millis::MIN, all: 0, own: 0, spinning_since: None },
        }
    }

    /// Takes in its numbers; tells whether it was silent and is no more.
    pub(super) fn take(&mut self, reading: &Reading, now: Millis) -> bool {
        let woke = self.silent && reading.last > self.last;
        self.silent &= !woke;
        self.last = self.last.max(reading.last);
        self.running = reading.running;
        self.orphan = reading.orphan;
        self.wakes.count(reading, now);
        woke
    }

    /// How it fares.
    pub(super) fn poll(&self, now: Millis) -> Poll {
        Poll {
            running_since: self.running.filter(|began| now - began >= LONG_POLL),
            lost_since: (self.silent && self.orphan).then_some(self.last),
            spinning_since: self.wakes.spinning_since.filter(|_| !self.silent),
            stuck_since: self.stuck.as_ref().map(|(since, _)| *since),
            waits_for: self.stuck.as_ref().map(|(_, name)| Arc::clone(name)),
        }
    }
}

impl Wakes {
    fn count(&mut self, reading: &Reading, now: Millis) {
        if self.at != Millis::MIN && now - self.at < SPIN_WINDOW {
            return;
        }
        let all = reading.wakes.saturating_sub(self.all);
        let own = reading.own_wakes.saturating_sub(self.own);
        let seconds = u64::try_from(now.saturating_sub(self.at) / 1000).unwrap_or(0);
        let spins = self.at != Millis::MIN
            && own > seconds.saturating_mul(SPINS_PER_SECOND)
            && own.saturating_mul(2) > all;
        let since = self.spinning_since.unwrap_or(self.at);
        *self = Self {
            at: now,
            all: reading.wakes,
            own: reading.own_wakes,
            spinning_since: spins.then_some(since),
        };
    }
}
