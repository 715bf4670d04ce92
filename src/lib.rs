//! poolscan finds what a service holds on to: it tells a leaking process from a healthy one.
//!
//! The library is the tool's own; only the command line, its documents, exit codes and recordings
//! are stable interfaces (STABILITY.md).

pub mod catalog;
pub mod cli;
pub mod config;
pub mod finding;
pub mod join;
pub mod lint;
pub mod live;
pub mod report;
