//! One fd table: what each number leads to, compared with the last sweep.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::hash::{BuildHasher as _, RandomState};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use crate::live::facts::HandleId;

/// Who accounts for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holder {
    /// Nobody: the entry is free.
    #[default]
    None,
    /// A handle of this entry's own.
    Own(HandleId),
    /// The socket with this inode, which other entries may hold too.
    Socket(u64),
    /// A pipe end, which other entries may hold too.
    Pipe(u64),
}

/// One entry of the table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    /// Hash of the link text; meaningless when nobody holds it.
    pub hash: u64,
    /// Who accounts for it.
    pub holder: Holder,
    seen: u32,
}

/// An entry that was not there, or led elsewhere, at the last sweep.
#[derive(Debug)]
pub struct New {
    /// Its number.
    pub fd: u32,
    /// Hash of the link text.
    pub hash: u64,
    /// Where the link text lies in [`FdTable::texts`].
    pub text: std::ops::Range<usize>,
}

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Open entries.
    pub found: u64,
    /// Entries that vanished between being listed and being read.
    pub raced: u64,
    /// New entries, by number.
    pub new: Vec<New>,
    /// Holders of entries that were closed or replaced.
    pub gone: Vec<(u32, Holder)>,
}

/// Entries below this number are kept in a vector, others in a tree.
const DENSE: u32 = 65_536;
/// Room for link texts of new entries in one sweep; what does not fit is new at the next one.
const TEXTS: usize = 8 << 20;
/// Room for link texts kept between sweeps.
const KEPT: usize = 64 * 1024;
const LINK: usize = 4096;

/// The table of a process, or of a thread with its own.
#[derive(Debug, Default)]
pub struct FdTable {
    dense: Vec<Slot>,
    sparse: BTreeMap<u32, Slot>,
    highest: u32,
    beat: u32,
    /// Link texts of the new entries of the last sweep.
    pub texts: Vec<u8>,
    hasher: RandomState,
}

/// Number of open fds by the size of the directory, where this kernel gives it (6.2 and later).
pub fn count(process: BorrowedFd<'_>, path: &str) -> Result<u64, Errno> {
    if size_is_count() {
        let size = statat(process, path, AtFlags::empty())?.st_size;
        return Ok(u64::try_from(size).unwrap_or(0));
    }
    let mut number = 0;
    each_number(open(process, path)?.as_fd(), |_| number += 1)?;
    Ok(number)
}

/// Number of our own open fds.
pub fn count_of_own() -> Option<u64> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = openat(CWD, "/proc/self", flags, Mode::empty()).ok()?;
    count(own.as_fd(), "fd").ok()
}

/// Whether the size of /proc/PID/fd is the number of fds; tried once, on ourselves.
pub fn size_is_count() -> bool {
    static PROBE: OnceLock<bool> = OnceLock::new();
    *PROBE.get_or_init(|| {
        // Hold one fd for certain, so that a right answer cannot be 0.
        let held = openat(CWD, "/proc/self", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        held.is_ok()
            && statat(CWD, "/proc/self/fd", AtFlags::empty()).is_ok_and(|stat| stat.st_size > 0)
    })
}

/// Opens a directory below /proc/PID for reading.
pub fn open(process: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(process, path, flags, Mode::empty())
}

/// Calls `each` for every entry of a directory whose name is a number.
pub fn each_number(directory: BorrowedFd<'_>, mut each: impl FnMut(u32)) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 * 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_str().ok();
        if let Some(number) = name.and_then(|name| name.parse().ok()) {
            each(number);
        }
    }
    Ok(())
}

impl FdTable {
    /// Reads the whole table. New entries must then be given a holder with [`FdTable::hold`];
    /// those that are not are new again at the next sweep.
    ///
    /// # Errors
    /// When the table may not be read, or its process is gone: nothing counts as closed then.
    pub fn sweep(&mut self, process: BorrowedFd<'_>, path: &str) -> Result<Sweep, Errno> {
        self.beat = self.beat.wrapping_add(1);
        self.texts.clear();
        self.texts.shrink_to(KEPT);
        let mut sweep = Sweep::default();
        let directory = open(process, path)?;
        let directory = directory.as_fd();
        let complete = size_is_count() && {
            let size = statat(directory, "", AtFlags::EMPTY_PATH)?.st_size;
            self.walk(directory, u64::try_from(size).unwrap_or(0), &mut sweep)?
        };
        if !complete {
            self.list(directory, &mut sweep)?;
        }
        self.collect_gone(&mut sweep);
        Ok(sweep)
    }

    /// Tries numbers from 0 until as many as `size` were found. False when the table is too sparse
    /// for that, or shrinks under us: then it must be listed.
    fn walk(
        &mut self,
        directory: BorrowedFd<'_>,
        size: u64,
        sweep: &mut Sweep,
    ) -> Result<bool, Errno> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); LINK];
        let mut number = Decimal::new();
        let end = size.saturating_mul(2).saturating_add(64);
        let mut fd = 0_u32;
        // Entries known from before are asked for even when new ones already made up the number:
        // an fd opened below during the sweep must not make one above look closed.
        while sweep.found < size || fd <= self.highest {
            if u64::from(fd) >= end {
                return Ok(false);
            }
            match readlinkat_raw(directory, number.as_c_str(), &mut buffer[..]) {
                Ok((text, _)) => self.see(fd, text, sweep),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
            number.increment();
            fd += 1;
        }
        Ok(true)
    }

    /// Lists the directory and reads what the walk did not reach.
    fn list(&mut self, directory: BorrowedFd<'_>, sweep: &mut Sweep) -> Result<(), Errno> {
        let mut numbers = Vec::new();
        each_number(directory, |fd| numbers.push(fd))?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); LINK];
        let walked = sweep.new.len();
        for fd in numbers {
            let known = self.slot(fd);
            let read = known.is_some_and(|slot| slot.seen == self.beat)
                || sweep.new[..walked].binary_search_by_key(&fd, |new| new.fd).is_ok();
            if read {
                continue;
            }
            let name = Decimal::of(fd);
            match readlinkat_raw(directory, name.as_c_str(), &mut buffer[..]) {
                Ok((text, _)) => self.see(fd, text, sweep),
                Err(Errno::NOENT) => sweep.raced += 1,
                Err(error) => return Err(error),
            }
        }
        sweep.new.sort_unstable_by_key(|new| new.fd);
        Ok(())
    }

    #[inline]
    fn see(&mut self, fd: u32, text: &[u8], sweep: &mut Sweep) {
        sweep.found += 1;
        let hash = self.hasher.hash_one(text);
        let beat = self.beat;
        let slot =
            if fd < DENSE { self.dense.get_mut(fd as usize) } else { self.sparse.get_mut(&fd) };
        if let Some(slot) = slot
            && slot.hash == hash
            && slot.holder != Holder::None
        {
            slot.seen = beat;
            return;
        }
        let start = self.texts.len();
        if start + text.len() <= TEXTS {
            self.texts.extend_from_slice(text);
            let text = start..self.texts.len();
            sweep.new.push(New { fd, hash, text });
        }
    }

    fn collect_gone(&mut self, sweep: &mut Sweep) {
        let beat = self.beat;
        let mut highest = 0;
        for (fd, slot) in (0_u32..).zip(&mut self.dense) {
            if slot.holder == Holder::None {
                continue;
            }
            if slot.seen == beat {
                highest = fd;
            } else {
                sweep.gone.push((fd, std::mem::take(slot).holder));
            }
        }
        self.sparse.retain(|&fd, slot| {
            let stays = slot.seen == beat;
            if stays {
                highest = fd;
            } else {
                sweep.gone.push((fd, slot.holder));
            }
            stays
        });
        self.highest = highest;
    }

    /// Gives a new entry its holder.
    pub fn hold(&mut self, fd: u32, hash: u64, holder: Holder) {
        let slot = Slot { hash, holder, seen: self.beat };
        self.highest = self.highest.max(fd);
        if fd >= DENSE {
            self.sparse.insert(fd, slot);
            return;
        }
        let at = fd as usize;
        if at >= self.dense.len() {
            self.dense.resize(at + 1, Slot::default());
        }
        if let Some(entry) = self.dense.get_mut(at) {
            *entry = slot;
        }
    }

    /// An entry as the last sweep left it.
    pub fn slot(&self, fd: u32) -> Option<Slot> {
        let slot = if fd < DENSE { self.dense.get(fd as usize) } else { self.sparse.get(&fd) };
        slot.copied().filter(|slot| slot.holder != Holder::None)
    }

    /// Everything it holds, when its process has ended.
    pub fn holders(&self) -> impl Iterator<Item = (u32, Holder)> + '_ {
        let dense = (0_u32..).zip(&self.dense);
        let sparse = self.sparse.iter().map(|(&fd, slot)| (fd, slot));
        dense
            .chain(sparse)
            .map(|(fd, slot)| (fd, slot.holder))
            .filter(|&(_, holder)| holder != Holder::None)
    }

    /// An empty table; tables with the same hasher give the same link text the same hash.
    pub fn with_hasher(hasher: RandomState) -> Self {
        Self { hasher, ..Self::default() }
    }
}

/// A number as a C string, counted up in place: formatting it anew costs as much as a syscall
/// saves.
struct Decimal {
    digits: [u8; 11],
    start: usize,
}

impl Decimal {
    fn new() -> Self {
        Self::of(0)
    }

    fn of(mut value: u32) -> Self {
        let mut digits = *b"0000000000\0";
        let mut start = 9;
        for at in (0..10).rev() {
            let digit = value % 10;
            digits[at] = b'0' + u8::try_from(digit).unwrap_or(0);
            start = at;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    fn increment(&mut self) {
        let mut at = 9;
        while self.digits[at] == b'9' && at > 0 {
            self.digits[at] = b'0';
            at -= 1;
        }
        self.digits[at] += 1;
        self.start = self.start.min(at);
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.digits[self.start..]).unwrap_or(c"0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_count_up() {
        let mut number = Decimal::new();
        for value in 0..20_000_u32 {
            assert_eq!(number.as_c_str().to_str().unwrap(), value.to_string());
            assert_eq!(Decimal::of(value).as_c_str(), number.as_c_str());
            number.increment();
        }
        assert_eq!(Decimal::of(u32::MAX).as_c_str(), c"4294967295");
    }

    #[test]
    fn a_sparse_table_is_read_too() {
        let high = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 15_000).unwrap();
        let process = openat(CWD, "/proc/self", OFlags::PATH, Mode::empty()).unwrap();
        let mut table = FdTable::default();
        // Tests beside this one open and close in the same table: a new entry above may be seen a
        // sweep later.
        let mut sweep = || table.sweep(process.as_fd(), "fd").unwrap();
        assert!((0..1000).any(|_| sweep().new.iter().any(|new| new.fd >= 15_000)));
        drop(high);
        assert!(count(process.as_fd(), "fd").unwrap() > 0);
        assert!(table.sweep(process.as_fd(), "none").is_err());
    }
}
