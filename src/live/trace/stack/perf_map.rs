//! Names of functions that a just-in-time compiler wrote down: /tmp/perf-PID.map.

use std::io::Read as _;
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::maps::file_within;

/// Bytes read of it.
const MOST_BYTES: u64 = 32 << 20;

/// Functions by address.
#[derive(Debug, Default)]
pub(super) struct PerfMap {
    /// Start, end, and where the name is.
    functions: Vec<(u64, u64, std::ops::Range<usize>)>,
    text: String,
}

impl PerfMap {
    /// Reads the one of a process, below its own root and by its own number.
    pub(super) fn of(dir: BorrowedFd<'_>, own_pid: u32) -> Option<Self> {
        let file = file_within(dir, Path::new(&format!("tmp/perf-{own_pid}.map"))).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Reads lines such as `7f01a0 3c LazyCompile:*open /app/db.js:10`.
    fn parse(text: &str) -> Self {
        let mut functions = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let mut parts = line.trim_end().splitn(3, ' ');
            let mut hex = || {
                let text = parts.next()?;
                u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
            };
            let (Some(from), Some(size)) = (hex(), hex()) else { continue };
            let Some(name) = parts.next().filter(|name| !name.is_empty()) else { continue };
            let end = start + line.trim_end().len();
            functions.push((from, from.saturating_add(size), end - name.len()..end));
        }
        // What was compiled again later stands behind, and counts.
        functions.sort_by_key(|&(from, ..)| from);
        Self { functions, text: text.to_owned() }
    }

    /// The function around an address.
    pub(super) fn at(&self, address: u64) -> Option<&str> {
        let behind = self.functions.partition_point(|&(from, ..)| from <= address);
        let (_, to, name) = self.functions.get(behind.checked_sub(1)?)?;
        (address < *to).then(|| &self.text[name.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_are_skipped() {
        let map = PerfMap::parse(
            "1000 10 LazyCompile:*open /app/db.js:10\n\nzz 1 x\n2000\n2000 ffffffffffffffff all\n\
             0x1000 20 again\n",
        );
        assert_eq!((map.at(0x1000), map.at(0x101f)), (Some("again"), Some("again")));
        assert_eq!((map.at(0xfff), map.at(0x1020)), (None, None));
        assert_eq!(map.at(u64::MAX - 1), Some("all"));
    }
}
