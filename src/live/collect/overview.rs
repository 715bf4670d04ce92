//! Every process against its limit of open files, from numbers that cost next to nothing and need
//! no rights: the size of its fd folder, the links of its task folder, and its limits, now and then.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::fd_table;
use super::own;
use crate::live::facts::Millis;
use crate::live::overview::{Pass, ProcessRow};

/// Most processes followed.
const MAX_PROCESSES: usize = 65_536;
/// Growth is told over at most this long.
const WINDOW_MS: Millis = 60_000;
/// Growth is told over at least this long: anything shorter is noise.
const LEAST_MS: Millis = 500;
/// Counts kept of a process.
const KEPT: usize = 64;
/// Name and limits of a process are read when it is first seen and on each so many passes.
const EVERY: u32 = 16;

/// Follows all processes of the host.
#[derive(Debug)]
pub struct Overview {
    proc: OwnedFd,
    known: BTreeMap<u32, Known>,
    passes: u32,
}

#[derive(Debug)]
struct Known {
    /// Inode of its folder: another process of the same number has another one.
    inode: u64,
    name: String,
    limit: Option<Option<u64>>,
    counts: VecDeque<(Millis, u64)>,
    seen: u32,
}

impl Overview {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// When /proc cannot be opened.
    pub fn new() -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, "/proc", flags, Mode::empty())?;
        Ok(Self { proc, known: BTreeMap::new(), passes: 0 })
    }

    /// Looks at every process once.
    ///
    /// # Errors
    /// When /proc cannot be listed.
    pub fn pass(&mut self, at: Millis) -> Result<Pass, Errno> {
        self.passes = self.passes.wrapping_add(1);
        rustix::fs::seek(&self.proc, rustix::fs::SeekFrom::Start(0))?;
        let mut pids = Vec::new();
        fd_table::each_number(self.proc.as_fd(), |pid| pids.push(pid))?;
        pids.truncate(MAX_PROCESSES);
        let mut pass = Pass::default();
        for pid in pids {
            self.look(pid, at, &mut pass);
        }
        let passes = self.passes;
        self.known.retain(|_, known| known.seen == passes);
        pass.rows.sort_by(|a, b| {
            let key = |row: &ProcessRow| (row.share().unwrap_or(-1.0), row.fds.unwrap_or(0));
            let (a, b) = ((key(a), b.pid), (key(b), a.pid));
            b.0.0.total_cmp(&a.0.0).then(b.0.1.cmp(&a.0.1)).then(b.1.cmp(&a.1))
        });
        Ok(pass)
    }

    fn look(&mut self, pid: u32, at: Millis, pass: &mut Pass) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match openat(&self.proc, pid.to_string(), flags, Mode::empty()) {
            Ok(folder) => folder,
            // One that ends while it is looked at is passed over.
            Err(error) if own::is_gone(error) => return,
            Err(error) => return pass.hide(pid, error),
        };
        let folder = folder.as_fd();
        let Ok(stat) = statat(folder, "", AtFlags::EMPTY_PATH) else { return };
        let fds = match fd_table::count(folder, "fd") {
            Ok(0) => return pass.empty += 1,
            Ok(count) => Some(count),
            Err(error) if own::is_gone(error) => return,
            Err(error) => {
                pass.hide(pid, error);
                None
            }
        };
        #[allow(clippy::useless_conversion, reason = "32 bits on some machines")]
        let threads = statat(folder, "task", AtFlags::empty())
            .ok()
            .map(|stat| u64::from(stat.st_nlink).saturating_sub(2));
        let known = self.known.entry(pid).or_insert_with(|| Known::new(0));
        let fresh = known.inode != stat.st_ino;
        if fresh {
            *known = Known::new(stat.st_ino);
        }
        // Not all on the same pass.
        if fresh || (self.passes.wrapping_add(pid)).is_multiple_of(EVERY) {
            known.name = name(folder).unwrap_or_default();
            known.limit = limit(folder);
        }
        known.seen = self.passes;
        if let Some(fds) = fds {
            known.note(at, fds);
        }
        pass.rows.push(ProcessRow {
            pid,
            name: known.name.clone(),
            fds,
            limit: known.limit,
            threads,
            per_minute: known.per_minute(),
        });
    }
}

impl Pass {
    fn hide(&mut self, pid: u32, error: Errno) {
        self.hidden += 1;
        if self.hidden_reason.is_empty() {
            self.hidden_reason = format!("process {pid}: {}", own::why(error));
        }
    }
}

impl Known {
    fn new(inode: u64) -> Self {
        Self { inode, name: String::new(), limit: None, counts: VecDeque::new(), seen: 0 }
    }

    fn note(&mut self, at: Millis, fds: u64) {
        self.counts.push_back((at, fds));
        while self.counts.len() > KEPT
            || self.counts.get(1).is_some_and(|second| at - second.0 >= WINDOW_MS)
        {
            self.counts.pop_front();
        }
    }

    fn per_minute(&self) -> Option<f64> {
        let (first, last) = (self.counts.front()?, self.counts.back()?);
        let span = last.0 - first.0;
        (span >= LEAST_MS).then(|| (last.1 as f64 - first.1 as f64) * 60_000.0 / span as f64)
    }
}

fn read<'a>(folder: BorrowedFd<'_>, file: &str, buffer: &'a mut [u8]) -> Option<&'a str> {
    let file = openat(folder, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = File::from(file).read(buffer).ok()?;
    // Of a name outside UTF-8, what comes before that.
    match std::str::from_utf8(&buffer[..length]) {
        Ok(text) => Some(text),
        Err(error) => std::str::from_utf8(&buffer[..error.valid_up_to()]).ok(),
    }
}

fn name(folder: BorrowedFd<'_>) -> Option<String> {
    let mut buffer = [0; 64];
    Some(read(folder, "comm", &mut buffer)?.trim_end_matches('\n').to_owned())
}

/// The soft limit of open files. The file is read as text: parsing all of it costs more than
/// everything else here.
fn limit(folder: BorrowedFd<'_>) -> Option<Option<u64>> {
    let mut buffer = [0; 2048];
    let text = read(folder, "limits", &mut buffer)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => Some(Some(number.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_among_them_with_our_limit() {
        let mut overview = Overview::new().unwrap();
        let pass = overview.pass(0).unwrap();
        let own = pass.rows.iter().find(|row| row.pid == std::process::id()).unwrap();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        assert_eq!(own.limit, Some(limit));
        assert!(own.fds.unwrap() > 0 && own.threads.unwrap() > 0 && own.per_minute.is_none());
        assert!(!own.name.is_empty());
        let shares: Vec<_> = pass.rows.iter().map(ProcessRow::share).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    }

    #[test]
    fn growth_is_told_over_the_last_minute() {
        let mut known = Known::new(1);
        for second in 0..300 {
            known.note(second * 1000, if second < 200 { 10 } else { second as u64 - 190 });
        }
        let row = ProcessRow {
            pid: 1,
            name: String::new(),
            fds: Some(100),
            limit: Some(Some(200)),
            threads: None,
            per_minute: known.per_minute(),
        };
        assert_eq!(row.per_minute, Some(60.0));
        assert_eq!((row.share(), row.seconds_to_limit()), (Some(0.5), Some(100.0)));
    }
}
