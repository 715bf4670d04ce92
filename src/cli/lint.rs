//! `poolscan lint`: source to findings, shown once at the end.

use std::io::{self, BufWriter, Write};
use std::time::Instant;

use super::args::{FailOnSeverity, LintArgs, PageFormat};
use super::catalogue::Catalogue;
use super::complain;
use super::exit::{self, Exit};
use super::progress::ProgressLine;
use super::terminal::page_style;
use crate::lint::{self, Options, Report};
use crate::report::lint as render;

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let catalogue = Catalogue::load(&args.rules)?;
    let progress = ProgressLine::start();
    let options = Options {
        paths: args.paths.clone(),
        select: catalogue.ids(&args.select)?,
        ignore: catalogue.ids(&args.ignore)?,
        catalog: Some(catalogue.catalog()),
        threads: args.threads,
        why: args.why.clone(),
        progress: progress.callback(),
    };
    let result = lint::run(&options);
    progress.finish();
    let report = result?;
    show(&report, args, started)?;
    if report.stats.files == 0 {
        // A pipeline that analyses nothing must not pass.
        complain("there is no Rust source to analyse in what was named");
    }
    Ok(exit::of_report(&report, args.fail_on.threshold()))
}

fn show(report: &Report, args: &LintArgs, started: Instant) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let elapsed = started.elapsed();
    match args.format {
        PageFormat::Human => {
            let view = render::View {
                style: page_style(args.color),
                // What makes the run fail must be seen.
                notes: args.notes || args.fail_on == FailOnSeverity::Note,
                stats: args.stats,
                elapsed,
            };
            render::human(report, view, &mut out)?;
        }
        PageFormat::Json => render::json(report, args.stats.then_some(elapsed), &mut out)?,
    }
    out.flush()
}
