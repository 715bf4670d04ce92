//! What a process has mapped to be run, and the files behind it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, major, minor, openat, openat2};

/// Bytes read of a list of mappings, about a hundred a line.
const MOST_BYTES: u64 = 16 << 20;
/// Mappings with code that are kept. A just-in-time compiler has many, all without a file.
const MOST: usize = 16_384;

/// A stretch of memory with code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// Device and inode of the file; inode 0 where there is none.
    pub(super) file: (u32, u32, u64),
    /// As the kernel tells it. Untrusted.
    path: Vec<u8>,
}

impl Mapping {
    pub(super) fn holds(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    pub(super) fn has_file(&self) -> bool {
        self.file.2 != 0
    }

    /// The name of its file without folders, or what the kernel calls it.
    pub(super) fn name(&self) -> Arc<str> {
        let path = self.path.strip_suffix(DELETED).unwrap_or(&self.path);
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        match name {
            [] => super::frames::NO_FILE.into(),
            name => String::from_utf8_lossy(name).into(),
        }
    }

    /// Its file as a text.
    pub(super) fn path(&self) -> String {
        String::from_utf8_lossy(self.path.strip_suffix(DELETED).unwrap_or(&self.path)).into_owned()
    }

    /// Opens its file: the very one that is mapped.
    pub(super) fn open(&self, dir: BorrowedFd<'_>) -> io::Result<File> {
        // Also reaches files that were deleted or replaced, where we may.
        let range = format!("map_files/{:x}-{:x}", self.start, self.end);
        if let Ok(file) = openat(dir, range, FLAGS, Mode::empty()) {
            return regular(file);
        }
        let mut replaced = false;
        for file in [self.by_path(dir), openat(dir, "exe", FLAGS, Mode::empty())] {
            let Ok(file) = file else { continue };
            let stat = fstat(&file)?;
            if (major(stat.st_dev), minor(stat.st_dev), stat.st_ino) == self.file {
                return regular(file);
            }
            replaced = true;
        }
        Err(if replaced { io::ErrorKind::StaleNetworkFileHandle } else { io::ErrorKind::NotFound }
            .into())
    }

    /// Within the root of the process: what a link of its leads to is below that, too.
    fn by_path(&self, dir: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
        let path = self.path.strip_prefix(b"/").ok_or(rustix::io::Errno::NOENT)?;
        within(dir, Path::new(std::ffi::OsStr::from_bytes(path)))
    }
}

const DELETED: &[u8] = b" (deleted)";
/// A pipe in the place of a file must not make us wait.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Opens a file below the root of a process.
fn within(dir: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let root = openat(dir, "root", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    openat2(root, path, FLAGS, Mode::empty(), ResolveFlags::IN_ROOT)
}

/// The same, for a file that must be one.
pub(super) fn file_within(dir: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    regular(within(dir, path)?)
}

/// Refuses what is no file: reading a device may do something.
fn regular(file: OwnedFd) -> io::Result<File> {
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(io::Error::other("not a regular file")),
    }
}

/// Reads what may be run, in the order of addresses.
pub(super) fn read(dir: BorrowedFd<'_>) -> io::Result<Vec<Mapping>> {
    let file = openat(dir, "maps", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = Vec::new();
    File::from(file).take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(mapping).take(MOST).collect())
}

/// Reads a line such as `5581-5590 r-xp 00001000 fd:01 42   /usr/bin/x`.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut parts = line.splitn(6, |&byte| byte == b' ');
    let mut part = || std::str::from_utf8(parts.next()?).ok();
    let (start, end) = part()?.split_once('-')?;
    if part()?.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let offset = hex(part()?)?;
    let (high, low) = part()?.split_once(':')?;
    let inode = part()?.parse().ok()?;
    let path = parts.next().unwrap_or_default().trim_ascii_start().to_vec();
    let file = (u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?, inode);
    let (start, end) = (hex(start)?, hex(end)?);
    (start < end).then_some(Mapping { start, end, offset, file, path })
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_others_skipped() {
        let line = b"5581-5590 r-xp 00001000 fd:01 42                  /usr/lib/a b.so (deleted)";
        let found = mapping(line).unwrap();
        assert_eq!((found.start, found.end, found.offset), (0x5581, 0x5590, 0x1000));
        assert_eq!((found.file, &*found.name()), ((0xfd, 1, 42), "a b.so"));
        assert!(found.holds(0x5581) && !found.holds(0x5590) && found.has_file());
        assert!(mapping(b"5581-5590 rw-p 00001000 fd:01 42 /x").is_none());
        for broken in [&b""[..], b"zz-5590 r-xp 0 fd:01 42", b"9-1 r-xp 0 fd:01 42", b"\xff\xfe"] {
            assert!(mapping(broken).is_none());
        }
        let anonymous = mapping(b"1-2 r-xp 00000000 00:00 0 ").unwrap();
        assert!(!anonymous.has_file() && &*anonymous.name() == super::super::frames::NO_FILE);
    }

    #[test]
    fn our_own_code_is_found() {
        let dir = openat(rustix::fs::CWD, "/proc/self", OFlags::PATH, Mode::empty()).unwrap();
        let here = our_own_code_is_found as *const () as u64;
        let all = read(std::os::fd::AsFd::as_fd(&dir)).unwrap();
        let own = all.iter().find(|mapping| mapping.holds(here)).unwrap();
        assert!(own.open(std::os::fd::AsFd::as_fd(&dir)).is_ok());
    }
}
