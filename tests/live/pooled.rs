//! Services that forget connections of a pool: the pool is named, no line is guilty, and the findings
//! of the linter about it stand beside.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::child::Plan;
use crate::observe::{Guard, Outcome, document, start_peer};
use crate::service::build;

const PACKAGE: &str = "pooled";
/// Roles of the service.
const TESTS: [(&str, &str); 2] = [("pooled-redis", "redis"), ("pooled-own", "own")];
/// How often it is looked for a server that starts, and how long between.
const LOOKS: usize = 100;
const BETWEEN: Duration = Duration::from_millis(50);

/// The tests that are wanted, in one watch.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let wanted: Vec<_> = TESTS.into_iter().filter(|(name, _)| fits(name)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let program = match build(PACKAGE, "pooled-service") {
        Ok(program) => program,
        Err(unbuilt) => return wanted.iter().map(|(name, _)| (*name, unbuilt.outcome())).collect(),
    };
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::standing_by("peer", folder.path());
    let (mut outcomes, mut started) = (Vec::new(), Vec::new());
    for (name, role) in wanted {
        let server = match role {
            "redis" => start_redis(folder.path()),
            _ => Ok(start_peer(&plan)),
        };
        match server {
            Ok((server, address)) => {
                let mut command = Command::new(&program);
                command.args([role, &address.to_string()]).stdin(Stdio::null());
                started.push((name, role, Guard(command.spawn().unwrap()), server));
            }
            Err(why) => outcomes.push((name, Outcome::Skipped(why))),
        }
    }
    if started.is_empty() {
        return outcomes;
    }
    // Past the start-up guard.
    std::thread::sleep(Duration::from_secs(4));
    let pids: Vec<u32> = started.iter().map(|(.., service, _)| service.0.id()).collect();
    let told = watch(&pids);
    for ((name, role, ..), pid) in started.iter().zip(pids) {
        let outcome = match &told {
            Ok(told) => judge(told, pid, role),
            Err(error) => Outcome::Failed(error.clone()),
        };
        outcomes.push((name, outcome));
    }
    outcomes
}

/// A server on a port of the test's own.
fn start_redis(folder: &Path) -> Result<(Guard, SocketAddr), String> {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let port = address.port().to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let server = command.spawn().map_err(|error| format!("NO redis-server: {error}"))?;
    let server = Guard(server);
    for _ in 0..LOOKS {
        if TcpStream::connect(address).is_ok() {
            return Ok((server, address));
        }
        std::thread::sleep(BETWEEN);
    }
    Err("redis-server does not answer".to_owned())
}

fn watch(pids: &[u32]) -> Result<Value, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/services").join(PACKAGE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.arg("watch").args(pids.iter().map(u32::to_string)).current_dir(source);
    command.args(["--lifetime", "1s", "--for", "14s", "--trace", "on", "--source", "."]);
    document(command.args(["--fail-on", "never"]))
}

fn judge(told: &Value, pid: u32, role: &str) -> Outcome {
    let targets = told["targets"].as_array().into_iter().flatten();
    let target = targets.into_iter().find(|target| target["target"]["pids"][0] == pid);
    let target = target.unwrap_or(&Value::Null);
    let sources = target["sources"].as_array().into_iter().flatten();
    if let Some(why) = sources.into_iter().find(|source| source["status"] == "unavailable") {
        return Outcome::Skipped(format!("NOT TRACED: {why}"));
    }
    let mut rows = target["resources"].as_array().into_iter().flatten();
    let row = rows.find(|row| {
        row["kind"] == "socket" && row["verdict"] == "leaking" && row["openers"].get(0).is_some()
    });
    let Some(row) = row else {
        return Outcome::Failed(format!("no opener of what leaks: {target:#}"));
    };
    let openers: Vec<&Value> = row["openers"].as_array().into_iter().flatten().collect();
    let mark = format!("// LEAKS {role}");
    let text = include_str!("../../fixtures/services/pooled/src/main.rs");
    let line = text.lines().position(|line| line.ends_with(&mark)).unwrap() + 1;
    let through = openers.iter().all(|opener| {
        opener["through"] == "deadpool" && opener["function"].is_null() && opener["line"].is_null()
    });
    let guilty = row["sites"].as_array().is_some_and(|sites| !sites.is_empty());
    let found = openers[0]["static_findings"].as_array().cloned().unwrap_or_default();
    let candidate = found
        .iter()
        .position(|found| found["rule"] == "connection-forgotten" && found["line"] == line);
    let only_candidates = found.iter().all(|found| found["relation"] == "family");
    match candidate {
        Some(place) if through && !guilty && only_candidates && place < 2 => {
            Outcome::Passed(format!("through deadpool; candidate {} of {}", place + 1, found.len()))
        }
        _ => Outcome::Failed(format!("{row:#}")),
    }
}
