//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
mod cfg;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
mod facts;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
mod ir;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
mod names;
mod options;
pub mod suppress;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
pub mod syntax;
#[allow(dead_code, unused_imports, reason = "the engines that use it come next")]
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
