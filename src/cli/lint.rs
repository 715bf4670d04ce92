//! `poolscan lint`: source to findings, shown once at the end.

mod git;
mod known;
mod outputs;
mod policies;
mod root;
mod store;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use known::Known;
use outputs::Outputs;
use policies::Chosen;

use super::args::LintArgs;
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use crate::lint::{self, Cache, Options, Store};
use crate::report::sanitise;

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let outputs = Outputs::of(args)?;
    let store = store::Folder::of(args).map(Arc::new);
    let progress = ProgressLine::start();
    let options = Options {
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        paths: args.paths.clone(),
        threads: args.threads,
        why: args.why.clone(),
        progress: progress.callback(),
        cache: store.as_ref().map(|store| Cache(Arc::clone(store) as Arc<dyn Store>)),
        ..Options::default()
    };
    let loaded = lint::load(&options)?;
    let chosen = Chosen::of(&loaded.workspace, args)?;
    if args.show_config {
        progress.finish();
        let mut out = io::stdout().lock();
        for line in chosen.lines(&loaded.workspace)? {
            writeln!(out, "{}", sanitise(&line))?;
        }
        return Ok(Exit::Nothing);
    }
    let known = Known::all(args, &chosen)?;
    let changes =
        args.since.as_deref().map(|since| git::changes(since, &args.paths)).transpose()?;
    let result = lint::run_with(loaded, &chosen.policies, &options);
    progress.finish();
    let mut report = result?;
    if let Some(store) = store {
        store.trim();
    }
    for known in known {
        known.apply(&mut report)?;
    }
    if let Some(changes) = changes {
        let base = root::base(&args.paths);
        changes.apply(&mut report, |shown| base.path(shown));
    }
    outputs.write(&report, &chosen, started.elapsed())?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, |finding| chosen.fails(&report, finding)))
}
