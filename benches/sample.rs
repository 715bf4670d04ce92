//! Cost of a sample against its bare system calls and `lsof`, paired in one run; of `snapshot`; and
//! of `top`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops when its setting fails"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use poolscan::live::collect::overview::Overview;
use poolscan::live::collect::sampler::Sampler;
use poolscan::live::facts::{TargetFacts, TargetId};
use poolscan::live::host::sock_diag::{SockDiag, TABLES};
use poolscan::live::target::{Follow, Process, Target, boot_ms};
use poolscan::live::watch::{Settings, Watch};

const HOLDER: &str = "--hold-handles";
const ROUNDS: usize = 15;
/// Pairs of loopback connections: both ends are in the same process.
const PAIRS: usize = 4_750;
const FILES: usize = 9_490;
/// Processes beside those of the host.
const PROCESSES: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == HOLDER) {
        hold();
        return;
    }
    let check = arguments.iter().any(|argument| argument == "--check");
    let mut child = start_holder();
    let pid = child.id();
    let within = measure(pid);
    let within = measure_snapshot(pid) && within;
    child.kill().unwrap();
    child.wait().unwrap();
    let within = measure_overview() && within;
    if check && !within {
        std::process::exit(1);
    }
}

fn start_holder() -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(HOLDER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

fn hold() {
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limit = rustix::process::Rlimit { current: hard, maximum: hard };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    for _ in 0..PAIRS {
        let client = TcpStream::connect(address).unwrap();
        held.push((client, listener.accept().unwrap().0));
    }
    let files: Vec<_> =
        (0..FILES).map(|_| std::fs::File::open("/proc/self/exe").unwrap()).collect();
    println!("ready");
    // Ends with the parent, whatever becomes of it.
    let _ = std::io::stdin().read(&mut [0]);
    drop((held, files));
}

fn measure(pid: u32) -> bool {
    let process = Process::open(pid, boot_ms()).unwrap();
    let facts = TargetFacts::default();
    let target = Target::new(
        TargetId(1),
        facts,
        vec![Process::open(pid, boot_ms()).unwrap()],
        Follow::Fixed,
        boot_ms(),
    );
    let mut sampler = Sampler::new(vec![target], 5000, 0);
    let mut diag = SockDiag::open_here().unwrap();
    let mut out = Vec::new();
    let mut watch = Watch::new(Settings::default());
    let first = timed(|| {
        sampler.identity_beat(0, &mut out);
        watch.step(&out);
    });
    println!("first beat, {} facts: {first:?}", out.len());
    let (mut bare, mut full, mut ticks, mut calls, mut lsof) =
        (vec![], vec![], vec![], vec![], vec![]);
    for round in 1..=ROUNDS {
        bare.push(timed(|| {
            assert!(sweep(pid) > PAIRS + FILES);
            for table in TABLES {
                diag.dump(table, &mut |_| {}).unwrap();
            }
        }));
        out.clear();
        // As `watch` does after the first look.
        out.shrink_to(1024);
        let at = i64::try_from(round).unwrap() * 5000;
        // Read, parsed, grouped, and judged in the census.
        full.push(timed(|| {
            sampler.identity_beat(at, &mut out);
            watch.step(&out);
        }));
        out.clear();
        ticks.push(timed(|| {
            sampler.count_tick(at, &mut out);
        }));
        // The same work before it, so that the caches are as cold.
        sampler.identity_beat(at, &mut out);
        watch.step(&out);
        out.clear();
        calls.push(timed(|| bare_count(&process)));
        if round % 5 == 0 {
            lsof.extend(time_lsof(pid));
        }
    }
    let (bare, full, tick) = (median(bare), median(full), median(ticks));
    let ratio = full.as_secs_f64() / bare.as_secs_f64();
    println!("resident memory:     {} KiB (bound 25 MiB)", resident_kib());
    println!("bare sweep and dump: {bare:?}");
    println!("identity beat:       {full:?}, {ratio:.2} x bare (bound 1.3)");
    println!("count tick:          {tick:?} (bound 20 us), its bare calls {:?}", median(calls));
    let faster = if lsof.is_empty() {
        println!("lsof: not installed");
        f64::INFINITY
    } else {
        let lsof = median(lsof);
        let faster = lsof.as_secs_f64() / full.as_secs_f64();
        println!("lsof -nP -p:         {lsof:?}, {faster:.1} x the beat (bound 4)");
        faster
    };
    resident_kib() <= 25 * 1024
        && ratio <= 1.3
        && faster >= 4.0
        && tick <= Duration::from_micros(20)
}

/// The whole command, its start and the writing of its file included.
fn measure_snapshot(pid: u32) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("look.jsonl.gz");
    let snapshot = |_| {
        timed(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
            let command = command.args(["snapshot", &pid.to_string(), "-o"]).arg(&file);
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
        })
    };
    let took = median((0..5).map(snapshot).collect());
    let bound = Duration::from_secs(1);
    println!("snapshot:            {took:?} (bound {bound:?})");
    took < bound
}

/// All processes of the host at once, of which most are ours.
fn measure_overview() -> bool {
    let mut sleepers: Vec<Child> = (0..PROCESSES)
        .map(|_| Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap())
        .collect();
    let mut overview = Overview::new().unwrap();
    let mut seen = 0;
    let mut pass = |at: usize| {
        let at = i64::try_from(at).unwrap() * 1000;
        timed(|| seen = overview.pass(at).unwrap().rows.len())
    };
    let first = pass(0);
    let later = median((1..=ROUNDS).map(&mut pass).collect());
    for sleeper in &mut sleepers {
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
    let bound = Duration::from_millis(5);
    let scaled = later * u32::try_from(PROCESSES).unwrap() / u32::try_from(seen).unwrap();
    println!("overview, {seen} processes: {first:?} first, {later:?} later");
    println!("for {PROCESSES} processes:  {scaled:?} (bound {bound:?})");
    scaled <= bound
}

/// The least that identifying handles can cost: readlinkat from 0 until as many were found as
/// the directory's size says.
fn sweep(pid: u32) -> usize {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, readlinkat_raw, statat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty()).unwrap();
    let size = statat(&directory, "", AtFlags::EMPTY_PATH).unwrap().st_size;
    let (mut found, mut fd) = (0, 0_u32);
    let mut buffer = [0_u8; 4096];
    let mut name = Vec::with_capacity(16);
    while found < size {
        use std::io::Write as _;
        name.clear();
        write!(name, "{fd}\0").unwrap();
        let name = std::ffi::CStr::from_bytes_with_nul(&name).unwrap();
        found += i64::from(readlinkat_raw(&directory, name, &mut buffer[..]).is_ok());
        fd += 1;
    }
    usize::try_from(found).unwrap()
}

/// The calls that a count tick cannot do without, as cold as it is.
fn bare_count(process: &Process) {
    use rustix::fs::{AtFlags, statat};
    assert!(process.is_alive());
    for directory in ["fd", "task"] {
        statat(process.dir(), directory, AtFlags::empty()).unwrap();
    }
}

/// Our own resident memory, the benchmark's vectors included.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn time_lsof(pid: u32) -> Option<Duration> {
    let begin = Instant::now();
    let output = Command::new("lsof").args(["-nP", "-p", &pid.to_string()]).output().ok()?;
    assert!(output.stdout.len() > 100_000);
    Some(begin.elapsed())
}

fn timed(run: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    run();
    begin.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
