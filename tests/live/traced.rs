//! Programs that are hard to trace: what is told of them must be right, and what is not known counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::compile::opener;
use crate::observe::{Guard, Outcome};

/// How long it may take until somebody listens to every thread.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files beside those that the child counts: of its start, of the runtime.
const FEW: u64 = 100;

type Judge = fn(&Traced) -> Result<String, String>;

/// What the child is told, for how long it is watched, and what must be so.
struct Case {
    name: &'static str,
    what: &'static str,
    time: &'static str,
    judge: Judge,
}

const CASES: [Case; 4] = [
    Case { name: "traced-fork", what: "forks", time: "15s", judge: after_fork },
    Case { name: "traced-exec", what: "becomes", time: "25s", judge: after_exec },
    Case { name: "traced-flood", what: "floods", time: "40s", judge: all_counted },
    Case { name: "traced-threads", what: "churns", time: "40s", judge: all_counted },
];

/// The cases that are wanted, one after the other: each keeps the machine busy.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let wanted = CASES.iter().filter(|case| fits(case.name));
    wanted.map(|case| (case.name, look(case))).collect()
}

fn look(case: &Case) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("stirs{}", std::process::id());
    let programs = build(folder.path(), &name, &[])
        .and_then(|first| Ok((first, build(folder.path(), "later", &["--cfg=later"])?)));
    let (first, later) = match programs {
        Ok(programs) => programs,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let child = Command::new(first)
        .arg(case.what)
        .arg(later)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Guard(child);
    // By its name, those that it forks are followed, too.
    let selector = if case.what == "forks" { name } else { child.0.id().to_string() };
    // Its threads are there, and it is past the start-up guard.
    std::thread::sleep(Duration::from_secs(4));
    let recording = folder.path().join("r.jsonl");
    let mut watch = Command::new(env!("CARGO_BIN_EXE_poolscan"))
        .args(["watch", &selector, "--lifetime", "1s", "--trace", "on"])
        .args(["--fail-on", "never", "--format", "json", "--for", case.time, "--record"])
        .arg(&recording)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    if !listens(&watch) {
        let _ = watch.kill();
        let _ = watch.wait();
        return Outcome::Failed("nobody listens".to_owned());
    }
    writeln!(child.0.stdin.as_mut().unwrap()).unwrap();
    let mut opened = String::new();
    if matches!(case.what, "floods" | "churns") {
        BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut opened).unwrap();
    }
    let output = watch.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let sources = document["targets"][0]["sources"].as_array().cloned().unwrap_or_default();
    let Some(source) = sources.into_iter().find(|source| source["name"] == "openings") else {
        return Outcome::Failed("nothing was traced".to_owned());
    };
    if source["status"] == "unavailable" {
        return Outcome::Skipped(format!("NOT TRACED: {}", source["reason"]));
    }
    let traced = Traced::read(&recording, opened.trim().parse().unwrap_or_default());
    match (case.judge)(&traced) {
        Ok(told) => Outcome::Passed(told),
        Err(wrong) => Outcome::Failed(format!("{wrong}\n  {source}")),
    }
}

/// At fixed addresses: those of one program mean something in the other, too.
fn build(folder: &Path, name: &str, more: &[&str]) -> Result<PathBuf, String> {
    let flags = [
        "-Cdebuginfo=line-tables-only",
        "-Crelocation-model=static",
        "--check-cfg=cfg(later)",
        "-Adead_code",
    ];
    opener("stirs.rs", folder.join(name), &[&flags, more].concat())
}

/// Waits until it has events, and has opened no more of them for a while.
pub(crate) fn listens(watch: &Child) -> bool {
    let (begin, mut before, mut since) = (Instant::now(), 0, Instant::now());
    while begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
        let now = events(watch.id());
        if now != before {
            (before, since) = (now, Instant::now());
        } else if now > 0 && since.elapsed() > Duration::from_secs(2) {
            return true;
        }
    }
    false
}

fn events(pid: u32) -> usize {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let links = folder.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.as_os_str() == "anon_inode:[perf_event]").count()
}

/// What a recording tells of a trace.
#[derive(Default)]
struct Traced {
    /// What the child has told, not counting what it leaks.
    opened: u64,
    /// Functions by number of their place; with their reason, those that are not known.
    places: BTreeMap<u64, Value>,
    /// Places of handles that are still open.
    left: BTreeMap<u64, u64>,
    gauges: BTreeMap<String, u64>,
}

impl Traced {
    fn read(recording: &Path, opened: u64) -> Self {
        let mut traced = Self { opened, ..Self::default() };
        let file = BufReader::new(std::fs::File::open(recording).unwrap());
        for line in file.lines() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let number = |name: &str| line[name].as_u64().unwrap_or_default();
            match line["type"].as_str().unwrap_or_default() {
                "opener" => drop(traced.places.insert(number("place"), line["opener"].clone())),
                "opened_by" => drop(traced.left.insert(number("id"), number("place"))),
                "close" => drop(traced.left.remove(&number("id"))),
                "gauge" => {
                    let name = line["name"].as_str().unwrap_or_default().to_owned();
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    let value = line["value"].as_f64().unwrap_or_default() as u64;
                    traced.gauges.insert(name, value);
                }
                _ => {}
            }
        }
        traced
    }

    fn gauge(&self, name: &str) -> u64 {
        self.gauges.get(name).copied().unwrap_or_default()
    }
}

/// Every opening was heard of, or counted as lost; none was counted twice.
fn all_counted(traced: &Traced) -> Result<String, String> {
    let (heard, lost) = (traced.gauge("openings_traced"), traced.gauge("opening_events_lost"));
    let leaked = traced.left.len() as u64;
    let told = format!("of {} openings, {heard} heard, {lost} lost", traced.opened);
    let most = traced.opened + leaked + FEW;
    // What leaks goes on after the last look.
    let right = traced.opened > 0 && heard <= most && heard + lost >= traced.opened;
    right.then(|| told.clone()).ok_or(told)
}

/// What is still open is the later program's, at addresses that the earlier one had, too.
fn after_exec(traced: &Traced) -> Result<String, String> {
    let known = |place: &&u64| traced.places.get(place).is_some_and(|p| p["unknown"].is_null());
    let functions: BTreeSet<&str> = traced
        .left
        .values()
        .filter(known)
        .filter_map(|place| traced.places[place]["function"].as_str())
        .collect();
    let count = traced.left.values().filter(known).count();
    let told = format!("{count} handles of {functions:?}");
    let right = count >= 3 && functions.iter().all(|name| name.ends_with("leaks_after"));
    right.then(|| told.clone()).ok_or(told)
}

/// Both processes leak on, and each handle is the function's that opened it; of what the later one got
/// from the earlier, just that is said.
fn after_fork(traced: &Traced) -> Result<String, String> {
    let (mut functions, mut reasons) = (BTreeMap::<&str, u64>::new(), BTreeSet::new());
    for place in traced.left.values().filter_map(|place| traced.places.get(place)) {
        match (place["function"].as_str(), place["unknown"].as_str()) {
            (Some(function), None) => *functions.entry(function).or_default() += 1,
            (_, why) => drop(reasons.insert(why.unwrap_or_default())),
        }
    }
    let told = format!("{functions:?}, {reasons:?}");
    let leaks = |name: &str| functions.iter().any(|(of, &count)| of.ends_with(name) && count >= 3);
    let right = leaks("leaks_before")
        && leaks("leaks_forked")
        && functions.len() == 2
        && reasons.iter().all(|why| why.starts_with("its process had it"));
    right.then(|| told.clone()).ok_or(told)
}
