//! Sockets that a target holds: role, peer, state and silence, from the rows of the tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::flow::{self, Unaccepted};
use super::idle::Idle;
use super::pattern::Patterns;
use super::socket_facts::{Place, Ports, describe, place, state_of, unlisted};
use crate::live::facts::{Change, Fact, Flow, HandleFacts, HandleId, Millis};
use crate::live::host::socket_row::{Proto, SocketRow, TCP_CLOSE, TCP_LISTEN};

/// Peers of client connections remembered, and listening ports.
const PEERS: usize = 1024;

/// One socket.
#[derive(Debug)]
pub struct Socket {
    id: HandleId,
    /// Entries that hold it.
    pub refs: u32,
    /// One process that holds it.
    pub pid: u32,
    /// The number it has there.
    pub fd: u32,
    place: Place,
    state: u8,
    idle: Idle,
    born: Millis,
    pre: bool,
    start_up: bool,
    fresh: bool,
    missed: u8,
    heard: u32,
    /// A child that runs another program and holds it, too.
    inherited_by: Option<u32>,
    flow: Option<Arc<Flow>>,
    facts: Option<Arc<HandleFacts>>,
}

/// What is known when a socket is first found in an fd table.
#[derive(Debug)]
pub struct Found {
    /// Its identity.
    pub id: HandleId,
    /// The process.
    pub pid: u32,
    /// The number it has there.
    pub fd: u32,
    /// No activity can be older than this.
    pub born: Millis,
    /// It was there before.
    pub pre: bool,
    /// Its process is still starting.
    pub start_up: bool,
}

/// All sockets of a target, by inode.
#[derive(Debug, Default)]
pub struct Sockets {
    by_inode: HashMap<u64, Socket>,
    /// Peers that client connections had.
    peers: BTreeSet<(IpAddr, u16)>,
    /// Ports at which its sockets listen, or did.
    ports: BTreeSet<u16>,
    beat: u32,
    unaccepted: Unaccepted,
    /// Listening ones heard on this beat, with their address.
    listening: Vec<(u64, (IpAddr, u16), Flow)>,
}

impl Sockets {
    /// A new beat begins: what is heard now is told from what was heard before.
    pub fn begin(&mut self) {
        self.beat = self.beat.wrapping_add(1);
        self.unaccepted.clear();
        self.listening.clear();
    }

    /// Another entry holds this socket. False when it is not known yet.
    pub fn hold(&mut self, inode: u64) -> bool {
        self.by_inode.get_mut(&inode).is_some_and(|socket| {
            socket.refs += 1;
            true
        })
    }

    /// Takes in a socket that was not known.
    pub fn add(&mut self, inode: u64, found: Found) {
        let socket = Socket {
            id: found.id,
            refs: 1,
            pid: found.pid,
            fd: found.fd,
            place: Place::Unlisted,
            state: 0,
            idle: Idle::Unseen,
            born: found.born,
            pre: found.pre,
            start_up: found.start_up,
            fresh: true,
            missed: 0,
            heard: self.beat.wrapping_sub(1),
            inherited_by: None,
            flow: None,
            facts: None,
        };
        self.by_inode.insert(inode, socket);
    }

    /// An entry no longer holds this socket; true when none does.
    pub fn release(&mut self, inode: u64) -> bool {
        self.by_inode.get_mut(&inode).is_some_and(|socket| {
            socket.refs = socket.refs.saturating_sub(1);
            socket.refs == 0
        })
    }

    /// Forgets a socket that nothing holds any more; gives its identity if it was ever reported.
    pub fn remove_unheld(&mut self, inode: u64) -> Option<HandleId> {
        if self.by_inode.get(&inode)?.refs > 0 {
            return None;
        }
        let socket = self.by_inode.remove(&inode)?;
        (!socket.fresh).then_some(socket.id)
    }

    /// Whether a client connection to this peer was ever held.
    pub fn knows_peer(&self, peer: (IpAddr, u16)) -> bool {
        self.peers.contains(&peer)
    }

    /// Whether a socket that listens at this port is held, or was.
    pub fn listens_at(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// How many TCP connections are held that were there before.
    pub fn older_connections(&self) -> u64 {
        let older = |socket: &&Socket| {
            socket.pre && matches!(socket.place, Place::Server(..) | Place::Client(..))
        };
        self.by_inode.values().filter(older).count() as u64
    }

    /// The process that holds a TCP socket, and under which number.
    pub fn tcp_holder(&self, inode: u64) -> Option<(u32, u32)> {
        let socket = self.by_inode.get(&inode)?;
        let tcp = matches!(socket.place, Place::Listen(_) | Place::Server(..) | Place::Client(..));
        tcp.then_some((socket.pid, socket.fd))
    }

    /// Takes in which sockets children hold, too; tells what changed.
    pub fn inherited(&mut self, by: &BTreeMap<u64, u32>, at: Millis, out: &mut Vec<Fact>) {
        let before = self.by_inode.iter().filter(|(_, socket)| socket.inherited_by.is_some());
        let asked: BTreeSet<u64> =
            before.map(|(&inode, _)| inode).chain(by.keys().copied()).collect();
        for inode in asked {
            let Some(socket) = self.by_inode.get_mut(&inode) else { continue };
            let child = by.get(&inode).copied();
            if socket.inherited_by != child {
                socket.inherited_by = child;
                let change = Change::InheritedBy(child);
                out.push(Fact::Change { at, id: socket.id, change });
            }
        }
    }

    /// Number of sockets held.
    pub fn len(&self) -> usize {
        self.by_inode.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.by_inode.is_empty()
    }

    /// Holders of UNIX sockets, by inode, at most `most`.
    pub fn unix_holders(&self, most: usize) -> Vec<(u32, u32)> {
        let mut held: Vec<_> = self
            .by_inode
            .iter()
            .filter(|(_, socket)| matches!(socket.place, Place::Unix(_)))
            .map(|(&inode, socket)| (inode, socket.pid, socket.fd))
            .collect();
        held.sort_unstable();
        held.truncate(most);
        held.into_iter().map(|(_, pid, fd)| (pid, fd)).collect()
    }

    /// Takes in one row of a table; rows of sockets that are not ours are passed over.
    pub fn hear(
        &mut self,
        row: &SocketRow<'_>,
        ports: &Ports,
        (at, bucket): (Millis, Millis),
        patterns: &mut Patterns,
        out: &mut Vec<Fact>,
    ) {
        let beat = self.beat;
        if row.inode == 0 {
            self.unaccepted.hear(row, at);
            return;
        }
        let Some(socket) = self.by_inode.get_mut(&row.inode) else {
            return;
        };
        socket.heard = beat;
        socket.missed = 0;
        let place = place(row, ports);
        let last = last_activity(row, at, socket.born);
        let flow = flow::of_row(row, at);
        if row.state == TCP_LISTEN {
            if self.ports.len() < PEERS {
                self.ports.insert(row.local.1);
            }
            // The connections that wait for it are heard after it.
            self.listening.push((row.inode, row.local, flow));
        }
        if place != socket.place || socket.facts.is_some() {
            socket.idle.hear(last, at, bucket);
            socket.state = row.state;
            socket.place = place;
            if let Place::Client(_, address, port) = place
                && self.peers.len() < PEERS
            {
                self.peers.insert((address.to_canonical(), port));
            }
            let activity = socket.idle.activity(bucket);
            let mut facts = describe(row, place, activity, socket.pid, patterns);
            facts.fd = Some(socket.fd);
            facts.inherited_by = socket.inherited_by;
            if flow::is_told(row, socket.idle) && row.state != TCP_LISTEN {
                facts.flow = Some(Arc::new(flow));
            }
            socket.flow.clone_from(&facts.flow);
            let facts = Arc::new(facts);
            if socket.fresh {
                socket.facts = Some(facts);
            } else {
                out.push(Fact::Change { at, id: socket.id, change: Change::Place(facts) });
            }
            return;
        }
        let id = socket.id;
        let other_state = row.state != socket.state;
        if other_state {
            socket.state = row.state;
            let state = patterns.word(state_of(row));
            let change = Change::State(state);
            out.push(Fact::Change { at, id, change });
        }
        let activity = socket.idle.hear(last, at, bucket);
        if let Some(activity) = activity {
            let change = Change::Activity(activity);
            out.push(Fact::Change { at, id, change });
        }
        let news = other_state
            || activity.is_some()
            || flow::differs(socket.flow.as_deref(), &flow, bucket);
        if news && flow::is_told(row, socket.idle) && row.state != TCP_LISTEN {
            let flow = Arc::new(flow);
            socket.flow = Some(Arc::clone(&flow));
            out.push(Fact::Change { at, id, change: Change::Flow(flow) });
        }
    }

    /// Tells how many connections wait for the listening sockets, now that all were heard.
    fn tell_waiting(&mut self, at: Millis, bucket: Millis, out: &mut Vec<Fact>) {
        for (inode, address, mut flow) in std::mem::take(&mut self.listening) {
            let Some(socket) = self.by_inode.get_mut(&inode) else { continue };
            if flow.unread.is_some_and(|waiting| waiting > 0) {
                flow.waiting_since = self.unaccepted.oldest(address);
            }
            let differs = flow::differs(socket.flow.as_deref(), &flow, bucket);
            let flow = Arc::new(flow);
            if let Some(facts) = &mut socket.facts {
                Arc::make_mut(facts).flow = Some(Arc::clone(&flow));
            } else if differs {
                let change = Change::Flow(Arc::clone(&flow));
                out.push(Fact::Change { at, id: socket.id, change });
            } else {
                continue;
            }
            socket.flow = Some(flow);
        }
    }

    /// Ends the beat: sockets in no table are placed as what `protocol` says of them, when the
    /// tables were complete. Gives the new ones, by identity, ready to be reported.
    pub fn finish(
        &mut self,
        (at, bucket): (Millis, Millis),
        complete: bool,
        patterns: &mut Patterns,
        protocol: impl Fn(u32, u32) -> Option<String>,
        out: &mut Vec<Fact>,
    ) -> Vec<(HandleId, bool, bool, Arc<HandleFacts>)> {
        self.tell_waiting(at, bucket, out);
        let mut unheard: Vec<u64> = Vec::new();
        let mut fresh: Vec<u64> = Vec::new();
        #[expect(clippy::iter_over_hash_type, reason = "both lists are sorted below")]
        for (&inode, socket) in &self.by_inode {
            if socket.fresh {
                fresh.push(inode);
            } else if socket.heard != self.beat && socket.place != Place::Unlisted && complete {
                unheard.push(inode);
            }
        }
        unheard.sort_unstable();
        for inode in unheard {
            let Some(socket) = self.by_inode.get_mut(&inode) else {
                continue;
            };
            // One miss can be a race with the dump.
            socket.missed += 1;
            if socket.missed >= 2 {
                socket.place = Place::Unlisted;
                socket.idle = Idle::Unseen;
                let name = protocol(socket.pid, socket.fd);
                let mut facts = unlisted(name, true, socket.pid, patterns);
                (facts.fd, facts.inode) = (Some(socket.fd), Some(inode));
                facts.inherited_by = socket.inherited_by;
                socket.flow = None;
                out.push(Fact::Change {
                    at,
                    id: socket.id,
                    change: Change::Place(Arc::new(facts)),
                });
            }
        }
        fresh.sort_unstable_by_key(|inode| self.by_inode.get(inode).map(|socket| socket.id));
        let mut opened = Vec::with_capacity(fresh.len());
        for inode in fresh {
            let Some(socket) = self.by_inode.get_mut(&inode) else {
                continue;
            };
            socket.fresh = false;
            let facts = socket.facts.take().unwrap_or_else(|| {
                let name = protocol(socket.pid, socket.fd);
                let mut facts = unlisted(name, complete, socket.pid, patterns);
                (facts.fd, facts.inode) = (Some(socket.fd), Some(inode));
                Arc::new(facts)
            });
            opened.push((socket.id, socket.pre, socket.start_up, facts));
        }
        opened
    }
}

/// When data last flowed. The kernel's clock counts from the connection, or from boot before it
/// stands: nothing is older than the socket itself.
fn last_activity(row: &SocketRow<'_>, at: Millis, born: Millis) -> Option<Millis> {
    if row.proto != Proto::Tcp || matches!(row.state, TCP_LISTEN | TCP_CLOSE) {
        return None;
    }
    let idle = Millis::from(row.idle_ms?);
    Some(at.saturating_sub(idle).max(born.min(at)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::live::facts::Activity;
    use crate::live::host::socket_row::TCP_ESTABLISHED;

    fn row(inode: u64, local: u16, state: u8, idle: u32) -> SocketRow<'static> {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        SocketRow {
            idle_ms: Some(idle),
            ..SocketRow::inet(inode, Proto::Tcp, state, (host, local), (host, 5432))
        }
    }

    fn found(id: u64) -> Found {
        Found { id: HandleId(id), pid: 1, fd: 3, born: 0, pre: false, start_up: false }
    }

    #[test]
    fn roles_states_and_places() {
        let (mut sockets, mut ports) = (Sockets::default(), Ports::default());
        let (mut patterns, mut out) = (Patterns::default(), Vec::new());
        ports.add(80);
        sockets.add(7, found(1));
        sockets.add(8, found(2));
        sockets.add(9, found(3));
        let now = (10_000, 1000);
        let established = TCP_ESTABLISHED;
        let hear = |sockets: &mut Sockets, patterns: &mut Patterns, row, out: &mut Vec<Fact>| {
            sockets.hear(&row, &ports, now, patterns, out);
        };
        sockets.begin();
        hear(&mut sockets, &mut patterns, row(7, 80, established, 0), &mut out);
        hear(&mut sockets, &mut patterns, row(8, 9999, established, 5000), &mut out);
        hear(&mut sockets, &mut patterns, row(1234, 1, established, 0), &mut out);
        let opened = sockets.finish((10_000, 1000), true, &mut patterns, |_, _| None, &mut out);
        let role = |at: usize| (&*opened[at].3.role, &*opened[at].3.peer);
        assert_eq!(role(0), ("tcp server", ":80"));
        assert_eq!(role(1), ("tcp client", "127.0.0.1:5432"));
        assert_eq!(role(2), ("unconnected", ""));
        assert_eq!(opened[1].3.activity, Activity::SilentSince(5000));
        assert!(out.is_empty());

        // Nothing new: nothing said. Then another state; then gone from the tables twice.
        sockets.begin();
        hear(&mut sockets, &mut patterns, row(7, 80, established, 0), &mut out);
        hear(&mut sockets, &mut patterns, row(8, 9999, established, 5003), &mut out);
        assert!(out.is_empty());
        hear(&mut sockets, &mut patterns, row(7, 80, 8, 0), &mut out);
        assert!(matches!(&out[..], [Fact::Change { change: Change::State(state), .. }]
            if &**state == "CLOSE_WAIT"));
        out.clear();
        for _ in 0..3 {
            sockets.begin();
            sockets.finish((10_000, 1000), true, &mut patterns, |_, _| None, &mut out);
        }
        assert_eq!(out.len(), 2);
        assert!(sockets.release(7));
        assert_eq!(sockets.remove_unheld(7), Some(HandleId(1)));
        assert_eq!(sockets.remove_unheld(8), None);
    }

    #[test]
    fn an_unconnected_clock_does_not_count_from_boot() {
        assert_eq!(last_activity(&row(1, 1, 2, u32::MAX), 9000, 4000), Some(4000));
        assert_eq!(last_activity(&row(1, 1, TCP_LISTEN, 0), 9000, 4000), None);
    }
}
