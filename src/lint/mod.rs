//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
mod facts;
mod ir;
mod names;
pub mod syntax;
mod types;
pub mod workspace;

pub use answer::{Issue, Report, Stats};
