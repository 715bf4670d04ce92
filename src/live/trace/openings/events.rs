//! Events of calls that create file descriptors, by the threads of some processes.
//!
//! Each thread has two events a CPU: a cheap one that tells of every call, with what frame pointers
//! show and the end of the stack, and a dear one with a copy of the stack. The dear ones have rings
//! of their own, which are emptied at a fixed pace and no sooner: when calls come fast, only as many
//! stacks are copied as fit, and the cheap events go on without loss.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::time::Duration;

use perf_event::events::Tracepoint as Number;
use perf_event::{Builder, Clock, Counter};

use super::calls;
use crate::live::sys::perf;
use crate::live::trace::ring::{Rings, online};
use crate::live::trace::stack::{STACK_BYTES, Sample};
use crate::live::trace::tracepoint::{Field, Tracepoint};

/// Name of the tracepoint: every call, when it returns.
pub const TRACEPOINT: &str = "raw_syscalls/sys_exit";
/// Bytes of the stack that a cheap event copies: the caller of a function of libc, and the numbers
/// of a pair, lie there.
const SHALLOW_BYTES: u32 = 512;
/// Bytes of a ring of cheap events, largest first.
const SHALLOW_RINGS: [usize; 3] = [1 << 20, 1 << 19, 1 << 18];
/// Bytes of a ring of stacks: 60 of them, each time that it is emptied.
const DEEP_RINGS: [usize; 3] = [1 << 20, 1 << 19, 1 << 17];
/// Events, at most; each is a file of ours. Beyond that, every process of the host is listened to.
const MOST_EVENTS: usize = 2_000;
/// Rounds of looking for threads that were born while others were attached to.
const ROUNDS: usize = 8;
/// Frames that the kernel follows by frame pointers.
const CHAIN: u16 = 64;

/// Rings and what fills them.
pub struct Events {
    tracepoint: u64,
    filter: CString,
    id: Field,
    ret: Field,
    cpus: Vec<usize>,
    shallow: Rings,
    deep: Rings,
    /// Held, as an event ends with its file, and those that threads inherited from it, too.
    cheap: Vec<Counter>,
    /// The same, of those that copy stacks.
    dear: Vec<Counter>,
    copies: bool,
    tasks: BTreeSet<u32>,
    /// Threads that may tell everything twice: they may have inherited an event, too.
    twice: BTreeSet<u32>,
    pids: BTreeSet<u32>,
    whole_host: bool,
}

/// One call that created something.
#[derive(Debug, Clone, Copy)]
pub struct Created<'a> {
    /// Who, when, and from where.
    pub sample: Sample<'a>,
    /// The call.
    pub call: &'static calls::Call,
    /// What it returned.
    pub returned: u32,
    /// The sample holds as much of the stack as is ever copied.
    pub deep: bool,
    /// The thread may tell it twice.
    pub twice: bool,
}

impl Events {
    /// Finds the tracepoint and opens the rings; nobody is listened to yet.
    ///
    /// # Errors
    /// When we may not, or memory may not be locked.
    pub fn open() -> io::Result<Self> {
        let tracepoint = Tracepoint::named(TRACEPOINT)
            .map_err(|error| io::Error::other(format!("tracepoint {TRACEPOINT}: {error}")))?;
        let cpus = online()?;
        let rings = |sizes: &[usize]| {
            Rings::empty(&cpus, sizes)
                .map_err(|error| io::Error::other(format!("rings of perf_event_open: {error}")))
        };
        Ok(Self {
            id: tracepoint.field("id", size_of::<u64>())?,
            ret: tracepoint.field("ret", size_of::<u64>())?,
            tracepoint: tracepoint.id,
            filter: calls::filter(),
            shallow: rings(&SHALLOW_RINGS)?,
            deep: rings(&DEEP_RINGS)?,
            cpus,
            cheap: Vec::new(),
            dear: Vec::new(),
            copies: true,
            tasks: BTreeSet::new(),
            twice: BTreeSet::new(),
            pids: BTreeSet::new(),
            whole_host: false,
        })
    }

    /// Listens to all threads of these processes, and to those that they will start.
    ///
    /// # Errors
    /// When we may not.
    pub fn follow(&mut self, pids: &BTreeSet<u32>) -> io::Result<()> {
        self.pids.clone_from(pids);
        for round in 0..ROUNDS {
            if self.whole_host {
                return Ok(());
            }
            let mut news: Vec<u32> = pids.iter().flat_map(|&pid| tasks_of(pid)).collect();
            news.retain(|task| !self.tasks.contains(task));
            if news.is_empty() {
                return Ok(());
            }
            for task in news {
                self.tasks.insert(task);
                if round > 0 {
                    self.twice.insert(task);
                }
                self.attach(task)?;
            }
        }
        Ok(())
    }

    /// Whether every process of the host is listened to, as there were too many threads.
    pub fn whole_host(&self) -> bool {
        self.whole_host
    }

    /// Files that this takes.
    pub fn files(&self) -> usize {
        self.cheap.len() + self.dear.len() + 2 * self.cpus.len()
    }

    /// Copies no more stacks.
    pub fn copy_no_more(&mut self) {
        self.copies = false;
        self.dear.clear();
    }

    /// Events of which nothing is known but that they were.
    pub fn lost(&self) -> u64 {
        self.shallow.lost()
    }

    /// Waits until a ring of cheap events fills up, at most so long.
    ///
    /// # Errors
    /// What poll(2) answers.
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        self.shallow.wait(most)
    }

    /// Shows what came since the last time, the cheap events first; each ring is in order.
    /// `stacks`: those with a copied stack, too.
    pub fn drain(&mut self, stacks: bool, visit: &mut dyn FnMut(&Created<'_>)) {
        let Self { shallow, deep, id, ret, pids, twice, .. } = self;
        for (rings, is_deep) in [(shallow, false), (deep, true)] {
            if is_deep && !stacks {
                continue;
            }
            rings.drain_samples(&mut |bytes| {
                let Some(sample) = Sample::parse(bytes) else { return };
                if !pids.contains(&sample.pid) {
                    return;
                }
                let number = |field: &Field| field.of(sample.raw).map(u64::from_ne_bytes);
                let Some(call) = number(id).and_then(calls::by_id) else { return };
                let Some(returned) = number(ret).and_then(|ret| u32::try_from(ret).ok()) else {
                    return;
                };
                let twice = twice.contains(&sample.tid);
                visit(&Created { sample, call, returned, deep: is_deep, twice });
            });
        }
    }

    fn attach(&mut self, task: u32) -> io::Result<()> {
        let room = self.files() + 2 * self.cpus.len() <= MOST_EVENTS;
        for nth in 0..self.cpus.len() {
            if !room {
                return self.hear_everybody();
            }
            match self.listen(Some(task), nth) {
                Ok(()) => {}
                // It ended.
                Err(error) if error.raw_os_error() == Some(SRCH) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(MFILE) => {
                    return self.hear_everybody();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One pair of events a CPU, for every process of the host.
    fn hear_everybody(&mut self) -> io::Result<()> {
        self.cheap.clear();
        self.dear.clear();
        self.twice.clear();
        self.whole_host = true;
        (0..self.cpus.len()).try_for_each(|nth| self.listen(None, nth))
    }

    fn listen(&mut self, task: Option<u32>, nth: usize) -> io::Result<()> {
        let Some(&cpu) = self.cpus.get(nth) else { return Ok(()) };
        for deep in [false, true] {
            if deep && !self.copies {
                break;
            }
            let (bytes, rings) =
                if deep { (STACK_BYTES, &self.deep) } else { (SHALLOW_BYTES, &self.shallow) };
            let mut builder = Builder::new(Number::with_id(self.tracepoint));
            match task.map(i32::try_from) {
                Some(Ok(task)) => builder.observe_pid(task).inherit(true),
                _ => builder.any_pid(),
            };
            builder.one_cpu(cpu).sample_period(1).clockid(Clock::MONOTONIC).include_kernel();
            Sample::ask(&mut builder, bytes);
            // The cheap event of the same call has followed the chain.
            builder.sample_max_stack(if deep { 1 } else { CHAIN });
            // Rings of stacks wake nobody.
            builder.wakeup_watermark(if deep { DEEP_RINGS[0] } else { SHALLOW_RINGS[2] / 4 });
            let mut event = builder.build()?;
            perf::set_filter(&event, &self.filter)?;
            rings.feed(nth, &event)?;
            event.enable()?;
            if deep { self.dear.push(event) } else { self.cheap.push(event) }
        }
        Ok(())
    }
}

/// `ESRCH` and `EMFILE`.
const SRCH: i32 = 3;
const MFILE: i32 = 24;

/// The threads of a process; none when it is gone.
fn tasks_of(pid: u32) -> Vec<u32> {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}
