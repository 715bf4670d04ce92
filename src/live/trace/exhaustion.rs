//! Events of calls that fail because no more file descriptors may be had.
//!
//! Each call that creates descriptors has a tracepoint of its own, heard on each CPU for whatever
//! process runs there, and the kernel drops what did not fail: so other calls cost next to nothing,
//! and no thread has to be followed. Where there are too many CPUs for that, every call is tried.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, CString};
use std::io;
use std::time::Duration;

use perf_event::events::Tracepoint as Number;
use perf_event::{Builder, Clock, Counter, SampleFlag};

use super::openings::calls::{self, Call};
use super::openings::events::{TRACEPOINT, exec_of};
use super::ring::{Rings, Told, online, switch};
use super::stack::{STACK_BYTES, Sample};
use super::tracepoint::{Field, Tracepoint};
use crate::live::facts::Exhausted;
use crate::live::sys::perf;

/// `ENFILE` and `EMFILE`, as calls return them: what fails otherwise is of no interest.
const FAILED: &str = "(ret == -24 || ret == -23)";
const NFILE: i64 = -23;
const MFILE: i64 = -24;
/// Events, at most; each is a file of ours.
const MOST_EVENTS: usize = 4_096;
/// Bytes of a ring: a few stacks. What comes beside the first is only counted.
const RINGS: [usize; 2] = [1 << 17, 1 << 16];
/// Bytes of a ring for programs that begin.
const EXEC_RING: usize = 1 << 16;
/// Frames that the kernel follows by frame pointers.
const CHAIN: u16 = 64;

/// Rings and what fills them.
pub struct Trap {
    rings: Rings,
    execs: Rings,
    events: Vec<Counter>,
    /// What an event is about, by its number; none where every call is tried.
    calls: HashMap<u64, &'static Call>,
    id: Option<Field>,
    ret: Field,
}

/// One call that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// Who, when, and from where.
    pub sample: Sample<'a>,
    /// The call.
    pub call: &'static Call,
    /// Whose limit was reached.
    pub exhausted: Exhausted,
}

impl Trap {
    /// Opens the rings and begins to listen.
    ///
    /// # Errors
    /// When we may not, or memory may not be locked.
    pub fn set() -> io::Result<Self> {
        let cpus = online()?;
        let rings = rings(&cpus)
            .map_err(|error| io::Error::other(format!("rings of perf_event_open: {error}")))?;
        let execs = Rings::of_execs(&cpus, EXEC_RING)?;
        let points = points(cpus.len())?;
        let ret = points[0].0.field("ret", size_of::<i64>())?;
        let id = match points[0].1 {
            Some(_) => None,
            None => Some(points[0].0.field("id", size_of::<u64>())?),
        };
        let mut trap = Self { rings, execs, events: Vec::new(), calls: HashMap::new(), id, ret };
        for (point, call) in &points {
            let filter = match call {
                Some(_) => CString::new(FAILED)?,
                None => calls::only(FAILED),
            };
            for (nth, &cpu) in cpus.iter().enumerate() {
                let event = event(point, cpu, &filter)?;
                trap.rings.feed(nth, &event)?;
                trap.calls.extend(call.map(|call| (event.id(), call)));
                trap.events.push(event);
            }
        }
        trap.arm(true)?;
        Ok(trap)
    }

    /// Files that this takes.
    pub fn files(&self) -> usize {
        self.events.len() + self.rings.count() + self.execs.count()
    }

    /// Whether every call of the host is tried, which costs more.
    pub fn tries_all(&self) -> bool {
        self.id.is_some()
    }

    /// Begins to listen again, or ceases to.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn arm(&mut self, armed: bool) -> io::Result<()> {
        switch(&mut self.events, armed)
    }

    /// Waits until a call fails, at most so long.
    ///
    /// # Errors
    /// What poll(2) answers.
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        self.rings.wait(most)
    }

    /// Shows what came since the last time. `pids`: processes of which execs are told.
    pub fn drain(&mut self, pids: &BTreeSet<u32>, visit: &mut dyn FnMut(Heard<'_>)) {
        let Self { rings, execs, calls, id, ret, .. } = self;
        execs.drain_all(&mut |told| {
            if let Told::Exec(bytes) = told
                && let Some((pid, at_ns)) = exec_of(bytes)
                && pids.contains(&pid)
            {
                visit(Heard::Exec { pid, at_ns });
            }
        });
        rings.drain_all(&mut |told| {
            let Told::Sample(bytes) = told else { return };
            let Some((&event, bytes)) = bytes.split_first_chunk() else { return };
            let Some(sample) = Sample::parse(bytes) else { return };
            let number = |field: Field| field.of(sample.raw).map(i64::from_ne_bytes);
            let by_id = id.and_then(number).and_then(|id| calls::by_id(id.cast_unsigned()));
            let by_event = calls.get(&u64::from_ne_bytes(event)).copied();
            let (Some(call), Some(returned)) = (by_id.or(by_event), number(*ret)) else { return };
            let exhausted = match returned {
                MFILE => Exhausted::Process,
                NFILE => Exhausted::System,
                _ => return,
            };
            visit(Heard::Failed(Failed { sample, call, exhausted }));
        });
    }

    /// Whether execs were not told: it is not known then what a process ran.
    pub fn execs_lost(&self) -> bool {
        self.execs.lost() > 0 || self.execs.maybe_lost()
    }
}

/// What is heard.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// A call failed.
    Failed(Failed<'a>),
    /// A process became another program.
    Exec {
        /// Which.
        pid: u32,
        /// When.
        at_ns: u64,
    },
}

fn rings(cpus: &[usize]) -> io::Result<Rings> {
    let mut refused = io::Error::other("no ring");
    for bytes in RINGS {
        // The first event wakes us.
        match Rings::waking_at(cpus, bytes, 1) {
            Ok(rings) => return Ok(rings),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The tracepoints to listen to: one a call, or that of all calls.
fn points(cpus: usize) -> io::Result<Vec<(Tracepoint, Option<&'static Call>)>> {
    // A call that this kernel does not have has none.
    let of_call = |call: &'static Call| {
        let point = Tracepoint::named(&format!("syscalls/sys_exit_{}", call.name)).ok()?;
        Some((point, Some(call)))
    };
    let each: Vec<_> = calls::all().filter_map(of_call).collect();
    if !each.is_empty() && each.len() * cpus <= MOST_EVENTS {
        return Ok(each);
    }
    let all = Tracepoint::named(TRACEPOINT)
        .map_err(|error| io::Error::other(format!("tracepoint {TRACEPOINT}: {error}")))?;
    Ok(vec![(all, None)])
}

/// An event on one CPU, that is not armed yet.
fn event(point: &Tracepoint, cpu: usize, filter: &CStr) -> io::Result<Counter> {
    let mut builder = Builder::new(Number::with_id(point.id));
    builder.any_pid().one_cpu(cpu).sample_period(1).clockid(Clock::MONOTONIC).include_kernel();
    builder.sample(SampleFlag::IDENTIFIER);
    Sample::ask(&mut builder, STACK_BYTES);
    builder.sample_max_stack(CHAIN);
    let event = builder.build()?;
    perf::set_filter(&event, filter)?;
    Ok(event)
}
