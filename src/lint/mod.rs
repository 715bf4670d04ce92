//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
mod ir;
mod names;
pub mod syntax;

pub use answer::{Issue, Report, Stats};
