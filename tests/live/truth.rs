//! Every way to make a handle, a thread or a child, from programs of several compilers: what is told of
//! who does it, against the stacks that `strace -k` shows of the same program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::compile::compiled;
use crate::observe::{Guard, Outcome, document};

/// How a program is built, and what may be told of it.
struct Case {
    name: &'static str,
    source: &'static str,
    build: &'static [&'static str],
    expect: Expect,
}

/// What must be told of a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Function and line.
    Lines,
    /// The function; the line need not be known.
    Functions,
    /// Nothing, for this reason.
    Unknown(&'static str),
}

use Expect::{Functions, Lines, Unknown};

const LINES: &str = "-Cdebuginfo=line-tables-only";
const FRAMES: &str = "-Cforce-frame-pointers=yes";

const CASES: [Case; 16] = [
    rust("truth-rust-lines", &[LINES], Lines),
    rust("truth-rust-debug", &["-Cdebuginfo=2"], Lines),
    rust("truth-rust-frame-pointers-lines", &[LINES, FRAMES], Lines),
    rust("truth-rust-no-debug", &[], Functions),
    rust("truth-rust-frame-pointers", &[FRAMES], Functions),
    rust("truth-rust-v0", &["-Csymbol-mangling-version=v0"], Functions),
    rust("truth-rust-stripped", &["-Cstrip=symbols"], Unknown("is stripped")),
    c("truth-c-lines", &["-g"], Lines),
    c("truth-c-frame-pointers-lines", &["-g", "-fno-omit-frame-pointer"], Lines),
    c("truth-c-no-debug", &[], Functions),
    c("truth-c-frame-pointers", &["-fno-omit-frame-pointer"], Functions),
    cpp("truth-cpp-lines", &["-g"], Lines),
    cpp("truth-cpp-no-debug", &[], Functions),
    go("truth-go", &[], Lines),
    go("truth-go-stripped", &["-ldflags=-s -w"], Functions),
    Case {
        name: "truth-python",
        source: "sites.py",
        build: &[],
        expect: Unknown("Python runs the program"),
    },
];

/// Those that start threads and children. strace sees nothing behind clone3: there the marks alone
/// count.
const STARTS: [Case; 7] = [
    starts("truth-starts-rust-lines", "starts.rs", &[LINES], Lines),
    starts("truth-starts-rust-no-debug", "starts.rs", &[], Functions),
    starts("truth-starts-c-lines", "starts.c", &["-g"], Lines),
    starts("truth-starts-c-no-debug", "starts.c", &[], Functions),
    starts("truth-starts-cpp-no-debug", "starts.cpp", &["-fPIC"], Functions),
    starts("truth-starts-go", "starts.go", &[], Lines),
    starts("truth-starts-python", "starts.py", &[], Unknown("Python runs the program")),
];

const fn starts(
    name: &'static str,
    source: &'static str,
    build: &'static [&'static str],
    expect: Expect,
) -> Case {
    Case { name, source, build, expect }
}

const fn rust(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "sites.rs", build, expect }
}

const fn c(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "sites.c", build, expect }
}

const fn cpp(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "sites.cpp", build, expect }
}

const fn go(name: &'static str, build: &'static [&'static str], expect: Expect) -> Case {
    Case { name, source: "sites.go", build, expect }
}

/// Of what leaks, so much must be told rightly; nothing may be told wrongly and for certain.
const LEAST_RIGHT: f64 = 0.95;
/// Rounds under strace, and of a program that is watched: more than that takes.
const ROUNDS: [&str; 2] = ["8", "600"];
/// What the programs call.
const CALLS: &str = "trace=openat,open,socket,accept4,accept,pipe,pipe2,dup,fcntl,eventfd2,\
                     epoll_create1,timerfd_create,memfd_create,recvmsg,clone,clone3,fork,vfork";
/// What strace sees nothing behind.
const UNSEEN: &str = "clone3";

/// What is told of one program, against what is so.
#[derive(Default)]
struct Score {
    right: usize,
    unknown: usize,
    /// Another place, as one that is not certain.
    unsure: Vec<String>,
    /// Another place, for certain.
    wrong: Vec<String>,
}

/// All of them together.
const ALL: &str = "truth-all";

/// The tests that are wanted, in one watch those that open and in another those that start, and how
/// much was right in all of them.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let (mut outcomes, mut right, mut of) = (Vec::new(), 0, 0);
    for cases in [&CASES[..], &STARTS[..]] {
        let wanted: Vec<&Case> = cases.iter().filter(|case| fits(case.name) || fits(ALL)).collect();
        if !wanted.is_empty() {
            let some = together(&wanted, &mut outcomes);
            (right, of) = (right + some.0, of + some.1);
        }
    }
    if of > 0 {
        let share = right as f64 / of as f64;
        let remark = format!("{right} of {of} places, {:.1} %", share * 100.0);
        let enough = share >= LEAST_RIGHT;
        let outcome = if enough { Outcome::Passed(remark) } else { Outcome::Failed(remark) };
        outcomes.push((ALL, outcome));
    }
    outcomes
}

/// Programs that are watched together; gives how many places were told rightly, and of how many.
fn together(
    wanted: &[&'static Case],
    outcomes: &mut Vec<(&'static str, Outcome)>,
) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut built: Vec<Built> = Vec::new();
    for (case, program) in wanted.iter().zip(in_twos(wanted, &|case| build(case, folder.path()))) {
        match program {
            Ok(program) => built.push(Built { case, program, truth: BTreeSet::new() }),
            Err(why) => outcomes.push((case.name, Outcome::Skipped(why))),
        }
    }
    let shown = std::thread::scope(|scope| {
        let runs: Vec<_> = built.iter().map(|built| scope.spawn(|| strace(built))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Result<Vec<_>, _>>()
    });
    match shown {
        Ok(shown) => {
            for at in 0..built.len() {
                // Where strace finds no names, those of the same source count.
                let named = (0..built.len()).filter(|&other| {
                    built[other].case.source == built[at].case.source && !shown[other].is_empty()
                });
                let which = if shown[at].is_empty() { named.min().unwrap_or(at) } else { at };
                built[at].truth = shown[which].clone();
            }
        }
        Err(why) => {
            outcomes.extend(built.iter().map(|built| {
                (built.case.name, Outcome::Skipped(format!("NO TRUTH, strace: {why}")))
            }));
            return (0, 0);
        }
    }
    let (mut right, mut of) = (0, 0);
    // How soon all is told is a matter of the machine; what is told wrongly is not.
    let mut left: Vec<&Built<'_>> = built.iter().collect();
    for (seconds, last) in [("14s", false), ("45s", true)] {
        let told = match watch(&left, seconds) {
            Ok(told) => told,
            Err(outcome) => {
                outcomes.push((ALL, outcome));
                return (0, 0);
            }
        };
        let mut again = Vec::new();
        for (built, told) in left.into_iter().zip(told) {
            let name = built.case.name;
            match score(built, &told) {
                Ok(score) if last || score.is_whole() || !score.wrong.is_empty() => {
                    right += score.right;
                    of += score.of();
                    outcomes.push((name, score.outcome()));
                }
                Err(why) if last => outcomes.push((name, Outcome::Failed(why))),
                _ => again.push(built),
            }
        }
        left = again;
        if left.is_empty() {
            break;
        }
    }
    (right, of)
}

/// A program, and the calls that it makes again and again: by their names, from where.
struct Built<'a> {
    case: &'a Case,
    program: PathBuf,
    truth: BTreeSet<(String, String)>,
}

/// Work on each of them, two at a time.
fn in_twos<T: Send>(cases: &[&Case], work: &(dyn Fn(&Case) -> T + Sync)) -> Vec<T> {
    let pairs = cases.chunks(2).map(|pair| {
        std::thread::scope(|scope| {
            let runs: Vec<_> = pair.iter().map(|case| scope.spawn(|| work(case))).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
        })
    });
    pairs.flatten().collect()
}

fn source(case: &Case) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/truth").join(case.source)
}

fn build(case: &Case, folder: &Path) -> Result<PathBuf, String> {
    let program = folder.join(case.name);
    let mut compile = match case.source {
        "sites.rs" | "starts.rs" => {
            let mut rustc = Command::new("rustc");
            rustc.args(["--edition=2024", "-O", "--crate-name=truth"]);
            rustc
        }
        "sites.c" | "starts.c" => {
            let mut cc = Command::new("cc");
            cc.arg("-O2");
            cc
        }
        "sites.cpp" | "starts.cpp" => {
            let mut cpp = Command::new("c++");
            cpp.args(["-O2", "-std=c++17"]);
            cpp
        }
        "sites.go" | "starts.go" => {
            let mut go = Command::new("go");
            go.arg("build").env("GO111MODULE", "off").env("CGO_ENABLED", "0");
            go.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"));
            go
        }
        _ => {
            let found = Command::new("python3").arg("--version").output();
            return found.map(|_| "python3".into()).map_err(|error| format!("python3: {error}"));
        }
    };
    compile.arg("-o").arg(&program).args(case.build).arg(source(case));
    compiled(compile, program)
}

impl Built<'_> {
    /// The arguments that have it make so many rounds.
    fn arguments(&self, rounds: &str) -> Vec<PathBuf> {
        let script = self.case.source.ends_with(".py").then(|| source(self.case));
        script.into_iter().chain([rounds.into()]).collect()
    }

    /// Whether a function in the program's own file is the program's own.
    fn owns(&self, function: &str) -> bool {
        match self.case.source {
            "sites.rs" | "starts.rs" => {
                function.starts_with("truth::") || function.starts_with("<truth::")
            }
            "sites.go" | "starts.go" => function.starts_with("main."),
            _ => function != "_start",
        }
    }
}

/// The calls that leave something, and the innermost function of the program on their stacks.
fn strace(built: &Built<'_>) -> Result<BTreeSet<(String, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let mut command = Command::new("strace");
    command.args(["-k", "-f", "-qq", "-e", CALLS, "-e", "signal=none", "-o"]).arg(&file);
    command.arg(&built.program).args(built.arguments(ROUNDS[0])).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let own = built.program.display().to_string();
    let (mut shown, mut call) = (BTreeSet::new(), None);
    for line in text.lines() {
        let Some(frame) = line.strip_prefix(" > ") else {
            call = returned(line);
            continue;
        };
        // Frames are `FILE(FUNCTION+0xOFFSET) [0xADDRESS]`.
        let Some((module, rest)) = frame.split_once('(') else { continue };
        let Some((function, _)) = rest.rsplit_once("+0x") else { continue };
        if module == own
            && built.owns(function)
            && let Some(call) = call.take()
            && let Some(site) = site(function)
        {
            shown.insert((call, site));
        }
    }
    Ok(shown)
}

/// The call of a line such as `7 dup(4) = 9` and `7 <... dup resumed>) = 9`, if it succeeded.
fn returned(line: &str) -> Option<String> {
    let (call, result) = line.rsplit_once(" = ")?;
    let number: i64 = result.split(' ').next()?.parse().ok()?;
    let (_, call) = call.split_once(' ')?;
    let call = call.trim_start().trim_start_matches("<... ").split(['(', ' ']).next()?;
    (number >= 0).then(|| call.to_owned())
}

/// The name by which functions of the fixtures are told apart, whatever is around it.
fn site(function: &str) -> Option<String> {
    let begin = ["site_", "calls_"].iter().find_map(|word| function.find(word))?;
    let name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    Some(function[begin..].chars().take_while(name).collect())
}

/// Watches all of them at once; what is told of each.
fn watch(built: &[&Built<'_>], seconds: &str) -> Result<Vec<Value>, Outcome> {
    let start = |built: &&Built<'_>| {
        let mut command = Command::new(&built.program);
        // What it starts ends with its input.
        command.args(built.arguments(ROUNDS[1])).stdin(Stdio::piped());
        Guard(command.spawn().unwrap())
    };
    let children: Vec<Guard> = built.iter().map(start).collect();
    // Past the start-up guard.
    std::thread::sleep(Duration::from_secs(4));
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.arg("watch").args(children.iter().map(|child| child.0.id().to_string()));
    command.args(["--lifetime", "1s", "--for", seconds, "--trace", "on", "--fail-on", "never"]);
    let told = document(&mut command).map_err(Outcome::Failed)?;
    let targets = told["targets"].as_array().cloned().unwrap_or_default();
    let of = |child: &Guard| {
        let pid = |target: &&Value| target["target"]["pids"][0] == child.0.id();
        targets.iter().find(pid).cloned().unwrap_or_default()
    };
    let told: Vec<Value> = children.iter().map(of).collect();
    let sources = |target: &Value| target["sources"].as_array().cloned().unwrap_or_default();
    let untraced = told
        .iter()
        .flat_map(sources)
        .find(|source| source["name"] == "openings" && source["status"] == "unavailable");
    match untraced {
        Some(source) => Err(Outcome::Skipped(format!("NOT TRACED: {}", source["reason"]))),
        None => Ok(told),
    }
}

/// A line of a program that leaks, by the mark on it.
struct Mark<'a> {
    /// The function that has it; where it was inlined, this is known with lines alone.
    inner: &'a str,
    /// The function whose code it is in; `None` where it is a library's.
    outer: Option<&'a str>,
    line: usize,
}

fn marks(text: &str) -> Vec<Mark<'_>> {
    let mut marks = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((_, mark)) = line.split_once(" AT ") else { continue };
        let (inner, outer) = mark.split_once('/').unwrap_or((mark, mark));
        marks.push(Mark { inner, outer: Some(outer).filter(|outer| *outer != "?"), line: at + 1 });
    }
    marks
}

fn score(built: &Built<'_>, told: &Value) -> Result<Score, String> {
    let text = std::fs::read_to_string(source(built.case)).unwrap();
    let marks = marks(&text);
    let mut score = Score::default();
    let rows = told["resources"].as_array().cloned().unwrap_or_default();
    if let Unknown(reason) = built.case.expect {
        unknown(&rows, reason)?;
    }
    // That strace saw each of them is part of the test.
    let (mut due, mut received) = (BTreeMap::<(&str, &str), &Mark<'_>>::new(), false);
    for mark in &marks {
        let Some(outer) = mark.outer else { continue };
        let seen = built.truth.iter().find(|(_, site)| site == outer);
        match (seen, built.case.expect) {
            (Some((call, _)), _) if call == "recvmsg" => received = true,
            (Some((call, site)), _) => drop(due.insert((call, site), mark)),
            // Neither has names.
            (None, Unknown(_)) => {}
            (None, _) if STARTS.iter().any(|case| case.name == built.case.name) => {
                due.insert((UNSEEN, outer), mark);
            }
            (None, _) => return Err(format!("strace never saw {outer}")),
        }
    }
    if let Unknown(_) = built.case.expect {
        due.clear();
    }
    let openers = rows.iter().flat_map(|row| row["openers"].as_array().into_iter().flatten());
    let (mut found, mut told_received) = (BTreeSet::new(), false);
    for opener in openers {
        let call = opener["call"].as_str().unwrap_or_default();
        let function = opener["function"].as_str().unwrap_or_default();
        let line = opener["line"].as_u64().map(|line| usize::try_from(line).unwrap());
        let at = |mark: &&Mark<'_>| line == Some(mark.line);
        let by_name = site(function);
        let by_symbol = || due.get(&(call, by_name.as_deref()?)).copied();
        // What calls it has its name.
        let by_closure = || marks.iter().find(|mark| Some(mark.inner) == by_name.as_deref());
        let mark = marks.iter().find(at).or_else(by_symbol).or_else(by_closure);
        let right = mark.is_some_and(|mark| {
            let name = by_name.as_deref();
            // Lines alone do not say what is around a closure.
            let closure = name.is_none() && function.starts_with("{closure#");
            let known = match line {
                Some(_) => name == Some(mark.inner) || closure,
                None => name == mark.outer || (mark.outer.is_none() && name == Some(mark.inner)),
            };
            let lines = line == Some(mark.line) || (line.is_none() && built.case.expect != Lines);
            known && lines && (closure || is_short(function))
        });
        let says = format!("{call} {function}:{line:?}");
        if call == "recvmsg" && right {
            told_received = true;
            continue;
        }
        match (mark, right) {
            (Some(mark), true) if opener["certain"] == true => {
                found.insert(mark.line);
            }
            // That a pool or runtime did it points at no line.
            _ if opener["certain"] == true && opener["through"].is_null() => {
                score.wrong.push(says);
            }
            _ => score.unsure.push(says),
        }
    }
    score.right = due.values().filter(|mark| found.contains(&mark.line)).count();
    score.unknown = due.len() - score.right;
    // What came over a socket is listened to once some of it has come, which stays unknown.
    if received {
        unknown(&rows, "SCM_RIGHTS")?;
        if !told_received && built.case.expect != Unknown("is stripped") {
            return Err("nobody is told for what came over a socket".to_owned());
        }
    }
    Ok(score)
}

/// As a person would write it: no hash, nothing mangled, no body of a closure.
fn is_short(function: &str) -> bool {
    let made = ["{closure", "{{closure", "17h", "{lambda", "[clone"];
    !function.starts_with("_Z")
        && !function.starts_with("_R")
        && !made.iter().any(|part| function.contains(part))
}

/// That it is said somewhere why nothing is known.
fn unknown(rows: &[Value], reason: &str) -> Result<(), String> {
    let says = |row: &Value| {
        let why = row["traced"]["unknown"].as_array().cloned().unwrap_or_default();
        why.iter().any(|why| why["reason"].as_str().is_some_and(|why| why.contains(reason)))
    };
    match rows.iter().any(says) {
        true => Ok(()),
        false => Err(format!("nowhere is said why it is not known: {reason}")),
    }
}

impl Score {
    fn of(&self) -> usize {
        self.right + self.unknown
    }

    fn is_whole(&self) -> bool {
        self.unknown == 0
    }

    fn outcome(&self) -> Outcome {
        let Self { right, unsure, wrong, .. } = self;
        let mut remark = format!("{right} of {}", self.of());
        for (what, which) in [("not certain", unsure), ("WRONG", wrong)] {
            if !which.is_empty() {
                remark.push_str(&format!("; {what}: {}", which.join(", ")));
            }
        }
        if wrong.is_empty() { Outcome::Passed(remark) } else { Outcome::Failed(remark) }
    }
}
