//! Tasks of a real tokio service with a console: the service is a package of its own, which this
//! test builds beside ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio_console_api::instrument::instrument_client::InstrumentClient;
use tokio_console_api::instrument::{PauseRequest, ResumeRequest};

use crate::check::groups;
use crate::observe::{Guard, Outcome};
use crate::service::build;

/// The marked lines of the service.
const SERVICE: &str = include_str!("../../fixtures/services/tokio-console/src/main.rs");

/// A test by its name: what it does with the program of the service.
type Test = (&'static str, fn(&Path) -> Result<String, String>);

const TESTS: [Test; 7] = [
    ("console-leak", leak),
    ("console-constant", constant),
    ("console-many", many),
    ("console-reconnect", reconnect),
    ("console-pause", pause),
    ("console-diagnoses", sick),
    ("console-hanging", hanging),
];

/// The tests that are wanted, a few at a time.
pub(crate) fn all(fits: &dyn Fn(&str) -> bool) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = run("tokio-console", "tokio-console-service", &TESTS, fits);
    let old = [("console-older-subscriber", older as fn(&Path) -> _)];
    outcomes.extend(run("tokio-console-0.4", "tokio-console-service-old", &old, fits));
    outcomes
}

fn run(
    package: &str,
    binary: &str,
    tests: &[Test],
    fits: &dyn Fn(&str) -> bool,
) -> Vec<(&'static str, Outcome)> {
    let wanted: Vec<&Test> = tests.iter().filter(|(name, _)| fits(name)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let service = match build(package, binary) {
        Ok(service) => service,
        Err(unbuilt) => return wanted.iter().map(|test| (test.0, unbuilt.outcome())).collect(),
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = wanted
            .into_iter()
            .map(|(name, test)| (*name, scope.spawn(|| test(&service))))
            .collect();
        let outcome = |result: Result<String, String>| match result {
            Ok(remark) => Outcome::Passed(remark),
            Err(why) => Outcome::Failed(why),
        };
        started.into_iter().map(|(name, test)| (name, outcome(test.join().unwrap()))).collect()
    })
}

/// A running service.
struct Service {
    process: Guard,
    port: u16,
}

impl Service {
    /// Starts it in a role; it publishes after each interval, such as `100ms`.
    fn start(program: &Path, arguments: &[&str], interval: &str) -> Self {
        // A port of the test's own; the time until the service has it is short.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new(program)
            .args(arguments)
            .env("TOKIO_CONSOLE_BIND", format!("127.0.0.1:{port}"))
            .env("TOKIO_CONSOLE_PUBLISH_INTERVAL", interval)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Self { process: Guard(child), port }
    }

    fn pid(&self) -> String {
        self.process.0.id().to_string()
    }

    /// Watches it at a lifetime of 1 s; the lines of the stream.
    fn watch(&self, seconds: u32, more: &[&str]) -> Result<Vec<Value>, String> {
        self.watch_by("1s", seconds, more)
    }

    /// The same with a longest normal life; three times as long is start-up.
    fn watch_by(&self, lifetime: &str, seconds: u32, more: &[&str]) -> Result<Vec<Value>, String> {
        let pid = self.pid();
        let time = format!("{seconds}s");
        let fixed = ["watch", &pid, "--lifetime", lifetime, "--for", &time, "--format", "ndjson"];
        poolscan(&[&fixed, more].concat())
    }

    /// How many tasks have leaked by now, of which none ever ends.
    fn leaked(&self) -> Result<f64, String> {
        let listed = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .args(["ls", &self.pid(), "--group", &line_of("leaking session"), "--format", "json"])
            .output()
            .unwrap();
        let listed: Value = serde_json::from_slice(&listed.stdout).map_err(|e| e.to_string())?;
        Ok(listed["handles"].as_array().map_or(0, Vec::len) as f64)
    }
}

/// The lines that our program writes.
fn poolscan(arguments: &[&str]) -> Result<Vec<Value>, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_poolscan"))
        .args(arguments)
        .args(["--fail-on", "never"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    lines.map_err(|error| error.to_string())
}

/// `src/main.rs:N` of the line of the service that bears a mark.
fn line_of(mark: &str) -> String {
    let line = SERVICE.lines().position(|line| line.ends_with(&format!("// {mark}")));
    // A path below the package: the older service includes the file from outside.
    format!("src/main.rs:{}", line.unwrap() + 1)
}

fn source<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let sources = summary["targets"][0]["sources"].as_array();
    sources.into_iter().flatten().find(|source| source["name"] == name).unwrap_or(&Value::Null)
}

/// How many tasks live, as far as they are seen.
fn tasks_seen(summary: &Value) -> f64 {
    let mut rows = summary["targets"][0]["resources"].as_array().into_iter().flatten();
    let total = rows.find(|row| row["id"] == "0/tasks//total");
    total.and_then(|row| row["now"].as_f64()).unwrap_or(0.0)
}

/// Groups of tasks that are or were called a suspect or worse, with their worst verdict.
fn accused(lines: &[Value]) -> Vec<(String, String)> {
    let found = lines.iter().map(|line| &line["resource"]).chain(lines.last().map_or_else(
        || Box::new(std::iter::empty()) as Box<dyn Iterator<Item = &Value>>,
        |summary| Box::new(groups(summary)),
    ));
    let mut found: Vec<_> = found
        .filter(|row| row["kind"] == "task")
        .filter(|row| matches!(row["verdict"].as_str(), Some("suspect" | "leaking")))
        // Until one site stands out, a leak may be told of all tasks.
        .filter(|row| row["group"].as_array().is_some_and(|group| group.len() > 1))
        .map(|row| (row["group"].to_string(), row["verdict"].as_str().unwrap().to_owned()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The leaking site and no other is leaking, and it is named with file and line.
fn one_leaks(lines: &[Value]) -> Result<String, String> {
    let leaking = line_of("leaking session");
    let wrong = |(group, _): &&(String, String)| !group.contains(&leaking);
    let accused = accused(lines);
    let summary = lines.last().unwrap();
    let site = groups(summary)
        .filter(|row| row["kind"] == "task" && row["verdict"] == "leaking")
        .find_map(|row| row["sites"][0].as_str());
    match (site, accused.iter().find(wrong)) {
        (Some(site), None) if site.ends_with(&leaking) => Ok(format!("{site} leaks")),
        _ => Err(format!("{site:?}, {accused:?}, {}", source(summary, "tokio"))),
    }
}

fn leak(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["leak", "20", "4"], "50ms");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leak.jsonl.gz");
    let path = path.to_str().unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let lines = service.watch(20, &["--record", path])?;
    let remark = one_leaks(&lines)?;
    let again = poolscan(&["replay", path, "--lifetime", "1s", "--format", "ndjson"])?;
    let rows =
        |lines: &[Value]| lines.last().map(|summary| summary["targets"][0]["resources"].clone());
    if rows(&lines) != rows(&again) {
        return Err(format!("replayed {:?}", rows(&again)));
    }
    // One look at the same tasks, of which none has ended since.
    let (listed, seen) = (service.leaked()?, row_of_leak(&lines)["now"].as_f64().unwrap_or(0.0));
    if listed < seen || seen == 0.0 {
        return Err(format!("ls shows {listed} of the {seen} tasks that leak"));
    }
    Ok(remark)
}

/// What was said of the line that leaks at the end.
fn row_of_leak(lines: &[Value]) -> &Value {
    let leaking = line_of("leaking session");
    let mut rows = lines.last().into_iter().flat_map(groups);
    rows.find(|row| row["group"].to_string().contains(&leaking)).unwrap_or(&Value::Null)
}

/// Two thousand tasks become visible 127 at a time, and none of them is growth.
fn constant(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["idle", "2000"], "500ms");
    let lines = service.watch(25, &[])?;
    let summary = lines.last().unwrap();
    let seen = tasks_seen(summary);
    if !accused(&lines).is_empty() || seen < 2_000.0 {
        return Err(format!("{seen} seen, {:?}", accused(&lines)));
    }
    Ok("2,000 tasks are no growth".to_owned())
}

/// Twenty thousand become visible at all, though to nobody who comes later: that is more than the
/// target puts into one message.
fn many(service: &Path) -> Result<String, String> {
    let mut wrong = String::new();
    // How fast they become visible is a matter of the machine.
    for seconds in [30, 120] {
        let service = Service::start(service, &["idle", "20000"], "10ms");
        // A slow machine takes seconds to spawn them: that is start-up.
        let lines = service.watch_by("20s", seconds, &[])?;
        let summary = lines.last().unwrap();
        let seen = tasks_seen(summary);
        let told = summary["targets"][0]["diagnoses"].as_array().into_iter().flatten();
        let memory = told.into_iter().any(|found| found["rule"] == "console-memory");
        wrong = format!("{seen} seen, {:?}, {}", accused(&lines), source(summary, "tokio"));
        if !accused(&lines).is_empty() {
            break;
        }
        if seen >= 20_000.0 && memory {
            return Ok(format!("{seen} tasks within {seconds} s"));
        }
    }
    Err(wrong)
}

/// Carries bytes between the ends until it is told to stop.
fn carry(mut from: TcpStream, mut to: TcpStream, stop: Arc<AtomicBool>) {
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// A way to the console that breaks after a time, again and again; how often it was gone.
fn breaking_way(console: u16, after: Duration) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gone = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&gone);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            count.fetch_add(1, Ordering::Relaxed);
            let Ok(server) = TcpStream::connect(("127.0.0.1", console)) else { return };
            let stop = Arc::new(AtomicBool::new(false));
            let ends = [(&client, &server), (&server, &client)];
            let carriers = ends.map(|(from, to)| {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || carry(from, to, stop))
            });
            std::thread::sleep(after);
            stop.store(true, Ordering::Relaxed);
            for carrier in carriers {
                carrier.join().unwrap();
            }
        }
    });
    (address, gone)
}

fn reconnect(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["leak", "20", "4"], "50ms");
    std::thread::sleep(Duration::from_secs(5));
    let (way, gone) = breaking_way(service.port, Duration::from_secs(4));
    let lines = service.watch(24, &["--tokio", &format!("http://{way}")])?;
    let connections = gone.load(Ordering::Relaxed);
    let leaked = service.leaked()?;
    let leaking = line_of("leaking session");
    let summary = lines.last().unwrap();
    let row = row_of_leak(&lines);
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let (seen, opened, closed) = (number("now"), number("opened"), number("closed"));
    let healthy = accused(&lines).iter().all(|(group, _)| group.contains(&leaking));
    // None is counted twice, none is taken for ended, and more than the first connection tells (nine
    // seconds of 29) is seen.
    let counted = opened <= seen && seen <= leaked && seen > leaked / 2.0 && closed == 0.0;
    if connections < 3 || !counted || !healthy {
        return Err(format!(
            "{opened} opened, {closed} closed, {seen} of {leaked} over {connections} connections, \
             {:?}, {}",
            accused(&lines),
            source(summary, "tokio")
        ));
    }
    Ok(format!("{seen} tasks, each seen once over {connections} connections"))
}

/// Has the console stand still, or go on, as another client may.
fn order(port: u16, pause: bool) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().unwrap();
    runtime.block_on(async {
        let url = format!("http://127.0.0.1:{port}");
        let mut client = InstrumentClient::connect(url).await.unwrap();
        if pause {
            client.pause(PauseRequest {}).await.unwrap();
        } else {
            client.resume(ResumeRequest {}).await.unwrap();
        }
    });
}

/// What the source says while it is paused, and whether fds are judged all the same.
fn paused(service: &Service) -> Result<String, String> {
    let (lines, _) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| service.watch(20, &[]));
        std::thread::sleep(Duration::from_secs(6));
        order(service.port, true);
        (watch.join().unwrap(), ())
    });
    order(service.port, false);
    let lines = lines?;
    let summary = lines.last().unwrap();
    let tasks = source(summary, "tokio");
    let certain = groups(summary).any(|row| row["kind"] == "task" && row["verdict"] == "leaking");
    // Fds are judged up to the end, though tasks are not.
    let judged = summary["now_seconds"].as_f64().is_some_and(|now| now >= 19.0);
    if tasks["status"] != "partial" || certain || !judged {
        return Err(format!("{tasks}, {:?}", accused(&lines)));
    }
    Ok(tasks["reason"].as_str().unwrap_or_default().to_owned())
}

fn pause(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["leak", "20", "4"], "50ms");
    let reason = paused(&service)?;
    if !reason.contains("another client has paused it") {
        return Err(reason);
    }
    Ok("a pause is told, and withholds the verdict".to_owned())
}

fn older(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["leak", "20", "4"], "50ms");
    std::thread::sleep(Duration::from_secs(5));
    let remark = one_leaks(&service.watch(20, &[])?)?;
    let reason = paused(&service)?;
    if !reason.contains("no update has come") {
        return Err(reason);
    }
    Ok(remark)
}

fn sick(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["sick", "5"], "100ms");
    let lines = service.watch(20, &[])?;
    let summary = lines.last().unwrap();
    let told = summary["targets"][0]["diagnoses"].as_array().cloned().unwrap_or_default();
    for (rule, mark) in [
        ("task-waker-lost", "no waker"),
        ("tasks-wait-in-vain", "waits for a permit"),
        ("task-wakes-itself", "wakes itself"),
    ] {
        let site = line_of(mark);
        let fits =
            |found: &&Value| found["rule"] == rule && found["group"].to_string().contains(&site);
        if !told.iter().any(|found| fits(&found)) {
            return Err(format!("no {rule} at {site} in {told:#?}"));
        }
    }
    if !told.iter().any(|found| found["rule"] == "task-never-yields") {
        return Err(format!("no task-never-yields in {told:#?}"));
    }
    let permit = told.iter().find(|found| found["rule"] == "tasks-wait-in-vain").unwrap();
    let made = line_of("one permit");
    if !permit["message"].as_str().is_some_and(|message| message.contains(&made)) {
        return Err(format!("{permit} does not name {made}"));
    }
    Ok("four diagnoses".to_owned())
}

/// An endpoint that takes connections and says nothing: nothing else is held up by it.
fn hanging(service: &Path) -> Result<String, String> {
    let service = Service::start(service, &["idle", "10"], "1s");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Beside it, on the same machine, one that asks nobody.
    let watch = |url: &str| service.watch(12, &["--tokio", url]);
    let (asking, silent) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| watch(&url));
        let silent = watch("off");
        (asking.join().unwrap(), silent)
    });
    let (asking, silent) = (asking?, silent?);
    let beats = |lines: &[Value]| {
        lines.last().and_then(|summary| summary["cost"]["identity_beats"].as_f64()).unwrap_or(0.0)
    };
    let (asking_beats, silent_beats) = (beats(&asking), beats(&silent));
    let summary = asking.last().unwrap();
    let (tasks, fds) = (source(summary, "tokio"), source(summary, "fds"));
    let undisturbed = silent_beats > 0.0 && asking_beats >= silent_beats * 0.7;
    if tasks["status"] != "unavailable" || fds["status"] != "ok" || !undisturbed {
        return Err(format!("{asking_beats} beats, {silent_beats} without, {fds}, {tasks}"));
    }
    Ok(format!("{asking_beats} beats meanwhile, {silent_beats} without it"))
}
