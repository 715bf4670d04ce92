//! Who opens the handles of targets: traces that run when somebody asks, and what they tell.

mod copying;
pub(super) mod places;
pub(super) mod programs;
mod receiving;
mod tracer;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use super::beat::Beat;
use super::fds::Fds;
use super::feed::Feed;
use super::others::Others;
use super::started;
use super::traced::{MOUNT, PERFMON, Refusal, monotonic_ns};
use crate::live::facts::{
    Change, Fact, HandleId, Lifecycle, Millis, OpenedBy, Opener, SourceStatus, TargetId,
};
use crate::live::target::Target;
use crate::live::trace::openings::births;
use crate::live::trace::openings::events::Events;
use crate::live::trace::openings::ledger::{Held, Look};
use crate::live::trace::tracepoint;
use tracer::{Ask, Report};

/// Name of the source.
const SOURCE: &str = "openings";
/// Gauges: openings heard of, those of which no stack was looked at, and events that were lost.
const TRACED: &str = "openings_traced";
const UNPLACED: &str = "openings_unplaced";
const LOST: &str = "opening_events_lost";
/// Reports that may wait: more than a stretched beat takes.
const REPORTS: usize = 256;
/// Handles of a target whose places are followed.
const MOST_HELD: usize = 1 << 20;

/// What the thread hands over, or why there is nothing (any more).
type Heard = Result<Report, String>;

/// Traces of openings, one a target at a time.
#[derive(Debug, Default)]
pub(super) struct Openers {
    targets: BTreeMap<TargetId, Known>,
}

/// What is known of one target.
#[derive(Debug, Default)]
struct Known {
    /// Handles in fd tables.
    held: HashMap<HandleId, Held>,
    /// Threads and children.
    started: HashSet<HandleId>,
    /// Places by what is known of them, over all traces.
    places: BTreeMap<Arc<Opener>, u32>,
    pids: BTreeSet<u32>,
    trace: Option<Trace>,
    /// Something was traced, or was to be.
    begun: bool,
    failed: String,
    /// Of traces that are over.
    cost: Duration,
    counts: Vec<u64>,
    totals: Totals,
}

/// How much was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    heard: u64,
    unplaced: u64,
    lost: u64,
    whole_host: bool,
    deaf: bool,
}

/// A trace that runs.
#[derive(Debug)]
struct Trace {
    feed: Feed<Heard>,
    asks: Sender<Ask>,
    /// Numbers of its places in all traces.
    numbers: Vec<u32>,
    /// What was counted when it began.
    before: Vec<u64>,
    totals_before: Totals,
}

/// Tries to listen to a process; gives how many files of our own that took.
pub(super) fn attempt(pid: u32) -> Result<usize, Refusal> {
    let tried = Events::open().and_then(|mut events| {
        events.follow(&BTreeSet::from([pid]))?;
        Ok(events.files())
    });
    tried.map_err(|error| Refusal { reason: error.to_string(), fix: remedy() })
}

/// What is likely to help where it is refused.
pub(super) fn remedy() -> &'static str {
    if tracepoint::is_mounted() { PERFMON } else { MOUNT }
}

/// When a look at fd tables began and ended, by the clock of events, and when the one at threads and
/// children began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LookTime {
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    pub(super) births_ns: u64,
}

impl LookTime {
    /// A look that begins now; at threads and children it began when `births_ns` says.
    pub(super) fn begin(births_ns: u64) -> Self {
        Self { begin_ns: monotonic_ns(), end_ns: 0, births_ns }
    }

    /// It ends now.
    pub(super) fn end(&mut self) {
        self.end_ns = monotonic_ns();
    }
}

impl Openers {
    /// Begins to hear who opens the handles of a target. `stacks`: for so long, stacks are copied.
    /// What stands in the way is told as the state of the source.
    pub(super) fn begin(&mut self, target: &Target, stacks: Option<Duration>) {
        let known = self.targets.entry(target.id).or_default();
        if known.trace.is_some() {
            return;
        }
        known.begun = true;
        known.failed.clear();
        known.pids = pids_of(target);
        let (pids, held) = (known.pids.clone(), known.held.values().cloned().collect());
        let (asks, asked) = mpsc::channel();
        let work = move |outlet: &_| {
            // Nobody listens any more: that is how it ends.
            let _ = tracer::trace(pids, held, stacks, &asked, outlet);
        };
        match Feed::start("poolscan-openers", REPORTS, work) {
            Ok(feed) => {
                known.trace = Some(Trace {
                    feed,
                    asks,
                    numbers: Vec::new(),
                    before: known.counts.clone(),
                    totals_before: known.totals,
                });
            }
            Err(error) => known.failed = error.to_string(),
        }
    }

    /// Hears no more of a target.
    pub(super) fn end(&mut self, target: TargetId) {
        if let Some(known) = self.targets.get_mut(&target)
            && let Some(trace) = known.trace.take()
        {
            known.cost += trace.feed.cost();
        }
    }

    /// Why nothing is heard of a target although it was begun; empty while something is.
    pub(super) fn failed(&self, target: TargetId) -> &str {
        self.targets.get(&target).map_or("", |known| &known.failed)
    }

    /// Takes in what this look at a target found, which are the facts of `beat` from the `from`th
    /// on; asks whose it is, and tells what was answered meanwhile.
    pub(super) fn deliver(
        &mut self,
        (target, fds, others): (&Target, &Fds, &Others),
        from: usize,
        time: LookTime,
        beat: &mut Beat<'_>,
    ) {
        let known = self.targets.entry(target.id).or_default();
        let facts = beat.out.get(from..).unwrap_or_default();
        let look = known.look(target.id, fds, facts, time);
        let births = known.look_at_births(target, others, facts, time);
        let pids = pids_of(target);
        let exec: Vec<u32> = beat.out.iter().skip(from).filter_map(exec_of).collect();
        if let Some(trace) = &known.trace {
            // One that is over has said why.
            let _ = trace.asks.send(Ask::Look(look));
            let _ = trace.asks.send(Ask::Births(births));
            if pids != known.pids {
                let _ = trace.asks.send(Ask::Follow(pids.clone()));
            }
            for pid in exec {
                let _ = trace.asks.send(Ask::Exec(pid));
            }
        }
        known.pids = pids;
        known.hear(target.id, time, beat);
        if known.begun {
            let (status, reason) = known.state();
            let running = known.trace.as_ref().map(|trace| trace.feed.cost());
            let cost = known.cost + running.unwrap_or_default();
            let Totals { heard, unplaced, lost, .. } = known.totals;
            for (name, count) in [(TRACED, heard), (UNPLACED, unplaced), (LOST, lost)] {
                beat.count(target.id, None, name, count);
            }
            // Judgement waits for nothing of this.
            beat.late_source(target.id, SOURCE, status, &reason, cost, None);
        }
    }
}

impl Known {
    /// What a look found, in terms of numbers in fd tables.
    fn look(&mut self, target: TargetId, fds: &Fds, facts: &[Fact], time: LookTime) -> Look {
        let LookTime { begin_ns, end_ns, .. } = time;
        let mut look = Look { begin_ns, end_ns, ..Look::default() };
        for fact in facts {
            match fact {
                Fact::Open { target: of, id, facts, .. } if *of == target => {
                    let (Some(pid), Some(fd)) = (facts.pid, facts.fd) else { continue };
                    // With a table a thread, a number alone says nothing.
                    if fds.separate(pid) || self.held.len() >= MOST_HELD {
                        continue;
                    }
                    let held = Held { id: *id, number: (pid, fd), kind: Arc::clone(&facts.kind) };
                    self.held.insert(*id, held.clone());
                    look.opened.push(held);
                }
                Fact::Close { id, .. } if self.held.remove(id).is_some() => look.closed.push(*id),
                _ => {}
            }
        }
        look
    }

    /// Threads and children that came and went, by the numbers that calls return.
    fn look_at_births(
        &mut self,
        target: &Target,
        others: &Others,
        facts: &[Fact],
        time: LookTime,
    ) -> births::Look {
        self.started.extend(others.started().map(|started| started.id));
        let closed = facts.iter().filter_map(|fact| match fact {
            Fact::Close { id, .. } => Some(*id),
            _ => None,
        });
        let gone = closed.filter(|id| self.started.remove(id)).collect();
        let listens = self.trace.is_some();
        let found = if listens { started::found(target, others.started()) } else { Vec::new() };
        births::Look { begin_ns: time.births_ns, found, gone }
    }

    /// Takes what the thread handed over.
    fn hear(&mut self, target: TargetId, time: LookTime, beat: &mut Beat<'_>) {
        let Self { trace, places, counts, totals, held, started, failed, .. } = self;
        let Some(Trace { feed, numbers, before, totals_before, .. }) = trace else { return };
        let at = beat.at;
        let mut latest: Option<Vec<u64>> = None;
        while let Some(heard) = feed.take() {
            let report = match heard {
                Ok(report) => report,
                Err(reason) => {
                    *failed = reason;
                    continue;
                }
            };
            for opener in report.places {
                let opener = Arc::new(opener);
                let key = Arc::new(Opener { stack: Arc::default(), ..(*opener).clone() });
                let next = u32::try_from(counts.len()).unwrap_or(u32::MAX);
                let place = *places.entry(key).or_insert(next);
                if place == next {
                    counts.push(0);
                    beat.out.push(Fact::Opener { at, target, place, opener });
                }
                numbers.push(place);
            }
            for (id, place, at_ns) in report.opened_by {
                let Some(&place) = numbers.get(place as usize) else { continue };
                // What is gone by now is of no interest.
                if held.contains_key(&id) || started.contains(&id) {
                    let ago = time.begin_ns.saturating_sub(at_ns) / 1_000_000;
                    let since = at - Millis::try_from(ago).unwrap_or(Millis::MAX);
                    let change = Change::OpenedBy(OpenedBy { place, since });
                    beat.out.push(Fact::Change { at, id, change });
                }
            }
            *totals = Totals {
                heard: totals_before.heard + report.heard,
                unplaced: totals_before.unplaced + report.unplaced,
                lost: totals_before.lost + report.lost,
                whole_host: report.whole_host,
                deaf: report.deaf,
            };
            latest = Some(report.counts);
        }
        for (nth, count) in latest.into_iter().flatten().enumerate() {
            let Some(&place) = numbers.get(nth) else { continue };
            let Some(all) = counts.get_mut(place as usize) else { continue };
            let count = before.get(place as usize).copied().unwrap_or(0) + count;
            if *all != count {
                *all = count;
                beat.out.push(Fact::Openings { at, target, place, count });
            }
        }
        if feed.ended() {
            if failed.is_empty() {
                *failed = "the thread that listens has ended".to_owned();
            }
            self.cost += feed.cost();
            self.trace = None;
        }
    }

    fn state(&self) -> (SourceStatus, String) {
        if !self.failed.is_empty() {
            return (SourceStatus::Unavailable, format!("{}: {}", self.failed, remedy()));
        }
        let Totals { heard, unplaced, lost, whole_host, deaf } = self.totals;
        let mut says = Vec::new();
        if lost > 0 {
            says.push(format!("{lost} events were lost: what was opened meanwhile is not told"));
        }
        let status = SourceStatus::without(&says.join(""));
        if unplaced > 0 {
            says.push(format!("of {heard} openings heard, {unplaced} were not looked at"));
        }
        if whole_host {
            says.push(
                "it has too many threads to be listened to alone: every process of the host is"
                    .to_owned(),
            );
        }
        if deaf {
            says.push(
                "what came over sockets is not told: it receives too many messages".to_owned(),
            );
        }
        if self.trace.is_none() {
            says.push("the trace is over".to_owned());
        }
        (status, says.join("; "))
    }
}

pub(super) fn pids_of(target: &Target) -> BTreeSet<u32> {
    target.processes.iter().map(|process| process.pid).collect()
}

fn exec_of(fact: &Fact) -> Option<u32> {
    match fact {
        Fact::Lifecycle { pid, event: Lifecycle::Exec, .. } => Some(*pid),
        _ => None,
    }
}
