//! Targets: processes, or trees of processes, that are watched together.

mod process;

pub use process::{Process, TargetError, boot_ms};
pub(crate) use process::{program_of, start_ms, stat_of};

use std::path::PathBuf;

use crate::live::facts::{Fact, Lifecycle, Millis, TargetFacts, TargetId};
use crate::live::host::cgroup;
use crate::live::host::discover::command_line;
use crate::live::host::process_table::ProcessTable;

/// Most processes of one target.
const MAX_PROCESSES: usize = 4096;

/// Which processes belong to a target later on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// Only the ones it started with.
    Fixed,
    /// Descendants of the same name as well.
    Tree(String),
    /// Whatever is in this cgroup directory.
    Cgroup(PathBuf),
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
    follow: Follow,
    /// Boot time at event time 0, milliseconds.
    zero_ms: Millis,
    /// Why processes of it are not watched; empty when all are.
    pub left_out: String,
}

impl Target {
    /// A target of already opened processes; `zero_ms` is the boot time at event time 0.
    pub fn new(
        id: TargetId,
        facts: TargetFacts,
        processes: Vec<Process>,
        follow: Follow,
        zero_ms: Millis,
    ) -> Self {
        Self { id, facts, processes, follow, zero_ms, left_out: String::new() }
    }

    /// Notices ends and execs and follows the tree; gives the number of living processes.
    pub fn refresh(&mut self, table: &ProcessTable, at: Millis, out: &mut Vec<Fact>) -> usize {
        let before = self.facts.clone();
        let id = self.id;
        let mut exec = false;
        self.processes.retain_mut(|process| {
            if !process.is_alive() {
                out.push(Fact::Lifecycle {
                    at,
                    target: id,
                    pid: process.pid,
                    event: Lifecycle::Ended,
                });
                return false;
            }
            if process.noticed_exec() {
                out.push(Fact::Lifecycle {
                    at,
                    target: id,
                    pid: process.pid,
                    event: Lifecycle::Exec,
                });
                exec = true;
            }
            true
        });
        if exec && let Some(root) = self.processes.first() {
            self.facts.name.clone_from(&root.comm);
            self.facts.command = command_line(root.pid);
        }
        let mut left_out = (0, String::new());
        for pid in self.newcomers(table) {
            let opened = if self.processes.len() < MAX_PROCESSES {
                Process::open(pid, self.zero_ms).map_err(|error| match error {
                    // One that is gone again already was never seen.
                    TargetError::Missing(_) | TargetError::Ended(_) => String::new(),
                    other => other.to_string(),
                })
            } else {
                Err(format!("more than {MAX_PROCESSES} are not watched together"))
            };
            match opened {
                Ok(process) => {
                    self.processes.push(process);
                    out.push(Fact::Lifecycle { at, target: id, pid, event: Lifecycle::Joined });
                }
                Err(reason) if reason.is_empty() => {}
                Err(reason) => left_out = (left_out.0 + 1, reason),
            }
        }
        self.left_out = match left_out {
            (0, _) => String::new(),
            (count, reason) => format!("{count} processes are not watched: {reason}"),
        };
        self.facts.pids = self.pids();
        if self.facts != before {
            out.push(Fact::Target { target: id, facts: Box::new(self.facts.clone()) });
        }
        self.processes.len()
    }

    fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(|process| process.pid).collect()
    }

    fn newcomers(&self, table: &ProcessTable) -> Vec<u32> {
        let known = |pid: u32| self.processes.iter().any(|process| process.pid == pid);
        match &self.follow {
            Follow::Fixed => Vec::new(),
            Follow::Tree(name) => table
                .entries()
                .iter()
                .filter(|e| e.comm == *name && known(e.parent) && !known(e.pid))
                .map(|e| e.pid)
                .collect(),
            Follow::Cgroup(folder) => {
                cgroup::members(folder).into_iter().filter(|&pid| !known(pid)).collect()
            }
        }
    }
}
