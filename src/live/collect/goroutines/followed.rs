//! Goroutines told apart: who was born, ended or fell silent from one dump to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::KIND;
use super::arrivals::Arrivals;
use super::dump::{Dump, Goroutine};
use super::profile::Profile;
use crate::live::collect::beat::Beat;
use crate::live::facts::{Activity, Change, Fact, HandleFacts, HandleId, Millis, TargetId};

/// A count of minutes leaves so much open.
const MINUTE: Millis = 60_000;

/// The goroutines of one program.
#[derive(Debug, Default)]
pub struct Followed {
    known: BTreeMap<u64, Known>,
    arrivals: Arrivals,
    /// When the last dump was made.
    dumped: Option<Millis>,
    /// The runtime has told of somebody for how long he waits: before the first garbage collection it
    /// cannot.
    tells_waits: bool,
}

/// The process that they are of.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its number.
    pub pid: u32,
    /// When it started, event time.
    pub started_ms: Millis,
}

#[derive(Debug)]
struct Known {
    id: HandleId,
    state: Arc<str>,
    site: Arc<str>,
    place: Arc<str>,
    activity: Activity,
    /// How long before the dump that showed it first it had come to its place.
    before_dump: Millis,
    seen: bool,
}

impl Followed {
    /// Takes the counts of one look; those of the look that makes a dump come before it.
    pub fn counted(&mut self, at: Millis, counts: &Profile) {
        self.arrivals.counted(at, counts);
    }

    /// Everything up to here is known: the time of the last dump.
    pub fn complete_until(&self) -> Option<Millis> {
        self.dumped
    }

    /// Births, ends and changes since the dump before. Who is not in it any more was last seen in that
    /// one: later than that, nobody has seen him live.
    pub fn dumped(
        &mut self,
        dump: Dump,
        target: TargetId,
        program: Option<Program>,
        beat: &mut Beat<'_>,
    ) {
        // The first moment of which nothing was known before this dump.
        let unknown = self.dumped.map_or(beat.at, |dumped| dumped + 1).min(beat.at);
        self.forget_strangers(&dump, unknown, beat);
        self.tells_waits |= dump.goroutines.iter().any(|goroutine| goroutine.minutes > 0);
        let births = self.births(&dump, beat.at);
        for goroutine in &dump.goroutines {
            let mut activity = activity(goroutine, self.tells_waits, beat);
            let Some(known) = self.known.get_mut(&goroutine.id) else {
                let id = beat.ids.next_id();
                let at = births.get(&goroutine.id).copied().unwrap_or(beat.at);
                let young = |program: Program| at - program.started_ms < beat.start_up_ms;
                beat.out.push(Fact::Open {
                    at,
                    target,
                    id,
                    pre: self.dumped.is_none(),
                    start_up: program.is_some_and(young),
                    facts: Arc::new(facts(goroutine, activity, program.map(|one| one.pid))),
                });
                self.known.insert(goroutine.id, Known::new(goroutine, id, activity, beat.at - at));
                continue;
            };
            known.seen = true;
            let id = known.id;
            let mut change = |at, change| beat.out.push(Fact::Change { at, id, change });
            if known.state != goroutine.state {
                known.state = Arc::clone(&goroutine.state);
                change(beat.at, Change::State(Arc::clone(&goroutine.state)));
            }
            activity = known.narrowed(goroutine, activity);
            if known.activity != activity {
                known.activity = activity;
                // Nothing later than the dump before has been judged. Who did something may have
                // done it right after that.
                let at = match activity {
                    Activity::SilentSince(since) => {
                        (since + beat.bucket_ms).clamp(unknown, beat.at)
                    }
                    Activity::Awake | Activity::Unseen => unknown,
                };
                change(at, Change::Activity(activity));
            }
        }
        if !dump.cut {
            self.known.retain(|_, known| {
                if !known.seen {
                    beat.out.push(Fact::Close { at: unknown, id: known.id });
                }
                known.seen
            });
        }
        for known in self.known.values_mut() {
            known.seen = false;
        }
        self.arrivals.begin_anew();
        self.dumped = Some(beat.at);
    }

    /// Another program at the same address begins to count anew.
    fn forget_strangers(&mut self, dump: &Dump, unknown: Millis, beat: &mut Beat<'_>) {
        for goroutine in &dump.goroutines {
            if self.known.get(&goroutine.id).is_some_and(|known| known.site != goroutine.site)
                && let Some(known) = self.known.remove(&goroutine.id)
            {
                beat.out.push(Fact::Close { at: unknown, id: known.id });
            }
        }
    }

    /// When the new ones came to where they stand. Numbers are handed out in order, so a smaller one
    /// came earlier.
    fn births(&self, dump: &Dump, now: Millis) -> BTreeMap<u64, Millis> {
        let mut births = BTreeMap::new();
        if self.dumped.is_none() {
            return births;
        }
        let mut new: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for goroutine in &dump.goroutines {
            if !self.known.contains_key(&goroutine.id) {
                new.entry(&goroutine.place).or_default().push(goroutine.id);
            }
        }
        for (place, mut ids) in new {
            ids.sort_unstable();
            let times = self.arrivals.of(place, ids.len(), now);
            births.extend(ids.into_iter().zip(times));
        }
        births
    }
}

impl Known {
    fn new(goroutine: &Goroutine, id: HandleId, activity: Activity, before_dump: Millis) -> Self {
        Self {
            id,
            state: Arc::clone(&goroutine.state),
            site: Arc::clone(&goroutine.site),
            place: Arc::clone(&goroutine.place),
            activity,
            before_dump,
            seen: true,
        }
    }

    /// What a dump tells of its silence, in whole minutes, held against what is known from before. Those
    /// who fell silent one by one do not seem to have done so at once: each is placed within the minute
    /// that is left open as it was within the minute in which it came.
    fn narrowed(&mut self, goroutine: &Goroutine, activity: Activity) -> Activity {
        if self.place != goroutine.place {
            self.place = Arc::clone(&goroutine.place);
            self.before_dump = 0;
        }
        let Activity::SilentSince(told) = activity else { return activity };
        match self.activity {
            // The same silence looks up to a minute younger or older.
            Activity::SilentSince(before) if told - before <= MINUTE => self.activity,
            _ => Activity::SilentSince(told - self.before_dump.min(MINUTE)),
        }
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
