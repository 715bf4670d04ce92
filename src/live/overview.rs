//! Every process against its limit of open files: plain data that a pass fills and a report shows.

/// One process on one pass.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessRow {
    /// Its number.
    pub pid: u32,
    /// Its name. Untrusted text.
    pub name: String,
    /// Open fds; `None`: unknown, see [`Pass::hidden`].
    pub fds: Option<u64>,
    /// Its soft limit of open files; the outer `None`: unknown, the inner: unlimited.
    pub limit: Option<Option<u64>>,
    /// Threads.
    pub threads: Option<u64>,
    /// Growth of its fds per minute over the last minute; `None` on the first pass.
    pub per_minute: Option<f64>,
}

impl ProcessRow {
    /// Share of its limit that is used, 0 to 1; `None` where either is unknown or it has no limit.
    pub fn share(&self) -> Option<f64> {
        let limit = self.limit??;
        (limit > 0).then_some(self.fds? as f64 / limit as f64)
    }

    /// Seconds to the limit at the present growth; `None` when it does not grow.
    pub fn seconds_to_limit(&self) -> Option<f64> {
        let left = self.limit??.saturating_sub(self.fds?) as f64;
        self.per_minute.filter(|&rate| rate > 0.0).map(|rate| left * 60.0 / rate)
    }
}

/// All processes on one pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pass {
    /// Processes that hold fds, or of which that is not known, the fullest first.
    pub rows: Vec<ProcessRow>,
    /// Processes without any fd, such as threads of the kernel.
    pub empty: u64,
    /// Processes whose fds could not be counted.
    pub hidden: u64,
    /// Why, of the first of them; empty when there is none.
    pub hidden_reason: String,
}
