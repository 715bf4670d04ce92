//! The engines of one group: clocks times window lengths times two overlapping windows.
//!
//! Engines are made only once a member could be promoted, with the lives of all present members;
//! that is exact, because nothing that died before counts.

use crate::live::detect::clock::{Clock, Life};
use crate::live::detect::engine::{Engine, Geometry, Stats};
use crate::live::detect::rules::WindowStats;
use crate::live::detect::scale::{Ages, Timing};
use crate::live::facts::Millis;

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Age,
    Stale,
    Dormant,
    Suspect,
}

#[derive(Debug)]
struct Slot {
    scale: usize,
    window: Millis,
    purpose: Purpose,
    ages: Ages,
    engine: Engine,
    stats: Option<Stats>,
}

/// The engines of one group.
#[derive(Debug, Default)]
pub struct Bank {
    slots: Vec<Slot>,
}

/// The numbers of one window.
#[derive(Debug, Clone, Copy)]
pub struct GroupStats {
    /// Ages in force.
    pub ages: Ages,
    /// Start of the window, event time.
    pub start: Millis,
    /// The engines' numbers.
    pub window: WindowStats,
}

impl Bank {
    pub(super) fn each(&mut self, mut apply: impl FnMut(&mut Engine)) {
        for slot in &mut self.slots {
            apply(&mut slot.engine);
        }
    }

    /// Number of engines.
    pub fn engines(&self) -> usize {
        self.slots.len()
    }

    /// Numbers per window, shortest windows first.
    pub fn windows(&self) -> Vec<GroupStats> {
        let mut windows: Vec<GroupStats> = Vec::new();
        for slot in &self.slots {
            let start = slot.engine.geometry().start;
            let found =
                windows.iter().position(|w| w.start == start && w.ages.bucket == slot.ages.bucket);
            let index = found.unwrap_or_else(|| {
                windows.push(GroupStats { ages: slot.ages, start, window: WindowStats::default() });
                windows.len() - 1
            });
            let window = &mut windows[index].window;
            let place = match slot.purpose {
                Purpose::Age => &mut window.age,
                Purpose::Stale => &mut window.stale,
                Purpose::Dormant => &mut window.dormant,
                Purpose::Suspect => &mut window.suspect,
            };
            *place = slot.stats;
        }
        windows
    }

    /// Windows at a scale that are open at `now`: index and start.
    fn open_windows(
        timing: &Timing,
        scale: usize,
        origin: Millis,
        now: Millis,
    ) -> impl Iterator<Item = (Millis, Millis)> {
        let half = timing.window_ms(scale) / 2;
        let newest = (now - origin - 1).div_euclid(half);
        (newest - 1..=newest)
            .filter(|&window| window >= 0)
            .map(move |window| (window, origin + window * half))
    }

    /// Scale and window start of engines that may still be missing at `now`.
    pub(super) fn due(&self, timing: &Timing, origin: Millis, now: Millis) -> Vec<usize> {
        (0..timing.scales())
            .filter(|&scale| {
                Self::open_windows(timing, scale, origin, now).any(|(window, start)| {
                    now > start
                        && (now - origin) % (timing.bucket_ms() << (2 * scale)) == 0
                        && self
                            .slots
                            .iter()
                            .filter(|s| s.scale == scale && s.window == window)
                            .count()
                            < 4
                })
            })
            .collect()
    }

    #[allow(clippy::too_many_arguments, reason = "one call site, and a struct would say no more")]
    pub(super) fn step(
        &mut self,
        timing: &Timing,
        (kind, state): (&str, &str),
        visible: bool,
        origin: Millis,
        now: Millis,
        lives: &[Life],
        learned: impl Fn(Clock) -> Millis,
    ) {
        self.slots
            .retain(|slot| now <= slot.engine.geometry().start + timing.window_ms(slot.scale));
        for scale in 0..timing.scales() {
            if (now - origin) % (timing.bucket_ms() << (2 * scale)) != 0 {
                for slot in self.slots.iter_mut().filter(|slot| slot.scale == scale) {
                    if slot.engine.lost_some() {
                        slot.stats = slot.engine.stats(now);
                    }
                }
                continue;
            }
            if !lives.is_empty() {
                for (window, start) in Self::open_windows(timing, scale, origin, now) {
                    let ages = |clock| timing.ages(kind, state, scale, learned(clock));
                    self.fill(timing, scale, (window, start), visible, now, lives, ages);
                }
            }
            for slot in self.slots.iter_mut().filter(|slot| slot.scale == scale) {
                slot.engine.step(now);
                slot.stats = slot.engine.stats(now);
            }
        }
    }

    /// Makes the engines of one window whose first member could be promoted now.
    #[allow(clippy::too_many_arguments, reason = "one call site, and a struct would say no more")]
    fn fill(
        &mut self,
        timing: &Timing,
        scale: usize,
        (window, start): (Millis, Millis),
        visible: bool,
        now: Millis,
        lives: &[Life],
        ages: impl Fn(Clock) -> Ages,
    ) {
        let primary = if visible { Clock::Stale } else { Clock::Age };
        let wanted = [
            (Purpose::Age, Clock::Age, true),
            (Purpose::Stale, Clock::Stale, visible),
            (Purpose::Dormant, Clock::Dormant, visible),
            (Purpose::Suspect, primary, true),
        ];
        for (purpose, clock, wanted) in wanted {
            let exists = |s: &Slot| s.scale == scale && s.window == window && s.purpose == purpose;
            if !wanted || self.slots.iter().any(exists) {
                continue;
            }
            let ages = ages(clock);
            let age = if purpose == Purpose::Suspect { ages.suspect } else { ages.old };
            // The group's own normal life leaves this window no room to judge.
            if age > timing.window_ms(scale) / 2 || now < start + age {
                continue;
            }
            let counts =
                |born: Millis| born <= now - age && (born > Millis::MIN || !timing.only_promoted);
            let old = lives.iter().filter_map(|life| life.born(clock)).filter(|&born| counts(born));
            let old = old.take(timing.least_old).count();
            if old < timing.least_old {
                continue;
            }
            let guarded = purpose != Purpose::Suspect;
            let geometry = Geometry { start, bucket: ages.bucket, age, clock, guarded };
            let engine = Engine::new(geometry, now, lives.iter().copied());
            self.slots.push(Slot { scale, window, purpose, ages, engine, stats: None });
        }
    }
}
