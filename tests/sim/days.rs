//! Whole days under a load that rises and falls with the hour: nothing healthy may leak in them, and a
//! slow leak must be found.

use std::f64::consts::TAU;

use crate::families::births;
use crate::history::{self, Handle, History, Use};
use crate::random::Random;

const DAY: f64 = 86_400.0;
/// The process has run so long before, seconds.
const UPTIME: f64 = 3.0 * DAY;
/// What is there when the watch begins was born within this time.
const BEFORE: f64 = 4.0 * 3600.0;
const PEER: &str = "10.0.0.1:5432";
const LEAKED: &str = "10.0.0.9:8080";
/// What leaks slowly, handles per second at the mean load.
const SLOW: f64 = 0.001;

/// Makes the handles of one day, under a load of mean 1.
pub(crate) type Make = fn(&mut Random, &dyn Fn(f64) -> f64) -> Vec<Handle>;

/// Healthy services.
pub(crate) const HEALTHY: [(&str, Make); 8] = [
    ("short", |r, load| lives(r, load, 0.5, Use::Once, |r| r.exponential(5.0))),
    ("sessions", |r, load| lives(r, load, 0.1, Use::Every(40.0), |r| r.lognormal(300.0, 1.0))),
    ("heavy_tail", |r, load| lives(r, load, 0.3, Use::Every(4.0), |r| r.lomax(1.5, 30.0))),
    ("keep_alive", |r, load| lives(r, load, 0.2, Use::Once, |r| 90.0 + r.exponential(3.0))),
    ("websockets", |r, load| lives(r, load, 0.02, Use::Every(10.0), |r| r.between(900.0, 7200.0))),
    ("elastic_pool", elastic_pool),
    ("hourly_batches", |r, _| {
        let start = |hour: f64| hour * 3600.0 + 120.0;
        let batch = |r: &mut Random, at: f64| {
            (0..r.count(20, 60))
                .map(|_| (at + r.between(0.0, 30.0), r.between(30.0, 300.0)))
                .collect()
        };
        let all: Vec<(f64, f64)> =
            (-2..24).flat_map(|hour| -> Vec<_> { batch(r, start(f64::from(hour))) }).collect();
        all.into_iter()
            .map(|(born, life)| history::connection(born, born + life, PEER, Use::Every(5.0)))
            .collect()
    }),
    ("reaper", |r, load| {
        // Used for a moment, and closed by somebody who comes by every ten minutes.
        let born = births(r, -BEFORE, DAY, 2.0 * 0.1, |t| 0.1 * load(t));
        let round = |at: f64| (at / 600.0).floor() * 600.0 + 600.0;
        born.into_iter()
            .map(|at| history::connection(at, round(at + 60.0), PEER, Use::Once))
            .collect()
    }),
];

/// Connections at a rate that follows the load, with lives drawn one by one.
fn lives(
    r: &mut Random,
    load: &dyn Fn(f64) -> f64,
    rate: f64,
    uses: Use,
    life: impl Fn(&mut Random) -> f64,
) -> Vec<Handle> {
    let born = births(r, -BEFORE, DAY, 2.0 * rate, |t| rate * load(t));
    born.into_iter()
        .map(|at| {
            let end = at + life(r);
            history::connection(at, end, PEER, uses)
        })
        .collect()
}

/// A pool that holds as many connections as the load needs, and lets go of them again.
fn elastic_pool(r: &mut Random, load: &dyn Fn(f64) -> f64) -> Vec<Handle> {
    let step = 60.0;
    let mut open: Vec<f64> = Vec::new();
    let mut handles = Vec::new();
    let mut at = -BEFORE;
    while at < DAY {
        let wanted = (40.0 * load(at)).round() as usize;
        while open.len() < wanted {
            open.push(at + r.between(0.0, step));
        }
        // Fewer than it has by a fifth: the oldest go.
        if open.len() * 4 > wanted * 5 {
            for born in open.drain(..open.len() - wanted) {
                let end = at + r.between(0.0, step);
                handles.push(history::connection(born, end.max(born), PEER, Use::Every(8.0)));
            }
        }
        at += step;
    }
    handles
        .extend(open.into_iter().map(|born| history::connection(born, 1e9, PEER, Use::Every(8.0))));
    handles
}

/// One day of a service; `leaks`: slowly, beside what it does.
pub(crate) fn day(make: Make, leaks: bool, seed: u64) -> History {
    let mut random = Random::new(seed.wrapping_mul(104_729) ^ 0xDA1);
    let r = &mut random;
    let (phase, swing) = (r.between(0.0, TAU), r.between(0.4, 0.9));
    let load = move |at: f64| 1.0 + swing * (TAU * at / DAY + phase).sin();
    let mut handles = make(r, &load);
    if leaks {
        let born = births(r, 0.0, DAY, 2.0 * SLOW, |at| SLOW * load(at));
        handles.extend(born.into_iter().map(|at| history::connection(at, 1e9, LEAKED, Use::Once)));
    }
    let path = ["socket", "tcp client", LEAKED, "ESTABLISHED"].map(str::to_owned).to_vec();
    let leak = leaks.then_some((path, Some(SLOW)));
    History { handles, uptime: UPTIME, length: DAY, leak }
}
