//! A tracepoint by its name: its number, and where its fields are.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Where the folder of all tracepoints is mounted, on most machines.
const MOUNTED: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// More than the description of any tracepoint takes.
const MOST_BYTES: usize = 64 * 1024;

/// A tracepoint of this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracepoint {
    /// Its number, as perf_event_open(2) wants it.
    pub id: u64,
    fields: BTreeMap<String, Field>,
}

/// Where a field is in what the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    offset: usize,
    size: usize,
}

impl Tracepoint {
    /// Looks one up, such as `sock/inet_sock_set_state`. Where tracefs is not mounted, a mount of
    /// our own is used that nobody else sees and that ends with this call.
    ///
    /// # Errors
    /// When tracefs may not be read, or the kernel has no such tracepoint.
    pub fn named(name: &str) -> io::Result<Self> {
        let folder = open()?;
        let read = |what: &str| read(&folder, &format!("events/{name}/{what}"));
        let id = read("id")?.trim().parse().map_err(io::Error::other)?;
        Ok(Self { id, fields: fields_of(&read("format")?) })
    }

    /// A field by its name.
    ///
    /// # Errors
    /// When this kernel's tracepoint has none of that name and size, in bytes.
    pub fn field(&self, name: &str, size: usize) -> io::Result<Field> {
        let known = self.fields.get(name).copied().filter(|field| field.size == size);
        known.ok_or_else(|| io::Error::other(format!("the tracepoint has no field {name}")))
    }
}

impl Field {
    /// Its bytes in what the kernel told; `None` where that is shorter.
    pub fn of<const SIZE: usize>(self, raw: &[u8]) -> Option<[u8; SIZE]> {
        raw.get(self.offset..)?.first_chunk().copied()
    }
}

/// Whether tracefs is mounted where everybody looks for it.
pub fn is_mounted() -> bool {
    MOUNTED
        .iter()
        .any(|folder| openat(CWD, format!("{folder}/events"), FOLDER, Mode::empty()).is_ok())
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

fn open() -> io::Result<OwnedFd> {
    for folder in MOUNTED {
        let Ok(folder) = openat(CWD, folder, FOLDER, Mode::empty()) else { continue };
        if openat(&folder, "events", FOLDER, Mode::empty()).is_ok() {
            return Ok(folder);
        }
    }
    let own = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&own)?;
    Ok(fsmount(&own, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)?)
}

fn read(folder: &OwnedFd, path: &str) -> io::Result<String> {
    let file = openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = vec![0; MOST_BYTES];
    let mut length = 0;
    loop {
        match rustix::io::read(&file, &mut text[length..])? {
            0 => break,
            more => length += more,
        }
    }
    text.truncate(length);
    String::from_utf8(text).map_err(io::Error::other)
}

/// Reads lines, with tabs between their parts, such as `field:__u16 sport; offset:24; size:2; signed:0;`.
fn fields_of(text: &str) -> BTreeMap<String, Field> {
    text.lines().filter_map(|line| field_of(line.trim())).collect()
}

fn field_of(line: &str) -> Option<(String, Field)> {
    let mut parts = line.split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?;
    let name = declared.rsplit(' ').next()?.split('[').next()?;
    let mut number = |name: &str| parts.next()?.strip_prefix(name)?.parse().ok();
    let field = Field { offset: number("offset:")?, size: number("size:")? };
    Some((name.to_owned(), field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let text = "name: x\nID: 7\nformat:\n\
            \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
            \tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\n\
            \tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;\n\
            \tfield:broken;\toffset:;\n\nprint fmt: \"field:%s\", REC->x\n";
        let fields = fields_of(text);
        assert_eq!(fields["common_flags"], Field { offset: 2, size: 1 });
        assert_eq!(fields["skaddr"], Field { offset: 8, size: 8 });
        assert_eq!(fields["daddr"], Field { offset: 36, size: 4 });
        assert_eq!(fields.len(), 3);
        let tracepoint = Tracepoint { id: 7, fields };
        assert!(tracepoint.field("skaddr", 4).is_err() && tracepoint.field("sport", 2).is_err());
        let field = tracepoint.field("common_flags", 1).unwrap();
        assert_eq!(field.of::<1>(&[1, 2, 3]), Some([3]));
        assert_eq!(field.of::<2>(&[1, 2, 3]), None);
    }
}
