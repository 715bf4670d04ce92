//! One socket as the kernel's tables show it, whichever interface gave it.

use std::net::{IpAddr, Ipv4Addr};

/// Protocol family of a socket, as far as the tables tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proto {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// UNIX domain.
    Unix,
}

/// How long ago something last happened on a TCP connection, in milliseconds; `None` when it never
/// did, or where the table does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ago {
    /// We sent data.
    pub sent: Option<u32>,
    /// Data came.
    pub received: Option<u32>,
    /// The other end was heard of, with or without data.
    pub heard: Option<u32>,
    /// How many segments with data we sent; repetitions count.
    pub segments: Option<u32>,
}

/// `ESTABLISHED` in the numbering of the kernel.
pub const TCP_ESTABLISHED: u8 = 1;
/// `SYN_SENT` in the numbering of the kernel.
pub const TCP_SYN_SENT: u8 = 2;
/// `FIN_WAIT1` in the numbering of the kernel: this side has said its last word first.
pub const TCP_FIN_WAIT1: u8 = 4;
/// `TIME_WAIT` in the numbering of the kernel: it ended within the last minute.
pub const TCP_TIME_WAIT: u8 = 6;
/// `CLOSE_WAIT` in the numbering of the kernel.
pub const TCP_CLOSE_WAIT: u8 = 8;
/// `CLOSE` in the numbering of the kernel; for UDP and UNIX: not connected.
pub const TCP_CLOSE: u8 = 7;
/// `LAST_ACK` in the numbering of the kernel: this side has said its last word, after the other.
pub const TCP_LAST_ACK: u8 = 9;
/// `LISTEN` in the numbering of the kernel.
pub const TCP_LISTEN: u8 = 10;

/// One row of a socket table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow<'a> {
    /// Inode number, the same as in `socket:[N]`; 0 of a connection that nobody has accepted yet.
    pub inode: u64,
    /// Family.
    pub proto: Proto,
    /// Protocol state in the numbering of the kernel, 1 to 12.
    pub state: u8,
    /// Own address and port; unspecified for UNIX.
    pub local: (IpAddr, u16),
    /// Address and port of the other end; unspecified and 0 when not connected.
    pub remote: (IpAddr, u16),
    /// Milliseconds since data last went either way; `None` where the table does not tell.
    pub idle_ms: Option<u32>,
    /// The same, by direction.
    pub ago: Ago,
    /// Bytes unread and bytes not taken by the other end; of listening sockets, connections that
    /// wait to be accepted, and how many may.
    pub queues: (Option<u32>, Option<u32>),
    /// Retransmissions in a row that were not answered.
    pub retries: Option<u8>,
    /// Milliseconds until its timer runs out; of one in TIME_WAIT, until it is forgotten.
    pub timer_ms: Option<u32>,
    /// UNIX: inode of the other end.
    pub peer: Option<u32>,
    /// UNIX: the bound name, abstract ones with a leading NUL. Untrusted bytes.
    pub name: &'a [u8],
}

/// An end of connections that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Somebody here connected to this address and port.
    Client(IpAddr, u16),
    /// Somebody connected to this port here.
    Server(u16),
}

impl<'a> SocketRow<'a> {
    /// A UNIX socket of which nothing else is known.
    pub fn unix(inode: u64, state: u8, name: &'a [u8]) -> Self {
        let nobody = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self { name, ..Self::inet(inode, Proto::Unix, state, nobody, nobody) }
    }

    /// A TCP or UDP socket of which nothing else is known.
    pub fn inet(
        inode: u64,
        proto: Proto,
        state: u8,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
    ) -> Self {
        Self {
            inode,
            proto,
            state,
            local,
            remote,
            idle_ms: None,
            ago: Ago::default(),
            queues: (None, None),
            retries: None,
            timer_ms: None,
            peer: None,
            name: &[],
        }
    }
}

/// Name of a TCP state.
pub fn state_name(state: u8) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 | 12 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => "UNKNOWN",
    }
}
