//! Whether two series of births are one: each birth of one comes with births of the other.
//!
//! Two leaks that both follow the load rise and fall together, too, and so do any two that merely
//! rise. What tells one cause from two is the rest: with two, it is left to chance to which of them
//! each birth belongs. Let `a` and `b` be the births of a step of time and `q` the share of the
//! first series in all births. Then, given `a + b = n`, `a` is binomial with `n` and `q`, whatever
//! the load did; with one cause `a = q n` in every step. The measure is
//!
//! ```text
//! apart = sum (a - q n)^2  /  sum n q (1 - q)
//! ```
//!
//! about 1 with two causes, 0 with one. How unlikely so small a sum is by chance is bounded by
//! Chernoff's inequality with the exact distribution of each step. Births at even intervals agree
//! without any common cause, as those of two clocks do: such series say nothing here.

use std::collections::BTreeMap;

use crate::live::facts::Millis;

/// Fewer births of either series say nothing.
const LEAST: usize = 16;
/// The latest so many of each are compared.
const MOST: usize = 4096;
/// Largest measure of one cause.
const APART: f64 = 0.25;
/// Largest probability that two causes look like one, for all pairs that are tried.
const CHANCE: f64 = 1e-4;
/// Births per block, and number of blocks, by which it is told how even the intervals are.
const BLOCK: f64 = 2.0;
/// See [`BLOCK`].
const BLOCKS: usize = 8;
/// Least variance of births per block, as a share of their mean: 1 at random, 0 of a clock.
const UNEVEN: f64 = 0.5;

/// How two series agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Births compared, of the first and of the second.
    pub births: (u64, u64),
    /// The measure: 0 when they agree in every step, about 1 when nothing joins them.
    pub apart: f64,
    /// Bound on the probability that two causes agree so well, for all pairs that are tried.
    pub chance: f64,
}

/// Compares births of two series in steps of `step_ms`; `None`: nothing says that they are one.
/// `pairs` is how many pairs are tried.
pub fn agreement(
    first: &[Millis],
    second: &[Millis],
    step_ms: Millis,
    pairs: usize,
) -> Option<Agreement> {
    if first.len().min(second.len()) < LEAST {
        return None;
    }
    let steps = steps(first, second, step_ms.max(1));
    let count = |of: fn(&(u64, u64)) -> u64| -> u64 { steps.values().map(of).sum() };
    let births = (count(|births| births.0), count(|births| births.1));
    if births.0.min(births.1) < LEAST as u64 || !is_uneven(&steps) {
        return None;
    }
    let all = births.0 + births.1;
    let share = births.0 as f64 / all as f64;
    let distance = |&(a, b): &(u64, u64)| (a as f64 - share * (a + b) as f64).powi(2);
    let sum: f64 = steps.values().map(distance).sum();
    let apart = sum / (all as f64 * share * (1.0 - share));
    if apart > APART {
        return None;
    }
    let chance = (chance(&steps, share, sum) * pairs.max(1) as f64).min(1.0);
    (chance <= CHANCE).then_some(Agreement { births, apart, chance })
}

/// Births by step of time: a step ends with a look, and holds what was born since the one before.
fn steps(first: &[Millis], second: &[Millis], step: Millis) -> BTreeMap<Millis, (u64, u64)> {
    let at = |born: &Millis| born.saturating_add(step - 1).div_euclid(step);
    let sorted = |births: &[Millis]| {
        let mut births: Vec<Millis> = births.iter().map(at).collect();
        births.sort_unstable();
        births
    };
    let (first, second) = (sorted(first), sorted(second));
    // Both from the same step on, with all births of it.
    let cut = |births: &[Millis]| births.len().checked_sub(MOST + 1).map(|last| births[last] + 1);
    let from = cut(&first).max(cut(&second));
    let mut steps: BTreeMap<Millis, (u64, u64)> = BTreeMap::new();
    for &at in first.iter().filter(|&&at| from.is_none_or(|from| at >= from)) {
        steps.entry(at).or_default().0 += 1;
    }
    for &at in second.iter().filter(|&&at| from.is_none_or(|from| at >= from)) {
        steps.entry(at).or_default().1 += 1;
    }
    steps
}

/// Whether births come at uneven intervals.
fn is_uneven(steps: &BTreeMap<Millis, (u64, u64)>) -> bool {
    let (Some((&begin, _)), Some((&end, _))) = (steps.first_key_value(), steps.last_key_value())
    else {
        return false;
    };
    let number = end.saturating_sub(begin).saturating_add(1) as f64;
    let all: u64 = steps.values().map(|&(a, _)| a).sum();
    let length = (BLOCK * number / all.max(1) as f64).ceil().max(1.0);
    let count = (number / length) as usize;
    if count < BLOCKS {
        return false;
    }
    let mut blocks: BTreeMap<usize, f64> = BTreeMap::new();
    for (&at, &(a, _)) in steps {
        let block = (at.saturating_sub(begin) as f64 / length) as usize;
        if block < count {
            *blocks.entry(block).or_default() += a as f64;
        }
    }
    let mean = blocks.values().sum::<f64>() / count as f64;
    let squares: f64 = blocks.values().map(|births| births * births).sum();
    let variance = (squares - count as f64 * mean * mean) / (count - 1) as f64;
    mean > 0.0 && variance >= UNEVEN * mean
}

/// Bound on the probability of a sum as small as this when chance decides on each birth.
fn chance(steps: &BTreeMap<Millis, (u64, u64)>, share: f64, sum: f64) -> f64 {
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    for &(a, b) in steps.values() {
        *sizes.entry(a + b).or_default() += 1.0;
    }
    let bound = |theta: f64| {
        let exponents = sizes.iter().map(|(&n, &number)| number * ln_mean_exp(n, share, theta));
        theta * sum + exponents.sum::<f64>()
    };
    (-6..=6).map(|power| bound(2_f64.powi(power))).fold(0.0, f64::min).exp()
}

/// `ln E exp(-theta (a - q n)^2)` for `a` binomial with `n` and `q`.
fn ln_mean_exp(n: u64, q: f64, theta: f64) -> f64 {
    let number = n as f64;
    // The logarithm of each probability from that of the one before.
    let mut ln_probability = number * (1.0 - q).ln();
    let mut mean = 0.0;
    for a in 0..=n {
        let distance = (a as f64 - q * number).powi(2);
        mean += (ln_probability - theta * distance).exp();
        let (a, odds) = (a as f64, q / (1.0 - q));
        ln_probability += ((number - a) / (a + 1.0) * odds).ln();
    }
    mean.max(f64::MIN_POSITIVE).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Births at uneven times, a third of a step apart on average.
    fn uneven(number: usize, seed: u64) -> Vec<Millis> {
        let mut state = seed;
        let mut at = 0.0;
        (0..number)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                at -= ((state >> 11) as f64 / (1_u64 << 53) as f64).max(1e-12).ln() * 9_000.0;
                at as Millis
            })
            .collect()
    }

    #[test]
    fn one_cause_is_told_whatever_the_ratio() {
        let births = uneven(40, 1);
        let alike = agreement(&births, &births, 5_000, 1).unwrap();
        assert_eq!((alike.births, alike.apart), ((40, 40), 0.0));
        assert!(alike.chance <= 1e-6, "{alike:?}");
        let twice: Vec<Millis> = births.iter().flat_map(|&at| [at, at]).collect();
        assert!(agreement(&births, &twice, 5_000, 100).is_some());
        assert!(agreement(&twice, &births, 5_000, 100).is_some());
    }

    #[test]
    fn two_causes_are_two() {
        for seed in 2..200 {
            assert_eq!(agreement(&uneven(60, 1), &uneven(60, seed), 5_000, 1), None, "{seed}");
        }
    }

    #[test]
    fn clocks_and_few_births_say_nothing() {
        let clock: Vec<Millis> = (0..400).map(|n| n * 5_000).collect();
        assert_eq!(agreement(&clock, &clock, 5_000, 1), None);
        let slow: Vec<Millis> = (0..40).map(|n| n * 60_000).collect();
        assert_eq!(agreement(&slow, &slow, 5_000, 1), None);
        let few = uneven(LEAST - 1, 1);
        assert_eq!(agreement(&few, &few, 5_000, 1), None);
        assert_eq!(agreement(&[], &few, 5_000, 1), None);
    }

    #[test]
    fn hostile_times_do_not_overflow() {
        let far: Vec<Millis> = uneven(40, 3).iter().map(|at| at - (1 << 53)).collect();
        let near: Vec<Millis> = uneven(40, 3).iter().map(|at| at + (1 << 53)).collect();
        assert_eq!(agreement(&far, &near, 1, 1), None);
        assert_eq!(agreement(&[Millis::MAX; 20], &[Millis::MIN; 20], 5_000, 1), None);
    }

    #[test]
    fn the_bound_is_one_of_probability() {
        // Ten steps with two births each: both as one would be happens with a probability of 1/2.
        let steps: BTreeMap<Millis, (u64, u64)> = (0..10).map(|at| (at, (1, 1))).collect();
        let bound = chance(&steps, 0.5, 0.0);
        assert!(bound >= 0.5_f64.powi(10) && bound < 0.5_f64.powi(10) * 1.01, "{bound}");
    }
}
