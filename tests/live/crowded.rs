//! Children that have come near to a limit of their user, group, namespace or address space, and
//! healthy ones that look alike; workers of a tree.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::inotify;
use rustix::process::{Resource, Rlimit};

use crate::child::{PLAN, Plan};
use crate::observe::Guard;
use crate::sick::{listener, stay};

/// Limits above these would take memory or time that a test should not take.
const MAPPINGS: u64 = 300_000;
const INSTANCES: u64 = 10_000;
const WATCHES: u64 = 300_000;
/// Tasks that the user of `tasks-of-user` may have.
const TASKS: u64 = 100;
/// Local ports of the namespace of `ports-to-one-peer`.
const PORTS: [u16; 2] = [40_000, 40_099];

/// Runs a role; `false` when there is none of this name.
pub(crate) fn run(plan: &Plan) -> bool {
    match plan.role.as_str() {
        "many-mappings" => mappings(plan, |most| most * 93 / 100),
        "some-mappings" => mappings(plan, |_| 5000),
        "tasks-of-user" => tasks(plan, TASKS * 95 / 100),
        "half-the-tasks-of-user" => tasks(plan, TASKS / 2),
        "tasks-of-group" => threads(plan, 54),
        "half-the-tasks-of-group" => threads(plan, 29),
        "watchers-of-user" => watchers(plan),
        "watches-of-user" => watches(plan),
        "ports-to-one-peer" => ports(plan, &[85]),
        "ports-to-three-peers" => ports(plan, &[30, 30, 30]),
        "workers-unbalanced" => workers(plan, [60, 4]),
        "workers-balanced" => workers(plan, [38, 26]),
        "worker" => worker(plan),
        _ => return false,
    }
    true
}

/// Why this machine cannot show it.
fn unsupported(plan: &Plan, reason: &str) {
    fs::write(plan.unsupported(), reason).unwrap();
}

/// A limit of the host, if it is no more than a test can fill.
fn within(plan: &Plan, path: &str, most: u64) -> Option<u64> {
    let limit: u64 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    if limit > most {
        unsupported(plan, &format!("{path} is {limit}: a test fills up to {most}"));
        return None;
    }
    Some(limit)
}

fn mappings(plan: &Plan, amount: impl FnOnce(u64) -> u64) {
    let Some(most) = within(plan, "/proc/sys/vm/max_map_count", MAPPINGS) else { return };
    let mut held = (Vec::new(), Vec::new());
    for count in 0..amount(most) {
        let page = memmap2::MmapMut::map_anon(4096).unwrap();
        // Neighbours of one kind would be one mapping.
        if count % 2 == 0 {
            held.0.push(page);
        } else {
            held.1.push(page.make_read_only().unwrap());
        }
    }
    stay(plan, held);
}

fn tasks(plan: &Plan, count: u64) {
    let limit = Rlimit { current: Some(TASKS), maximum: Some(TASKS) };
    rustix::process::setrlimit(Resource::Nproc, limit).unwrap();
    threads(plan, count - 1);
}

fn threads(plan: &Plan, count: u64) {
    for _ in 0..count {
        std::thread::spawn(|| sleep(Duration::from_secs(3600)));
    }
    stay(plan, ());
}

fn watchers(plan: &Plan) {
    let limit = within(plan, "/proc/sys/fs/inotify/max_user_instances", INSTANCES);
    let Some(limit) = limit else { return };
    let make = |_| inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    stay(plan, (0..limit * 86 / 100).map(make).collect::<Vec<_>>());
}

/// One watcher of many files: an editor or a build tool above a large tree.
fn watches(plan: &Plan) {
    let limit = within(plan, "/proc/sys/fs/inotify/max_user_watches", WATCHES);
    let Some(limit) = limit else { return };
    let watcher = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    // A watch is of an inode, and ends with its last name.
    for count in 0..limit * 86 / 100 {
        let path = plan.folder.join(count.to_string());
        File::create(&path).unwrap();
        inotify::add_watch(&watcher, &path, inotify::WatchFlags::OPEN).unwrap();
    }
    stay(plan, watcher);
}

/// Connections to several peers in a namespace with few local ports.
fn ports(plan: &Plan, counts: &[usize]) {
    let range = PORTS.map(|port| port.to_string()).join(" ");
    if let Err(error) = fs::write("/proc/sys/net/ipv4/ip_local_port_range", range) {
        return unsupported(
            plan,
            &format!("the local ports of a namespace cannot be set: {error}"),
        );
    }
    let mut held = Vec::new();
    for &count in counts {
        let (listener, address) = listener();
        rustix::net::listen(&listener, 128).unwrap();
        let clients: Vec<_> = (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
        held.push((listener, clients));
    }
    stay(plan, held);
}

/// A parent that listens, and two workers that accept so many of its connections.
fn workers(plan: &Plan, counts: [u32; 2]) {
    let (listener, address) = listener();
    let mut held = Vec::new();
    for count in counts {
        let plan = Plan { role: "worker".to_owned(), rate: f64::from(count), ..plan.clone() };
        let accepts = OwnedFd::from(listener.try_clone().unwrap());
        let worker = Command::new(std::env::current_exe().unwrap())
            .env(PLAN, serde_json::to_string(&plan).unwrap())
            .stdin(Stdio::from(accepts))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut worker = Guard(worker);
        let clients: Vec<_> = (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
        // It says so when it has taken them all.
        let said = worker.0.stdout.as_mut().unwrap();
        std::io::Read::read_exact(said, &mut [0]).unwrap();
        held.push((worker, clients));
    }
    fs::write(plan.selector(), format!(":{}", address.port())).unwrap();
    stay(plan, (listener, held));
}

fn worker(plan: &Plan) {
    let listener = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let listener = TcpListener::from(listener);
    let count = plan.rate as usize;
    let held: Vec<_> = (0..count).map(|_| listener.accept().unwrap().0).collect();
    std::io::stdout().write_all(b"1").unwrap();
    std::io::stdout().flush().unwrap();
    sleep(Duration::from_secs_f64(plan.life));
    drop(held);
}
