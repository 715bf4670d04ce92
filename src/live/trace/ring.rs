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
/// `PERF_RECORD_LOST` and `PERF_RECORD_SAMPLE`.
const LOST: u32 = 2;
const SAMPLE: u32 = 9;

/// Rings, one a CPU.
#[derive(Default)]
pub struct Rings {
    samplers: Vec<Sampler>,
    lost: u64,
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
            rings.samplers.push(on(cpu, tracepoint, filter)?);
        }
        Ok(rings)
    }

    /// Opens an empty ring on each of these CPUs, for whatever [`Rings::feed`] leads into it.
    ///
    /// # Errors
    /// When memory may not be locked.
    pub fn empty(cpus: &[usize], sizes: &[usize]) -> io::Result<Self> {
        let samplers: io::Result<_> = cpus.iter().map(|&cpu| owner(cpu, sizes)).collect();
        Ok(Self { samplers: samplers?, lost: 0 })
    }

    /// Leads what an event tells into the ring of the CPU that is `nth` of those that were named.
    ///
    /// # Errors
    /// When there is none, or the event is of another CPU or clock.
    pub fn feed(&self, nth: usize, event: &Counter) -> io::Result<()> {
        let ring = self.samplers.get(nth).ok_or_else(|| io::Error::other("no ring"))?;
        perf::redirect(event, ring)
    }

    /// Waits until a ring fills up, at most so long.
    ///
    /// # Errors
    /// What poll(2) answers.
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        let files = self.samplers.iter().map(|sampler| perf::fd(sampler));
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
        self.drain_samples(&mut |bytes| {
            if let Some(event) = event_of(bytes) {
                visit(&event);
            }
        });
    }

    /// The same, of samples of any shape.
    pub fn drain_samples(&mut self, visit: &mut dyn FnMut(&[u8])) {
        for sampler in &mut self.samplers {
            for _ in 0..AT_A_TIME {
                let Some(record) = sampler.next_record() else { break };
                let bytes = record.to_contiguous();
                match record.ty() {
                    SAMPLE => visit(&bytes),
                    LOST => self.lost = self.lost.saturating_add(number(&bytes, 8).unwrap_or(1)),
                    _ => {}
                }
            }
        }
    }

    /// Events that the kernel dropped because a ring was full, so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// A ring of its own on one CPU, the largest of these sizes that we may have: that of an event that
/// never happens.
fn owner(cpu: usize, sizes: &[usize]) -> io::Result<Sampler> {
    let mut refused = io::Error::other("no ring");
    for &size in sizes {
        let mut builder = Builder::new(Software::DUMMY);
        builder.observe_self().one_cpu(cpu).clockid(Clock::MONOTONIC);
        match builder.build()?.sampled(size) {
            Ok(sampler) => return Ok(sampler),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Opens the largest ring that we may have on one CPU.
fn on(cpu: usize, tracepoint: u64, filter: &CStr) -> io::Result<Sampler> {
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
            Ok(sampler) => return Ok(sampler),
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
