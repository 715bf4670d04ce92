//! `poolscan lint`: source to findings, shown once at the end.

mod fix;
mod git;
mod input;
mod known;
mod outputs;
mod policies;
mod root;
mod store;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use input::Input;
use known::Known;
use outputs::Outputs;
use policies::Chosen;

use super::args::LintArgs;
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use crate::lint::{self, Cache, Options, Report, Store};
use crate::report::sanitise;

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let outputs = Outputs::of(args)?;
    let input = Input::read(args)?;
    let store = store::Folder::of(args).map(Arc::new);
    let progress = ProgressLine::start();
    let options = Options {
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        paths: input.paths(args),
        threads: args.threads,
        why: args.why.clone(),
        overlay: input.overlay,
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
    let judge = |report: &mut Report| {
        for known in &known {
            known.apply(report)?;
        }
        if let Some(changes) = &changes {
            let base = root::base(&args.paths);
            changes.apply(report, |shown| base.path(shown));
        }
        Ok(())
    };
    let report = if args.fix || args.diff {
        let result = fix::mended(args, &loaded, &chosen, &options, &judge);
        progress.finish();
        let mended = result?;
        if args.diff {
            return Ok(if fix::print_diff(&mended)? { Exit::Findings } else { Exit::Nothing });
        }
        fix::write(&mended)?;
        complain(&fix::summary(&mended));
        mended.report
    } else {
        let result = lint::run_with(loaded, &chosen.policies, &options);
        progress.finish();
        let mut report = result?;
        if let Some(store) = store {
            store.trim();
        }
        judge(&mut report)?;
        report
    };
    outputs.write(&report, &chosen, started.elapsed())?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, |finding| chosen.fails(&report, finding)))
}
