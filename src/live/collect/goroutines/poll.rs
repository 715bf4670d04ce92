//! Asks a Go program for its goroutines again and again, in a thread of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::dump::{self, Dump};
use super::profile::{self, Profile};
use crate::live::collect::endpoint::{Address, Body, Bounds, Client, why_cut};
use crate::live::collect::feed::{Closed, Feed, Outlet};
use crate::live::collect::netns;

/// How often goroutines are counted.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// How often all stacks are asked for at most: the program stands still meanwhile.
const DUMP_EVERY: Duration = Duration::from_secs(60);
/// From so many goroutines on they are only counted.
pub(super) const MANY: u64 = 20_000;
/// How often the profile of leaked ones is asked for: it costs a garbage collection, and the runtime
/// itself makes one at least so often.
const LEAKED_EVERY: Duration = Duration::from_secs(120);
/// The profile that only lists goroutines nobody can ever wake.
const LEAKED: &str = "goroutineleak";

const OF_COUNTS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 16 << 20 };
/// Go itself cuts a dump at 64 MiB: one that was cut is never taken for a whole one.
const OF_DUMP: Bounds = Bounds { time: Duration::from_secs(20), bytes: 48 << 20 };
const OF_INDEX: Bounds = Bounds { time: Duration::from_secs(5), bytes: 1 << 20 };

/// What one look brought.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) counts: Profile,
    /// All stacks, and how long the answer took.
    pub(super) dump: Option<(Dump, Duration)>,
    /// Why there is none although there should be; empty when nothing went wrong.
    pub(super) missing: String,
    /// Those that are leaked for certain.
    pub(super) leaked: Option<Profile>,
}

/// Starts to look; `namespace` is that of the program, where it is another one than ours.
pub(super) fn start(
    address: &Address,
    namespace: Option<OwnedFd>,
) -> io::Result<Feed<Result<Look, String>>> {
    let base = base(address.path());
    let address = address.clone();
    Feed::start("poolscan-pprof", 1, move |outlet| {
        // Nobody listens any more when it cannot be told.
        let _ = match namespace.map_or(Ok(()), |namespace| netns::enter(&namespace)) {
            Ok(()) => Asker::new(address, base).run(outlet),
            Err(reason) => outlet.put(Err(reason)),
        };
    })
}

/// The folder of profiles: whatever of it the address names.
fn base(path: &str) -> String {
    let path = path.trim_end_matches("/goroutine").trim_end_matches('/');
    if path.is_empty() { "/debug/pprof/".to_owned() } else { format!("{path}/") }
}

struct Asker {
    client: Client,
    address: Address,
    base: String,
    /// Whether the index lists the profile of leaked ones; `None`: it was not read yet.
    tells_leaked: Option<bool>,
    dumped: Option<Instant>,
    told_leaked: Option<Instant>,
}

impl Asker {
    fn new(address: Address, base: String) -> Self {
        let client = Client::default();
        Self { client, address, base, tells_leaked: None, dumped: None, told_leaked: None }
    }

    fn run(&mut self, outlet: &Outlet<Result<Look, String>>) -> Result<(), Closed> {
        loop {
            let begin = Instant::now();
            let look = self.look();
            outlet.put(look)?;
            // Also after a slow answer the program gets a rest.
            std::thread::sleep(EVERY.saturating_sub(begin.elapsed()).max(EVERY / 4));
        }
    }

    fn look(&mut self) -> Result<Look, String> {
        let counts = self.ask("goroutine?debug=1", OF_COUNTS, profile::parse)?;
        if self.tells_leaked.is_none() {
            // Without an index there is no such profile for us.
            self.tells_leaked = Some(self.ask("", OF_INDEX, lists_leaked).unwrap_or(false));
        }
        let mut look = Look { counts, dump: None, missing: String::new(), leaked: None };
        if look.counts.total < MANY && is_due(&mut self.dumped, DUMP_EVERY) {
            let begin = Instant::now();
            match self.ask("goroutine?debug=2", OF_DUMP, dump::parse) {
                Ok(dump) => look.dump = Some((dump, begin.elapsed())),
                Err(reason) => look.missing = format!("stacks of all goroutines: {reason}"),
            }
        }
        if self.tells_leaked == Some(true) && is_due(&mut self.told_leaked, LEAKED_EVERY) {
            match self.ask(&format!("{LEAKED}?debug=1"), OF_COUNTS, profile::parse) {
                Ok(leaked) => look.leaked = Some(leaked),
                Err(reason) => look.missing = format!("the profile {LEAKED}: {reason}"),
            }
        }
        Ok(look)
    }

    fn ask<T>(
        &self,
        profile: &str,
        bounds: Bounds,
        read: impl FnOnce(&mut Body) -> io::Result<T>,
    ) -> Result<T, String> {
        let address = self.address.with_path(&format!("{}{profile}", self.base))?;
        let mut body = self.client.get(&address, bounds)?;
        read(&mut body).map_err(|error| why_cut(&error, bounds))
    }
}

/// Whether enough time has passed since the last time; now is the next last time.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn lists_leaked(index: &mut Body) -> io::Result<bool> {
    let mut found = false;
    while let Some((line, _)) = index.next_line()? {
        found |= line.contains(LEAKED);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_profiles_is_found_from_any_part_of_it() {
        for path in ["/", "", "/debug/pprof", "/debug/pprof/", "/debug/pprof/goroutine"] {
            assert_eq!(base(path), "/debug/pprof/", "{path}");
        }
        assert_eq!(base("/admin/pprof/goroutine"), "/admin/pprof/");
    }
}
