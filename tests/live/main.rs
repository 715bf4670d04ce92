//! Real children that leak at known rates, watched by the real binary at a short `--lifetime`.
//!
//! All of them run at the same time, so that the whole takes about half a minute.

// A test program talks to a person.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program of its own")]

mod children;

use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;

const ROLE: &str = "POOLSCAN_TEST_CHILD";
const SECONDS: u32 = 24;

/// What must come out for one child.
struct Scenario {
    name: &'static str,
    child: fn() -> Option<Child>,
    check: fn(&Value) -> Result<(), String>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "every kind at once, under churn",
        child: || role("everything"),
        check: every_kind,
    },
    Scenario { name: "CLOSE_WAIT server", child: || role("close-wait"), check: close_wait },
    Scenario {
        name: "pooled connections forgotten among busy ones",
        child: || role("forgotten"),
        check: forgotten,
    },
    Scenario { name: "healthy churn and pools", child: || role("healthy"), check: quiet },
    Scenario { name: "saw-tooth", child: || role("saw-tooth"), check: quiet },
    Scenario { name: "warm-up, then flat", child: || role("warm-up"), check: quiet },
    Scenario { name: "another network namespace", child: other_namespace, check: close_wait },
    Scenario { name: "exited leader (Python)", child: || python("leader"), check: files },
    Scenario {
        name: "thread with its own fd table (Python)",
        child: || python("own-table"),
        check: files,
    },
];

fn role(name: &str) -> Option<Child> {
    Some(Command::new(std::env::current_exe().unwrap()).env(ROLE, name).spawn().unwrap())
}

fn other_namespace() -> Option<Child> {
    let usable = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    if !usable.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = "ip link set lo up && exec \"$0\"";
    let own = std::env::current_exe().unwrap();
    let child = Command::new("unshare")
        .args(["-n", "sh", "-c", script])
        .arg(own)
        .env(ROLE, "close-wait")
        .spawn();
    child.ok()
}

fn python(mode: &str) -> Option<Child> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/leak.py");
    // Found by its full path: a wrapper on the PATH would be another process.
    let python = ["/usr/bin/python3", "/usr/local/bin/python3"]
        .into_iter()
        .find(|p| std::path::Path::new(p).exists())?;
    Command::new(python).args([script, mode]).spawn().ok()
}

/// Groups with a verdict of their own.
fn found(document: &Value) -> Vec<&Value> {
    let resources = document["targets"][0]["resources"].as_array();
    resources
        .into_iter()
        .flatten()
        .filter(|r| !r["id"].as_str().unwrap_or_default().ends_with("/total"))
        .collect()
}

fn leaking<'a>(document: &'a Value, kind: &str, part: &str) -> Result<&'a Value, String> {
    found(document)
        .into_iter()
        .find(|r| {
            r["kind"] == kind && r["verdict"] == "leaking" && r["group"].to_string().contains(part)
        })
        .ok_or_else(|| format!("no leaking {kind} {part}"))
}

fn near(value: &Value, want: f64, what: &str) -> Result<(), String> {
    let value = value.as_f64().unwrap_or(f64::NAN);
    if (value - want).abs() <= 0.25 * want {
        Ok(())
    } else {
        Err(format!("{what} is {value}, not {want}"))
    }
}

/// Rate and time to the limit agree with what the child does.
fn rate(resource: &Value, per_second: f64) -> Result<(), String> {
    near(&resource["per_minute"]["value"], per_second * 60.0, "the rate")?;
    let (now, limit) = (resource["now"].as_f64().unwrap_or(0.0), resource["limit"].as_f64());
    if let Some(limit) = limit.filter(|_| resource["resource"] == "fds") {
        // Other groups hold handles, too: the headroom is at most this.
        let most = (limit - now) / per_second;
        let told = resource["seconds_to_limit"]["value"].as_f64().unwrap_or(f64::NAN);
        if told.is_nan() || told > 1.25 * most {
            return Err(format!("the limit is {told} s away, not {most}"));
        }
    }
    Ok(())
}

fn every_kind(document: &Value) -> Result<(), String> {
    let r = children::RATE;
    for (kind, part, per_second) in [
        ("file", "kept", r),
        ("deleted_file", "", r),
        ("directory", "", r),
        ("socket", "tcp client", r),
        ("socket", "tcp server", r),
        ("socket", "unix", r),
        ("socket", "udp", r),
        ("socket", "unconnected", r),
        ("pipe", "", 2.0 * r),
        ("eventfd", "", r),
        ("epoll", "", r),
        ("timerfd", "", r),
        ("memfd", "", r),
        ("pidfd", "", r),
        ("inotify", "", r / 2.0),
        ("thread", "leak-#", r),
        ("child", "", r),
    ] {
        // A kind whose parts leak alike is one finding about the whole.
        let resource = leaking(document, kind, part).or_else(|e| {
            if kind == "socket" { leaking(document, kind, "[]").map_err(|_| e) } else { Err(e) }
        })?;
        if resource["group"].as_array().is_some_and(|g| !g.is_empty()) || kind != "socket" {
            rate(resource, per_second).map_err(|e| format!("{kind} {part}: {e}"))?;
        }
    }
    Ok(())
}

fn close_wait(document: &Value) -> Result<(), String> {
    let resource = leaking(document, "socket", "CLOSE_WAIT")?;
    if !resource["group"].to_string().contains("tcp server") {
        return Err(format!("the role is wrong: {}", resource["group"]));
    }
    rate(resource, children::RATE)
}

fn forgotten(document: &Value) -> Result<(), String> {
    rate(leaking(document, "socket", "tcp client")?, children::RATE)
}

fn files(document: &Value) -> Result<(), String> {
    rate(leaking(document, "file", "")?, children::RATE)
}

fn quiet(document: &Value) -> Result<(), String> {
    let loud: Vec<String> = found(document)
        .iter()
        .filter(|r| r["verdict"] == "leaking" || r["verdict"] == "suspect")
        .map(|r| format!("{} is {}", r["id"], r["verdict"]))
        .collect();
    if loud.is_empty() { Ok(()) } else { Err(loud.join(", ")) }
}

/// Watches one child; `None` when this machine cannot run it.
fn watch(scenario: &Scenario) -> Option<Result<(), String>> {
    let mut child = (scenario.child)()?;
    // Past the first connections and the interpreter's own start.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let output = Command::new(env!("CARGO_BIN_EXE_poolscan"))
        .args(["watch", &child.id().to_string(), "--lifetime", "1s", "--format", "json"])
        .args(["--for", &format!("{SECONDS}s"), "--fail-on", "never"])
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    if !output.status.success() {
        return Some(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = (scenario.check)(&document);
    Some(result.map_err(|error| {
        let shown: Vec<String> = found(&document)
            .iter()
            .map(|r| format!("{} {} {}", r["id"], r["verdict"], r["per_minute"]["value"]))
            .collect();
        format!("{error}\n  found: {}", shown.join("\n         "))
    }))
}

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        children::run(&role);
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|argument| argument == "--list") {
        println!("live: test");
        return ExitCode::SUCCESS;
    }
    let results: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> =
            SCENARIOS.iter().map(|scenario| scope.spawn(move || watch(scenario))).collect();
        running.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (scenario, result) in SCENARIOS.iter().zip(results) {
        match result {
            Some(Ok(())) => {
                passed += 1;
                println!("test {} ... ok", scenario.name);
            }
            Some(Err(error)) => {
                failed += 1;
                println!("test {} ... FAILED\n  {error}", scenario.name);
            }
            None => {
                skipped += 1;
                println!("test {} ... SKIPPED: this machine cannot run it", scenario.name);
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
