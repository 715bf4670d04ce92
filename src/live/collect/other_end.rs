//! Who is at the other end of a local connection or pipe: sockets by the kernel's tables, then
//! their holders by the fd tables of all processes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::AsFd as _;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, readlinkat_raw, statat};

use super::fd_table;
use super::link::{self, Link};
use super::netns;
use super::own::{self, Refusals};
use crate::live::host::sock_diag::TABLES;
use crate::live::host::socket_row::Proto;
use crate::live::inventory::Holder;
use crate::live::target::Process;

/// Most processes looked into.
const MAX_PROCESSES: usize = 32_768;
/// Most connections of a namespace that are kept to be matched.
const MAX_CONNECTIONS: usize = 1_000_000;

/// Something held, of which the other end is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A socket, by inode.
    Socket(u64),
    /// A pipe, by inode, as seen from this process and number.
    Pipe(u64, u32, u32),
}

/// The other ends that were found, and why others may be missing.
#[derive(Debug, Default)]
pub struct OtherEnds {
    /// By the end that was asked for.
    pub holders: BTreeMap<End, Holder>,
    /// Why it is not complete; empty when it is.
    pub reason: String,
}

/// Whether an entry of a pipe reads (1), writes (2) or both (3); 0 when it cannot be told.
type PipeMode = u32;

/// Finds the holders of the other ends. `processes` are those that hold `ends`: their network
/// namespaces are asked.
pub fn find(processes: &[Process], ends: &[End]) -> OtherEnds {
    let mut missing = Vec::new();
    let partners = partners(processes, ends, &mut missing);
    let mut wanted_sockets: BTreeSet<u64> = partners.values().copied().collect();
    wanted_sockets.remove(&0);
    let pipes: BTreeSet<u64> = ends
        .iter()
        .filter_map(|end| match end {
            End::Pipe(inode, ..) => Some(*inode),
            End::Socket(_) => None,
        })
        .collect();
    let mut found = OtherEnds::default();
    if wanted_sockets.is_empty() && pipes.is_empty() {
        found.reason = missing.join("; ");
        return found;
    }
    let held = scan(&wanted_sockets, &pipes, &mut missing);
    for &end in ends {
        let holder = match end {
            End::Socket(inode) => partners.get(&inode).and_then(|other| held.sockets.get(other)),
            End::Pipe(inode, pid, fd) => held.pipes.get(&inode).and_then(|entries| {
                let own = entries.iter().find(|(h, _)| (h.pid, h.fd) == (pid, fd))?.1;
                // The end that takes what this one gives; another process first.
                let opposite =
                    entries.iter().filter(|(_, mode)| own & mode == 0 && own | mode == 3);
                let others = opposite.clone().find(|(holder, _)| holder.pid != pid);
                others.or_else(|| opposite.clone().next()).map(|(holder, _)| holder)
            }),
        };
        if let Some(holder) = holder {
            found.holders.insert(end, holder.clone());
        }
    }
    found.reason = missing.join("; ");
    found
}

/// Inode of the socket at the other end, by inode of the one asked for.
fn partners(processes: &[Process], ends: &[End], missing: &mut Vec<String>) -> HashMap<u64, u64> {
    let asked: BTreeSet<u64> = ends
        .iter()
        .filter_map(|end| match end {
            End::Socket(inode) => Some(*inode),
            End::Pipe(..) => None,
        })
        .collect();
    let mut partners = HashMap::new();
    if asked.is_empty() {
        return partners;
    }
    let mut seen = BTreeSet::new();
    for process in processes {
        let Ok(stat) = statat(process.dir(), "ns/net", AtFlags::empty()) else { continue };
        if !seen.insert((stat.st_dev, stat.st_ino)) {
            continue;
        }
        let mut diag = match netns::open(process, (stat.st_dev, stat.st_ino)) {
            Ok(diag) => diag,
            Err(refusal) => {
                missing.push(format!("other ends of sockets: {}", refusal.reason));
                continue;
            }
        };
        let mut by_ends: HashMap<(Proto, Address, Address), u64> = HashMap::new();
        let mut own: Vec<(u64, (Proto, Address, Address))> = Vec::new();
        for table in TABLES {
            let dumped = diag.dump(table, &mut |row| {
                if row.proto == Proto::Unix {
                    if let Some(peer) = row.peer.filter(|_| asked.contains(&row.inode)) {
                        partners.insert(row.inode, u64::from(peer));
                    }
                    return;
                }
                if row.remote.1 == 0 || row.inode == 0 {
                    return;
                }
                let (local, remote) = (address(row.local), address(row.remote));
                if asked.contains(&row.inode) {
                    own.push((row.inode, (row.proto, remote, local)));
                }
                if by_ends.len() < MAX_CONNECTIONS {
                    by_ends.insert((row.proto, local, remote), row.inode);
                }
            });
            if let Err(error) = dumped {
                missing.push(format!("{table}: {error}"));
                break;
            }
        }
        for (inode, swapped) in own {
            if let Some(&other) = by_ends.get(&swapped) {
                partners.insert(inode, other);
            }
        }
    }
    partners
}

/// An address and port; v4-mapped addresses as IPv4.
type Address = (IpAddr, u16);

fn address((address, port): Address) -> Address {
    (address.to_canonical(), port)
}

/// Holders of sockets and pipes, by inode.
#[derive(Default)]
struct Held {
    sockets: HashMap<u64, Holder>,
    pipes: HashMap<u64, Vec<(Holder, PipeMode)>>,
}

/// Looks through the fd tables of all processes.
fn scan(sockets: &BTreeSet<u64>, pipes: &BTreeSet<u64>, missing: &mut Vec<String>) -> Held {
    let mut held = Held::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = openat(CWD, "/proc", flags, Mode::empty()) else {
        missing.push("other ends: /proc cannot be listed".to_owned());
        return held;
    };
    let mut pids = Vec::new();
    if fd_table::each_number(proc.as_fd(), |pid| pids.push(pid)).is_err() {
        missing.push("other ends: /proc was not listed to its end".to_owned());
    }
    pids.truncate(MAX_PROCESSES);
    let mut refused = Refusals::default();
    for pid in pids {
        match fd_table::open(proc.as_fd(), &format!("{pid}/fd")) {
            Ok(folder) => holders_in(pid, folder.as_fd(), sockets, pipes, &mut held),
            Err(error) if own::is_gone(error) => {}
            Err(error) => refused.add(error),
        }
    }
    if let Some(error) = refused.first {
        let (count, why) = (refused.count, own::why(error));
        missing.push(format!("other ends in {count} processes are unknown: {why}"));
    }
    held
}

fn holders_in(
    pid: u32,
    folder: std::os::fd::BorrowedFd<'_>,
    sockets: &BTreeSet<u64>,
    pipes: &BTreeSet<u64>,
    held: &mut Held,
) {
    let mut name: Option<String> = None;
    let mut buffer = [std::mem::MaybeUninit::<u8>::uninit(); 64];
    let mut entries = Vec::new();
    // One that ends meanwhile is shown as far as it was read.
    let _ = fd_table::each_number(folder, |fd| entries.push(fd));
    for fd in entries {
        let Ok((text, _)) = readlinkat_raw(folder, fd.to_string(), &mut buffer[..]) else {
            continue;
        };
        let link = link::parse(text);
        let wanted = match link {
            Link::Socket(inode) => sockets.contains(&inode),
            Link::Pipe(inode) => pipes.contains(&inode),
            _ => false,
        };
        if !wanted {
            continue;
        }
        let name = name.get_or_insert_with(|| name_of(pid)).clone();
        let holder = Holder { pid, name, fd };
        match link {
            Link::Socket(inode) => {
                held.sockets.entry(inode).or_insert(holder);
            }
            Link::Pipe(inode) => {
                let mode = statat(folder, fd.to_string(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(0, |stat| stat.st_mode);
                let mode = u32::from(mode & 0o400 != 0) | u32::from(mode & 0o200 != 0) << 1;
                held.pipes.entry(inode).or_default().push((holder, mode));
            }
            _ => {}
        }
    }
}

fn name_of(pid: u32) -> String {
    std::fs::read(format!("/proc/{pid}/comm"))
        .map(|bytes| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn inode(fd: &impl std::os::fd::AsFd) -> u64 {
        rustix::fs::fstat(fd).unwrap().st_ino
    }

    #[test]
    fn both_ends_of_our_own_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (one, two) = UnixStream::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let (pid, fd) = (std::process::id(), reader.as_raw_fd().unsigned_abs());
        let pipe = End::Pipe(inode(&reader), pid, fd);
        let ends = [End::Socket(inode(&client)), End::Socket(inode(&one)), pipe];
        // Ourselves as a target, which the command line refuses.
        let process = Process::open(pid, 0).unwrap();
        let found = find(&[process], &ends);
        let at = |end: &End| found.holders.get(end).map(|holder| (holder.pid, holder.fd));
        let own = |fd: &dyn std::os::fd::AsRawFd| Some((pid, fd.as_raw_fd().unsigned_abs()));
        assert_eq!(at(&ends[0]), own(&server));
        assert_eq!(at(&ends[1]), own(&two));
        assert_eq!(at(&ends[2]), own(&writer));
    }
}
