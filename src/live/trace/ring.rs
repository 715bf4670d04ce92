//! The rings into which the kernel writes events of a tracepoint, one a CPU, read in order of time.

use std::ffi::CStr;
use std::io;
use std::time::Duration;

use perf_event::events::{Software, Tracepoint as Number};
use perf_event::{Builder, Clock, Counter, SampleFlag, Sampler};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::live::sys::perf;

/// Bytes of a ring, behind its first page, largest first: an ordinary user may have 516 KiB of them
/// for each CPU (kernel.perf_event_mlock_kb).
const SIZES: [usize; 4] = [1 << 20, 1 << 19, 1 << 18, 1 << 16];
/// Records taken from a ring at a time: more may come as fast as they are read.
const AT_A_TIME: usize = 65_536;
/// `PERF_RECORD_LOST`, `PERF_RECORD_COMM` and `PERF_RECORD_SAMPLE`.
const LOST: u32 = 2;
const COMM: u32 = 3;
const SAMPLE: u32 = 9;
/// `PERF_RECORD_MISC_COMM_EXEC`: the name is new because the program is.
const BY_EXEC: u16 = 1 << 13;
/// More than any record that is asked for takes, but for those with a copied stack.
const MOST_RECORD: usize = 4 << 10;

/// Rings, one a CPU.
#[derive(Default)]
pub struct Rings {
    rings: Vec<Ring>,
    lost: u64,
}

/// The ring of one CPU.
struct Ring {
    sampler: Sampler,
    bytes: usize,
    /// It was full when it was read last: that something was lost is told with the next event only.
    full: bool,
}

/// What a ring tells, but for losses.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A sample, of the shape that was asked for.
    Sample(&'a [u8]),
    /// A process runs another program: what stands behind the header.
    Exec(&'a [u8]),
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// When, by the monotonic clock.
    pub time_ns: u64,
    /// The process in whose context it was written.
    pub pid: u32,
    /// What the tracepoint tells.
    pub raw: &'a [u8],
}

impl Rings {
    /// Opens a ring on every CPU, for events of all processes that pass the filter.
    ///
    /// # Errors
    /// When we may not (CAP_PERFMON), the filter does not suit, or memory may not be locked.
    pub fn open(tracepoint: u64, filter: &CStr) -> io::Result<Self> {
        let mut rings = Self::default();
        for cpu in online()? {
            rings.rings.push(on(cpu, tracepoint, filter)?);
        }
        Ok(rings)
    }

    /// Opens an empty ring of so many bytes on each of these CPUs, for whatever [`Rings::feed`]
    /// leads into it.
    ///
    /// # Errors
    /// When so much memory may not be locked.
    pub fn empty(cpus: &[usize], bytes: usize) -> io::Result<Self> {
        Self::waking_at(cpus, bytes, bytes / 4)
    }

    /// The same, of rings that wake their reader when they hold so many bytes.
    ///
    /// # Errors
    /// When so much memory may not be locked.
    pub fn waking_at(cpus: &[usize], bytes: usize, watermark: usize) -> io::Result<Self> {
        let rings: io::Result<_> = cpus.iter().map(|&cpu| owner(cpu, bytes, watermark)).collect();
        Ok(Self { rings: rings?, lost: 0 })
    }

    /// Opens a ring on each of these CPUs that tells when any process becomes another program.
    ///
    /// # Errors
    /// When we may not (CAP_PERFMON), or memory may not be locked.
    pub fn of_execs(cpus: &[usize], bytes: usize) -> io::Result<Self> {
        let open = |&cpu: &usize| {
            let mut builder = Builder::new(Software::DUMMY);
            builder.any_pid().one_cpu(cpu).clockid(Clock::MONOTONIC).wakeup_watermark(bytes / 4);
            // Told with thread, time and event behind it.
            builder.comm(true).comm_exec(true).sample_id_all(true).include_kernel();
            for part in [SampleFlag::IDENTIFIER, SampleFlag::TID, SampleFlag::TIME] {
                builder.sample(part);
            }
            let mut event = builder.build()?;
            event.enable()?;
            Ok(Ring { sampler: event.sampled(bytes)?, bytes, full: false })
        };
        let rings: io::Result<_> = cpus.iter().map(open).collect();
        Ok(Self { rings: rings?, lost: 0 })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.rings.len()
    }

    /// Leads what an event tells into the ring of the CPU that is `nth` of those that were named.
    ///
    /// # Errors
    /// When there is none, or the event is of another CPU or clock.
    pub fn feed(&self, nth: usize, event: &Counter) -> io::Result<()> {
        let ring = self.rings.get(nth).ok_or_else(|| io::Error::other("no ring"))?;
        perf::redirect(event, &ring.sampler)
    }

    /// Waits until a ring fills up, at most so long.
    ///
    /// # Errors
    /// What poll(2) answers.
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        let files = self.rings.iter().map(|ring| perf::fd(&ring.sampler));
        let mut polled: Vec<PollFd<'_>> =
            files.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN)).collect();
        let most = Timespec::try_from(most).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Shows what the rings hold, ring by ring; each is in order.
    pub fn drain(&mut self, visit: &mut dyn FnMut(&Event<'_>)) {
        self.drain_all(&mut |told| {
            if let Told::Sample(bytes) = told
                && let Some(event) = event_of(bytes)
            {
                visit(&event);
            }
        });
    }

    /// The same, of samples of any shape and what else is told.
    pub fn drain_all(&mut self, visit: &mut dyn FnMut(Told<'_>)) {
        for ring in &mut self.rings {
            let mut read = 0;
            for _ in 0..AT_A_TIME {
                let Some(record) = ring.sampler.next_record() else { break };
                let bytes = record.to_contiguous();
                read += bytes.len() + HEADER;
                // Had something been lost, this would come first.
                ring.full = false;
                match record.ty() {
                    SAMPLE => visit(Told::Sample(&bytes)),
                    COMM if record.misc() & BY_EXEC != 0 => visit(Told::Exec(&bytes)),
                    LOST => self.lost = self.lost.saturating_add(number(&bytes, 8).unwrap_or(1)),
                    _ => {}
                }
            }
            ring.full |= read + MOST_RECORD > ring.bytes;
        }
    }

    /// Events that the kernel dropped because a ring was full, so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether more may have been dropped, of which nothing is told yet.
    pub fn maybe_lost(&self) -> bool {
        self.rings.iter().any(|ring| ring.full)
    }
}

/// Bytes before what a record tells.
const HEADER: usize = 8;

/// A ring of its own on one CPU: that of an event that never happens. When it holds so many bytes,
/// it wakes its reader.
fn owner(cpu: usize, bytes: usize, watermark: usize) -> io::Result<Ring> {
    let mut builder = Builder::new(Software::DUMMY);
    builder.observe_self().one_cpu(cpu).clockid(Clock::MONOTONIC).wakeup_watermark(watermark);
    Ok(Ring { sampler: builder.build()?.sampled(bytes)?, bytes, full: false })
}

/// Opens the largest ring that we may have on one CPU.
fn on(cpu: usize, tracepoint: u64, filter: &CStr) -> io::Result<Ring> {
    let mut refused = io::Error::other("no ring");
    for size in SIZES {
        let mut builder = Builder::new(Number::with_id(tracepoint));
        builder.any_pid().one_cpu(cpu).sample_period(1).clockid(Clock::MONOTONIC);
        builder.sample(SampleFlag::TID).sample(SampleFlag::TIME).sample(SampleFlag::RAW);
        // A quarter full, it wakes its reader.
        builder.wakeup_watermark(size / 4).include_kernel();
        let mut counter = builder.build()?;
        perf::set_filter(&counter, filter)?;
        counter.enable()?;
        match counter.sampled(size) {
            Ok(sampler) => return Ok(Ring { sampler, bytes: size, full: false }),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// A sample as it was asked for: process and thread, time, then what the tracepoint tells with its
/// length before it.
fn event_of(bytes: &[u8]) -> Option<Event<'_>> {
    let pid = u32::from_ne_bytes(*bytes.first_chunk()?);
    let length = u32::from_ne_bytes(*bytes.get(16..)?.first_chunk()?);
    let raw = bytes.get(20..)?.get(..usize::try_from(length).ok()?)?;
    Some(Event { time_ns: number(bytes, 8)?, pid, raw })
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Lets events happen, or no longer.
///
/// # Errors
/// When the kernel refuses it.
pub fn switch(events: &mut [Counter], on: bool) -> io::Result<()> {
    events.iter_mut().try_for_each(|event| if on { event.enable() } else { event.disable() })
}

/// Numbers of the CPUs that run.
///
/// # Errors
/// When sysfs does not tell.
pub fn online() -> io::Result<Vec<usize>> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    cpus(text.trim()).ok_or_else(|| io::Error::other("which CPUs run cannot be told"))
}

/// Reads a list such as `0-3,8`.
fn cpus(text: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        (last < MOST_CPUS).then_some(())?;
        all.extend(first..=last);
    }
    Some(all)
}

/// More than any kernel is built for.
const MOST_CPUS: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpus("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cpus("0"), Some(vec![0]));
        assert_eq!(cpus(""), None);
        assert_eq!(cpus("0-99999999999"), None);
    }

    #[test]
    fn samples_are_read_by_the_length_that_came() {
        let mut bytes = Vec::new();
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(8_u32.to_ne_bytes());
        bytes.extend(99_u64.to_ne_bytes());
        bytes.extend(3_u32.to_ne_bytes());
        bytes.extend([1, 2, 3, 0, 0, 0, 0, 0]);
        let event = event_of(&bytes).unwrap();
        assert_eq!((event.pid, event.time_ns, event.raw), (7, 99, &[1, 2, 3][..]));
        for length in 0..23 {
            assert!(event_of(&bytes[..length]).is_none());
        }
    }
}
