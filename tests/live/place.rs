//! Where the child of a diagnosis lives, and the program that looks at it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use crate::child::Plan;
use crate::scenarios::Start;

/// Where the hierarchies of control groups are mounted: version 2, version 1.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"];

/// A place.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// With the test.
    Here,
    /// Under a user of its own.
    User(u32),
    /// In a control group that may have so many tasks.
    Group(u32),
    /// In a network namespace of its own; so is the program that looks.
    Namespace,
}

impl Place {
    /// Starts the child there; the reason when this machine cannot.
    pub(crate) fn start(self, plan: &Plan) -> Result<Child, String> {
        match self {
            Self::Here | Self::Group(_) => Start::Own.spawn(plan),
            Self::Namespace => Start::Namespace.spawn(plan),
            Self::User(user) => {
                // It tells its progress in there.
                let anybody = fs::Permissions::from_mode(0o777);
                fs::set_permissions(&plan.folder, anybody).unwrap();
                Start::User(user).spawn(plan)
            }
        }
    }

    /// Puts a child that is set up where it belongs, for as long as the value lives; the reason when
    /// this machine cannot.
    pub(crate) fn confine(self, pid: u32) -> Result<Option<Group>, String> {
        let Self::Group(tasks) = self else { return Ok(None) };
        Group::of(pid, tasks)
            .map(Some)
            .map_err(|error| format!("no control group with pids.max can be made: {error}"))
    }

    /// The program that looks at it.
    pub(crate) fn looker(self, pid: u32) -> Command {
        let own = env!("CARGO_BIN_EXE_poolscan");
        match self {
            Self::Namespace => {
                let mut command = Command::new("nsenter");
                command.args(["-t", &pid.to_string(), "-n", own]);
                command
            }
            _ => Command::new(own),
        }
    }
}

/// A control group with one process in it, which leaves it with the value.
pub(crate) struct Group {
    folder: PathBuf,
    parent: PathBuf,
    pid: u32,
}

impl Group {
    fn of(pid: u32, tasks: u32) -> io::Result<Self> {
        let can_limit = |parent: &&Path| {
            let own = fs::read_to_string(parent.join("cgroup.subtree_control"));
            own.map_or(parent.ends_with("pids"), |text| text.contains("pids"))
        };
        let parent = GROUPS.iter().map(Path::new).find(can_limit);
        let parent = parent.ok_or_else(|| io::Error::other("pids is not delegated"))?;
        let folder = parent.join(format!("poolscan-test-{pid}"));
        fs::create_dir(&folder)?;
        let group = Self { folder, parent: parent.to_owned(), pid };
        fs::write(group.folder.join("pids.max"), tasks.to_string())?;
        fs::write(group.folder.join("cgroup.procs"), pid.to_string())?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.parent.join("cgroup.procs"), self.pid.to_string());
        // The kernel lets it go a moment after the last task has left.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
