//! Socket tables by /proc/PID/net: needs no rights, but shows no idle times.

use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;

use super::socket_row::{Proto, SocketRow, TCP_CLOSE, TCP_ESTABLISHED};

/// Shows every socket in the network namespace of a process to `visit`, listening TCP first.
///
/// # Errors
/// When not even the TCP table can be read; the other tables are optional.
pub fn read(pid: u32, visit: &mut dyn FnMut(&SocketRow<'_>)) -> io::Result<()> {
    let process = i32::try_from(pid)
        .map_err(io::Error::other)
        .and_then(|pid| procfs::process::Process::new(pid).map_err(io::Error::other))?;
    let mut tcp = process.tcp().map_err(io::Error::other)?;
    tcp.extend(process.tcp6().unwrap_or_default());
    for listening in [true, false] {
        for entry in &tcp {
            if matches!(entry.state, procfs::net::TcpState::Listen) == listening {
                let (local, remote) = (entry.local_address, entry.remote_address);
                let state = entry.state.to_u8();
                let queues = (Some(entry.rx_queue), (!listening).then_some(entry.tx_queue));
                let ends = (local, remote);
                inet(Proto::Tcp, entry.inode, state, ends, queues, visit);
            }
        }
    }
    let udp = process.udp().unwrap_or_default();
    for entry in udp.iter().chain(&process.udp6().unwrap_or_default()) {
        let (local, remote) = (entry.local_address, entry.remote_address);
        let state = entry.state.to_u8();
        inet(Proto::Udp, entry.inode, state, (local, remote), (None, None), visit);
    }
    for entry in process.unix().unwrap_or_default() {
        let path = entry.path.as_ref().map(|path| path.as_os_str().as_bytes());
        let state = match entry.state {
            procfs::net::UnixState::CONNECTED => TCP_ESTABLISHED,
            _ => TCP_CLOSE,
        };
        visit(&SocketRow::unix(entry.inode, state, path.unwrap_or_default()));
    }
    Ok(())
}

fn inet(
    proto: Proto,
    inode: u64,
    state: u8,
    (local, remote): (SocketAddr, SocketAddr),
    queues: (Option<u32>, Option<u32>),
    visit: &mut dyn FnMut(&SocketRow<'_>),
) {
    // TIME_WAIT sockets belong to nobody and have no inode.
    if inode != 0 {
        let (local, remote) = ((local.ip(), local.port()), (remote.ip(), remote.port()));
        visit(&SocketRow { queues, ..SocketRow::inet(inode, proto, state, local, remote) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_listener_is_in_the_table() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut found = false;
        read(std::process::id(), &mut |row| found |= row.local.1 == port).unwrap();
        assert!(found);
        assert!(read(u32::MAX, &mut |_| {}).is_err());
    }
}
