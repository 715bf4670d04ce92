//! Tasks of tokio from the console that the target carries: each is a handle with its true birth,
//! its last poll, and the line that spawned it.
//!
//! Connecting is done by a thread of its own; nobody waits for it. What it tells has its own time:
//! a watermark that says until when births are known, however late they become visible.

mod clock;
mod find;
mod session;
mod task;
mod tasks;
mod texts;
mod waits;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beat::Beat;
use super::endpoint::Address;
use super::feed::{Feed, Remote};
use super::netns;
use super::own;
use crate::live::checkup::{Check, Works};
use crate::live::facts::{Fact, HandleFacts, HandleId, Millis, SourceStatus};
use crate::live::target::{Process, Target};
use session::{Heard, Place};
use tasks::{Born, State, Told};

/// Name of the source, and of the handles' kind.
const SOURCE: &str = "tokio";
const KIND: &str = "task";
/// What semaphores, locks and channels are called together, and of how many places they are counted.
const RESOURCE: &str = "tokio_resource";
const MAX_PLACES: usize = 64;
/// Batches that wait: an update comes each second, and several go into one.
const WAITING: usize = 2;
/// Beats between two looks for a console grow up to this.
const MOST_BEATS: u32 = 32;
/// What console-subscriber keeps for each task, measured with version 0.5: two histograms.
const KEPT_BYTES: u64 = 50_000;
/// It is told that births are seen late from so much on.
const LATE: Millis = 10_000;
/// Without knowing how late, verdicts are withheld after so long.
const UNKNOWN: Millis = 60_000;
/// So many buckets after a loss, the window in which it lies is over.
const LOSS_BUCKETS: Millis = 120;

/// Which console is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// That of a process which has the subscriber's own thread.
    Auto,
    /// The one at this address.
    At(Address),
}

/// The console of one target.
#[derive(Debug)]
pub struct Console {
    wanted: Wanted,
    zero: Instant,
    feed: Option<Feed<Heard>>,
    /// The process whose console it is; `None` of one that was named.
    process: Option<u32>,
    /// Why none is asked; empty when there is none.
    refused: String,
    /// What cannot be known about where the address leads.
    doubt: String,
    wait: u32,
    beats: u32,
    handles: HashMap<u64, HandleId>,
    /// Resources of which a number was told that is not 0.
    counted: BTreeSet<Arc<str>>,
    heard: Option<State>,
    until: Option<Millis>,
    silence: Option<String>,
    /// Until when a loss counts.
    lossy_until: Option<Millis>,
    begun: bool,
    /// What was waited for before the first beat.
    first: Option<Heard>,
}

impl Console {
    /// One that was not looked for yet; `zero` is the moment of event time 0.
    pub fn new(wanted: Wanted, zero: Instant) -> Self {
        Self {
            wanted,
            zero,
            feed: None,
            process: None,
            refused: String::new(),
            doubt: String::new(),
            wait: 1,
            beats: 0,
            handles: HashMap::new(),
            counted: BTreeSet::new(),
            heard: None,
            until: None,
            silence: None,
            lossy_until: None,
            begun: false,
            first: None,
        }
    }

    /// Waits for what it tells first, where there is one: for a single look.
    pub fn hear_first(&mut self, target: &Target, bucket: Millis, patience: Duration) {
        self.look(target, bucket);
        self.first = self.feed.as_mut().and_then(|feed| feed.wait(patience));
    }

    /// Starts the thread, where there is somebody to ask.
    fn look(&mut self, target: &Target, bucket: Millis) {
        let (place, process) = match &self.wanted {
            Wanted::At(address) => {
                let (namespace, doubt) = netns::to_ask_from(address, target.processes.first());
                self.doubt = doubt;
                (Ok(Place { url: address.shown(), namespace }), None)
            }
            Wanted::Auto => {
                let mut processes = target.processes.iter();
                let Some(process) = processes.find(|process| find::has_console(process)) else {
                    return;
                };
                (place(process), Some(process.pid))
            }
        };
        let zero = self.zero;
        let started = place.and_then(|place| {
            Feed::start("poolscan-tokio", WAITING, move |outlet| {
                session::run(&place, zero, bucket, outlet);
            })
            .map_err(|error| format!("no thread for it: {error}"))
        });
        match started {
            Ok(feed) => {
                self.feed = Some(feed);
                self.process = process;
                self.refused.clear();
            }
            Err(why) => self.refused = why,
        }
    }

    /// Lets everything go when the process has ended whose console it was.
    fn part(&mut self, target: &Target, beat: &mut Beat<'_>) {
        let lives = |pid| target.processes.iter().any(|process| process.pid == pid);
        if self.process.is_none_or(lives) {
            return;
        }
        let mut gone: Vec<HandleId> = self.handles.drain().map(|(_, id)| id).collect();
        gone.sort_unstable();
        let at = beat.at;
        beat.out.extend(gone.into_iter().map(|id| Fact::Close { at, id }));
        self.count(&BTreeMap::new(), target, beat);
        (self.feed, self.process, self.heard, self.silence) = (None, None, None, None);
        (self.wait, self.beats) = (1, 0);
        self.until = Some(at);
    }

    fn take(&mut self, heard: Heard, target: &Target, beat: &mut Beat<'_>) {
        let batch = match heard {
            Heard::Silence(why) => return self.silence = Some(why),
            Heard::Update(batch) => batch,
        };
        self.silence = None;
        if let Some(start) = batch.start
            && !std::mem::replace(&mut self.begun, true)
        {
            // Handles of this source are judged from here on.
            let cost = self.cost();
            beat.late_source(target.id, SOURCE, SourceStatus::Ok, "", cost, Some(start));
        }
        for told in batch.told {
            self.fact(told, target, beat);
        }
        self.until = self.until.max(batch.until.map(|until| until.min(beat.at)));
        if batch.state.lost > self.heard.map_or(0, |state| state.lost) {
            self.lossy_until = Some(beat.at + LOSS_BUCKETS * beat.bucket_ms);
        }
        self.heard = Some(batch.state);
        if let Some(resources) = batch.resources {
            self.count(&resources, target, beat);
        }
    }

    /// Tells how many resources there are: those told before, then where most of them are.
    fn count(&mut self, counts: &BTreeMap<Arc<str>, u64>, target: &Target, beat: &mut Beat<'_>) {
        let mut fullest: Vec<&Arc<str>> = counts.keys().collect();
        fullest
            .sort_by_key(|name| (!self.counted.contains(*name), std::cmp::Reverse(counts[*name])));
        fullest.truncate(MAX_PLACES);
        let now: BTreeSet<Arc<str>> = fullest.into_iter().cloned().collect();
        for name in self.counted.union(&now) {
            beat.out.push(Fact::Tally {
                at: beat.at,
                target: target.id,
                kind: RESOURCE.into(),
                group: [Arc::clone(name)].into(),
                count: counts.get(name).copied().unwrap_or(0),
                proved: false,
            });
        }
        self.counted = now;
    }

    fn fact(&mut self, told: Told, target: &Target, beat: &mut Beat<'_>) {
        let at = told.at().min(beat.at);
        match told {
            Told::Born { task, pre, born, .. } => {
                let id = beat.ids.next_id();
                self.handles.insert(task, id);
                let process = self
                    .process
                    .and_then(|pid| target.processes.iter().find(|process| process.pid == pid));
                let process = process.or(target.processes.first());
                let start_up = process
                    .is_some_and(|process| born.created - process.started_ms < beat.start_up_ms);
                let facts = Arc::new(facts(*born, process.map(|process| process.pid)));
                beat.out.push(Fact::Open { at, target: target.id, id, pre, start_up, facts });
            }
            Told::Changed { task, change, .. } => {
                if let Some(&id) = self.handles.get(&task) {
                    beat.out.push(Fact::Change { at, id, change });
                }
            }
            Told::Ended { task, .. } => {
                if let Some(id) = self.handles.remove(&task) {
                    beat.out.push(Fact::Close { at, id });
                }
            }
        }
    }

    /// How it fares, and what is not seen. Unless it is complete up to its watermark, verdicts are
    /// withheld.
    fn standing(&self, now: Millis) -> (SourceStatus, String) {
        let Some(state) = self.heard else {
            let why = self.silence.clone().unwrap_or_else(|| self.refused.clone());
            let why = if why.is_empty() { "it is being connected to".to_owned() } else { why };
            return (SourceStatus::Unavailable, why);
        };
        let mut missing = Vec::new();
        missing.extend(self.silence.clone());
        missing.extend(Some(self.doubt.clone()).filter(|doubt| !doubt.is_empty()));
        if self.lossy_until.is_some_and(|until| now < until) {
            missing.push(format!(
                "the target had no room for {} task events: spawned tasks are missing",
                state.lost
            ));
        }
        if state.hole {
            let least = match state.strangers {
                0 => String::new(),
                some => format!(", at least {some} of which live"),
            };
            missing.push(format!(
                "what is there is more than the target puts into one message (4 MiB): tasks from \
                 before the connection{least}, or their end, may not be known"
            ));
        }
        if state.left_out > 0 {
            missing.push(format!("{} tasks above the bound are not followed", state.left_out));
        }
        if state.unknown_for > UNKNOWN {
            missing.push("how late tasks become visible is not known".to_owned());
        }
        let mut words = missing.clone();
        if state.behind > LATE {
            words.push(format!(
                "tasks become visible {} s late, as the target hands over 127 events an update: judged \
                 up to then (more often: TOKIO_CONSOLE_PUBLISH_INTERVAL=100ms in its environment)",
                state.behind / 1000
            ));
        }
        words.push(format!(
            "the target keeps about 50 kB for each of its {} tasks, {} MB",
            state.live,
            state.live * KEPT_BYTES / 1_000_000
        ));
        (SourceStatus::without(&missing.join("; ")), words.join("; "))
    }

    /// CPU time that the thread has used.
    fn cost(&self) -> Duration {
        self.feed.as_ref().map_or(Duration::ZERO, Feed::cost)
    }
}

impl Remote for Console {
    fn deliver(&mut self, target: &Target, beat: &mut Beat<'_>) {
        self.part(target, beat);
        if self.feed.is_none() {
            self.beats += 1;
            if self.beats >= self.wait {
                self.beats = 0;
                self.wait = (self.wait * 2).min(MOST_BEATS);
                self.look(target, beat.bucket_ms);
            }
        }
        while let Some(heard) = self.first.take().or_else(|| self.feed.as_mut()?.take()) {
            self.take(heard, target, beat);
        }
        // A target without a console is none that lacks something.
        if self.feed.is_none() && self.refused.is_empty() && !self.begun {
            return;
        }
        let (status, reason) = self.standing(beat.at);
        if let Some(state) = self.heard {
            beat.count(target.id, None, "tasks", state.live);
        }
        let watermark = self.until.filter(|_| self.begun);
        beat.late_source(target.id, SOURCE, status, &reason, self.cost(), watermark);
    }
}

/// Whether the tasks of a process can be told apart, and what it takes and costs. Nobody is connected
/// to.
pub(super) fn checkup(process: &Process) -> Check {
    let adds = "async tasks by the line that spawned them: which spawn leaks (docs/tokio.md)";
    let name = "tokio console";
    if !find::has_console(process) {
        return Check {
            name,
            works: Works::No,
            detail: "no thread of console-subscriber".to_owned(),
            fix: Some(
                "if it is a tokio service: console_subscriber::init() in main, feature `tracing` of \
                 tokio, RUSTFLAGS=\"--cfg tokio_unstable\"; costs it about 50 kB for each task, \
                 also for those that ended within TOKIO_CONSOLE_RETENTION (an hour)"
                    .to_owned(),
            ),
            adds,
        };
    }
    match place(process) {
        Ok(place) => Check {
            name,
            works: Works::Yes,
            detail: format!(
                "it listens at {}; the process keeps about 50 kB for each task, also for those that \
                 ended within TOKIO_CONSOLE_RETENTION (an hour)",
                place.url
            ),
            fix: None,
            adds,
        },
        Err(why) => Check { name, works: Works::No, detail: why, fix: None, adds },
    }
}

/// Where the console of a process is, in its network namespace.
fn place(process: &Process) -> Result<Place, String> {
    let address = find::address(process)?;
    let namespace = netns::unless_ours(process)
        .map_err(|error| format!("its network namespace: {}", own::why(error)))?;
    Ok(Place { url: format!("http://{address}"), namespace })
}

fn facts(born: Born, pid: Option<u32>) -> HandleFacts {
    let Born { id, introduced, created, activity } = born;
    let shown = introduced.own_id.unwrap_or(id);
    let label = match &*introduced.name {
        "" => format!("task {shown}"),
        name => format!("task {shown} {name}"),
    };
    HandleFacts {
        role: introduced.role,
        site: introduced.site,
        activity,
        label: label.into(),
        pid,
        inode: Some(id),
        born: Some(Box::new(created)),
        ..HandleFacts::of_kind(KIND)
    }
}
