//! Events of calls that create file descriptors, by the threads of some processes.
//!
//! Each thread has two events a CPU: a cheap one that tells of every call, with what frame pointers
//! show and the end of the stack, and a dear one with a copy of the stack. The dear ones are switched
//! on only while something is opened whose place the cheap ones do not show. They have rings
//! of their own, which are emptied at a fixed pace and no sooner: when calls come fast, only as many
//! stacks are copied as fit, and the cheap events go on without loss.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, CString};
use std::io;
use std::time::Duration;

use perf_event::events::Tracepoint as Number;
use perf_event::{Builder, Clock, Counter, SampleFlag};

use super::calls;
use crate::live::sys::perf;
use crate::live::trace::ring::{Rings, Told, online, switch};
use crate::live::trace::stack::{STACK_BYTES, Sample};
use crate::live::trace::tracepoint::{Field, Tracepoint};

/// Name of the tracepoint: every call, when it returns.
pub const TRACEPOINT: &str = "raw_syscalls/sys_exit";
/// Bytes of the stack that a cheap event copies: the caller of a function of libc, and the numbers
/// of a pair, lie there, and all of a small function's stack.
pub const SHALLOW_BYTES: u32 = 1024;
/// Bytes of a ring of cheap events, largest first.
const SHALLOW_RINGS: [usize; 6] = [8 << 20, 4 << 20, 2 << 20, 1 << 20, 1 << 19, 1 << 18];
/// Bytes of all of these together, where there are many CPUs.
const MOST_RINGS: usize = 32 << 20;
/// Bytes of a ring of stacks: 60 of them, each time that it is emptied.
const DEEP_RINGS: [usize; 3] = [1 << 20, 1 << 19, 1 << 17];
/// Events, at most; each is a file of ours. Beyond that, every process of the host is listened to.
const MOST_EVENTS: usize = 2_000;
/// Rounds of looking for threads that were born while others were attached to.
const ROUNDS: usize = 8;
/// Bytes of the stack that is copied of calls that receive messages: what came with them may lie there.
const RECEIVED_BYTES: u32 = 3 * 1024;
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
    /// What an event was opened for, by its number: a thread that has events of its own and inherited
    /// some tells everything as often.
    origins: HashMap<u64, u32>,
    copies: bool,
    /// Events of calls that receive messages, where these are listened to.
    received: Vec<Counter>,
    receives: bool,
    tasks: BTreeSet<u32>,
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
    /// The thread that the event was opened for: this one, or one that it inherited it from.
    pub origin: u32,
}

/// What is heard.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// A call created something.
    Created(Created<'a>),
    /// A process became another program.
    Exec {
        /// Which.
        pid: u32,
        /// When.
        at_ns: u64,
    },
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
        let (shallow, deep) = rings(&cpus)
            .map_err(|error| io::Error::other(format!("rings of perf_event_open: {error}")))?;
        Ok(Self {
            id: tracepoint.field("id", size_of::<u64>())?,
            ret: tracepoint.field("ret", size_of::<u64>())?,
            tracepoint: tracepoint.id,
            filter: calls::filter(),
            shallow,
            deep,
            cpus,
            cheap: Vec::new(),
            dear: Vec::new(),
            origins: HashMap::new(),
            copies: true,
            received: Vec::new(),
            receives: false,
            tasks: BTreeSet::new(),
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
        for _ in 0..ROUNDS {
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
                self.attach(task)?;
                if self.receives && !self.whole_host {
                    self.attach_received(Some(task))?;
                }
                if self.whole_host {
                    return Ok(());
                }
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
        self.cheap.len() + self.dear.len() + self.received.len() + 2 * self.cpus.len()
    }

    /// Begins or ceases to copy stacks.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn copy(&mut self, copies: bool) -> io::Result<()> {
        if self.copies != copies {
            self.copies = copies;
            switch(&mut self.dear, copies)?;
        }
        Ok(())
    }

    /// Begins or ceases to listen to calls that receive messages.
    ///
    /// # Errors
    /// When the kernel refuses it, or it would take too many files.
    pub fn receive(&mut self, receives: bool) -> io::Result<()> {
        if self.receives == receives {
            return Ok(());
        }
        self.receives = receives;
        if !receives {
            for event in std::mem::take(&mut self.received) {
                self.origins.remove(&event.id());
            }
            return Ok(());
        }
        let tasks: Vec<Option<u32>> = if self.whole_host {
            vec![None]
        } else {
            self.tasks.iter().copied().map(Some).collect()
        };
        tasks.into_iter().try_for_each(|task| self.attach_received(task))
    }

    /// Whether calls that receive messages are listened to.
    pub fn receives(&self) -> bool {
        self.receives
    }

    /// Whether stacks are copied.
    pub fn copies(&self) -> bool {
        self.copies
    }

    /// Events of which nothing is known but that they were.
    pub fn lost(&self) -> u64 {
        self.shallow.lost()
    }

    /// Whether there may be more of them.
    pub fn maybe_lost(&self) -> bool {
        self.shallow.maybe_lost()
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
    pub fn drain(&mut self, stacks: bool, visit: &mut dyn FnMut(&Heard<'_>)) {
        let Self { shallow, deep, id, ret, pids, origins, .. } = self;
        for (rings, is_deep) in [(shallow, false), (deep, true)] {
            if is_deep && !stacks {
                continue;
            }
            rings.drain_all(&mut |told| match told {
                Told::Sample(bytes) => {
                    let Some((&event, bytes)) = bytes.split_first_chunk() else { return };
                    let Some(sample) = Sample::parse(bytes) else { return };
                    if !pids.contains(&sample.pid) {
                        return;
                    }
                    let number = |field: &Field| field.of(sample.raw).map(u64::from_ne_bytes);
                    let Some(call) = number(id).and_then(calls::by_id) else { return };
                    let Some(returned) = number(ret).and_then(|ret| u32::try_from(ret).ok()) else {
                        return;
                    };
                    let event = u64::from_ne_bytes(event);
                    let origin = origins.get(&event).copied().unwrap_or_default();
                    let created = Created { sample, call, returned, deep: is_deep, origin };
                    visit(&Heard::Created(created));
                }
                Told::Exec(bytes) => {
                    if let Some((pid, at_ns)) = exec_of(bytes)
                        && pids.contains(&pid)
                    {
                        visit(&Heard::Exec { pid, at_ns });
                    }
                }
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

    fn attach_received(&mut self, task: Option<u32>) -> io::Result<()> {
        let filter = calls::receives_filter();
        for nth in 0..self.cpus.len() {
            if self.files() >= MOST_EVENTS {
                return Err(io::Error::other("too many threads to listen to what they receive"));
            }
            let mut event = match self.event(task, nth, RECEIVED_BYTES, CHAIN, &filter) {
                Ok(event) => event,
                Err(error) if error.raw_os_error() == Some(SRCH) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.shallow.feed(nth, &event)?;
            event.enable()?;
            self.origins.insert(event.id(), task.unwrap_or_default());
            self.received.push(event);
        }
        Ok(())
    }

    /// One pair of events a CPU, for every process of the host.
    fn hear_everybody(&mut self) -> io::Result<()> {
        self.cheap.clear();
        self.dear.clear();
        self.origins.clear();
        self.received.clear();
        self.whole_host = true;
        (0..self.cpus.len()).try_for_each(|nth| self.listen(None, nth))?;
        if self.receives { self.attach_received(None) } else { Ok(()) }
    }

    fn listen(&mut self, task: Option<u32>, nth: usize) -> io::Result<()> {
        for deep in [false, true] {
            // Of the dear event, the cheap one of the same call has followed the chain.
            let (bytes, chain, rings) = if deep {
                (STACK_BYTES, 1, &self.deep)
            } else {
                (SHALLOW_BYTES, CHAIN, &self.shallow)
            };
            let mut event = self.event(task, nth, bytes, chain, &self.filter)?;
            rings.feed(nth, &event)?;
            if !deep || self.copies {
                event.enable()?;
            }
            self.origins.insert(event.id(), task.unwrap_or_default());
            if deep { self.dear.push(event) } else { self.cheap.push(event) }
        }
        Ok(())
    }

    /// An event on one of the CPUs, of a task or of all, that copies so much.
    fn event(
        &self,
        task: Option<u32>,
        nth: usize,
        bytes: u32,
        chain: u16,
        filter: &CStr,
    ) -> io::Result<Counter> {
        let cpu = self.cpus.get(nth).copied().unwrap_or_default();
        let mut builder = Builder::new(Number::with_id(self.tracepoint));
        match task.map(i32::try_from) {
            Some(Ok(task)) => builder.observe_pid(task).inherit(true),
            _ => builder.any_pid(),
        };
        builder.one_cpu(cpu).sample_period(1).clockid(Clock::MONOTONIC).include_kernel();
        builder.sample(SampleFlag::IDENTIFIER);
        Sample::ask(&mut builder, bytes);
        builder.sample_max_stack(chain);
        if bytes == SHALLOW_BYTES {
            // Told with time and process behind it.
            builder.comm(true).comm_exec(true).sample_id_all(true);
        }
        let event = builder.build()?;
        perf::set_filter(&event, filter)?;
        Ok(event)
    }
}

/// Rings of cheap events and of stacks, the largest that we may have: what may be locked is for both.
fn rings(cpus: &[usize]) -> io::Result<(Rings, Rings)> {
    let mut refused = io::Error::other("no ring");
    for deep in DEEP_RINGS {
        let deep = match Rings::empty(cpus, deep) {
            Ok(deep) => deep,
            Err(error) => {
                refused = error;
                continue;
            }
        };
        for &shallow in fitting(cpus.len()) {
            match Rings::empty(cpus, shallow) {
                Ok(shallow) => return Ok((shallow, deep)),
                Err(error) => refused = error,
            }
        }
    }
    Err(refused)
}

/// The sizes of rings that all CPUs together may have.
fn fitting(cpus: usize) -> &'static [usize] {
    let fits = |size: &usize| size * cpus <= MOST_RINGS;
    let first = SHALLOW_RINGS.iter().position(fits).unwrap_or(SHALLOW_RINGS.len() - 1);
    &SHALLOW_RINGS[first..]
}

/// The process of a record of an exec, and when: thread, time and event stand at its end.
pub fn exec_of(bytes: &[u8]) -> Option<(u32, u64)> {
    let pid = u32::from_ne_bytes(*bytes.first_chunk()?);
    let (_, end) = bytes.split_last_chunk::<16>()?;
    Some((pid, u64::from_ne_bytes(*end.first_chunk()?)))
}

/// `ESRCH` and `EMFILE`.
const SRCH: i32 = 3;
const MFILE: i32 = 24;

/// The threads of a process; none when it is gone.
fn tasks_of(pid: u32) -> Vec<u32> {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_of_many_cpus_are_smaller() {
        assert_eq!(fitting(2)[0], 8 << 20);
        assert_eq!(fitting(16)[0], 2 << 20);
        assert_eq!(fitting(4096), [1 << 18]);
    }

    #[test]
    fn an_exec_is_told_with_its_time() {
        let mut bytes = Vec::new();
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(8_u32.to_ne_bytes());
        bytes.extend(*b"program\0");
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(8_u32.to_ne_bytes());
        bytes.extend(99_u64.to_ne_bytes());
        bytes.extend(5_u64.to_ne_bytes());
        assert_eq!(exec_of(&bytes), Some((7, 99)));
        assert_eq!(exec_of(&bytes[..3]), None);
        assert_eq!(exec_of(&[]), None);
    }
}
