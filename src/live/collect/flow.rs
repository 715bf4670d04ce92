//! What is under way on a socket, and when that is worth telling.

use std::collections::HashMap;
use std::net::IpAddr;

use super::idle::Idle;
use crate::live::facts::{Flow, Millis};
use crate::live::host::socket_row::{Proto, SocketRow, TCP_LISTEN, TCP_SYN_SENT};

/// With so many segments a server has greeted, made the keys of a connection, and let its client in.
const OPENING: u32 = 6;
/// Listening addresses whose waiting connections are followed at a time.
const ADDRESSES: usize = 1024;

/// What a row says is under way, at event time `at`.
pub(super) fn of_row(row: &SocketRow<'_>, at: Millis) -> Flow {
    let since = |ago: Option<u32>| Some(at.saturating_sub(Millis::from(ago?)));
    let (unread, unsent) = row.queues;
    // The clocks of a listening socket, and the segments it sends, say nothing.
    let connected = row.state != TCP_LISTEN;
    Flow {
        sent: since(row.ago.sent.filter(|_| connected)),
        received: since(row.ago.received.filter(|_| connected)),
        heard: since(row.ago.heard.filter(|_| connected)),
        unread: unread.map(u64::from),
        unsent: unsent.map(u64::from),
        retries: row.retries.filter(|_| connected).map(u32::from),
        waiting_since: None,
        opening: connected && row.ago.segments.is_some_and(|sent| sent <= OPENING),
    }
}

/// Whether what is under way on such a socket is told at all: what moves all the time is not.
pub(super) fn is_told(row: &SocketRow<'_>, idle: Idle) -> bool {
    match row.proto {
        Proto::Tcp => idle != Idle::Awake || matches!(row.state, TCP_LISTEN | TCP_SYN_SENT),
        // A count of datagrams or connections; nothing else is known of these.
        Proto::Unix => row.state == TCP_LISTEN,
        Proto::Udp => false,
    }
}

/// Whether anything but the jitter of clocks has changed. Data that flows moves the clock by which
/// silence is told, so that times need not be compared here.
pub(super) fn differs(before: Option<&Flow>, now: &Flow, bucket: Millis) -> bool {
    let before = before.copied().unwrap_or_default();
    let queues = |flow: &Flow| (flow.unread, flow.unsent, flow.retries);
    let waits = match (before.waiting_since, now.waiting_since) {
        (Some(before), Some(now)) => before.abs_diff(now) > bucket.unsigned_abs(),
        (before, now) => before != now,
    };
    queues(&before) != queues(now) || waits
}

/// Connections that nobody has accepted yet: by their own address, since when the oldest waits.
#[derive(Debug, Default)]
pub(super) struct Unaccepted(HashMap<(IpAddr, u16), Millis>);

impl Unaccepted {
    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes in a connection without a holder. The clocks begin when it is established: the one
    /// that is further back tells for how long it has waited at least.
    pub(super) fn hear(&mut self, row: &SocketRow<'_>, at: Millis) {
        let Some(ago) = row.ago.sent.max(row.ago.received).or(row.idle_ms) else { return };
        let since = at.saturating_sub(Millis::from(ago));
        let known = self.0.len() < ADDRESSES || self.0.contains_key(&row.local);
        if known {
            let oldest = self.0.entry(row.local).or_insert(since);
            *oldest = since.min(*oldest);
        }
    }

    /// Since when the oldest one waits for a socket that listens at an address.
    pub(super) fn oldest(&self, (address, port): (IpAddr, u16)) -> Option<Millis> {
        let fits =
            |own: &IpAddr| address.is_unspecified() || own.to_canonical() == address.to_canonical();
        self.0
            .iter()
            .filter(|((own, at), _)| *at == port && fits(own))
            .map(|(_, &since)| since)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::live::host::socket_row::{Ago, TCP_ESTABLISHED};

    fn row(state: u8) -> SocketRow<'static> {
        let end = (IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        SocketRow {
            queues: (Some(3), Some(0)),
            ago: Ago { sent: Some(700), heard: Some(20), ..Ago::default() },
            ..SocketRow::inet(0, Proto::Tcp, state, end, end)
        }
    }

    #[test]
    fn busy_sockets_are_passed_over() {
        let established = row(TCP_ESTABLISHED);
        assert!(!is_told(&established, Idle::Awake));
        assert!(is_told(&established, Idle::Silent(0)) && is_told(&established, Idle::Unseen));
        assert!(is_told(&row(TCP_LISTEN), Idle::Awake));
        let before = of_row(&established, 1000);
        assert_eq!((before.sent, before.received, before.heard), (Some(300), None, Some(980)));
        // Clocks that jitter are no news, another queue is.
        assert!(!differs(Some(&before), &of_row(&established, 1004), 5000));
        assert!(differs(Some(&before), &Flow { unread: Some(4), ..before }, 5000));
    }

    #[test]
    fn the_oldest_waiting_connection_is_found_by_its_address() {
        let mut unaccepted = Unaccepted::default();
        unaccepted.hear(&row(TCP_ESTABLISHED), 5000);
        unaccepted.hear(&row(TCP_ESTABLISHED), 9000);
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(unaccepted.oldest((any, 80)), Some(4300));
        assert_eq!(unaccepted.oldest((any, 81)), None);
        assert_eq!(unaccepted.oldest((IpAddr::from([10, 0, 0, 1]), 80)), None);
    }
}
