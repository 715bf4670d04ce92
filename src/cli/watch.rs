//! `poolscan watch`: the loop that samples on time, records, judges and shows.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::args::{Connections, Format, WatchArgs};
use super::complain;
use super::exit::{self, Exit};
use super::metrics::Metrics;
use super::output::Output;
use super::page::Page;
use super::recorder::Recording;
use super::remotes::attach_tokio;
use super::source;
use super::sources;
use super::stop::Stop;
use super::targets;
use super::terminal::style;
use super::trace::Tracing;
use super::tui::{self, Screens};
use super::whole;
use crate::live::collect::sampler::Sampler;
use crate::live::detect::scale::Timing;
use crate::live::facts::Millis;
use crate::live::record::Header;
use crate::live::target::Target;
use crate::live::watch::{Settings, Watch};
use crate::report::folded;

/// Default interval of counts.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// The identity beat is stretched while it costs more than this share of a core.
const BUDGET: f64 = 0.01;
/// How far the beat may be stretched.
const MAX_STRETCH: u32 = 2;
/// How long a program that we started may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Room for facts kept from beat to beat: the first look at a large process has many more.
const KEPT_FACTS: usize = 1024;

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    TimeUp,
    TargetGone,
    Interrupted,
}

pub(super) fn run(args: &WatchArgs) -> anyhow::Result<Exit> {
    args.tracing.source.as_deref().map_or(Ok(()), source::check)?;
    let stop = Stop::listen().context("cannot listen for Ctrl-C")?;
    let mut program = start_program(&args.program)?;
    let child = program.as_ref().map(Child::id);
    let mut output = Output::new(args.judging.format, "watch")
        .with_connections(args.judging.connections.is_some());
    // No `?` before the program is ended.
    let result = targets::find(&args.selectors, child)
        .and_then(|targets| watch_targets(args, targets, &stop, &mut output));
    if let Some(child) = &mut program
        && let Some(status) = end_program(child)
        && !status.success()
    {
        complain(&format!("the program ended with {status}"));
    }
    result
}

fn watch_targets(
    args: &WatchArgs,
    targets: Vec<Target>,
    stop: &Stop,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let lifetime_ms = args.judging.lifetime.map(millis);
    let settings = Settings { lifetime_ms, wall_start_ms: wall_clock_ms(), frugal_beat_ms: None };
    let timing = settings.timing();
    let mut watch = Watch::new(settings);
    let beat = Duration::from_millis(u64::try_from(timing.bucket_ms()).unwrap_or(1));
    let sources = sources::start(&args.sources, &targets, beat, args.once)?;
    let first = targets.first().map(|target| target.id).unwrap_or_default();
    let recording = match &args.record {
        Some(path) => Recording::start(path, &header(args, &settings, &timing), args.record_max)?,
        None => Recording::none(),
    };
    let page = Page::of(&args.judging);
    let metrics = Metrics::start(&args.metrics, beat)?;
    if let Some(at) = metrics.at() {
        output.note(&format!("metrics at http://{at}/metrics"))?;
    }
    announce(args, &timing, output)?;
    let mut sampler = Sampler::new(targets, timing.bucket_ms(), timing.start_up_ms());
    for source in sources {
        sampler.attach(first, source);
    }
    if args.judging.connections.is_some() {
        sampler.with_connections();
    }
    if args.judging.connections == Some(Connections::Exact)
        && let Err(reason) = sampler.with_traced_connections()
    {
        complain(&format!("connections are not traced: {reason}; they are estimated"));
    }
    let mut tracing = Tracing::new(&args.tracing);
    if !args.once {
        tracing.start(&mut sampler);
    }
    if args.tracing.on_emfile {
        sampler.with_exhaustion();
        match sampler.exhaustion_failed() {
            "" => {
                output
                    .note("waiting for the first call that fails for want of a file descriptor")?;
            }
            reason => complain(&format!(
                "it cannot be heard when calls fail for want of a file descriptor: {reason}"
            )),
        }
    }
    let screens = screens(args, stop)?;
    let mut sinks = Sinks { recording, page, metrics, screens, output, tracing };
    let end = sample(args, &mut sampler, &mut watch, &timing, &mut sinks, stop);
    let Sinks { recording, page, mut metrics, screens, output, .. } = sinks;
    screens.map_or(Ok(()), Screens::finish).context("the terminal")?;
    let (end, mut outcome) = (end?, watch.outcome());
    if let Some(folder) = &args.tracing.source {
        source::join(folder, &args.tracing.source_map, &mut outcome);
    }
    metrics.update(|| outcome.clone());
    output.finish(&outcome)?;
    page.write(&outcome)?;
    if let Some(path) = &args.tracing.trace_out {
        whole::write(path, folded(&outcome).as_bytes())?;
    }
    metrics.finish();
    let recorded = recording.finish(match end {
        End::TimeUp => "time is up",
        End::TargetGone => "target ended",
        End::Interrupted => "interrupted",
    });
    Ok(match end {
        End::Interrupted => Exit::Interrupted,
        _ if !recorded => Exit::Usage,
        _ => exit::of_outcome(&outcome, &args.judging),
    })
}

/// Where what was seen and what was made of it goes.
struct Sinks<'a> {
    recording: Recording,
    page: Page,
    metrics: Metrics,
    /// Instead of what `output` would say in between.
    screens: Option<Screens>,
    output: &'a mut Output,
    /// What is asked of the kernel, because of what was seen.
    tracing: Tracing,
}

/// The screens, where they are wanted and a terminal can show them. A program of ours writes to the
/// same terminal.
fn screens(args: &WatchArgs, stop: &Stop) -> anyhow::Result<Option<Screens>> {
    let wanted = args.judging.format == Format::Auto && !args.once && args.program.is_empty();
    if !wanted || !tui::capable() {
        return Ok(None);
    }
    Screens::start(style(), stop.clone()).map(Some).context("cannot set the terminal up")
}

/// Samples until the time is up, the targets are gone, or somebody stops us.
fn sample(
    args: &WatchArgs,
    sampler: &mut Sampler,
    watch: &mut Watch,
    timing: &Timing,
    sinks: &mut Sinks<'_>,
    stop: &Stop,
) -> anyhow::Result<End> {
    let bucket = timing.bucket_ms();
    let count_every =
        args.interval.map_or(millis(COUNT_INTERVAL), millis).clamp(10, 60_000).min(bucket);
    let until = args.time.map(millis);
    let start = Instant::now();
    attach_tokio(&args.tasks.tokio, sampler, start, args.once);
    let mut facts = sampler.describe();
    // For people: a report of this watch, or of its recording, says where it ran.
    facts.extend(sampler.environment());
    let mut next_beat: Millis = 0;
    let mut at: Millis = 0;
    let mut exhausted = false;
    loop {
        let beat = at >= next_beat;
        let living = if exhausted && !beat {
            // The schedule stays as it is.
            sampler.identity_beat(at, &mut facts)
        } else if beat {
            let before = sampler.cost();
            let living = sampler.identity_beat(at, &mut facts);
            let cost = sampler.cost().saturating_sub(before);
            next_beat = at + bucket * Millis::from(stretch(cost, bucket));
            living
        } else {
            sampler.count_tick(at, &mut facts)
        };
        sinks.recording.tick(&facts);
        let changes = watch.step(&facts);
        if beat && !args.once {
            for note in sinks.tracing.steer(at, &watch.wanted(), sampler) {
                match &sinks.screens {
                    // The screens show the source.
                    Some(_) => {}
                    None => complain(&note),
                }
            }
        }
        sinks.page.tick(&facts, &changes);
        sinks.metrics.step(&changes, beat, || watch.outcome());
        facts.clear();
        facts.shrink_to(KEPT_FACTS);
        match &sinks.screens {
            Some(screens) => screens.show(watch),
            None => sinks.output.tick(&changes, args.once)?,
        }
        if args.once {
            return Ok(End::TimeUp);
        }
        if living == 0 {
            return Ok(End::TargetGone);
        }
        if until.is_some_and(|until| at >= until) {
            return Ok(End::TimeUp);
        }
        // Scheduled times are the event times: what a sample sees happened before it, and a
        // sample that comes a little late must not fall into the next bucket.
        let now = millis(start.elapsed());
        let before = at;
        at = next_tick(at, now, count_every, next_beat);
        if let Some(until) = until {
            at = at.min(until.max(now));
        }
        let deadline = start + Duration::from_millis(u64::try_from(at).unwrap_or(0));
        exhausted = false;
        let answer = || {
            sinks.screens.as_ref().inspect(|screens| screens.answer(watch));
            exhausted = sampler.exhausted();
            exhausted
        };
        if !stop.wait_until(deadline, answer) {
            if !exhausted {
                return Ok(End::Interrupted);
            }
            at = millis(start.elapsed()).clamp(before, at);
        }
    }
}

/// The next scheduled time after `now`; ticks that were missed are left out.
fn next_tick(at: Millis, now: Millis, every: Millis, beat: Millis) -> Millis {
    let count = (at.max(now) / every + 1) * every;
    if beat > at { count.min(beat.max(now)) } else { count }
}

fn stretch(cost: Duration, bucket: Millis) -> u32 {
    let budget = BUDGET * bucket as f64 / 1000.0;
    if cost.as_secs_f64() > budget { MAX_STRETCH } else { 1 }
}

fn announce(args: &WatchArgs, timing: &Timing, output: &mut Output) -> anyhow::Result<()> {
    let shortest = timing.shown().shortest_ms;
    if let Some(time) = args.time.map(millis)
        && time < shortest
    {
        complain(&format!(
            "{} s are too short for a verdict 'leaking': that takes at least {} s for \
             connections; state --lifetime, the longest normal life of a handle in this service, \
             to get verdicts sooner",
            time / 1000,
            shortest / 1000,
        ));
    }
    if !args.once {
        output.note(&format!(
            "watching; a handle counts as old after {} s{}, identities every {} s, earliest \
             'leaking' for connections after {} s",
            seconds(timing.shown().age_ms),
            if timing.shown().lifetime_ms.is_some() { " (--lifetime)" } else { "" },
            seconds(timing.bucket_ms()),
            seconds(shortest),
        ))?;
    }
    Ok(())
}

fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}

fn start_program(program: &[String]) -> anyhow::Result<Option<Child>> {
    let Some((name, arguments)) = program.split_first() else { return Ok(None) };
    Command::new(name)
        .args(arguments)
        .spawn()
        .map(Some)
        .with_context(|| format!("cannot start {name}"))
}

/// Ends a program that we started, politely, and reaps it.
fn end_program(child: &mut Child) -> Option<ExitStatus> {
    if let Ok(Some(status)) = child.try_wait() {
        return Some(status);
    }
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)?;
    // It may have ended meanwhile; then there is nothing to ask for.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return None,
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    complain("the program did not end after SIGTERM; it is left running");
    None
}

fn header(args: &WatchArgs, settings: &Settings, timing: &Timing) -> Header {
    Header {
        wall_start_ms: settings.wall_start_ms,
        bucket_ms: Some(timing.bucket_ms()),
        lifetime_ms: settings.lifetime_ms,
        command: args.selectors.iter().chain(&args.program).cloned().collect::<Vec<_>>().join(" "),
        ..Header::new(env!("CARGO_PKG_VERSION"))
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

pub(super) fn wall_clock_ms() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_to_the_schedule_and_skip_what_was_missed() {
        assert_eq!(next_tick(0, 3, 1000, 5000), 1000);
        assert_eq!(next_tick(4000, 4010, 1000, 5000), 5000);
        assert_eq!(next_tick(1000, 3500, 1000, 5000), 4000);
        // The beat was missed: it is made up for as soon as possible, at its true time.
        assert_eq!(next_tick(4000, 7300, 1000, 5000), 7300);
        assert_eq!(next_tick(0, 1, 1000, 100), 100);
    }

    #[test]
    fn a_costly_beat_is_stretched() {
        assert_eq!(stretch(Duration::from_millis(40), 5000), 1);
        assert_eq!(stretch(Duration::from_millis(60), 5000), 2);
    }
}
