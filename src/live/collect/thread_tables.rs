//! Fd tables that /proc/PID/fd does not show: of threads that left the shared one, and of those
//! that outlive the main thread.

use std::os::fd::AsFd as _;

use rustix::fs::{AtFlags, statat};

use super::fd_table;
use crate::live::target::Process;

/// Threads whose tables are compared with their process's on one beat.
const THREADS: usize = 1024;

/// A thread that still has a table, and the number of fds in it.
pub fn living_thread(process: &Process) -> Option<(u32, u64)> {
    threads(process).into_iter().find_map(|thread| {
        let held = fd_table::count(process.dir(), &format!("task/{thread}/fd")).ok()?;
        (thread != process.pid && held > 0).then_some((thread, held))
    })
}

fn threads(process: &Process) -> Vec<u32> {
    let mut threads = Vec::new();
    if let Ok(directory) = fd_table::open(process.dir(), "task") {
        // What was listed before an error is still good.
        let _partial = fd_table::each_number(directory.as_fd(), |thread| {
            if threads.len() < THREADS {
                threads.push(thread);
            }
        });
    }
    threads
}

/// Threads with a table of their own: by its size, which differs although the process's stood
/// still before and after. Three times over, so that churn is not taken for it. A copy that has
/// not diverged yet holds nothing that the process does not.
pub fn separate_tables(process: &Process, path: &str) -> Vec<u32> {
    let single =
        statat(process.dir(), "task", AtFlags::empty()).is_ok_and(|stat| stat.st_nlink <= 3);
    if single || !fd_table::size_is_count() {
        return Vec::new();
    }
    let mut separate = Vec::new();
    for thread in threads(process) {
        if thread == process.pid {
            continue;
        }
        let own = format!("task/{thread}/fd");
        let differs = || {
            let before = fd_table::count(process.dir(), path).ok()?;
            let held = fd_table::count(process.dir(), &own).ok()?;
            let after = fd_table::count(process.dir(), path).ok()?;
            Some(before == after && held != before && held > 0)
        };
        if (0..3).all(|_| differs() == Some(true)) {
            separate.push(thread);
        }
    }
    separate
}
