//! Targets: processes, or trees of processes, that are watched together.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::live::facts::{Fact, Millis, TargetFacts, TargetId};

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// /proc gave an error.
    #[error("process {pid}: {source}")]
    Proc {
        /// Which process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// A process under watch.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Name. Untrusted text.
    pub comm: String,
    /// Event time of its start, negative before the watch.
    pub started_ms: Millis,
    dir: OwnedFd,
}

impl Process {
    /// Opens a process by number.
    ///
    /// # Errors
    /// When there is no such process, or /proc hides it.
    pub fn open(pid: u32) -> Result<Self, TargetError> {
        let dir = openat(
            CWD,
            format!("/proc/{pid}"),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|error| TargetError::Proc {
            pid,
            source: error.into(),
        })?;
        Ok(Self {
            pid,
            start_ticks: 0,
            comm: String::new(),
            started_ms: 0,
            dir,
        })
    }

    /// Handle of /proc/PID; it never leads to a successor of the same number.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        rustix::fs::statat(&self.dir, "stat", rustix::fs::AtFlags::empty()).is_ok()
    }
}

/// Processes that are watched together.
#[derive(Debug)]
pub struct Target {
    /// Which target.
    pub id: TargetId,
    /// Who it is.
    pub facts: TargetFacts,
    /// Its processes, root first.
    pub processes: Vec<Process>,
}

impl Target {
    /// Follows the tree; gives the number of living processes.
    pub fn refresh(&mut self, _at: Millis, _out: &mut Vec<Fact>) -> usize {
        self.processes.retain(Process::is_alive);
        self.processes.len()
    }
}
