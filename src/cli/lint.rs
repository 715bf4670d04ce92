//! `poolscan lint`: source to findings, shown once at the end.

mod git;
mod known;
mod outputs;
mod root;

use std::time::Instant;

use known::Known;
use outputs::Outputs;

use super::args::LintArgs;
use super::catalogue::Catalogue;
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use crate::lint::{self, Options};

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let catalogue = Catalogue::load(&args.rules)?;
    let outputs = Outputs::of(args)?;
    let progress = ProgressLine::start();
    let options = Options {
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        paths: args.paths.clone(),
        select: catalogue.ids(&args.select)?,
        ignore: catalogue.ids(&args.ignore)?,
        catalog: Some(catalogue.catalog()),
        threads: args.threads,
        why: args.why.clone(),
        progress: progress.callback(),
    };
    let known = Known::read(args)?;
    let changes =
        args.since.as_deref().map(|since| git::changes(since, &args.paths)).transpose()?;
    let result = lint::run(&options);
    progress.finish();
    let mut report = result?;
    if let Some(known) = known {
        known.apply(&mut report)?;
    }
    if let Some(changes) = changes {
        let base = root::base(&args.paths);
        changes.apply(&mut report, |shown| base.path(shown));
    }
    outputs.write(&report, &catalogue, started.elapsed())?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, args.fail_on.threshold()))
}
