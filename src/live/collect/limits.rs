//! Limits that a target can run into: its own, its user's, its control group's, the host's.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::time::Duration;

use procfs::FromRead;
use procfs::process::{LimitValue, Limits as ProcLimits};
use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use crate::live::facts::{Fact, SourceStatus};
use crate::live::host::cgroup;
use crate::live::host::process_table::ProcessTable;
use crate::live::target::{Process, Target};

/// Limits are read on the first beat and then on each so many.
const EVERY: u32 = 6;

/// A limit and how much of it is used; the outer `None` of the value means unlimited.
type Reading = (Option<u64>, Option<u64>);

/// What was read last, so that only changes are told.
#[derive(Debug, Default)]
pub struct Limits {
    beats: u32,
    told: BTreeMap<&'static str, Reading>,
    reason: String,
}

impl Limits {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the limits that changed.
    pub fn sample(
        &mut self,
        target: &Target,
        table: &ProcessTable,
        cost: Duration,
        beat: &mut Beat<'_>,
    ) {
        if self.beats.is_multiple_of(EVERY) {
            let (readings, reason) = read(target, table);
            for (name, reading) in readings {
                // What is used is told each time: that it did not grow is news, too.
                let told = self.told.insert(name, reading) == Some(reading);
                if told && reading.1.is_none() {
                    continue;
                }
                beat.out.push(Fact::Limit {
                    at: beat.at,
                    target: target.id,
                    name: name.into(),
                    value: reading.0,
                    used: reading.1,
                });
            }
            self.reason = reason;
        }
        self.beats = self.beats.wrapping_add(1);
        let status = SourceStatus::without(&self.reason);
        beat.source(target.id, "limits", status, &self.reason, cost);
    }
}

fn read(target: &Target, table: &ProcessTable) -> (BTreeMap<&'static str, Reading>, String) {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    // Each process has a table of its own: the smallest limit is met first.
    for process in &target.processes {
        match own_limits(process) {
            Ok(limits) => {
                let files = limits.max_open_files;
                keep_least(&mut found, "nofile_soft", value(files.soft_limit));
                keep_least(&mut found, "nofile_hard", value(files.hard_limit));
                keep_least(&mut found, "nproc_soft", value(limits.max_processes.soft_limit));
            }
            Err(error) => missing.push(format!("limits of process {}: {error}", process.pid)),
        }
    }
    if let Some(root) = target.processes.first() {
        if let Some(nproc) = found.get_mut("nproc_soft") {
            nproc.1 = tasks_of_user(root, table);
        }
        of_groups(root, &mut found);
        of_namespace(root, &mut found);
    }
    for (name, path) in [
        ("nr_open", "/proc/sys/fs/nr_open"),
        ("threads_max", "/proc/sys/kernel/threads-max"),
        ("inotify_max_user_instances", "/proc/sys/fs/inotify/max_user_instances"),
        ("inotify_max_user_watches", "/proc/sys/fs/inotify/max_user_watches"),
        ("max_map_count", "/proc/sys/vm/max_map_count"),
    ] {
        match number(path) {
            Some(limit) => {
                found.insert(name, (Some(limit), None));
            }
            None => missing.push(format!("{path} cannot be read")),
        }
    }
    if let Some((used, limit)) = files_of_host() {
        found.insert("file_max", (Some(limit), Some(used)));
    }
    (found, missing.join("; "))
}

/// How many files the whole host has open, and how many it may.
pub(super) fn files_of_host() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let mut parts = text.split_whitespace().map(|part| part.parse::<u64>().ok());
    Some((parts.next()??, parts.nth(1)??))
}

/// How many files a process may have open; the inner `None` means unlimited.
pub(super) fn files_of(process: &Process) -> Result<Option<u64>, String> {
    own_limits(process).map(|limits| value(limits.max_open_files.soft_limit))
}

fn keep_least(found: &mut BTreeMap<&'static str, Reading>, name: &'static str, value: Option<u64>) {
    let entry = found.entry(name).or_insert((value, None));
    entry.0 = match (entry.0, value) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

fn value(limit: LimitValue) -> Option<u64> {
    match limit {
        LimitValue::Unlimited => None,
        LimitValue::Value(value) => Some(value),
    }
}

/// Threads of all processes of the root's user, which count against `nproc_soft`; `None` for the
/// super-user, who is exempt, and where processes are hidden.
fn tasks_of_user(root: &Process, table: &ProcessTable) -> Option<u64> {
    let entries = table.entries();
    let user =
        entries.iter().find(|entry| entry.pid == root.pid)?.user.filter(|&user| user != 0)?;
    let theirs = entries.iter().filter(|entry| entry.user == Some(user));
    table.incomplete().is_none().then(|| theirs.map(|entry| entry.threads).sum())
}

fn own_limits(process: &Process) -> Result<ProcLimits, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(process.dir(), "limits", flags, Mode::empty()).map_err(|e| e.to_string())?;
    ProcLimits::from_read(fs::File::from(file)).map_err(|error| error.to_string())
}

fn of_groups(root: &Process, found: &mut BTreeMap<&'static str, Reading>) {
    let groups = cgroup::memberships(root.pid);
    if groups.is_empty() {
        return;
    }
    let pids = ("pids.max", "pids.current");
    let tightest = cgroup::tightest(&groups, "pids", pids, pids);
    found.insert("pids_max", tightest.map_or((None, None), |l| (Some(l.limit), l.used)));
    let tightest = cgroup::tightest(
        &groups,
        "memory",
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    );
    found.insert("memory_max_bytes", tightest.map_or((None, None), |l| (Some(l.limit), l.used)));
}

/// What belongs to the network namespace. It is not looked for below the target's own root, where
/// anybody may have mounted what never answers.
fn of_namespace(root: &Process, found: &mut BTreeMap<&'static str, Reading>) {
    // /proc/sys/net shows the reader's namespace; only where that is the target's it may be told.
    if !shares_our_network(root) {
        return;
    }
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/{name}")).ok();
    if let Some(text) = read("ipv4/ip_local_port_range") {
        let mut ends = text.split_whitespace().map(|part| part.parse::<u64>().ok());
        if let (Some(low), Some(high)) = (ends.next().flatten(), ends.next().flatten()) {
            found.insert("ephemeral_ports", (Some((high + 1).saturating_sub(low)), None));
        }
    }
    if let Some(limit) = read("core/somaxconn").and_then(|text| text.trim().parse().ok()) {
        found.insert("somaxconn", (Some(limit), None));
    }
    if let Some(limit) = read("netfilter/nf_conntrack_max").and_then(|t| t.trim().parse().ok()) {
        let used = read("netfilter/nf_conntrack_count").and_then(|t| t.trim().parse().ok());
        found.insert("conntrack_max", (Some(limit), used));
    }
}

fn shares_our_network(root: &Process) -> bool {
    let theirs = fs::read_link(format!("/proc/{}/ns/net", root.pid));
    let ours = fs::read_link("/proc/self/ns/net");
    // Unreadable for lack of rights: then it is most likely another user's process of this host.
    theirs.is_err() || theirs.ok() == ours.ok()
}

fn number(path: &str) -> Option<u64> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(64).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
