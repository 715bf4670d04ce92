//! `poolscan lint`: source to findings, shown once at the end.

mod fix;
mod git;
mod input;
mod known;
mod outputs;
mod root;

use std::time::Instant;

use input::Input;
use known::Known;
use outputs::Outputs;

use super::args::LintArgs;
use super::catalogue::Catalogue;
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use crate::lint::{self, Options, Report};

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let catalogue = Catalogue::load(&args.rules)?;
    let outputs = Outputs::of(args)?;
    let input = Input::read(args)?;
    let progress = ProgressLine::start();
    let options = Options {
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        paths: input.paths(args),
        select: catalogue.ids(&args.select)?,
        ignore: catalogue.ids(&args.ignore)?,
        catalog: Some(catalogue.catalog()),
        threads: args.threads,
        why: args.why.clone(),
        overlay: input.overlay,
        progress: progress.callback(),
    };
    let known = Known::read(args)?;
    let changes =
        args.since.as_deref().map(|since| git::changes(since, &args.paths)).transpose()?;
    let judge = |report: &mut Report| {
        if let Some(known) = &known {
            known.apply(report)?;
        }
        if let Some(changes) = &changes {
            let base = root::base(&args.paths);
            changes.apply(report, |shown| base.path(shown));
        }
        Ok(())
    };
    let report = if args.fix || args.diff {
        let result = fix::mended(args, &options, &judge);
        progress.finish();
        let mended = result?;
        if args.diff {
            return Ok(if fix::print_diff(&mended)? { Exit::Findings } else { Exit::Nothing });
        }
        fix::write(&mended)?;
        complain(&fix::summary(&mended));
        mended.report
    } else {
        let result = lint::run(&options).and_then(|mut report| {
            judge(&mut report)?;
            Ok(report)
        });
        progress.finish();
        result?
    };
    outputs.write(&report, &catalogue, started.elapsed())?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, args.fail_on.threshold()))
}
