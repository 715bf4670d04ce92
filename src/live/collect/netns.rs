//! A diagnostics socket in the network namespace of a process.

use std::io;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;

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
