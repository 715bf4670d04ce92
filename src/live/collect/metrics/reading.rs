//! From samples to pools: which sample is which number of which pool is data.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::exposition::Sample;
use crate::catalog::pools::{Mapping, Metric, PoolMetrics};
use crate::live::facts::PoolReading;

/// Pools, and groups of things, that are told of one endpoint.
const MAX_NAMES: usize = 256;
/// Longest name, bytes.
const LONGEST_NAME: usize = 200;

/// Mappings by the names of the metrics that they are about.
#[derive(Debug)]
pub struct Mappings {
    all: Vec<Mapping>,
    uses: HashMap<String, Vec<Use>>,
}

/// What a metric is used for.
#[derive(Debug, Clone, Copy)]
struct Use {
    mapping: usize,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// The nth pool of its mapping, and which of its numbers.
    Pool {
        nth: usize,
        number: usize,
    },
    Count(usize),
    Gauge(usize),
}

/// Names of the numbers in [`metrics_of`].
const NUMBERS: [&str; 11] = [
    "in_use",
    "idle",
    "max",
    "waiting",
    "waits",
    "wait_seconds",
    "timeouts",
    "taken",
    "returned",
    "held_seconds",
    "open",
];

/// The metrics of a pool, in the order of [`NUMBERS`].
fn metrics_of(pool: &PoolMetrics) -> [Option<&Metric>; 11] {
    [
        pool.in_use.as_ref(),
        pool.idle.as_ref(),
        pool.max.as_ref(),
        pool.waiting.as_ref(),
        pool.waits.as_ref(),
        pool.wait_seconds.as_ref(),
        pool.timeouts.as_ref(),
        pool.taken.as_ref(),
        pool.returned.as_ref(),
        pool.held_seconds.as_ref(),
        pool.open.as_ref(),
    ]
}

/// What one answer told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Pools by name.
    pub pools: BTreeMap<Arc<str>, PoolReading>,
    /// Numbers of things that end: kind and group.
    pub counts: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// Plain numbers.
    pub gauges: BTreeMap<Arc<str>, f64>,
    /// There were more than are told.
    pub cut: bool,
}

/// Collects the samples of one answer.
#[derive(Debug)]
pub struct Collecting<'m> {
    mappings: &'m Mappings,
    /// By mapping, pool within it, and name.
    pools: BTreeMap<(usize, usize, String), [Option<f64>; 11]>,
    counts: BTreeMap<(usize, usize, String), f64>,
    gauges: BTreeMap<(usize, usize), f64>,
    cut: bool,
}

impl Mappings {
    /// Looks names up fast; the first mapping of a metric does not hide others.
    pub fn new(all: Vec<Mapping>) -> Self {
        let mut uses: HashMap<String, Vec<Use>> = HashMap::new();
        let mut add = |metric: &Metric, mapping, what| {
            for name in metric.names() {
                uses.entry(name.clone()).or_default().push(Use { mapping, what });
            }
        };
        for (mapping, data) in all.iter().enumerate() {
            for (nth, pool) in data.pool.iter().enumerate() {
                for (number, metric) in metrics_of(pool).into_iter().enumerate() {
                    if let Some(metric) = metric {
                        add(metric, mapping, What::Pool { nth, number });
                    }
                }
            }
            for (nth, count) in data.count.iter().enumerate() {
                add(&count.metric, mapping, What::Count(nth));
            }
            for (nth, gauge) in data.gauge.iter().enumerate() {
                add(&gauge.metric, mapping, What::Gauge(nth));
            }
        }
        Self { all, uses }
    }

    /// Begins with an answer.
    pub fn collect(&self) -> Collecting<'_> {
        Collecting {
            mappings: self,
            pools: BTreeMap::new(),
            counts: BTreeMap::new(),
            gauges: BTreeMap::new(),
            cut: false,
        }
    }
}

impl Collecting<'_> {
    /// Takes a sample, if it is about a pool.
    pub fn take(&mut self, sample: &Sample<'_>) {
        let Some(uses) = self.mappings.uses.get(&*sample.name) else { return };
        if !sample.value.is_finite() {
            return;
        }
        for &Use { mapping, what } in uses {
            let Some(data) = self.mappings.all.get(mapping) else { continue };
            match what {
                What::Pool { nth, number } => {
                    let Some(pool) = data.pool.get(nth) else { continue };
                    let metric = metrics_of(pool).get(number).copied().flatten();
                    let Some(value) = metric.and_then(|metric| counts(metric, sample)) else {
                        continue;
                    };
                    let key = (mapping, nth, name(&pool.called, &pool.by, sample));
                    if self.pools.len() >= MAX_NAMES && !self.pools.contains_key(&key) {
                        self.cut = true;
                        continue;
                    }
                    let numbers = self.pools.entry(key).or_default();
                    if let Some(sum) = numbers.get_mut(number) {
                        *sum = Some(sum.unwrap_or(0.0) + value);
                    }
                }
                What::Count(nth) => {
                    let Some(count) = data.count.get(nth) else { continue };
                    let Some(value) = counts(&count.metric, sample) else { continue };
                    let key = (mapping, nth, name(&count.called, &count.by, sample));
                    if self.counts.len() >= MAX_NAMES && !self.counts.contains_key(&key) {
                        self.cut = true;
                        continue;
                    }
                    *self.counts.entry(key).or_default() += value;
                }
                What::Gauge(nth) => {
                    let value = data.gauge.get(nth).and_then(|gauge| counts(&gauge.metric, sample));
                    if let Some(value) = value {
                        *self.gauges.entry((mapping, nth)).or_default() += value;
                    }
                }
            }
        }
    }

    /// What the answer told in all.
    pub fn end(self) -> Readings {
        let all = &self.mappings.all;
        let mut told = Readings { cut: self.cut, ..Readings::default() };
        let mut pools = Vec::new();
        for ((mapping, _, name), numbers) in self.pools {
            let mut reading = PoolReading::default();
            let mut open = None;
            for (number, value) in NUMBERS.iter().zip(numbers) {
                match reading.number(number) {
                    Some(place) => *place = value,
                    None => open = value,
                }
            }
            // Those that are there are in use or idle.
            match (open, reading.in_use, reading.idle) {
                (Some(open), None, Some(idle)) => reading.in_use = Some((open - idle).max(0.0)),
                (Some(open), Some(in_use), None) => reading.idle = Some((open - in_use).max(0.0)),
                _ => {}
            }
            if reading.in_use.is_some() {
                pools.push((mapping, name, reading));
            }
        }
        let speaks = |id: &String| {
            pools.iter().any(|(mapping, ..)| all.get(*mapping).is_some_and(|m| m.id == *id))
        };
        let silent: Vec<usize> = (0..all.len())
            .filter(|&nth| all.get(nth).is_some_and(|m| m.yields_to.iter().any(speaks)))
            .collect();
        for (mapping, name, reading) in pools {
            if !silent.contains(&mapping) {
                told.pools.entry(name.into()).or_insert(reading);
            }
        }
        for ((mapping, nth, name), value) in self.counts {
            let Some(count) = all.get(mapping).and_then(|m| m.count.get(nth)) else { continue };
            let key = (Arc::from(count.kind.as_str()), Arc::from(name));
            told.counts.insert(key, value.max(0.0) as u64);
        }
        for ((mapping, nth), value) in self.gauges {
            if let Some(gauge) = all.get(mapping).and_then(|m| m.gauge.get(nth)) {
                told.gauges.insert(gauge.name.as_str().into(), value);
            }
        }
        told
    }
}

/// The value of a sample in the unit of the number; `None`: it does not count.
fn counts(metric: &Metric, sample: &Sample<'_>) -> Option<f64> {
    let Some(part) = metric.part() else { return Some(sample.value) };
    let has = |label: &str, words: &[String]| {
        let mut values = sample.labels.iter().filter(|(name, _)| name == label);
        values.any(|(_, value)| words.iter().any(|word| word == value))
    };
    let with = part.with.iter().all(|(label, words)| has(label, words.all()));
    let without = part.without.iter().any(|(label, words)| has(label, words.all()));
    (with && !without).then_some(sample.value * part.times)
}

/// What a pool is called, and the values of the labels that tell it from others.
fn name(called: &str, by: &[String], sample: &Sample<'_>) -> String {
    let mut name = called.to_owned();
    for label in by {
        let value = sample.labels.iter().find(|(name, _)| name == label);
        if let Some((_, value)) = value.filter(|(_, value)| !value.is_empty()) {
            name.push(' ');
            name.push_str(value);
        }
    }
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    name
}
