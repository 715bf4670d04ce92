//! Histories of handles, and the facts a sampler would tell of them.

use poolscan::live::collect::beat::{Beat, HandleIds};
use poolscan::live::collect::goroutines::dump::{Dump, Goroutine};
use poolscan::live::collect::goroutines::profile::{Profile, Standing};
use poolscan::live::collect::goroutines::{Followed, Program};
use poolscan::live::facts::{
    Activity, Change, Fact, HandleFacts, HandleId, Millis, SourceStatus, TargetFacts, TargetId,
};

use crate::random::Random;

/// How a handle is used between its birth and its death.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// Only at birth.
    Once,
    /// At random, with this mean gap in seconds.
    Every(f64),
    /// Nobody can see it.
    Unseen,
}

/// One handle; times in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) born: f64,
    pub(crate) died: f64,
    pub(crate) kind: &'static str,
    pub(crate) role: &'static str,
    pub(crate) peer: String,
    pub(crate) state: &'static str,
    pub(crate) uses: Use,
}

/// One history and what is true of it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) handles: Vec<Handle>,
    pub(crate) uptime: f64,
    pub(crate) length: f64,
    /// Leaks: the path of the leaking group, and its true rate per second where it is constant.
    pub(crate) leak: Option<(Vec<String>, Option<f64>)>,
}

impl History {
    fn leaked(&self) -> impl Iterator<Item = &Handle> {
        let path = self.leak.as_ref().map(|l| l.0.clone()).unwrap_or_default();
        self.handles.iter().filter(move |h| {
            h.born > 0.0
                && h.died > self.length
                && path.contains(&h.peer)
                && (h.state.is_empty() || path.iter().any(|name| name == h.state))
        })
    }

    /// Makes its handles tasks or goroutines: the peer becomes the line that spawns them, below these
    /// levels.
    pub(crate) fn make(&mut self, levels: [&str; 2]) {
        if let Some((path, _)) = &mut self.leak {
            path.retain(|name| self.handles.iter().any(|handle| handle.peer == *name));
            path.splice(0..0, levels.map(str::to_owned));
        }
        for handle in &mut self.handles {
            handle.state = "";
        }
    }

    /// When the first handle leaked under our eyes, seconds.
    pub(crate) fn onset(&self) -> f64 {
        self.leaked().map(|h| h.born).fold(f64::INFINITY, f64::min).min(self.length).max(0.0)
            * f64::from(u8::from(self.leak.is_some()))
    }

    /// Handles that really leaked, per second since the onset.
    pub(crate) fn leaked_per_second(&self) -> f64 {
        self.leaked().count() as f64 / (self.length - self.onset()).max(1.0)
    }
}

pub(crate) fn connection(born: f64, died: f64, peer: &str, uses: Use) -> Handle {
    Handle {
        born,
        died,
        kind: "socket",
        role: "tcp client",
        peer: peer.to_owned(),
        state: "ESTABLISHED",
        uses,
    }
}

const BUCKET: f64 = 5.0;

/// The facts of a history, sampled every 5 s with an occasional stall; `scale` shrinks all times.
pub(crate) fn facts(history: &History, seed: u64, scale: f64, once: bool) -> Vec<Vec<Fact>> {
    let mut random = Random::new(seed ^ 0xFAC7);
    let target = TargetId(0);
    let ms = |seconds: f64| (seconds * 1000.0 * scale).round() as Millis;
    let mut ticks = vec![vec![
        Fact::Target {
            target,
            facts: Box::new(TargetFacts {
                uptime_ms: Some(ms(history.uptime)),
                ..TargetFacts::default()
            }),
        },
        Fact::Limit { at: 0, target, name: "nofile_soft".into(), value: Some(65_536), used: None },
    ]];
    let mut order: Vec<usize> = (0..history.handles.len()).collect();
    order.sort_by(|&a, &b| history.handles[a].born.total_cmp(&history.handles[b].born));
    let mut next = 0;
    let mut alive: Vec<(usize, f64, Activity)> = Vec::new();
    let beats = if once { 0 } else { (history.length / BUCKET) as u32 };
    for beat in 0..=beats {
        // A stalled sampler: the beat is missed, what happened shows on the next one.
        if beat > 0 && beat < beats && random.unit() < 0.02 {
            continue;
        }
        let now = f64::from(beat) * BUCKET;
        let at = ms(now);
        let mut tick = Vec::new();
        alive.retain_mut(|(index, last, activity)| {
            let handle = &history.handles[*index];
            let id = HandleId(*index as u64 + 1);
            if handle.died <= now {
                tick.push(Fact::Close { at, id });
                return false;
            }
            advance(handle, last, now, &mut random);
            let seen = activity_at(handle, *last, now, &ms);
            if seen != *activity {
                *activity = seen;
                tick.push(Fact::Change { at, id, change: Change::Activity(seen) });
            }
            true
        });
        while let Some(&index) = order.get(next) {
            let handle = &history.handles[index];
            if handle.born > now {
                break;
            }
            next += 1;
            // Lived and died between two beats: never seen.
            if handle.died <= now {
                continue;
            }
            let mut last = handle.born;
            advance(handle, &mut last, now, &mut random);
            let activity = activity_at(handle, last, now, &ms);
            tick.push(Fact::Open {
                at,
                target,
                id: HandleId(index as u64 + 1),
                pre: beat == 0,
                start_up: handle.born + history.uptime < 300.0,
                facts: std::sync::Arc::new(HandleFacts {
                    role: handle.role.into(),
                    peer: handle.peer.as_str().into(),
                    state: handle.state.into(),
                    activity,
                    ..HandleFacts::of_kind(handle.kind)
                }),
            });
            alive.push((index, last, activity));
        }
        tick.push(Fact::Source {
            at,
            target,
            name: "sim".into(),
            status: SourceStatus::Ok,
            reason: "".into(),
            watermark: Some(at),
            cost_us: 0,
        });
        ticks.push(tick);
    }
    ticks
}

/// Deaths are known since so long before the watch, where a console tells the same history.
const KNOWN_BEFORE: f64 = 300.0;

/// The facts of a history of tasks as a console tells them: exact times, also of what was before the
/// watch, and all of it late by as much as a minute; beside them, by how many seconds.
pub(crate) fn told_by_console(history: &History, seed: u64) -> (Vec<Vec<Fact>>, f64) {
    let mut random = Random::new(seed ^ 0xC050);
    let target = TargetId(0);
    let ms = |seconds: f64| (seconds * 1000.0).round() as Millis;
    let late = random.between(0.0, 60.0);
    let mut facts: Vec<(f64, Fact)> = Vec::new();
    for (index, handle) in history.handles.iter().enumerate() {
        life(handle, index, history, &mut random, &mut |at, fact| facts.push((at, fact)));
    }
    facts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut facts = facts.into_iter().peekable();
    let source = |at: f64, name: &str, watermark: f64| Fact::Source {
        at: ms(at),
        target,
        name: name.into(),
        status: SourceStatus::Ok,
        reason: "".into(),
        watermark: Some(ms(watermark)),
        cost_us: 0,
    };
    let uptime_ms = Some(ms(history.uptime));
    let told = TargetFacts { uptime_ms, ..TargetFacts::default() };
    let told = Fact::Target { target, facts: Box::new(told) };
    let mut ticks = vec![vec![told, source(0.0, "sim", 0.0), source(0.0, "tokio", -KNOWN_BEFORE)]];
    let mut now = 0.0;
    while now <= history.length {
        let mut tick = Vec::new();
        while let Some((_, fact)) = facts.next_if(|(at, _)| *at <= now - late) {
            tick.push(fact);
        }
        tick.extend([source(now, "tokio", now - late), source(now, "sim", now)]);
        ticks.push(tick);
        now += BUCKET;
    }
    (ticks, late)
}

/// What happens to one task from the first time that is known.
fn life(
    handle: &Handle,
    index: usize,
    history: &History,
    random: &mut Random,
    tell: &mut dyn FnMut(f64, Fact),
) {
    if handle.died <= -KNOWN_BEFORE || handle.died <= handle.born {
        return;
    }
    let ms = |seconds: f64| (seconds * 1000.0).round() as Millis;
    let id = HandleId(index as u64 + 1);
    let pre = handle.born <= -KNOWN_BEFORE;
    let open = handle.born.max(-KNOWN_BEFORE);
    let facts = HandleFacts {
        role: "task".into(),
        site: handle.peer.as_str().into(),
        activity: Activity::Awake,
        ..HandleFacts::of_kind("task")
    };
    let start_up = handle.born + history.uptime < 300.0;
    let (target, facts) = (TargetId(0), std::sync::Arc::new(facts));
    tell(open, Fact::Open { at: ms(open), target, id, pre, start_up, facts });
    let end = handle.died.min(history.length);
    let mut change = |at: f64, activity| {
        tell(at, Fact::Change { at: ms(at), id, change: Change::Activity(activity) });
    };
    let mut last = match handle.uses {
        Use::Every(gap) => handle.born.max(open - 20.0 * gap),
        Use::Once | Use::Unseen => handle.born,
    };
    loop {
        let next = match handle.uses {
            Use::Every(gap) => last + random.exponential(gap),
            Use::Once | Use::Unseen => f64::INFINITY,
        };
        let silent = (last + BUCKET).max(open);
        if next > silent && silent < end {
            let since = (last / BUCKET).floor() * BUCKET;
            change(silent, Activity::SilentSince(ms(since)));
            if next < end {
                change(next, Activity::Awake);
            }
        }
        if next >= end {
            break;
        }
        last = next;
    }
    if handle.died <= history.length {
        tell(handle.died, Fact::Close { at: ms(handle.died), id });
    }
}

/// What goroutines wait for in their dumps.
pub(crate) const WAIT: &str = "select";

/// The facts of a history of goroutines as a Go program tells them: counted every 10 s, all stacks
/// once a minute, with whole minutes of waiting from the first garbage collection on.
pub(crate) fn told_by_dumps(history: &History, seed: u64) -> Vec<Vec<Fact>> {
    let mut random = Random::new(seed ^ 0x60D0);
    let target = TargetId(0);
    let ms = |seconds: f64| (seconds * 1000.0).round() as Millis;
    let collects = random.between(5.0, 120.0);
    let mut order: Vec<usize> = (0..history.handles.len()).collect();
    order.sort_by(|&a, &b| history.handles[a].born.total_cmp(&history.handles[b].born));
    let mut rank = vec![0; order.len()];
    for (nth, &handle) in order.iter().enumerate() {
        rank[handle] = nth as u64;
    }
    let mut last: Vec<f64> = history.handles.iter().map(|handle| handle.born).collect();
    let (mut living, mut next) = (Vec::new(), 0);
    let mut followed = Followed::default();
    let mut ids = HandleIds::default();
    let uptime_ms = Some(ms(history.uptime));
    let facts = TargetFacts { uptime_ms, ..TargetFacts::default() };
    let mut ticks = vec![vec![Fact::Target { target, facts: Box::new(facts) }]];
    for beat in 0..=(history.length / BUCKET) as u32 {
        let now = f64::from(beat) * BUCKET;
        let mut out = Vec::new();
        let mut beats = Beat {
            at: ms(now),
            first: beat == 0,
            bucket_ms: ms(BUCKET),
            start_up_ms: 300_000,
            out: &mut out,
            ids: &mut ids,
        };
        while let Some(&nth) = order.get(next).filter(|&&nth| history.handles[nth].born <= now) {
            living.push(nth);
            next += 1;
        }
        living.retain(|&nth| history.handles[nth].died > now);
        if beat % 2 == 0 {
            let mut counts = Profile::default();
            for &nth in &living {
                let place = history.handles[nth].peer.as_str().into();
                *counts.places.entry(Standing { wait: "", place }).or_default() += 1;
            }
            followed.counted(beats.at, &counts);
        }
        if beat % 12 == 0 {
            let goroutine = |&nth: &usize| {
                let handle = &history.handles[nth];
                advance(handle, &mut last[nth], now, &mut random);
                // Found waiting by the first collection after it began to.
                let found = (last[nth] / collects).ceil() * collects;
                let site: std::sync::Arc<str> = handle.peer.as_str().into();
                Goroutine {
                    id: rank[nth],
                    state: WAIT.into(),
                    minutes: ((now - found) / 60.0).max(0.0) as u32,
                    place: std::sync::Arc::clone(&site),
                    site,
                }
            };
            let mut goroutines: Vec<Goroutine> = living.iter().map(goroutine).collect();
            // Whoever accepts connections waits for long in every program.
            goroutines.push(Goroutine {
                id: u64::MAX,
                state: WAIT.into(),
                minutes: ((now + history.uptime) / 60.0) as u32,
                site: "main.main".into(),
                place: "main.serve".into(),
            });
            let dump = Dump { goroutines, cut: false };
            let program = Program { pid: 1, started_ms: -ms(history.uptime) };
            followed.dumped(dump, target, Some(program), &mut beats);
        }
        let (ok, cost) = (SourceStatus::Ok, std::time::Duration::ZERO);
        beats.source(target, "sim", ok, "", cost);
        beats.late_source(target, "goroutines", ok, "", cost, followed.complete_until());
        ticks.push(out);
    }
    ticks
}

/// Moves the last use forward to `now`.
fn advance(handle: &Handle, last: &mut f64, now: f64, random: &mut Random) {
    if let Use::Every(gap) = handle.uses {
        // Long pasts are skipped: only the latest use matters, and gaps are memoryless.
        *last = last.max(now - 20.0 * gap);
        loop {
            let next = *last + random.exponential(gap);
            if next > now {
                break;
            }
            *last = next;
        }
    }
}

fn activity_at(handle: &Handle, last: f64, now: f64, ms: &impl Fn(f64) -> Millis) -> Activity {
    match handle.uses {
        Use::Unseen => Activity::Unseen,
        _ if now - last < BUCKET => Activity::Awake,
        _ => Activity::SilentSince(ms((last / BUCKET).floor() * BUCKET)),
    }
}

/// Handles held at each second, for rules that only count.
pub(crate) fn counts(history: &History) -> Vec<f64> {
    let seconds = history.length as usize;
    let mut change = vec![0.0; seconds + 2];
    for handle in &history.handles {
        let from = handle.born.max(0.0).ceil() as usize;
        let to = handle.died.ceil().max(0.0) as usize;
        if from <= seconds && to > from {
            change[from] += 1.0;
            change[to.min(seconds + 1)] -= 1.0;
        }
    }
    let mut now = 0.0;
    change[..=seconds]
        .iter()
        .map(|c| {
            now += c;
            now
        })
        .collect()
}
