//! A child: this test's own executable, run again under a plan of what to leak and how fast.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal};

use crate::{connections, crowded, healthy, leaks, peer, sick};

/// Names the variable with the plan.
pub(crate) const PLAN: &str = "POOLSCAN_TEST_CHILD";
/// Limit of open files of every child, so that the time to the limit is known.
pub(crate) const NOFILE: u64 = 20_000;

/// What a child is to do: passed as JSON.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Plan {
    /// Which role of `leaks` or `healthy`, or `peer`.
    pub(crate) role: String,
    /// Leaking turns a second.
    pub(crate) rate: f64,
    /// Handles a second that are opened, used and closed beside the leak.
    pub(crate) churn: f64,
    /// Seconds before the first leak: past the start-up guard.
    pub(crate) wait: f64,
    /// Ends by itself after so many seconds.
    pub(crate) life: f64,
    /// Longest life of a healthy handle, in seconds.
    pub(crate) lifetime: f64,
    /// Its own directory.
    pub(crate) folder: PathBuf,
    /// Where the other end of its connections is, if it is not to be its own.
    pub(crate) peer: Option<SocketAddr>,
}

impl Plan {
    /// A child in a role that only stands by for two minutes.
    pub(crate) fn standing_by(role: &str, folder: &Path) -> Self {
        Self {
            role: role.to_owned(),
            rate: 0.0,
            churn: 0.0,
            wait: 0.0,
            life: 120.0,
            lifetime: 1.0,
            folder: folder.to_owned(),
            peer: None,
        }
    }

    /// The file in which the child counts its leaking turns.
    pub(crate) fn progress(&self) -> PathBuf {
        self.folder.join("progress")
    }

    /// The file in which it says why this machine cannot show what it is to show.
    pub(crate) fn unsupported(&self) -> PathBuf {
        self.folder.join("unsupported")
    }

    /// The file in which it says how it is selected, if not by its pid.
    pub(crate) fn selector(&self) -> PathBuf {
        self.folder.join("selector")
    }

    /// The address of the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer.unwrap()
    }

    /// Leaks at the plan's rate until the time is up, and counts.
    pub(crate) fn leaking(&self, mut turn: impl FnMut(u32)) {
        let progress = File::create(self.progress()).unwrap();
        std::thread::sleep(Duration::from_secs_f64(self.wait));
        self.paced(self.rate, |count| {
            turn(count);
            progress.write_all_at(format!("{count:>12}").as_bytes(), 0).unwrap();
        });
    }

    /// Calls `turn` so many times a second until the time is up; makes up for what it missed.
    pub(crate) fn paced(&self, per_second: f64, mut turn: impl FnMut(u32)) {
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed().as_secs_f64() < self.life {
            count += 1;
            turn(count);
            let next = start + Duration::from_secs_f64(f64::from(count) / per_second);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

/// Runs a plan until the time is up; killed by the test before that.
pub(crate) fn run(plan: &str) {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let current = Some(maximum.map_or(NOFILE, |maximum| maximum.min(NOFILE)));
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let plan: Plan = serde_json::from_str(plan).unwrap();
    match plan.role.as_str() {
        "peer" => peer::serve(|_| {}).unwrap(),
        "counting-server" => connections::serve(&plan),
        "churning-client" => connections::connect(&plan),
        "everything" => leaks::everything(&plan),
        "file-and-connection" => leaks::file_and_connection(&plan),
        "tcp-roles" => leaks::tcp_roles(&plan),
        "other-roles" => leaks::other_roles(&plan),
        "close-wait" => leaks::close_wait(&plan),
        "forgotten" => leaks::forgotten(&plan),
        "pool" => healthy::pool(&plan),
        "churn" => healthy::churn_alone(&plan),
        "saw-tooth" => healthy::saw_tooth(&plan),
        "warm-up" => healthy::warm_up(&plan),
        other => assert!(sick::run(&plan) || crowded::run(&plan), "no role {other}"),
    }
}
