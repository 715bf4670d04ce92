//! One process: its identity by pidfd and start time, and a handle of its /proc folder.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statx};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use crate::live::facts::Millis;

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`: the process runs in the kernel only.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It does not exist, or it is hidden.
    #[error("no process {0}; it may have ended, or /proc is mounted with hidepid and hides it")]
    Missing(u32),
    /// It is this very program.
    #[error("process {0} is poolscan itself; watching it would count our own handles")]
    Ourselves(u32),
    /// It has no handles of its own.
    #[error("process {0} is a kernel thread; it holds no file descriptors")]
    KernelThread(u32),
    /// It ended between being found and being opened.
    #[error("process {0} has already ended and waits for its parent (zombie)")]
    Ended(u32),
    /// /proc gave an error.
    #[error("process {pid}: cannot read /proc/{pid}: {source}")]
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
    /// Start time in clock ticks since boot: with the number, the identity.
    pub start_ticks: u64,
    /// Name. Untrusted text.
    pub comm: String,
    /// Event time of its start, negative before the watch.
    pub started_ms: Millis,
    dir: OwnedFd,
    /// `None` on kernels and in sandboxes without pidfds; the start time serves then.
    pidfd: Option<OwnedFd>,
    /// Device and inode of the program file, where we may read it.
    program: Option<(u64, u64)>,
}

impl Process {
    /// Opens a process by number; `zero_ms` is the boot time at event time 0.
    ///
    /// # Errors
    /// When there is no such process, /proc hides it, it is a kernel thread, or us.
    pub fn open(pid: u32, zero_ms: Millis) -> Result<Self, TargetError> {
        let failed = |error: rustix::io::Errno| match error {
            rustix::io::Errno::NOENT | rustix::io::Errno::SRCH => TargetError::Missing(pid),
            other => TargetError::Proc { pid, source: other.into() },
        };
        // The pidfd comes first: what is opened after it and agrees with it is the same process.
        let pidfd = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).map_err(failed)?;
        let stat = stat_of(dir.as_fd()).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => TargetError::Missing(pid),
            _ => TargetError::Proc { pid, source },
        })?;
        if stat.flags & KERNEL_THREAD != 0 {
            return Err(TargetError::KernelThread(pid));
        }
        let started = start_ms(stat.starttime);
        let process = Self {
            pid,
            start_ticks: stat.starttime,
            comm: stat.comm,
            started_ms: started - zero_ms,
            program: program_of(dir.as_fd()).ok(),
            dir,
            pidfd,
        };
        // A zombie's leader may have left living threads behind; those still hold handles.
        if process.is_alive() { Ok(process) } else { Err(TargetError::Ended(pid)) }
    }

    /// Handle of /proc/PID; it never leads to a successor of the same number.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Device and inode of its program file, where we may read it.
    pub fn program(&self) -> Option<(u64, u64)> {
        self.program
    }

    /// Whether it, or a thread it left behind, still runs.
    pub fn is_alive(&self) -> bool {
        if let Some(pidfd) = &self.pidfd {
            let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
            let no_wait = rustix::event::Timespec::default();
            return match poll(&mut fds, Some(&no_wait)) {
                // Readable: the whole thread group has ended.
                Ok(_) => !fds[0].revents().contains(PollFlags::IN),
                Err(_) => true,
            };
        }
        stat_of(self.dir.as_fd()).is_ok_and(|stat| stat.starttime == self.start_ticks)
    }

    /// Whether it became another program since the last look.
    pub(super) fn noticed_exec(&mut self) -> bool {
        let now = program_of(self.dir.as_fd()).ok();
        if now.is_none() || self.program.is_none() || now == self.program {
            return false;
        }
        self.program = now;
        if let Ok(stat) = stat_of(self.dir.as_fd()) {
            self.comm = stat.comm;
        }
        true
    }
}

/// Parses `stat` below a handle of /proc/PID.
pub(crate) fn stat_of(dir: BorrowedFd<'_>) -> io::Result<procfs::process::Stat> {
    use procfs::FromRead;
    let file = openat(dir, "stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    procfs::process::Stat::from_read(std::fs::File::from(file)).map_err(io::Error::other)
}

/// Clock ticks since boot in milliseconds.
pub(crate) fn start_ms(ticks: u64) -> Millis {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Millis::try_from(u128::from(ticks) * 1000 / u128::from(per_second)).unwrap_or(Millis::MAX)
}

/// Time since boot, suspended time included: the clock of start times.
pub fn boot_ms() -> Millis {
    let now = clock_gettime(ClockId::Boottime);
    let since = Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    );
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// Device and inode of the program file of a process, by a handle of its folder in /proc.
///
/// # Errors
/// When it is gone, or we may not read that.
pub(crate) fn program_of(dir: BorrowedFd<'_>) -> rustix::io::Result<(u64, u64)> {
    // No traffic to a file server that may hang.
    let stat = statx(dir, "exe", AtFlags::STATX_DONT_SYNC, StatxFlags::INO)?;
    Ok((u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor), stat.stx_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_noticed_and_what_cannot_be_watched_is_refused() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id(), boot_ms()).unwrap();
        assert!(process.is_alive());
        assert_eq!(process.comm, "sleep");
        assert!(process.started_ms <= 20, "{}", process.started_ms);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_alive());
        assert!(matches!(Process::open(child.id(), 0), Err(TargetError::Missing(_))));
        assert!(matches!(
            Process::open(2, 0),
            Err(TargetError::KernelThread(2) | TargetError::Missing(2))
        ));
        assert!(matches!(Process::open(u32::MAX, 0), Err(TargetError::Missing(_))));
    }
}
