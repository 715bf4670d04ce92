//! All processes of the host, read once a beat for whoever needs parents and children.

use procfs::process::all_processes;

/// Most processes read at once.
const MAX_ENTRIES: usize = 100_000;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number.
    pub pid: u32,
    /// Parent.
    pub parent: u32,
    /// Name. Untrusted text.
    pub comm: String,
    /// State letter of /proc/PID/stat.
    pub state: char,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Number of threads.
    pub threads: u64,
    /// Its user, by the owner of /proc/PID; `None` when it has just ended.
    pub user: Option<u32>,
}

/// The processes at one moment, in order of their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessTable {
    entries: Vec<Entry>,
    unreadable: u64,
    /// Why, of the first of them, or why none could be read.
    error: Option<String>,
}

impl ProcessTable {
    /// Reads /proc; processes that vanish meanwhile are left out.
    pub fn read() -> Self {
        let all = match all_processes() {
            Ok(all) => all,
            Err(error) => {
                return Self {
                    error: Some(format!("cannot list /proc: {error}")),
                    ..Self::default()
                };
            }
        };
        let mut table = Self::default();
        for process in all.take(MAX_ENTRIES) {
            match process.and_then(|process| Ok((process.stat()?, process.uid().ok()))) {
                Ok((stat, user)) => table.entries.push(Entry {
                    pid: stat.pid.unsigned_abs(),
                    parent: stat.ppid.unsigned_abs(),
                    comm: stat.comm,
                    state: stat.state,
                    start_ticks: stat.starttime,
                    threads: u64::try_from(stat.num_threads).unwrap_or(0),
                    user,
                }),
                Err(procfs::ProcError::NotFound(_)) => {}
                Err(error) => {
                    table.unreadable += 1;
                    table.error.get_or_insert_with(|| error.to_string());
                }
            }
        }
        table.entries.sort_by_key(|entry| entry.pid);
        table
    }

    /// The processes, in order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Why it is not complete, if it is not.
    pub fn incomplete(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        Some(match self.unreadable {
            0 => error.clone(),
            n => format!("{n} processes could not be read: {error}"),
        })
    }
}
