//! `poolscan agent`: many targets all the time, found anew when they restart, shown as metrics.

mod config;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::AgentArgs;
use super::complain;
use super::exit::Exit;
use super::metrics::Metrics;
use super::stop::Stop;
use super::watch::{millis, wall_clock_ms};
use crate::live::collect::own::raise_limit;
use crate::live::collect::sampler::Sampler;
use crate::live::facts::{Fact, Millis, TargetId};
use crate::live::host::select::{self, Selector};
use crate::live::outcome::Changes;
use crate::live::target::boot_ms;
use crate::live::watch::{Settings, Watch};
use config::Config;

pub(super) fn run(args: &AgentArgs) -> anyhow::Result<Exit> {
    let config = config::read(&args.config)?;
    let stop = Stop::listen().context("cannot listen for Ctrl-C")?;
    raise_limit();
    let mut metrics = Metrics::start(&config.metrics, config.interval)?;
    if let Some(at) = metrics.at() {
        complain(&format!("metrics at http://{at}/metrics"));
    }
    let mut agent = Agent::new(&config);
    let start = Instant::now();
    let mut next_discovery = Duration::ZERO;
    loop {
        let now = start.elapsed();
        let mut facts = Vec::new();
        if now >= next_discovery {
            agent.discover(millis(now), &mut facts);
            next_discovery = now + config.discover;
        }
        let changes = agent.beat(millis(now), &mut facts);
        metrics.step(&changes, true, || agent.watch.outcome());
        // Beats keep to their schedule; those that were missed are left out.
        let every = config.interval.as_millis().max(1);
        let beats = u64::try_from(start.elapsed().as_millis() / every + 1).unwrap_or(u64::MAX);
        let every = u64::try_from(every).unwrap_or(u64::MAX);
        let deadline = start + Duration::from_millis(beats.saturating_mul(every));
        if !stop.wait_until(deadline, || false) {
            metrics.finish();
            return Ok(Exit::Interrupted);
        }
    }
}

/// The targets of the moment and what is known of them.
struct Agent<'a> {
    config: &'a Config,
    sampler: Sampler,
    watch: Watch,
    /// Boot time at event time 0, milliseconds.
    zero_ms: Millis,
    next: u32,
    /// Targets that ended, shown until the next discovery.
    ended: Vec<TargetId>,
    /// Selectors of which it was said that they fit nobody.
    told: BTreeSet<usize>,
}

impl<'a> Agent<'a> {
    fn new(config: &'a Config) -> Self {
        let settings = Settings {
            lifetime_ms: config.lifetime.map(millis),
            wall_start_ms: wall_clock_ms(),
            frugal_beat_ms: Some(millis(config.interval)),
        };
        let timing = settings.timing();
        Self {
            config,
            sampler: Sampler::new(Vec::new(), timing.bucket_ms(), timing.start_up_ms()),
            watch: Watch::new(settings),
            zero_ms: boot_ms(),
            next: 0,
            ended: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// Looks for processes that the selectors fit and that are not watched yet, and forgets those
    /// that ended.
    fn discover(&mut self, at: Millis, out: &mut Vec<Fact>) {
        for target in self.ended.drain(..) {
            self.watch.forget(target);
        }
        for (nth, selector) in self.config.selectors.iter().enumerate() {
            let watched: BTreeSet<u32> =
                self.sampler.processes().flatten().map(|process| process.pid).collect();
            let shown = selector.to_string();
            // Whoever listens on a port, or is a unit, is looked for again when it is gone: that
            // takes long. Of a name there may always be more.
            let several = matches!(selector, Selector::Name(_));
            if !several && self.sampler.targets().any(|target| target.facts.selector == shown) {
                continue;
            }
            let known = |pid| watched.contains(&pid);
            match select::resolve_all(selector, self.zero_ms, &mut self.next, known) {
                Ok(targets) => {
                    self.told.remove(&nth);
                    for target in targets {
                        self.sampler.add(target, at, out);
                    }
                }
                Err(error) => {
                    // A service that is down is no reason to stop, nor to say so each minute.
                    if self.told.insert(nth) {
                        complain(&format!("{error}; it is looked for again"));
                    }
                }
            }
        }
    }

    /// Looks at everything once; gives what changed.
    fn beat(&mut self, at: Millis, facts: &mut Vec<Fact>) -> Changes {
        self.sampler.identity_beat(at, facts);
        let changes = self.watch.step(facts);
        self.ended.extend(self.sampler.remove_ended());
        changes
    }
}
