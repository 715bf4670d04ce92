//! Real programs of several compilers whose openings are caught: the function and line that are
//! shown for them, with frame pointers and without, with debug information and without.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use perf_event::events::Tracepoint as Number;
use perf_event::{Builder, Sampler};
use poolscan::live::target::Process;
use poolscan::live::trace::stack::{Code, Copied, Frame, Frames, STACK_BYTES, Sample, Site};
use poolscan::live::trace::tracepoint::Tracepoint;

use crate::compile::compiled;
use crate::observe::{Guard, Outcome};

/// What a program is built by, and what must be shown.
struct Case {
    name: &'static str,
    source: &'static str,
    build: &'static [&'static str],
    expect: Expect,
}

/// What must be shown of a copied stack.
#[derive(Clone, Copy)]
enum Expect {
    /// The function; the marked line where `true`.
    Function(&'static str, bool),
    /// The function, and that it may be another one.
    Uncertain(&'static str),
    /// Why nothing is known contains this.
    Unknown(&'static str),
}

use Expect::{Function, Uncertain, Unknown};

const RUST: &str = "<leak::Service>::keep|leak::Service::keep";
const CASES: [Case; 15] = [
    rust("stacks-rust-lines", &["-Cdebuginfo=line-tables-only"], Function(RUST, true)),
    rust("stacks-rust-debug", &["-Cdebuginfo=2"], Function(RUST, true)),
    rust(
        "stacks-rust-frame-pointers",
        &["-Cdebuginfo=1", "-Cforce-frame-pointers=yes"],
        Function(RUST, true),
    ),
    rust(
        "stacks-rust-v0",
        &["-Cdebuginfo=1", "-Csymbol-mangling-version=v0"],
        Function(RUST, true),
    ),
    rust("stacks-rust-no-debug", &[], Function(RUST, false)),
    rust("stacks-rust-stripped", &["-Cstrip=symbols"], Unknown("is stripped: build it with debug")),
    c("stacks-c-lines", &["-g"], Function("keep", true)),
    c("stacks-c-frame-pointers", &["-g", "-fno-omit-frame-pointer"], Function("keep", true)),
    c("stacks-c-compressed", &["-g", "-gz"], Function("keep", true)),
    c("stacks-c-static", &["-g", "-static"], Function("keep", true)),
    c("stacks-c-no-debug", &[], Function("keep", false)),
    Case {
        name: "stacks-c-tail-call",
        source: "tail.c",
        build: &["-g"],
        expect: Uncertain("main"),
    },
    go("stacks-go", &[], Function("main.keep", true)),
    // What is inlined there comes from another file.
    go("stacks-go-stripped", &["-ldflags=-s -w"], Function("main.keep", false)),
    Case { name: "stacks-python", source: "leak.py", build: &[], expect: Unknown("Python runs") },
];

const fn rust(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "leak.rs", build, expect }
}

const fn c(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "leak.c", build, expect }
}

const fn go(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "leak.go", build, expect }
}

/// Openings that are looked at, and for how long they are waited for.
const ENOUGH: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);
/// A ring of each thread.
const RING: usize = 1 << 20;

/// The tests that are wanted.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = Vec::new();
    for case in CASES.iter().filter(|case| fits(case.name)) {
        let folder = tempfile::tempdir().unwrap();
        outcomes.push((case.name, check(case, folder.path())));
    }
    outcomes
}

fn check(case: &Case, folder: &Path) -> Outcome {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stacks").join(case.source);
    let mut child = match build(case, &source, folder) {
        Ok(command) => command,
        Err(why) => return Outcome::Skipped(why),
    };
    let child = Guard(child.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let pid = child.0.id();
    // Its threads have begun by then.
    std::thread::sleep(Duration::from_millis(300));
    let copies = match sample(pid) {
        Ok(copies) if copies.is_empty() => return Outcome::Failed("nothing was caught".to_owned()),
        Ok(copies) => copies,
        Err(error) => return Outcome::Skipped(format!("no samples: {error}")),
    };
    let text = std::fs::read_to_string(&source).unwrap();
    let line = text.lines().position(|line| line.contains("LEAK")).unwrap() + 1;
    let mut code = Code::of(&Process::open(pid, 0).unwrap()).unwrap();
    let cold = Instant::now();
    let frames = code.frames(&copies[0]);
    let cold = cold.elapsed();
    let warm = Instant::now();
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for copied in &copies {
        let site = code.frames(copied).site();
        let right = is_right(&site, case.expect, line);
        if !right && !is_other(&site) {
            return Outcome::Failed(format!("{}\nof {}", name(&site), told(&code.frames(copied))));
        }
        *shown.entry(name(&site)).or_default() += 1;
    }
    let warm = warm.elapsed() / u32::try_from(copies.len()).unwrap();
    if !copies.iter().any(|copied| is_right(&code.frames(copied).site(), case.expect, line)) {
        return Outcome::Failed(format!("never shown; {shown:?}; {}", told(&frames)));
    }
    // Frame pointers alone may know less, and must not know it wrongly.
    let mut known = 0;
    for copied in &copies {
        let chain = Copied { regs: None, stack: Box::default(), ..copied.clone() };
        let site = code.frames(&chain).site();
        if let Site::User { certain: true, .. } = &site {
            if !is_right(&site, case.expect, line) && !is_other(&site) {
                return Outcome::Failed(format!("by its chain {}", told(&code.frames(&chain))));
            }
            known += 1;
        }
    }
    Outcome::Passed(format!(
        "{} stacks, {known} known by frame pointers alone; first {} us, then {} us",
        copies.len(),
        cold.as_micros(),
        warm.as_micros()
    ))
}

/// One line a frame.
fn told(frames: &Frames) -> String {
    let line = |frame: &Frame| {
        let function = frame.function.as_deref().unwrap_or("?");
        let file = frame.file.as_deref().map(Path::display);
        format!("  {function} {file:?}:{:?} {:?} in {}", frame.line, frame.role, frame.module)
    };
    let lines: Vec<String> = frames.frames.iter().map(line).collect();
    let Frames { certain, incomplete, .. } = frames;
    format!("{certain} certain, {incomplete:?}\n{}", lines.join("\n"))
}

fn name(site: &Site) -> String {
    match site {
        Site::User { frame, .. } => frame.function.as_deref().unwrap_or("?").to_owned(),
        Site::Through(through) => through.name.to_string(),
        Site::Unknown(why) => why.to_string(),
    }
}

fn is_right(site: &Site, expect: Expect, line: usize) -> bool {
    match (site, expect) {
        (Site::User { frame, certain: true }, Function(names, lines)) => {
            let name = frame.function.as_deref().unwrap_or_default();
            let found = frame.line.map(|line| usize::try_from(line).unwrap());
            names.split('|').any(|wanted| wanted == name)
                && if lines {
                    found == Some(line)
                } else {
                    found.is_none() && frame.unknown.is_some()
                }
        }
        (Site::User { frame, certain: false }, Uncertain(name)) => {
            frame.function.as_deref() == Some(name)
        }
        (Site::Unknown(why), Unknown(part)) => why.to_string().contains(part),
        _ => false,
    }
}

/// What the programs open beside, from another function of theirs.
fn is_other(site: &Site) -> bool {
    matches!(site, Site::User { frame, .. } if frame.function.as_deref() == Some("leak::give_back"))
}

/// The command that runs the program, once it is built.
fn build(case: &Case, source: &Path, folder: &Path) -> Result<Command, String> {
    let program = folder.join("leak");
    let mut compile = match case.source.rsplit_once('.').unwrap().1 {
        "rs" => {
            let mut rustc = Command::new("rustc");
            rustc.args(["--edition=2024", "-O", "--crate-name=leak"]).arg("-o").arg(&program);
            rustc
        }
        "c" => {
            let mut cc = Command::new("cc");
            cc.arg("-O2").arg("-o").arg(&program);
            cc
        }
        "go" => {
            let mut go = Command::new("go");
            go.arg("build").arg("-o").arg(&program);
            go.env("GOFLAGS", "-mod=mod").env("GOCACHE", folder.join("cache"));
            go.env("GO111MODULE", "off").env("CGO_ENABLED", "0");
            go
        }
        _ => {
            let mut python = Command::new("python3");
            python.arg(source);
            return Ok(python);
        }
    };
    compile.args(case.build).arg(source);
    compiled(compile, program).map(Command::new)
}

/// Copies of the stacks of openings.
fn sample(pid: u32) -> std::io::Result<Vec<Copied>> {
    let tracepoint = Tracepoint::named("raw_syscalls/sys_exit")?;
    let (id, result) = (tracepoint.field("id", 8)?, tracepoint.field("ret", 8)?);
    let mut samplers: Vec<Sampler> = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let tid = task?.file_name().to_string_lossy().parse().unwrap();
        let mut builder = Builder::new(Number::with_id(tracepoint.id));
        builder.observe_pid(tid).any_cpu().sample_period(1).wakeup_watermark(RING / 4);
        builder.include_kernel();
        Sample::ask(&mut builder, STACK_BYTES);
        let mut counter = builder.build()?;
        counter.enable()?;
        samplers.push(counter.sampled(RING)?);
    }
    let (mut copies, start) = (Vec::new(), Instant::now());
    while copies.len() < ENOUGH && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
        for sampler in &mut samplers {
            while let Some(record) = sampler.next_record() {
                const SAMPLE: u32 = 9;
                if record.ty() != SAMPLE {
                    continue;
                }
                let bytes = record.to_contiguous();
                let sample = Sample::parse(&bytes).unwrap();
                let number = |field: poolscan::live::trace::tracepoint::Field| {
                    i64::from_ne_bytes(field.of(sample.raw).unwrap())
                };
                if number(id) == OPENAT && number(result) >= 0 {
                    copies.push(sample.copied());
                }
            }
        }
    }
    Ok(copies)
}

const OPENAT: i64 = if cfg!(target_arch = "aarch64") { 56 } else { 257 };
