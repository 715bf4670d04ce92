//! Whether a process has a console, and where: only what it says itself is believed, and only an
//! address on which it listens is spoken to.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::os::fd::AsFd as _;

use rustix::fs::{Mode, OFlags, openat, readlinkat};

use crate::live::collect::{fd_table, own};
use crate::live::host::net_tables;
use crate::live::host::socket_row::{Proto, TCP_LISTEN};
use crate::live::target::Process;

/// How the subscriber calls its thread, as far as the kernel keeps names.
const THREAD: &str = "console_subscri";
/// Threads that are looked at.
const MAX_THREADS: usize = 1024;
/// The variable that says where a console listens.
const VARIABLE: &[u8] = b"TOKIO_CONSOLE_BIND=";
/// Where it does when nothing is said.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6669);
/// The environment is read up to here.
const MAX_ENVIRONMENT: usize = 4 << 20;

/// Whether a thread of the process is that of a console.
pub(super) fn has_console(process: &Process) -> bool {
    let read = |path: String| -> rustix::io::Result<Vec<u8>> {
        let file = openat(process.dir(), path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut buffer = [0; 32];
        let length = rustix::io::read(&file, &mut buffer)?;
        Ok(buffer[..length].to_vec())
    };
    let Ok(folder) = fd_table::open(process.dir(), "task") else { return false };
    let mut tids = Vec::new();
    // What was read before an error counts.
    let _ = fd_table::each_number(folder.as_fd(), |tid| {
        if tids.len() < MAX_THREADS {
            tids.push(tid);
        }
    });
    tids.into_iter().any(|tid| {
        read(format!("task/{tid}/comm")).is_ok_and(|name| name.starts_with(THREAD.as_bytes()))
    })
}

/// Where the console of a process listens.
///
/// # Errors
/// Why that cannot be told.
pub(super) fn address(process: &Process) -> Result<SocketAddr, String> {
    let named = environment(process)?;
    let address = match named {
        Some(named) => named
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .ok_or_else(|| format!("TOKIO_CONSOLE_BIND says '{named}', which is no address"))?,
        None => DEFAULT,
    };
    if listens(process, address.port())? {
        // Whoever listens on every address is heard on this one.
        let unspecified = address.ip().is_unspecified();
        return Ok(if unspecified {
            (Ipv4Addr::LOCALHOST, address.port()).into()
        } else {
            address
        });
    }
    Err(format!(
        "it has the thread of a console, but does not listen on port {}; if another one was set in \
         its source, name it: --tokio http://HOST:PORT",
        address.port()
    ))
}

/// What the environment of the process says.
fn environment(process: &Process) -> Result<Option<String>, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let refused = |error| format!("its environment: {}", own::why(error));
    let file = openat(process.dir(), "environ", flags, Mode::empty()).map_err(refused)?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while bytes.len() < MAX_ENVIRONMENT {
        match rustix::io::read(&file, &mut buffer).map_err(refused)? {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    let value = bytes.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(VARIABLE));
    Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
}

/// Whether the process itself listens on a port: another's console would tell of other tasks.
fn listens(process: &Process, port: u16) -> Result<bool, String> {
    let mut listening = HashSet::new();
    let read = net_tables::read(process.pid, &mut |row| {
        if row.proto == Proto::Tcp && row.state == TCP_LISTEN && row.local.1 == port {
            listening.insert(format!("socket:[{}]", row.inode));
        }
    });
    read.map_err(|error| format!("its sockets: {error}"))?;
    let refused = |error| format!("its open files: {}", own::why(error));
    let folder = fd_table::open(process.dir(), "fd").map_err(refused)?;
    let mut found = false;
    let each = fd_table::each_number(folder.as_fd(), |fd| {
        found = found
            || readlinkat(&folder, fd.to_string(), Vec::new())
                .is_ok_and(|link| link.to_str().is_ok_and(|link| listening.contains(link)));
    });
    each.map_err(refused)?;
    Ok(found)
}
