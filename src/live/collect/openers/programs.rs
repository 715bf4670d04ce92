//! What processes run: read once, and anew after an exec, so that no stack is named by another
//! program's code.

use std::collections::{BTreeMap, BTreeSet};

use crate::live::collect::traced::monotonic_ns;
use crate::live::target::Process;
use crate::live::trace::stack::Code;

/// Why a stack of a program is not looked at that no longer runs.
const GONE: &str = "the process has become another program (exec) before its stack was looked at";
/// Why no stack is looked at.
const UNREADABLE: &str = "the code of the process cannot be read";

/// The programs of processes.
#[derive(Debug, Default)]
pub(in crate::live::collect) struct Programs {
    codes: BTreeMap<u32, Program>,
    /// When processes became other programs.
    execs: BTreeMap<u32, u64>,
}

/// What a process runs.
#[derive(Debug)]
struct Program {
    /// When that was read.
    read_ns: u64,
    /// None where it may not be read.
    code: Option<Code>,
}

impl Programs {
    /// A process became another program.
    pub(in crate::live::collect) fn exec(&mut self, pid: u32, at_ns: u64) {
        self.execs.insert(pid, at_ns);
    }

    /// What this process runs is to be read anew.
    pub(in crate::live::collect) fn forget(&mut self, pid: u32) {
        self.codes.remove(&pid);
    }

    /// Only these processes are asked about any more.
    pub(in crate::live::collect) fn keep(&mut self, pids: &BTreeSet<u32>) {
        self.codes.retain(|pid, _| pids.contains(pid));
        self.execs.retain(|pid, _| pids.contains(pid));
    }

    /// The code that a process ran at a time, or why that is not known.
    pub(in crate::live::collect) fn code(
        &mut self,
        pid: u32,
        at_ns: u64,
    ) -> Result<&mut Code, &'static str> {
        if let Some(exec_ns) = self.execs.get(&pid) {
            if at_ns <= *exec_ns {
                return Err(GONE);
            }
            if self.codes.get(&pid).is_some_and(|code| code.read_ns <= *exec_ns) {
                self.codes.remove(&pid);
            }
        }
        let program = self.codes.entry(pid).or_insert_with(|| Program {
            read_ns: monotonic_ns(),
            code: Process::open(pid, 0).ok().and_then(|process| Code::of(&process).ok()),
        });
        program.code.as_mut().ok_or(UNREADABLE)
    }
}
