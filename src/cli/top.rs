//! `poolscan top`: which process is near its limit of open files.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::{Color, PageFormat, TopArgs};
use super::exit::Exit;
use super::stop::Stop;
use super::terminal::{page_style, rows, style};
use crate::live::collect::overview::Overview;
use crate::live::overview::Pass;
use crate::report::{LiveView, Top, top, top_json};

pub(super) fn run(args: &TopArgs) -> anyhow::Result<Exit> {
    let stop = Stop::listen().context("cannot listen for Ctrl-C")?;
    let mut overview = Overview::new().context("cannot open /proc")?;
    let start = Instant::now();
    let mut look = |elapsed: Duration| -> anyhow::Result<Top> {
        let at = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let pass = overview.pass(at).context("cannot list /proc")?;
        Ok(shown(pass, elapsed))
    };
    let mut seen = look(Duration::ZERO)?;
    let live = !args.once && args.format == PageFormat::Human && io::stdout().is_terminal();
    if live {
        return redraw(&mut look, seen, args.interval, start, &stop);
    }
    // Growth needs a second look.
    if !stop.wait_until(start + args.interval, || false) {
        return Ok(Exit::Interrupted);
    }
    seen = look(start.elapsed())?;
    if let Some(most) = args.most {
        seen.pass.rows.truncate(most);
    }
    let mut out = io::stdout().lock();
    match args.format {
        PageFormat::Human => top(&seen, page_style(Color::Auto), &mut out)?,
        PageFormat::Json => top_json(&seen, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}

/// Draws over the last drawing until somebody stops us.
fn redraw(
    look: &mut dyn FnMut(Duration) -> anyhow::Result<Top>,
    mut seen: Top,
    every: Duration,
    start: Instant,
    stop: &Stop,
) -> anyhow::Result<Exit> {
    let mut view = LiveView::new(rows());
    let mut out = io::stdout().lock();
    loop {
        view.resize(rows());
        view.draw(&seen, style(), &mut out)?;
        if !stop.wait_until(Instant::now() + every, || false) {
            view.finish(&mut out)?;
            return Ok(Exit::Interrupted);
        }
        seen = look(start.elapsed())?;
    }
}

fn shown(pass: Pass, elapsed: Duration) -> Top {
    let watched = (elapsed > Duration::ZERO).then(|| elapsed.as_secs_f64().min(60.0));
    Top { pass, watched_seconds: watched }
}
