//! Memory mappings of each process, which count against `vm.max_map_count`.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use super::own;
use crate::live::facts::SourceStatus;
use crate::live::host::patience;
use crate::live::target::Target;

/// Mappings are counted on the first beat and then on each so many: the kernel writes a line for
/// each of them.
const EVERY: u32 = 12;
/// Processes looked at on one of these beats; each takes an open file for a moment.
const PROCESSES: usize = 64;
/// Bytes read of one list, about a hundred a line.
const MOST: usize = 64 << 20;

/// For so long a beat waits for the counts; they may come with a later one.
const PATIENCE: Duration = Duration::from_millis(200);

/// Number of mappings by process, or why it is not known.
type Counts = Vec<(u32, Result<u64, String>)>;

/// Follows the mappings of one target.
#[derive(Debug)]
pub(super) struct Mappings {
    beats: u32,
    status: SourceStatus,
    reason: String,
    /// What a thread of its own is counting.
    pending: Option<Receiver<Counts>>,
}

impl Default for Mappings {
    fn default() -> Self {
        Self { beats: 0, status: SourceStatus::Ok, reason: String::new(), pending: None }
    }
}

impl Mappings {
    /// Reads the gauge `mappings` of every process.
    pub(super) fn sample(&mut self, target: &Target, cost: Duration, beat: &mut Beat<'_>) {
        let due = self.beats.is_multiple_of(EVERY);
        self.beats = self.beats.wrapping_add(1);
        if due && self.pending.is_none() {
            match start(target) {
                Ok(pending) => self.pending = Some(pending),
                Err(reason) => (self.status, self.reason) = (SourceStatus::Unavailable, reason),
            }
        }
        if let Some(pending) = &self.pending {
            let patience = if due { PATIENCE } else { Duration::ZERO };
            match pending.recv_timeout(patience) {
                Ok(counts) => {
                    self.pending = None;
                    (self.status, self.reason) = tell(counts, target, beat);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.status = SourceStatus::Unavailable;
                    "the kernel has not let us count yet".clone_into(&mut self.reason);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.pending = None;
                    self.status = SourceStatus::Unavailable;
                    "counting failed".clone_into(&mut self.reason);
                }
            }
        }
        let left_out = target.processes.len().saturating_sub(PROCESSES);
        let (mut status, mut reason) = (self.status, self.reason.clone());
        if left_out > 0 {
            status = status.max(SourceStatus::Partial);
            let more = format!("{left_out} processes above the first {PROCESSES} are not counted");
            reason = [reason, more].join("; ").trim_start_matches("; ").to_owned();
        }
        beat.source(target.id, "mappings", status, &reason, cost);
    }
}

/// Has them counted by a thread of its own.
fn start(target: &Target) -> Result<Receiver<Counts>, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let files: Vec<_> = target
        .processes
        .iter()
        .take(PROCESSES)
        .map(|process| {
            let file = openat(process.dir(), "maps", flags, Mode::empty());
            (process.pid, file.map_err(own::why))
        })
        .collect();
    let count_all = move |tell: &Sender<Counts>| {
        let count = |(pid, file): (u32, Result<OwnedFd, String>)| {
            (pid, file.and_then(|file| count(File::from(file))))
        };
        // Nobody listens any more when the watch has ended.
        let _ = tell.send(files.into_iter().map(count).collect());
    };
    patience::start("poolscan-maps", count_all).map_err(|error| error.to_string())
}

/// Tells the counts; gives whether some are missing, and why.
fn tell(counts: Counts, target: &Target, beat: &mut Beat<'_>) -> (SourceStatus, String) {
    let (all, mut refused, mut by) = (counts.len(), 0, None);
    for (pid, count) in counts {
        match count {
            Ok(count) => beat.count(target.id, Some(pid), "mappings", count),
            Err(reason) => {
                refused += 1;
                by.get_or_insert(reason);
            }
        }
    }
    match by {
        None => (SourceStatus::Ok, String::new()),
        Some(reason) => {
            let status =
                if refused < all { SourceStatus::Partial } else { SourceStatus::Unavailable };
            (status, format!("{refused} of {all} lists refused: {reason}"))
        }
    }
}

fn count(mut file: File) -> Result<u64, String> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut lines, mut bytes) = (0, 0);
    loop {
        match file.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok(lines),
            length => {
                bytes += length;
                lines += buffer[..length].iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
        }
        if bytes > MOST {
            return Err(format!("more than {lines} mappings, which is where counting stops"));
        }
    }
}
