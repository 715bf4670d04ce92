//! File descriptors of a target: what appeared, changed and closed since the last beat.
//!
//! A socket is one handle, and so is each end of a pipe, however many entries and processes hold
//! it. Anything else is a handle per entry: its identity is process, number and link text, so that
//! one closed and opened again as the same between two beats is not seen to change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::beat::Beat;
use super::fd_facts::{describe, pipe_end};
use super::fd_table::{self, FdTable, Holder, New};
use super::link::{self, Link};
use super::own::{self, Refusals};
use super::pattern::Patterns;
use super::socket_facts::Ports;
use super::sockets::{Found, Sockets};
use super::thread_tables::{living_thread, separate_tables};
use crate::live::facts::{Fact, HandleId, Millis, SourceStatus};
use crate::live::host::socket_row::SocketRow;
use crate::live::target::{Process, Target};

/// Handles of one target that live in fd tables.
#[derive(Debug, Default)]
pub struct Fds {
    /// By process and thread; thread 0 is the process's own table.
    tables: BTreeMap<(u32, u32), Table>,
    /// Sockets among them.
    pub sockets: Sockets,
    pipes: HashMap<u64, (HandleId, u32)>,
    patterns: Patterns,
    hasher: RandomState,
    rings: BTreeSet<(u32, u32)>,
    watchers: BTreeSet<(u32, u32)>,
    notes: Notes,
    closed: Vec<Holder>,
    /// Where the tables of a process are, when not (only) in its `fd`.
    elsewhere: BTreeMap<u32, Vec<String>>,
}

#[derive(Debug)]
struct Table {
    fds: FdTable,
    /// There at the first beat of the target, and not read yet.
    initial: bool,
    /// Read at least once.
    read: bool,
    touched: bool,
}

/// What the source has to say of the last sweep.
#[derive(Debug, Default)]
struct Notes {
    read: u32,
    denied: Refusals,
    /// Fds in the tables that were refused.
    unread: u64,
    raced: u64,
    own_tables: u32,
    exited_leaders: u32,
}

impl Fds {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads all tables of the target. Sockets are reported by [`Fds::finish`], after their
    /// tables were heard.
    pub fn sweep(&mut self, target: &Target, beat: &mut Beat<'_>) {
        self.notes = Notes::default();
        self.elsewhere.clear();
        self.sockets.begin();
        let mut total = 0;
        for process in &target.processes {
            total += self.process(process, target, beat);
        }
        if self.notes.read > 0 || self.notes.denied.count > 0 {
            beat.count(target.id, None, "fds", total);
        }
        let ended: Vec<_> =
            self.tables.iter().filter(|(_, table)| !table.touched).map(|(&key, _)| key).collect();
        for key in ended {
            if let Some(table) = self.tables.remove(&key) {
                for (fd, holder) in table.fds.holders() {
                    self.rings.remove(&(key.0, fd));
                    self.watchers.remove(&(key.0, fd));
                    self.closed.push(holder);
                }
            }
        }
        for table in self.tables.values_mut() {
            table.touched = false;
        }
        self.close(beat);
    }

    /// Number of fds of a process, in the tables that the last sweep found.
    ///
    /// # Errors
    /// When the process is gone or hidden.
    pub fn count(&self, process: &Process) -> Result<u64, Errno> {
        let Some(paths) = self.elsewhere.get(&process.pid) else {
            return fd_table::count(process.dir(), "fd");
        };
        // A thread that ended since then held nothing that is left.
        let held = paths.iter().filter_map(|path| fd_table::count(process.dir(), path).ok());
        Ok(held.sum())
    }

    /// Why nothing is known of any handle: tables were refused and none was read.
    pub fn blind(&self) -> Option<String> {
        let error = self.notes.denied.first.filter(|_| self.notes.read == 0)?;
        Some(format!("no fd table could be read: {}", own::why(error)))
    }

    /// One process with the threads that have tables of their own; gives the number of fds.
    fn process(&mut self, process: &Process, target: &Target, beat: &mut Beat<'_>) -> u64 {
        let mut size = match fd_table::count(process.dir(), "fd") {
            Ok(size) => size,
            Err(error) => return self.unreadable(process, error),
        };
        let mut path = "fd".to_owned();
        if size == 0
            && let Some((thread, held)) = living_thread(process)
        {
            // The main thread ended before the others: its table is gone, theirs is not.
            path = format!("task/{thread}/fd");
            size = held;
            self.notes.exited_leaders += 1;
        }
        self.table((process.pid, 0), process, &path, target, beat);
        let mut paths = vec![path.clone()];
        let mut own: BTreeSet<u32> = separate_tables(process, &path).into_iter().collect();
        // One seen before is read as long as its thread lives, even while the sizes are equal.
        let known = (process.pid, 1)..=(process.pid, u32::MAX);
        own.extend(self.tables.range(known).map(|(&(_, thread), _)| thread));
        for thread in own {
            let path = format!("task/{thread}/fd");
            let Ok(held) = fd_table::count(process.dir(), &path) else {
                continue;
            };
            self.notes.own_tables += 1;
            self.table((process.pid, thread), process, &path, target, beat);
            paths.push(path);
            size += held;
        }
        if paths.len() > 1 || path != "fd" {
            self.elsewhere.insert(process.pid, paths);
        }
        beat.count(target.id, Some(process.pid), "fds", size);
        size
    }

    /// The count itself was refused: keep what is known while the process lives.
    fn unreadable(&mut self, process: &Process, error: Errno) -> u64 {
        if process.is_alive() {
            self.notes.denied.add(error);
            for (_, table) in self.tables.range_mut((process.pid, 0)..=(process.pid, u32::MAX)) {
                table.touched = true;
            }
        }
        0
    }

    fn table(
        &mut self,
        key: (u32, u32),
        process: &Process,
        path: &str,
        target: &Target,
        beat: &mut Beat<'_>,
    ) {
        let mut table = self.tables.remove(&key).unwrap_or_else(|| Table {
            fds: FdTable::with_hasher(self.hasher.clone()),
            initial: beat.first,
            read: false,
            touched: false,
        });
        match table.fds.sweep(process.dir(), path) {
            Ok(sweep) => {
                self.notes.read += 1;
                self.notes.raced += sweep.raced;
                for &(fd, holder) in &sweep.gone {
                    self.rings.remove(&(key.0, fd));
                    self.watchers.remove(&(key.0, fd));
                    self.closed.push(holder);
                }
                for new in &sweep.new {
                    self.appear(&mut table, process, path, new, target, beat);
                }
                table.read = true;
                table.initial = false;
                table.touched = true;
            }
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(error) => {
                self.notes.denied.add(error);
                self.notes.unread += fd_table::count(process.dir(), path).unwrap_or(0);
                table.touched = true;
            }
        }
        self.tables.insert(key, table);
    }

    fn appear(
        &mut self,
        table: &mut Table,
        process: &Process,
        path: &str,
        new: &New,
        target: &Target,
        beat: &mut Beat<'_>,
    ) {
        let pid = process.pid;
        // A fork, or a thread that left the shared table, starts with copies at the same numbers.
        let inherited = !table.read
            && self.tables.values().any(|other| {
                let slot = other.fds.slot(new.fd);
                slot.is_some_and(|slot| slot.hash == new.hash)
            });
        let pre = table.initial || inherited;
        let start_up = beat.at.saturating_sub(process.started_ms) < beat.start_up_ms;
        let text = table.fds.texts.get(new.text.clone()).unwrap_or_default();
        let holder = match link::parse(text) {
            Link::Socket(inode) => {
                if !self.sockets.hold(inode) {
                    let found = Found {
                        id: beat.ids.next_id(),
                        pid,
                        fd: new.fd,
                        born: if pre { process.started_ms } else { beat.at },
                        pre,
                        start_up,
                    };
                    self.sockets.add(inode, found);
                }
                Holder::Socket(inode)
            }
            link => {
                let entry = format!("{path}/{}", new.fd);
                let (end, end_name) = match link {
                    Link::Pipe(_) => pipe_end(process, &entry),
                    _ => (0, ""),
                };
                let pipe = match link {
                    Link::Pipe(inode) => Some(inode << 2 | end),
                    _ => None,
                };
                if let Some((_, refs)) = pipe.and_then(|key| self.pipes.get_mut(&key)) {
                    *refs += 1;
                    let holder = pipe.map_or(Holder::None, Holder::Pipe);
                    table.fds.hold(new.fd, new.hash, holder);
                    return;
                }
                let id = beat.ids.next_id();
                let mut facts = describe(link, process, &entry, &mut self.patterns);
                let label = String::from_utf8_lossy(text);
                facts.label = Arc::from(format!("{label}{end_name}"));
                facts.pid = Some(pid);
                facts.fd = Some(new.fd);
                if let Link::Pipe(inode) = link {
                    facts.inode = Some(inode);
                }
                match &*facts.kind {
                    "io_uring" => self.rings.insert((pid, new.fd)),
                    "inotify" => self.watchers.insert((pid, new.fd)),
                    _ => false,
                };
                beat.out.push(Fact::Open {
                    at: beat.at,
                    target: target.id,
                    id,
                    pre,
                    start_up,
                    facts: Arc::new(facts),
                });
                match pipe {
                    Some(key) => {
                        self.pipes.insert(key, (id, 1));
                        Holder::Pipe(key)
                    }
                    None => Holder::Own(id),
                }
            }
        };
        table.fds.hold(new.fd, new.hash, holder);
    }

    /// Closes what no entry holds any more, after all tables were read: an fd that only moved to
    /// another number or process is still held.
    fn close(&mut self, beat: &mut Beat<'_>) {
        let mut gone = Vec::new();
        let closed = std::mem::take(&mut self.closed);
        for holder in &closed {
            match *holder {
                Holder::Socket(inode) => {
                    self.sockets.release(inode);
                }
                Holder::Pipe(key) => {
                    if let Some((_, refs)) = self.pipes.get_mut(&key) {
                        *refs = refs.saturating_sub(1);
                    }
                }
                Holder::Own(id) => gone.push(id),
                Holder::None => {}
            }
        }
        for holder in closed {
            match holder {
                Holder::Socket(inode) => gone.extend(self.sockets.remove_unheld(inode)),
                Holder::Pipe(key) => {
                    if let Some(&(id, 0)) = self.pipes.get(&key) {
                        self.pipes.remove(&key);
                        gone.push(id);
                    }
                }
                Holder::Own(_) | Holder::None => {}
            }
        }
        let at = beat.at;
        beat.out.extend(gone.into_iter().map(|id| Fact::Close { at, id }));
    }

    /// Takes in one row of a socket table.
    pub fn hear(
        &mut self,
        row: &SocketRow<'_>,
        ports: &Ports,
        now: (Millis, Millis),
        out: &mut Vec<Fact>,
    ) {
        self.sockets.hear(row, ports, now, &mut self.patterns, out);
    }

    /// Reports new sockets, and on the source itself. `complete`: every table was heard in full.
    pub fn finish(&mut self, target: &Target, complete: bool, cost: Duration, beat: &mut Beat<'_>) {
        let protocol = |pid: u32, fd: u32| {
            let mut name = [0_u8; 32];
            let path = format!("/proc/{pid}/fd/{fd}");
            let length = rustix::fs::getxattr(path, "system.sockprotoname", &mut name[..]).ok()?;
            let name = name.get(..length)?;
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            Some(String::from_utf8_lossy(name).into_owned())
        };
        let patterns = &mut self.patterns;
        let opened =
            self.sockets.finish((beat.at, beat.bucket_ms), complete, patterns, protocol, beat.out);
        for (id, pre, start_up, facts) in opened {
            beat.out.push(Fact::Open { at: beat.at, target: target.id, id, pre, start_up, facts });
        }
        let (mut status, mut reason) = self.notes.judge();
        if !target.left_out.is_empty() {
            status = status.max(SourceStatus::Partial);
            if !reason.is_empty() {
                reason.push_str("; ");
            }
            reason.push_str(&target.left_out);
        }
        beat.source(target.id, "fds", status, &reason, cost);
    }

    /// Whether threads of a process have fd tables of their own: a number says nothing there.
    pub fn separate(&self, pid: u32) -> bool {
        self.tables.range((pid, 1)..=(pid, u32::MAX)).next().is_some()
    }

    /// Inotify instances: process and number.
    pub fn watchers(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.watchers.iter().copied()
    }

    /// Rings for asynchronous input and output: process and number.
    pub fn rings(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.rings.iter().copied()
    }
}

impl Notes {
    fn judge(&self) -> (SourceStatus, String) {
        let mut says = Vec::new();
        if let Some(error) = self.denied.first {
            let (count, fds, why) = (self.denied.count, self.unread, own::why(error));
            says.push(format!("{count} fd table(s) of {fds} fds in all refused: {why}"));
        }
        if self.raced > 0 {
            says.push(format!("{} closed while being read", self.raced));
        }
        if self.own_tables > 0 {
            let count = self.own_tables;
            says.push(format!("includes {count} thread(s) with a table of their own"));
        }
        if self.exited_leaders > 0 {
            says.push("main thread has exited: read from another thread".to_owned());
        }
        let status = match (self.denied.count, self.read) {
            (0, _) => SourceStatus::Ok,
            (_, 0) => SourceStatus::Unavailable,
            _ => SourceStatus::Partial,
        };
        (status, says.join("; "))
    }
}
