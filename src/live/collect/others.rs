//! The collectors beside the fd table, each with the CPU time it has used.

use std::time::Duration;

use super::beat::Beat;
use super::children::Children;
use super::limits::Limits;
use super::mappings::Mappings;
use super::memory;
use super::sampler::cpu_time;
use super::started::Started;
use super::threads::Threads;
use crate::live::host::process_table::ProcessTable;
use crate::live::target::Target;

/// Threads, children, limits, mappings and memory of one target.
#[derive(Debug, Default)]
pub(super) struct Others {
    threads: Threads,
    children: Children,
    limits: Limits,
    mappings: Mappings,
    /// In this order, and memory last.
    costs: [Duration; 5],
}

impl Others {
    /// Tells of threads where they stand in the kernel, too.
    pub(super) fn with_stacks(&mut self) {
        self.threads.with_stacks();
    }

    /// Threads and children that the last pass found first.
    pub(super) fn started(&self) -> impl Iterator<Item = Started> {
        self.threads.started.iter().chain(&self.children.started).copied()
    }

    /// One pass of each.
    pub(super) fn sample(&mut self, target: &Target, table: &ProcessTable, beat: &mut Beat<'_>) {
        let mut costs = self.costs;
        timed(&mut costs[0], |cost| self.threads.sample(target, cost, beat));
        timed(&mut costs[1], |cost| self.children.sample(target, table, cost, beat));
        timed(&mut costs[2], |cost| self.limits.sample(target, table, cost, beat));
        timed(&mut costs[3], |cost| self.mappings.sample(target, cost, beat));
        timed(&mut costs[4], |cost| memory::sample(target, cost, beat));
        self.costs = costs;
    }
}

/// A collector reports the cost up to its last pass; this one's is added afterwards.
fn timed(cost: &mut Duration, pass: impl FnOnce(Duration)) {
    let begin = cpu_time();
    pass(*cost);
    *cost += cpu_time().saturating_sub(begin);
}
