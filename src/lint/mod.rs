//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
mod bodies;
#[allow(dead_code, reason = "engines that use the rest are being written")]
mod cfg;
#[allow(dead_code, reason = "engines that use the rest are being written")]
mod checks;
mod facts;
mod findings;
mod flow;
#[allow(dead_code, reason = "engines that use the rest are being written")]
mod ir;
#[allow(dead_code, reason = "engines that use the rest are being written")]
mod names;
mod options;
mod package;
mod run;
pub mod suppress;
pub mod syntax;
mod types;
mod why;
pub mod workspace;

pub use answer::{Issue, Report, Stats};
pub use options::{Options, Progress};
pub use run::run;
