//! Finding processes by name, port, unit, container or cgroup.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::cgroup;
use super::patience::{self, PATIENCE};
use super::select::{Candidate, SelectError};
use crate::live::target::Follow;

/// Processes that a selector means, root first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Numbers, root first.
    pub pids: Vec<u32>,
    /// Who joins later.
    pub follow: Follow,
}

/// Least length of a container id's beginning.
const MIN_ID: usize = 6;
/// Largest file of a container engine that is read.
const MAX_ENGINE_FILE: u64 = 16 << 20;
/// Bytes of a command line that are read.
const MOST_ARGUMENTS: u64 = 4096;
/// Processes whose arguments the kernel does not let us read, until no more are tried.
const LEFT_BEHIND: usize = 8;

/// A process as discovery sees it.
#[derive(Debug)]
struct Seen {
    parent: Option<u32>,
    comm: String,
    candidate: Candidate,
    names: Vec<String>,
}

fn all() -> Result<BTreeMap<u32, Seen>, SelectError> {
    let mut system = System::new()
        .map_err(|error| SelectError::NotFound(format!("cannot list processes: {error}")))?;
    let wanted = ProcessRefreshKind::nothing()
        .with_exe(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    let own = std::process::id();
    let lines = command_lines(system.processes().keys().map(|pid| pid.as_u32()).collect());
    let seen = system
        .processes()
        .iter()
        .filter(|(pid, process)| pid.as_u32() != own && process.thread_kind().is_none())
        .map(|(pid, process)| {
            let comm = process.name().to_string_lossy().into_owned();
            let line = lines.get(&pid.as_u32()).map_or("", String::as_str);
            let base =
                |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let names = [
                Some(comm.clone()),
                process.exe().and_then(base),
                line.split('\0').next().and_then(|first| base(Path::new(first))),
            ];
            let command = shown(line);
            let seen = Seen {
                parent: process.parent().map(|parent| parent.as_u32()),
                candidate: Candidate {
                    pid: pid.as_u32(),
                    started: format!("{} s ago", process.run_time()),
                    user: process
                        .user_id()
                        .map_or_else(|| "unknown".to_owned(), |uid| user_name(&uid.to_string())),
                    command: if command.is_empty() { comm.clone() } else { command },
                },
                comm,
                names: names.into_iter().flatten().collect(),
            };
            (pid.as_u32(), seen)
        })
        .collect();
    Ok(seen)
}

/// The name of a user, or the number when /etc/passwd does not know it.
fn user_name(uid: &str) -> String {
    fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                (fields.nth(1)? == uid).then(|| name.to_owned())
            })
        })
        .unwrap_or_else(|| uid.to_owned())
}

/// Command line of a process for people, cut at 4 KiB. Untrusted text; empty where the kernel does
/// not let us read it.
pub fn command_line(pid: u32) -> String {
    shown(&patience::within("poolscan-args", move || arguments(pid)).unwrap_or_default())
}

/// Arguments of many processes, those left out that the kernel does not let us read.
fn command_lines(mut pids: Vec<u32>) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for _ in 0..LEFT_BEHIND {
        if pids.is_empty() {
            break;
        }
        let some = pids.clone();
        let read = move |tell: &Sender<(u32, String)>| {
            for pid in some {
                if tell.send((pid, arguments(pid))).is_err() {
                    return;
                }
            }
        };
        let Ok(told) = patience::start("poolscan-args", read) else { return found };
        let before = found.len();
        while let Ok((pid, line)) = told.recv_timeout(PATIENCE) {
            found.insert(pid, line);
        }
        // Without the one that it waits for.
        pids.drain(..(found.len() - before + 1).min(pids.len()));
    }
    found
}

/// Arguments of a process, each ended by a zero byte; the first 4 KiB.
fn arguments(pid: u32) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/cmdline")) {
        // What came before an error is shown.
        let _ = file.take(MOST_ARGUMENTS).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shown(arguments: &str) -> String {
    arguments.trim_end_matches('\0').replace('\0', " ")
}

/// Processes of a name: one, or one tree.
///
/// # Errors
/// None, or several unrelated ones.
pub fn by_name(name: &str) -> Result<Found, SelectError> {
    let all = all()?;
    let matching: BTreeSet<u32> = all
        .iter()
        .filter(|(_, seen)| seen.names.iter().any(|n| n == name))
        .map(|(&pid, _)| pid)
        .collect();
    if matching.is_empty() {
        return Err(SelectError::NotFound(format!(
            "no process is named '{name}'{}",
            hidden_note()
        )));
    }
    tree(&all, &matching, name)
}

/// One target of processes that form a tree.
fn tree(
    all: &BTreeMap<u32, Seen>,
    matching: &BTreeSet<u32>,
    name: &str,
) -> Result<Found, SelectError> {
    let roots: Vec<u32> = matching
        .iter()
        .copied()
        .filter(|pid| {
            all.get(pid).and_then(|seen| seen.parent).is_none_or(|p| !matching.contains(&p))
        })
        .collect();
    let [root] = roots[..] else {
        return Err(SelectError::Ambiguous {
            name: name.to_owned(),
            candidates: roots
                .iter()
                .filter_map(|pid| all.get(pid))
                .map(|seen| seen.candidate.clone())
                .collect(),
        });
    };
    let comm = all.get(&root).map_or_else(|| name.to_owned(), |seen| seen.comm.clone());
    let rest = matching.iter().copied().filter(|&pid| pid != root);
    Ok(Found { pids: std::iter::once(root).chain(rest).collect(), follow: Follow::Tree(comm) })
}

/// Whoever listens on a port, in any network namespace that we may look into.
///
/// # Errors
/// Nobody does, or we cannot see who.
pub fn by_port(port: u16) -> Result<Found, SelectError> {
    let mut namespaces = BTreeMap::new();
    for process in procfs::process::all_processes().into_iter().flatten().flatten() {
        let namespace = fs::read_link(format!("/proc/{}/ns/net", process.pid))
            .unwrap_or_else(|_| PathBuf::from("unknown"));
        namespaces.entry(namespace).or_insert(process.pid);
    }
    let mut inodes = BTreeSet::new();
    for pid in namespaces.values() {
        let Ok(process) = procfs::process::Process::new(*pid) else { continue };
        let tcp = process.tcp().into_iter().chain(process.tcp6()).flatten();
        inodes.extend(
            tcp.filter(|row| row.state == procfs::net::TcpState::Listen)
                .filter(|row| row.local_address.port() == port)
                .map(|row| row.inode),
        );
        let udp = process.udp().into_iter().chain(process.udp6()).flatten();
        inodes.extend(
            udp.filter(|row| row.local_address.port() == port && row.remote_address.port() == 0)
                .map(|row| row.inode),
        );
    }
    if inodes.is_empty() {
        return Err(SelectError::NotFound(format!("nobody listens on port {port}")));
    }
    let (owners, unreadable) = owners(&inodes);
    if owners.is_empty() {
        return Err(SelectError::NotFound(format!(
            "somebody listens on port {port}, but the open files of {unreadable} processes cannot \
             be read: run as root or with CAP_SYS_PTRACE, or give the pid"
        )));
    }
    let all = all()?;
    tree(&all, &owners, &format!(":{port}"))
}

/// Processes that hold one of these sockets, and how many could not be looked into.
fn owners(inodes: &BTreeSet<u64>) -> (BTreeSet<u32>, u64) {
    let mut owners = BTreeSet::new();
    let mut unreadable = 0;
    for process in procfs::process::all_processes().into_iter().flatten().flatten() {
        let Ok(fds) = process.fd() else {
            unreadable += 1;
            continue;
        };
        let holds = fds.flatten().any(|fd| {
            matches!(fd.target, procfs::process::FDTarget::Socket(inode) if inodes.contains(&inode))
        });
        let pid = process.pid.unsigned_abs();
        if holds && pid != std::process::id() {
            owners.insert(pid);
        }
    }
    (owners, unreadable)
}

/// All processes of a systemd unit.
///
/// # Errors
/// No process is in it.
pub fn by_unit(unit: &str) -> Result<Found, SelectError> {
    let ending = if unit.contains('.') { format!("/{unit}") } else { format!("/{unit}.service") };
    in_group(|path| {
        let at = path.find(&ending)?;
        let end = at + ending.len();
        // Groups below the unit belong to it.
        (path.len() == end || path[end..].starts_with('/')).then(|| path[..end].to_owned())
    })
    .ok_or_else(|| {
        SelectError::NotFound(format!(
            "no process is in a cgroup that ends in '{ending}': is the unit active?"
        ))
    })
}

/// All processes of a container.
///
/// # Errors
/// No process is in it, or the name is not known.
pub fn by_container(name: &str) -> Result<Found, SelectError> {
    let is_id = name.len() >= MIN_ID && name.bytes().all(|b| b.is_ascii_hexdigit());
    let id = if is_id { Some(name.to_ascii_lowercase()) } else { container_id(name) };
    let Some(id) = id else {
        return Err(SelectError::NotFound(format!(
            "no container named '{name}' is known to docker or podman here (their files must be \
             readable); give the first {MIN_ID} or more digits of its id"
        )));
    };
    in_group(|path| {
        path.split('/')
            .scan(0, |at, part| {
                let end = *at + part.len();
                *at = end + 1;
                Some((part, end))
            })
            .find_map(|(part, end)| {
                // docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, or the id alone.
                let part = part.trim_end_matches(".scope");
                let last = part.rsplit('-').next().unwrap_or(part);
                (last.len() >= 32 && last.starts_with(&id)).then(|| path[..end].to_owned())
            })
    })
    .ok_or_else(|| {
        SelectError::NotFound(format!("no process is in a cgroup of container '{name}'"))
    })
}

/// The id of a named container, from the files of docker or podman.
fn container_id(name: &str) -> Option<String> {
    let read = |path: &Path| -> Option<serde_json::Value> {
        if fs::metadata(path).ok()?.len() > MAX_ENGINE_FILE {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    };
    for entry in fs::read_dir("/var/lib/docker/containers").into_iter().flatten().flatten() {
        let config = read(&entry.path().join("config.v2.json"));
        let found = config.as_ref().and_then(|c| c.get("Name")).and_then(|n| n.as_str());
        if found.is_some_and(|n| n.trim_start_matches('/') == name) {
            return entry.file_name().into_string().ok();
        }
    }
    let podman = read(Path::new("/var/lib/containers/storage/overlay-containers/containers.json"))?;
    podman.as_array()?.iter().find_map(|container| {
        let named = container.get("names")?.as_array()?.iter().any(|n| n.as_str() == Some(name));
        named.then(|| container.get("id")?.as_str().map(str::to_owned)).flatten()
    })
}

/// All processes of a cgroup path.
///
/// # Errors
/// There is no such group, or nobody is in it.
pub fn by_cgroup(path: &Path) -> Result<Found, SelectError> {
    let text = format!("/{}", path.to_string_lossy().trim_start_matches('/'));
    let text = text.trim_start_matches("/sys/fs/cgroup").trim_end_matches('/').to_owned();
    in_group(|of_process| {
        let inside = of_process == text || of_process.starts_with(&format!("{text}/"));
        inside.then(|| text.clone())
    })
    .ok_or_else(|| SelectError::NotFound(format!("no process is in cgroup '{text}'")))
}

/// Processes whose group path `select` cuts to the group that is meant.
fn in_group(select: impl Fn(&str) -> Option<String>) -> Option<Found> {
    let mut pids = BTreeSet::new();
    let mut folder: Option<PathBuf> = None;
    let own = std::process::id();
    for process in procfs::process::all_processes().ok()?.flatten() {
        let pid = process.pid.unsigned_abs();
        for membership in cgroup::memberships(pid) {
            let Some(path) = select(&membership.path) else { continue };
            if pid != own {
                pids.insert(pid);
            }
            if folder.is_none() {
                let group = cgroup::Membership { path, ..membership };
                folder = cgroup::directories(&group).into_iter().next();
            }
        }
    }
    if pids.is_empty() {
        return None;
    }
    let follow = folder.map_or(Follow::Fixed, Follow::Cgroup);
    Some(Found { pids: pids.into_iter().collect(), follow })
}

/// Whether /proc hides other users' processes, as a hint for errors.
fn hidden_note() -> &'static str {
    let hides = fs::read_to_string("/proc/mounts").is_ok_and(|mounts| {
        mounts.lines().any(|line| {
            line.split_whitespace().nth(1) == Some("/proc")
                && (line.contains("hidepid=1")
                    || line.contains("hidepid=2")
                    || line.contains("hidepid=invisible")
                    || line.contains("hidepid=noaccess"))
        })
    });
    if hides {
        " (/proc is mounted with hidepid: other users' processes are hidden; run as root)"
    } else {
        ""
    }
}
