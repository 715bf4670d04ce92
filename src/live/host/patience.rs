//! Reads that the kernel may let wait for ever: a thread of their own does them, and the look goes
//! on without it.
//!
//! Whoever reads the arguments or mappings of a process, or the stack of a thread, waits while it
//! changes its memory or becomes another program, and nobody can call a reader back. The kernel tells
//! counts, states, limits, links and fds without waiting.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

/// For so long a look waits for what it reads once; a busy machine needs some of that.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Has work done by a thread of its own, which tells what it found out one by one. The receiver is
/// disconnected when it is done.
///
/// # Errors
/// When no thread can be started.
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&Sender<T>) + Send + 'static,
) -> io::Result<Receiver<T>> {
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&tell))?;
    Ok(told)
}

/// The one result of such work; `None` when it takes too long, and the thread is left behind.
pub fn within<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // Nobody listens any more when it was left behind.
    let told = start(name, move |tell| drop(tell.send(work()))).ok()?;
    told.recv_timeout(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_ever_is_left_behind() {
        assert_eq!(within("test", || 7), Some(7));
        let (release, wait) = mpsc::channel::<()>();
        assert_eq!(within("test", move || wait.recv().is_err()), None);
        drop(release);
    }
}
