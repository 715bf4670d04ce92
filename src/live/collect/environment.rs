//! The surroundings of a target that a verdict may depend on: kernel, host, control group, rights.

use std::fs::{self, File};
use std::io::Read as _;

use crate::live::facts::Fact;
use crate::live::target::Target;

/// Bytes read of one file.
const MOST: u64 = 16 * 1024;

/// What can be read of them; what cannot is left out.
pub(super) fn of(target: &Target) -> Vec<Fact> {
    let uname = rustix::system::uname();
    let mut told = vec![
        ("kernel", Some(format!("{} {}", text(uname.release()), text(uname.version())))),
        ("machine", Some(text(uname.machine()))),
        ("processors", std::thread::available_parallelism().ok().map(|count| count.to_string())),
        ("load", read("/proc/loadavg").map(|text| first_words(&text, 3))),
        ("memory", read("/proc/meminfo").map(|text| fields(&text, &["MemTotal", "MemAvailable"]))),
        ("our rights", read("/proc/self/status").map(|text| fields(&text, &["Uid", "CapEff"]))),
        ("ptrace scope", read("/proc/sys/kernel/yama/ptrace_scope").map(|t| t.trim().to_owned())),
        ("our network", link("/proc/self/ns/net")),
    ];
    if let Some(root) = target.processes.first() {
        let of_root = |name: &str| format!("/proc/{}/{name}", root.pid);
        let status = read(&of_root("status"));
        told.extend([
            ("program", link(&of_root("exe"))),
            ("its rights", status.map(|text| fields(&text, &["Uid", "CapEff", "Seccomp"]))),
            ("its control group", read(&of_root("cgroup")).map(|text| text.trim().to_owned())),
            ("its network", link(&of_root("ns/net"))),
            ("its processes", link(&of_root("ns/pid"))),
            (
                "its chance of being killed",
                read(&of_root("oom_score")).map(|t| t.trim().to_owned()),
            ),
        ]);
    }
    let id = target.id;
    told.into_iter()
        .filter_map(|(name, text)| {
            let text = text.filter(|text| !text.is_empty())?.into();
            Some(Fact::Environment { at: 0, target: id, name: name.into(), text })
        })
        .collect()
}

fn text(text: &std::ffi::CStr) -> String {
    text.to_string_lossy().into_owned()
}

fn read(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn link(path: &str) -> Option<String> {
    Some(fs::read_link(path).ok()?.to_string_lossy().into_owned())
}

fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// Lines `Name: value` of these names, in one line.
fn fields(text: &str, names: &[&str]) -> String {
    let wanted = |line: &&str| line.split_once(':').is_some_and(|(name, _)| names.contains(&name));
    let lines = text.lines().filter(wanted);
    lines.map(|line| first_words(line, usize::MAX)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        let status = "Name:\tx\nUid:\t0\t0\t0\t0\nCapEff:\t00ff\nUidish: 1\n";
        assert_eq!(fields(status, &["Uid", "CapEff"]), "Uid: 0 0 0 0, CapEff: 00ff");
        assert_eq!(fields(status, &["Seccomp"]), "");
    }
}
