//! Dumps of socket tables by sock_diag, in any network namespace we may enter.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netlink_packet_core::{
    Emitable, ErrorBuffer, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NlasIterator, Parseable,
};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags, Timer,
};
use netlink_packet_sock_diag::unix::{
    ShowFlags, StateFlags as UnixStates, UnixRequest, UnixResponseHeader,
};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, INET_DIAG_INFO, IPPROTO_TCP, IPPROTO_UDP, SOCK_DIAG_BY_FAMILY,
};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
    sockopt,
};

use super::socket_row::{
    Ago, Proto, SocketRow, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_SENT, TCP_TIME_WAIT,
};

/// Which table to dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Listening TCP sockets of one family.
    TcpListen(Family),
    /// All other TCP sockets of one family that a process can hold.
    Tcp(Family),
    /// TCP connections of one family that ended within the last minute; nobody holds them.
    TcpTimeWait(Family),
    /// UDP sockets of one family.
    Udp(Family),
    /// UNIX sockets.
    Unix,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TcpListen(Family::V4) => "table of listening TCP/IPv4 sockets",
            Self::TcpListen(Family::V6) => "table of listening TCP/IPv6 sockets",
            Self::Tcp(Family::V4) => "table of TCP/IPv4 sockets",
            Self::Tcp(Family::V6) => "table of TCP/IPv6 sockets",
            Self::TcpTimeWait(Family::V4) => "table of ended TCP/IPv4 connections",
            Self::TcpTimeWait(Family::V6) => "table of ended TCP/IPv6 connections",
            Self::Udp(Family::V4) => "table of UDP/IPv4 sockets",
            Self::Udp(Family::V6) => "table of UDP/IPv6 sockets",
            Self::Unix => "table of UNIX sockets",
        })
    }
}

/// Version of the internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// All tables of what somebody holds, listening sockets first: they decide on the role of the others.
pub const TABLES: [Table; 7] = [
    Table::TcpListen(Family::V4),
    Table::TcpListen(Family::V6),
    Table::Tcp(Family::V4),
    Table::Tcp(Family::V6),
    Table::Udp(Family::V4),
    Table::Udp(Family::V6),
    Table::Unix,
];

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Every socket of the table was shown.
    Complete,
    /// The table changed under the dump, or messages were cut: some sockets may be missing.
    Interrupted,
    /// This kernel has no such table.
    NoTable,
}

/// Larger than the kernel's largest dump message (32 KiB).
const BUFFER: usize = 64 * 1024;
/// A dump that brings nothing for this long is given up.
const TIMEOUT: Duration = Duration::from_secs(2);
const HEADER: usize = 16;
const INET_RESPONSE: usize = 72;
/// Offset of the timer in `struct inet_diag_msg`; the parser leaves that of TIME_WAIT out.
const TIMER: usize = 52;
const UNIX_RESPONSE: usize = 16;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;
const ENOENT: i32 = 2;
/// Offsets in `struct tcp_info`.
const BACKOFF: usize = 4;
const RETRANSMIT_TIMEOUT: usize = 8;
const LAST_DATA_SENT: usize = 44;
const LAST_DATA_RECV: usize = 52;
const LAST_ACK_RECV: usize = 56;
const DATA_SEGS_IN: usize = 152;
const DATA_SEGS_OUT: usize = 156;
/// TIME_WAIT and half-open connections belong to no process.
const HELD_STATES: u32 = !((1 << 3) | (1 << 6) | (1 << TCP_LISTEN) | (1 << 12));

/// A diagnostics socket; it stays bound to the network namespace it was opened in.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl SockDiag {
    /// Opens in our own network namespace.
    ///
    /// # Errors
    /// When the kernel or a sandbox refuses netlink.
    pub fn open_here() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(TIMEOUT))?;
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    /// Opens in the namespace that `namespace` (an open /proc/PID/ns/net) stands for. A thread of
    /// its own enters it, so that ours stays where it is.
    ///
    /// # Errors
    /// When we may not enter (CAP_SYS_ADMIN in both user namespaces), or netlink is refused.
    pub fn open_in(namespace: OwnedFd) -> io::Result<Self> {
        std::thread::Builder::new()
            .name("poolscan-netns".into())
            .spawn(move || {
                rustix::thread::move_into_link_name_space(
                    namespace.as_fd(),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )?;
                Self::open_here()
            })?
            .join()
            .map_err(|_| io::Error::other("the thread that entered the namespace failed"))?
    }

    /// Shows every socket of one table to `visit`.
    ///
    /// # Errors
    /// What the kernel answers, a timeout, or a malformed message; rows before it were shown.
    pub fn dump(
        &mut self,
        table: Table,
        visit: &mut dyn FnMut(&SocketRow<'_>),
    ) -> io::Result<Completeness> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(table, self.sequence);
        send(&self.socket, &request, SendFlags::empty())?;
        let mut complete = Completeness::Complete;
        loop {
            let (length, whole) = match recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Err(Errno::INTR) => continue,
                received => received?,
            };
            if whole > length {
                complete = Completeness::Interrupted;
            }
            match read_messages(&self.buffer[..length], table, self.sequence, visit)? {
                Progress::More => {}
                Progress::MoreInterrupted => complete = Completeness::Interrupted,
                Progress::Done => return Ok(complete),
                Progress::DoneInterrupted => return Ok(Completeness::Interrupted),
                Progress::NoTable => return Ok(Completeness::NoTable),
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    More,
    MoreInterrupted,
    Done,
    DoneInterrupted,
    NoTable,
}

fn request(table: Table, sequence: u32) -> Vec<u8> {
    let body = match table {
        Table::Unix => {
            let request = UnixRequest {
                state_flags: UnixStates::from_bits_retain(u32::MAX),
                inode: 0,
                show_flags: ShowFlags::NAME | ShowFlags::PEER | ShowFlags::RQLEN,
                cookie: [0xff; 8],
            };
            emit(&request)
        }
        Table::TcpListen(family) => inet(family, IPPROTO_TCP, 1 << TCP_LISTEN, false),
        Table::Tcp(family) => inet(family, IPPROTO_TCP, HELD_STATES, true),
        Table::TcpTimeWait(family) => inet(family, IPPROTO_TCP, 1 << TCP_TIME_WAIT, false),
        Table::Udp(family) => inet(family, IPPROTO_UDP, u32::MAX, false),
    };
    let mut message = vec![0; HEADER + body.len()];
    message[HEADER..].copy_from_slice(&body);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut header = NetlinkBuffer::new(&mut message);
    header.set_length(length);
    header.set_message_type(SOCK_DIAG_BY_FAMILY);
    header.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
    header.set_sequence_number(sequence);
    header.set_port_number(0);
    message
}

fn inet(family: Family, protocol: u8, states: u32, info: bool) -> Vec<u8> {
    let (family, socket_id) = match family {
        Family::V4 => (AF_INET, SocketId::new_v4()),
        Family::V6 => (AF_INET6, SocketId::new_v6()),
    };
    emit(&InetRequest {
        family,
        protocol,
        extensions: if info { ExtensionFlags::INFO } else { ExtensionFlags::empty() },
        states: StateFlags::from_bits_retain(states),
        socket_id,
    })
}

fn emit(request: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; request.buffer_len()];
    request.emit(&mut bytes);
    bytes
}

/// Walks the messages of one datagram. Answers to earlier requests are passed over.
fn read_messages(
    mut bytes: &[u8],
    table: Table,
    sequence: u32,
    visit: &mut dyn FnMut(&SocketRow<'_>),
) -> io::Result<Progress> {
    let mut interrupted = false;
    while bytes.len() >= HEADER {
        let Ok(message) = NetlinkBuffer::new_checked(bytes) else {
            // Cut inside a message: what follows cannot be found.
            return Ok(Progress::MoreInterrupted);
        };
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        let next = length.saturating_add(3) & !3;
        if message.sequence_number() == sequence {
            interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                NLMSG_DONE => {
                    // The payload is an error code, 0 or negative.
                    let code = message.payload().first_chunk::<4>();
                    let failed = code.is_some_and(|code| i32::from_ne_bytes(*code) < 0);
                    return Ok(if interrupted || failed {
                        Progress::DoneInterrupted
                    } else {
                        Progress::Done
                    });
                }
                NLMSG_ERROR => return refused(message.payload()),
                SOCK_DIAG_BY_FAMILY => {
                    let shown = match table {
                        Table::Unix => unix_row(message.payload(), visit),
                        Table::Udp(_) => inet_row(message.payload(), Proto::Udp, visit),
                        Table::Tcp(_) | Table::TcpListen(_) | Table::TcpTimeWait(_) => {
                            inet_row(message.payload(), Proto::Tcp, visit)
                        }
                    };
                    interrupted |= shown.is_none();
                }
                _ => {}
            }
        }
        bytes = bytes.get(next..).unwrap_or_default();
    }
    Ok(if interrupted { Progress::MoreInterrupted } else { Progress::More })
}

fn refused(payload: &[u8]) -> io::Result<Progress> {
    let code = ErrorBuffer::new_checked(payload)
        .ok()
        .and_then(|error| error.code())
        .map_or(0, |code| code.get().saturating_neg());
    match code {
        0 => Ok(Progress::Done),
        ENOENT => Ok(Progress::NoTable),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn inet_row(payload: &[u8], proto: Proto, visit: &mut dyn FnMut(&SocketRow<'_>)) -> Option<()> {
    // The family is checked first: an error value of the parser would cost an allocation.
    if !matches!(payload.first(), Some(&(AF_INET | AF_INET6))) {
        return None;
    }
    let header = InetResponseHeader::parse(payload).ok()?;
    // Without an inode it is nobody's: not accepted yet, or closed already.
    let told = proto == Proto::Tcp
        && matches!(header.state, TCP_ESTABLISHED | TCP_CLOSE_WAIT | TCP_TIME_WAIT);
    if header.inode == 0 && !told {
        return Some(());
    }
    let id = &header.socket_id;
    let local = (id.source_address, id.source_port);
    let remote = (id.destination_address, id.destination_port);
    let info = attribute(payload.get(INET_RESPONSE..)?, INET_DIAG_INFO);
    let repeated = match header.timer {
        Some(Timer::Retransmit(..)) => info.and_then(repeated_ms).unwrap_or(0),
        _ => 0,
    };
    let ago = |info| ago(info, repeated);
    visit(&SocketRow {
        idle_ms: info.and_then(|info| idle_ms(info, repeated)),
        ago: info.filter(|_| header.state != TCP_SYN_SENT).map(ago).unwrap_or_default(),
        queues: (Some(header.recv_queue), Some(header.send_queue)),
        retries: match header.timer {
            Some(Timer::Retransmit(_, retries)) => Some(retries),
            _ if proto == Proto::Tcp => Some(0),
            _ => None,
        },
        timer_ms: header.timer.as_ref().and_then(|_| number(payload, TIMER)),
        ..SocketRow::inet(u64::from(header.inode), proto, header.state, local, remote)
    });
    Some(())
}

fn unix_row(payload: &[u8], visit: &mut dyn FnMut(&SocketRow<'_>)) -> Option<()> {
    let header = UnixResponseHeader::parse(payload).ok()?;
    let attributes = payload.get(UNIX_RESPONSE..)?;
    let name = attribute(attributes, UNIX_DIAG_NAME).unwrap_or_default();
    let lengths = attribute(attributes, UNIX_DIAG_RQLEN);
    visit(&SocketRow {
        queues: (lengths.and_then(|of| number(of, 0)), lengths.and_then(|of| number(of, 4))),
        peer: attribute(attributes, UNIX_DIAG_PEER).and_then(|peer| number(peer, 0)),
        ..SocketRow::unix(u64::from(header.inode), header.state, name)
    });
    Some(())
}

/// The value of the first attribute of a kind.
fn attribute(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    let mut rest = attributes;
    // The iterator checks lengths; offsets are taken from the slice so that the value is borrowed.
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.ok()?;
        let length = usize::from(attribute.length());
        if attribute.kind() == kind {
            return rest.get(4..length);
        }
        rest = rest.get(length.saturating_add(3) & !3..)?;
    }
    None
}

/// The younger of the two idle times in a `struct tcp_info`, by the length that came.
///
/// The kernel sets both clocks when a connection is established, so that one which never carried
/// data counts from there; before that they count from boot, for the caller to limit.
fn idle_ms(info: &[u8], repeated: u32) -> Option<u32> {
    let sent = number(info, LAST_DATA_SENT)?.saturating_add(repeated);
    Some(number(info, LAST_DATA_RECV).map_or(sent, |received| received.min(sent)))
}

/// The clocks of a `struct tcp_info` by direction. Since Linux 4.6 it also counts segments with
/// data: without any, the clock only tells when the connection was established. The last data was
/// first sent `repeated` before the clock was set.
fn ago(info: &[u8], repeated: u32) -> Ago {
    let unless_never = |clock, segments| {
        number(info, clock).filter(|_| number(info, segments).is_none_or(|count| count > 0))
    };
    Ago {
        sent: unless_never(LAST_DATA_SENT, DATA_SEGS_OUT).map(|ms| ms.saturating_add(repeated)),
        received: unless_never(LAST_DATA_RECV, DATA_SEGS_IN),
        heard: number(info, LAST_ACK_RECV),
        segments: number(info, DATA_SEGS_OUT),
    }
}

/// For how long a `struct tcp_info` says that the same data is sent again, milliseconds at the last
/// time: each wait is twice the one before, and the kernel's clock starts anew with each. Less than
/// the truth once waits are as long as they get, two minutes.
fn repeated_ms(info: &[u8]) -> Option<u32> {
    let times = u32::from(*info.get(BACKOFF)?);
    let wait_ms = number(info, RETRANSMIT_TIMEOUT)? / 1000;
    Some(wait_ms - wait_ms.checked_shr(times).unwrap_or(0))
}

/// A 32-bit field, if the kernel sent that much.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_ours_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut diag = SockDiag::open_here().unwrap();
        let mut found = false;
        diag.dump(Table::TcpListen(Family::V4), &mut |row| {
            found |= row.local.1 == port && row.state == TCP_LISTEN;
        })
        .unwrap();
        assert!(found);
        // The socket serves any number of dumps.
        for table in TABLES {
            diag.dump(table, &mut |_| {}).unwrap();
        }
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let mut seed = 7_u64;
        for round in 0..20_000 {
            let mut bytes = [0_u8; 160];
            for byte in &mut bytes {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (seed >> 56) as u8;
            }
            // Plausible header, so that the bodies are reached too.
            bytes[..4].copy_from_slice(&(16 + (round % 150) as u32).to_ne_bytes());
            bytes[4..6].copy_from_slice(&[SOCK_DIAG_BY_FAMILY, 2, 3][round % 3].to_ne_bytes());
            bytes[8..12].copy_from_slice(&1_u32.to_ne_bytes());
            bytes[16] = [AF_INET, AF_INET6, 1, 77][round % 4];
            for table in [Table::Tcp(Family::V4), Table::Unix] {
                let _ = read_messages(&bytes[..round % 161], table, 1, &mut |_| {});
            }
        }
    }

    #[test]
    fn idle_times_by_the_length_that_came() {
        let mut info = [0_u8; 104];
        info[44..48].copy_from_slice(&700_u32.to_ne_bytes());
        info[52..56].copy_from_slice(&500_u32.to_ne_bytes());
        assert_eq!(idle_ms(&info, 0), Some(500));
        assert_eq!(idle_ms(&info[..50], 0), Some(700));
        assert_eq!(idle_ms(&info[..40], 0), None);
        let known = Ago { sent: Some(700), received: Some(500), heard: Some(0), segments: None };
        assert_eq!(ago(&info, 0), known);
        // No segment with data went out or came in: the clocks tell nothing about data.
        let mut long = [0_u8; 200];
        long[..104].copy_from_slice(&info);
        assert_eq!(ago(&long, 0), Ago { heard: Some(0), segments: Some(0), ..Ago::default() });
        long[156] = 1;
        assert_eq!(ago(&long, 0).sent, Some(700));
        // Sent again after 200, 400 and 800 ms, and next after 1600.
        long[4] = 3;
        long[8..12].copy_from_slice(&1_600_000_u32.to_ne_bytes());
        assert_eq!(repeated_ms(&long), Some(1400));
        assert_eq!(ago(&long, 1400).sent, Some(2100));
        assert_eq!(repeated_ms(&long[..10]), None);
        long[4] = 255;
        assert_eq!(repeated_ms(&long), Some(1600));
    }
}
