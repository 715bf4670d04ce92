//! What a network namespace shows of connections that no look meets: those that ended, kept by the
//! kernel for a minute (TIME_WAIT), and how many were opened at all.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, openat};

use super::socket_facts::Ports;
use crate::live::host::sock_diag::{Family, SockDiag, Table};
use crate::live::host::socket_row::{End, SocketRow};
use crate::live::target::Process;

/// Ended connections are counted on the first pass over a namespace and then on each so many,
/// unless somebody wants to know about connections.
const EVERY: u32 = 6;
/// Peers of ended connections told apart in one namespace.
const PEERS: usize = 4096;
/// The kernel keeps ended connections for so long.
const KEPT: Duration = Duration::from_secs(60);
/// More than the counters of any kernel take.
const MOST_BYTES: u64 = 64 * 1024;

/// Connections of one network namespace, whoever made them.
#[derive(Debug, Default)]
pub(super) struct Churn {
    passes: u32,
    /// Client connections that ended within the last minute, by peer.
    pub(super) lately: BTreeMap<(IpAddr, u16), u64>,
    /// Connections that ended since the first count.
    pub(super) ended: BTreeMap<End, u64>,
    /// Of these, all of a direction.
    pub(super) ended_clients: u64,
    /// The same of the other direction.
    pub(super) ended_servers: u64,
    counted: Option<Instant>,
    /// The kernel's counters at the start, and now.
    opens: Option<(Opens, Opens)>,
}

/// How many connections a namespace has opened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opens {
    /// Those that it asked for; failed ones are among them.
    pub(super) active: u64,
    /// Those that others asked for, and that came about.
    pub(super) passive: u64,
}

impl Churn {
    /// Opened since the first reading; `None`: the counters cannot be read.
    pub(super) fn opened(&self) -> Option<Opens> {
        self.opens.map(|(first, now)| Opens {
            active: now.active.saturating_sub(first.active),
            passive: now.passive.saturating_sub(first.passive),
        })
    }

    /// Reads the counters for the first time: before the first dump, so that whatever is seen to be
    /// opened was counted since.
    pub(super) fn begin(&mut self, process: &Process) {
        if self.opens.is_none() {
            self.read_opens(process);
        }
    }

    /// Reads the counters by a process that lives in the namespace, after a dump for the same reason.
    pub(super) fn read_opens(&mut self, process: &Process) {
        let Some(now) = read(process).as_deref().and_then(opens_of) else { return };
        self.opens = Some((self.opens.map_or(now, |(first, _)| first), now));
    }

    /// Counts the ended connections if it is time to. False when the dump failed: what is left of
    /// it would be in the way of the next one.
    pub(super) fn count(&mut self, diag: &mut SockDiag, ports: &Ports, always: bool) -> bool {
        let due = always || self.passes.is_multiple_of(EVERY);
        self.passes = self.passes.wrapping_add(1);
        if !due {
            return true;
        }
        let since = self.counted.replace(Instant::now()).map(|before| before.elapsed());
        self.lately.clear();
        [Family::V4, Family::V6].into_iter().all(|family| {
            diag.dump(Table::TcpTimeWait(family), &mut |row| self.hear(row, ports, since)).is_ok()
        })
    }

    /// Takes in an ended connection; `since` is the time from the count before.
    fn hear(&mut self, row: &SocketRow<'_>, ports: &Ports, since: Option<Duration>) {
        let peer = (row.remote.0.to_canonical(), row.remote.1);
        // One end of it has a port at which somebody listens: there it was a server's.
        let end = if ports.has(row.local.1) {
            End::Server(row.local.1)
        } else {
            count(&mut self.lately, peer);
            End::Client(peer.0, peer.1)
        };
        let left = row.timer_ms.map(|ms| Duration::from_millis(ms.into()));
        let age = left.map(|left| KEPT.saturating_sub(left));
        // Without the age, or at first, it may have ended before.
        if let (Some(age), Some(since)) = (age, since)
            && age < since
        {
            count(&mut self.ended, end);
            match end {
                End::Client(..) => self.ended_clients += 1,
                End::Server(_) => self.ended_servers += 1,
            }
        }
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    if counts.len() < PEERS || counts.contains_key(&key) {
        *counts.entry(key).or_default() += 1;
    }
}

fn read(process: &Process) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(process.dir(), "net/snmp", flags, Mode::empty()).ok()?;
    let mut text = String::new();
    std::fs::File::from(file).take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The counters: one line has their names, the next one their values.
fn opens_of(text: &str) -> Option<Opens> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
    };
    Some(Opens { active: value("ActiveOpens")?, passive: value("PassiveOpens")? })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::live::host::socket_row::{Proto, TCP_TIME_WAIT};

    #[test]
    fn counters_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoMin ActiveOpens PassiveOpens X\nTcp: 200 34 30 -1\n";
        assert_eq!(opens_of(text), Some(Opens { active: 34, passive: 30 }));
        for broken in ["", "Tcp: ActiveOpens\n", "Tcp: ActiveOpens PassiveOpens\nTcp: 1\n"] {
            assert_eq!(opens_of(broken), None, "{broken}");
        }
    }

    #[test]
    fn each_ended_connection_is_counted_once() {
        let end = |port| (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let mut ports = Ports::default();
        ports.add(80);
        let ended = |local, remote, seconds_ago: u32| SocketRow {
            timer_ms: Some(60_000 - seconds_ago * 1000),
            ..SocketRow::inet(0, Proto::Tcp, TCP_TIME_WAIT, end(local), end(remote))
        };
        let mut churn = Churn::default();
        // At the first count nobody knows what was before.
        churn.hear(&ended(40_000, 5432, 1), &ports, None);
        assert!(churn.ended.is_empty() && churn.lately[&end(5432)] == 1);
        let five = Some(Duration::from_secs(5));
        for age in [1, 4, 5, 30] {
            churn.hear(&ended(40_001, 5432, age), &ports, five);
            churn.hear(&ended(80, 50_000, age), &ports, five);
        }
        let (address, _) = end(0);
        assert_eq!(churn.ended[&End::Client(address, 5432)], 2);
        assert_eq!(churn.ended[&End::Server(80)], 2);
        assert_eq!((churn.ended_clients, churn.ended_servers), (2, 2));
    }
}
