//! Selectors: how a person names what to watch, resolved to targets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::discover::{self, Found};
use crate::live::facts::{TargetFacts, TargetId};
use crate::live::target::{Follow, Process, Target, TargetError, boot_ms};

/// What to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// One process.
    Pid(u32),
    /// Processes of a name: one process, or one tree.
    Name(String),
    /// Whoever listens on this port.
    Port(u16),
    /// A systemd unit, with its suffix.
    Unit(String),
    /// A container, by the beginning of its id (at least 6 hex digits) or its name.
    Container(String),
    /// A cgroup path below the mount.
    Cgroup(PathBuf),
}

impl FromStr for Selector {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, SelectError> {
        let bad =
            |why: &str| SelectError::BadSelector { text: text.to_owned(), why: why.to_owned() };
        if let Some(port) = text.strip_prefix(':') {
            return match port.parse() {
                Ok(0) | Err(_) => Err(bad("a port is a number from 1 to 65535")),
                Ok(port) => Ok(Self::Port(port)),
            };
        }
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return match text.parse() {
                Ok(0) | Err(_) => Err(bad("a pid is a number from 1 to 4194304")),
                Ok(pid) => Ok(Self::Pid(pid)),
            };
        }
        for (prefix, make) in [
            ("unit:", Self::Unit as fn(String) -> Self),
            ("container:", Self::Container),
            ("cgroup:", |path| Self::Cgroup(PathBuf::from(path))),
        ] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return if rest.is_empty() {
                    Err(bad("something must follow"))
                } else {
                    Ok(make(rest.to_owned()))
                };
            }
        }
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.ends_with(".service") || text.ends_with(".scope") {
            return Ok(Self::Unit(text.to_owned()));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// One process among several that a selector may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Number.
    pub pid: u32,
    /// How long it has run.
    pub started: String,
    /// User name or number.
    pub user: String,
    /// Command line. Untrusted text.
    pub command: String,
}

/// Why a selector leads to no target.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// It cannot be read.
    #[error("'{text}' selects nothing: {why}")]
    BadSelector {
        /// As given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// It means several unrelated processes.
    #[error("'{name}' names {} unrelated processes; give the pid of one of them", candidates.len())]
    Ambiguous {
        /// The name.
        name: String,
        /// All of them.
        candidates: Vec<Candidate>,
    },
    /// Nothing fits.
    #[error("{0}")]
    NotFound(String),
    /// It was found but cannot be watched.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl SelectError {
    /// Whether the way it was asked is at fault, not the state of the system.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::BadSelector { .. } | Self::Ambiguous { .. })
    }
}

/// Finds the targets, one for each selector, in their order.
///
/// # Errors
/// When a selector fits nothing, or more than one thing.
pub fn resolve(selectors: &[Selector]) -> Result<Vec<Target>, SelectError> {
    let zero_ms = boot_ms();
    let mut targets = Vec::new();
    for (index, selector) in selectors.iter().enumerate() {
        let id = TargetId(u32::try_from(index).unwrap_or(u32::MAX));
        targets.push(resolve_one(selector, id, zero_ms)?);
    }
    Ok(targets)
}

/// Finds everything that a selector fits: unrelated processes of one name are targets of their own.
/// Those whose first process `known` knows are left out. `next` counts up targets.
///
/// # Errors
/// When nothing fits.
pub fn resolve_all(
    selector: &Selector,
    zero_ms: i64,
    next: &mut u32,
    known: impl Fn(u32) -> bool,
) -> Result<Vec<Target>, SelectError> {
    let all = match find(selector) {
        Err(SelectError::Ambiguous { candidates, .. }) => {
            let found = candidates.into_iter().filter_map(|candidate| {
                let root = Process::open(candidate.pid, zero_ms).ok()?;
                Some(Found { pids: vec![candidate.pid], follow: Follow::Tree(root.comm) })
            });
            found.collect()
        }
        found => vec![found?],
    };
    let fresh = all.into_iter().filter(|found| found.pids.first().is_some_and(|&pid| !known(pid)));
    let mut targets = Vec::new();
    for found in fresh {
        // One that ended meanwhile, or that may not be read, does not stop the others.
        if let Ok(target) = target_of(found, selector.to_string(), TargetId(*next), zero_ms) {
            *next += 1;
            targets.push(target);
        }
    }
    Ok(targets)
}

fn resolve_one(selector: &Selector, id: TargetId, zero_ms: i64) -> Result<Target, SelectError> {
    target_of(find(selector)?, selector.to_string(), id, zero_ms)
}

fn find(selector: &Selector) -> Result<Found, SelectError> {
    match selector {
        Selector::Pid(pid) => Ok(Found { pids: vec![*pid], follow: Follow::Fixed }),
        Selector::Name(name) => discover::by_name(name),
        Selector::Port(port) => discover::by_port(*port),
        Selector::Unit(unit) => discover::by_unit(unit),
        Selector::Container(name) => discover::by_container(name),
        Selector::Cgroup(path) => discover::by_cgroup(path),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "{pid}"),
            Self::Name(name) | Self::Unit(name) => f.write_str(name),
            Self::Port(port) => write!(f, ":{port}"),
            Self::Container(name) => write!(f, "container:{name}"),
            Self::Cgroup(path) => write!(f, "cgroup:{}", path.display()),
        }
    }
}

fn target_of(
    found: Found,
    shown: String,
    id: TargetId,
    zero_ms: i64,
) -> Result<Target, SelectError> {
    let mut processes = Vec::new();
    let mut first_error = None;
    for pid in &found.pids {
        if *pid == std::process::id() {
            first_error.get_or_insert(TargetError::Ourselves(*pid));
            continue;
        }
        match Process::open(*pid, zero_ms) {
            Ok(process) => processes.push(process),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    let Some(root) = processes.first() else {
        return Err(first_error.map_or_else(
            || SelectError::NotFound(format!("{shown} has no processes")),
            SelectError::Target,
        ));
    };
    let facts = TargetFacts {
        name: root.comm.clone(),
        pids: processes.iter().map(|process| process.pid).collect(),
        uptime_ms: processes.iter().map(|process| -process.started_ms).max(),
        command: discover::command_line(root.pid),
        selector: shown,
    };
    let mut target = Target::new(id, facts, processes, found.follow, zero_ms);
    let left_out = found.pids.len() - target.processes.len();
    if let Some(error) = first_error
        && !matches!(error, TargetError::Missing(_) | TargetError::Ended(_))
    {
        target.left_out = format!("{left_out} processes are not watched: {error}");
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_told_apart() {
        assert_eq!("4711".parse::<Selector>().unwrap(), Selector::Pid(4711));
        assert_eq!(":80".parse::<Selector>().unwrap(), Selector::Port(80));
        assert_eq!("nginx".parse::<Selector>().unwrap(), Selector::Name("nginx".into()));
        assert_eq!("a.service".parse::<Selector>().unwrap(), Selector::Unit("a.service".into()));
        assert_eq!("unit:a".parse::<Selector>().unwrap(), Selector::Unit("a".into()));
        assert_eq!("cgroup:/a".parse::<Selector>().unwrap(), Selector::Cgroup("/a".into()));
        for bad in ["", ":0", ":http", "0", "99999999999", "unit:"] {
            assert!(bad.parse::<Selector>().is_err_and(|e| e.is_usage()), "{bad}");
        }
    }

    #[test]
    fn what_is_not_there_is_no_usage_error() {
        let missing = resolve(&[Selector::Pid(4_194_303)]).unwrap_err();
        assert!(!missing.is_usage(), "{missing}");
        let own = resolve(&[Selector::Pid(std::process::id())]).unwrap_err();
        assert!(own.to_string().contains("poolscan itself"), "{own}");
        let nobody = resolve(&[Selector::Name("no-such-process-name".into())]).unwrap_err();
        assert!(!nobody.is_usage(), "{nobody}");
        let unit = resolve(&[Selector::Unit("no-such.service".into())]).unwrap_err();
        assert!(!unit.is_usage(), "{unit}");
    }

    #[test]
    fn unrelated_processes_of_one_name_are_listed() {
        // Under another name, so that other sleeps on the machine do not count.
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pooltwin");
        std::fs::copy("/bin/sleep", &program).unwrap();
        let start = || std::process::Command::new(&program).arg("60").spawn().unwrap();
        let (mut one, mut two) = (start(), start());
        std::thread::sleep(std::time::Duration::from_millis(100));
        let result = resolve(&[Selector::Name("pooltwin".into())]);
        for child in [&mut one, &mut two] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        match result {
            Err(SelectError::Ambiguous { candidates, .. }) => assert_eq!(candidates.len(), 2),
            other => panic!("{other:?}"),
        }
    }
}
