//! What an fd that is no socket is, in words.

use rustix::fs::{AtFlags, FileType, StatxFlags, statat, statx};

use super::link::Link;
use super::pattern::Patterns;
use crate::live::facts::HandleFacts;
use crate::live::target::Process;

/// Which end of a pipe an entry is: the link's permissions show the mode it was opened with.
pub fn pipe_end(process: &Process, entry: &str) -> (u64, &'static str) {
    let mode = statat(process.dir(), entry, AtFlags::SYMLINK_NOFOLLOW).map_or(0, |s| s.st_mode);
    match (mode & 0o400 != 0, mode & 0o200 != 0) {
        (true, false) => (1, " read end"),
        (false, true) => (2, " write end"),
        _ => (3, ""),
    }
}

/// Kind and pattern of an entry; asks the kernel only for those with a path.
pub fn describe(
    link: Link<'_>,
    process: &Process,
    entry: &str,
    patterns: &mut Patterns,
) -> HandleFacts {
    let (mut inode, mut bytes) = (None, None);
    let (kind, peer) = match link {
        Link::Socket(_) => ("socket", patterns.word("")),
        Link::Pipe(_) => ("pipe", patterns.word("")),
        Link::Anonymous("memfd", name) => ("memfd", patterns.path(name)),
        Link::Anonymous(kind, name) => (kind, patterns.word(&String::from_utf8_lossy(name))),
        Link::Deleted(path) | Link::Path(path) => {
            let marked = matches!(link, Link::Deleted(_));
            // No traffic to a file server that may hang: what is cached is good enough.
            let flags = AtFlags::STATX_DONT_SYNC;
            let mask = StatxFlags::TYPE | StatxFlags::NLINK | StatxFlags::INO | StatxFlags::BLOCKS;
            let stat = statx(process.dir(), entry, flags, mask).ok();
            inode = stat.map(|stat| stat.stx_ino);
            let kind = match stat.map(|s| FileType::from_raw_mode(s.stx_mode.into())) {
                Some(FileType::Directory) => "directory",
                Some(FileType::CharacterDevice | FileType::BlockDevice) => "device",
                Some(FileType::Fifo) => "pipe",
                _ if marked && stat.is_none_or(|stat| stat.stx_nlink == 0) => "deleted_file",
                _ => "file",
            };
            if kind == "deleted_file" {
                // Blocks are of 512 bytes, whatever the file system uses.
                bytes = stat.map(|stat| Box::new(stat.stx_blocks.saturating_mul(512)));
            }
            (kind, patterns.path(path))
        }
    };
    HandleFacts { peer, inode, bytes, ..HandleFacts::of_kind(patterns.word(kind)) }
}
