//! Programs at their limit of open files: the call that is told to fail first, and what that costs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::compile::opener;
use crate::observe::{Guard, Outcome, document};
use crate::traced::listens;

/// Number of files that the program may have open.
const LIMIT: u64 = 64;
/// A failing call takes at most so many times as long while the trap is set. It is one of the
/// shortest, and what tracepoints add is a large part of it.
const MOST_SLOWER: u64 = 3;
/// CPU time of the trap, of the seconds that are watched: a debug build names a few stacks.
const MOST_SHARE: u64 = 4;
const SECONDS: u64 = 16;
/// The trap rests for a second after each event; meanwhile each CPU may have kept a few stacks.
const MOST_HEARD: u64 = SECONDS * 8 * 64;

const CASES: [(&str, &str, Option<&str>); 3] = [
    ("exhausted-settings", "reads", Some("reads_settings")),
    ("exhausted-accepts", "spins", Some("accepts")),
    ("exhausted-never", "spares", None),
];

/// The cases that are wanted, one after the other: one of them keeps a CPU busy.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let wanted = CASES.iter().filter(|(name, ..)| fits(name));
    wanted.map(|(name, what, function)| (*name, look(what, *function))).collect()
}

/// What the program tells of itself.
struct Told {
    failed: u64,
    ns_each: u64,
}

fn look(what: &str, function: Option<&str>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let program = match opener(
        "exhausts.rs",
        folder.path().join("exhausts"),
        &["-Cdebuginfo=line-tables-only"],
    ) {
        Ok(program) => program,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let alone = run(&program, what, &mut |_| true).1;
    let recording = folder.path().join("r.jsonl");
    let mut watch = None;
    let (pid, told) = run(&program, what, &mut |pid| {
        let seconds = format!("{SECONDS}s");
        let started = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .args(["watch", &pid.to_string(), "--on-emfile", "--trace", "off", "--lifetime", "1s"])
            .args(["--fail-on", "never", "--format", "json", "--for", &seconds, "--record"])
            .arg(&recording)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        listens(watch.insert(started))
    });
    let output = watch.take().unwrap().wait_with_output().unwrap();
    let live: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut replay = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    let again = document(replay.args(["replay", "--fail-on", "never"]).arg(&recording));
    let target = &live["targets"][0];
    let sources = target["sources"].as_array().cloned().unwrap_or_default();
    let Some(source) = sources.into_iter().find(|source| source["name"] == "exhaustion") else {
        return Outcome::Failed(format!("no trap was set: {live}"));
    };
    if source["status"] == "unavailable" {
        return Outcome::Skipped(format!("NOT TRACED: {}", source["reason"]));
    }
    let judged = judge(target, what, function, pid)
        .and_then(|()| bounds(target, &source, &told, &alone))
        .and_then(|told| {
            let again = &again?["targets"][0];
            let same = ["failed_calls", "diagnoses"].iter().all(|part| again[part] == target[part]);
            same.then_some(told).ok_or_else(|| "the replay says something else".to_owned())
        });
    match judged {
        Ok(told) => Outcome::Passed(told),
        Err(wrong) => Outcome::Failed(format!("{wrong}\n  {source}")),
    }
}

/// Runs the program until it has told how it fared; `ready` is done before it opens anything.
fn run(program: &Path, what: &str, ready: &mut dyn FnMut(u32) -> bool) -> (u32, Told) {
    let child = Command::new(program)
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Guard(child);
    let pid = child.0.id();
    let limit = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
    prlimit(Pid::from_raw(i32::try_from(pid).unwrap()), Resource::Nofile, limit).unwrap();
    assert!(ready(pid), "nobody listens");
    writeln!(child.0.stdin.as_mut().unwrap()).unwrap();
    let mut line = String::new();
    BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap());
    (pid, Told { failed: numbers.next().unwrap(), ns_each: numbers.next().unwrap() })
}

/// The function that fails, its line, and how full the table was; nothing where nothing fails.
fn judge(target: &Value, what: &str, function: Option<&str>, pid: u32) -> Result<(), String> {
    let calls = target["failed_calls"].as_array().cloned().unwrap_or_default();
    let rules = target["diagnoses"].as_array().cloned().unwrap_or_default();
    let said = rules.iter().any(|diagnosis| diagnosis["rule"] == "descriptors-exhausted");
    let Some(function) = function else {
        let right = calls.is_empty() && !said;
        return right.then_some(()).ok_or_else(|| format!("something failed: {calls:?}"));
    };
    let text = include_str!("../../fixtures/openers/exhausts.rs");
    let line = text.lines().position(|line| line.ends_with(&format!("// FAILS {what}"))).unwrap();
    let [call] = &calls[..] else { return Err(format!("not one place: {calls:#?}")) };
    let largest = call["groups"][0]["count"].as_u64().unwrap_or_default();
    let held = call["held"].as_u64().unwrap_or_default();
    let right = call["function"].as_str().is_some_and(|name| name.ends_with(function))
        && call["line"] == line + 1
        && call["certain"] == true
        && call["error"] == "EMFILE"
        && call["pid"] == pid
        && call["limit"] == LIMIT
        // It may have inherited some with higher numbers.
        && (LIMIT..LIMIT + 16).contains(&held)
        && (50..LIMIT).contains(&largest)
        && said;
    right.then_some(()).ok_or_else(|| format!("{call:#}"))
}

/// What was counted, and what it cost.
fn bounds(target: &Value, source: &Value, told: &Told, alone: &Told) -> Result<String, String> {
    let heard = target["gauges"]["calls_failed_at_limit"].as_f64().unwrap_or(-1.0);
    let cost_us = source["cost_us"].as_u64().unwrap_or(u64::MAX);
    let words = format!(
        "{heard} of {} failed calls heard, {cost_us} us of CPU time, {} ns a call, {} alone",
        told.failed, told.ns_each, alone.ns_each
    );
    let failed = told.failed > 0;
    // After the program has told, it fails no more.
    let counted = heard <= told.failed.min(MOST_HEARD) as f64 && (heard > 0.0) == failed;
    let fast = !failed || told.ns_each <= alone.ns_each * MOST_SLOWER + 1_000_000 / told.failed;
    let cheap = cost_us <= SECONDS * 1_000_000 / MOST_SHARE;
    (counted && fast && cheap).then(|| words.clone()).ok_or(words)
}
