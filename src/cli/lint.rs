//! `poolscan lint`: source to findings, shown once at the end.

mod evidence;
mod fix;
mod git;
mod input;
mod known;
mod outputs;
mod policies;
mod root;
mod store;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use evidence::Evidence;
use input::Input;
use known::{Keep, Known};
use outputs::Outputs;
use store::Folder;

pub(super) use policies::Chosen;

use super::args::{Choosing, LintArgs};
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use crate::config::FailOn;
use crate::lint::fix::Overlay;
use crate::lint::{self, Cache, Options, Report, Store};
use crate::report::sanitise;

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let outputs = Outputs::of(args)?;
    let input = Input::read(args)?;
    // Numbers that only a whole run has, and files that are about to change.
    let anew = args.stats || args.why.is_some() || args.fix || args.diff;
    let store = if anew { None } else { Folder::of(&args.choosing).map(Arc::new) };
    let progress = ProgressLine::start();
    let options = Options {
        paths: input.paths(args),
        why: args.why.clone(),
        overlay: input.overlay,
        progress: progress.callback(),
        ..options(&args.choosing, store.as_ref())
    };
    let loaded = lint::load(&options)?;
    let chosen = Chosen::of(&loaded.workspace, &args.choosing, args.fail_on.map(FailOn::from))?;
    if args.show_config {
        progress.finish();
        let mut out = io::stdout().lock();
        for line in chosen.lines(&loaded.workspace)? {
            writeln!(out, "{}", sanitise(&line))?;
        }
        return Ok(Exit::Nothing);
    }
    let keep = match (args.write_baseline, args.prune_baseline) {
        (true, _) => Keep::All,
        (false, true) => Keep::Rest,
        (false, false) => Keep::AsItIs,
    };
    let known = Known::all(args.choosing.baseline.as_deref(), keep, &chosen)?;
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
    let evidence = Evidence::read(&args.evidence, &args.source_map)?;
    let report = if args.fix || args.diff {
        let result = fix::mended(args, &loaded, &chosen, &options, &judge);
        progress.finish();
        let mended = result?;
        if args.diff {
            return Ok(if fix::print_diff(&mended)? { Exit::Findings } else { Exit::Nothing });
        }
        fix::write(&mended)?;
        complain(&fix::summary(&mended));
        let mut report = mended.report;
        evidence.apply(&mut report.findings);
        report
    } else {
        let result = lint::run_with(loaded, &chosen.policies, &options);
        progress.finish();
        let mut report = result?;
        if let Some(store) = store {
            store.trim();
        }
        judge(&mut report)?;
        evidence.apply(&mut report.findings);
        report
    };
    outputs.write(&report, &chosen, started.elapsed())?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, |finding| chosen.fails(&report, finding)))
}

/// What is found in these files and folders without what is known, and by what it was judged;
/// `overlay` stands for files.
///
/// # Errors
/// There is nothing, or something is wrong with settings or baselines.
pub(super) fn look(
    choosing: &Choosing,
    paths: Vec<PathBuf>,
    overlay: Overlay,
) -> anyhow::Result<(Report, Chosen)> {
    let store = Folder::of(choosing).map(Arc::new);
    let options = Options { paths, overlay, ..options(choosing, store.as_ref()) };
    let loaded = lint::load(&options)?;
    let chosen = Chosen::of(&loaded.workspace, choosing, None)?;
    let known = Known::all(choosing.baseline.as_deref(), Keep::AsItIs, &chosen)?;
    let mut report = lint::run_with(loaded, &chosen.policies, &options)?;
    if let Some(store) = store {
        store.trim();
    }
    for known in known {
        known.apply(&mut report)?;
    }
    Ok((report, chosen))
}

/// What is the same for all that is looked at.
fn options(choosing: &Choosing, store: Option<&Arc<Folder>>) -> Options {
    Options {
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        threads: choosing.threads,
        cache: store.map(|store| Cache(Arc::clone(store) as Arc<dyn Store>)),
        ..Options::default()
    }
}
