//! Tries each source of evidence, of the host and of one process, and says what came of it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::console;
use super::exhaustion;
use super::fd_table;
use super::netns;
use super::openers;
use super::own;
use super::threads::run_time;
use super::traced::{self, Refusal};
use crate::live::checkup::{Check, Works};
use crate::live::host::cgroup;
use crate::live::host::patience;
use crate::live::host::process_table::ProcessTable;
use crate::live::host::sock_diag::{Completeness, Family, SockDiag, Table};
use crate::live::target::Process;
use crate::live::trace::connections::TRACEPOINT;
use crate::live::trace::tracepoint;

/// How to get the right that most sources need.
const AS_ROOT: &str =
    "run as root, or: setcap cap_sys_ptrace,cap_sys_admin+ep \"$(command -v poolscan)\"";

/// All checks: of the host, then of a process if one is given.
pub fn examine(process: Option<&Process>) -> Vec<Check> {
    let mut checks = vec![counting(), processes(), sockets(), idle_times(), connections()];
    checks.extend([openings(process.map_or_else(std::process::id, |p| p.pid))]);
    checks.extend([exhaustion(), budget()]);
    checks.extend(host_settings());
    if let Some(process) = process {
        checks.extend([
            limits(process),
            handles(process),
            network(process),
            activity(process),
            stacks(process),
            group(process),
            console::checkup(process),
        ]);
    }
    checks
}

fn yes(name: &'static str, detail: impl Into<String>, adds: &'static str) -> Check {
    Check { name, works: Works::Yes, detail: detail.into(), fix: None, adds }
}

fn no(name: &'static str, detail: impl Into<String>, fix: &str, adds: &'static str) -> Check {
    let fix = (!fix.is_empty()).then(|| fix.to_owned());
    Check { name, works: Works::No, detail: detail.into(), fix, adds }
}

fn counting() -> Check {
    let adds = "the number of fds of any process in a microsecond, without any right";
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy().into_owned();
    if fd_table::size_is_count() {
        yes("fd counts", format!("Linux {release} tells them by the size of /proc/PID/fd"), adds)
    } else {
        let detail = format!("Linux {release} does not tell them: folders are listed instead");
        no("fd counts", detail, "a kernel of version 6.2 or later", adds)
    }
}

fn processes() -> Check {
    let adds = "children, zombies, and targets by name or port";
    let table = ProcessTable::read();
    let seen = table.entries().len();
    // Process 1 is hidden only where /proc is mounted with hidepid, or in a sandbox.
    let first = statat(CWD, "/proc/1/fd", AtFlags::empty());
    match (table.incomplete(), first) {
        (None, Ok(_)) => yes("processes", format!("{seen} seen"), adds),
        (missing, first) => Check {
            name: "processes",
            works: if seen > 0 { Works::Partly } else { Works::No },
            detail: missing.unwrap_or_else(|| {
                let why = first.map_or_else(|error| error.to_string(), |_| String::new());
                format!("{seen} seen; those of other users are hidden ({why})")
            }),
            fix: Some("run as root, or: mount -o remount,hidepid=0 /proc".to_owned()),
            adds,
        },
    }
}

fn sockets() -> Check {
    let adds = "role, peer, state and queues of every socket of this network namespace";
    let dumped = SockDiag::open_here().and_then(|mut diag| {
        let mut seen = 0_u64;
        let how = diag.dump(Table::TcpListen(Family::V4), &mut |_| seen += 1)?;
        Ok((how, seen))
    });
    match dumped {
        Ok((Completeness::NoTable, _)) => {
            let fix = "modprobe tcp_diag inet_diag unix_diag";
            no("sock_diag", "this kernel has no TCP diagnostics", fix, adds)
        }
        Ok((_, seen)) => yes("sock_diag", format!("{seen} listening TCP/IPv4 sockets seen"), adds),
        Err(error) => no("sock_diag", error.to_string(), "allow netlink in the sandbox", adds),
    }
}

fn idle_times() -> Check {
    let adds =
        "for how long a connection has been silent, and who spoke last: without it only ages count";
    let tried = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| {
        // A connection of our own: there may be no other.
        let connection = TcpStream::connect(listener.local_addr()?)?;
        let own = connection.local_addr()?.port();
        let mut told = false;
        SockDiag::open_here()?.dump(Table::Tcp(Family::V4), &mut |row| {
            told |= row.local.1 == own && row.idle_ms.is_some() && row.ago.heard.is_some();
        })?;
        Ok(told)
    });
    match tried {
        Ok(true) => yes("idle times", "the kernel tells them, by direction", adds),
        Ok(false) => no("idle times", "TCP_INFO comes without them", "", adds),
        Err(error) => no("idle times", error.to_string(), "allow netlink in the sandbox", adds),
    }
}

/// The tracepoint of `--connections exact`, by opening it for a moment.
fn connections() -> Check {
    let adds = "every TCP connection, however short it lives (watch --connections exact); costs \
                about a microsecond for each that is opened or closed on this host";
    let name = "connections";
    match traced::open() {
        Ok(_) if tracepoint::is_mounted() => yes(name, format!("{TRACEPOINT} can be heard"), adds),
        Ok(_) => {
            let how = "tracefs is not mounted: a mount that nobody else sees is used";
            yes(name, format!("{TRACEPOINT} can be heard; {how}"), adds)
        }
        Err(Refusal { reason, fix }) => no(name, reason, fix, adds),
    }
}

/// Tried on the process itself, or on ourselves.
fn openings(pid: u32) -> Check {
    let adds = "which lines open what leaks (watch --trace); costs the target about 3 µs for each \
                handle that it opens, and every system call of the host 0.05 µs meanwhile";
    let name = "openings";
    match openers::attempt(pid) {
        Ok(files) => yes(name, format!("threads of {pid} can be heard, by {files} files"), adds),
        Err(Refusal { reason, fix }) => no(name, reason, fix, adds),
    }
}

/// Set for a moment: it is of the host, whoever is watched.
fn exhaustion() -> Check {
    let adds = "which call fails first for want of a file descriptor (watch --on-emfile); costs \
                calls that create one 0.1 to 0.3 µs, and others of the host 0.05 µs meanwhile";
    let name = "exhaustion";
    match exhaustion::attempt() {
        Ok(files) => yes(name, format!("the trap can be set, by {files} files"), adds),
        Err(Refusal { reason, fix }) => no(name, reason, fix, adds),
    }
}

/// Our own fds: a few for each process that is watched.
fn budget() -> Check {
    let adds = "room for watching many processes at once";
    let (used, most) = own::files();
    let shown = most.map_or_else(|| "unlimited".to_owned(), |most| most.to_string());
    let used_text = used.map_or_else(|| "an unknown number".to_owned(), |used| used.to_string());
    let detail = format!("{used_text} of {shown} open files of our own in use");
    match (most, used) {
        (Some(most), Some(used)) if most.saturating_sub(used) < own::ENOUGH => {
            no("own files", detail, "ulimit -n 4096", adds)
        }
        _ => yes("own files", detail, adds),
    }
}

/// Settings that decide who may look into whom.
fn host_settings() -> Vec<Check> {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let mut checks = Vec::new();
    if let Some(scope) = read("/proc/sys/kernel/yama/ptrace_scope") {
        // It restricts attaching; reading fd tables of the same user stays allowed up to 2.
        let works = if scope == "3" { Works::Partly } else { Works::Yes };
        checks.push(Check {
            name: "ptrace scope",
            works,
            detail: format!("kernel.yama.ptrace_scope = {scope}"),
            fix: (scope == "3").then(|| "boot with another ptrace_scope; 3 is final".to_owned()),
            adds: "debuggers, for what a stuck thread waits for",
        });
    }
    if let Some(level) = read("/proc/sys/kernel/perf_event_paranoid") {
        let open = level.parse::<i32>().is_ok_and(|level| level <= 1);
        checks.push(Check {
            name: "perf events",
            works: if open { Works::Yes } else { Works::Partly },
            detail: format!("kernel.perf_event_paranoid = {level}"),
            fix: (!open).then(|| "sysctl -w kernel.perf_event_paranoid=1".to_owned()),
            adds: "profilers, for where a handle was opened",
        });
    }
    checks
}

fn limits(process: &Process) -> Check {
    let adds = "the time to the limit";
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match openat(process.dir(), "limits", flags, Mode::empty()) {
        Ok(_) => yes("limits", "readable", adds),
        Err(error) => no("limits", error.to_string(), AS_ROOT, adds),
    }
}

fn handles(process: &Process) -> Check {
    let adds =
        "every handle by kind, path, peer and state: all verdicts but `suspect` from a count";
    match first_link(process) {
        Ok(Some(_)) => yes("handles", "the fd table is readable", adds),
        Ok(None) => yes("handles", "the fd table is readable, and empty", adds),
        Err(error) => no("handles", reason(error), AS_ROOT, adds),
    }
}

fn first_link(process: &Process) -> Result<Option<std::ffi::CString>, Errno> {
    let folder = fd_table::open(process.dir(), "fd")?;
    let mut first = None;
    fd_table::each_number(folder.as_fd(), |fd| first = first.or(Some(fd)))?;
    match first {
        Some(fd) => readlinkat(&folder, fd.to_string(), Vec::new()).map(Some),
        None => Ok(None),
    }
}

fn network(process: &Process) -> Check {
    let adds = "sockets with idle times, if the process lives in another network namespace";
    let key = match statat(process.dir(), "ns/net", AtFlags::empty()) {
        Ok(stat) => (stat.st_dev, stat.st_ino),
        Err(error) => return no("its network", reason(error), AS_ROOT, adds),
    };
    match netns::open(process, key) {
        Ok(_) => yes("its network", "sock_diag works in its network namespace", adds),
        Err(refusal) => no("its network", refusal.reason, AS_ROOT, adds),
    }
}

fn activity(process: &Process) -> Check {
    let adds = "which threads run and which are stuck";
    match run_time(process.dir()) {
        Some(_) => yes("thread activity", "schedstat tells run times", adds),
        None => Check {
            name: "thread activity",
            works: Works::Partly,
            detail: "no schedstat: run times in steps of 10 ms".to_owned(),
            fix: None,
            adds,
        },
    }
}

fn stacks(process: &Process) -> Check {
    let adds = "in which system call a thread waits (by hand: cat /proc/PID/task/*/stack)";
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let read = openat(process.dir(), "stack", flags, Mode::empty()).and_then(|file| {
        let read = move || rustix::io::read(&file, &mut [0; 64][..]);
        patience::within("poolscan-stack", read).unwrap_or(Err(Errno::TIMEDOUT))
    });
    match read {
        Ok(_) => yes("kernel stacks", "readable", adds),
        Err(Errno::NOENT) => no("kernel stacks", "this kernel has none", "", adds),
        Err(Errno::TIMEDOUT) => no("kernel stacks", own::why_stack(Errno::TIMEDOUT), "", adds),
        Err(error) => no("kernel stacks", format!("{error}: needs CAP_SYS_ADMIN"), AS_ROOT, adds),
    }
}

fn group(process: &Process) -> Check {
    let adds = "limits of tasks and memory of its control group";
    let groups = cgroup::memberships(process.pid);
    if groups.is_empty() {
        let fix = "mount the cgroup file system where poolscan runs";
        return no("control group", "its control group cannot be told", fix, adds);
    }
    let pids = ("pids.max", "pids.current");
    match cgroup::tightest(&groups, "pids", pids, pids) {
        Some(limit) => yes("control group", format!("pids.max is {}", limit.limit), adds),
        None => yes("control group", "no limit of tasks", adds),
    }
}

fn reason(error: Errno) -> String {
    match error {
        Errno::ACCESS | Errno::PERM => {
            format!("{error}: needs the same uid (and a dumpable process) or CAP_SYS_PTRACE")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_says_something() {
        let child = std::process::Command::new("sleep").arg("30").spawn();
        let mut child = child.unwrap();
        let process = Process::open(child.id(), 0).unwrap();
        let checks = examine(Some(&process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(checks.len() >= 12, "{checks:?}");
        assert!(checks.iter().all(|check| !check.detail.is_empty() && !check.adds.is_empty()));
        // A child of ours may be looked into by whoever runs the test.
        let works = |name| checks.iter().find(|check| check.name == name).unwrap().works;
        assert_eq!((works("handles"), works("limits")), (Works::Yes, Works::Yes));
        assert_eq!(works("fd counts") == Works::Yes, fd_table::size_is_count());
        // One that has ended is no reason to panic.
        assert_eq!(handles(&process).works, Works::No);
    }
}
