//! Sources beside the process itself that a command was told of: profiles and metrics over HTTP.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::args::SourceArgs;
use crate::catalog::pools;
use crate::config::read_text;
use crate::live::collect::endpoint::Address;
use crate::live::collect::feed::Remote;
use crate::live::collect::goroutines::Goroutines;
use crate::live::collect::metrics::Metrics;
use crate::live::collect::metrics::reading::Mappings;
use crate::live::target::Target;

/// For so long a single look waits for the first answer of a source.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins to ask the sources about the one target. A look that is the only one waits for each.
pub(super) fn start(
    args: &SourceArgs,
    targets: &[Target],
    every: Duration,
    only_look: bool,
) -> anyhow::Result<Vec<Box<dyn Remote>>> {
    let mut sources: Vec<Box<dyn Remote>> = Vec::new();
    let (pprof, metrics) = (pprof(args)?, metrics(args)?);
    if pprof.is_none() && metrics.is_none() {
        return Ok(sources);
    }
    ensure!(
        targets.len() == 1,
        "--pprof and --metrics are about one target, and {} were selected",
        targets.len()
    );
    let process = targets.first().and_then(|target| target.processes.first());
    if let Some(address) = pprof {
        let mut source = Goroutines::start(&address, process)?;
        if only_look {
            source.wait(PATIENCE);
        }
        sources.push(Box::new(source));
    }
    if let Some((address, mappings)) = metrics {
        let mut source = Metrics::start(&address, process, mappings, every)?;
        if only_look {
            source.wait(PATIENCE);
        }
        sources.push(Box::new(source));
    }
    Ok(sources)
}

/// Where the profiles of a Go program are.
pub(super) fn pprof(args: &SourceArgs) -> anyhow::Result<Option<Address>> {
    args.pprof.as_deref().map(|url| address("--pprof", url)).transpose()
}

/// Where metrics are, and what they mean.
pub(super) fn metrics(args: &SourceArgs) -> anyhow::Result<Option<(Address, Mappings)>> {
    let Some(url) = &args.metrics else { return Ok(None) };
    Ok(Some((address("--metrics", url)?, mappings(args.metrics_map.as_deref())?)))
}

/// The text may hold a password: it is not repeated.
fn address(flag: &str, url: &str) -> anyhow::Result<Address> {
    Address::parse(url).map_err(|wrong| anyhow::anyhow!("{flag}: {wrong}"))
}

/// The user's mapping comes first: what it calls a pool is called so.
fn mappings(own: Option<&Path>) -> anyhow::Result<Mappings> {
    let mut all = Vec::new();
    if let Some(path) = own {
        let shown = path.display().to_string();
        let text = read_text(path).map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
        all.extend(pools::parse(&shown, &text).context("a mapping of metrics is wrong")?);
    }
    all.extend_from_slice(pools::mappings());
    Ok(Mappings::new(all))
}
