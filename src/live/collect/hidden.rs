//! What no fd table shows: files in flight between processes, those registered with rings, and the
//! watches of inotify instances.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};

use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use super::fds::Fds;
use crate::live::facts::SourceStatus;
use crate::live::target::{Process, Target};

/// UNIX sockets asked on one beat.
const SOCKETS: usize = 256;
/// Rings asked on one beat.
const RINGS: usize = 256;
/// Inotify instances asked on one beat.
const WATCHERS: usize = 64;
/// Watches are counted on the first beat and then on each so many: the kernel writes a line for each
/// of them, which takes it some three microseconds.
const WATCHES_EVERY: u32 = 12;
/// Bytes read of these lines, about 120 each: of so many may a user have on a large host.
const WATCHES: u64 = 128 << 20;
/// Bytes read at a time: the kernel starts each read at the line it had come to.
const BLOCK: usize = 64 * 1024;
/// Bytes read of one fdinfo: a ring lists every registered file after the number we want.
const FDINFO: u64 = 64 * 1024;

/// What one target holds where no fd table shows it.
#[derive(Debug, Default)]
pub struct Hidden {
    beats: u32,
    /// Processes that had watches when they were counted last.
    watching: BTreeSet<u32>,
    /// Not all watches were counted.
    cut: bool,
}

impl Hidden {
    /// Reads the gauges `hidden_scm_rights`, `hidden_io_uring_files` and, by process,
    /// `inotify_watches`.
    pub fn sample(
        &mut self,
        held: &Fds,
        target: &Target,
        cost: std::time::Duration,
        beat: &mut Beat<'_>,
    ) {
        if let Some(reason) = held.blind() {
            beat.source(target.id, "hidden", SourceStatus::Unavailable, &reason, cost);
            return;
        }
        let unix = held.sockets.unix_holders(SOCKETS + 1);
        let watchers = held.watchers().count();
        let capped = unix.len() > SOCKETS || held.rings().count() > RINGS || watchers > WATCHERS;
        let in_flight = sum(target, unix.into_iter().take(SOCKETS), "scm_fds:");
        let registered = sum(target, held.rings().take(RINGS), "UserFiles:");
        beat.count(target.id, None, "hidden_scm_rights", in_flight);
        beat.count(target.id, None, "hidden_io_uring_files", registered);
        if self.beats.is_multiple_of(WATCHES_EVERY) {
            let (mut by_process, cut) = watches(target, held.watchers().take(WATCHERS));
            self.cut = cut;
            for pid in std::mem::take(&mut self.watching) {
                by_process.entry(pid).or_default();
            }
            for (&pid, &watches) in &by_process {
                beat.count(target.id, Some(pid), "inotify_watches", watches);
            }
            by_process.retain(|_, watches| *watches > 0);
            self.watching = by_process.into_keys().collect();
        }
        self.beats = self.beats.wrapping_add(1);
        let mut reasons = Vec::new();
        if capped {
            reasons.push(
                "lower bound: only the first 256 UNIX sockets and rings, and the first 64 inotify \
                 instances were asked",
            );
        }
        if self.cut {
            reasons.push("lower bound: only the first million inotify watches were counted");
        }
        let reason = reasons.join("; ");
        beat.source(target.id, "hidden", SourceStatus::without(&reason), &reason, cost);
    }
}

fn sum(target: &Target, held: impl Iterator<Item = (u32, u32)>, field: &str) -> u64 {
    held.filter_map(|(pid, fd)| {
        let process = target.processes.iter().find(|process| process.pid == pid)?;
        let mut text = Vec::new();
        fdinfo(process, fd)?.take(FDINFO).read_to_end(&mut text).ok()?;
        number(&text, field)
    })
    .fold(0, u64::saturating_add)
}

/// An fdinfo; `None` when the entry is gone or may not be read.
fn fdinfo(process: &Process, fd: u32) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(process.dir(), format!("fdinfo/{fd}"), flags, Mode::empty()).ok().map(File::from)
}

/// Watches of inotify instances, by process, and whether some were not counted.
fn watches(target: &Target, held: impl Iterator<Item = (u32, u32)>) -> (BTreeMap<u32, u64>, bool) {
    let mut by_process = BTreeMap::new();
    let mut left = WATCHES;
    for (pid, fd) in held {
        let process = target.processes.iter().find(|process| process.pid == pid);
        let Some(file) = process.and_then(|process| fdinfo(process, fd)) else { continue };
        let (watches, read) = listed(file.take(left));
        *by_process.entry(pid).or_default() += watches;
        left -= read;
    }
    (by_process, left == 0)
}

/// Number of watches in an fdinfo, and its length in bytes. Of one that cannot be read to its end,
/// as far as it can.
fn listed(text: impl Read) -> (u64, u64) {
    let mut text = BufReader::with_capacity(BLOCK, text);
    let (mut watches, mut bytes) = (0, 0);
    let mut line = Vec::new();
    while let Ok(read) = text.read_until(b'\n', &mut line)
        && read > 0
    {
        bytes += read as u64;
        watches += u64::from(line.starts_with(b"inotify "));
        line.clear();
    }
    (watches, bytes)
}

fn number(text: &[u8], field: &str) -> Option<u64> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let value = line.strip_prefix(field.as_bytes())?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_fdinfo() {
        let text = b"pos:\t0\nflags:\t02\nscm_fds: 30\nUserFiles:\t40\n\xff\n";
        assert_eq!(number(text, "scm_fds:"), Some(30));
        assert_eq!(number(text, "UserFiles:"), Some(40));
        assert_eq!(number(text, "none:"), None);
        let watching = b"pos:\t0\ninotify wd:2 ino:5\ninotify wd:1 ino:4\ninotifyx\n";
        assert_eq!(listed(watching.as_slice()), (2, watching.len() as u64));
        assert_eq!(listed(text.as_slice()), (0, text.len() as u64));
        assert_eq!(number(b"scm_fds: -x", "scm_fds:"), None);
    }
}
