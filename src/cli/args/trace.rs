//! What is traced of who opens handles.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::join::Remap;

/// When it is traced who opens handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Trace {
    /// When something is suspected to leak, until it is known who opens it
    Auto,
    /// From the beginning
    On,
    /// Never
    Off,
}

/// Tracing, for `watch`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TraceArgs {
    /// Trace in the kernel which lines open what leaks; needs CAP_PERFMON (docs/openers.md)
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(in crate::cli) trace: Trace,
    /// Copy stacks for so long only; later openings are told where frame pointers suffice
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) trace_for: Option<Duration>,
    /// Longest time of one trace
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15min")]
    pub(in crate::cli) trace_max: Duration,
    /// At the end, write the stacks that opened what leaks, folded for flame graphs
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) trace_out: Option<PathBuf>,
    /// Wait for the first call that fails for want of a file descriptor (EMFILE, ENFILE): tell where
    /// it was made, and look at once at all that is held; needs CAP_PERFMON (docs/openers.md)
    #[arg(long, conflicts_with = "once")]
    pub(in crate::cli) on_emfile: bool,
    /// The source of the program: its lines and findings of the linter are told beside what opens
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) source: Option<PathBuf>,
    /// Paths of source where the program was built, and here
    #[arg(long, value_name = "FROM=TO", requires = "source")]
    pub(in crate::cli) source_map: Vec<Remap>,
}
