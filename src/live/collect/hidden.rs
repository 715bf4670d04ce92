//! What no fd table shows: files in flight between processes, those registered with rings, and the
//! watches of inotify instances.

use std::collections::BTreeMap;
use std::io::Read as _;

use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use super::fds::Fds;
use crate::live::facts::{Fact, SourceStatus};
use crate::live::target::{Process, Target};

/// UNIX sockets asked on one beat.
const SOCKETS: usize = 256;
/// Rings asked on one beat.
const RINGS: usize = 256;
/// Inotify instances asked on one beat.
const WATCHERS: usize = 64;
/// Bytes read of one that lists its watches, about a hundred each.
const WATCHES: u64 = 4 << 20;
/// Bytes read of one fdinfo: a ring lists every registered file after the number we want.
const FDINFO: u64 = 64 * 1024;

/// Reads the gauges `hidden_scm_rights`, `hidden_io_uring_files` and, by process, `inotify_watches`.
pub fn sample(held: &Fds, target: &Target, cost: std::time::Duration, beat: &mut Beat<'_>) {
    if let Some(reason) = held.blind() {
        beat.source(target.id, "hidden", SourceStatus::Unavailable, &reason, cost);
        return;
    }
    let unix = held.sockets.unix_holders(SOCKETS + 1);
    let capped =
        unix.len() > SOCKETS || held.rings().count() > RINGS || held.watchers().count() > WATCHERS;
    let in_flight = sum(target, unix.into_iter().take(SOCKETS), "scm_fds:");
    let registered = sum(target, held.rings().take(RINGS), "UserFiles:");
    for (name, value) in [("hidden_scm_rights", in_flight), ("hidden_io_uring_files", registered)] {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let value = value as f64;
        beat.out.push(Fact::Gauge {
            at: beat.at,
            target: target.id,
            pid: None,
            name: name.into(),
            value,
        });
    }
    for (pid, watches) in watches(target, held.watchers().take(WATCHERS)) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let value = watches as f64;
        beat.out.push(Fact::Gauge {
            at: beat.at,
            target: target.id,
            pid: Some(pid),
            name: "inotify_watches".into(),
            value,
        });
    }
    let (status, reason) = if capped {
        let reason = "lower bound: only the first 256 UNIX sockets and rings, and the first 64 \
                      inotify instances were asked";
        (SourceStatus::Partial, reason)
    } else {
        (SourceStatus::Ok, "")
    };
    beat.source(target.id, "hidden", status, reason, cost);
}

fn sum(target: &Target, held: impl Iterator<Item = (u32, u32)>, field: &str) -> u64 {
    held.filter_map(|(pid, fd)| {
        let process = target.processes.iter().find(|process| process.pid == pid)?;
        number(&fdinfo(process, fd, FDINFO)?, field)
    })
    .fold(0, u64::saturating_add)
}

/// The beginning of an fdinfo; `None` when the entry is gone or may not be read.
fn fdinfo(process: &Process, fd: u32, most: u64) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(process.dir(), format!("fdinfo/{fd}"), flags, Mode::empty()).ok()?;
    let mut text = Vec::new();
    std::fs::File::from(file).take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Watches of inotify instances, by process.
fn watches(target: &Target, held: impl Iterator<Item = (u32, u32)>) -> BTreeMap<u32, u64> {
    let mut by_process = BTreeMap::new();
    for (pid, fd) in held {
        let Some(process) = target.processes.iter().find(|process| process.pid == pid) else {
            continue;
        };
        if let Some(text) = fdinfo(process, fd, WATCHES) {
            *by_process.entry(pid).or_default() += listed(&text);
        }
    }
    by_process
}

/// Number of watches in an fdinfo.
fn listed(text: &[u8]) -> u64 {
    text.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"inotify ")).count() as u64
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
        assert_eq!((listed(watching), listed(text)), (2, 0));
        assert_eq!(number(b"scm_fds: -x", "scm_fds:"), None);
    }
}
