//! Goroutines of a Go program that serves `net/http/pprof`: counted by stack, and told apart by
//! number while they are few.

pub mod dump;
mod frames;
mod poll;
pub mod profile;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::beat::Beat;
use super::endpoint::{Address, Asked};
use super::feed::Remote;
use super::netns;
use super::sampler::cpu_time;
use crate::live::facts::{
    Activity, Change, Fact, HandleFacts, HandleId, Millis, SourceStatus, TargetId,
};
use crate::live::target::{Process, Target};
use dump::{Dump, Goroutine};
use poll::{Look, MANY};
use profile::{Profile, Standing};

/// Name of the source, and of the number of goroutines.
const NAME: &str = "goroutines";
/// Their kind.
const KIND: &str = "goroutine";
/// Places of which the number of goroutines is told.
const MAX_PLACES: usize = 128;
/// A count of minutes leaves so much open.
const MINUTE: Millis = 60_000;
/// Without a new answer for so long, what is shown is old.
const OLD: Millis = 60_000;

/// Follows the goroutines of one target.
#[derive(Debug)]
pub struct Goroutines {
    asked: Asked<Look>,
    known: BTreeMap<u64, Known>,
    told: Told,
    dumped: bool,
    total: u64,
    /// How long the last dump took.
    took: Option<Duration>,
    missing: String,
}

/// Places that were told, by whether goroutines there are leaked for certain.
type Told = BTreeSet<(bool, Standing)>;

#[derive(Debug)]
struct Known {
    id: HandleId,
    state: Arc<str>,
    site: Arc<str>,
    activity: Activity,
    seen: bool,
}

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
            known: BTreeMap::new(),
            told: Told::new(),
            dumped: false,
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
            self.follow(dump, target, beat);
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

    /// Births, ends and changes since the dump before.
    fn follow(&mut self, dump: Dump, target: &Target, beat: &mut Beat<'_>) {
        let first = !std::mem::replace(&mut self.dumped, true);
        let root = target.processes.first();
        let start_up = root.is_some_and(|root| beat.at - root.started_ms < beat.start_up_ms);
        let tells_waits = dump.goroutines.iter().any(|goroutine| goroutine.minutes > 0);
        for goroutine in &dump.goroutines {
            let mut activity = activity(goroutine, tells_waits, beat);
            // Another program at the same address begins to count anew.
            if let Some(known) = self.known.get(&goroutine.id)
                && known.site != goroutine.site
                && let Some(known) = self.known.remove(&goroutine.id)
            {
                beat.out.push(Fact::Close { at: beat.at, id: known.id });
            }
            let Some(known) = self.known.get_mut(&goroutine.id) else {
                let id = beat.ids.next_id();
                let pid = root.map(|root| root.pid);
                beat.out.push(Fact::Open {
                    at: beat.at,
                    target: target.id,
                    id,
                    pre: first,
                    start_up,
                    facts: Arc::new(facts(goroutine, activity, pid)),
                });
                let (state, site) = (Arc::clone(&goroutine.state), Arc::clone(&goroutine.site));
                self.known.insert(goroutine.id, Known { id, state, site, activity, seen: true });
                continue;
            };
            known.seen = true;
            let mut change = |change| {
                beat.out.push(Fact::Change { at: beat.at, id: known.id, change });
            };
            if known.state != goroutine.state {
                known.state = Arc::clone(&goroutine.state);
                change(Change::State(Arc::clone(&goroutine.state)));
            }
            // Minutes are rounded: the same silence looks up to a minute younger or older.
            if let (Activity::SilentSince(now), Activity::SilentSince(before)) =
                (activity, known.activity)
                && now - before <= MINUTE
            {
                activity = known.activity;
            }
            if known.activity != activity {
                known.activity = activity;
                change(Change::Activity(activity));
            }
        }
        if !dump.cut {
            self.known.retain(|_, known| {
                if !known.seen {
                    beat.out.push(Fact::Close { at: beat.at, id: known.id });
                }
                known.seen
            });
        }
        for known in self.known.values_mut() {
            known.seen = false;
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
        beat.source(target.id, NAME, status, &reason, self.asked.cost());
    }
}

fn facts(goroutine: &Goroutine, activity: Activity, pid: Option<u32>) -> HandleFacts {
    HandleFacts {
        state: Arc::clone(&goroutine.state),
        site: Arc::clone(&goroutine.site),
        activity,
        label: format!("goroutine {} in {}", goroutine.id, goroutine.place).into(),
        pid,
        inode: Some(goroutine.id),
        ..HandleFacts::of_kind(KIND)
    }
}

/// One that waits and has not waited for a whole minute has done something within the last one, where
/// the runtime tells of anybody for how long he waits: before the first garbage collection it cannot.
fn activity(goroutine: &Goroutine, tells_waits: bool, beat: &Beat<'_>) -> Activity {
    let runs = matches!(&*goroutine.state, "running" | "runnable");
    match goroutine.minutes {
        0 if tells_waits || runs => Activity::Awake,
        0 => Activity::Unseen,
        minutes => Activity::SilentSince(beat.quantise(beat.at - Millis::from(minutes) * MINUTE)),
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
