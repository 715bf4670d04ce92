//! `poolscan demo`: a small leaking service of our own, watched and explained.

mod service;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::args::{
    DemoArgs, FailOn, Format, Judging, MetricsArgs, SourceArgs, Tokio, TokioArgs, Trace, TraceArgs,
    WatchArgs,
};
use super::exit::Exit;
use super::output::Output;
use super::watch;

/// Longest normal life of a handle in the demo service.
const LIFETIME: Duration = Duration::from_secs(2);

/// Starts the service, watches it until what it leaks is found, and explains.
pub(super) fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let mut output = Output::new(Format::Human, "demo");
    output.note(
        "starting a small service that leaks files, connections and threads beside healthy \
         traffic; its handles normally live under 2 s (--lifetime 2s)",
    )?;
    let service = Command::new(own)
        .arg("demo-service")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the demo service")?;
    let service = Service(service);
    let pid = service.0.id();
    output.note("")?;
    output.note(&format!("$ poolscan watch {pid} --lifetime 2s --for {}s", args.time.as_secs()))?;
    let result = watch::run(&WatchArgs {
        selectors: vec![pid.to_string()],
        judging: Judging {
            format: Format::Auto,
            lifetime: Some(LIFETIME),
            fail_on: FailOn::Never,
            require_verdict: false,
            report: None,
            connections: None,
        },
        sources: SourceArgs::default(),
        interval: None,
        time: Some(args.time),
        once: false,
        record: None,
        record_max: None,
        metrics: MetricsArgs::default(),
        program: Vec::new(),
        tasks: TokioArgs { tokio: Tokio::Off },
        tracing: TraceArgs {
            trace: Trace::Off,
            trace_for: None,
            trace_max: Duration::from_mins(15),
            trace_out: None,
            on_emfile: false,
            source: None,
            source_map: Vec::new(),
        },
    });
    drop(service);
    let exit = result?;
    output.note(
        "\nThe files, the forgotten connections and the parked threads were found; the pool that is \
         used, and the files and connections that are closed, were left alone.\nNext: `poolscan \
         watch PID` on a service of yours; docs/verdicts.md says how to read a verdict.",
    )?;
    Ok(exit)
}

/// Ends the service however the demo ends.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It also ends by itself when its standard input closes.
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The service itself, in a process of its own.
pub(super) fn service() -> anyhow::Result<Exit> {
    service::run()?;
    Ok(Exit::Nothing)
}
