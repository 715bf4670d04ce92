//! What a run of the linter is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;

use crate::catalog::Catalog;

/// Settings of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Suppressions that hold until a day before this one are not applied.
    pub today: Date,
    /// Files and folders; the working directory when empty.
    pub paths: Vec<PathBuf>,
    /// Only these rules; all when empty. Ids, never aliases.
    pub select: Vec<String>,
    /// Not these rules.
    pub ignore: Vec<String>,
    /// Rules and facts; those of the binary when absent.
    pub catalog: Option<Arc<Catalog>>,
    /// Threads; as many as there are cores when absent.
    pub threads: Option<usize>,
    /// Explain every candidate on this line, reported or not.
    pub why: Option<(PathBuf, u32)>,
    /// Texts that stand for files, by absolute path: what an editor holds, or a fix would leave,
    /// with a byte order mark where there is one.
    pub overlay: BTreeMap<PathBuf, Arc<str>>,
    /// Told of progress now and then.
    pub progress: Option<Progress>,
    /// What earlier runs worked out. Such packages have no counts of candidates and no times, and
    /// nothing in them is explained.
    pub cache: Option<Cache>,
}

/// Keeps what was worked out before, by key. Whether it does is nobody's business: an answer is the
/// same with and without it.
pub trait Store: Send + Sync {
    /// What was put under this key, unharmed.
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>>;
    /// Keeps this for later, if it can.
    fn put(&self, key: &[u8; 32], value: &[u8]);
}

/// What packages were found to hold, from run to run.
#[derive(Clone)]
pub struct Cache(pub Arc<dyn Store>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

/// Told how many files are done and how many there are so far; from any thread.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(u64, u64) + Send + Sync>);

impl Progress {
    /// Tells that `done` of `total` files are done.
    pub fn tell(&self, done: u64, total: u64) {
        (self.0)(done, total);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
