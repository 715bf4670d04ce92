//! Properties that make the keys trustworthy, and their calibration on simulated nulls.

use proptest::prelude::*;

use super::*;

const BUCKET: Millis = 5_000;
const AGE: Millis = 30_000;

fn geometry() -> Geometry {
    Geometry { start: 0, bucket: BUCKET, age: AGE, clock: Clock::Age, guarded: false }
}

fn life(born: Millis) -> Life {
    Life {
        entered: born,
        silent_since: None,
        visible: false,
        awake_until: Millis::MIN,
        guarded_until: Millis::MIN,
    }
}

/// Runs lives (birth, death) through an engine and calls `look` at each boundary.
fn run(lives: &[(Millis, Millis)], steps: i64, mut look: impl FnMut(&Engine, Millis)) -> Engine {
    let pre = lives.iter().filter(|l| l.0 <= 0 && l.1 > 0).map(|_| life(Millis::MIN));
    let mut engine = Engine::new(geometry(), 0, pre);
    engine.steps = 0;
    let mut events: Vec<(Millis, bool, Millis)> = Vec::new();
    for &(born, died) in lives.iter().filter(|l| l.1 > 0) {
        if born > 0 {
            events.push((born, true, born));
        }
        events.push((died, false, if born > 0 { born } else { Millis::MIN }));
    }
    events.sort_unstable();
    let mut events = events.into_iter().peekable();
    for step in 1..=steps {
        let now = step * BUCKET;
        while let Some((at, opens, born)) = events.next_if(|e| e.0 <= now) {
            if opens {
                engine.opened(&life(born));
            } else {
                engine.closed(&life(born), at);
            }
        }
        engine.step(now);
        look(&engine, now);
    }
    engine
}

fn best(lives: &[(Millis, Millis)], steps: i64) -> (f64, f64) {
    let mut best = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    run(lives, steps, |engine, now| {
        if let Some(stats) = engine.stats(now) {
            best.0 = best.0.max(stats.ln_surv);
        }
        best.1 = best.1.max(engine.ln_growth());
    });
    best
}

/// A small deterministic generator; the tests must not depend on a crate's stream.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 + 0.5) / f64::from(1u32 << 31)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }
}

/// A steady state: Poisson births from long before the watch, life times by `length` (seconds).
fn steady(
    seed: u64,
    per_second: f64,
    before: f64,
    until: f64,
    length: impl Fn(&mut Random) -> f64,
) -> Vec<(Millis, Millis)> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut lives = Vec::new();
    let mut at = -before;
    while at < until {
        at += random.exponential(1.0 / per_second);
        let end = at + length(&mut random);
        lives.push(((at * 1000.0) as Millis, (end * 1000.0) as Millis));
    }
    lives
}

proptest! {
    #[test]
    fn the_bet_never_pays_more_than_twice(x in -1e6f64..1e6) {
        prop_assert!(logistic_factor(x) <= 2.0);
        prop_assert!(logistic_factor(x) >= 0.0);
        // Fair against symmetric increments.
        prop_assert!(logistic_factor(x) + logistic_factor(-x) <= 2.0 + 1e-9);
    }

    #[test]
    fn a_reap_destroys_what_the_rises_seemed_to_prove(n in 5u32..40) {
        let n = i64::from(n);
        let reaped = n * BUCKET + AGE + 2 * BUCKET;
        let lives: Vec<_> = (0..n).map(|k| (k * BUCKET + 1, reaped)).collect();
        let mut last = 0.0;
        run(&lives, n + 12, |engine, _| last = engine.ln_growth());
        prop_assert!(last < 20f64.ln(), "{last}");
    }

    #[test]
    fn engines_stay_consistent_under_any_history(
        lives in prop::collection::vec((-100_000i64..600_000, 1i64..400_000), 0..200)
    ) {
        let lives: Vec<_> = lives.into_iter().map(|(b, l)| (b, b + l)).collect();
        let engine = run(&lives, 120, |engine, now| {
            let old = lives.iter().filter(|l| l.0 > 0 && l.1 > now).filter(|l| {
                ((l.0 - 1) / BUCKET + 1) * BUCKET + AGE <= now
            }).count() as u64;
            let counted = engine.stats(now).map_or(0, |s| s.survivors);
            assert_eq!(counted, old, "at {now}");
        });
        let pre = lives.iter().filter(|l| l.0 <= 0 && l.1 > 600_000).count() as u32;
        prop_assert_eq!(engine.pre_alive, pre);
        prop_assert!(engine.ln_growth().is_finite() || engine.ln_growth() == f64::NEG_INFINITY);
    }
}

#[test]
fn a_batch_is_one_generation_and_little_evidence() {
    let lives: Vec<_> = (0..1000).map(|_| (10_001, Millis::MAX / 2)).collect();
    let mut at_the_end = None;
    run(&lives, 60, |engine, now| at_the_end = engine.stats(now));
    let stats = at_the_end.expect("promoted");
    assert_eq!((stats.generations, stats.survivors), (1, 1000));
    assert!(stats.ln_growth < 20f64.ln(), "{}", stats.ln_growth);
}

#[test]
fn growth_is_calibrated_on_stationary_nulls() {
    for (name, rate, before, length) in
        [("exponential 5 s", 5.0, 60.0, 5.0), ("exponential 60 s", 1.0, 600.0, 60.0)]
    {
        let hits = (0..200)
            .filter(|&seed| {
                let lives = steady(seed, rate, before, 1200.0, |r| r.exponential(length));
                best(&lives, 240).1 >= 20f64.ln()
            })
            .count();
        assert!(hits <= 9, "{name}: {hits} of 200");
    }
    let hits = (0..200)
        .filter(|&seed| best(&steady(seed, 1.0, 200.0, 1200.0, |_| 90.0), 240).1 >= 20f64.ln())
        .count();
    assert!(hits <= 9, "deterministic 90 s: {hits} of 200");
}

#[test]
fn survival_is_calibrated_at_its_boundary() {
    // Pareto of index exactly 1 past the age: the boundary of the null.
    let hits = (0..200)
        .filter(|&seed| {
            let lives = steady(seed, 1.0, 3000.0, 1200.0, |r| 30.0 / r.unit());
            best(&lives, 240).0 >= 20f64.ln()
        })
        .count();
    assert!(hits <= 16, "{hits} of 200");
}
