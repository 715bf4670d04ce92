//! Starts a child, watches it with the real binary, and hands the answer to the checks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::check::{self, Truth};
use crate::child::{PLAN, Plan};
use crate::scenarios::Scenario;

/// How a scenario ended.
pub(crate) enum Outcome {
    Passed(String),
    Failed(String),
    Skipped(String),
}

/// A process that ends with its value.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Past the start-up guard of the default ages.
const AHEAD_FULL: f64 = 302.0;
/// Past the interpreter's own start and the guard at `--lifetime 1s`.
const AHEAD_SHORT: f64 = 4.0;

/// Runs one scenario.
pub(crate) fn observe(scenario: &Scenario) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    // The pace of the healthy ones: files count as old after 30 s by default.
    let (ahead, lifetime) = if scenario.full { (AHEAD_FULL, 25.0) } else { (AHEAD_SHORT, 1.0) };
    let mut plan = Plan {
        role: scenario.role.to_owned(),
        rate: scenario.rate,
        churn: scenario.churn,
        wait: ahead,
        life: ahead + scenario.seconds as f64 + 60.0,
        lifetime,
        folder: folder.path().to_owned(),
        peer: None,
    };
    let peer = start_peer(&plan);
    plan.peer = Some(peer.1);
    let mut child = match scenario.start.spawn(&plan) {
        Ok(child) => Guard(child),
        Err(reason) => return Outcome::Skipped(reason),
    };
    // The leak begins about when the watch does; what begins before is no evidence of growth.
    std::thread::sleep(Duration::from_secs_f64(ahead - 0.5));
    let before = (turns(&plan), Instant::now());
    let output = poolscan(scenario, child.0.id()).output().unwrap();
    let turns = turns(&plan) - before.0;
    let seconds = before.1.elapsed().as_secs_f64() - 0.5;
    if let Ok(reason) = std::fs::read_to_string(plan.unsupported()) {
        return Outcome::Skipped(reason);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Outcome::Failed(format!("poolscan {}: {stderr}", output.status));
    }
    if let Ok(Some(status)) = child.0.try_wait() {
        return Outcome::Failed(format!("the child ended by itself: {status}"));
    }
    let truth = Truth { turns_per_second: turns / seconds, full: scenario.full };
    if let Some(path) = recording(&scenario.name, "truth.json").filter(|_| scenario.full) {
        std::fs::write(path, serde_json::to_string(&truth).unwrap()).unwrap();
    }
    judge(&output.stdout, scenario, truth)
}

/// Checks a stream of lines as `watch` and `replay` write it.
pub(crate) fn judge(stdout: &[u8], scenario: &Scenario, truth: Truth) -> Outcome {
    let lines: Result<Vec<Value>, _> = stdout
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(serde_json::from_slice)
        .collect();
    let lines = match lines {
        Ok(lines) if !lines.is_empty() => lines,
        Ok(_) => return Outcome::Failed("no output".to_owned()),
        Err(error) => return Outcome::Failed(format!("no JSON: {error}")),
    };
    match check::check(&lines, &scenario.leaks, truth) {
        Ok(remark) => Outcome::Passed(remark),
        Err(errors) => Outcome::Failed(format!(
            "{} ({:.2} turns/s)\n  found: {}",
            errors.join("\n  "),
            truth.turns_per_second,
            check::shown(&lines).join("\n         "),
        )),
    }
}

fn poolscan(scenario: &Scenario, pid: u32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command
        .args(["watch", &pid.to_string(), "--format", "ndjson", "--fail-on", "never"])
        .args(["--for", &format!("{}s", scenario.seconds)])
        .stdin(Stdio::null());
    if scenario.full {
        if let Some(path) = recording(&scenario.name, "jsonl.gz") {
            command.arg("--record").arg(path);
        }
    } else {
        command.args(["--lifetime", "1s"]);
    }
    command
}

fn recording(name: &str, end: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("POOLSCAN_RECORDINGS")?;
    std::fs::create_dir_all(&folder).unwrap();
    Some(Path::new(&folder).join(format!("{name}.{end}")))
}

/// The document that a run of poolscan prints.
pub(crate) fn document(run: &mut Command) -> Result<Value, String> {
    let output = run.args(["--format", "json"]).stdin(Stdio::null()).output().unwrap();
    let document: Result<Value, _> = serde_json::from_slice(&output.stdout);
    document.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The other end of the connections, in a process of its own.
pub(crate) fn start_peer(plan: &Plan) -> (Guard, std::net::SocketAddr) {
    let plan = Plan { role: "peer".to_owned(), ..plan.clone() };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(PLAN, serde_json::to_string(&plan).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let address = address_of(&mut child).unwrap();
    (Guard(child), address)
}

/// The address that a peer tells; `None` when it has ended before.
pub(crate) fn address_of(child: &mut Child) -> Option<std::net::SocketAddr> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

/// Leaking turns so far.
fn turns(plan: &Plan) -> f64 {
    let text = std::fs::read_to_string(plan.progress()).unwrap_or_default();
    text.trim().parse().unwrap_or(0.0)
}
