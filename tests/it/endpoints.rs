//! The binary and endpoints: pools end to end, hanging and lying servers, recordings of both.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// Serves `answer(n)` to the nth request on a port of its own; an empty answer is silence.
fn serve(answer: impl Fn(u64) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let asked = AtomicU64::new(0);
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let body = answer(asked.fetch_add(1, Ordering::Relaxed));
            if body.is_empty() {
                silent.push(stream);
                continue;
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    format!("http://user:secret@{address}/metrics")
}

/// A sleeping child that ends with the test.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("120").spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn poolscan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poolscan")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn document(args: &[&str]) -> (i32, Value) {
    let output = poolscan(&[args, &["--format", "json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("secret"), "{text}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("secret"), "{stderr}");
    let document = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), document.unwrap_or_else(|error| panic!("{error}: {stderr}")))
}

fn source<'d>(document: &'d Value, name: &str) -> &'d Value {
    let sources = document["targets"][0]["sources"].as_array().unwrap();
    sources.iter().find(|source| source["name"] == name).unwrap()
}

#[test]
fn a_pool_that_is_exhausted_is_said_and_replayed_to_the_byte() {
    let sleeper = Sleeper::start();
    let text = include_str!("../../fixtures/wire/hikaricp.prom");
    let url = serve(|_| text.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.jsonl.gz");
    let path = path.to_str().unwrap();
    let pid = sleeper.0.id().to_string();
    // Ten seconds of waiting become one.
    let how = ["--lifetime", "9500ms", "--fail-on", "suspect"];
    let watch = ["watch", &pid, "--for", "8s", "--metrics", &url, "--record", path];
    let (code, live) = document(&[&watch[..], &how].concat());
    let target = &live["targets"][0];
    let found = target["diagnoses"].as_array().unwrap();
    assert_eq!((code, found.len()), (1, 1), "{target:#}");
    assert_eq!(found[0]["rule"], "pool-exhausted");
    let pool = &target["pools"][0];
    assert_eq!(pool["name"], "HikariCP HikariPool-1");
    assert_eq!((&pool["level"], &pool["waiting"]), (&"exhausted".into(), &7.0.into()));
    assert_eq!(source(&live, "metrics")["status"], "ok");
    let (again, mut replayed) = document(&[&["replay", path], &how[..]].concat());
    replayed["schema"] = live["schema"].clone();
    assert_eq!((again, &replayed), (code, &live));
}

#[test]
fn nothing_that_an_endpoint_does_disturbs_the_look_at_handles() {
    let sleeper = Sleeper::start();
    let pid = sleeper.0.id().to_string();
    let garbage = "\u{1b}]0;x\u{7}{{{{ \u{0}\n".repeat(200_000);
    let endpoints: [(String, &str); 3] = [
        (serve(|_| String::new()), "has not answered yet"),
        (serve(move |_| garbage.clone()), "it holds no metrics"),
        (serve(|_| format!("# {}\n", "x".repeat(1022)).repeat(17 << 10)), "longer than 16 MiB"),
    ];
    for (url, reason) in endpoints {
        let watch = ["watch", &pid, "--for", "4s", "--lifetime", "2s", "--fail-on", "suspect"];
        for how in ["--metrics", "--pprof"] {
            let (code, live) = document(&[&watch[..], &[how, &url]].concat());
            // 38 beats fit into it; a busy machine may leave some out.
            let beats = live["cost"]["identity_beats"].as_u64().unwrap();
            assert!(code == 0 && beats >= 10, "{how} {reason}: {beats} beats, exit {code}");
            assert_eq!(source(&live, "fds")["status"], "ok");
            let name = if how == "--metrics" { "metrics" } else { "goroutines" };
            let told = source(&live, name);
            assert_ne!(told["status"], "ok", "{told}");
            if how == "--metrics" {
                assert!(told["reason"].as_str().unwrap().contains(reason), "{told}");
            }
        }
    }
}

#[test]
fn goroutines_are_a_part_of_one_look_and_of_snapshots() {
    let sleeper = Sleeper::start();
    let pid = sleeper.0.id().to_string();
    let counts = include_str!("../../fixtures/wire/goroutine-1.19.debug1");
    let dump = include_str!("../../fixtures/wire/goroutine-1.19.debug2");
    // Counts, the index, and all stacks, in this order.
    let url = || {
        serve(move |asked| match asked {
            0 => counts.to_owned(),
            1 => "<html>goroutine heap</html>".to_owned(),
            _ => dump.to_owned(),
        })
    };
    let (_, look) = document(&["watch", &pid, "--once", "--pprof", &url()]);
    let resources = look["targets"][0]["resources"].as_array().unwrap();
    let held = |kind: Value| {
        let found = resources.iter().find(|r| r["resource"] == "goroutines" && r["kind"] == kind);
        found.map(|row| row["now"].clone())
    };
    assert_eq!(held("goroutine".into()), Some(26.0.into()), "{resources:#?}");
    assert!(held(Value::Null).is_some());
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    for path in &paths {
        let output = poolscan(&["snapshot", &pid, "-o", path, "--pprof", &url()]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let (_, compared) = document(&["diff", &paths[0], &paths[1]]);
    let groups = compared["groups"].as_array().unwrap();
    let asked = groups.iter().find(|group| {
        let name = group["group"].as_str().unwrap();
        name.starts_with("goroutine > chan send > main.ask (")
    });
    let asked = asked.unwrap_or_else(|| panic!("{groups:#?}"));
    assert_eq!((&asked["opened"], &asked["stayed"]), (&0.into(), &8.into()), "{asked}");
}

#[test]
fn what_the_garbage_collector_proved_needs_no_growth() {
    let sleeper = Sleeper::start();
    let counts = include_str!("../../fixtures/wire/goroutine-1.19.debug1");
    let dump = include_str!("../../fixtures/wire/goroutine-new.debug2");
    let leaked = include_str!("../../fixtures/wire/goroutineleak.debug1");
    let url = serve(move |asked| match asked {
        0 => counts.to_owned(),
        1 => "<a href='goroutineleak?debug=1'>goroutineleak</a>".to_owned(),
        2 => dump.to_owned(),
        _ => leaked.to_owned(),
    });
    let (code, look) = document(&["watch", &sleeper.0.id().to_string(), "--once", "--pprof", &url]);
    let resources = look["targets"][0]["resources"].as_array().unwrap();
    let proved: Vec<_> = resources
        .iter()
        .filter(|row| row["confidence"] == "proof" && row["kind"] == "goroutine")
        .filter(|row| !row["group"].as_array().unwrap().is_empty())
        .map(|row| (row["group"].to_string(), row["now"].as_f64().unwrap(), &row["verdict"]))
        .collect();
    assert_eq!(
        proved,
        [
            (r#"["main.ask.func1 (/app/main.go:20)"]"#.to_owned(), 4.0, &"leaking".into()),
            (
                r#"["sync.Mutex.Lock","main.deposit (/app/bank.go:31)"]"#.to_owned(),
                7.0,
                &"leaking".into()
            ),
        ]
    );
    assert_eq!(code, 1);
}

#[test]
fn wrong_addresses_are_refused_without_being_repeated() {
    for (url, reason) in [
        ("https://u:secret@host/metrics", "https is not supported"),
        ("u:secret@:x", "it is no URL"),
    ] {
        for flag in ["--metrics", "--pprof"] {
            let output = poolscan(&["watch", "1", "--once", flag, url]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(reason) && !said.contains("secret"), "{said}");
        }
    }
    let output = poolscan(&["doctor", "--metrics", "http://127.0.0.1:1/"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("refused") && said.contains("net/http/pprof"), "{said}");
}
