//! The binary: exit codes, errors, documents, recordings.

use std::process::{Command, Output, Stdio};

fn poolscan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poolscan")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn code(args: &[&str]) -> i32 {
    poolscan(args).status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A sleeping child that ends with the test.
struct Sleeper(std::process::Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_is_wrong() {
    for args in [
        &["watch"][..],
        &["watch", ":0"],
        &["watch", "1", "--lifetime", "soon"],
        &["watch", "1", "--fail-on", "sometimes"],
        &["watch", "1", "--once", "--source", "/nonexistent"],
        &["nonsense"],
        &["replay", "/nonexistent.jsonl"],
    ] {
        let output = poolscan(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["watch", "--help"]), 0);
}

#[test]
fn lint_rules_and_explain_take_their_arguments() {
    for args in [
        &["lint", "--fail-on", "leaking"][..],
        &["lint", "--format", "ndjson"],
        &["lint", "--select", "no-such-rule-anywhere"],
        &["lint", "--why", "src/lib.rs"],
        &["lint", "--threads", "0"],
        &["explain"],
        &["explain", "no-such-rule-anywhere"],
    ] {
        let output = poolscan(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
    let help = poolscan(&["lint", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
    let rules = poolscan(&["rules", "--format", "json"]);
    assert_eq!(rules.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&rules.stdout).unwrap();
    assert_eq!(document["schema"], "poolscan.rules/1");
    assert!(document["rules"].is_array());
}

#[test]
fn a_folder_without_source_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let output = poolscan(&["lint", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("to analyse"), "{}", stderr(&output));
}

#[test]
fn no_target_is_3() {
    for (selector, word) in [
        ("4194303", "no process 4194303"),
        ("no-such-name-anywhere", "no process is named"),
        ("no-such.service", "is the unit active"),
        ("container:0123456789abcdef", "cgroup of container"),
    ] {
        let output = poolscan(&["watch", selector, "--once"]);
        assert_eq!(output.status.code(), Some(3), "{selector}");
        assert!(stderr(&output).contains(word), "{selector}: {}", stderr(&output));
    }
}

#[test]
fn one_look_gives_a_document() {
    let sleeper = Sleeper::start();
    let output = poolscan(&["watch", &sleeper.pid(), "--once", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "poolscan.watch/1");
    assert_eq!(document["verdict"], "insufficient_data");
    let target = &document["targets"][0];
    assert_eq!(target["target"]["name"], "sleep");
    let fds = &target["resources"][0];
    assert_eq!(fds["resource"], "fds");
    assert!(fds["now"].as_f64().unwrap() >= 3.0 && fds["limit"].as_u64().unwrap() > 0);
    let required = ["watch", &sleeper.pid(), "--once", "--require-verdict"];
    assert_eq!(code(&required), 4);
}

#[test]
fn a_watch_ends_with_its_target_and_keeps_the_last_verdict() {
    let mut child = Command::new("sleep").arg("1").spawn().unwrap();
    let reaper = std::thread::spawn({
        let pid = child.id().to_string();
        move || poolscan(&["watch", &pid, "--lifetime", "1s", "--for", "30s", "--format", "json"])
    });
    child.wait().unwrap();
    let output = reaper.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["now_seconds"].as_f64().unwrap() < 25.0);
}

#[test]
fn a_program_is_watched_to_its_end() {
    let output = poolscan(&["watch", "--lifetime", "1s", "--format", "json", "--", "sleep", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(code(&["watch", "--", "/nonexistent/program"]), 2);
}

#[test]
fn a_replay_gives_the_document_of_the_live_run() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["run.jsonl", "run.jsonl.gz"] {
        let file = folder.path().join(name);
        let file = file.to_str().unwrap();
        let sleeper = Sleeper::start();
        let pid = sleeper.pid();
        let common = ["--format", "json", "--fail-on", "never"];
        let live =
            [&["watch", &pid, "--lifetime", "1s", "--for", "4s", "--record", file], &common[..]]
                .concat();
        let live = poolscan(&live);
        let replay = poolscan(&[&["replay", file], &common[..]].concat());
        assert_eq!(live.status.code(), Some(0), "{}", stderr(&live));
        assert_eq!(replay.status.code(), Some(0), "{}", stderr(&replay));
        let text = |output: &Output| {
            String::from_utf8_lossy(&output.stdout).replace("poolscan.replay/1", "poolscan.watch/1")
        };
        assert_eq!(text(&live), text(&replay), "{name}");
    }
}

#[test]
fn a_full_disk_stops_the_recording_and_not_the_watch() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let sleeper = Sleeper::start();
    let pid = sleeper.pid();
    let output = poolscan(&[
        "watch",
        &pid,
        "--lifetime",
        "1s",
        "--for",
        "1s",
        "--record",
        "/dev/full",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/dev/full"), "{}", stderr(&output));
}

#[test]
fn hand_written_and_damaged_recordings() {
    let ten = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings/ten-lines.jsonl");
    assert_eq!(code(&["replay", ten]), 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.jsonl");
    let text = std::fs::read_to_string(ten).unwrap();
    std::fs::write(&file, format!("{}\u{1b}[2Jnonsense\n{}", text, &text[..text.len() / 3]))
        .unwrap();
    let output = poolscan(&["replay", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("malformed"), "{}", stderr(&output));
    assert!(!stderr(&output).contains('\u{1b}'));
    std::fs::write(&file, b"\x00\xff\xfe garbage").unwrap();
    assert_eq!(code(&["replay", file.to_str().unwrap()]), 2);
    std::fs::write(&file, b"").unwrap();
    assert_eq!(code(&["replay", file.to_str().unwrap()]), 2);
}

#[test]
fn hostile_names_reach_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join("evil\u{1b}[31m\u{202e}\u{7}");
    std::fs::copy("/bin/sleep", &evil).unwrap();
    let mut child = Command::new(&evil).arg("60").stdin(Stdio::null()).spawn().unwrap();
    let output = poolscan(&["watch", &child.id().to_string(), "--once"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("evil"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
}
