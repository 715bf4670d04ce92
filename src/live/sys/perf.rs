//! What can be asked of an event of perf_event_open(2) beside what its library knows.

use std::ffi::{CStr, c_char, c_void};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

use perf_event::Counter;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// `PERF_EVENT_IOC_SET_FILTER`: the kernel drops events of a tracepoint that do not fit.
struct SetFilter<'a>(&'a CStr);

// SAFETY: the operation code is the one of linux/perf_event.h, `_IOW('$', 6, char *)`. The kernel
// only reads the string behind the pointer (perf_event_open(2)), which is nul-terminated and
// borrowed for as long as the call lasts.
unsafe impl Ioctl for SetFilter<'_> {
    type Output = ();

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::write::<*const c_char>(b'$', 6)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_ptr().cast_mut().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Sets the filter of a tracepoint event.
///
/// # Errors
/// When the kernel does not know a field of it, or the file is no event of a tracepoint.
pub(in crate::live) fn set_filter(event: &Counter, filter: &CStr) -> io::Result<()> {
    // SAFETY: `SetFilter` is what the operation takes; on a file that is no such event the kernel
    // refuses it.
    unsafe { ioctl(fd(event), SetFilter(filter)) }.map_err(io::Error::from)
}

/// `PERF_EVENT_IOC_SET_OUTPUT`: events of one file go into the ring of another.
struct SetOutput(RawFd);

// SAFETY: the operation code is the one of linux/perf_event.h, `_IO('$', 5)`; its argument is the
// number of a file (perf_event_open(2)), so that nothing is read or written behind it.
unsafe impl Ioctl for SetOutput {
    type Output = ();

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::none(b'$', 5)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::without_provenance_mut(usize::try_from(self.0).unwrap_or(usize::MAX))
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Has what `event` tells written into the ring of another event of the same CPU and clock. The
/// kernel holds on to the ring for as long as either lives.
///
/// # Errors
/// When they are not of the same CPU and clock.
pub(in crate::live) fn redirect(event: &Counter, ring: &Counter) -> io::Result<()> {
    // SAFETY: `SetOutput` is what the operation takes; both files are open for as long as they are
    // borrowed here, and a file that is no event is refused.
    unsafe { ioctl(fd(event), SetOutput(ring.as_raw_fd())) }.map_err(io::Error::from)
}

/// Its file, to be waited for with others (poll(2)).
pub(in crate::live) fn fd(event: &Counter) -> BorrowedFd<'_> {
    // SAFETY: the event owns the file, which stays open for as long as it is borrowed here.
    unsafe { BorrowedFd::borrow_raw(event.as_raw_fd()) }
}
