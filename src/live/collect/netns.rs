//! The network namespace of a process: a diagnostics socket in it, and asking from within.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::endpoint::Address;
use super::own;
use crate::live::host::sock_diag::SockDiag;
use crate::live::target::Process;

/// Why it cannot be used there.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// For want of open files: another time it may work.
    pub(super) passing: bool,
}

/// Opens it in ours, or by entering the process's: `key` is the device and inode of its namespace.
pub(super) fn open(process: &Process, key: (u64, u64)) -> Result<SockDiag, Refusal> {
    let refusal = |error: io::Error, needs: &str, what: &str| {
        let errno = Errno::from_io_error(&error);
        match errno.filter(|&errno| own::is_shortage(errno)) {
            Some(errno) => {
                Refusal { reason: format!("{what}: {}", own::why(errno)), passing: true }
            }
            None => Refusal { reason: format!("{what}: {error}{needs}"), passing: false },
        }
    };
    let ours = statat(CWD, "/proc/thread-self/ns/net", AtFlags::empty())
        .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == key);
    if ours {
        return SockDiag::open_here().map_err(|error| refusal(error, "", "sock_diag"));
    }
    openat(process.dir(), "ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(Into::into)
        .and_then(SockDiag::open_in)
        .map_err(|error| refusal(error, ", needs CAP_SYS_ADMIN", "entering the network namespace"))
}

/// The namespace to ask an address from, where it is not ours: an address of a machine itself means
/// that of the process. Beside it, what could not be found out.
pub(super) fn to_ask_from(
    address: &Address,
    process: Option<&Process>,
) -> (Option<OwnedFd>, String) {
    let Some(process) = process.filter(|_| address.is_loopback()) else {
        return (None, String::new());
    };
    match unless_ours(process) {
        Ok(theirs) => (theirs, String::new()),
        Err(error) => {
            let doubt = "it is asked from our own network namespace, as that of the process cannot \
                         be told";
            (None, format!("{doubt}: {}", own::why(error)))
        }
    }
}

/// The namespace of a process; `None` where it is ours.
pub(super) fn unless_ours(process: &Process) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let theirs = openat(process.dir(), "ns/net", flags, Mode::empty())?;
    let ours = statat(CWD, "/proc/thread-self/ns/net", AtFlags::empty());
    let same = match (ours, fstat(&theirs)) {
        (Ok(ours), Ok(theirs)) => (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino),
        _ => false,
    };
    Ok((!same).then_some(theirs))
}

/// Moves this thread into a network namespace, for good.
///
/// # Errors
/// In words.
pub(super) fn enter(namespace: &OwnedFd) -> Result<(), String> {
    let network = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), network)
        .map_err(|error| format!("entering its network namespace: {error}, needs CAP_SYS_ADMIN"))
}
