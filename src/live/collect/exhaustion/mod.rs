//! Calls of targets that fail because no more file descriptors may be had (EMFILE, ENFILE): a trap
//! that waits for the first of them.

mod trap;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use super::beat::Beat;
use super::feed::Feed;
use super::openers::{LookTime, pids_of, remedy};
use super::traced::Refusal;
use crate::live::facts::{Exhausted, Fact, FailedCall, Millis, Opener, SourceStatus, TargetId};
use crate::live::target::Target;
use crate::live::trace::exhaustion::Trap;
use trap::{Call, Report};

/// Name of the source.
const SOURCE: &str = "exhaustion";
/// Gauge: calls heard of that failed. There may have been many more.
const FAILED: &str = "calls_failed_at_limit";
/// Reports that may wait: the thread makes few a second.
const REPORTS: usize = 256;
/// Until the trap is set, on a slow machine.
const SET: Duration = Duration::from_secs(5);
/// Places told of one target; calls from others are only counted.
const MOST_PLACES: usize = 16;

/// What the thread hands over, or why there is nothing (any more).
type Heard = Result<Report, String>;

/// One trap for all targets.
#[derive(Debug)]
pub(super) struct Exhaustion {
    feed: Option<Feed<Heard>>,
    asks: Sender<BTreeSet<u32>>,
    /// A call failed that a look should follow at once.
    fired: Arc<AtomicBool>,
    failed: String,
    /// Processes that the thread was told of.
    pids: BTreeSet<u32>,
    /// What was heard and not yet told.
    calls: Vec<Call>,
    latest: Report,
    targets: BTreeMap<TargetId, Known>,
}

/// What is known of one target.
#[derive(Debug, Default)]
struct Known {
    /// Its processes at the last look: one that ended since may have failed before.
    pids: BTreeSet<u32>,
    places: BTreeSet<(Exhausted, Opener)>,
    heard: u64,
}

/// Sets the trap for a moment; gives how many files of our own that takes.
pub(super) fn attempt() -> Result<usize, Refusal> {
    let tried = Trap::set().map(|trap| trap.files());
    tried.map_err(|error| Refusal { reason: error.to_string(), fix: remedy() })
}

impl Exhaustion {
    /// Sets the trap for these targets. What stands in the way is told as the state of the source.
    pub(super) fn start<'a>(targets: impl Iterator<Item = &'a Target>) -> Self {
        let pids: BTreeSet<u32> = targets.flat_map(pids_of).collect();
        let fired = Arc::new(AtomicBool::new(false));
        let (asks, asked) = mpsc::channel();
        let work = {
            let (pids, fired) = (pids.clone(), Arc::clone(&fired));
            move |outlet: &_| {
                // Nobody listens any more: that is how it ends.
                let _ = trap::listen(pids, &asked, &fired, outlet);
            }
        };
        let (mut feed, mut failed) = match Feed::start("poolscan-emfile", REPORTS, work) {
            Ok(feed) => (Some(feed), String::new()),
            Err(error) => (None, error.to_string()),
        };
        // Who is told that it waits must be able to rely on it.
        let mut latest = Report::default();
        match feed.as_mut().and_then(|feed| feed.wait(SET)) {
            Some(Ok(report)) => latest = report,
            Some(Err(reason)) => failed = reason,
            None => {}
        }
        let (calls, targets) = Default::default();
        Self { feed, asks, fired, failed, pids, calls, latest, targets }
    }

    /// Why the trap is not set; empty while it is.
    pub(super) fn failed(&self) -> &str {
        &self.failed
    }

    /// Whether a call has failed since this was last asked, so that it is time for a look.
    pub(super) fn fired(&self) -> bool {
        self.fired.swap(false, Ordering::Relaxed)
    }

    /// Takes what was heard so far, and tells the thread whom to listen to.
    pub(super) fn take<'a>(&mut self, targets: impl Iterator<Item = &'a Target>) {
        let pids: BTreeSet<u32> = targets.flat_map(pids_of).collect();
        if pids != self.pids {
            // A thread that is over has said why.
            let _ = self.asks.send(pids.clone());
            self.pids = pids;
        }
        self.calls.clear();
        let Some(feed) = &mut self.feed else { return };
        while let Some(heard) = feed.take() {
            match heard {
                Ok(mut report) => {
                    self.calls.append(&mut report.calls);
                    self.latest = report;
                }
                Err(reason) => self.failed = reason,
            }
        }
        if feed.ended() && self.failed.is_empty() {
            self.failed = "the thread that listens has ended".to_owned();
        }
    }

    /// Tells what of it is a target's, and how this source fares.
    pub(super) fn deliver(&mut self, target: &Target, time: LookTime, beat: &mut Beat<'_>) {
        let known = self.targets.entry(target.id).or_default();
        let pids = pids_of(target);
        let before = std::mem::replace(&mut known.pids, pids);
        let of_target = |pid| known.pids.contains(&pid) || before.contains(&pid);
        for call in self.calls.iter().filter(|call| of_target(call.pid)) {
            known.heard += 1;
            let Some(opener) = &call.opener else { continue };
            let key = Opener { stack: Arc::default(), ..opener.clone() };
            if known.places.len() < MOST_PLACES && known.places.insert((call.exhausted, key)) {
                let ago = time.begin_ns.saturating_sub(call.at_ns) / 1_000_000;
                let failed = FailedCall {
                    failed_at: beat.at - Millis::try_from(ago).unwrap_or(Millis::MAX),
                    pid: call.pid,
                    exhausted: call.exhausted,
                    opener: Arc::new(opener.clone()),
                    held: call.held,
                    limit: call.limit,
                };
                let fact =
                    Fact::FailedCall { at: beat.at, target: target.id, failed: failed.into() };
                beat.out.push(fact);
            }
        }
        beat.count(target.id, None, FAILED, known.heard);
        let (status, reason) = self.state();
        // The thread is shared; its cost is put down to the first target.
        let first = self.targets.keys().next() == Some(&target.id);
        let cost = self.feed.as_ref().filter(|_| first).map(Feed::cost).unwrap_or_default();
        // Judgement waits for nothing of this.
        beat.late_source(target.id, SOURCE, status, &reason, cost, None);
    }

    fn state(&self) -> (SourceStatus, String) {
        if !self.failed.is_empty() {
            return (SourceStatus::Unavailable, format!("{}: {}", self.failed, remedy()));
        }
        let Report { others, tries_all, .. } = self.latest;
        let mut says = Vec::new();
        if others > 0 {
            says.push(format!(
                "{others} calls of other processes were heard to fail, too: what the target called then \
                 may not have been heard"
            ));
        }
        let status = SourceStatus::without(&says.concat());
        if tries_all {
            says.push(
                "there are too many CPUs to listen to single calls: every call of the host is tried"
                    .to_owned(),
            );
        }
        (status, says.join("; "))
    }
}
