//! What is watched, and what must come out.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::child::{PLAN, Plan};
use crate::leaks::INOTIFY_EVERY;

/// One child, one watch.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) start: Start,
    pub(crate) role: &'static str,
    /// Leaking turns a second.
    pub(crate) rate: f64,
    /// Healthy handles a second beside them.
    pub(crate) churn: f64,
    /// Length of the watch.
    pub(crate) seconds: u64,
    /// What must be found; nothing for a healthy child.
    pub(crate) leaks: Vec<Leak>,
    /// In real time, with the defaults per kind.
    pub(crate) full: bool,
}

/// How a child is started.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Start {
    /// This executable.
    Own,
    /// This executable in a network namespace of its own.
    Namespace,
    /// This executable as a user who has nothing else here.
    User(u32),
    /// The Python script.
    Python,
}

/// A group that must be found.
#[derive(Clone)]
pub(crate) struct Leak {
    pub(crate) kind: &'static str,
    /// A part of one level of the group.
    pub(crate) part: &'static str,
    /// Handles a turn.
    pub(crate) a_turn: f64,
}

const fn leak(kind: &'static str, part: &'static str) -> Leak {
    Leak { kind, part, a_turn: 1.0 }
}

/// All scenarios.
pub(crate) fn all(full: bool) -> Vec<Scenario> {
    // Real time: the slowest verdicts need 335 s at these rates; a fifth a second, 600 s.
    let (seconds, slow, steady) = if full { (420, 600, 0.5) } else { (24, 24, 4.0) };
    let mut all = Vec::new();
    let mut add = |name: &str, start, role, rate, churn, seconds, leaks: &[Leak]| {
        let (name, leaks) = (name.to_owned(), leaks.to_vec());
        all.push(Scenario { name, start, role, rate, churn, seconds, leaks, full });
    };
    let client = leak("socket", "tcp client");
    let both = [leak("file", "kept"), client.clone()];
    for (rate, short) in [(0.2, 140), (1.0, 60), (20.0, 20)] {
        for (churn, beside) in [(0.0, "alone"), (50.0, "churn")] {
            let seconds = if !full {
                short
            } else if rate < 1.0 {
                600
            } else {
                420
            };
            let name = format!("rate-{rate}-{beside}");
            add(&name, Start::Own, "file-and-connection", rate, churn, seconds, &both);
        }
    }
    // 128 instances of inotify must last for the whole watch.
    let each = if full { 0.4 } else { 4.0 };
    add("every-kind", Start::Own, "everything", each, 50.0, slow, &every_kind());
    let tcp = ["tcp client", "tcp server", "unconnected"].map(|role| leak("socket", role));
    add("sockets-tcp", Start::Own, "tcp-roles", steady, 50.0, seconds, &tcp);
    let other = ["unix", "udp"].map(|role| leak("socket", role));
    add("sockets-other", Start::Own, "other-roles", steady, 50.0, seconds, &other);
    let close_wait = [leak("socket", "CLOSE_WAIT")];
    add("close-wait", Start::Own, "close-wait", steady, 0.0, seconds, &close_wait);
    add("namespace", Start::Namespace, "close-wait", steady, 0.0, seconds, &close_wait);
    add("forgotten-pool", Start::Own, "forgotten", steady, 0.0, seconds, &[client]);
    add("python-six", Start::Python, "six", steady, 0.0, seconds, &python_six());
    let rare = [leak("io_uring", ""), leak("other", "landlock")];
    add("python-rare", Start::Python, "rare", steady, 0.0, seconds, &rare);
    let files = [leak("file", "kept")];
    add("exited-leader", Start::Python, "leader", steady, 0.0, seconds, &files);
    add("own-fd-table", Start::Python, "own-table", steady, 0.0, seconds, &files);
    add("healthy-pool", Start::Own, "pool", 20.0, 0.0, seconds, &[]);
    add("healthy-churn", Start::Own, "churn", 1.0, 50.0, seconds, &[]);
    add("healthy-saw-tooth", Start::Own, "saw-tooth", 50.0, 0.0, seconds, &[]);
    add("healthy-warm-up", Start::Own, "warm-up", 20.0, 0.0, seconds, &[]);
    all
}

fn every_kind() -> Vec<Leak> {
    let mut leaks = vec![
        leak("file", "kept"),
        leak("deleted_file", "deleted-#"),
        leak("directory", "/usr"),
        leak("device", "/dev/zero"),
        Leak { a_turn: 2.0, ..leak("pipe", "") },
        Leak { a_turn: 1.0 / f64::from(INOTIFY_EVERY), ..leak("inotify", "") },
        leak("thread", "leak-#"),
        leak("child", "zombie"),
        // Five roles leak alike: more than three parts are one finding about the whole.
        Leak { a_turn: 5.0, ..leak("socket", "") },
    ];
    leaks.extend(
        ["eventfd", "epoll", "timerfd", "signalfd", "memfd", "pidfd"].map(|kind| leak(kind, "")),
    );
    leaks
}

fn python_six() -> Vec<Leak> {
    vec![
        leak("file", "kept"),
        leak("socket", "tcp client"),
        leak("socket", "tcp server"),
        Leak { a_turn: 2.0, ..leak("pipe", "") },
        leak("child", "zombie"),
        leak("signalfd", ""),
        leak("thread", ""),
    ]
}

impl Start {
    /// Starts the child; the reason when this machine cannot.
    pub(crate) fn spawn(self, plan: &Plan) -> Result<Child, String> {
        let own = std::env::current_exe().unwrap();
        let mut command = match self {
            Self::Own => Command::new(own),
            Self::User(user) => {
                let mut command = Command::new(own);
                command.uid(user).gid(user);
                command
            }
            Self::Namespace => {
                let usable = Command::new("unshare")
                    .args(["-n", "ip", "link", "set", "lo", "up"])
                    .stderr(Stdio::null())
                    .status();
                if !usable.is_ok_and(|status| status.success()) {
                    return Err("`unshare -n ip link set lo up` fails: needs root, unshare and \
                                iproute2"
                        .to_owned());
                }
                let mut command = Command::new("unshare");
                command.args(["-n", "sh", "-c", "ip link set lo up && exec \"$0\""]).arg(own);
                command
            }
            Self::Python => {
                // By its full path: a wrapper on the PATH would be another process.
                let python = ["/usr/bin/python3", "/usr/local/bin/python3"]
                    .into_iter()
                    .find(|path| std::path::Path::new(path).exists())
                    .ok_or("no python3 in /usr/bin or /usr/local/bin")?;
                let mut command = Command::new(python);
                command
                    .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/leak.py"))
                    .arg(&plan.role)
                    .args([plan.rate, plan.wait, plan.life].map(|number| number.to_string()))
                    .arg(&plan.folder);
                command
            }
        };
        command
            .env(PLAN, serde_json::to_string(plan).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start the child: {error}"))
    }
}
