//! What a group has shown to be a normal life time: where lives do end, age is no evidence.
//!
//! Life times fall into octaves above the smallest age. An octave in which lives end at a hazard of
//! at least 0.7 in log-age is normal; the age of longer windows then starts where it ends. That is
//! what keeps a reaper with a period of half an hour silent after its first rounds.

use crate::live::detect::clock::{Clock, Life};
use crate::live::facts::Millis;

const FIRST_OCTAVE: Millis = 15_000;
const OCTAVES: usize = 12;
const MIN_DEATHS: f32 = 3.0;
const MIN_HAZARD: f32 = 0.7;

/// Deaths and exposure per octave, by clock.
#[derive(Debug, Default)]
pub(super) struct LifeTimes {
    age: Option<Box<Octaves>>,
    stale: Option<Box<Octaves>>,
}

#[derive(Debug, Default, Clone)]
struct Octaves {
    deaths: [f32; OCTAVES],
    exposure: [f32; OCTAVES],
}

impl Octaves {
    fn add(&mut self, length: Millis, ended: bool) {
        for octave in 0..OCTAVES {
            let low = FIRST_OCTAVE << octave;
            if length <= low {
                break;
            }
            self.exposure[octave] += (length.min(low * 2) as f32 / low as f32).ln();
            if ended && length <= low * 2 {
                self.deaths[octave] += 1.0;
            }
        }
    }
}

impl LifeTimes {
    /// A life ended at `at`; one that began before we came has no known length.
    pub(super) fn ended(&mut self, clock: Clock, life: &Life, at: Millis) {
        let Some(born) = life.born(clock) else { return };
        if born == Millis::MIN || at - born <= FIRST_OCTAVE {
            return;
        }
        let octaves = match clock {
            Clock::Stale => &mut self.stale,
            Clock::Age | Clock::Dormant => &mut self.age,
        };
        octaves.get_or_insert_default().add(at - born, true);
    }

    /// End of the highest octave in which lives normally end, milliseconds; 0 when none is known.
    pub(super) fn normal_life(&self, clock: Clock, lives: &[Life], now: Millis) -> Millis {
        let known = match clock {
            Clock::Stale => &self.stale,
            Clock::Age | Clock::Dormant => &self.age,
        };
        let Some(known) = known else { return 0 };
        let mut octaves = Octaves::clone(known);
        for life in lives {
            if let Some(born) = life.born(clock).filter(|&born| born != Millis::MIN) {
                octaves.add(now - born, false);
            }
        }
        (0..OCTAVES)
            .rev()
            .find(|&o| {
                octaves.deaths[o] >= MIN_DEATHS
                    && octaves.deaths[o] >= MIN_HAZARD * octaves.exposure[o]
            })
            .map_or(0, |octave| FIRST_OCTAVE << (octave + 1))
    }
}
