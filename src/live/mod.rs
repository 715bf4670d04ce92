//! Everything about running processes: from bytes in /proc to a verdict.

pub mod collect;
pub mod facts;
pub mod host;
pub mod outcome;
pub mod target;
