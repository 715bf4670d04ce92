//! What is held and judged by one clock of completeness: a census with its verdicts, boundary by
//! boundary.
//!
//! All sources that look at the process itself share one line. A source that is asked over a
//! connection may be late, or stand still: it has a line of its own, so that it holds up nobody.

use std::collections::{BTreeMap, HashMap};

use super::select;
use super::standing::Standing;
use crate::live::census::{Census, Group, GroupId};
use crate::live::detect::first_sample::{MIN_UPTIME, SpreadOfSilence, spread_of_silence};
use crate::live::detect::rules::{self, Context, Judged};
use crate::live::detect::scale::Timing;
use crate::live::facts::{Activity, Fact, Millis};

/// Sources that keep their own time, and the kind of handles that they tell of.
const OWN_TIME: [(&str, &str); 2] = [("tokio", "task"), ("goroutines", "goroutine")];
/// Facts held back until their source's watermark passes them.
const MAX_PENDING: usize = 4_000_000;
/// The standing stock must stand for 20 minutes of leaking to count as evidence.
const MIN_STOCK: Millis = 1_200_000;

/// The name of the source, if it keeps its own time.
pub(super) fn own_time(source: &str) -> Option<&'static str> {
    OWN_TIME.iter().find(|(name, _)| *name == source).map(|(name, _)| *name)
}

/// The kind of handles that a source with its own time tells of.
pub(super) fn kind_of(source: &str) -> Option<&'static str> {
    OWN_TIME.iter().find(|(name, _)| *name == source).map(|(_, kind)| *kind)
}

/// What is judged by one watermark.
#[derive(Debug)]
pub(super) struct Timeline {
    /// The source with its own time; empty for all others together.
    pub(super) source: &'static str,
    timing: Timing,
    /// Where the windows start.
    pub(super) origin: Millis,
    pub(super) census: Census,
    pub(super) standings: HashMap<GroupId, Standing>,
    pub(super) reported: Vec<GroupId>,
    pub(super) silences: BTreeMap<GroupId, SpreadOfSilence>,
    pending: Vec<Fact>,
    /// Everything up to here was judged.
    pub(super) judged: Millis,
    next_boundary: Millis,
    started: bool,
    evictions: u64,
}

/// What a line must know of its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When the watch began.
    pub(super) origin: Millis,
    /// Age of the (oldest) process then, where known.
    pub(super) uptime_ms: Option<Millis>,
}

impl Timeline {
    pub(super) fn new(source: &'static str, timing: Timing, origin: Millis) -> Self {
        Self {
            source,
            timing,
            origin,
            census: Census::new(timing),
            standings: HashMap::new(),
            reported: Vec::new(),
            silences: BTreeMap::new(),
            pending: Vec::new(),
            judged: Millis::MIN,
            next_boundary: origin + timing.bucket_ms(),
            started: false,
            evictions: 0,
        }
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions + self.census.evictions()
    }

    /// Groups that are judged, for the correction over many groups.
    ///
    /// Only the lowest count: a group above them repeats what they say.
    pub(super) fn judged_groups(&self) -> usize {
        let judged = |id: GroupId| self.census.group(id).bank().engines() > 0;
        let lowest = |group: &Group| !group.children.iter().any(|&child| judged(child));
        self.census.groups().filter(|(id, group)| judged(*id) && lowest(group)).count()
    }

    /// For how long this line has been judged.
    pub(super) fn seen(&self) -> Millis {
        self.judged.max(self.origin) - self.origin
    }

    /// The judgement that stands for a group now, if any.
    pub(super) fn judged_of(&self, id: GroupId) -> Option<&Judged> {
        self.standings.get(&id).and_then(Standing::judged)
    }

    /// Takes a fact about a handle; returns whether it came after its time was judged.
    pub(super) fn take(&mut self, fact: &Fact) -> bool {
        if self.pending.len() < MAX_PENDING {
            self.pending.push(fact.clone());
        } else {
            self.evictions += 1;
        }
        fact.at().is_some_and(|at| at < self.judged)
    }

    /// Applies what is complete until then and judges every boundary on the way; returns whether
    /// there was one, or it is the first look. `elsewhere` groups are judged on other lines.
    pub(super) fn advance(&mut self, until: Millis, times: &Times, elsewhere: usize) -> bool {
        if until < self.judged {
            return false;
        }
        let mut ready = std::mem::take(&mut self.pending);
        let time = |fact: &Fact| fact.at().unwrap_or(Millis::MIN);
        // Sorting takes as much memory again, and most often they come in order.
        if !ready.is_sorted_by_key(time) {
            ready.sort_by_key(time);
        }
        let rest = ready.split_off(ready.partition_point(|f| f.at().is_none_or(|at| at <= until)));
        self.pending = rest;
        let mut judged_any = false;
        for fact in ready {
            // A fact at the boundary itself still belongs to the bucket that ends there.
            judged_any |= fact.at().is_some_and(|at| self.judge_until(at - 1, times, elsewhere));
            self.apply(fact, times);
        }
        judged_any |= self.judge_until(until, times, elsewhere);
        self.judged = until;
        if !self.started {
            self.started = true;
            judged_any = true;
            self.judge_silences(times);
        }
        judged_any
    }

    /// Judges all boundaries up to and including `until`; returns whether there was one.
    fn judge_until(&mut self, until: Millis, times: &Times, elsewhere: usize) -> bool {
        let bucket = self.timing.bucket_ms();
        let mut judged_any = false;
        while until >= self.next_boundary {
            self.boundary(times, elsewhere);
            judged_any = true;
            // A gap that outlasts every window leaves nothing to judge in between.
            let longest = 2 * self.timing.window_ms(self.timing.scales() - 1);
            if until - self.next_boundary > longest {
                let skipped = (until - self.next_boundary - bucket) / longest * longest;
                self.next_boundary += skipped;
            }
        }
        judged_any
    }

    fn apply(&mut self, fact: Fact, times: &Times) {
        match fact {
            Fact::Open { at, id, pre, start_up, facts, .. } => {
                // Known start-up of the whole target, or of the process that holds this handle.
                let target_guard = times.uptime_ms.map_or(Millis::MIN, |uptime| {
                    times.origin + self.timing.start_up_ms() - uptime
                });
                let guard = match start_up {
                    // Only this process is young: its own start is not known here, so the guard
                    // errs on the side of silence.
                    true if at >= target_guard => at + self.timing.start_up_ms(),
                    _ => target_guard,
                };
                self.census.open(at, id, pre, guard, facts);
            }
            Fact::Change { at, id, change } => self.census.change(at, id, change),
            Fact::Close { at, id } => self.census.close(at, id),
            _ => {}
        }
    }

    fn boundary(&mut self, times: &Times, elsewhere: usize) {
        let now = self.next_boundary;
        self.next_boundary += self.timing.bucket_ms();
        self.census.step(self.origin, now);
        let ln_groups = ((self.judged_groups() + elsewhere).max(1) as f64).ln();
        let uptime = times.uptime_ms.map(|uptime| uptime + now - times.origin);
        let bucket = self.timing.bucket_ms();
        let ids: Vec<GroupId> = self
            .census
            .groups()
            .filter(|(id, g)| g.bank().engines() > 0 || self.standings.contains_key(id))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            let group = self.census.group(id);
            let context = Context {
                ln_groups,
                visible: group.visible(),
                uptime,
                min_stock: self.timing.scaled(MIN_STOCK),
            };
            let present = group
                .bank()
                .windows()
                .iter()
                .filter_map(|w| rules::judge(&w.window, &w.ages, &context))
                .max_by(|a, b| {
                    (a.verdict, a.confidence, a.stats.survivors).cmp(&(
                        b.verdict,
                        b.confidence,
                        b.stats.survivors,
                    ))
                });
            if present.is_none() && !self.standings.contains_key(&id) {
                continue;
            }
            let standing = self.standings.entry(id).or_default();
            standing.update(now, bucket, present, self.census.members(id).map(|(_, life)| life));
            if standing.verdict().is_none() {
                self.standings.remove(&id);
            }
        }
        self.judge_silences(times);
        self.reported = select::reported(&self.census, &self.standings);
    }

    /// The rule for one sample, over what was there before we came and has stayed silent since.
    fn judge_silences(&mut self, times: &Times) {
        self.silences.clear();
        let Some(uptime) = times.uptime_ms else { return };
        let now = self.judged.max(self.next_boundary - self.timing.bucket_ms());
        let uptime = uptime + now - times.origin;
        if uptime < MIN_UPTIME {
            return;
        }
        let candidates: Vec<GroupId> = self
            .census
            .groups()
            .filter(|(_, group)| group.visible() && group.now() >= 12)
            .map(|(id, _)| id)
            .collect();
        for id in candidates {
            let group = self.census.group(id);
            let age = self.timing.ages(&group.kind, &group.state, 0, 0).old;
            let silences: Vec<Millis> = self
                .census
                .members(id)
                .filter(|(_, life)| life.entered == Millis::MIN)
                .filter_map(|(facts, _)| match facts.activity {
                    Activity::SilentSince(since) if since <= self.origin => Some(now - since),
                    _ => None,
                })
                .collect();
            if let Some(spread) = spread_of_silence(&silences, age, uptime) {
                self.silences.insert(id, spread);
            }
        }
        // The deepest group that holds them tells most.
        let nested: Vec<GroupId> = self
            .silences
            .iter()
            .filter(|(id, spread)| {
                self.census.group(**id).children.iter().any(|child| {
                    self.silences
                        .get(child)
                        .is_some_and(|below| below.stale * 10 >= spread.stale * 8)
                })
            })
            .map(|(&id, _)| id)
            .collect();
        for id in nested {
            self.silences.remove(&id);
        }
    }
}
