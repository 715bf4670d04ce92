//! The arguments, their help and their examples.

#[cfg(all(test, target_os = "linux"))]
mod examples;
mod lint;
mod shell;
#[cfg(target_os = "linux")]
mod tokio;
#[cfg(target_os = "linux")]
mod trace;

#[cfg(target_os = "linux")]
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use lint::{
    Choosing, Color, ExplainArgs, LintArgs, LintFormat, LspArgs, Output, PageFormat, RulesArgs,
    RulesCommand, RulesTestArgs,
};
pub(super) use shell::{CompletionsArgs, ManArgs};

#[cfg(target_os = "linux")]
pub(super) use tokio::{Tokio, TokioArgs};
#[cfg(target_os = "linux")]
pub(super) use trace::{Trace, TraceArgs};

use crate::finding::Verdict;

/// Finds what a service holds on to.
#[derive(Debug, Parser)]
#[command(
    name = "poolscan",
    version,
    about = "Tells a leaking process from a healthy one, and finds the lines of Rust that leak",
    after_help = "Examples:\n  poolscan watch 4711              watch a process until Ctrl-C\n  \
                  poolscan watch :8080             watch whoever listens on port 8080\n  \
                  poolscan demo                    see it at work on a service of its own\n  \
                  poolscan lint                    check the Rust source in this folder\n  \
                  poolscan lsp                     the same in an editor (docs/editors.md)\n\n\
                  Exit codes: 0 nothing found, 1 findings at or above --fail-on, 2 usage or \
                  internal error,\n3 no target could be watched, 4 inconclusive under \
                  --require-verdict, 130 interrupted"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sample running processes and judge what grows
    #[cfg(target_os = "linux")]
    Watch(WatchArgs),
    /// Watch many processes all the time, for Prometheus (docs/prometheus.md)
    #[cfg(target_os = "linux")]
    Agent(AgentArgs),
    /// Show which process is near its limit of open files
    #[cfg(target_os = "linux")]
    Top(TopArgs),
    /// List the handles that a process holds, and who is at the other end
    #[cfg(target_os = "linux")]
    Ls(LsArgs),
    /// Write down everything that is held now, as evidence before a restart
    #[cfg(target_os = "linux")]
    Snapshot(SnapshotArgs),
    /// Try which sources of evidence work here, and say how to get the others
    #[cfg(target_os = "linux")]
    Doctor(DoctorArgs),
    /// Compare two snapshots or recordings: what opened, what stayed, what grew
    Diff(DiffArgs),
    /// Judge recordings again: same findings as the live run
    Replay(ReplayArgs),
    /// Start a small leaking service, watch it and explain it (about 20 s)
    #[cfg(target_os = "linux")]
    Demo(DemoArgs),
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    DemoService,
    /// Find the lines of Rust source that leak a handle or may wait for ever
    Lint(LintArgs),
    /// Tell an editor what lint finds, as a language server on standard input and output
    Lsp(LspArgs),
    /// List the rules of lint
    Rules(RulesArgs),
    /// Explain a rule: why, examples, limits
    Explain(ExplainArgs),
    /// Print what a shell completes our commands and options by
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder
    Man(ManArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Screens on a terminal that can show them, plain lines elsewhere
    Auto,
    /// Text
    Human,
    /// One document at the end
    Json,
    /// A line for each change, the last one the summary
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Exit 1 when something leaks
    Leaking,
    /// Exit 1 for suspects, too
    Suspect,
    /// Never exit 1
    Never,
}

impl FailOn {
    /// The least verdict that fails.
    pub(super) fn threshold(self) -> Option<Verdict> {
        match self {
            Self::Leaking => Some(Verdict::Leaking),
            Self::Suspect => Some(Verdict::Suspect),
            Self::Never => None,
        }
    }
}

/// How to judge and show, for `watch` and `replay`.
#[derive(Debug, Args)]
pub(super) struct Judging {
    /// How to show the answer
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) format: Format,
    /// Longest normal life of a handle in this service (such as 90s, 10min): everything older
    /// counts as suspicious, and shorter lifetimes give verdicts sooner
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) lifetime: Option<Duration>,
    /// Least verdict that makes the exit code 1
    #[arg(long, value_enum, default_value = "leaking", value_name = "VERDICT")]
    pub(super) fail_on: FailOn,
    /// Exit with 4 when there was too little to judge by
    #[arg(long)]
    pub(super) require_verdict: bool,
    /// At the end, write a page with charts to this file (HTML, docs/report.md)
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Tell connections opened, active and how long they lived, by direction and peer: estimated by
    /// what the kernel keeps of them, or exactly, traced in the kernel (docs/connections.md)
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) connections: Option<Connections>,
}

/// How closely connections are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Connections {
    /// What is seen, and an estimate of the rest
    Estimate,
    /// Every connection, by a tracepoint of the kernel; needs CAP_PERFMON
    Exact,
}

/// Sources beside the process itself.
#[cfg(target_os = "linux")]
#[derive(Debug, Default, Args)]
pub(super) struct SourceArgs {
    /// Ask a Go program for its goroutines (net/http/pprof), such as http://127.0.0.1:6060; once a
    /// minute, below 20,000 of them, it stands still while it writes all stacks (0.7 s at 18,500)
    #[arg(long, value_name = "URL")]
    pub(super) pprof: Option<String>,
    /// Read pools from metrics in the text format of Prometheus, such as
    /// http://127.0.0.1:9090/metrics
    #[arg(long, value_name = "URL")]
    pub(super) metrics: Option<String>,
    /// Names of your own pool metrics (docs/endpoints.md)
    #[arg(long, value_name = "FILE", requires = "metrics")]
    pub(super) metrics_map: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan watch 4711                         until Ctrl-C, verdicts as they come\n  \
    poolscan watch nginx --for 15min            a tree of processes as one target\n  \
    poolscan watch :5432 --once                 one look: limits, kinds, first-sample rule\n  \
    poolscan watch redis.service --record r.jsonl.gz\n  \
    poolscan watch 4711 --for 15min --report out.html\n  \
    poolscan watch nginx --serve :9464          numbers for Prometheus at /metrics\n  \
    poolscan watch nginx --otlp http://127.0.0.1:4318\n  \
    poolscan watch api --pprof http://127.0.0.1:6060\n  \
    poolscan watch api --metrics http://127.0.0.1:9090/metrics\n  \
    poolscan watch 4711 --trace on              which lines open what stays open\n  \
    poolscan watch 4711 --on-emfile             which call fails first at the limit\n  \
    poolscan watch --lifetime 5s -- ./my-test   gate a test: exit 1 when it leaks")]
pub(super) struct WatchArgs {
    /// pid, name, :PORT, unit NAME.service, container:ID or cgroup:/PATH
    #[arg(value_name = "SELECTOR", required_unless_present = "program")]
    pub(super) selectors: Vec<String>,
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    /// How often to count
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) interval: Option<Duration>,
    /// Stop after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(super) time: Option<Duration>,
    /// Look once and judge by what one sample can say
    #[arg(long, conflicts_with = "time")]
    pub(super) once: bool,
    /// Write everything that was seen to a file (compressed if it ends in .gz)
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Stop recording at this size (such as 100MB)
    #[arg(long, value_name = "SIZE", requires = "record", value_parser = size)]
    pub(super) record_max: Option<u64>,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    #[command(flatten)]
    pub(super) tasks: TokioArgs,
    #[command(flatten)]
    pub(super) tracing: TraceArgs,
    /// Start this program and watch it to its end
    #[arg(last = true, value_name = "CMD", conflicts_with = "selectors")]
    pub(super) program: Vec<String>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  poolscan agent --config /etc/poolscan/agent.toml\n\n\
    The file:\n  serve = \":9464\"                    # and, or: textfile = \"/path/poolscan.prom\"\n  \
    otlp = \"http://127.0.0.1:4318\"     # and, or: a collector of OpenTelemetry\n  \
    interval = \"15s\"                  # how often handles are looked at\n  \
    discover = \"60s\"                  # how often new processes are looked for\n  \
    lifetime = \"10min\"                # longest normal life of a handle; default: per kind\n  \
    targets = [\"nginx\", \":5432\", \"redis.service\", \"container:api\"]\n\n\
    Exit codes: 2 usage, configuration or internal error, 130 interrupted")]
pub(super) struct AgentArgs {
    /// What to watch and where numbers go (TOML)
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

/// Where numbers for Prometheus go.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Default, Args)]
pub(super) struct MetricsArgs {
    /// Answer Prometheus at this address: /metrics and /healthz; without a host only from this
    /// machine (such as :9464, docs/prometheus.md)
    #[arg(long, value_name = "ADDR", value_parser = super::serve::address)]
    pub(super) serve: Option<SocketAddr>,
    /// Keep the same numbers in a file, for the textfile collector of another exporter
    #[arg(long, value_name = "FILE")]
    pub(super) textfile: Option<PathBuf>,
    /// Send the same numbers, and changes of findings, to a collector of OpenTelemetry (OTLP over
    /// HTTP), such as http://127.0.0.1:4318; only in builds with the feature otlp
    #[arg(long, value_name = "URL")]
    pub(super) otlp: Option<String>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan top                                redrawn until Ctrl-C, on a terminal\n  \
    poolscan top --once --most 10               two looks, the ten fullest processes\n  \
    poolscan top --format json")]
pub(super) struct TopArgs {
    /// How to show them
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: PageFormat,
    /// Show one table instead of redrawing it; so does any output that is no terminal
    #[arg(long)]
    pub(super) once: bool,
    /// Time between two looks
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1s")]
    pub(super) interval: Duration,
    /// Show so many processes at most
    #[arg(long, value_name = "N")]
    pub(super) most: Option<usize>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan ls 4711                            every handle of a process\n  \
    poolscan ls nginx --group CLOSE_WAIT        those of one state\n  \
    poolscan ls :8080 --group 'tcp client > 10.0.0.7:5432' --format json\n\n\
    An age with >= is a lower bound: the handle was there before us, and something happened on it\n\
    so long ago.")]
pub(super) struct LsArgs {
    /// pid, name, :PORT, unit NAME.service, container:ID or cgroup:/PATH
    #[arg(value_name = "SELECTOR")]
    pub(super) selector: String,
    /// Only handles whose group (kind > role > peer > state) holds this text
    #[arg(long, value_name = "TEXT")]
    pub(super) group: Option<String>,
    #[command(flatten)]
    pub(super) tasks: TokioArgs,
    /// How to show them
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: PageFormat,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan snapshot 4711 -o before.jsonl.gz\n  \
    poolscan replay before.jsonl.gz             what one look says\n  \
    poolscan diff before.jsonl.gz after.jsonl.gz")]
pub(super) struct SnapshotArgs {
    /// pid, name, :PORT, unit NAME.service, container:ID or cgroup:/PATH
    #[arg(value_name = "SELECTOR", required = true)]
    pub(super) selectors: Vec<String>,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    /// The file, a recording of one tick (compressed if it ends in .gz)
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    #[command(flatten)]
    pub(super) tasks: TokioArgs,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  poolscan doctor\n  poolscan doctor 4711                        can this process be judged"
)]
pub(super) struct DoctorArgs {
    /// A process to try the sources on
    #[arg(value_name = "PID")]
    pub(super) pid: Option<u32>,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    /// How to show it
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: PageFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  poolscan diff before.jsonl.gz after.jsonl.gz\n\n\
    Of one process, handles are told apart; of two (two workers, canary and stable), only numbers\n\
    are compared. Of longer recordings the end counts.")]
pub(super) struct DiffArgs {
    /// The earlier one
    #[arg(value_name = "A")]
    pub(super) before: PathBuf,
    /// The later one
    #[arg(value_name = "B")]
    pub(super) after: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: PageFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  poolscan replay incident.jsonl.gz --format json\n  \
    poolscan replay incident.jsonl.gz --report incident.html")]
pub(super) struct ReplayArgs {
    /// Recordings
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) judging: Judging,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan demo\n  \
    poolscan demo --for 40s                     until more is certain")]
pub(super) struct DemoArgs {
    /// Longest time to watch
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "20s")]
    pub(super) time: Duration,
}

/// Reads `90s`, `500ms`, `10min`, `2h`, or plain seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 =
        number.parse().map_err(|_| format!("'{text}' is no duration such as 90s or 10min"))?;
    let seconds = match unit.trim() {
        "ms" => number / 1000.0,
        "" | "s" | "sec" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86_400.0,
        other => return Err(format!("'{other}' is no unit; use ms, s, min, h or d")),
    };
    if !(0.001..=31_536_000.0).contains(&seconds) {
        return Err("must lie between 1 ms and a year".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Reads `100MB`, `2GiB`, `500k`, or plain bytes.
#[cfg(target_os = "linux")]
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("'{text}' is no size such as 100MB"))?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        other => return Err(format!("'{other}' is no unit; use kB, MB, GB, KiB, MiB or GiB")),
    };
    number.checked_mul(factor).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5min"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("soon").is_err());
        assert!(duration("-1s").is_err());
        assert!(duration("0").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sizes() {
        assert_eq!(size("10MB"), Ok(10_000_000));
        assert!(size("99999999999GiB").is_err());
    }
}
