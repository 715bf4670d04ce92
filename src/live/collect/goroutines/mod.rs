//! Goroutines of a Go program that serves `net/http/pprof`: counted by stack, and told apart by
//! number while they are few.

mod arrivals;
pub mod dump;
mod followed;
mod frames;
mod poll;
pub mod profile;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::beat::Beat;
use super::endpoint::{Address, Asked};
use super::feed::Remote;
use super::netns;
use super::sampler::cpu_time;
use crate::live::facts::{Fact, Millis, SourceStatus, TargetId};
use crate::live::target::{Process, Target};
use dump::{Dump, Goroutine};
pub use followed::{Followed, Program};
use poll::{Look, MANY};
use profile::{Profile, Standing};

/// Name of the source, and of the number of goroutines.
const NAME: &str = "goroutines";
/// Their kind.
const KIND: &str = "goroutine";
/// Places of which the number of goroutines is told.
const MAX_PLACES: usize = 128;
/// Without a new answer for so long, what is shown is old.
const OLD: Millis = 60_000;

/// Follows the goroutines of one target.
#[derive(Debug)]
pub struct Goroutines {
    asked: Asked<Look>,
    followed: Followed,
    told: Told,
    total: u64,
    /// How long the last dump took.
    took: Option<Duration>,
    missing: String,
}

/// Places that were told, by whether goroutines there are leaked for certain.
type Told = BTreeSet<(bool, Standing)>;

impl Goroutines {
    /// Begins to ask at an address, from the network namespace of the process if the address is
    /// that of a machine itself.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(address: &Address, process: Option<&Process>) -> io::Result<Self> {
        let (namespace, doubt) = netns::to_ask_from(address, process);
        Ok(Self::of(Asked::new(poll::start(address, namespace)?, address, doubt)))
    }

    fn of(asked: Asked<Look>) -> Self {
        Self {
            asked,
            followed: Followed::default(),
            told: Told::new(),
            total: 0,
            took: None,
            missing: String::new(),
        }
    }

    /// Waits for the first answer, or the reason why there is none, for looks that are the only one.
    pub fn wait(&mut self, longest: Duration) {
        self.asked.wait(longest);
    }

    /// What one look brings, in words.
    ///
    /// # Errors
    /// Why it brings nothing.
    pub fn tried(
        address: &Address,
        process: Option<&Process>,
        longest: Duration,
    ) -> Result<String, String> {
        let mut source = Self::start(address, process).map_err(|error| error.to_string())?;
        let look = source.asked.first(longest)?;
        let total = look.counts.total;
        Ok(match look.dump {
            Some((_, took)) => {
                format!("{total} goroutines; writing all stacks took {} ms", took.as_millis())
            }
            None => format!("{total} goroutines, which are only counted; {}", look.missing),
        })
    }

    fn take(&mut self, look: Look, target: &Target, beat: &mut Beat<'_>) {
        self.total = look.counts.total;
        self.followed.counted(beat.at, &look.counts);
        beat.count(target.id, None, NAME, look.counts.total);
        self.tell(&look.counts, false, target.id, beat);
        if let Some(leaked) = &look.leaked {
            self.tell(leaked, true, target.id, beat);
        }
        if let Some((dump, took)) = look.dump {
            self.took = Some(took);
            if let Some(share) = blocked_percent(&dump) {
                beat.gauge(target.id, None, "goroutines_blocked_percent", share);
            }
            let root = target.processes.first();
            let root = root.map(|root| Program { pid: root.pid, started_ms: root.started_ms });
            self.followed.dumped(dump, target.id, root, beat);
        }
        self.missing = look.missing;
    }

    /// How many goroutines stand where: the places with most of them, and those told before.
    fn tell(&mut self, counts: &Profile, proved: bool, target: TargetId, beat: &mut Beat<'_>) {
        let at = beat.at;
        let mut say = |standing: &Standing, count| {
            let names = [Arc::from(standing.wait), Arc::clone(&standing.place)];
            let group = names.into_iter().filter(|name: &Arc<str>| !name.is_empty()).collect();
            beat.out.push(Fact::Tally { at, target, kind: KIND.into(), group, count, proved });
        };
        self.told.retain(|(of, standing)| {
            if *of != proved {
                return true;
            }
            let count = counts.places.get(standing).copied().unwrap_or(0);
            say(standing, count);
            count > 0
        });
        let mut new: Vec<(&Standing, u64)> = counts
            .places
            .iter()
            .map(|(standing, count)| (standing, *count))
            .filter(|(standing, _)| !self.told.contains(&(proved, (*standing).clone())))
            .collect();
        new.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (standing, count) in new {
            if self.told.len() >= MAX_PLACES {
                break;
            }
            say(standing, count);
            self.told.insert((proved, standing.clone()));
        }
    }

    /// How the source fares, in words.
    fn state(&self, at: Millis) -> (SourceStatus, String) {
        let many = (self.total >= MANY).then(|| {
            let total = self.total;
            format!(
                "{total} goroutines are only counted by stack: they are told apart below {MANY}"
            )
        });
        let lacks: Vec<String> = many.into_iter().chain([self.missing.clone()]).collect();
        self.asked.state(at, OLD, &lacks, || {
            let paused = self.took.map_or_else(String::new, |took| {
                format!(
                    "; told apart once a minute: the last answer took {} ms, and the program may \
                     have stood still for as long",
                    took.as_millis()
                )
            });
            format!("counted every {} s{paused}", poll::EVERY.as_secs())
        })
    }
}

impl Remote for Goroutines {
    fn deliver(&mut self, target: &Target, beat: &mut Beat<'_>) {
        let begin = cpu_time();
        while let Some(look) = self.asked.take(beat.at) {
            self.take(look, target, beat);
        }
        self.asked.spend(cpu_time().saturating_sub(begin));
        let (status, reason) = self.state(beat.at);
        let until = self.followed.complete_until();
        beat.late_source(target.id, NAME, status, &reason, self.asked.cost(), until);
    }
}

/// How many of 100 goroutines have waited for another one for a minute or more; `None`: there are
/// none.
fn blocked_percent(dump: &Dump) -> Option<f64> {
    let of_others = ["chan ", "select", "sync.", "semacquire"];
    let waits = |goroutine: &&Goroutine| {
        goroutine.minutes > 0 && of_others.iter().any(|name| goroutine.state.starts_with(name))
    };
    let blocked = dump.goroutines.iter().filter(waits).count();
    let all = dump.goroutines.len();
    (all > 0).then(|| (blocked * 1000 / all) as f64 / 10.0)
}
