//! Everything about running processes: from bytes in /proc to a verdict.
//!
//! What reads /proc and asks the kernel is Linux only; judgement and recordings work everywhere.

pub mod census;
pub mod checkup;
#[cfg(target_os = "linux")]
pub mod collect;
pub mod compare;
pub mod detect;
pub mod diagnose;
pub mod facts;
pub mod history;
#[cfg(target_os = "linux")]
pub mod host;
pub mod inventory;
pub mod life_spans;
pub mod outcome;
pub mod overview;
pub mod record;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
pub mod target;
#[cfg(target_os = "linux")]
pub mod trace;
pub mod wall_clock;
pub mod watch;
