//! Leaks that are one, and leaks that only grow at the same time: how often each is taken for one.

use poolscan::live::detect::together::agreement;
use poolscan::live::facts::Millis;
use poolscan::live::watch::{Settings, Watch};

use crate::history::{Handle, History, Use, connection, facts};
use crate::random::Random;

/// Seconds of births of each pair.
const LENGTH: f64 = 600.0;
/// Step of time, milliseconds.
const STEP: Millis = 5_000;
/// Pairs that a watch might try.
const PAIRS: usize = 10;

/// Births of both series at a rate, in seconds.
type Make = fn(&mut Random, f64) -> (Vec<f64>, Vec<f64>);

/// How the births of a pair come about.
struct Kind {
    name: &'static str,
    /// One cause.
    one: bool,
    make: Make,
}

const KINDS: [Kind; 11] = [
    two("at random", |random, rate| (poisson(random, rate), poisson(random, rate))),
    two("at random, one three times as fast", |random, rate| {
        (poisson(random, rate), poisson(random, 3.0 * rate))
    }),
    two("under one load with bursts", |random, rate| {
        let load = load(random);
        (thinned(random, rate, &load), thinned(random, rate, &load))
    }),
    two("each with half of the same requests", |random, rate| {
        let requests = poisson(random, 2.0 * rate);
        let half = |random: &mut Random| -> Vec<f64> {
            requests.iter().copied().filter(|_| random.unit() < 0.5).collect()
        };
        (half(random), half(random))
    }),
    two("by clocks of one period", |random, rate| {
        (clock(random, rate, 0.0), clock(random, rate, 0.0))
    }),
    two("by clocks that jitter by a third", |random, rate| {
        (clock(random, rate, 0.3), clock(random, rate, 0.3))
    }),
    two("in batches of five", |random, rate| (batches(random, rate), batches(random, rate))),
    one("one with each of the other", |random, rate| {
        let births = poisson(random, rate);
        (births.clone(), births)
    }),
    one("two with each of the other", |random, rate| {
        let births = poisson(random, rate);
        let twice = births.iter().flat_map(|&at| [at, at + 0.01]).collect();
        (births, twice)
    }),
    one("one with each, but one in twenty", |random, rate| {
        let births = poisson(random, rate);
        let most = births.iter().copied().filter(|_| random.unit() > 0.05).collect();
        (births, most)
    }),
    one("one with each, a quarter of a second later", |random, rate| {
        let births = poisson(random, rate);
        let later = births.iter().map(|at| at + 0.25).collect();
        (births, later)
    }),
];

const fn two(name: &'static str, make: Make) -> Kind {
    Kind { name, one: false, make }
}

const fn one(name: &'static str, make: Make) -> Kind {
    Kind { name, one: true, make }
}

fn poisson(random: &mut Random, rate: f64) -> Vec<f64> {
    let mut births = Vec::new();
    let mut at = random.exponential(1.0 / rate);
    while at < LENGTH {
        births.push(at);
        at += random.exponential(1.0 / rate);
    }
    births
}

fn clock(random: &mut Random, rate: f64, jitter: f64) -> Vec<f64> {
    let period = 1.0 / rate;
    let mut births = Vec::new();
    let mut at = random.unit() * period;
    while at < LENGTH {
        births.push(at);
        at += (period * (1.0 + jitter * random.normal())).max(0.001);
    }
    births
}

fn batches(random: &mut Random, rate: f64) -> Vec<f64> {
    let starts = poisson(random, rate / 5.0);
    starts.iter().flat_map(|&at| (0..5).map(move |n| at + 0.01 * f64::from(n))).collect()
}

/// Ends of calm and busy spells, in turn.
fn load(random: &mut Random) -> Vec<f64> {
    let mut ends = Vec::new();
    let mut at = 0.0;
    while at < LENGTH {
        at += random.exponential(if ends.len() % 2 == 0 { 60.0 } else { 10.0 });
        ends.push(at);
    }
    ends
}

/// Ten times as fast in busy spells as in calm ones.
fn thinned(random: &mut Random, rate: f64, load: &[f64]) -> Vec<f64> {
    let busy = |at: f64| load.partition_point(|&end| end <= at) % 2 == 1;
    let fast = 4.0 * rate;
    poisson(random, fast).into_iter().filter(|&at| busy(at) || random.unit() < 0.1).collect()
}

/// Prints how many pairs are taken for one; gives what is wrong.
pub(crate) fn score(pairs: u64) -> Vec<String> {
    println!("\n| births of two leaks | 0.05/s | 0.2/s | 1/s | 5/s |\n|---|---|---|---|---|");
    let (mut wrong, mut two, mut all_two) = (Vec::new(), 0, 0);
    for kind in &KINDS {
        let shares: Vec<u64> = [0.05_f64, 0.2, 1.0, 5.0]
            .into_iter()
            .map(|rate| {
                let joined = (0..pairs).filter(|&seed| {
                    let mut random = Random::new(seed.wrapping_mul(31) ^ rate.to_bits());
                    let (first, second) = (kind.make)(&mut random, rate);
                    let ms = |births: Vec<f64>| -> Vec<Millis> {
                        births.iter().map(|at| (at * 1000.0) as Millis).collect()
                    };
                    agreement(&ms(first), &ms(second), STEP, PAIRS).is_some()
                });
                joined.count() as u64
            })
            .collect();
        let told: Vec<String> = shares.iter().map(|n| format!("{n} of {pairs}")).collect();
        println!(
            "| {}{} | {} |",
            if kind.one { "**one:** " } else { "" },
            kind.name,
            told.join(" | ")
        );
        if kind.one {
            // At 0.05/s there are 30 births: some pairs say too little.
            if shares[1..].iter().any(|&n| n * 10 < pairs * 8) {
                wrong.push(format!("one cause, {}: {shares:?} of {pairs} told", kind.name));
            }
        } else {
            two += shares.iter().sum::<u64>();
            all_two += 4 * pairs;
        }
    }
    println!("\ntwo causes taken for one: {two} of {all_two}");
    if two * 1_000 > all_two {
        wrong.push(format!("{two} of {all_two} pairs of two causes are taken for one"));
    }
    wrong
}

/// Whether whole watches of two leaks at a time say that they are one.
pub(crate) fn watches(seeds: u64) -> Vec<String> {
    let mut joined = [0; 2];
    for seed in 0..seeds {
        for same in [false, true] {
            let mut random = Random::new(seed ^ 0x70C3);
            let births = poisson(&mut random, 0.3);
            let others = if same { births.clone() } else { poisson(&mut random, 0.3) };
            let mut handles: Vec<Handle> = (births.iter())
                .map(|&at| connection(at, 1e9, "10.0.0.7:5432", Use::Once))
                .collect();
            handles.extend(others.iter().map(|&at| Handle {
                kind: "thread",
                role: "",
                state: "",
                peer: "worker".to_owned(),
                ..connection(at, 1e9, "", Use::Unseen)
            }));
            let history = History { handles, uptime: 90_000.0, length: LENGTH, leak: None };
            let mut watch = Watch::new(Settings::default());
            for tick in facts(&history, seed, 1.0, false) {
                watch.step(&tick);
            }
            let outcome = watch.outcome();
            let rows = &outcome.targets[0].resources;
            let leads = rows.iter().any(|row| !row.together.is_empty());
            let follows = rows.iter().any(|row| row.part_of.is_some());
            joined[usize::from(same)] += u64::from(leads && follows);
        }
    }
    let [two, one] = joined;
    println!("whole watches: {one} of {seeds} with one cause joined, {two} of {seeds} with two");
    if two > 0 || one * 10 < seeds * 8 {
        return vec![format!("watches: {one} of {seeds} with one cause joined, {two} with two")];
    }
    Vec::new()
}
