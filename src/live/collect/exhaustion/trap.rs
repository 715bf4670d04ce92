//! The thread that waits for a call that fails: it says which, from where, and how full the table was.
//!
//! Whoever fails is likely to try again at once, over and over. So after each reading that brought
//! something the trap rests: what failed meanwhile is not heard, and costs nobody anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use crate::live::collect::feed::{Closed, Outlet};
use crate::live::collect::openers::places;
use crate::live::collect::openers::programs::Programs;
use crate::live::collect::sampler::cpu_time;
use crate::live::collect::traced::monotonic_ns;
use crate::live::collect::{fd_table, limits};
use crate::live::facts::{Exhausted, Opener};
use crate::live::target::Process;
use crate::live::trace::exhaustion::{Failed, Heard, Trap};
use crate::live::trace::stack::Copied;

/// Without an event, somebody may have asked something so long ago.
const WAIT: Duration = Duration::from_millis(100);
/// So long nothing is heard after something was.
const REST_NS: u64 = 1_000_000_000;
/// A process that goes on failing is worth another look at all it holds after so long.
const LOOK_AGAIN_NS: u64 = 300_000_000_000;
/// CPU time spent on stacks of one reading; the first is looked at in any case.
const SPENT: Duration = Duration::from_millis(20);

/// One call that failed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) at_ns: u64,
    pub(super) pid: u32,
    pub(super) exhausted: Exhausted,
    /// `None`: more failed at once than is looked at.
    pub(super) opener: Option<Opener>,
    pub(super) held: Option<u64>,
    pub(super) limit: Option<u64>,
}

/// What the thread hands over.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Of processes that are listened to, in order of time.
    pub(super) calls: Vec<Call>,
    /// How many of other processes were heard so far.
    pub(super) others: u64,
    /// Every call of the host is tried.
    pub(super) tries_all: bool,
}

/// An event before it was looked at.
struct Event {
    at_ns: u64,
    pid: u32,
    exhausted: Exhausted,
    call: &'static str,
    copied: Copied,
}

struct Listener {
    trap: Trap,
    pids: BTreeSet<u32>,
    programs: Programs,
    others: u64,
    /// When a look was last asked for, by process.
    looked: BTreeMap<u32, u64>,
}

/// Hears of calls of some processes that fail, until nobody listens any more. `asks`: which
/// processes these are from now on. `fired`: set when a look is wanted.
pub(super) fn listen(
    pids: BTreeSet<u32>,
    asks: &Receiver<BTreeSet<u32>>,
    fired: &AtomicBool,
    outlet: &Outlet<Result<Report, String>>,
) -> Result<(), Closed> {
    match Trap::set() {
        Ok(trap) => {
            let (programs, looked) = Default::default();
            Listener { trap, pids, programs, others: 0, looked }.run(asks, fired, outlet)
        }
        Err(error) => outlet.put(Err(error.to_string())),
    }
}

impl Listener {
    fn run(
        &mut self,
        asks: &Receiver<BTreeSet<u32>>,
        fired: &AtomicBool,
        outlet: &Outlet<Result<Report, String>>,
    ) -> Result<(), Closed> {
        outlet.put(Ok(self.report(Vec::new())))?;
        let mut rests_until = None;
        loop {
            if let Err(error) = self.trap.wait(WAIT) {
                return outlet.put(Err(error.to_string()));
            }
            match asks.try_recv() {
                Ok(pids) => {
                    self.programs.keep(&pids);
                    self.looked.retain(|pid, _| pids.contains(pid));
                    self.pids = pids;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
            let before = self.others;
            let events = self.hear();
            let heard = !events.is_empty() || self.others != before;
            let now = monotonic_ns();
            let rested = rests_until.is_some_and(|until| now >= until);
            let armed = match (heard, rested) {
                (true, _) => {
                    rests_until = Some(now + REST_NS);
                    self.trap.arm(false)
                }
                (false, true) => {
                    rests_until = None;
                    self.trap.arm(true)
                }
                (false, false) => Ok(()),
            };
            if let Err(error) = armed {
                return outlet.put(Err(error.to_string()));
            }
            if heard {
                let look = self.wants_look(&events, now);
                let calls = self.look_at(events);
                outlet.put(Ok(self.report(calls)))?;
                if look {
                    fired.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Takes in what the rings hold, in order of time.
    fn hear(&mut self) -> Vec<Event> {
        let Self { trap, pids, programs, others, .. } = self;
        let mut events = Vec::new();
        trap.drain(pids, &mut |heard| match heard {
            Heard::Exec { pid, at_ns } => programs.exec(pid, at_ns),
            Heard::Failed(Failed { sample, call, exhausted }) => {
                if pids.contains(&sample.pid) {
                    events.push(Event {
                        at_ns: sample.time_ns,
                        pid: sample.pid,
                        exhausted,
                        call: call.name,
                        copied: sample.copied(),
                    });
                } else {
                    *others += 1;
                }
            }
        });
        events.sort_by_key(|event| event.at_ns);
        events
    }

    /// Whether all that is held should be looked at now.
    fn wants_look(&mut self, events: &[Event], now: u64) -> bool {
        let mut wanted = false;
        for event in events {
            let last = self.looked.get(&event.pid);
            if last.is_none_or(|&last| now.saturating_sub(last) >= LOOK_AGAIN_NS) {
                self.looked.insert(event.pid, now);
                wanted = true;
            }
        }
        wanted
    }

    fn look_at(&mut self, events: Vec<Event>) -> Vec<Call> {
        // How full it is comes first: stacks take longer.
        let counted: Vec<_> = events.into_iter().map(|event| (counts(&event), event)).collect();
        let begin = cpu_time();
        let mut calls = Vec::new();
        for ((held, limit), event) in counted {
            let spent = !calls.is_empty() && cpu_time().saturating_sub(begin) >= SPENT;
            let opener = (!spent).then(|| self.place(&event));
            let Event { at_ns, pid, exhausted, .. } = event;
            calls.push(Call { at_ns, pid, exhausted, opener, held, limit });
        }
        calls
    }

    fn place(&mut self, event: &Event) -> Opener {
        if self.trap.execs_lost() {
            let why = "it is not known whether the process still ran the same program (exec)";
            return places::unknown(event.call, why);
        }
        match self.programs.code(event.pid, event.at_ns) {
            Ok(code) => places::of_frames(&code.frames(&event.copied), event.call),
            Err(why) => places::unknown(event.call, why),
        }
    }

    fn report(&self, calls: Vec<Call>) -> Report {
        Report { calls, others: self.others, tries_all: self.trap.tries_all() }
    }
}

/// How many are held, and how many there may be, of whatever was exhausted.
fn counts(event: &Event) -> (Option<u64>, Option<u64>) {
    if event.exhausted == Exhausted::System {
        return limits::files_of_host()
            .map_or((None, None), |(used, most)| (Some(used), Some(most)));
    }
    let Ok(process) = Process::open(event.pid, 0) else { return (None, None) };
    // The table of the very thread: threads may have tables of their own.
    let table = format!("task/{}/fd", event.copied.tid);
    let held = fd_table::count(process.dir(), &table).ok();
    (held, limits::files_of(&process).ok().flatten())
}
