//! Everything about running processes: from bytes in /proc to a verdict.

pub mod census;
pub mod collect;
pub mod detect;
pub mod facts;
pub mod host;
pub mod outcome;
pub mod record;
pub mod target;
pub mod watch;
