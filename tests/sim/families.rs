//! Families of healthy and leaking histories; ranges are what services really show.

use crate::history::{Handle, History, Use, connection};
use crate::random::Random;

const LENGTH: f64 = 600.0;
const NEVER: f64 = 1e9;
const PEER: &str = "10.0.0.1:5432";
const LEAKED: &str = "10.0.0.9:8080";

/// Whether and how a family leaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truth {
    Healthy,
    /// Healthy, and stationary: not one alarm in a thousand.
    Stationary,
    /// Nobody can tell in ten minutes; shown, not counted.
    Ambiguous,
    Leak,
    /// Leaked but in use: `growing_in_use` or `suspect` is the right answer.
    Pinged,
}

pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) truth: Truth,
    pub(crate) make: fn(&mut Random) -> History,
}

macro_rules! families {
    ($($truth:ident $name:ident),* $(,)?) => {
        pub(crate) const ALL: &[Family] = &[$(Family {
            name: stringify!($name),
            truth: Truth::$truth,
            make: $name,
        }),*];
    };
}

families! {
    Stationary steady_exponential, Stationary steady_lognormal, Stationary steady_lomax,
    Stationary websockets, Stationary fixed_pool_idle, Stationary fixed_pool_busy,
    Stationary keep_alive_90, Stationary one_shot_keep_alive, Stationary mmpp,
    Stationary many_peers, Stationary periodic_batch,
    Healthy ramp_short, Healthy ramp_heavy, Healthy ramp_keep_alive, Healthy start_up_plateau,
    Healthy start_up_silent_pool, Healthy pool_fill, Healthy cache_warm_up, Healthy step_deploy,
    Healthy decaying_bursts, Healthy reaper_short, Healthy config_reload, Healthy slowdown,
    Healthy aliased_files, Healthy autoscale_stairs, Healthy storms_on_10_min_pool,
    Ambiguous reaper_long, Ambiguous slow_cache, Ambiguous long_lived_rise,
    Leak constant, Leak constant_slow, Leak constant_with_stock, Leak onset_mid_watch,
    Leak error_bursts, Leak one_peer_of_many, Leak ramp_load_leak, Leak partial_reclaim,
    Leak partial_restart, Leak close_wait, Leak pure_site, Leak hang, Leak among_silent,
    Leak files_age_only, Pinged pinged,
}

fn healthy(handles: Vec<Handle>) -> History {
    History { handles, uptime: 7200.0, length: LENGTH, leak: None }
}

fn leaking(mut handles: Vec<Handle>, leaked: Vec<Handle>, rate: Option<f64>) -> History {
    let path = leaked.first().map(|h| {
        [h.kind, h.role, &h.peer, h.state]
            .into_iter()
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    });
    handles.extend(leaked);
    History {
        handles,
        uptime: 7200.0,
        length: LENGTH,
        leak: Some((path.unwrap_or_default(), rate)),
    }
}

/// Poisson births at a rate that may vary, from `from` to `to`.
pub(crate) fn births(
    r: &mut Random,
    from: f64,
    to: f64,
    most: f64,
    rate: impl Fn(f64) -> f64,
) -> Vec<f64> {
    let mut at = from;
    let mut found = Vec::new();
    loop {
        at += r.exponential(1.0 / most);
        if at >= to {
            return found;
        }
        if r.unit() * most < rate(at) {
            found.push(at);
        }
    }
}

fn steady(
    r: &mut Random,
    rate: f64,
    before: f64,
    life: impl Fn(&mut Random) -> f64,
) -> Vec<Handle> {
    let gap = r.log_between(0.5, 5.0);
    births(r, -before, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, born + life(r), PEER, Use::Every(gap)))
        .collect()
}

fn steady_exponential(r: &mut Random) -> History {
    let (rate, mean) = (r.log_between(0.3, 8.0), r.log_between(1.0, 60.0));
    healthy(steady(r, rate, 12.0 * mean, |r| r.exponential(mean)))
}

fn steady_lognormal(r: &mut Random) -> History {
    let (rate, sigma) = (r.log_between(0.3, 4.0), r.between(1.2, 2.0));
    healthy(steady(r, rate, 4000.0, |r| r.lognormal(10.0, sigma)))
}

fn steady_lomax(r: &mut Random) -> History {
    let (rate, alpha) = (r.log_between(0.3, 4.0), r.between(1.3, 1.8));
    healthy(steady(r, rate, 6000.0, |r| r.lomax(alpha, 5.0)))
}

fn websockets(r: &mut Random) -> History {
    let rate = r.log_between(0.02, 0.3);
    let handles = births(r, -7200.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| {
            let life = r.between(900.0, 7200.0);
            connection(born, born + life, PEER, Use::Every(r.between(2.0, 20.0)))
        })
        .collect();
    healthy(handles)
}

fn fixed_pool_idle(r: &mut Random) -> History {
    // Opened at start-up and never used since.
    let handles = (0..r.count(2, 60))
        .map(|_| connection(-7200.0 + r.between(0.0, 120.0), NEVER, PEER, Use::Once))
        .collect();
    healthy(handles)
}

fn fixed_pool_busy(r: &mut Random) -> History {
    let gap = r.log_between(1.0, 200.0);
    let handles = (0..r.count(2, 60))
        .map(|_| connection(-r.between(1.0, 7000.0), NEVER, PEER, Use::Every(gap)))
        .collect();
    healthy(handles)
}

/// A pool that takes the last used connection first and closes what idles for 90 s.
fn keep_alive_pool(r: &mut Random, idle: f64, load: impl Fn(f64) -> f64) -> Vec<Handle> {
    let mut handles: Vec<Handle> = Vec::new();
    // (free from, handle): idle connections, last used on top.
    let mut pool: Vec<(f64, usize)> = Vec::new();
    let most = (0..=60).map(|k| load(f64::from(k) * 10.0)).fold(0.1, f64::max);
    for at in births(r, -400.0, LENGTH, most, &load) {
        let busy = r.exponential(1.0);
        pool.retain(|&(free, index)| {
            let expired = free + idle < at;
            if expired {
                handles[index].died = free + idle;
            }
            !expired
        });
        pool.sort_by(|a, b| a.0.total_cmp(&b.0));
        match pool.iter().rposition(|&(free, _)| free <= at) {
            Some(place) => {
                let (_, index) = pool.remove(place);
                pool.push((at + busy, index));
            }
            None => {
                handles.push(connection(at, NEVER, PEER, Use::Every(3.0)));
                pool.push((at + busy, handles.len() - 1));
            }
        }
    }
    for (free, index) in pool {
        handles[index].died = free + idle;
    }
    handles
}

fn keep_alive_90(r: &mut Random) -> History {
    let rate = r.log_between(1.0, 10.0);
    healthy(keep_alive_pool(r, 90.0, |_| rate))
}

fn ramp_keep_alive(r: &mut Random) -> History {
    let (rate, factor) = (r.log_between(1.0, 5.0), r.between(1.5, 5.0));
    healthy(keep_alive_pool(r, 90.0, |t| rate * (1.0 + (factor - 1.0) * t.max(0.0) / LENGTH)))
}

fn one_shot_keep_alive(r: &mut Random) -> History {
    let (rate, idle) = (r.log_between(0.2, 5.0), r.between(60.0, 90.0));
    let handles = births(r, -200.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, born + idle, PEER, Use::Once))
        .collect();
    healthy(handles)
}

fn mmpp(r: &mut Random) -> History {
    let (low, high) = (r.between(0.2, 1.0), r.between(2.0, 10.0));
    let mut switches = Vec::new();
    let mut at = -200.0;
    while at < LENGTH {
        at += r.exponential(60.0);
        switches.push(at);
    }
    let rate =
        |t: f64| if switches.iter().filter(|&&s| s < t).count() % 2 == 0 { low } else { high };
    let mean = r.between(5.0, 30.0);
    let handles = births(r, -200.0, LENGTH, high, rate)
        .into_iter()
        .map(|born| connection(born, born + r.exponential(mean), PEER, Use::Every(2.0)))
        .collect();
    healthy(handles)
}

fn many_peers(r: &mut Random) -> History {
    let mut handles = Vec::new();
    for peer in 0..r.count(15, 50) {
        let (rate, mean) = (r.log_between(0.02, 0.5), r.log_between(2.0, 60.0));
        for born in births(r, -10.0 * mean, LENGTH, rate, |_| rate) {
            let died = born + r.exponential(mean);
            handles.push(connection(born, died, &format!("10.0.1.{peer}:80"), Use::Every(3.0)));
        }
    }
    healthy(handles)
}

fn periodic_batch(r: &mut Random) -> History {
    let (period, size, life) = (r.between(40.0, 120.0), r.count(10, 80), r.between(5.0, 60.0));
    let mut handles = Vec::new();
    let mut at = -period;
    while at < LENGTH {
        for _ in 0..size {
            let born = at + r.between(0.0, 3.0);
            handles.push(connection(born, born + life + r.exponential(5.0), PEER, Use::Every(2.0)));
        }
        at += period;
    }
    healthy(handles)
}

fn ramp(r: &mut Random, life: impl Fn(&mut Random) -> f64) -> History {
    let (rate, factor) = (r.log_between(0.5, 4.0), r.between(1.5, 5.0));
    let handles = births(r, -1000.0, LENGTH, rate * factor, |t| {
        rate * (1.0 + (factor - 1.0) * t.max(0.0) / LENGTH)
    })
    .into_iter()
    .map(|born| connection(born, born + life(r), PEER, Use::Every(2.0)))
    .collect();
    healthy(handles)
}

fn ramp_short(r: &mut Random) -> History {
    ramp(r, |r| r.exponential(5.0))
}

fn ramp_heavy(r: &mut Random) -> History {
    ramp(r, |r| r.lomax(1.5, 5.0))
}

fn start_up_plateau(r: &mut Random) -> History {
    let (size, fill) = (r.count(10, 120), r.between(30.0, 200.0));
    let handles = (0..size)
        .map(|_| {
            connection(
                r.exponential(fill / 3.0),
                NEVER,
                PEER,
                Use::Every(r.log_between(2.0, 100.0)),
            )
        })
        .collect();
    History { uptime: 5.0, ..healthy(handles) }
}

fn start_up_silent_pool(r: &mut Random) -> History {
    let (size, fill) = (r.count(10, 60), r.between(30.0, 250.0));
    let handles =
        (0..size).map(|_| connection(r.between(0.0, fill), NEVER, PEER, Use::Once)).collect();
    History { uptime: 5.0, ..healthy(handles) }
}

fn pool_fill(r: &mut Random) -> History {
    let (size, fill, start) = (r.count(8, 60), r.between(10.0, 200.0), r.between(0.0, 200.0));
    let handles = (0..size)
        .map(|_| {
            connection(
                start + r.between(0.0, fill),
                NEVER,
                PEER,
                Use::Every(r.log_between(2.0, 40.0)),
            )
        })
        .collect();
    healthy(handles)
}

fn cache_warm_up(r: &mut Random) -> History {
    let (size, tau) = (r.count(20, 200), r.between(40.0, 150.0));
    let handles = (0..size)
        .map(|_| connection(r.exponential(tau), NEVER, PEER, Use::Every(r.log_between(5.0, 200.0))))
        .collect();
    healthy(handles)
}

fn step_deploy(r: &mut Random) -> History {
    let (at, size) = (r.between(50.0, 500.0), r.count(10, 100));
    let mut handles = steady(r, 1.0, 100.0, |r| r.exponential(5.0));
    handles.extend(
        (0..size).map(|_| connection(at + r.between(0.0, 10.0), NEVER, PEER, Use::Every(20.0))),
    );
    healthy(handles)
}

fn decaying_bursts(r: &mut Random) -> History {
    let mut handles = Vec::new();
    let mut at = r.between(0.0, 60.0);
    let mean = r.between(10.0, 60.0);
    while at < LENGTH {
        for _ in 0..r.count(10, 60) {
            handles.push(connection(at, at + r.exponential(mean), PEER, Use::Every(4.0)));
        }
        at += r.between(40.0, 150.0);
    }
    healthy(handles)
}

fn reaped(r: &mut Random, low: f64, high: f64) -> History {
    let (period, rate) = (r.between(low, high), r.log_between(0.1, 2.0));
    let offset = r.between(0.0, period);
    let handles = births(r, -period, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| {
            let died = ((born - offset) / period).ceil() * period + offset;
            connection(born, died, PEER, Use::Once)
        })
        .collect();
    healthy(handles)
}

fn reaper_short(r: &mut Random) -> History {
    reaped(r, 20.0, 85.0)
}

fn reaper_long(r: &mut Random) -> History {
    reaped(r, 90.0, 240.0)
}

fn config_reload(r: &mut Random) -> History {
    let (at, size) = (r.between(100.0, 500.0), r.count(10, 60));
    let mut handles = Vec::new();
    for _ in 0..size {
        handles.push(connection(-1000.0, at, PEER, Use::Every(10.0)));
        handles.push(connection(at + r.exponential(5.0), NEVER, PEER, Use::Every(10.0)));
    }
    healthy(handles)
}

fn slowdown(r: &mut Random) -> History {
    let (rate, timeout) = (r.log_between(0.5, 5.0), r.between(10.0, 60.0));
    let (from, long) = (r.between(50.0, 300.0), r.between(60.0, 240.0));
    let handles = births(r, -100.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| {
            let slow = born > from && born < from + long;
            let life = if slow { timeout * r.between(0.7, 1.0) } else { r.exponential(0.5) };
            connection(born, born + life, PEER, Use::Once)
        })
        .collect();
    healthy(handles)
}

fn aliased_files(r: &mut Random) -> History {
    let handles = (0..r.count(3, 30))
        .map(|k| Handle {
            kind: "file",
            role: "",
            state: "",
            uses: Use::Unseen,
            ..connection(r.between(-50.0, 60.0), NEVER, &format!("/data/{k}"), Use::Unseen)
        })
        .collect();
    healthy(handles)
}

fn autoscale_stairs(r: &mut Random) -> History {
    let (step, size) = (r.between(80.0, 200.0), r.count(5, 20));
    let mut handles = Vec::new();
    let mut at = r.between(0.0, step);
    while at < LENGTH {
        for _ in 0..size {
            handles.push(connection(at + r.between(0.0, 5.0), NEVER, PEER, Use::Every(8.0)));
        }
        at += step;
    }
    healthy(handles)
}

fn storms_on_10_min_pool(r: &mut Random) -> History {
    let mut handles = Vec::new();
    let mut at = -r.between(0.0, 1200.0);
    while at < LENGTH {
        for _ in 0..r.count(5, 40) {
            let born = at + r.between(0.0, 5.0);
            handles.push(connection(born, born + 600.0 + r.between(0.0, 20.0), PEER, Use::Once));
        }
        at += r.between(150.0, 400.0);
    }
    healthy(handles)
}

fn slow_cache(r: &mut Random) -> History {
    let rate = r.log_between(0.05, 1.0);
    let handles = births(r, -1000.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, NEVER, PEER, Use::Once))
        .collect();
    healthy(handles)
}

fn long_lived_rise(r: &mut Random) -> History {
    let rate = r.log_between(0.05, 0.5);
    let handles = births(r, 0.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, NEVER, PEER, Use::Every(6.0)))
        .collect();
    healthy(handles)
}

/// A random healthy background.
fn background(r: &mut Random) -> Vec<Handle> {
    let pick = r.count(0, 6);
    let make = [
        steady_exponential,
        steady_lognormal,
        steady_lomax,
        fixed_pool_busy,
        keep_alive_90,
        many_peers,
        mmpp,
    ][pick];
    make(r).handles
}

fn leak_at(r: &mut Random, rate: f64, from: f64, to: f64) -> Vec<Handle> {
    births(r, from, to, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, NEVER, LEAKED, Use::Once))
        .collect()
}

fn constant(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.03, 10.0), background(r));
    let leaked = leak_at(r, rate, 0.0, LENGTH);
    leaking(rest, leaked, Some(rate))
}

fn constant_slow(r: &mut Random) -> History {
    let rest = background(r);
    let leaked = leak_at(r, 0.03, 0.0, LENGTH);
    leaking(rest, leaked, Some(0.03))
}

fn constant_with_stock(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.03, 1.0), background(r));
    let leaked = leak_at(r, rate, -7000.0, LENGTH);
    leaking(rest, leaked, Some(rate))
}

fn onset_mid_watch(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.1, 5.0), background(r));
    let from = r.between(60.0, 250.0);
    let leaked = leak_at(r, rate, from, LENGTH);
    leaking(rest, leaked, Some(rate))
}

fn error_bursts(r: &mut Random) -> History {
    let rest = background(r);
    let mut leaked = Vec::new();
    let mut at = r.between(0.0, 30.0);
    while at < LENGTH {
        for _ in 0..r.count(2, 8) {
            leaked.push(connection(at + r.between(0.0, 3.0), NEVER, LEAKED, Use::Once));
        }
        at += r.exponential(30.0) + 5.0;
    }
    leaking(rest, leaked, None)
}

fn one_peer_of_many(r: &mut Random) -> History {
    let rest = many_peers(r).handles;
    let rate = r.log_between(0.05, 1.0);
    let leaked = births(r, 0.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| connection(born, NEVER, "10.0.1.3:80", Use::Once))
        .collect();
    leaking(rest, leaked, Some(rate))
}

fn ramp_load_leak(r: &mut Random) -> History {
    let rest = ramp_short(r).handles;
    let rate = r.log_between(0.1, 2.0);
    let leaked = births(r, 0.0, LENGTH, rate * 2.0, |t| rate * (0.5 + 1.5 * t / LENGTH))
        .into_iter()
        .map(|born| connection(born, NEVER, LEAKED, Use::Once))
        .collect();
    leaking(rest, leaked, None)
}

fn partial_reclaim(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.1, 3.0), background(r));
    let mut leaked = leak_at(r, rate, 0.0, LENGTH);
    for handle in &mut leaked {
        if r.unit() < 0.5 {
            handle.died = handle.born + r.exponential(30.0);
        }
    }
    leaking(rest, leaked, None)
}

fn partial_restart(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.2, 3.0), background(r));
    let mut leaked = leak_at(r, rate, 0.0, LENGTH);
    let at = r.between(300.0, 500.0);
    for handle in &mut leaked {
        if handle.born < at && r.unit() < 0.5 {
            handle.died = at;
        }
    }
    leaking(rest, leaked, None)
}

fn close_wait(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.1, 3.0), background(r));
    let mut leaked = leak_at(r, rate, 0.0, LENGTH);
    for handle in &mut leaked {
        handle.state = "CLOSE_WAIT";
    }
    leaking(rest, leaked, Some(rate))
}

fn pure_site(r: &mut Random) -> History {
    let rate = r.log_between(0.05, 3.0);
    let leaked = leak_at(r, rate, 0.0, LENGTH);
    leaking(Vec::new(), leaked, Some(rate))
}

fn hang(r: &mut Random) -> History {
    let rate = r.log_between(0.5, 3.0);
    let from = r.between(30.0, 200.0);
    let mut handles = Vec::new();
    let mut leaked = Vec::new();
    for born in births(r, -50.0, LENGTH, rate, |_| rate) {
        if born < from {
            handles.push(connection(born, born + r.exponential(0.5), LEAKED, Use::Once));
        } else {
            leaked.push(connection(born, NEVER, LEAKED, Use::Once));
        }
    }
    leaking(handles, leaked, Some(rate))
}

fn among_silent(r: &mut Random) -> History {
    let gap = r.between(40.0, 200.0);
    let rest = (0..r.count(10, 60))
        .map(|_| connection(-r.between(10.0, 7000.0), NEVER, LEAKED, Use::Every(gap)))
        .collect();
    let rate = r.log_between(0.1, 2.0);
    let leaked = leak_at(r, rate, 0.0, LENGTH);
    leaking(rest, leaked, Some(rate))
}

fn files_age_only(r: &mut Random) -> History {
    let rate = r.log_between(0.1, 5.0);
    let file = |born: f64, died: f64, name: &str| Handle {
        kind: "file",
        role: "",
        state: "",
        uses: Use::Unseen,
        ..connection(born, died, name, Use::Unseen)
    };
    let churn = r.log_between(1.0, 20.0);
    let rest = births(r, -50.0, LENGTH, churn, |_| churn)
        .into_iter()
        .map(|born| file(born, born + r.exponential(2.0), "/data/a"))
        .collect();
    let leaked = births(r, 0.0, LENGTH, rate, |_| rate)
        .into_iter()
        .map(|born| file(born, NEVER, "/data/b"))
        .collect();
    leaking(rest, leaked, Some(rate))
}

fn pinged(r: &mut Random) -> History {
    let (rate, rest) = (r.log_between(0.1, 3.0), background(r));
    let mut leaked = leak_at(r, rate, 0.0, LENGTH);
    for handle in &mut leaked {
        handle.uses = Use::Every(6.0);
    }
    leaking(rest, leaked, Some(rate))
}
