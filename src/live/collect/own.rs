//! What we use up ourselves: open files, and how it is said that they ran out.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::beat::Beat;
use super::fd_table;
use crate::live::facts::SourceStatus;
use crate::live::target::Target;

/// With fewer left than this, some of what is looked at for a moment cannot be.
pub(super) const ENOUGH: u64 = 16;

/// Raises our own soft limit of open files to the hard one: each process that is watched takes two,
/// and each network namespace one. A program that we start must have been started before.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused by a sandbox: then we live with what we have, and say what we left out.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Our own open files and how many we may have; `None`: unknown, or unlimited.
pub(super) fn files() -> (Option<u64>, Option<u64>) {
    (fd_table::count_of_own(), getrlimit(Resource::Nofile).current)
}

/// Reports when our own open files run short.
pub(super) fn sample(target: &Target, beat: &mut Beat<'_>) {
    let (status, reason) = match files() {
        (Some(used), Some(most)) if most.saturating_sub(used) < ENOUGH => (
            SourceStatus::Partial,
            format!(
                "{used} of {most} open files of our own are in use, so that some things may \
                     not be looked at: ulimit -n 4096"
            ),
        ),
        _ => (SourceStatus::Ok, String::new()),
    };
    beat.source(target.id, "own files", status, &reason, Duration::ZERO);
}

/// Whether something ended while we looked at it.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::SRCH)
}

/// Whether we have run out of open files, or the host has.
pub(super) fn is_shortage(error: Errno) -> bool {
    matches!(error, Errno::MFILE | Errno::NFILE)
}

/// How many things could not be looked at, and why, of the first of them.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Refusals {
    pub(super) count: usize,
    pub(super) first: Option<Errno>,
}

impl Refusals {
    pub(super) fn add(&mut self, error: Errno) {
        self.count += 1;
        self.first.get_or_insert(error);
    }
}

/// Why something could not be looked at, and what would help.
pub(super) fn why(error: Errno) -> String {
    match error {
        Errno::MFILE => "our own limit of open files is reached: ulimit -n 4096".to_owned(),
        Errno::NFILE => "the host's limit of open files is reached".to_owned(),
        Errno::ACCESS | Errno::PERM => "needs the same uid or CAP_SYS_PTRACE".to_owned(),
        other => other.to_string(),
    }
}

/// Why a kernel stack could not be read, and what would help.
pub(super) fn why_stack(error: Errno) -> String {
    match error {
        Errno::ACCESS | Errno::PERM => "only root may read that".to_owned(),
        Errno::NOENT | Errno::NOSYS | Errno::OPNOTSUPP => "this kernel does not tell".to_owned(),
        Errno::TIMEDOUT => "the kernel has not let us read it yet".to_owned(),
        other => why(other),
    }
}
