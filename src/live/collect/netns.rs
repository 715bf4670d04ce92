//! A diagnostics socket in the network namespace of a process.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};

use crate::live::host::sock_diag::SockDiag;
use crate::live::target::Process;

/// Opens it in ours, or by entering the process's: `key` is the device and inode of its namespace.
/// The error says why it cannot be used there.
pub(super) fn open(process: &Process, key: (u64, u64)) -> Result<SockDiag, String> {
    let ours = statat(CWD, "/proc/thread-self/ns/net", AtFlags::empty())
        .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == key);
    if ours {
        return SockDiag::open_here().map_err(|error| format!("sock_diag: {error}"));
    }
    openat(process.dir(), "ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(Into::into)
        .and_then(SockDiag::open_in)
        .map_err(|error| format!("entering the network namespace: {error}, needs CAP_SYS_ADMIN"))
}
