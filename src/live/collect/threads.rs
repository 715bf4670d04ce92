//! Threads: identity by tid and start time, activity by their scheduler statistics.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::beat::Beat;
use super::own::{self, Refusals};
use super::pattern;
use super::started::Started;
use crate::live::facts::{Activity, Change, Fact, HandleFacts, HandleId, Millis, SourceStatus};
use crate::live::host::patience;
use crate::live::target::{Process, Target, start_ms, stat_of};

/// Threads that are looked into on one beat; the rest are counted by the `threads` gauge only.
const MAX_THREADS: usize = 4096;
/// Threads of which it is told where they stand in the kernel, where that is asked for.
const MAX_STACKS: usize = 1024;
/// Functions of one stack.
const MAX_FRAMES: usize = 64;

/// Follows the threads of one target.
#[derive(Debug, Default)]
pub struct Threads {
    /// Of so many more threads it is told where they stand in the kernel; `None`: not asked for.
    stacks: Option<usize>,
    /// Threads whose stack could not be read, and why, of the first of them.
    unread: Refusals,
    /// The kernel let us wait for a stack.
    waited: bool,
    known: BTreeMap<(u32, u32), Known>,
    last_beat: Millis,
    /// Found first by the last look.
    pub(super) started: Vec<Started>,
}

#[derive(Debug)]
struct Known {
    id: HandleId,
    start_ticks: u64,
    ran: Option<u64>,
    activity: Activity,
    state: &'static str,
    seen: bool,
}

impl Threads {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells of new threads where they stand in the kernel, too.
    pub fn with_stacks(&mut self) {
        self.stacks = Some(MAX_STACKS);
    }

    /// Reports births, deaths and activity since the last beat.
    pub fn sample(&mut self, target: &Target, cost: Duration, beat: &mut Beat<'_>) {
        self.started.clear();
        let mut budget = MAX_THREADS;
        let mut left_out = 0;
        let mut errors = Vec::new();
        let mut refused = Refusals::default();
        let mut total = None;
        for process in &target.processes {
            match tids(process.dir()) {
                Ok(tids) => {
                    let count = tids.len() as f64;
                    total = Some(total.unwrap_or(0.0) + count);
                    beat.gauge(target.id, Some(process.pid), "threads", count);
                    for tid in tids {
                        if budget == 0 {
                            left_out += 1;
                            continue;
                        }
                        budget -= 1;
                        if let Err(error) = self.look(target, process, tid, beat)
                            && !own::is_gone(error)
                        {
                            refused.add(error);
                        }
                    }
                }
                Err(error) => errors.push(format!("threads of {}: {error}", process.pid)),
            }
        }
        if let Some(total) = total {
            beat.gauge(target.id, None, "threads", total);
        }
        if let Some(error) = refused.first {
            let (count, why) = (refused.count, own::why(error));
            errors.push(format!("{count} threads are not told apart: {why}"));
        }
        // With some left out, absence is no death.
        if left_out == 0 && errors.is_empty() {
            let at = beat.at;
            self.known.retain(|_, known| {
                if !known.seen {
                    beat.out.push(Fact::Close { at, id: known.id });
                }
                known.seen
            });
        }
        for known in self.known.values_mut() {
            known.seen = false;
        }
        self.last_beat = beat.at;
        if left_out > 0 {
            errors.push(format!(
                "{left_out} threads above the first {MAX_THREADS} are counted but not told apart"
            ));
        }
        if let Some(error) = self.unread.first {
            let (count, why) = (self.unread.count, own::why_stack(error));
            errors.push(format!("where {count} threads stand in the kernel is not known: {why}"));
        }
        if self.stacks == Some(0) {
            errors.push(format!(
                "of the first {MAX_STACKS} threads only it is told where they stand"
            ));
        }
        let reason = errors.join("; ");
        beat.source(target.id, "threads", SourceStatus::without(&reason), &reason, cost);
    }

    fn look(
        &mut self,
        target: &Target,
        process: &Process,
        tid: u32,
        beat: &mut Beat<'_>,
    ) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(process.dir(), format!("task/{tid}"), flags, Mode::empty())?;
        let stat = stat_of(dir.as_fd())
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let ran = run_time(dir.as_fd()).or(Some(stat.utime + stat.stime));
        let state = match stat.state {
            'Z' | 'X' => "zombie",
            'T' | 't' => "stopped",
            'D' => "uninterruptible",
            _ => "",
        };
        let key = (process.pid, tid);
        let reused = self.known.get(&key).is_some_and(|k| k.start_ticks != stat.starttime);
        if reused && let Some(old) = self.known.remove(&key) {
            beat.out.push(Fact::Close { at: beat.at, id: old.id });
        }
        let Some(known) = self.known.get_mut(&key) else {
            let id = self.born(target, process, key, &stat, ran, state, beat);
            self.stack(id, dir, beat);
            return Ok(());
        };
        known.seen = true;
        let activity = match (known.ran == ran, known.activity) {
            (false, _) => Activity::Awake,
            // Silent since the last beat at which it had run.
            (true, Activity::Awake) => Activity::SilentSince(beat.quantise(self.last_beat)),
            (true, silent) => silent,
        };
        known.ran = ran;
        if activity != known.activity {
            known.activity = activity;
            let change = Change::Activity(activity);
            beat.out.push(Fact::Change { at: beat.at, id: known.id, change });
        }
        // A short wait for the disk is no state of its own: it must last for two beats.
        if state != known.state {
            known.state = state;
            let change = Change::State(state.into());
            beat.out.push(Fact::Change { at: beat.at, id: known.id, change });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all of it describes the one new thread")]
    fn born(
        &mut self,
        target: &Target,
        process: &Process,
        key: (u32, u32),
        stat: &procfs::process::Stat,
        ran: Option<u64>,
        state: &'static str,
        beat: &mut Beat<'_>,
    ) -> HandleId {
        let id = beat.ids.next_id();
        // The kernel tells the true birth, but never before what was already judged.
        let start = process.started_ms + start_ms(stat.starttime) - start_ms(process.start_ticks);
        let pre = beat.first;
        // Two beats may fall into one millisecond: then this one wins.
        let at = if pre { beat.at } else { start.max(self.last_beat + 1).min(beat.at) };
        let name: Arc<str> = Arc::from(stat.comm.as_str());
        beat.out.push(Fact::Open {
            at,
            target: target.id,
            id,
            pre,
            start_up: start - process.started_ms < beat.start_up_ms,
            facts: Arc::new(HandleFacts {
                peer: pattern::of_name(&stat.comm).into(),
                state: state.into(),
                activity: Activity::Awake,
                label: name,
                pid: Some(process.pid),
                born: Some(Box::new(start)),
                ..HandleFacts::of_kind("thread")
            }),
        });
        let known = Known {
            id,
            start_ticks: stat.starttime,
            ran,
            activity: Activity::Awake,
            state,
            seen: true,
        };
        self.known.insert(key, known);
        let (of, number) = key;
        self.started.push(Started { id, of, number, ticks: stat.starttime, kind: "thread" });
        id
    }

    /// Tells where a thread stands, if that was asked for.
    fn stack(&mut self, id: HandleId, task: OwnedFd, beat: &mut Beat<'_>) {
        let Some(left) = self.stacks.filter(|&left| left > 0) else { return };
        self.stacks = Some(left - 1);
        // One that keeps us waiting is most likely not the only one.
        let told = if self.waited {
            None
        } else {
            patience::within("poolscan-stack", move || frames(task.as_fd()))
        };
        self.waited |= told.is_none();
        match told.unwrap_or(Err(Errno::TIMEDOUT)) {
            Ok(frames) => {
                let change = Change::Stack(frames);
                beat.out.push(Fact::Change { at: beat.at, id, change });
            }
            Err(error) if own::is_gone(error) => {}
            Err(error) => self.unread.add(error),
        }
    }
}

/// The functions that a thread is in, innermost first: its stack, which only root may read, or
/// else the one function it sleeps in. Empty while it runs.
fn frames(task: BorrowedFd<'_>) -> Result<Arc<[Arc<str>]>, Errno> {
    let read = |name: &str| -> Result<String, Errno> {
        let file = openat(task, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut buffer = [0; 8192];
        let length = rustix::io::read(&file, &mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    match read("stack") {
        // `[<0>] do_nanosleep+0x6b/0xe0`
        Ok(text) => Ok(text
            .lines()
            .take(MAX_FRAMES)
            .map(|line| Arc::from(line.split_once("] ").map_or(line, |(_, frame)| frame)))
            .collect()),
        Err(error) => {
            let function = read("wchan").ok().filter(|text| !matches!(text.trim(), "" | "0"));
            function.map(|function| Arc::from([Arc::from(function.trim())])).ok_or(error)
        }
    }
}

fn tids(process: BorrowedFd<'_>) -> rustix::io::Result<Vec<u32>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(process, "task", flags, Mode::empty())?;
    let mut tids = Vec::new();
    for entry in rustix::fs::Dir::new(folder)? {
        if let Some(tid) = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            tids.push(tid);
        }
    }
    Ok(tids)
}

/// Run time in nanoseconds from `schedstat`; `None` where the kernel keeps none.
pub(super) fn run_time(task: BorrowedFd<'_>) -> Option<u64> {
    let file = openat(task, "schedstat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0; 96];
    let length = rustix::io::read(&file, &mut buffer).ok()?;
    let text = std::str::from_utf8(&buffer[..length]).ok()?;
    text.split_whitespace().next()?.parse().ok().filter(|&ran| ran > 0)
}
