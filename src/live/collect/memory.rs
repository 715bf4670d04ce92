//! Resident memory: a gauge a process, and their sum.

use std::time::Duration;

use procfs::FromRead;
use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use crate::live::facts::SourceStatus;
use crate::live::target::{Process, Target};

/// Reads the resident memory of every process.
pub fn sample(target: &Target, cost: Duration, beat: &mut Beat<'_>) {
    let mut total = 0.0;
    let mut known = false;
    let mut missing = Vec::new();
    for process in &target.processes {
        match resident_bytes(process) {
            Ok(bytes) => {
                let value = bytes as f64;
                total += value;
                known = true;
                beat.gauge(target.id, Some(process.pid), "rss_bytes", value);
            }
            Err(error) => missing.push(format!("process {}: {error}", process.pid)),
        }
    }
    if known {
        beat.gauge(target.id, None, "rss_bytes", total);
    }
    let status = match (known, missing.is_empty()) {
        (_, true) => SourceStatus::Ok,
        (true, false) => SourceStatus::Partial,
        (false, false) => SourceStatus::Unavailable,
    };
    beat.source(target.id, "memory", status, &missing.join("; "), cost);
}

fn resident_bytes(process: &Process) -> Result<u64, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(process.dir(), "statm", flags, Mode::empty()).map_err(|e| e.to_string())?;
    let statm = procfs::process::StatM::from_read(std::fs::File::from(file))
        .map_err(|error| error.to_string())?;
    Ok(statm.resident * rustix::param::page_size() as u64)
}
