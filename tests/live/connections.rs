//! A thousand connections a second of 5 ms: how near the estimate comes, and the exact count.
//!
//! Truth is the server's own count. Both ends live in a network namespace of their own: what else
//! this machine does would be estimated with them.

use std::collections::VecDeque;
use std::fs::File;
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::child::{PLAN, Plan};
use crate::observe::{Guard, Outcome, address_of, document};
use crate::peer;

/// Connections a second, and how long each is kept.
const RATE: f64 = 1_000.0;
const KEPT: Duration = Duration::from_millis(5);
/// Seconds of them, and seconds of the watch: it begins before them and ends after.
const SECONDS: f64 = 15.0;
const WATCHED: &str = "31s";
const AHEAD: f64 = 8.0;
/// Largest relative error of the estimate where nobody else is there.
const ERROR: f64 = 0.05;

/// Accepts and counts until it is killed.
pub(crate) fn serve(plan: &Plan) {
    let progress = File::create(plan.progress()).unwrap();
    peer::serve(|accepted| {
        progress.write_all_at(format!("{accepted:>12}").as_bytes(), 0).unwrap();
    })
    .unwrap();
}

/// Opens connections at the plan's rate, keeps each for 5 ms, then does nothing more.
pub(crate) fn connect(plan: &Plan) {
    std::thread::sleep(Duration::from_secs_f64(plan.wait));
    let mut held: VecDeque<(Instant, TcpStream)> = VecDeque::new();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed().as_secs_f64() < SECONDS {
        count += 1;
        let connection = TcpStream::connect(plan.peer()).unwrap();
        held.push_back((Instant::now(), connection));
        let next = start + Duration::from_secs_f64(f64::from(count) / plan.rate);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        while held.front().is_some_and(|(since, _)| since.elapsed() >= KEPT) {
            held.pop_front();
        }
    }
    std::thread::sleep(KEPT);
    held.clear();
    std::thread::sleep(Duration::from_secs_f64(plan.life));
}

/// Watches client and server at the same time, and judges each by the server's count.
pub(crate) fn all() -> Vec<(String, Outcome)> {
    let folder = tempfile::tempdir().unwrap();
    let plan = |role: &str| Plan {
        role: role.to_owned(),
        rate: RATE,
        churn: 0.0,
        wait: AHEAD,
        life: 60.0,
        lifetime: 1.0,
        folder: folder.path().to_owned(),
        peer: None,
    };
    let enter = ["-n", "--", "sh", "-c", "ip link set lo up && exec \"$0\""];
    let server = start("unshare", &enter, &plan("counting-server"), Stdio::piped());
    let mut server = match server {
        Ok(server) => server,
        Err(reason) => return vec![("connections".to_owned(), Outcome::Skipped(reason))],
    };
    let Some(address) = address_of(&mut server.0) else {
        let reason = "no network namespace of its own: needs root, unshare and ip".to_owned();
        return vec![("connections".to_owned(), Outcome::Skipped(reason))];
    };
    let (pid, mut client) = (server.0.id().to_string(), plan("churning-client"));
    client.peer = Some(address);
    let enter = ["-t", &pid, "-n", "--"];
    let client = start("nsenter", &enter, &client, Stdio::null()).unwrap();
    let documents: Vec<_> = std::thread::scope(|scope| {
        let look = |pid: u32, name: &str| {
            let path = folder.path().join(name);
            scope.spawn(move || look(pid, &path))
        };
        let looks = [look(client.0.id(), "client"), look(server.0.id(), "server")];
        looks.into_iter().map(|look| look.join().unwrap()).collect()
    });
    let accepted = std::fs::read_to_string(plan("").progress()).unwrap_or_default();
    let truth: f64 = accepted.trim().parse().unwrap_or(0.0);
    let (host, port) = (address.to_string(), format!(":{}", address.port()));
    let ends = [("client", host, 0), ("server", port, 1)];
    let mut told = Vec::new();
    for (end, peer, at) in ends {
        let name = |what: &str| format!("connections-{what}-{end}");
        match &documents[at] {
            Err(error) => told.push((name("watch"), Outcome::Failed(error.clone()))),
            Ok(document) => {
                let row = row_of(document, &peer);
                told.push((name("estimate"), estimated(&row, truth, end)));
                told.push((name("exact"), traced(document, &row, truth)));
            }
        }
    }
    told
}

fn start(program: &str, enter: &[&str], plan: &Plan, out: Stdio) -> Result<Guard, String> {
    Command::new(program)
        .args(enter)
        .arg(std::env::current_exe().unwrap())
        .env(PLAN, serde_json::to_string(plan).unwrap())
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .map(Guard)
        .map_err(|error| format!("{program}: {error}"))
}

/// The document of a watch, which must be that of its recording, too.
fn look(pid: u32, recording: &Path) -> Result<Value, String> {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
        document(command.args(arguments).args(["--fail-on", "never"]))
    };
    let (pid, path) = (pid.to_string(), recording.to_str().unwrap());
    let watch = ["watch", &pid, "--for", WATCHED, "--connections", "exact", "--record", path];
    let live = run(&watch)?;
    let again = run(&["replay", path])?;
    let told = |document: &Value| document["targets"][0]["connections"].clone();
    if told(&live) == told(&again) {
        Ok(live)
    } else {
        Err(format!("live {:#}\nreplayed {:#}", told(&live), told(&again)))
    }
}

fn row_of(document: &Value, peer: &str) -> Value {
    let rows = document["targets"][0]["connections"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["peer"] == peer).unwrap_or_default()
}

/// Bounds that hold, what is not seen is not 0, and an estimate that is near where there is one.
fn estimated(row: &Value, truth: f64, end: &str) -> Outcome {
    if row.is_null() {
        return Outcome::Skipped("NOT SEEN: no look met a connection, and none traced".to_owned());
    }
    let estimate = &row["estimate"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let (low, high) = (number(&estimate["opened_low"]), number(&estimate["opened_high"]));
    let seen = number(&row["opened"]);
    let shortest = &row["lives"][0];
    let fits = truth > 0.0
        && estimate["label"] == "estimate"
        && estimate["includes"].as_str().is_some_and(|text| text.contains("namespace"))
        && (low..=high).contains(&truth)
        && seen <= truth
        && shortest["count"].is_null()
        && shortest["not_seen"].is_string();
    let error = number(&estimate["opened"]) / truth - 1.0;
    let remark = format!(
        "{truth} in truth, {seen} seen, estimate {} ({low} to {high}), error {:.2} %",
        estimate["opened"],
        error * 100.0
    );
    // The client ends them, and keeps what tells of it.
    let near = if end == "client" { error.abs() <= ERROR } else { true };
    if fits && near {
        Outcome::Passed(remark)
    } else {
        Outcome::Failed(format!("{remark}: {row:#}"))
    }
}

/// The count of the server, where the tracepoint may be used.
fn traced(document: &Value, row: &Value, truth: f64) -> Outcome {
    let sources = document["targets"][0]["sources"].as_array().cloned().unwrap_or_default();
    let source = sources.into_iter().find(|source| source["name"] == "connections");
    let source = source.unwrap_or_default();
    if source["status"] == "unavailable" {
        return Outcome::Skipped(format!("NOT TRACED: {}", source["reason"]));
    }
    let traced = &row["traced"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let (low, high) = (number(&traced["opened"]), number(&traced["opened_high"]));
    let lives = traced["lives"].as_array().cloned().unwrap_or_default();
    let all: f64 = lives.iter().map(|lives| number(&lives["count"])).sum();
    let short: f64 = lives
        .iter()
        .filter(|lives| number(&lives["to_seconds"]) <= KEPT.as_secs_f64())
        .map(|lives| number(&lives["count"]))
        .sum();
    let remark = format!(
        "{truth} in truth, {low} to {high} traced, {} closed, {} us of CPU time",
        traced["closed"], source["cost_us"]
    );
    // Without a loss it is exact, to the last one.
    let exact = source["status"] != "ok" || (low == truth && number(&traced["closed"]) == truth);
    // The server may learn of the end of some before it has learnt of their beginning.
    let long_enough = row["role"] == "tcp server" || short == 0.0;
    if exact && low <= truth && truth <= high && all > truth * 0.9 && long_enough {
        Outcome::Passed(remark)
    } else {
        Outcome::Failed(format!("{remark}: {source} {row:#}"))
    }
}
