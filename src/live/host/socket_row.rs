//! One socket as the kernel's tables show it, whichever interface gave it.

use std::net::IpAddr;

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

/// `ESTABLISHED` in the numbering of the kernel.
pub const TCP_ESTABLISHED: u8 = 1;
/// `CLOSE` in the numbering of the kernel; for UDP and UNIX: not connected.
pub const TCP_CLOSE: u8 = 7;
/// `LISTEN` in the numbering of the kernel.
pub const TCP_LISTEN: u8 = 10;

/// One row of a socket table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRow<'a> {
    /// Inode number, the same as in `socket:[N]`.
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
    /// UNIX: the bound name, abstract ones with a leading NUL. Untrusted bytes.
    pub name: &'a [u8],
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
