//! Lives of TCP connections by the tracepoint `sock:inet_sock_set_state`, and whose they are.
//!
//! A connection that a process asks for enters SYN_SENT in the context of that process: the event
//! names it. One that comes in is established in whatever context the packet was handled; its port
//! tells who listens, and the process that closes it was the one that held it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ring::Event;
use super::tracepoint::{Field, Tracepoint};
use crate::live::facts::Millis;
use crate::live::host::socket_row::{
    End, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_LAST_ACK, TCP_SYN_SENT,
};
use crate::live::life_spans::LifeSpans;

/// Name of the tracepoint.
pub const TRACEPOINT: &str = "sock/inet_sock_set_state";
/// What the kernel is to tell: connections asked for, established, and given up by this side, of
/// TCP. Every other step of a connection is dropped before it costs anything more.
pub const FILTER: &CStr = c"protocol == 6 && (newstate == 1 || newstate == 2 || \
    ((oldstate == 1 || oldstate == 2 || oldstate == 8) && \
    (newstate == 4 || newstate == 7 || newstate == 9)))";

/// Connections followed at a time, of all processes of the host.
const MAX_LIVES: usize = 65_536;
/// Owners and peers told apart from one report to the next.
const MAX_ENDS: usize = 8_192;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// `TRACE_FLAG_HARDIRQ` and `TRACE_FLAG_SOFTIRQ`: the process that runs has nothing to do with it.
const INTERRUPTED: u8 = 0x08 | 0x10;

/// Where the kernel puts what is of interest.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    flags: Field,
    socket: Field,
    from: Field,
    to: Field,
    own_port: Field,
    port: Field,
    family: Field,
    v4: Field,
    v6: Field,
}

/// One step of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When, by the monotonic clock.
    pub at_ns: u64,
    /// The process in whose context it happened; `None`: it happened in an interrupt.
    pub pid: Option<u32>,
    /// Address of the socket in the kernel: its identity for as long as it lives.
    pub socket: u64,
    /// The state before.
    pub from: u8,
    /// The state from now on.
    pub to: u8,
    /// Its own port; 0: none yet.
    pub own_port: u16,
    /// The other end.
    pub remote: (IpAddr, u16),
}

impl Layout {
    /// That of this kernel.
    ///
    /// # Errors
    /// When its tracepoint lacks a field.
    pub fn of(tracepoint: &Tracepoint) -> io::Result<Self> {
        Ok(Self {
            flags: tracepoint.field("common_flags", 1)?,
            socket: tracepoint.field("skaddr", size_of::<usize>())?,
            from: tracepoint.field("oldstate", 4)?,
            to: tracepoint.field("newstate", 4)?,
            own_port: tracepoint.field("sport", 2)?,
            port: tracepoint.field("dport", 2)?,
            family: tracepoint.field("family", 2)?,
            v4: tracepoint.field("daddr", 4)?,
            v6: tracepoint.field("daddr_v6", 16)?,
        })
    }

    /// Reads one event; `None` when it is of another shape.
    pub fn step(&self, event: &Event<'_>) -> Option<Step> {
        let raw = event.raw;
        let state = |field: Field| u8::try_from(u32::from_ne_bytes(field.of(raw)?)).ok();
        let port = |field: Field| Some(u16::from_ne_bytes(field.of(raw)?));
        let address = match u16::from_ne_bytes(self.family.of(raw)?) {
            AF_INET => IpAddr::V4(Ipv4Addr::from(self.v4.of::<4>(raw)?)),
            AF_INET6 => IpAddr::V6(Ipv6Addr::from(self.v6.of::<16>(raw)?)).to_canonical(),
            _ => return None,
        };
        let [flags] = self.flags.of(raw)?;
        Some(Step {
            at_ns: event.time_ns,
            pid: (flags & INTERRUPTED == 0).then_some(event.pid),
            socket: usize::from_ne_bytes(self.socket.of(raw)?) as u64,
            from: state(self.from)?,
            to: state(self.to)?,
            own_port: port(self.own_port)?,
            remote: (address, port(self.port)?),
        })
    }
}

/// Whose a connection is, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process asked for it.
    Process(u32),
    /// It came in, at the port of its end.
    Listener,
    /// It came in, and this process closed it.
    Closer(u32),
}

/// What happened with connections of one owner at one end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Established.
    pub opened: u64,
    /// Of these, ended.
    pub closed: u64,
    /// Asked for in vain.
    pub failed: u64,
    /// How long the ended ones lived.
    pub lives: LifeSpans,
}

/// What happened since the last report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By owner and end.
    pub counts: BTreeMap<(Owner, End), Counts>,
    /// Connections that ended without a beginning, by the process that closed them: they are older
    /// than the watch, or the kernel left their beginning out.
    pub strangers: BTreeMap<u32, u64>,
    /// Events that could not be followed for lack of room, or that the kernel left out: of what
    /// interrupts its own tracing it may drop some, and does not tell how many.
    pub missed: u64,
}

/// A connection that is being followed.
#[derive(Debug, Clone, Copy)]
struct Life {
    owner: Owner,
    end: End,
    established_ns: Option<u64>,
}

/// Follows connections from step to step.
#[derive(Debug, Default)]
pub struct Lives {
    by_socket: HashMap<u64, Life>,
    report: Report,
}

impl Lives {
    /// Takes in a step; steps come in the order of time.
    pub fn take(&mut self, step: &Step) {
        match (step.from, step.to) {
            (_, TCP_SYN_SENT) => {
                // Whoever asks for a connection in an interrupt is the kernel itself.
                let Some(pid) = step.pid else { return };
                let end = End::Client(step.remote.0, step.remote.1);
                self.follow(
                    step.socket,
                    Life { owner: Owner::Process(pid), end, established_ns: None },
                );
            }
            (from, TCP_ESTABLISHED) => {
                let life = if from == TCP_SYN_SENT {
                    // Else it was asked for before we came.
                    let Some(&life) = self.by_socket.get(&step.socket) else { return };
                    life
                } else {
                    let end = End::Server(step.own_port);
                    Life { owner: Owner::Listener, end, established_ns: None }
                };
                let established_ns = Some(step.at_ns);
                if self.follow(step.socket, Life { established_ns, ..life }) {
                    self.count(life.owner, life.end, |counts| counts.opened += 1);
                }
            }
            (
                TCP_ESTABLISHED | TCP_CLOSE_WAIT | TCP_SYN_SENT,
                TCP_FIN_WAIT1 | TCP_LAST_ACK | TCP_CLOSE,
            ) => {
                let Some(life) = self.by_socket.remove(&step.socket) else {
                    if let (Some(pid), true) = (step.pid, step.from != TCP_SYN_SENT) {
                        self.stranger(pid);
                    }
                    return;
                };
                let owner = match (life.owner, step.pid) {
                    (Owner::Listener, Some(pid)) => Owner::Closer(pid),
                    (owner, _) => owner,
                };
                // It gives up what was established, though nobody heard of that.
                let left_out = life.established_ns.is_none() && step.from != TCP_SYN_SENT;
                self.report.missed += u64::from(left_out);
                self.count(owner, life.end, |counts| match life.established_ns {
                    Some(established) => {
                        counts.closed += 1;
                        counts.lives.add(millis(step.at_ns.saturating_sub(established)));
                    }
                    None if left_out => {
                        counts.opened += 1;
                        counts.closed += 1;
                    }
                    None => counts.failed += 1,
                });
            }
            _ => {}
        }
    }

    /// What happened since it was asked last.
    pub fn report(&mut self) -> Report {
        std::mem::take(&mut self.report)
    }

    /// Notes where a connection stands; false when there are too many.
    fn follow(&mut self, socket: u64, life: Life) -> bool {
        let fits = self.by_socket.len() < MAX_LIVES || self.by_socket.contains_key(&socket);
        if fits {
            self.by_socket.insert(socket, life);
        } else {
            self.report.missed += 1;
        }
        fits
    }

    fn count(&mut self, owner: Owner, end: End, count: impl FnOnce(&mut Counts)) {
        let Report { counts, missed, .. } = &mut self.report;
        if counts.len() < MAX_ENDS || counts.contains_key(&(owner, end)) {
            count(counts.entry((owner, end)).or_default());
        } else {
            *missed += 1;
        }
    }

    fn stranger(&mut self, pid: u32) {
        let Report { strangers, missed, .. } = &mut self.report;
        if strangers.len() < MAX_ENDS || strangers.contains_key(&pid) {
            *strangers.entry(pid).or_default() += 1;
        } else {
            *missed += 1;
        }
    }
}

impl Counts {
    /// Adds what happened later.
    pub fn add(&mut self, more: &Self) {
        self.opened += more.opened;
        self.closed += more.closed;
        self.failed += more.failed;
        self.lives.add_all(&more.lives);
    }
}

fn millis(ns: u64) -> Millis {
    Millis::try_from(ns / 1_000_000).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)), 5432);
    const MS: u64 = 1_000_000;

    fn step(at_ms: u64, pid: Option<u32>, socket: u64, from: u8, to: u8) -> Step {
        Step { at_ns: at_ms * MS, pid, socket, from, to, own_port: 80, remote: DATABASE }
    }

    fn told(steps: &[Step]) -> Report {
        let mut lives = Lives::default();
        steps.iter().for_each(|step| lives.take(step));
        lives.report()
    }

    #[test]
    fn a_connection_is_whose_process_asked_for_it() {
        let report = told(&[
            step(0, Some(7), 1, 7, 2),
            // Another process runs while the answer comes in.
            step(1, None, 1, 2, 1),
            step(6, Some(7), 1, 1, 4),
            // What comes after the end is of no interest.
            step(7, None, 1, 5, 7),
            // One in vain, one still open.
            step(8, Some(7), 2, 7, 2),
            step(9, None, 2, 2, 7),
            step(9, Some(7), 1, 7, 2),
            step(9, None, 1, 2, 1),
        ]);
        let client = End::Client(DATABASE.0, DATABASE.1);
        let counts = &report.counts[&(Owner::Process(7), client)];
        assert_eq!((counts.opened, counts.closed, counts.failed), (2, 1, 1));
        let mut lives = LifeSpans::default();
        lives.add(5);
        assert_eq!(counts.lives, lives);
        assert_eq!((report.counts.len(), report.missed), (1, 0));
    }

    #[test]
    fn what_the_kernel_left_out_is_counted_where_the_end_tells_of_it() {
        let report = told(&[
            step(0, Some(7), 1, 7, 2),
            // That it was established is left out; that it is given up as such is told.
            step(6, Some(7), 1, 1, 4),
            // Of the other end nothing is told but its end.
            step(6, Some(9), 2, 8, 9),
        ]);
        let client = End::Client(DATABASE.0, DATABASE.1);
        let counts = &report.counts[&(Owner::Process(7), client)];
        assert_eq!((counts.opened, counts.closed, counts.failed), (1, 1, 0));
        // How long it lived is not known.
        assert_eq!(counts.lives, LifeSpans::default());
        assert_eq!((report.missed, report.strangers), (1, BTreeMap::from([(9, 1)])));
    }

    #[test]
    fn an_incoming_one_is_whose_process_closes_it() {
        let report = told(&[
            step(0, None, 1, 3, 1),
            step(0, None, 2, 3, 1),
            step(30, Some(9), 1, 8, 9),
            step(50, None, 2, 1, 7),
        ]);
        let server = End::Server(80);
        assert_eq!(report.counts[&(Owner::Listener, server)].opened, 2);
        // The one that was reset has no closer.
        assert_eq!(report.counts[&(Owner::Listener, server)].closed, 1);
        assert_eq!(report.counts[&(Owner::Closer(9), server)].closed, 1);
    }

    #[test]
    fn what_began_before_is_not_counted() {
        let report = told(&[
            step(0, None, 1, 2, 1),
            step(0, Some(7), 2, 1, 4),
            step(0, Some(7), 3, 8, 9),
            step(0, None, 4, 2, 7),
        ]);
        assert!(report.counts.is_empty());
        assert_eq!((report.missed, report.strangers), (0, BTreeMap::from([(7, 2)])));
    }

    #[test]
    fn room_is_bounded_and_what_does_not_fit_is_counted() {
        let mut lives = Lives::default();
        for socket in 0..MAX_LIVES as u64 + 10 {
            lives.take(&step(0, None, socket, 3, 1));
        }
        assert_eq!(lives.report().missed, 10);
        assert_eq!(lives.by_socket.len(), MAX_LIVES);
    }
}
