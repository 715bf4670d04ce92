//! Threads and children that a look found first, by the numbers that the kernel gave them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::BorrowedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::traced::monotonic_ns;
use crate::live::facts::HandleId;
use crate::live::target::{Target, boot_ms, start_ms};
use crate::live::trace::openings::births::Found;

/// Bytes of a `status` file that are read.
const MOST: u64 = 64 * 1024;

/// One thread or child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    /// What it is called here.
    pub(super) id: HandleId,
    /// The process that it is a thread or a child of.
    pub(super) of: u32,
    /// Its number.
    pub(super) number: u32,
    /// When it began, in clock ticks since boot.
    pub(super) ticks: u64,
    /// `thread` or `child`.
    pub(super) kind: &'static str,
}

/// The same as calls tell of them: by the numbers that processes know them by, in the clock of events.
/// One whose number there cannot be read is gone, and left out.
pub(super) fn found(target: &Target, started: impl Iterator<Item = Started>) -> Vec<Found> {
    // Start times count suspended time, too.
    let boot_ns = u64::try_from(boot_ms()).unwrap_or(0).saturating_mul(1_000_000);
    let suspended_ns = boot_ns.saturating_sub(monotonic_ns());
    let mut depths: BTreeMap<u32, usize> = BTreeMap::new();
    // The first thread of a process began with it, and no call returned its number there.
    let further =
        started.filter(|started| started.kind != "thread" || started.of != started.number);
    let each = further.filter_map(|started| {
        let Started { id, of, number, ticks, kind } = started;
        let process = target.processes.iter().find(|process| process.pid == of)?;
        let depth = *depths
            .entry(of)
            .or_insert_with(|| numbers(process.dir(), "status").map_or(1, |of| of.len()));
        let number = match (depth, kind) {
            (0 | 1, _) => number,
            (_, "thread") => {
                *numbers(process.dir(), &format!("task/{number}/status"))?.get(depth - 1)?
            }
            _ => *numbers(CWD, &format!("/proc/{number}/status"))?.get(depth - 1)?,
        };
        let began_ns = u64::try_from(start_ms(ticks)).ok()?.saturating_mul(1_000_000);
        let began_ns = began_ns.saturating_sub(suspended_ns);
        Some(Found { id, number: (of, number), kind, began_ns })
    });
    each.collect()
}

/// The numbers of a task in each PID namespace, ours first.
fn numbers(dir: BorrowedFd<'_>, path: &str) -> Option<Vec<u32>> {
    let file = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    std::fs::File::from(file).take(MOST).read_to_string(&mut text).ok()?;
    numbers_of(&text)
}

fn numbers_of(status: &str) -> Option<Vec<u32>> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn numbers_of_every_namespace() {
        let status = "Name:\tNSpid:\nNgid:\t0\nNSpid:\t4026\t17\t1\nNSsid:\t1\n";
        assert_eq!(numbers_of(status), Some(vec![4026, 17, 1]));
        assert_eq!(numbers_of("NSpid:\t7\tx\n"), None);
        assert_eq!(numbers_of("Pid:\t7\n"), None);
    }

    #[test]
    fn our_own_thread_has_one_number_that_we_know() {
        let here = File::open("/proc/thread-self");
        let own = numbers(here.unwrap().as_fd(), "status").unwrap();
        assert!(!own.is_empty());
    }
}
