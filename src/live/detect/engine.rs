//! One cohort engine: a ring of birth generations, the two e-processes, and their shape numbers.
//!
//! One engine serves one group, one clock, one age and one window. Births fall into buckets of
//! width `w`; a bucket is *promoted* when its youngest member reaches the age `A`. What happens to
//! promoted handles is evidence:
//!
//! - survival: under the null that life times past `A` have a Pareto tail of index ≥ 1, the process
//!   `exp(D ln a + (1 - a) L)` is a supermartingale for every `a < 1`; `D` counts closings past the
//!   age, `L` sums `ln(age / A)`. A ladder `A, 2A, 4A, 8A` rules out longer normal lives.
//! - growth: each bucket's change `x` of the old population is bet on with the logistic factor
//!   `2 / (1 + exp(-2 λ x / s))`, valid for increments symmetric about at most zero, bounded by 2 on
//!   the way up and unbounded on the way down, so that a reap destroys what a fill seemed to prove.

use super::clock::{Clock, Life};
use super::scale::GENERATIONS;
use crate::live::facts::Millis;

const LEVELS: usize = 4;
const ALPHAS: [f64; 3] = [0.02, 0.1, 0.3];
const LAMBDAS: [f64; 4] = [4.0, 1.0, 0.25, 0.0625];
const LAMBDA_WEIGHTS: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
/// A new bet on growth starts every so many buckets.
const RESTART_EVERY: usize = 12;
const RESTARTS: usize = GENERATIONS / RESTART_EVERY + 1;
/// At most this much evidence comes from the handles of one bucket: batches cannot fake it.
const CAP_PER_GENERATION: f64 = 2.0;

/// Where an engine stands in time. All in milliseconds of event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Start of the window; handles born at or before it are pre-existing.
    pub start: Millis,
    /// Bucket width.
    pub bucket: Millis,
    /// Age at which a bucket is promoted.
    pub age: Millis,
    /// Whose lives are counted.
    pub clock: Clock,
    /// Whether start-up births count as pre-existing.
    pub guarded: bool,
}

/// Where one life stands in one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// No life running by this clock.
    None,
    /// There before the window, or guarded; born then.
    Pre(Millis),
    /// In this generation.
    Gen(usize),
}

/// One level of the ladder of ages: closings past it, and how far promotion got.
#[derive(Debug, Clone, Copy, Default)]
struct Rung {
    closings: f64,
    closed_log_age: f64,
    promoted: usize,
}

/// The engine's state; about 1.7 KiB whatever the length of the watch.
#[derive(Debug, Clone)]
pub struct Engine {
    geometry: Geometry,
    alive: Box<[u32; GENERATIONS]>,
    weight: Box<[f32; GENERATIONS]>,
    /// Dormant clock only: members of unpromoted generations that are awake.
    awake: Option<Box<[u32; GENERATIONS]>>,
    pre_alive: u32,
    rungs: [Rung; LEVELS],
    promoted_ever: u64,
    /// Net change of the old population since the last step.
    pending_change: i64,
    steps: usize,
    counted_steps: u32,
    sum: f64,
    sum_squares: f64,
    nonzero: u32,
    bets: [[f64; LAMBDAS.len()]; RESTARTS],
}

/// What an engine says at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Natural logarithm of the survival e-value, smallest over the ladder.
    pub ln_surv: f64,
    /// Natural logarithm of the growth e-value.
    pub ln_growth: f64,
    /// Promoted handles still alive.
    pub survivors: u64,
    /// Generations among them.
    pub generations: u32,
    /// Birth of the first and last surviving generation.
    pub first_birth: Millis,
    /// See `first_birth`.
    pub last_birth: Millis,
    /// Share of survivors born in the later half of the time since the first birth.
    pub later_half: f64,
    /// Whether survivors still keep coming at about their mean gap.
    pub fresh: bool,
    /// Net growth of the old population since counting began.
    pub growth: f64,
    /// Growth per second with its 95 % interval.
    pub rate: f64,
    /// Lower end.
    pub rate_low: f64,
    /// Upper end.
    pub rate_high: f64,
    /// Handles from before the window.
    pub pre_alive: u64,
    /// Weighted closings past the age, and their exposure in log-age.
    pub closings: f64,
    /// See `closings`.
    pub exposure: f64,
    /// Share of promoted handles that are still alive.
    pub never_closed_share: f64,
    /// Largest age followed, milliseconds.
    pub oldest: Millis,
}

impl Stats {
    /// Spread of the survivors' births, milliseconds.
    pub fn span(&self) -> Millis {
        self.last_birth - self.first_birth
    }
}

impl Engine {
    /// An engine at the start of its window, or later with the lives of all present members.
    ///
    /// Building late is exact as long as no handle has been promoted and died before.
    pub fn new(geometry: Geometry, now: Millis, lives: impl Iterator<Item = Life>) -> Self {
        let mut engine = Self {
            geometry,
            alive: Box::new([0; GENERATIONS]),
            weight: Box::new([0.0; GENERATIONS]),
            awake: (geometry.clock == Clock::Dormant).then(|| Box::new([0; GENERATIONS])),
            pre_alive: 0,
            rungs: [Rung::default(); LEVELS],
            promoted_ever: 0,
            pending_change: 0,
            steps: 0,
            counted_steps: 0,
            sum: 0.0,
            sum_squares: 0.0,
            nonzero: 0,
            bets: [[1.0; LAMBDAS.len()]; RESTARTS],
        };
        for life in lives {
            engine.enter(&life);
        }
        // Steps before the first promotion neither bet nor count; only their number matters.
        let passed = ((now - geometry.start) / geometry.bucket - 1).max(0);
        engine.steps = usize::try_from(passed).unwrap_or(0);
        engine
    }

    /// Whether handles of the old population went since the last step.
    pub fn lost_some(&self) -> bool {
        self.pending_change < 0
    }

    /// The window's start, age, bucket and clock.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn slot(&self, life: &Life) -> Slot {
        let Some(born) = life.born(self.geometry.clock) else {
            return Slot::None;
        };
        let geometry = &self.geometry;
        if born <= geometry.start {
            let died_dormant = geometry.clock == Clock::Dormant
                && life.visible
                && life.awake_until > geometry.start;
            return if died_dormant { Slot::None } else { Slot::Pre(born) };
        }
        if geometry.guarded && born < life.guarded_until {
            let old_at = born + geometry.age;
            let died_dormant =
                geometry.clock == Clock::Dormant && life.visible && life.awake_until > old_at;
            return if died_dormant { Slot::None } else { Slot::Pre(born) };
        }
        // Buckets are closed on the right: what a beat finds was born in the interval before it.
        let index = (born - geometry.start - 1) / geometry.bucket;
        let Some(index) = usize::try_from(index).ok().filter(|&i| i < GENERATIONS) else {
            return Slot::None;
        };
        if geometry.clock == Clock::Dormant
            && life.visible
            && life.awake_until != Millis::MAX
            && life.awake_until > self.promotion_of(index)
        {
            return Slot::None;
        }
        if life.awake_until == Millis::MAX
            && geometry.clock == Clock::Dormant
            && life.visible
            && index < self.rungs[0].promoted
        {
            return Slot::None;
        }
        Slot::Gen(index)
    }

    fn promotion_of(&self, index: usize) -> Millis {
        // Rounded up to the boundary at which it is carried out.
        let due = self.birth_end(index) + self.geometry.age - self.geometry.start;
        let bucket = self.geometry.bucket;
        self.geometry.start + (due + bucket - 1).div_euclid(bucket) * bucket
    }

    fn birth_end(&self, index: usize) -> Millis {
        self.geometry.start + (index as Millis + 1) * self.geometry.bucket
    }

    /// A life begins.
    fn enter(&mut self, life: &Life) {
        match self.slot(life) {
            Slot::None => {}
            Slot::Pre(_) => self.pre_alive += 1,
            Slot::Gen(index) => {
                self.alive[index] += 1;
                if life.visible
                    && life.awake_until == Millis::MAX
                    && let Some(awake) = &mut self.awake
                {
                    awake[index] += 1;
                }
            }
        }
    }

    /// A life ends at `at`.
    fn leave(&mut self, life: &Life, at: Millis) {
        match self.slot(life) {
            Slot::None => {}
            Slot::Pre(born) => {
                self.pre_alive = self.pre_alive.saturating_sub(1);
                // A guarded handle joins the old population silently, so only an old one leaves it.
                if born <= self.geometry.start || at - born >= self.geometry.age {
                    self.pending_change -= 1;
                }
            }
            Slot::Gen(index) => self.leave_generation(index, life, at),
        }
    }

    fn leave_generation(&mut self, index: usize, life: &Life, at: Millis) {
        if life.visible
            && life.awake_until == Millis::MAX
            && let Some(awake) = &mut self.awake
        {
            awake[index] = awake[index].saturating_sub(1);
        }
        if self.alive[index] == 0 {
            return;
        }
        self.alive[index] -= 1;
        if index >= self.rungs[0].promoted {
            return;
        }
        self.pending_change -= 1;
        let age = (at - self.birth_end(index)) as f64;
        let weight = f64::from(self.weight[index]);
        for (level, rung) in self.rungs.iter_mut().enumerate() {
            let rung_age = (self.geometry.age << level) as f64;
            if age > rung_age {
                rung.closings += weight;
                rung.closed_log_age += weight * (age / rung_age).ln();
            }
        }
    }

    /// A handle entered the group.
    pub fn opened(&mut self, life: &Life) {
        self.enter(life);
    }

    /// A handle left the group at `at`.
    pub fn closed(&mut self, life: &Life, at: Millis) {
        self.leave(life, at);
    }

    /// A handle's activity changed at `at`: `before` is its life until then.
    pub fn activity(&mut self, before: &Life, after: &Life, at: Millis) {
        match self.geometry.clock {
            Clock::Age => {}
            Clock::Stale => {
                self.leave(before, at);
                self.enter(after);
            }
            Clock::Dormant => match (self.slot(before), self.slot(after)) {
                // A start-up handle that was in use and falls silent before the age.
                (Slot::None, Slot::Pre(_)) => self.enter(after),
                (Slot::None, _) => {}
                (Slot::Gen(index), Slot::Gen(_)) => {
                    let was = before.awake_until == Millis::MAX;
                    let is = after.awake_until == Millis::MAX;
                    if was != is
                        && let Some(awake) = &mut self.awake
                    {
                        if is {
                            awake[index] += 1;
                        } else {
                            awake[index] = awake[index].saturating_sub(1);
                        }
                    }
                }
                (Slot::Pre(_), Slot::Pre(_)) => {}
                (Slot::Pre(_) | Slot::Gen(_), _) => self.leave(before, at),
            },
        }
    }

    /// Closes the bucket that ends at `now`: promotes, then bets on the change.
    pub fn step(&mut self, now: Millis) {
        self.promote(now);
        let x = self.pending_change as f64;
        self.pending_change = 0;
        let step = self.steps;
        self.steps += 1;
        if now - self.geometry.start <= self.geometry.age + self.geometry.bucket {
            return;
        }
        self.counted_steps += 1;
        if x == 0.0 {
            return;
        }
        let scale = ((1.0 + self.sum_squares) / (1.0 + f64::from(self.nonzero))).sqrt();
        for (restart, bets) in self.bets.iter_mut().enumerate() {
            if step < restart * RESTART_EVERY {
                break;
            }
            for (bet, lambda) in bets.iter_mut().zip(LAMBDAS) {
                *bet *= logistic_factor(lambda * x / scale);
            }
        }
        self.sum += x;
        self.sum_squares += x * x;
        self.nonzero += 1;
    }

    fn promote(&mut self, now: Millis) {
        for level in 0..LEVELS {
            let age = self.geometry.age << level;
            while self.rungs[level].promoted < GENERATIONS
                && now >= self.birth_end(self.rungs[level].promoted) + age
            {
                // Level 0 thereby happens exactly at `promotion_of`.
                let index = self.rungs[level].promoted;
                self.rungs[level].promoted += 1;
                if level > 0 {
                    continue;
                }
                if let Some(awake) = &mut self.awake {
                    // In use at this age: not dormant since birth.
                    self.alive[index] = self.alive[index].saturating_sub(awake[index]);
                    awake[index] = 0;
                }
                let alive = self.alive[index];
                self.promoted_ever += u64::from(alive);
                self.pending_change += i64::from(alive);
                if alive > 0 {
                    self.weight[index] = (CAP_PER_GENERATION / f64::from(alive)).min(1.0) as f32;
                }
            }
        }
    }

    fn ln_survival(&self, now: Millis) -> (f64, f64, f64) {
        let mut log_ages = [0.0_f64; LEVELS];
        let base_age = self.geometry.age as f64;
        for index in 0..self.rungs[0].promoted {
            if self.alive[index] == 0 {
                continue;
            }
            let mass = f64::from(self.weight[index]) * f64::from(self.alive[index]);
            let log_age = ((now - self.birth_end(index)) as f64 / base_age).ln();
            for (level, sum) in log_ages.iter_mut().enumerate() {
                if index < self.rungs[level].promoted {
                    *sum += mass * (log_age - level as f64 * std::f64::consts::LN_2);
                }
            }
        }
        let elapsed = now - self.geometry.start;
        let mut least = f64::INFINITY;
        for (level, rung) in self.rungs.iter().enumerate() {
            if level > 0 && (self.geometry.age << level) > elapsed / 4 {
                break;
            }
            let exposure = rung.closed_log_age + log_ages[level];
            least = least.min(ln_mean_exp(
                ALPHAS.map(|alpha| rung.closings * alpha.ln() + (1.0 - alpha) * exposure),
            ));
        }
        (least, self.rungs[0].closings, self.rungs[0].closed_log_age + log_ages[0])
    }

    /// A loss since the last step counts at once, though the bucket is still open: between the
    /// steps of a long window a reap must not leave old evidence on the screen.
    fn ln_growth(&self) -> f64 {
        let loss = self.pending_change.min(0) as f64;
        let scale = ((1.0 + self.sum_squares) / (1.0 + f64::from(self.nonzero))).sqrt();
        let factors = LAMBDAS.map(|lambda| logistic_factor(lambda * loss / scale));
        let mut total = 0.0;
        let mut to_come = 1.0;
        for (restart, bets) in self.bets.iter().enumerate() {
            if self.steps <= restart * RESTART_EVERY {
                break;
            }
            let weight = 1.0 / ((restart as f64 + 1.0) * (restart as f64 + 2.0));
            to_come -= weight;
            let mixed: f64 = bets
                .iter()
                .zip(factors)
                .zip(LAMBDA_WEIGHTS)
                .map(|((bet, factor), w)| bet * factor * w)
                .sum();
            total += weight * mixed;
        }
        (total + to_come).ln()
    }

    /// What the engine says at the boundary `now`; `None` while nothing was promoted.
    pub fn stats(&self, now: Millis) -> Option<Stats> {
        let alive = &self.alive[..self.rungs[0].promoted];
        let first = alive.iter().position(|&n| n > 0)?;
        let last = alive.iter().rposition(|&n| n > 0)?;
        let birth = |index: usize| self.geometry.start + index as Millis * self.geometry.bucket;
        let (first_birth, last_birth) = (birth(first), birth(last));
        let survivors: u64 = alive.iter().map(|&n| u64::from(n)).sum();
        let generations = alive.iter().filter(|&&n| n > 0).count();
        let horizon = now - self.geometry.age;
        let middle = first_birth + (horizon - first_birth) / 2;
        let later: u64 = (first..=last)
            .filter(|&index| birth(index) + self.geometry.bucket / 2 > middle)
            .map(|index| u64::from(alive[index]))
            .sum();
        let mean_gap = (last_birth - first_birth) / generations.max(1) as Millis;
        let exposure_s = ((horizon - first_birth) as f64 / 1000.0).max(0.001);
        let counted = f64::from(self.counted_steps.max(1));
        let variance = (self.sum_squares - self.sum * self.sum / counted).max(self.sum.abs());
        let half = 1.96 * variance.sqrt();
        let (ln_surv, closings, exposure) = self.ln_survival(now);
        Some(Stats {
            ln_surv,
            ln_growth: self.ln_growth(),
            survivors,
            generations: u32::try_from(generations).unwrap_or(u32::MAX),
            first_birth,
            last_birth,
            later_half: later as f64 / survivors.max(1) as f64,
            fresh: horizon - last_birth <= (6 * self.geometry.bucket).max(4 * mean_gap),
            growth: self.sum,
            rate: self.sum / exposure_s,
            rate_low: (self.sum - half) / exposure_s,
            rate_high: (self.sum + half) / exposure_s,
            pre_alive: u64::from(self.pre_alive),
            closings,
            exposure,
            never_closed_share: survivors as f64 / self.promoted_ever.max(1) as f64,
            oldest: now - first_birth,
        })
    }
}

/// The bet's factor for a scaled increment: at most 2, below 1 when the increment is negative.
fn logistic_factor(scaled: f64) -> f64 {
    2.0 / (1.0 + (-2.0 * scaled).exp())
}

fn ln_mean_exp(values: [f64; 3]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + (values.iter().map(|v| (v - top).exp()).sum::<f64>() / values.len() as f64).ln()
}

/// A growth bet over plain increments, for gauges: the same mixture without restarts in time.
#[derive(Debug, Clone, Default)]
pub struct GrowthBet {
    steps: usize,
    sum_squares: f64,
    nonzero: u32,
    bets: Vec<[f64; LAMBDAS.len()]>,
}

impl GrowthBet {
    /// Bets on one increment.
    pub fn step(&mut self, x: f64) {
        if self.steps.is_multiple_of(RESTART_EVERY) && self.bets.len() < RESTARTS {
            self.bets.push([1.0; LAMBDAS.len()]);
        }
        self.steps += 1;
        if x == 0.0 {
            return;
        }
        let scale = ((1.0 + self.sum_squares) / (1.0 + f64::from(self.nonzero))).sqrt();
        for bets in &mut self.bets {
            for (bet, lambda) in bets.iter_mut().zip(LAMBDAS) {
                // Capped so that a gauge watched for days cannot overflow to infinity.
                *bet = (*bet * logistic_factor(lambda * x / scale)).min(1e100);
            }
        }
        self.sum_squares += x * x;
        self.nonzero += 1;
    }

    /// Natural logarithm of the e-value.
    pub fn ln_e(&self) -> f64 {
        let mut total = 0.0;
        let mut to_come = 1.0;
        for (restart, bets) in self.bets.iter().enumerate() {
            let weight = 1.0 / ((restart as f64 + 1.0) * (restart as f64 + 2.0));
            to_come -= weight;
            total += weight * bets.iter().zip(LAMBDA_WEIGHTS).map(|(b, w)| b * w).sum::<f64>();
        }
        (total + to_come).ln()
    }
}

#[cfg(test)]
mod tests;
