//! One look at a child that shows something, or only looks alike; the same of its recording.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::child::Plan;
use crate::observe::{Guard, Outcome, start_peer};
use crate::place::Place;

/// Scales what a rule counts as long: 300 s become 6.3 s.
const LIFETIME: &str = "2s";
/// Longer than the longest of them.
const SETTLE: Duration = Duration::from_secs(8);
/// How long a child may take to set itself up.
const READY: Duration = Duration::from_secs(30);

/// A role of `sick`, and the rule that one look must name; none for a healthy one.
pub(crate) struct Case {
    pub(crate) role: &'static str,
    rule: &'static str,
    severity: &'static str,
    /// A part of the group that is named.
    part: &'static str,
    /// One look does not tell: it is watched for some seconds.
    over_time: bool,
    place: Place,
}

impl Case {
    const fn over_time(mut self) -> Self {
        self.over_time = true;
        self
    }

    const fn in_a(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

/// All of them: each sick one is followed by the healthy one that looks alike.
pub(crate) const CASES: [Case; 50] = [
    sick("full", "fds-at-limit", "error", "passwd"),
    healthy("nearly-full"),
    sick("closed-by-peer", "close-wait-pile-up", "warning", "CLOSE_WAIT"),
    healthy("closed-by-peer-few"),
    healthy("half-closed-stream"),
    sick("overdue", "reply-overdue", "warning", "tcp client"),
    healthy("connections-at-rest"),
    sick("not-accepting", "accept-queue-full", "warning", "LISTEN"),
    healthy("accepting"),
    sick("not-reading", "receive-queue-unread", "warning", "tcp server"),
    healthy("quiet-clients"),
    sick("connect-hang", "connect-hang", "warning", "SYN_SENT"),
    healthy("connect-refused"),
    sick("zombies", "zombies-pile-up", "warning", "zombie"),
    healthy("waited-for"),
    sick("deleted-file", "deleted-files-held", "note", "spool"),
    healthy("small-deleted-files"),
    sick("pinned-pool", "pool-starved", "warning", "tcp client"),
    healthy("pool-at-rest"),
    sick("burst-on-a-pool", "pool-starved", "warning", "tcp client"),
    healthy("slow-queries"),
    sick("unanswered", "requests-unanswered", "note", "tcp server"),
    sick("not-taking", "peer-not-reading", "note", "tcp server"),
    healthy("taking"),
    sick("watcher-a-request", "inotify-pile-up", "warning", "inotify"),
    healthy("one-watcher"),
    sick("peers-unbalanced", "peers-unbalanced", "note", "tcp client"),
    healthy("peers-balanced"),
    sick("timer-a-request", "event-objects-pile-up", "note", "timerfd"),
    healthy("timer-a-thread"),
    sick("never-connected", "sockets-never-connected", "warning", "unconnected").over_time(),
    healthy("few-never-connected").over_time(),
    sick("connection-a-request", "connections-not-reused", "warning", "tcp client").over_time(),
    healthy("connections-kept").over_time(),
    sick("inherited", "sockets-inherited", "warning", "tcp"),
    healthy("not-inherited"),
    sick("epoll-a-request", "epolls-pile-up", "warning", "epoll"),
    healthy("epoll-a-thread"),
    // Counting is done by a thread of its own, and may take longer than the first look.
    sick("many-mappings", "mappings-near-limit", "warning", "").over_time(),
    healthy("some-mappings").over_time(),
    sick("tasks-of-user", "user-tasks-near-limit", "warning", "thread").in_a(Place::User(64_101)),
    healthy("half-the-tasks-of-user").in_a(Place::User(64_102)),
    sick("tasks-of-group", "tasks-near-limit", "warning", "thread").in_a(Place::Group(60)),
    healthy("half-the-tasks-of-group").in_a(Place::Group(60)),
    sick("watchers-of-user", "inotify-near-limit", "warning", "inotify").in_a(Place::User(64_103)),
    sick("watches-of-user", "inotify-watches-near-limit", "warning", "").in_a(Place::User(64_104)),
    sick("ports-to-one-peer", "ephemeral-ports-near-limit", "warning", "tcp client")
        .in_a(Place::Namespace),
    healthy("ports-to-three-peers").in_a(Place::Namespace),
    sick("workers-unbalanced", "workers-unbalanced", "note", "tcp server"),
    healthy("workers-balanced"),
];

const fn sick(
    role: &'static str,
    rule: &'static str,
    severity: &'static str,
    part: &'static str,
) -> Case {
    Case { role, rule, severity, part, over_time: false, place: Place::Here }
}

const fn healthy(role: &'static str) -> Case {
    sick(role, "", "", "")
}

/// Starts the child, looks once, and judges the recording of that look again.
pub(crate) fn diagnose(case: &Case) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::standing_by(case.role, folder.path());
    let peer = start_peer(&plan);
    plan.peer = Some(peer.1);
    let child = match case.place.start(&plan) {
        Ok(child) => Guard(child),
        Err(reason) => return Outcome::Skipped(reason),
    };
    let start = Instant::now();
    while std::fs::read(plan.progress()).is_ok_and(|told| told.is_empty())
        || !plan.progress().exists()
    {
        if let Ok(reason) = std::fs::read_to_string(plan.unsupported()) {
            return Outcome::Skipped(reason);
        }
        if start.elapsed() > READY {
            return Outcome::Failed("the child was not set up".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _group = match case.place.confine(child.0.id()) {
        Ok(group) => group,
        Err(reason) => return Outcome::Skipped(reason),
    };
    std::thread::sleep(SETTLE);
    let recording = folder.path().join("look.jsonl.gz");
    let path = recording.to_str().unwrap();
    let pid = child.0.id();
    let by = std::fs::read_to_string(plan.selector()).unwrap_or_else(|_| pid.to_string());
    let look = |arguments: &[&str]| look(case.place.looker(pid), arguments);
    let how: &[&str] = if case.over_time { &["--for", "9s"] } else { &["--once"] };
    let live = look(&[&["watch", &by, "--record", path], how].concat());
    let again = look(&["replay", path]);
    let (live, again) = match (live, again) {
        (Ok(live), Ok(again)) => (live, again),
        (Err(error), _) | (_, Err(error)) => return Outcome::Failed(error),
    };
    let told = |(_, document): &(i32, Value)| document["targets"][0]["diagnoses"].clone();
    if told(&live) != told(&again) || live.0 != again.0 {
        return Outcome::Failed(format!("live {live:?}\n  replayed {again:?}"));
    }
    judge(case, live.0, &told(&live), Path::new(path))
}

/// Exit code and document of one look.
fn look(mut looker: Command, arguments: &[&str]) -> Result<(i32, Value), String> {
    let output = looker
        .args(arguments)
        .args(["--lifetime", LIFETIME, "--format", "json", "--fail-on", "suspect"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let code = output.status.code().unwrap_or(-1);
    let document = serde_json::from_slice(&output.stdout);
    document.map(|document| (code, document)).map_err(|error| {
        format!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
    })
}

fn judge(case: &Case, code: i32, diagnoses: &Value, recording: &Path) -> Outcome {
    let all = diagnoses.as_array().map(Vec::as_slice).unwrap_or_default();
    let grave = all.iter().filter(|found| found["severity"] != "note").count();
    if case.rule.is_empty() {
        return if grave == 0 && code == 0 {
            Outcome::Passed(format!("silent, {} notes", all.len()))
        } else {
            Outcome::Failed(format!("exit {code}, found {diagnoses:#}"))
        };
    }
    let place = |found: &Value| format!("{} {}", found["kind"], found["group"]);
    let fits = all.iter().any(|found| {
        found["rule"] == case.rule
            && found["severity"] == case.severity
            && place(found).contains(case.part)
            && found["next_steps"].as_array().is_some_and(|steps| !steps.is_empty())
    });
    let expected = i32::from(case.severity != "note");
    if fits && code == expected {
        Outcome::Passed(format!("{} {}", case.severity, case.rule))
    } else {
        let size = recording.metadata().map_or(0, |file| file.len());
        Outcome::Failed(format!("exit {code}, {size} bytes recorded, found {diagnoses:#}"))
    }
}
