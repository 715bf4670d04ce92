//! TCP sockets of a target that a child running another program holds, too: opened without CLOEXEC.
//!
//! What a program hands to a child on purpose is moved to another number, or stands among the first
//! three. What slips through an exec keeps its number.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat_raw};
use rustix::io::Errno;

use super::beat::Beat;
use super::fd_table;
use super::fds::Fds;
use super::link::{self, Link};
use super::own::{self, Refusals};
use crate::live::facts::SourceStatus;
use crate::live::host::process_table::{Entry, ProcessTable};
use crate::live::target::{Process, Target, program_of, start_ms};

/// Children are looked at on the first beat and then on each so many.
const EVERY: u32 = 6;
/// Children looked at on one of these beats.
const CHILDREN: usize = 64;
/// Entries looked at of one child.
const ENTRIES: usize = 4096;
/// Numbers below this one are standard input, output and errors.
const FIRST: u32 = 3;

/// Follows what children of one target hold.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    beats: u32,
    reason: String,
}

impl Inherited {
    /// Tells which sockets children hold, and which they no longer do.
    pub(super) fn sample(
        &mut self,
        fds: &mut Fds,
        target: &Target,
        table: &ProcessTable,
        cost: Duration,
        beat: &mut Beat<'_>,
    ) {
        let blind = fds.blind();
        if self.beats.is_multiple_of(EVERY) && blind.is_none() {
            let (by_inode, reason) = look(fds, target, table, beat);
            fds.sockets.inherited(&by_inode, beat.at, beat.out);
            self.reason = reason;
        }
        self.beats = self.beats.wrapping_add(1);
        let (status, reason) = match &blind {
            Some(reason) => (SourceStatus::Unavailable, reason),
            None => (SourceStatus::without(&self.reason), &self.reason),
        };
        beat.source(target.id, "inherited", status, reason, cost);
    }
}

/// Children by the inodes that they hold, and what could not be looked at.
fn look(
    fds: &Fds,
    target: &Target,
    table: &ProcessTable,
    beat: &Beat<'_>,
) -> (BTreeMap<u64, u32>, String) {
    let mut by_inode = BTreeMap::new();
    let Some(root) = target.processes.first() else { return (by_inode, String::new()) };
    let children = descendants(target, table);
    let left_out = children.len().saturating_sub(CHILDREN);
    let mut refused = Refusals::default();
    for child in children.into_iter().take(CHILDREN) {
        // Between fork and exec a child holds everything.
        let born = root.started_ms + start_ms(child.start_ticks) - start_ms(root.start_ticks);
        if matches!(child.state, 'Z' | 'X') || beat.at - born < beat.bucket_ms {
            continue;
        }
        if let Err(error) = hold_of(child, fds, &target.processes, &mut by_inode)
            && !own::is_gone(error)
        {
            refused.add(error);
        }
    }
    let mut missing = Vec::new();
    if left_out > 0 {
        missing.push(format!("{left_out} children above the first {CHILDREN} were not looked at"));
    }
    if let Some(error) = refused.first {
        let (count, why) = (refused.count, own::why(error));
        missing.push(format!("{count} children could not be looked into: {why}"));
    }
    (by_inode, missing.join("; "))
}

/// Processes below the target that are not part of it, in order of their numbers.
fn descendants<'t>(target: &Target, table: &'t ProcessTable) -> Vec<&'t Entry> {
    let mut below: BTreeMap<u32, Option<&Entry>> =
        target.processes.iter().map(|process| (process.pid, None)).collect();
    // A child mostly has a higher number than its parent: one round is nearly always enough.
    loop {
        let before = below.len();
        for entry in table.entries() {
            if below.contains_key(&entry.parent) && !below.contains_key(&entry.pid) {
                below.insert(entry.pid, Some(entry));
            }
        }
        if below.len() == before {
            return below.into_values().flatten().collect();
        }
    }
}

/// Notes what a child holds, if it runs another program.
fn hold_of(
    child: &Entry,
    fds: &Fds,
    processes: &[Process],
    by_inode: &mut BTreeMap<u64, u32>,
) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, format!("/proc/{}", child.pid), flags, Mode::empty())?;
    let program = program_of(folder.as_fd())?;
    let same = |process: &Process| process.program().is_none_or(|known| known == program);
    if processes.iter().any(same) {
        return Ok(());
    }
    let entries = fd_table::open(folder.as_fd(), "fd")?;
    let mut numbers = Vec::new();
    fd_table::each_number(entries.as_fd(), |fd| numbers.push(fd))?;
    for fd in numbers.into_iter().filter(|&fd| fd >= FIRST).take(ENTRIES) {
        if let Some(inode) = socket_at(entries.as_fd(), fd)
            && fds.sockets.tcp_holder(inode).is_some_and(|(_, own)| own == fd)
        {
            by_inode.entry(inode).or_insert(child.pid);
        }
    }
    Ok(())
}

fn socket_at(entries: BorrowedFd<'_>, fd: u32) -> Option<u64> {
    let mut buffer = [std::mem::MaybeUninit::<u8>::uninit(); 64];
    let (text, _) = readlinkat_raw(entries, fd.to_string(), &mut buffer).ok()?;
    match link::parse(text) {
        Link::Socket(inode) => Some(inode),
        _ => None,
    }
}
