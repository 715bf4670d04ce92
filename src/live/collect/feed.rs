//! A source that may be slow: its own thread fills a bounded queue, and nobody waits for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use super::beat::Beat;
use super::sampler::cpu_time;
use crate::live::target::Target;

/// A source that is asked over a connection, or otherwise not by reading a file.
pub trait Remote: std::fmt::Debug {
    /// Puts what came since the last beat into `beat`, and how the source fares; never waits.
    fn deliver(&mut self, target: &Target, beat: &mut Beat<'_>);
}

/// The end of the queue that the sampler holds. Dropping it ends the thread at its next `put`.
#[derive(Debug)]
pub struct Feed<T> {
    queue: Receiver<T>,
    cost_us: Arc<AtomicU64>,
    ended: bool,
}

/// The end of the queue that the thread holds.
#[derive(Debug)]
pub struct Outlet<T> {
    queue: SyncSender<T>,
    cost_us: Arc<AtomicU64>,
}

/// Nobody listens any more: the work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl<T: Send + 'static> Feed<T> {
    /// Has `work` done by a thread of this name. At most `capacity` values wait to be taken.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        name: &str,
        capacity: usize,
        work: impl FnOnce(&Outlet<T>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, queue) = mpsc::sync_channel(capacity);
        let cost_us = Arc::new(AtomicU64::new(0));
        let outlet = Outlet { queue: sender, cost_us: Arc::clone(&cost_us) };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&outlet))?;
        Ok(Self { queue, cost_us, ended: false })
    }

    /// What came next; `None` when nothing more is there now.
    pub fn take(&mut self) -> Option<T> {
        match self.queue.try_recv() {
            Ok(value) => Some(value),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
        }
    }

    /// What comes next, waited for; `None` when nothing came in time.
    pub fn wait(&mut self, longest: Duration) -> Option<T> {
        self.queue.recv_timeout(longest).ok()
    }

    /// Whether the thread is done and everything it left was taken.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// CPU time that the thread had used when it last handed something over.
    pub fn cost(&self) -> Duration {
        Duration::from_micros(self.cost_us.load(Ordering::Relaxed))
    }
}

impl<T> Outlet<T> {
    /// Hands over; waits while the queue is full, so that a source is read no faster than it is
    /// judged.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn put(&self, value: T) -> Result<(), Closed> {
        let cost = u64::try_from(cpu_time().as_micros()).unwrap_or(u64::MAX);
        self.cost_us.store(cost, Ordering::Relaxed);
        self.queue.send(value).map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_the_end_is_told_after_it() {
        let (progress, made) = mpsc::channel();
        let mut feed = Feed::start("test", 2, move |outlet| {
            for n in 0..5 {
                outlet.put(n).unwrap();
                progress.send(n).unwrap();
            }
        })
        .unwrap();
        assert_eq!(made.recv(), Ok(0));
        assert_eq!(made.recv(), Ok(1));
        // The third waits for a place.
        assert_eq!(
            made.recv_timeout(Duration::from_millis(50)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        let mut got = Vec::new();
        while !feed.ended() {
            got.extend(feed.take());
        }
        assert_eq!(got, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_thread_ends_when_nobody_listens() {
        let (told, end) = mpsc::channel();
        let feed = Feed::start("test", 1, move |outlet| {
            while outlet.put(()).is_ok() {}
            told.send(Closed).unwrap();
        })
        .unwrap();
        drop(feed);
        assert_eq!(end.recv(), Ok(Closed));
    }
}
