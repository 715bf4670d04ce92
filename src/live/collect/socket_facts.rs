//! What a socket is, in words: role, peer and state from a row of a table.

use std::net::IpAddr;
use std::sync::Arc;

use super::pattern::Patterns;
use crate::live::facts::{Activity, HandleFacts};
use crate::live::host::socket_row::{End, Proto, SocketRow, TCP_CLOSE, TCP_LISTEN, state_name};

/// Local ports on which somebody listens, or did since the watch began.
#[derive(Debug)]
pub struct Ports(Box<[u64; 1024]>);

impl Default for Ports {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl Ports {
    /// Notes a listening port.
    pub fn add(&mut self, port: u16) {
        self.0[usize::from(port >> 6)] |= 1 << (port & 63);
    }

    /// Whether somebody listens there, or did.
    pub fn has(&self, port: u16) -> bool {
        self.0[usize::from(port >> 6)] & (1 << (port & 63)) != 0
    }
}

/// Where a socket stands; compared on every beat, so it is small and needs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Not in any table yet.
    Unlisted,
    /// A listening TCP port.
    Listen(u16),
    /// Own port, address and port of the other end; somebody listens on the own one.
    Server(u16, IpAddr, u16),
    /// Own port, address and port of the other end.
    Client(u16, IpAddr, u16),
    /// Own port, address and port of the other end.
    Udp(u16, IpAddr, u16),
    /// UNIX, and whether it has a name: it is bound at most once.
    Unix(bool),
}

/// The role of an end of a TCP connection, as groups name it.
pub(super) fn role_of(end: End) -> &'static str {
    match end {
        End::Client(..) => "tcp client",
        End::Server(_) => "tcp server",
    }
}

/// Its peer: the other end of a client, the port of a server.
pub(super) fn peer_of(end: End) -> String {
    match end {
        End::Client(address, port) => endpoint(address, port),
        End::Server(port) => format!(":{port}"),
    }
}

/// Where a row puts its socket.
pub fn place(row: &SocketRow<'_>, ports: &Ports) -> Place {
    let (address, port) = row.remote;
    match row.proto {
        Proto::Unix => Place::Unix(!row.name.is_empty()),
        Proto::Udp => Place::Udp(row.local.1, address, port),
        Proto::Tcp if row.state == TCP_LISTEN => Place::Listen(row.local.1),
        Proto::Tcp if ports.has(row.local.1) => Place::Server(row.local.1, address, port),
        Proto::Tcp => Place::Client(row.local.1, address, port),
    }
}

/// The state to show; UDP has none.
pub fn state_of(row: &SocketRow<'_>) -> &'static str {
    match (row.proto, row.state) {
        (Proto::Udp, _) => "",
        (Proto::Unix, TCP_CLOSE) => "UNCONNECTED",
        (_, state) => state_name(state),
    }
}

/// What a listed socket is, in words.
pub fn describe(
    row: &SocketRow<'_>,
    place: Place,
    activity: Activity,
    pid: u32,
    patterns: &mut Patterns,
) -> HandleFacts {
    let ends = || {
        format!(
            "{} -> {}",
            endpoint(row.local.0, row.local.1),
            endpoint(row.remote.0, row.remote.1)
        )
    };
    let (role, peer, label) = match place {
        Place::Listen(port) => {
            let label = endpoint(row.local.0, row.local.1);
            ("tcp listen", patterns.word(&format!(":{port}")), label)
        }
        Place::Server(port, ..) => ("tcp server", patterns.word(&format!(":{port}")), ends()),
        Place::Client(_, address, port) => {
            let peer = endpoint(address, port);
            ("tcp client", patterns.word(&peer), ends())
        }
        Place::Udp(local, address, port) => {
            let peer = match (port, local) {
                (0, 32_768..) => ":ephemeral".to_owned(),
                (0, _) => format!(":{local}"),
                _ => endpoint(address, port),
            };
            ("udp", patterns.word(&peer), ends())
        }
        Place::Unix(_) => {
            let name = match row.name.split_first() {
                None => None,
                Some((0, rest)) => Some([b"@", rest].concat()),
                Some(_) => Some(row.name.strip_suffix(b"\0").unwrap_or(row.name).to_vec()),
            };
            let peer = match &name {
                None => patterns.word("unnamed"),
                Some(name) => patterns.path(name),
            };
            let label = name.map(|name| String::from_utf8_lossy(&name).into_owned());
            ("unix", peer, label.unwrap_or_else(|| "unnamed".to_owned()))
        }
        Place::Unlisted => ("", patterns.word(""), String::new()),
    };
    HandleFacts {
        role: patterns.word(role),
        peer,
        state: patterns.word(state_of(row)),
        activity,
        label: Arc::from(label),
        pid: Some(pid),
        inode: Some(row.inode),
        ..HandleFacts::of_kind(patterns.word("socket"))
    }
}

/// A socket that no table shows: never connected, reset, or of a family without a table.
pub fn unlisted(
    protocol: Option<String>,
    complete: bool,
    pid: u32,
    patterns: &mut Patterns,
) -> HandleFacts {
    let protocol = protocol.unwrap_or_default();
    let inet =
        matches!(protocol.as_str(), "" | "TCP" | "TCPv6" | "MPTCP" | "MPTCPv6" | "UDP" | "UDPv6");
    let role = match (inet, complete) {
        (true, true) => "unconnected".to_owned(),
        // The tables were not complete: whether it is connected is not known.
        (true, false) => String::new(),
        (false, _) => protocol.to_ascii_lowercase(),
    };
    let peer = if inet { protocol.as_str() } else { "" };
    HandleFacts {
        role: patterns.word(&role),
        peer: patterns.word(peer),
        label: Arc::from(protocol.as_str()),
        pid: Some(pid),
        ..HandleFacts::of_kind(patterns.word("socket"))
    }
}

/// `ip:port`, v4-mapped addresses as IPv4.
pub(super) fn endpoint(address: IpAddr, port: u16) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}
