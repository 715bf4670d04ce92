//! `ls`, `top`, `snapshot`, `diff` and `doctor` against real processes, with lsof and ss as oracles.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn run(program: &str, args: &[&str]) -> Option<Output> {
    Command::new(program).args(args).stdin(Stdio::null()).output().ok()
}

fn poolscan(args: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_poolscan"), args).unwrap()
}

#[track_caller]
fn document(args: &[&str]) -> Value {
    let output = poolscan(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ends with its value.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

/// A process that holds connections, files and a pipe, and does nothing: what it holds does not
/// change under the oracles.
struct Holder {
    child: Guard,
    /// The other ends of some of its connections; those of the others are closed.
    _servers: (TcpListener, Vec<TcpStream>),
    folder: tempfile::TempDir,
}

/// Connections of the holder; of these so many have data that lies unread, and so many are closed
/// from the other end.
const CONNECTIONS: usize = 20;
const UNREAD: usize = 5;
const CLOSED: usize = 4;

fn holder() -> Holder {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "for i in {{1..{CONNECTIONS}}}; do exec {{n}}<>/dev/tcp/127.0.0.1/{port}; done; \
         exec {{a}}>evil$'\\x1b'[2J$'\\n'name {{b}}>gone {{c}}> >(exec sleep 120); \
         head -c 8192 /dev/zero >&$b; rm gone; exec sleep 120"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(folder.path());
    let child = Guard(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let mut servers: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| listener.accept().unwrap().0).collect();
    servers.truncate(CONNECTIONS - CLOSED);
    for server in servers.iter_mut().take(UNREAD) {
        server.write_all(b"unread").unwrap();
    }
    // Until it has become `sleep`, the shell may still hold fds of its own.
    for _ in 0..500 {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", child.pid()));
        if name.is_ok_and(|name| name.trim() == "sleep") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Holder { child, _servers: (listener, servers), folder }
}

/// Numbers in the fd table, with what lsof calls the entry.
fn by_lsof(pid: &str) -> Option<BTreeMap<u32, String>> {
    let output = run("lsof", &["-nP", "-a", "-p", pid, "-d", "0-65535", "-F", "ft"])?;
    let mut found = BTreeMap::new();
    let mut fd = None;
    for line in text(&output).lines() {
        match line.split_at(1) {
            ("f", number) => fd = number.parse().ok(),
            ("t", kind) => {
                found.insert(fd?, kind.to_owned());
            }
            _ => {}
        }
    }
    Some(found)
}

#[test]
fn ls_holds_what_lsof_and_ss_see() {
    let holder = holder();
    let pid = holder.child.pid();
    let listed = document(&["ls", &pid, "--format", "json"]);
    let handles = listed["handles"].as_array().unwrap();
    let by_fd: BTreeMap<u32, &Value> = handles
        .iter()
        .filter_map(|handle| Some((u32::try_from(handle["fd"].as_u64()?).ok()?, handle)))
        .collect();
    let Some(lsof) = by_lsof(&pid) else { return println!("SKIPPED: no lsof") };
    assert!(lsof.len() > CONNECTIONS + 3, "{lsof:?}");
    // Nothing opens or closes: no race is excepted.
    let fds = |keys: BTreeSet<&u32>| keys.into_iter().copied().collect::<Vec<u32>>();
    assert_eq!(fds(by_fd.keys().collect()), fds(lsof.keys().collect()));
    for (fd, kind) in &lsof {
        let ours = by_fd[fd]["kind"].as_str().unwrap();
        let expected = match kind.as_str() {
            "IPv4" | "IPv6" | "unix" | "sock" => "socket",
            "FIFO" => "pipe",
            "CHR" => "device",
            "DIR" => "directory",
            "REG" if ours == "deleted_file" => ours,
            "REG" => "file",
            other => panic!("lsof: {other}"),
        };
        assert_eq!(ours, expected, "fd {fd}");
    }
    let deleted = handles.iter().find(|handle| handle["kind"] == "deleted_file").unwrap();
    assert!(deleted["disk_bytes"].as_u64().unwrap() >= 8192, "{deleted}");

    let Some(output) = run("ss", &["-tanp"]) else { return println!("SKIPPED: no ss") };
    let mut by_ss: BTreeMap<String, u64> = BTreeMap::new();
    let mut queues: u64 = 0;
    for line in text(&output).lines().filter(|line| line.contains(&format!("pid={pid},"))) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let state = match words[0] {
            "ESTAB" => "ESTABLISHED".to_owned(),
            other => other.replace('-', "_"),
        };
        *by_ss.entry(state).or_default() += 1;
        queues += words[1].parse::<u64>().unwrap();
    }
    let tcp: Vec<&Value> = handles
        .iter()
        .filter(|handle| handle["role"].as_str().is_some_and(|role| role.starts_with("tcp")))
        .collect();
    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    for handle in &tcp {
        *ours.entry(handle["state"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(ours, by_ss);
    assert_eq!(ours["CLOSE_WAIT"], CLOSED as u64);
    // ss counts the end of a closed connection as a byte in its queue, and so do we.
    assert_eq!(tcp.iter().filter_map(|handle| handle["unread"].as_u64()).sum::<u64>(), queues);
    let other = |handle: &&&Value| handle["other_end"]["pid"] == std::process::id();
    assert_eq!(tcp.iter().filter(other).count(), CONNECTIONS - CLOSED);
    let of_sleep = |handle: &&Value| handle["other_end"]["name"] == "sleep";
    let pipes: Vec<&Value> = handles.iter().filter(of_sleep).collect();
    assert_eq!(pipes.len(), 1, "the pipe to the other sleep: {pipes:?}");
    assert_eq!((&pipes[0]["kind"], &pipes[0]["other_end"]["fd"]), (&"pipe".into(), &0.into()));
    let only = document(&["ls", &pid, "--group", "CLOSE_WAIT", "--format", "json"]);
    assert_eq!(only["handles"].as_array().unwrap().len(), CLOSED);
}

#[test]
fn hostile_names_reach_no_terminal() {
    let holder = holder();
    let pid = holder.child.pid();
    let file = holder.folder.path().join("s.jsonl");
    let file = file.to_str().unwrap();
    assert!(poolscan(&["snapshot", &pid, "-o", file]).status.success());
    let many = holder.folder.path().join("many.jsonl");
    std::fs::write(&many, "{\"type\":\"open\",\"t_ms\":0,\"id\":1,\"kind\":\"file\"}\n").unwrap();
    for args in [
        &["ls", &pid][..],
        &["top", "--once", "--interval", "10ms"],
        &["watch", &pid, "--once"],
        &["diff", file, many.to_str().unwrap()],
        &["doctor", &pid],
    ] {
        let shown = text(&poolscan(args));
        let hidden = shown.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(hidden, None, "{args:?}: {shown}");
    }
    let shown = text(&poolscan(&["ls", &pid]));
    assert!(shown.contains("\\u{1b}[2J\\u{a}name"), "{shown}");
}

#[test]
fn two_snapshots_tell_what_opened_and_what_stayed() {
    let holder = holder();
    let pid = holder.child.pid();
    let path = |name: &str| holder.folder.path().join(name).to_str().unwrap().to_owned();
    let snapshot = |name: &str| {
        let output = poolscan(&["snapshot", &pid, "-o", &path(name)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    snapshot("a.jsonl.gz");
    snapshot("b.jsonl");
    let same = document(&["diff", &path("a.jsonl.gz"), &path("b.jsonl"), "--format", "json"]);
    assert_eq!((&same["schema"], &same["same_process"]), (&"poolscan.diff/1".into(), &true.into()));
    let groups = same["groups"].as_array().unwrap();
    let closed = groups.iter().find(|g| g["group"].as_str().unwrap().ends_with("CLOSE_WAIT"));
    assert_eq!(closed.unwrap()["stayed"], CLOSED);
    assert!(groups.iter().all(|group| group["opened"] == 0 && group["gone"] == 0), "{same}");
    // Where threads stand, and the surroundings; what differs between two moments is shown.
    let lines = std::fs::read_to_string(path("b.jsonl")).unwrap();
    assert!(lines.contains("\"type\":\"environment\"") && lines.contains("\"name\":\"kernel\""));
    let root = std::fs::read(format!("/proc/{pid}/task/{pid}/stack")).is_ok_and(|s| !s.is_empty());
    assert_eq!(
        lines.contains("\"type\":\"stack\"") && lines.contains("nanosleep"),
        root,
        "{lines}"
    );
    let environment = same["environment"].as_array().unwrap();
    let kernel = environment.iter().find(|text| text["name"] == "kernel").unwrap();
    assert_eq!(kernel["before"], kernel["after"]);
    // A snapshot is a recording: it is judged like any other.
    let judged = document(&["replay", &path("b.jsonl"), "--format", "json"]);
    let live = document(&["watch", &pid, "--once", "--format", "json"]);
    let rows = |document: &Value| document["targets"][0]["resources"].clone();
    let count = |document: &Value, row: usize| rows(document)[row]["now"].clone();
    assert_eq!(count(&judged, 0), count(&live, 0));
    let other = self::holder();
    let second = path("c.jsonl");
    assert!(poolscan(&["snapshot", &other.child.pid(), "-o", &second]).status.success());
    let two = document(&["diff", &path("b.jsonl"), &second, "--format", "json"]);
    assert_eq!(two["same_process"], false);
    assert!(two["groups"].as_array().unwrap().iter().all(|group| group["opened"].is_null()));
}

#[test]
fn top_counts_what_is_open() {
    let holder = holder();
    let pid = holder.child.0.id();
    let seen = document(&["top", "--format", "json", "--interval", "600ms"]);
    let all = seen["processes"].as_array().unwrap();
    let row = all.iter().find(|row| row["pid"] == pid).unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!((&row["fds"], &row["threads"]), (&open.into(), &1.into()));
    assert_eq!(row["per_minute"], 0.0);
    assert!(row["seconds_to_limit"].is_null(), "nothing grows: there is no time to the limit");
    let share = row["share"].as_f64().unwrap();
    let limit = row["limit"].as_f64().unwrap();
    assert!((share - open as f64 / limit).abs() < 1e-6, "{row}");
    let few = text(&poolscan(&["top", "--once", "--most", "1", "--interval", "10ms"]));
    assert_eq!(few.lines().count(), 3, "{few}");
}

/// The binary as another user without rights runs it.
struct Nobody {
    binary: String,
    _folder: tempfile::TempDir,
}

impl Nobody {
    /// `None` where we may not become somebody else.
    fn new() -> Option<Self> {
        // The binary may lie where that user cannot reach it.
        let folder = tempfile::Builder::new().prefix("poolscan").tempdir_in("/tmp").unwrap();
        let binary = folder.path().join("poolscan");
        std::fs::copy(env!("CARGO_BIN_EXE_poolscan"), &binary).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let nobody = Self { binary: binary.to_str().unwrap().to_owned(), _folder: folder };
        let tried = nobody.run(&["--version"])?;
        tried.status.success().then_some(nobody)
    }

    fn run(&self, args: &[&str]) -> Option<Output> {
        let user = [
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--inh-caps=-all",
            &self.binary,
        ];
        run("setpriv", &[&user[..], args].concat())
    }

    fn document(&self, args: &[&str]) -> Option<Value> {
        serde_json::from_slice(&self.run(args)?.stdout).ok()
    }
}

#[test]
fn another_user_sees_growth_and_the_time_to_the_limit() {
    let Some(nobody) = Nobody::new() else {
        return println!("SKIPPED: setpriv to another user is not possible here");
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = "while :; do exec {f}</dev/null; sleep 0.05; done";
    let mut command = Command::new("bash");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null());
    let leaking = Guard(command.spawn().unwrap());
    let pid = leaking.pid();
    let watch = ["watch", &pid, "--lifetime", "1s", "--for", "20s", "--format", "json"];
    let seen = nobody.document(&[&watch[..], &["--fail-on", "never"]].concat()).unwrap();
    let target = &seen["targets"][0];
    let fds = &target["resources"][0];
    assert_eq!((&fds["resource"], &fds["verdict"]), (&"fds".into(), &"suspect".into()), "{fds}");
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}: {fds}"));
    let (per_minute, left) =
        (number(&fds["per_minute"]["value"]), number(&fds["limit"]) - number(&fds["now"]));
    assert!(per_minute > 60.0, "{fds}");
    let expected = left * 60.0 / per_minute;
    let told = number(&fds["seconds_to_limit"]["value"]);
    assert!((told / expected - 1.0).abs() < 0.1, "{told} s, {expected} s at this rate");
    let row = |name: &str| {
        let mut rows = target["resources"].as_array().unwrap().iter();
        rows.find(|row| row["resource"] == name && row["kind"].is_null()).unwrap().clone()
    };
    assert!(number(&row("threads")["now"]) >= 1.0 && row("threads")["limit"].is_u64());
    // The listener is ours, not the target's: it stands in the same network namespace.
    assert!(number(&target["gauges"]["namespace_tcp_listen"]) >= 1.0);
    drop(listener);
}

#[test]
fn another_user_sees_counts_and_reasons_but_no_zeros() {
    let holder = holder();
    let pid = holder.child.pid();
    let Some(nobody) = Nobody::new() else {
        return println!("SKIPPED: setpriv to another user is not possible here");
    };
    let as_nobody = |args: &[&str]| nobody.document(args);
    let seen = as_nobody(&["watch", &pid, "--once", "--format", "json"]).unwrap();
    let target = &seen["targets"][0];
    let fds = &target["resources"][0];
    let held = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!((&fds["resource"], &fds["now"]), (&"fds".into(), &(held as f64).into()), "{fds}");
    assert!(fds["limit"].as_u64().is_some());
    let sources: BTreeMap<&str, &Value> = target["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["name"].as_str().unwrap(), source))
        .collect();
    for name in ["fds", "sockets", "hidden"] {
        assert_eq!(sources[name]["status"], "unavailable", "{name}");
        assert!(sources[name]["reason"].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{name}");
    }
    let kinds = target["resources"].as_array().unwrap().iter().filter(|r| r["resource"] == "fds");
    assert_eq!(kinds.count(), 1, "no kind of handle is known, and none is shown");
    let listed = as_nobody(&["ls", &pid, "--format", "json"]).unwrap();
    let sources = listed["sources"].as_array().unwrap();
    assert!(sources.iter().any(|s| s["name"] == "fds" && s["status"] == "unavailable"));
    let all = as_nobody(&["top", "--format", "json", "--interval", "10ms"]).unwrap();
    let rows = all["processes"].as_array().unwrap();
    let row = rows.iter().find(|row| row["pid"] == holder.child.0.id()).unwrap();
    assert_eq!((&row["fds"], &row["threads"]), (&held.into(), &1.into()));
    assert!(row["limit"].as_u64().is_some());
    let checks = as_nobody(&["doctor", &pid, "--format", "json"]).unwrap();
    let handles = checks["checks"].as_array().unwrap().iter().find(|c| c["name"] == "handles");
    let handles = handles.unwrap();
    assert_eq!(handles["works"], "no");
    assert!(handles["fix"].is_string() && handles["adds"].is_string());
}

/// Says that our own open files have run out.
fn is_shortage(text: &str) -> bool {
    text.contains("limit of open files") || text.contains("Too many open files")
}

#[test]
fn with_few_open_files_of_our_own_what_is_missing_is_said() {
    let holder = holder();
    let pid = holder.child.pid();
    let all = document(&["ls", &pid, "--format", "json"])["handles"].as_array().unwrap().len();
    let held = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let file = holder.folder.path().join("few.jsonl");
    let file = file.to_str().unwrap();
    let (mut short, mut whole) = (0, 0);
    for most in [5, 6, 7, 8, 9, 10, 11, 12, 64] {
        let limit = format!("--nofile={most}:{most}");
        let under = |args: &[&str]| {
            run("prlimit", &[&[&limit, env!("CARGO_BIN_EXE_poolscan")], args].concat())
        };
        let Some(listed) = under(&["ls", &pid, "--format", "json"]) else {
            return println!("SKIPPED: no prlimit");
        };
        let looks = [
            listed,
            under(&["watch", &pid, "--once", "--format", "json"]).unwrap(),
            under(&["snapshot", &pid, "-o", file]).unwrap(),
            under(&["top", "--format", "json", "--interval", "10ms"]).unwrap(),
        ];
        for (nth, look) in looks.iter().enumerate() {
            let said = text(look) + &String::from_utf8_lossy(&look.stderr);
            let code = look.status.code();
            // Not even the libraries of the binary could be loaded.
            if code == Some(127) {
                continue;
            }
            // Not even the process could be looked at: that is no finding, and it is said.
            if code != Some(0) {
                assert!(
                    matches!(code, Some(2 | 3)) && is_shortage(&said),
                    "{most}: {code:?} {said}"
                );
                short += 1;
                continue;
            }
            let complete = match nth {
                0 => {
                    let listed: Value = serde_json::from_slice(&look.stdout).unwrap();
                    listed["handles"].as_array().unwrap().len() == all
                        && listed["other_ends_reason"] == ""
                }
                1 => {
                    let seen: Value = serde_json::from_slice(&look.stdout).unwrap();
                    let fds = &seen["targets"][0]["resources"][0];
                    assert_eq!(
                        (&fds["resource"], &fds["now"]),
                        (&"fds".into(), &(held as f64).into())
                    );
                    let sources = seen["targets"][0]["sources"].as_array().unwrap();
                    let looked = sources.iter().filter(|source| source["name"] != "own files");
                    looked.into_iter().all(|source| source["status"] == "ok")
                }
                2 => {
                    let lines = std::fs::read_to_string(file).unwrap();
                    lines.matches("\"type\":\"open\"").count() == all
                }
                _ => {
                    let seen: Value = serde_json::from_slice(&look.stdout).unwrap();
                    let mut rows = seen["processes"].as_array().unwrap().iter();
                    rows.any(|row| row["pid"] == holder.child.0.id() && row["fds"] == held)
                }
            };
            if complete {
                whole += 1;
            } else {
                assert!(is_shortage(&said), "{most}, look {nth}: {said}");
                short += 1;
            }
        }
    }
    // Both happened, so that neither is an accident of these numbers.
    assert!(short >= 4 && whole >= 8, "{short} short, {whole} whole");
}
