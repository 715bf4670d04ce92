//! Programs that open at several lines and leak at some: the lines that are told.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child::Plan;
use crate::compile::opener;
use crate::observe::{Guard, Outcome, document, start_peer};

/// Kinds of handles, and the marks of the lines that leak them. Of a copy the kind is that of the
/// original.
const LEAKS: [(&str, &str); 6] = [
    ("socket", "connection"),
    ("file", "file"),
    ("eventfd", "event"),
    ("epoll", "epoll"),
    ("pipe", "pipe"),
    ("device", "copy"),
];

/// How a program is built, and what it and the watch are told.
struct Case {
    name: &'static str,
    build: &'static [&'static str],
    /// Every kind leaks, not only connections.
    all: bool,
    watch: &'static [&'static str],
    /// Lines are known, not only functions.
    lines: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "openers-two-sites",
        build: &["-Cdebuginfo=line-tables-only"],
        all: false,
        watch: &["--for", "14s"],
        lines: true,
    },
    Case {
        name: "openers-frame-pointers",
        build: &["-Cdebuginfo=line-tables-only", "-Cforce-frame-pointers=yes"],
        all: false,
        watch: &["--for", "14s", "--trace-for", "100ms", "--trace", "on"],
        lines: true,
    },
    Case {
        name: "openers-without-lines",
        build: &[],
        all: false,
        watch: &["--for", "14s", "--trace", "on"],
        lines: false,
    },
    Case {
        name: "openers-every-kind",
        build: &["-Cdebuginfo=line-tables-only"],
        all: true,
        watch: &["--for", "18s", "--trace", "on"],
        lines: true,
    },
];

/// The cases that are wanted, two at a time: both are busy.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let wanted: Vec<&Case> = CASES.iter().filter(|case| fits(case.name)).collect();
    let mut told = Vec::new();
    for some in wanted.chunks(2) {
        let looks: Vec<_> = std::thread::scope(|scope| {
            let looks: Vec<_> = some.iter().map(|case| scope.spawn(|| look(case))).collect();
            looks.into_iter().map(|look| look.join().unwrap()).collect()
        });
        told.extend(some.iter().map(|case| case.name).zip(looks));
    }
    told
}

fn look(case: &Case) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let program = match opener("sites.rs", folder.path().join("sites"), case.build) {
        Ok(program) => program,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let plan = Plan::standing_by("peer", folder.path());
    let (_peer, address) = start_peer(&plan);
    let mut command = Command::new(program);
    command.arg(address.to_string()).stdin(Stdio::null());
    if case.all {
        command.arg("all");
    }
    let child = Guard(command.spawn().unwrap());
    // Past the start-up guard.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let recording = folder.path().join("r.jsonl");
    let recording = recording.to_str().unwrap();
    let pid = child.0.id().to_string();
    let live = poolscan(&["watch", &pid, "--lifetime", "1s", "--record", recording], case.watch);
    let again = poolscan(&["replay", recording], &[]);
    match (live, again) {
        (Ok(live), Ok(again)) => judge(case, &live, &again),
        (Err(error), _) | (_, Err(error)) => Outcome::Failed(error),
    }
}

fn poolscan(arguments: &[&str], more: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    document(command.args(arguments).args(more).args(["--fail-on", "never"]))
}

fn judge(case: &Case, live: &Value, again: &Value) -> Outcome {
    let target = &live["targets"][0];
    let sources = target["sources"].as_array().cloned().unwrap_or_default();
    let source = sources.into_iter().find(|source| source["name"] == "openings");
    let Some(source) = source else {
        return Outcome::Failed("nothing was traced".to_owned());
    };
    if source["status"] == "unavailable" {
        return Outcome::Skipped(format!("NOT TRACED: {}", source["reason"]));
    }
    if again["targets"][0]["resources"] != target["resources"] {
        return Outcome::Failed("the replay says something else".to_owned());
    }
    let kinds = if case.all { &LEAKS[..] } else { &LEAKS[..1] };
    let wrong: Vec<String> = kinds
        .iter()
        .filter_map(|(kind, mark)| first_opener(case, target, kind, mark).err())
        .collect();
    if wrong.is_empty() {
        Outcome::Passed(format!("{} kinds, {} us of CPU time", kinds.len(), source["cost_us"]))
    } else {
        Outcome::Failed(format!("{}\n  {source}", wrong.join("\n  ")))
    }
}

/// In every finding of a kind, the first opener must be the line that leaks it.
fn first_opener(case: &Case, target: &Value, kind: &str, mark: &str) -> Result<(), String> {
    let resources = target["resources"].as_array().cloned().unwrap_or_default();
    let found: Vec<&Value> = resources
        .iter()
        .filter(|row| row["kind"] == kind && row["openers"].get(0).is_some())
        .collect();
    if found.is_empty() {
        let traced: Vec<&Value> =
            resources.iter().filter(|row| row["kind"] == kind).map(|row| &row["traced"]).collect();
        return Err(format!("{kind}: no opener is told: {traced:?}"));
    }
    let text = include_str!("../../fixtures/openers/sites.rs");
    let line = text.lines().position(|line| line.ends_with(&format!("// LEAKS {mark}"))).unwrap();
    for row in found {
        let first = &row["openers"][0];
        let function = first["function"].as_str().unwrap_or_default();
        let right = function.ends_with(&format!("leaks_{mark}"))
            && (!case.lines || first["line"] == line + 1)
            && first["certain"] == true;
        if !right {
            let traced = &row["traced"];
            return Err(format!("{kind}: {first:#}, line {} leaks it; {traced}", line + 1));
        }
    }
    Ok(())
}
