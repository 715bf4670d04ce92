//! One group of handles: its members, counts, and the engines that judge it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bank::Bank;
use super::life_times::LifeTimes;
use crate::live::detect::clock::{Clock, Life};
use crate::live::detect::scale::Timing;
use crate::live::facts::Millis;
use crate::live::life_spans::LifeSpans;

/// Points kept for a sparkline.
const HISTORY: usize = 60;
/// Buckets that count as lately: five minutes by default.
pub const LATELY: usize = MARKS * MARK_EVERY;
/// Marks within that time, and buckets from one to the next.
const MARKS: usize = 12;
const MARK_EVERY: usize = 5;

/// A group within one census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub(super) u32);

impl GroupId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One group.
#[derive(Debug)]
pub struct Group {
    /// Its name below its parent.
    pub name: Arc<str>,
    /// The group above; `None` for a kind.
    pub parent: Option<GroupId>,
    /// Groups below.
    pub children: Vec<GroupId>,
    /// The kind at the top of its path.
    pub kind: Arc<str>,
    /// The state that its path fixes, or empty.
    pub state: Arc<str>,
    /// Births seen.
    pub opened: u64,
    /// Deaths seen.
    pub closed: u64,
    pub(super) depth: usize,
    pub(super) members: Vec<u32>,
    visible: u32,
    pub(super) bank: Bank,
    life_times: LifeTimes,
    /// Births and deaths up to the last marks; empty before the first birth or death.
    totals: VecDeque<(u64, u64)>,
    /// Buckets since the last mark.
    unmarked: usize,
    /// How long its connections lived; empty before the first one ended.
    lives: Option<Box<LifeSpans>>,
    history: Vec<u32>,
    history_stride: u32,
    history_skipped: u32,
    /// It was not judged for want of room.
    passed_over: bool,
}

impl Group {
    pub(super) fn new(
        name: Arc<str>,
        parent: Option<GroupId>,
        depth: usize,
        kind: Arc<str>,
        state: Arc<str>,
    ) -> Self {
        Self {
            name,
            parent,
            children: Vec::new(),
            kind,
            state,
            opened: 0,
            closed: 0,
            depth,
            members: Vec::new(),
            visible: 0,
            bank: Bank::default(),
            life_times: LifeTimes::default(),
            totals: VecDeque::new(),
            unmarked: 0,
            lives: None,
            history: Vec::new(),
            history_stride: 1,
            history_skipped: 0,
            passed_over: false,
        }
    }

    /// Handles held now.
    pub fn now(&self) -> usize {
        self.members.len()
    }

    /// Whether its handles show their activity (at least 80 % of them).
    pub fn visible(&self) -> bool {
        !self.members.is_empty() && u64::from(self.visible) * 10 >= self.members.len() as u64 * 8
    }

    /// Counts over the watch, oldest first, at most 60.
    pub fn history(&self) -> &[u32] {
        &self.history
    }

    /// Births and deaths within the last [`LATELY`] buckets; `None` when there never were any.
    pub(super) fn lately(&self) -> Option<(u64, u64)> {
        let (opened, closed) = match self.totals.front() {
            Some(&before) if self.totals.len() > MARKS => before,
            _ => (0, 0),
        };
        (self.opened + self.closed > 0)
            .then(|| (self.opened.saturating_sub(opened), self.closed.saturating_sub(closed)))
    }

    /// How long those lived whose birth and death were seen; `None` before the first death.
    pub(super) fn lives(&self) -> Option<&LifeSpans> {
        self.lives.as_deref()
    }

    /// A connection that was born under our eyes ended.
    pub(super) fn lived(&mut self, length: Millis) {
        self.lives.get_or_insert_default().add(length);
    }

    /// The engines' numbers at the last boundary.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    pub(super) fn join(&mut self, slot: u32, life: &Life, pre: bool) {
        self.members.push(slot);
        self.visible += u32::from(life.visible);
        if !pre {
            self.opened += 1;
        }
        self.bank.each(|engine| engine.opened(life));
    }

    /// All but the removal from `members`, which needs the other members.
    pub(super) fn part(&mut self, life: &Life, at: Millis) {
        self.visible = self.visible.saturating_sub(u32::from(life.visible));
        self.closed += 1;
        self.life_times.ended(Clock::Age, life, at);
        self.life_times.ended(Clock::Stale, life, at);
        self.bank.each(|engine| engine.closed(life, at));
    }

    pub(super) fn activity(&mut self, before: &Life, after: &Life, at: Millis) {
        self.visible =
            (self.visible + u32::from(after.visible)).saturating_sub(u32::from(before.visible));
        self.life_times.ended(Clock::Stale, before, at);
        self.bank.each(|engine| engine.activity(before, after, at));
    }

    pub(super) fn step(&mut self, timing: &Timing, origin: Millis, now: Millis, lives: &[Life]) {
        let (kind, state, visible) =
            (Arc::clone(&self.kind), Arc::clone(&self.state), self.visible());
        let life_times = &self.life_times;
        let learned = |clock: Clock| life_times.normal_life(clock, lives, now);
        self.bank.step(timing, (&kind, &state), visible, origin, now, lives, learned);
        self.record_history();
        self.mark();
    }

    /// Closes the buckets that end now without judging it: too many others are judged. It is
    /// counted once, if there is something to judge.
    pub(super) fn pass_over(&mut self, counted: &mut u64) {
        if !self.passed_over && !self.members.is_empty() {
            self.passed_over = true;
            *counted += 1;
        }
        self.record_history();
        self.mark();
    }

    fn mark(&mut self) {
        self.unmarked += 1;
        if self.unmarked < MARK_EVERY || self.opened + self.closed == 0 {
            return;
        }
        self.unmarked = 0;
        self.totals.push_back((self.opened, self.closed));
        if self.totals.len() > MARKS + 1 {
            self.totals.pop_front();
        }
    }

    fn record_history(&mut self) {
        self.history_skipped += 1;
        if self.history_skipped < self.history_stride {
            return;
        }
        self.history_skipped = 0;
        self.history.push(self.members.len() as u32);
        if self.history.len() > HISTORY {
            let mut index = 0;
            self.history.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.history_stride = self.history_stride.saturating_mul(2);
        }
    }
}
