//! What `watch --trace` and `--on-emfile` cost a program that opens and closes 5,000 times a second,
//! beside perf and strace: CPU time of that program, with and without a listener by turns.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops when its setting fails"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
/// Pairs of a measurement, and measurements of a listener in one round.
const PAIRS: usize = 1_500;
const TAKES: usize = 5;
/// Until a trace knows whether it needs copied stacks.
const SETTLED: Duration = Duration::from_secs(7);
/// Until others have begun.
const BEGUN: Duration = Duration::from_secs(1);
/// How long it takes until a listener is attached, at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// A second of them is 10,000 operations.
const PAIRS_A_SECOND: f64 = 5_000.0;
/// Bounds: what a trace adds, of what perf adds with chains, and with copied stacks; share of a core.
const OF_CHAINS: f64 = 2.0;
const OF_STACKS: f64 = 1.0;
const MOST_SHARE: f64 = 0.02;

/// What the target is.
#[derive(Clone, Copy, PartialEq)]
enum Build {
    FramePointers,
    None,
    /// None, and some stacks are larger than what is copied of each.
    Far,
}

/// Who listens.
struct Listener {
    name: &'static str,
    build: Build,
    program: &'static str,
    arguments: &'static [&'static str],
    settled: Duration,
    /// It listens to another process.
    bystander: bool,
}

const OPENAT: &str = "syscalls:sys_exit_openat";

const LISTENERS: [Listener; 10] = [
    trap("--on-emfile, idle", false),
    trap("--on-emfile, idle, a bystander", true),
    trace("--trace on, frame pointers", Build::FramePointers, &["--trace", "on"]),
    trace("--trace on, none", Build::None, &["--trace", "on"]),
    trace("--trace on, none, large stacks", Build::Far, &["--trace", "on"]),
    trace(
        "--trace on --trace-for 1ms, none",
        Build::None,
        &["--trace", "on", "--trace-for", "1ms"],
    ),
    perf("perf record -g", Build::FramePointers, &["record", "-g", "-e", OPENAT]),
    perf("perf record -g, none", Build::None, &["record", "-g", "-e", OPENAT]),
    perf(
        "perf record --call-graph dwarf",
        Build::None,
        &["record", "--call-graph", "dwarf,8192", "-e", OPENAT],
    ),
    Listener {
        name: "strace -k",
        build: Build::None,
        program: "strace",
        arguments: &["-k", "-e", "trace=openat,close", "-o", "/dev/null"],
        settled: BEGUN,
        bystander: false,
    },
];

/// A trap that nothing falls into.
const fn trap(name: &'static str, bystander: bool) -> Listener {
    let program = env!("CARGO_BIN_EXE_poolscan");
    let arguments: &[&str] = &["--trace", "off", "--on-emfile"];
    let build = Build::FramePointers;
    Listener { name, build, program, arguments, settled: BEGUN, bystander }
}

const fn trace(name: &'static str, build: Build, arguments: &'static [&'static str]) -> Listener {
    let program = env!("CARGO_BIN_EXE_poolscan");
    Listener { name, build, program, arguments, settled: SETTLED, bystander: false }
}

const fn perf(name: &'static str, build: Build, arguments: &'static [&'static str]) -> Listener {
    Listener { name, build, program: "perf", arguments, settled: BEGUN, bystander: false }
}

fn main() {
    let check = std::env::args().any(|argument| argument == "--check");
    let folder = tempfile::tempdir().unwrap();
    let mut added: Vec<Vec<f64>> = LISTENERS.iter().map(|_| Vec::new()).collect();
    let mut alone = Vec::new();
    let mut targets = [
        Target::start(folder.path(), "with", &["-Cforce-frame-pointers=yes"], &[]),
        Target::start(folder.path(), "without", &["-Cforce-frame-pointers=no"], &[]),
        Target::start(folder.path(), "far", &["-Cforce-frame-pointers=no"], &["far"]),
    ];
    for _ in 0..ROUNDS {
        for (listener, added) in LISTENERS.iter().zip(&mut added) {
            let target = &mut targets[listener.build as usize];
            // strace makes it so slow that a tenth tells as much.
            let pairs = if listener.program == "strace" { PAIRS / 10 } else { PAIRS };
            let before = target.measure(pairs);
            let Some(attached) = Attached::start(listener, target, folder.path()) else {
                continue;
            };
            let listened = target.measure(pairs);
            drop(attached);
            alone.push(before);
            added.push(listened - before);
        }
    }
    println!("CPU time of the target for an open and a close, medians of {ROUNDS} rounds:");
    println!("{:34} {:6.2} us", "nobody", median(alone));
    let added: Vec<Option<f64>> =
        added.into_iter().map(|all| (!all.is_empty()).then(|| median(all))).collect();
    for (listener, added) in LISTENERS.iter().zip(&added) {
        match added {
            Some(added) => println!("{:34} {added:+6.2} us", listener.name),
            None => println!("{:34} not installed, or not allowed", listener.name),
        }
    }
    if !bounds(&added) && check {
        std::process::exit(1);
    }
}

/// Whether what was added is within bounds.
fn bounds(added: &[Option<f64>]) -> bool {
    let of = |name: &str| {
        LISTENERS
            .iter()
            .zip(added)
            .find(|(listener, _)| listener.name == name)
            .and_then(|(_, a)| *a)
    };
    let mut within = true;
    let mut ratio = |ours: &str, theirs: &str, bound: f64| {
        if let (Some(added), Some(by_perf)) = (of(ours), of(theirs)) {
            println!("{ours}: {:.2} of {theirs} (bound {bound})", added / by_perf);
            within &= added <= by_perf * bound;
        }
    };
    ratio("--trace on, frame pointers", "perf record -g", OF_CHAINS);
    ratio("--trace on, none, large stacks", "perf record --call-graph dwarf", OF_STACKS);
    if let Some(added) = of("--trace on, frame pointers") {
        let share = added * PAIRS_A_SECOND / 1e6;
        println!("{:.2} % of a core at 10,000 operations a second (bound 2 %)", share * 100.0);
        within &= share <= MOST_SHARE;
    }
    within
}

/// The program that is listened to.
struct Target {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Target {
    fn start(folder: &Path, name: &str, build: &[&str], arguments: &[&str]) -> Self {
        let program = compile(folder, name, build);
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut target = Self { child, orders, answers };
        target.take(PAIRS);
        target
    }

    /// Microseconds of CPU time a pair.
    fn measure(&mut self, pairs: usize) -> f64 {
        median((0..TAKES).map(|_| self.take(pairs)).collect())
    }

    fn take(&mut self, pairs: usize) -> f64 {
        writeln!(self.orders, "{pairs}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().parse::<f64>().unwrap() / 1000.0 / pairs as f64
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn compile(folder: &Path, name: &str, build: &[&str]) -> PathBuf {
    let program = folder.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/targets/pairs.rs");
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-Cdebuginfo=line-tables-only", "-o"])
        .arg(&program)
        .args(build)
        .arg(source)
        .status()
        .unwrap();
    assert!(status.success());
    program
}

/// Somebody who listens; ends when dropped.
struct Attached(Child);

impl Attached {
    /// None where it is not installed, or may not.
    fn start(listener: &Listener, target: &mut Target, folder: &Path) -> Option<Self> {
        let listened = if listener.bystander { std::process::id() } else { target.child.id() };
        let pid = listened.to_string();
        let mut command = Command::new(listener.program);
        if listener.program == env!("CARGO_BIN_EXE_poolscan") {
            command.args(["watch", &pid, "--format", "json"]);
            command.args(listener.arguments);
        } else {
            command.args(listener.arguments).args(["-p", &pid]);
        }
        if listener.program == "perf" {
            command.arg("-o").arg(folder.join("perf.data"));
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut attached = Self(command.spawn().ok()?);
        attached.wait(target).then_some(())?;
        // It learns from what it hears.
        let end = Instant::now() + listener.settled;
        while Instant::now() < end {
            target.take(if listener.program == "strace" { PAIRS / 10 } else { PAIRS });
        }
        Some(attached)
    }

    /// Waits until it listens.
    fn wait(&mut self, target: &Target) -> bool {
        let (own, traced) = (self.0.id(), target.child.id());
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.0.try_wait().is_ok_and(|status| status.is_none()) {
            if has_events(own) || is_traced(traced) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::INT);
            let _ = self.0.wait();
        }
    }
}

fn has_events(pid: u32) -> bool {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut links = folder.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.any(|link| link.as_os_str() == "anon_inode:[perf_event]")
}

fn is_traced(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
