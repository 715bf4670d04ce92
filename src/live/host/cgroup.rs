//! Control groups, version 1, 2 and hybrid: where a process is, who else is there, and limits.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where version 2 is mounted alone, or beside version 1.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Version 1 shows "no limit" as a huge number, rounded to pages.
const NO_LIMIT: u64 = 1 << 60;

/// One line of /proc/PID/cgroup: controllers (empty for version 2) and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Controllers of a version 1 hierarchy.
    pub controllers: Vec<String>,
    /// Path below the mount, always starting with `/`.
    pub path: String,
}

/// Parses /proc/PID/cgroup.
pub fn parse_memberships(text: &str) -> Vec<Membership> {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let controllers = parts.next()?;
            let path = parts.next()?;
            Some(Membership {
                controllers: controllers
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(|name| name.trim_start_matches("name=").to_owned())
                    .collect(),
                path: path.to_owned(),
            })
        })
        .collect()
}

/// Groups of a process; empty when they cannot be read.
pub fn memberships(pid: u32) -> Vec<Membership> {
    fs::read(format!("/proc/{pid}/cgroup"))
        .map(|bytes| parse_memberships(&String::from_utf8_lossy(&bytes)))
        .unwrap_or_default()
}

/// Directories that a membership may stand for, the ones that exist.
pub fn directories(membership: &Membership) -> Vec<PathBuf> {
    let relative = membership.path.trim_start_matches('/');
    // A path that climbs out of the mount comes from another cgroup namespace.
    if Path::new(relative).components().any(|part| part == Component::ParentDir) {
        return Vec::new();
    }
    let bases: Vec<PathBuf> = if membership.controllers.is_empty() {
        UNIFIED.iter().map(PathBuf::from).collect()
    } else {
        let joined = membership.controllers.join(",");
        std::iter::once(joined.as_str())
            .chain(membership.controllers.iter().map(String::as_str))
            .map(|name| Path::new("/sys/fs/cgroup").join(name))
            .collect()
    };
    bases
        .into_iter()
        .map(|base| base.join(relative))
        .filter(|folder| folder.join("cgroup.procs").exists())
        .collect()
}

/// Processes of a group and of the groups below it.
pub fn members(folder: &Path) -> Vec<u32> {
    fn walk(folder: &Path, depth: usize, found: &mut Vec<u32>) {
        if let Ok(text) = fs::read_to_string(folder.join("cgroup.procs")) {
            found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        }
        if depth == 0 {
            return;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, 8, &mut found);
    found.retain(|&pid| pid != 0 && pid != std::process::id());
    found.sort_unstable();
    found.dedup();
    found
}

/// A limit of a group and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLimit {
    /// The limit.
    pub limit: u64,
    /// Present use, where it can be read.
    pub used: Option<u64>,
}

/// The tightest limit on the way from the process's group up to the root; `None`: unlimited.
pub fn tightest(
    memberships: &[Membership],
    controller: &str,
    v2: (&str, &str),
    v1: (&str, &str),
) -> Option<GroupLimit> {
    let mut found: Option<GroupLimit> = None;
    for membership in memberships {
        let (limit_file, used_file) = if membership.controllers.is_empty() {
            v2
        } else if membership.controllers.iter().any(|name| name == controller) {
            v1
        } else {
            continue;
        };
        for folder in directories(membership) {
            for level in folder.ancestors().take_while(|f| f.starts_with("/sys/fs/cgroup")) {
                let Some(limit) = number(&level.join(limit_file)).filter(|&l| l < NO_LIMIT) else {
                    continue;
                };
                let used = number(&level.join(used_file));
                let left = |l: &GroupLimit| l.limit.saturating_sub(l.used.unwrap_or(0));
                let candidate = GroupLimit { limit, used };
                if found.as_ref().is_none_or(|best| left(&candidate) < left(best)) {
                    found = Some(candidate);
                }
            }
        }
    }
    found
}

/// A number, or `None` for `max`, text, or an unreadable file.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_are_parsed() {
        let text =
            "12:pids:/system.slice/redis.service\n1:name=systemd:/a:b\n0::/user.slice\nbad\n";
        let found = parse_memberships(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].controllers, ["pids"]);
        assert_eq!((found[1].controllers[0].as_str(), found[1].path.as_str()), ("systemd", "/a:b"));
        assert!(found[2].controllers.is_empty());
    }

    #[test]
    fn paths_that_climb_out_are_refused() {
        let outside = Membership { controllers: Vec::new(), path: "/../../etc".to_owned() };
        assert!(directories(&outside).is_empty());
    }

    #[test]
    fn our_own_groups_can_be_read() {
        assert!(!memberships(std::process::id()).is_empty());
    }
}
