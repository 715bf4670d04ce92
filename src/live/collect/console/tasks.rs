//! The tasks of one runtime, from the updates that its console sends: births, deaths and polls in
//! event time, each told once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use prost_types::Timestamp;
use tokio_console_api::tasks::Stats;

use super::clock::{Clock, Progress};
use super::task::{self, Introduced, Made, Task};
use super::texts::Texts;
use super::waits::Waits;
use super::wire::{self, Malformed};
use crate::live::facts::{Activity, Change, Millis};

/// Tasks followed at once; what is more is counted.
const MAX_TASKS: usize = 200_000;
/// So much of the time before we came is judged, in buckets: half an hour.
const HISTORY_BUCKETS: Millis = 360;
/// A task that becomes visible so long after its birth was only unseen until then.
const RESURFACED: Millis = 5_000;

/// What stands still does so for seconds: it is not looked for with each update.
const WAITS_EVERY: Millis = 1_000;
/// Resources are counted so often, and only while they are seen at once: what becomes visible late
/// would look like growth.
const COUNTED_EVERY: Millis = 10_000;
const AT_ONCE: Millis = 5_000;

/// What is told of a task; `task` is a number of our own, never used twice.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// It appeared, or was there before we came.
    Born { task: u64, at: Millis, pre: bool, born: Box<Born> },
    /// Something about it changed.
    Changed { task: u64, at: Millis, change: Change },
    /// It is gone.
    Ended { task: u64, at: Millis },
}

/// A task that appeared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Born {
    /// Its number in the target.
    pub(super) id: u64,
    /// What it is and where it was spawned.
    pub(super) introduced: Introduced,
    /// When that was.
    pub(super) created: Millis,
    /// Its activity when it is told.
    pub(super) activity: Activity,
}

/// What one update brought.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// In the order of time.
    pub(super) told: Vec<Told>,
    /// In the first batch: since when births and deaths are known.
    pub(super) start: Option<Millis>,
    /// Until when they are.
    pub(super) until: Option<Millis>,
    /// How complete that is.
    pub(super) state: State,
    /// How many resources there are, where they were counted.
    pub(super) resources: Option<BTreeMap<Arc<str>, u64>>,
}

/// How complete the knowledge of the tasks is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Tasks that live.
    pub(super) live: u64,
    /// Tasks that have ended and that the target was told to keep, as far as we saw them.
    pub(super) ended: u64,
    /// Task events for which the target had no room: births that nobody will ever see.
    pub(super) lost: u64,
    /// The most living tasks that one update spoke of and that had never been introduced.
    pub(super) strangers: u64,
    /// Tasks above the bound.
    pub(super) left_out: u64,
    /// How far behind the present births are seen, milliseconds.
    pub(super) behind: Millis,
    /// For how long that has not been known, milliseconds.
    pub(super) unknown_for: Millis,
    /// When we came, or came again, what is there was too much to be told.
    pub(super) hole: bool,
}

/// The tasks of one target.
#[derive(Debug)]
pub(super) struct Tasks {
    bucket: Millis,
    clock: Clock,
    progress: Progress,
    known: HashMap<u64, Task>,
    /// Those that are awake, by their last poll.
    awake: BTreeSet<(Millis, u64)>,
    /// Those that are being polled.
    running: BTreeSet<u64>,
    /// Those of which it was told that they wait for what nobody moves.
    stuck: BTreeSet<u64>,
    /// Births that are younger than what is complete: the target may tell of them again.
    lately: HashMap<(u64, Made), Millis>,
    /// The console's own.
    own: HashSet<u64>,
    waits: Waits,
    /// When it was last looked who waits.
    waited: Millis,
    /// When resources were last counted.
    counted: Millis,
    texts: Texts,
    numbers: u64,
    /// The next update is the first one of a connection.
    fresh: bool,
    state: State,
}

/// What is needed while one update is taken in.
#[derive(Debug)]
struct Step {
    now: Millis,
    /// Everything up to here was told before.
    floor: Millis,
    /// In the very first update: nothing is known of what ended before.
    start: Option<Millis>,
    told: Vec<Told>,
    /// Tasks not heard of before.
    births: u64,
    strangers: u64,
    youngest: Option<Millis>,
}

impl Told {
    /// Event time.
    pub(super) fn at(&self) -> Millis {
        match self {
            Self::Born { at, .. } | Self::Changed { at, .. } | Self::Ended { at, .. } => *at,
        }
    }
}

impl Step {
    /// The nearest time to `at` that was not yet judged.
    fn within(&self, at: Millis) -> Millis {
        at.min(self.now).max(self.floor + 1)
    }

    fn change(&mut self, task: u64, at: Millis, change: Change) {
        let at = self.within(at);
        self.told.push(Told::Changed { task, at, change });
    }
}

impl Tasks {
    /// Nothing known yet. Whoever is not polled for longer than a `bucket` is silent.
    pub(super) fn new(bucket: Millis) -> Self {
        Self {
            bucket,
            clock: Clock::default(),
            progress: Progress::default(),
            known: HashMap::new(),
            awake: BTreeSet::new(),
            running: BTreeSet::new(),
            stuck: BTreeSet::new(),
            lately: HashMap::new(),
            own: HashSet::new(),
            waits: Waits::default(),
            waited: -WAITS_EVERY,
            counted: -COUNTED_EVERY,
            texts: Texts::default(),
            numbers: 0,
            fresh: true,
            state: State::default(),
        }
    }

    /// A new connection: its first update tells again what is there.
    pub(super) fn reconnected(&mut self) {
        self.fresh = true;
    }

    /// Takes in an update that came at `at`.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn update(&mut self, bytes: &[u8], at: Millis) -> Result<Batch, Malformed> {
        let now = wire::part(bytes, 1)?;
        let now: Option<Timestamp> = wire::decoded(now).filter(|_| !now.is_empty());
        let now = now.ok_or(Malformed)?;
        let (update, metadata) = (wire::part(bytes, 2)?, wire::part(bytes, 5)?);
        self.clock.heard(&now, at);
        let now = self.clock.event(&now, at);
        let fresh = std::mem::take(&mut self.fresh);
        let before = self.progress.until();
        let start = if before.is_none() { Some(self.first(update, now)?) } else { None };
        let floor = start.or(before).unwrap_or(now);
        let mut step =
            Step { now, floor, start, told: Vec::new(), births: 0, strangers: 0, youngest: None };
        let heard = self.tasks(update, &mut step)?;
        if fresh {
            // All that the console knows of the code is told once in a connection, together with
            // all that is there. Without it, that was too much for one message; and others than
            // those that were introduced cannot be there.
            let whole = !metadata.is_empty() && step.strangers == 0;
            if whole && before.is_some() {
                self.forget_all_but(&heard, &mut step);
            }
            (self.state.hole, self.state.strangers) = (!whole, 0);
            self.waits.clear();
        }
        let (resources, operations) = (wire::part(bytes, 3)?, wire::part(bytes, 4)?);
        let clock = &self.clock;
        let (events, youngest) =
            self.waits.update(resources, operations, &mut self.texts, |at| clock.event(at, now))?;
        if before.is_some() {
            let events = events + step.births + wire::each(metadata, 1, |_| {})?;
            self.progress.next(now, events, step.youngest.max(youngest));
        }
        self.state.lost = self.state.lost.saturating_add(wire::number(update, 4)?);
        self.state.strangers = self.state.strangers.max(step.strangers);
        self.state.hole |= step.strangers > 0;
        self.look_around(&mut step);
        Ok(self.batch(step))
    }

    fn batch(&mut self, step: Step) -> Batch {
        let until = self.progress.until();
        self.lately.retain(|_, created| until.is_none_or(|until| *created > until));
        self.state.live = self.known.len() as u64;
        self.state.behind = self.progress.behind(step.now);
        self.state.unknown_for = self.progress.unknown_for(step.now);
        let mut told = step.told;
        told.sort_by_key(Told::at);
        let resources = self.resources(step.now);
        Batch { told, start: step.start, until, state: self.state, resources }
    }

    /// How many resources there are, when it is time to count them and they are known.
    fn resources(&mut self, now: Millis) -> Option<BTreeMap<Arc<str>, u64>> {
        let known = self.state.behind <= AT_ONCE && self.state.unknown_for == 0 && !self.state.hole;
        if !known || now - self.counted < COUNTED_EVERY {
            return None;
        }
        self.counted = now;
        Some(self.waits.counts())
    }

    /// Since when births and deaths are known: the console keeps the ended for a time that nobody
    /// tells, so that nothing is known before the first death that is still there.
    fn first(&mut self, update: &[u8], now: Millis) -> Result<Millis, Malformed> {
        let (mut first_death, mut youngest) = (None, None);
        wire::each(update, 3, |part| {
            let Some((_, stats)) = wire::entry::<Stats>(part) else { return };
            let event = |time: Option<&Timestamp>| time.map(|time| self.clock.event(time, now));
            youngest = youngest.max(event(stats.created_at.as_ref()));
            if let Some(death) = event(stats.dropped_at.as_ref()) {
                first_death = Some(first_death.map_or(death, |first: Millis| first.min(death)));
            }
        })?;
        self.progress.first(now, youngest);
        let until = self.progress.until().unwrap_or(now);
        let oldest = now - HISTORY_BUCKETS * self.bucket;
        Ok(first_death.map_or(until, |death| death.max(oldest)).min(until))
    }

    /// Gives the tasks that the update spoke of.
    fn tasks(&mut self, update: &[u8], step: &mut Step) -> Result<HashSet<u64>, Malformed> {
        let mut introduced: HashMap<u64, Introduced> = HashMap::new();
        wire::each(update, 1, |part| {
            let Some((id, task)) = task::introduced(part, &mut self.texts) else { return };
            if task.is_own() && self.own.len() < MAX_TASKS {
                self.own.insert(id);
            } else if introduced.len() < MAX_TASKS {
                introduced.insert(id, task);
            }
        })?;
        let mut heard = HashSet::new();
        wire::each(update, 3, |part| {
            let Some((id, stats)) = wire::entry::<Stats>(part) else { return };
            if heard.len() < MAX_TASKS {
                heard.insert(id);
            }
            if self.own.contains(&id) {
                if stats.dropped_at.is_some() {
                    self.own.remove(&id);
                }
                return;
            }
            self.take(id, &stats, introduced.remove(&id), step);
        })?;
        Ok(heard)
    }

    /// Takes in the numbers of one task.
    fn take(&mut self, id: u64, stats: &Stats, introduced: Option<Introduced>, step: &mut Step) {
        let Some(made) = stats.created_at.as_ref().map(Made::of) else { return };
        let event = |time: &Timestamp| self.clock.event(time, step.now);
        let created = stats.created_at.as_ref().map_or(step.now, event);
        let ended = stats.dropped_at.as_ref().map(|time| event(time).max(created));
        let reads = task::Reading::of(stats, created, event, step.now);
        match self.known.get(&id) {
            Some(task) if task.made == made => {}
            Some(_) => {
                // The number was given to another one; that it ended was not told.
                self.end(id, created, step);
                self.meet(id, made, created, ended, reads.last, introduced, step);
            }
            None => self.meet(id, made, created, ended, reads.last, introduced, step),
        }
        let Some(task) = self.known.get_mut(&id) else { return };
        if !task.silent {
            self.awake.remove(&(task.last, id));
        }
        let woke = task.take(&reads, step.now);
        if !task.silent {
            self.awake.insert((task.last, id));
        }
        if reads.running.is_some() {
            self.running.insert(id);
        } else {
            self.running.remove(&id);
        }
        let (number, last) = (task.number, task.last);
        if woke {
            step.change(number, last, Change::Activity(Activity::Awake));
        }
        match ended {
            Some(at) => self.end(id, at, step),
            None => self.retell(id, step),
        }
    }

    /// A task that is not known.
    #[expect(clippy::too_many_arguments, reason = "all of it describes the one new task")]
    fn meet(
        &mut self,
        id: u64,
        made: Made,
        created: Millis,
        ended: Option<Millis>,
        last: Millis,
        introduced: Option<Introduced>,
        step: &mut Step,
    ) {
        if self.lately.contains_key(&(id, made)) {
            return;
        }
        let Some(introduced) = introduced else {
            // Of one that has ended it is told again when its last waker goes.
            step.strangers += u64::from(ended.is_none());
            return;
        };
        step.births += 1;
        step.youngest = step.youngest.max(Some(created));
        // What came and went before was told, or is older than all that is known.
        if ended
            .is_some_and(|at| at <= step.floor || (step.start.is_none() && created <= step.floor))
        {
            return;
        }
        if self.known.len() >= MAX_TASKS {
            self.state.left_out += 1;
            return;
        }
        let pre = match step.start {
            Some(start) => created <= start,
            None => created < step.floor - RESURFACED,
        };
        let at = if pre { step.floor } else { step.within(created) };
        // What it did before its last poll is not known: it is taken for awake until then.
        let silent = pre && last + self.bucket <= at;
        let activity =
            if silent { Activity::SilentSince(self.quantise(last)) } else { Activity::Awake };
        self.numbers += 1;
        let born = Box::new(Born { id, introduced, created, activity });
        step.told.push(Told::Born { task: self.numbers, at, pre, born });
        if !silent {
            self.awake.insert((last, id));
        }
        self.known.insert(id, Task::new(self.numbers, made, last, silent));
        if created > self.progress.until().unwrap_or(step.floor) {
            self.lately.insert((id, made), created);
        }
    }

    /// A task ended at `at`.
    fn end(&mut self, id: u64, at: Millis, step: &mut Step) {
        let Some(task) = self.known.remove(&id) else { return };
        self.awake.remove(&(task.last, id));
        self.running.remove(&id);
        self.stuck.remove(&id);
        if !task.silent && task.last + self.bucket < at {
            let silent = Activity::SilentSince(self.quantise(task.last));
            step.change(task.number, task.last + self.bucket, Change::Activity(silent));
        }
        step.told.push(Told::Ended { task: task.number, at: step.within(at) });
        self.state.ended += 1;
    }

    /// After a reconnect all that is there is told again: what is not has ended meanwhile.
    fn forget_all_but(&mut self, heard: &HashSet<u64>, step: &mut Step) {
        let mut gone: Vec<u64> =
            self.known.keys().copied().filter(|id| !heard.contains(id)).collect();
        gone.sort_unstable();
        for id in gone {
            self.end(id, step.now, step);
        }
    }

    /// What follows from the time alone: silence, long polls, waits for what stands still.
    fn look_around(&mut self, step: &mut Step) {
        while let Some(&(last, id)) = self.awake.first()
            && last + self.bucket < step.now
        {
            self.awake.pop_first();
            let Some(task) = self.known.get_mut(&id) else { continue };
            if task.running.is_some() {
                task.last = step.now;
                self.awake.insert((step.now, id));
                continue;
            }
            task.silent = true;
            let number = task.number;
            let silent = Activity::SilentSince(self.quantise(last));
            step.change(number, last + self.bucket, Change::Activity(silent));
            self.retell(id, step);
        }
        for id in self.running.clone() {
            self.retell(id, step);
        }
        if step.now - self.waited < WAITS_EVERY {
            return;
        }
        self.waited = step.now;
        let mut free = std::mem::take(&mut self.stuck);
        for stuck in self.waits.stuck(step.now) {
            let Some(task) = self.known.get_mut(&stuck.task) else { continue };
            task.stuck = Some((stuck.since, stuck.name));
            free.remove(&stuck.task);
            self.stuck.insert(stuck.task);
            self.retell(stuck.task, step);
        }
        for id in free {
            if let Some(task) = self.known.get_mut(&id) {
                task.stuck = None;
            }
            self.retell(id, step);
        }
    }

    /// Tells how a task fares where that is news.
    fn retell(&mut self, id: u64, step: &mut Step) {
        let Some(task) = self.known.get_mut(&id) else { return };
        let poll = task.poll(step.now);
        if task.told != poll {
            task.told = poll.clone();
            let number = task.number;
            step.change(number, step.now, Change::Poll(Arc::new(poll)));
        }
    }

    fn quantise(&self, at: Millis) -> Millis {
        at.div_euclid(self.bucket) * self.bucket
    }
}

#[cfg(test)]
mod tests;
