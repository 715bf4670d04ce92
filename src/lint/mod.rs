//! Finds what Rust source will leak or wait for, from the text alone: no compiler, no build.

mod answer;
pub mod baseline;
mod bodies;
mod cache;
mod cfg;
mod checks;
pub mod example;
mod facts;
mod findings;
pub mod fix;
mod flow;
mod interface;
mod ir;
mod members;
mod names;
mod options;
mod package;
mod part;
mod policy;
mod run;
mod scan;
pub mod since;
mod subject;
pub mod suppress;
pub mod syntax;
mod types;
mod why;
pub mod workspace;

pub use answer::{Issue, Report, Scope, Seen, Skipped, Stats};
pub use options::{Cache, Options, Progress, Store};
pub use policy::{Override, Paths, Policies, Policy};
pub use run::{Loaded, load, run, run_with};
