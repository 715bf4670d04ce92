//! Memory mappings of each process, which count against `vm.max_map_count`.

use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};

use super::beat::Beat;
use crate::live::facts::{Fact, SourceStatus};
use crate::live::target::{Process, Target};

/// Mappings are counted on the first beat and then on each so many: the kernel writes a line for
/// each of them.
const EVERY: u32 = 12;
/// Processes looked at on one of these beats.
const PROCESSES: usize = 256;
/// Bytes read of one list, about a hundred a line.
const MOST: usize = 64 << 20;

/// Follows the mappings of one target.
#[derive(Debug, Default)]
pub(super) struct Mappings {
    beats: u32,
    reason: String,
}

impl Mappings {
    /// Reads the gauge `mappings` of every process.
    pub(super) fn sample(&mut self, target: &Target, cost: Duration, beat: &mut Beat<'_>) {
        if self.beats.is_multiple_of(EVERY) {
            let mut missing = Vec::new();
            let left_out = target.processes.len().saturating_sub(PROCESSES);
            for process in target.processes.iter().take(PROCESSES) {
                match count(process) {
                    Ok(count) => beat.out.push(Fact::Gauge {
                        at: beat.at,
                        target: target.id,
                        pid: Some(process.pid),
                        name: "mappings".into(),
                        value: count as f64,
                    }),
                    Err(reason) => missing.push(format!("process {}: {reason}", process.pid)),
                }
            }
            if left_out > 0 {
                missing.push(format!("{left_out} processes above the first {PROCESSES}"));
            }
            self.reason = missing.join("; ");
        }
        self.beats = self.beats.wrapping_add(1);
        let status = if self.reason.is_empty() { SourceStatus::Ok } else { SourceStatus::Partial };
        beat.source(target.id, "mappings", status, &self.reason, cost);
    }
}

fn count(process: &Process) -> Result<u64, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(process.dir(), "maps", flags, Mode::empty()).map_err(|e| e.to_string())?;
    let mut file = File::from(file);
    let mut buffer = vec![0; 64 * 1024];
    let (mut lines, mut bytes) = (0, 0);
    loop {
        match file.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok(lines),
            length => {
                bytes += length;
                lines += buffer[..length].iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
        }
        if bytes > MOST {
            return Err(format!("more than {lines} mappings, which is where counting stops"));
        }
    }
}
