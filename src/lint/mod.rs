//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
mod facts;
mod ir;
mod names;
mod options;
pub mod suppress;
pub mod syntax;
mod types;
pub mod workspace;

pub use answer::{Issue, Report, Stats};
pub use options::{Options, Progress};

/// Analyses what the options name.
///
/// # Errors
/// When nothing could be started; what is wrong with single files is in the report.
// Placeholder until the analyser is merged.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    if let Some(progress) = &options.progress {
        progress.tell(0, 0);
    }
    Ok(Report::default())
}
