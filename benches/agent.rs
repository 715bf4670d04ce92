//! Cost of the agent: 300 processes that hold 50,000 handles, at a beat of 15 s; and targets that
//! come and go. `--long` lets them do so for 10,000 beats (17 min).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops when its setting fails"
)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HOLDER: &str = "--hold-handles";
const LEAKER: &str = "--leak";
/// What the holders are called.
const HOLDERS: &str = "handle-holder";
const TARGETS: usize = 300;
/// Handles of each beside its standard streams.
const HANDLES: usize = 164;
const STREAMS: usize = 3;
/// One in so many leaks a file a second, so that engines stand.
const LEAKS: usize = 10;
/// The beat that the bound is about, and the one that is measured.
const BEAT: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(1);
/// Beats until engines stand, and beats that are measured.
const WARM: u32 = 20;
const BEATS: u32 = 40;
/// Of the long run: its beat, how many beats, who is there at a time, after how many beats one of them
/// is replaced, and by which part it may have grown after the first tenth.
const SHORT: Duration = Duration::from_millis(100);
const LONG_BEATS: u32 = 10_000;
const FEW: usize = 12;
const REPLACED_AFTER: u32 = 20;
const MOST_GROWTH: f64 = 0.10;
/// Bounds: share of a core, bytes.
const MOST_SHARE: f64 = 0.02;
const MOST_BYTES: u64 = 150 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == HOLDER) {
        hold();
        return;
    }
    let check = arguments.iter().any(|argument| argument == "--check");
    let long = arguments.iter().any(|argument| argument == "--long");
    let within = if long { come_and_go() } else { measure() };
    if check && !within {
        std::process::exit(1);
    }
}

/// Holds files and connections until standard input ends.
fn hold() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut sockets = Vec::new();
    while sockets.len() + 2 < HANDLES / 2 {
        sockets.push(std::net::TcpStream::connect(address).unwrap());
        sockets.push(listener.accept().unwrap().0);
    }
    let files: Vec<File> =
        (sockets.len() + 1..HANDLES).map(|_| File::open("/proc/self/stat").unwrap()).collect();
    std::io::stdout().write_all(b"ready\n").unwrap();
    std::io::stdout().flush().unwrap();
    if std::env::args().any(|argument| argument == LEAKER) {
        let mut leaked = Vec::new();
        loop {
            leaked.push(File::open("/proc/self/stat").unwrap());
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    let _ = std::io::stdin().read(&mut [0]);
    drop(files);
}

fn start(program: &Path, nth: usize) -> Child {
    let leaks = nth.is_multiple_of(LEAKS).then_some(LEAKER);
    let mut child = Command::new(program)
        .arg(HOLDER)
        .args(leaks)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// CPU time in seconds and resident bytes of a process.
fn spent(pid: u32) -> (f64, u64) {
    let process = procfs::process::Process::new(pid.try_into().unwrap()).unwrap();
    let stat = process.stat().unwrap();
    let ticks = procfs::ticks_per_second() as f64;
    ((stat.utime + stat.stime) as f64 / ticks, stat.rss * procfs::page_size())
}

fn targets(file: &Path) -> usize {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("poolscan_targets "));
    line.and_then(|count| count.parse::<f64>().ok()).map_or(0, |count| count as usize)
}

/// An agent, its files, and the program that it looks for.
struct Setting {
    folder: tempfile::TempDir,
    program: PathBuf,
    poolscan: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Under a name of their own they are no children of a process of that name.
        let program = folder.path().join(HOLDERS);
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let poolscan = std::env::var_os("POOLSCAN");
        let poolscan = poolscan.unwrap_or_else(|| env!("CARGO_BIN_EXE_poolscan").into());
        Self { folder, program, poolscan: poolscan.into() }
    }

    fn numbers(&self) -> PathBuf {
        self.folder.path().join("numbers.prom")
    }

    fn agent(&self, interval: Duration, discover: &str) -> Child {
        let config = self.folder.path().join("agent.toml");
        let text = format!(
            "textfile = {:?}\ninterval = \"{}ms\"\ndiscover = {discover:?}\n\
             lifetime = \"20s\"\ntargets = [{HOLDERS:?}]\n",
            self.numbers(),
            interval.as_millis(),
        );
        std::fs::write(&config, text).unwrap();
        Command::new(&self.poolscan)
            .args(["agent", "--config", config.to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

/// Targets that come and go for very many beats: what the agent holds must not grow.
fn come_and_go() -> bool {
    let setting = Setting::new();
    let mut holders: VecDeque<Child> = (0..FEW).map(|nth| start(&setting.program, nth)).collect();
    let mut agent = setting.agent(SHORT, "1s");
    let mut early = 0;
    for round in 0..LONG_BEATS / REPLACED_AFTER {
        std::thread::sleep(SHORT * REPLACED_AFTER);
        end(holders.pop_front().unwrap());
        holders.push_back(start(&setting.program, round as usize));
        if round == LONG_BEATS / REPLACED_AFTER / 10 {
            early = spent(agent.id()).1;
        }
    }
    let (cpu, late) = spent(agent.id());
    agent.kill().unwrap();
    agent.wait().unwrap();
    holders.into_iter().for_each(end);
    let growth = late as f64 / early as f64 - 1.0;
    println!(
        "agent: {LONG_BEATS} beats, {} targets came and went: {} KiB after a tenth, {} KiB at the \
         end ({:+.1} %); {:.2} ms a beat",
        LONG_BEATS / REPLACED_AFTER,
        early >> 10,
        late >> 10,
        growth * 100.0,
        cpu * 1000.0 / f64::from(LONG_BEATS),
    );
    growth <= MOST_GROWTH
}

fn measure() -> bool {
    let setting = Setting::new();
    let (program, numbers) = (&setting.program, setting.numbers());
    let mut holders: Vec<Child> = (0..TARGETS).map(|nth| start(program, nth)).collect();
    let mut agent = setting.agent(MEASURED, "5s");
    let wait = |seconds: f64, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < deadline && !done() {
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    wait(120.0, &|| targets(&numbers) >= TARGETS);
    let watched = targets(&numbers);
    std::thread::sleep(MEASURED * WARM);
    let agent_pid = agent.id().to_string();
    let own = Command::new(&setting.poolscan)
        .args(["watch", &agent_pid, "--lifetime", "5s", "--for", "35s", "--format", "json"])
        .args(["--fail-on", "never"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let before = spent(agent.id());
    std::thread::sleep(MEASURED * BEATS);
    let after = spent(agent.id());
    let own = own.wait_with_output().unwrap();
    let own: serde_json::Value = serde_json::from_slice(&own.stdout).unwrap();
    let clean = !["leaking", "suspect"].contains(&own["verdict"].as_str().unwrap());
    println!("agent: poolscan says of it: {}", own["verdict"]);
    // The look for processes happens each 5 s here and each 60 s by default: four beats of 15 s.
    let per_beat = (after.0 - before.0) / f64::from(BEATS);
    let share = per_beat / BEAT.as_secs_f64();
    println!(
        "agent: {watched} targets, {} handles: {:.0} ms a beat, {:.2} % of a core at {} s; {} MiB",
        watched * (HANDLES + STREAMS),
        per_beat * 1000.0,
        share * 100.0,
        BEAT.as_secs(),
        after.1 >> 20,
    );
    // A third of the targets is replaced, again and again: nothing may grow.
    for _ in 0..5 {
        for child in holders.drain(..TARGETS / 3) {
            end(child);
        }
        holders.extend((0..TARGETS / 3).map(|nth| start(program, nth)));
        std::thread::sleep(Duration::from_secs(12));
    }
    let last = spent(agent.id());
    println!("agent: {} MiB after 500 targets came and went", last.1 >> 20);
    agent.kill().unwrap();
    agent.wait().unwrap();
    holders.into_iter().for_each(end);
    clean && watched >= TARGETS && share <= MOST_SHARE && after.1.max(last.1) <= MOST_BYTES
}
