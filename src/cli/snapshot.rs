//! `poolscan snapshot`: evidence before a restart, as a recording of one tick.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::args::SnapshotArgs;
use super::exit::Exit;
use super::remotes::attach_tokio;
use super::sources;
use super::targets;
use super::watch::wall_clock_ms;
use crate::live::collect::sampler::Sampler;
use crate::live::detect::scale::Timing;
use crate::live::facts::{Fact, SourceStatus};
use crate::live::record::{Header, Recorder};
use crate::report::{gap, sanitise};

pub(super) fn run(args: &SnapshotArgs) -> anyhow::Result<Exit> {
    let targets = targets::find(&args.selectors, None)?;
    let timing = Timing::new(None);
    let header = Header {
        wall_start_ms: wall_clock_ms(),
        bucket_ms: Some(timing.bucket_ms()),
        command: format!("snapshot {}", args.selectors.join(" ")),
        ..Header::new(env!("CARGO_PKG_VERSION"))
    };
    let sources = sources::start(&args.sources, &targets, Duration::from_secs(5), true)?;
    let first = targets.first().map(|target| target.id).unwrap_or_default();
    let mut sampler = Sampler::new(targets, timing.bucket_ms(), timing.start_up_ms());
    for source in sources {
        sampler.attach(first, source);
    }
    sampler.with_stacks();
    attach_tokio(&args.tasks.tokio, &mut sampler, Instant::now(), true);
    let mut facts = sampler.describe();
    facts.extend(sampler.environment());
    sampler.identity_beat(0, &mut facts);
    let mut recorder = Recorder::create(&args.output, &header, None)?;
    recorder.write(&facts)?;
    recorder.finish("snapshot")?;
    let handles = facts.iter().filter(|fact| matches!(fact, Fact::Open { .. })).count();
    let mut out = io::stdout().lock();
    let path = args.output.display().to_string();
    writeln!(out, "{handles} handles in {}", sanitise(&path))?;
    for fact in &facts {
        if let Fact::Source { name, status, reason, .. } = fact
            && *status != SourceStatus::Ok
        {
            writeln!(out, "{}", sanitise(&gap(name, *status, reason)))?;
        }
    }
    out.flush()?;
    Ok(Exit::Nothing)
}
