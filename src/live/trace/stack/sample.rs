//! A sample of a perf event: who, when, what the tracepoint told, and the stack of the thread.

use perf_event::{Builder, SampleFlag};

/// The most of a stack that is worth copying: the kernel copies whole eights of bytes, less than
/// what one record may have (64 KiB with all else).
pub const STACK_BYTES: u32 = 16 * 1024;

/// `PERF_SAMPLE_REGS_USER` asks for these: second and first argument of a call, base and stack
/// pointer, the place in the program, and the fourth argument.
#[cfg(not(target_arch = "aarch64"))]
pub const REGS: u64 = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18;
/// `PERF_SAMPLE_REGS_USER` asks for these: second and fourth argument of a call (the first becomes
/// its result), frame and link register, stack pointer, program counter.
#[cfg(target_arch = "aarch64")]
pub const REGS: u64 = 1 << 1 | 1 << 3 | 1 << 29 | 1 << 30 | 1 << 31 | 1 << 32;

/// Addresses above this are marks between parts of a chain (`PERF_CONTEXT_MAX`), no code.
const MARKS: u64 = -4095_i64 as u64;
/// Frames of a chain that are kept: the kernel's own bound (kernel.perf_event_max_stack).
const MOST_CHAIN: usize = 127;

/// Registers of a thread in its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regs {
    /// Where it is.
    pub ip: u64,
    /// Where its stack ends.
    pub sp: u64,
    /// Frame pointer, if the code has one.
    pub fp: u64,
    /// Where it will return to, on machines that keep this in a register; else 0.
    pub lr: u64,
    /// Arguments of the system call that it is in, by their position, where they are still known.
    pub arguments: [Option<u64>; 4],
}

/// What the kernel copied of a thread at one event. Owned, so that it can be kept until it is worth
/// unwinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The thread.
    pub tid: u32,
    /// What the kernel found by frame pointers, innermost first.
    pub chain: Box<[u64]>,
    /// Registers; none where they were not asked for.
    pub regs: Option<Regs>,
    /// The stack from its end on; empty where it was not asked for.
    pub stack: Box<[u8]>,
}

/// A sample as it lies in a ring, of an event that was asked by [`Sample::ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// When, by the clock that was asked for.
    pub time_ns: u64,
    /// What the tracepoint told.
    pub raw: &'a [u8],
    chain: &'a [u8],
    regs: Option<Regs>,
    stack: &'a [u8],
}

impl<'a> Sample<'a> {
    /// Has an event write all that is read here, with so many bytes of the stack, and chains without
    /// the kernel's part.
    pub fn ask(event: &mut Builder<'_>, stack_bytes: u32) {
        for part in [
            SampleFlag::TID,
            SampleFlag::TIME,
            SampleFlag::CALLCHAIN,
            SampleFlag::RAW,
            SampleFlag::REGS_USER,
            SampleFlag::STACK_USER,
        ] {
            event.sample(part);
        }
        event.exclude_callchain_kernel(true);
        event.sample_regs_user(REGS).sample_stack_user(stack_bytes);
    }

    /// Reads what stands behind the header of a record; `None` where it is shorter than it says.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let (pid, tid, time_ns) = (rest.u32()?, rest.u32()?, rest.u64()?);
        let frames = usize::try_from(rest.u64()?).ok()?;
        let chain = rest.take(frames.checked_mul(8)?)?;
        let length = rest.u32()?;
        let raw = rest.take(usize::try_from(length).ok()?)?;
        let regs = rest.regs()?;
        let size = usize::try_from(rest.u64()?).ok()?;
        let mut stack = &[][..];
        if size > 0 {
            let room = rest.take(size)?;
            // What could be copied of it.
            let copied = usize::try_from(rest.u64()?).ok()?;
            stack = &room[..copied.min(size)];
        }
        Some(Self { pid, tid, time_ns, raw, chain, regs, stack })
    }

    /// Addresses that the kernel found by frame pointers, innermost first.
    pub fn chain(&self) -> impl Iterator<Item = u64> + use<'a> {
        let words = self.chain.chunks_exact(8).filter_map(|word| word.first_chunk().copied());
        words.map(u64::from_ne_bytes).filter(|address| *address < MARKS).take(MOST_CHAIN)
    }

    /// Registers; none where they were not asked for.
    pub fn regs(&self) -> Option<Regs> {
        self.regs
    }

    /// What was copied of the stack, from its end on.
    pub fn stack(&self) -> &'a [u8] {
        self.stack
    }

    /// The same, to be kept.
    pub fn copied(&self) -> Copied {
        Copied {
            tid: self.tid,
            chain: self.chain().collect(),
            regs: self.regs,
            stack: self.stack.into(),
        }
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.take(4)?.first_chunk()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(*self.take(8)?.first_chunk()?))
    }

    /// Registers in the order of their bits; none for a thread without code of its own.
    fn regs(&mut self) -> Option<Option<Regs>> {
        const NONE: u64 = 0;
        if self.u64()? == NONE {
            return Some(None);
        }
        #[cfg(not(target_arch = "aarch64"))]
        let (second, first) = (self.u64()?, Some(self.u64()?));
        #[cfg(not(target_arch = "aarch64"))]
        let (fp, lr, sp, ip) = (self.u64()?, 0, self.u64()?, self.u64()?);
        #[cfg(not(target_arch = "aarch64"))]
        let fourth = self.u64()?;
        #[cfg(target_arch = "aarch64")]
        let (first, second, fourth) = (None, self.u64()?, self.u64()?);
        #[cfg(target_arch = "aarch64")]
        let (fp, lr, sp, ip) = (self.u64()?, self.u64()?, self.u64()?, self.u64()?);
        let arguments = [first, Some(second), None, Some(fourth)];
        Some(Some(Regs { ip, sp, fp, lr, arguments }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample with a chain, five bytes of a tracepoint (as the kernel pads them), and a stack.
    fn bytes(chain: &[u64], stack: &[u8], copied: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |word: u64| bytes.extend(word.to_ne_bytes());
        put(7 | 8 << 32);
        put(99);
        put(chain.len() as u64);
        chain.iter().for_each(|address| put(*address));
        bytes.extend(12_u32.to_ne_bytes());
        bytes.extend(*b"told........");
        bytes.extend(2_u64.to_ne_bytes());
        let regs = REGS.count_ones().into();
        (1..=regs).for_each(|reg: u64| bytes.extend(reg.to_ne_bytes()));
        bytes.extend((stack.len() as u64).to_ne_bytes());
        bytes.extend(stack);
        if !stack.is_empty() {
            bytes.extend(copied.to_ne_bytes());
        }
        bytes
    }

    const USER: u64 = -512_i64 as u64;

    #[test]
    fn all_parts_are_found() {
        let bytes = bytes(&[USER, 0x10, 0x20], &[1; 16], 8);
        let sample = Sample::parse(&bytes).unwrap();
        assert_eq!((sample.pid, sample.tid, sample.time_ns), (7, 8, 99));
        assert_eq!(sample.raw, b"told........");
        let copied = sample.copied();
        assert_eq!((&*copied.chain, &*copied.stack), (&[0x10, 0x20][..], &[1; 8][..]));
        let regs = copied.regs.unwrap();
        let count = u64::from(REGS.count_ones());
        let (first, last) = if cfg!(target_arch = "aarch64") { (3, count) } else { (3, count - 1) };
        assert_eq!((regs.fp, regs.ip), (first, last));
    }

    #[test]
    fn a_thread_without_code_of_its_own_has_no_stack() {
        let mut bytes = bytes(&[USER, 0x10], &[], 0);
        // Neither registers nor a stack.
        bytes.truncate(bytes.len() - 8 * (2 + REGS.count_ones() as usize));
        bytes.extend([0; 16]);
        let sample = Sample::parse(&bytes).unwrap();
        assert_eq!(sample.chain().collect::<Vec<_>>(), [0x10]);
        assert_eq!((sample.copied().regs, sample.copied().stack.len()), (None, 0));
    }

    #[test]
    fn what_is_cut_or_lies_about_its_lengths_is_refused() {
        let whole = bytes(&[USER, 0x10, 0x20], &[1; 16], 16);
        for length in 0..whole.len() {
            assert!(Sample::parse(&whole[..length]).is_none(), "{length}");
        }
        let mut lies = whole.clone();
        lies[16..24].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert!(Sample::parse(&lies).is_none());
        // More copied than there was room for.
        let copied = bytes(&[], &[1; 16], u64::MAX);
        assert_eq!(Sample::parse(&copied).unwrap().copied().stack.len(), 16);
    }
}
