//! Pools, tasks and counts that a program tells of itself as metrics for Prometheus.

pub mod exposition;
pub mod reading;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beat::Beat;
use super::endpoint::{Address, Asked, Bounds, Client, why_cut};
use super::feed::{Closed, Feed, Outlet, Remote};
use super::netns;
use super::sampler::cpu_time;
use crate::live::facts::{Fact, Millis, SourceStatus};
use crate::live::target::{Process, Target};
use exposition::Read;
use reading::{Mappings, Readings};

/// Name of the source.
const NAME: &str = "metrics";
/// An endpoint is asked at most so often.
const LEAST_EVERY: Duration = Duration::from_secs(1);
/// How much of an answer is taken.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 16 << 20 };
/// Without a new answer for so long, what is shown is old.
const OLD: Millis = 30_000;

/// What one look brought.
type Look = Result<(Readings, Read), String>;

/// Follows the metrics of one target.
#[derive(Debug)]
pub struct Metrics {
    asked: Asked<(Readings, Read)>,
    every: Duration,
    /// What the last answer lacked.
    missing: String,
    told: usize,
    samples: u64,
}

impl Metrics {
    /// Begins to ask at an address every so often, from the network namespace of the process if the
    /// address is that of a machine itself.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        address: &Address,
        process: Option<&Process>,
        mappings: Mappings,
        every: Duration,
    ) -> io::Result<Self> {
        let (namespace, doubt) = netns::to_ask_from(address, process);
        let every = every.max(LEAST_EVERY);
        let at = address.clone();
        let feed = Feed::start("poolscan-metrics", 1, move |outlet| {
            // Nobody listens any more when it cannot be told.
            let _ = run(&at, namespace, &mappings, every, outlet);
        })?;
        Ok(Self {
            asked: Asked::new(feed, address, doubt),
            every,
            missing: String::new(),
            told: 0,
            samples: 0,
        })
    }

    /// Waits for the first answer, or the reason why there is none, for looks that are the only one.
    pub fn wait(&mut self, longest: Duration) {
        self.asked.wait(longest);
    }

    /// What one look brings, in words.
    ///
    /// # Errors
    /// Why it brings nothing.
    pub fn tried(
        address: &Address,
        process: Option<&Process>,
        mappings: Mappings,
        longest: Duration,
    ) -> Result<String, String> {
        let source = Self::start(address, process, mappings, LEAST_EVERY);
        let mut source = source.map_err(|error| error.to_string())?;
        let (readings, read) = source.asked.first(longest)?;
        let names: Vec<&str> = readings.pools.keys().map(|name| &**name).collect();
        match names.as_slice() {
            [] => Err(format!("none of its {} samples is of a pool that is known", read.samples)),
            names => Ok(format!("{} samples; pools: {}", read.samples, names.join(", "))),
        }
    }

    fn take(&mut self, readings: Readings, read: Read, target: &Target, beat: &mut Beat<'_>) {
        let (at, target) = (beat.at, target.id);
        self.samples = read.samples;
        self.told = readings.pools.len() + readings.counts.len() + readings.gauges.len();
        for (name, reading) in readings.pools {
            beat.out.push(Fact::Pool { at, target, name, reading: Box::new(reading) });
        }
        for ((kind, group), count) in readings.counts {
            let group = Arc::from([group]);
            beat.out.push(Fact::Tally { at, target, kind, group, count, proved: false });
        }
        for (name, value) in readings.gauges {
            beat.out.push(Fact::Gauge { at, target, pid: None, name, value });
        }
        let mut missing = Vec::new();
        if read.malformed > 0 {
            missing.push(format!("{} lines are no samples and were skipped", read.malformed));
        }
        if readings.cut {
            missing.push("there are more pools than are followed".to_owned());
        }
        if self.told == 0 {
            missing.push(format!(
                "none of its {} samples is of a pool that is known: map yours with --metrics-map",
                read.samples
            ));
        }
        self.missing = missing.join("; ");
    }

    /// How the source fares, in words.
    fn state(&self, at: Millis) -> (SourceStatus, String) {
        let old = OLD.max(3 * self.every.as_millis() as Millis);
        let lacks = std::slice::from_ref(&self.missing);
        self.asked.state(at, old, lacks, || {
            let (told, samples) = (self.told, self.samples);
            format!("{samples} samples, of which {told} pools and numbers were made")
        })
    }
}

impl Remote for Metrics {
    fn deliver(&mut self, target: &Target, beat: &mut Beat<'_>) {
        let begin = cpu_time();
        while let Some((readings, read)) = self.asked.take(beat.at) {
            self.take(readings, read, target, beat);
        }
        self.asked.spend(cpu_time().saturating_sub(begin));
        let (status, reason) = self.state(beat.at);
        // It feeds no handles: nobody waits for it.
        beat.late_source(target.id, NAME, status, &reason, self.asked.cost(), None);
    }
}

fn run(
    address: &Address,
    namespace: Option<OwnedFd>,
    mappings: &Mappings,
    every: Duration,
    outlet: &Outlet<Look>,
) -> Result<(), Closed> {
    if let Some(namespace) = namespace
        && let Err(reason) = netns::enter(&namespace)
    {
        return outlet.put(Err(reason));
    }
    let client = Client::default();
    loop {
        let begin = Instant::now();
        outlet.put(look(&client, address, mappings))?;
        // Also after a slow answer the program gets a rest.
        std::thread::sleep(every.saturating_sub(begin.elapsed()).max(every / 4));
    }
}

fn look(client: &Client, address: &Address, mappings: &Mappings) -> Look {
    let mut body = client.get(address, BOUNDS)?;
    let mut collecting = mappings.collect();
    let read = exposition::read(&mut body, |sample| collecting.take(sample))
        .map_err(|error| why_cut(&error, BOUNDS))?;
    Ok((collecting.end(), read))
}
