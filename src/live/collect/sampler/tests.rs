//! The sampler on our own process. Other tests run in it at the same time, so that only handles
//! that can be told to be ours are looked at.

use std::collections::BTreeMap;

use super::*;
use crate::live::facts::{TargetFacts, TargetId};
use crate::live::target::{Follow, boot_ms};

fn own() -> Sampler {
    let process = Process::open(std::process::id(), boot_ms()).unwrap();
    let facts = TargetFacts::default();
    let target = Target::new(TargetId(1), facts, vec![process], Follow::Fixed, boot_ms());
    Sampler::new(vec![target], 1000, 0)
}

/// Opens whose label or kind is ours, by kind.
fn opens(facts: &[Fact], ours: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u64>> {
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for fact in facts {
        if let Fact::Open { facts, id, .. } = fact
            && ours(&facts.label)
        {
            let kind = format!("{}/{}", facts.kind, facts.role);
            kinds.entry(kind).or_default().push(id.0);
        }
    }
    kinds
}

fn link(fd: &impl std::os::fd::AsRawFd) -> String {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    std::fs::read_link(path).unwrap().display().to_string()
}

#[test]
fn handles_open_and_close() {
    let mut sampler = own();
    let mut out = Vec::new();
    assert_eq!(sampler.identity_beat(0, &mut out), 1);
    let pre = |fact: &Fact| matches!(fact, Fact::Open { pre, .. } if !pre);
    assert!(!out.iter().any(pre));
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..10)
        .map(|n| std::fs::File::create(directory.path().join(format!("mine-{n}.log"))).unwrap())
        .collect();
    let pipes: Vec<_> = (0..5).map(|_| std::io::pipe().unwrap()).collect();
    let pipe_links: Vec<_> = pipes.iter().map(|(read, _)| link(read)).collect();
    let events: Vec<_> = (0..40)
        .map(|_| rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap())
        .collect();
    let (unix, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let unix_inodes = [link(&unix), link(&other)];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let served: Vec<_> = (0..4).map(|_| listener.accept().unwrap()).collect();
    out.clear();
    sampler.identity_beat(1000, &mut out);
    let place = directory.path().display().to_string();
    let port = address.port().to_string();
    let kinds = opens(&out, |label| {
        label.contains(&place)
            || label.contains(&port)
            || label == "anon_inode:[eventfd]"
            || label == "unnamed"
            || pipe_links.iter().any(|pipe| label.starts_with(pipe))
    });
    let count = |kind: &str| kinds.get(kind).map_or(0, Vec::len);
    assert_eq!(count("file/"), 10);
    assert_eq!(count("pipe/"), 10);
    assert!(count("eventfd/") >= 40);
    assert!(count("socket/unix") >= unix_inodes.len());
    assert_eq!(count("socket/tcp listen"), 1);
    assert_eq!(count("socket/tcp server"), 4);
    assert_eq!(count("socket/tcp client"), 4);
    drop((files, pipes, events, unix, other, listener, clients, served));
    out.clear();
    sampler.identity_beat(2000, &mut out);
    let closed: BTreeSet<u64> = out
        .iter()
        .filter_map(|fact| match fact {
            Fact::Close { id, .. } => Some(id.0),
            _ => None,
        })
        .collect();
    for kind in ["file/", "pipe/", "socket/tcp server", "socket/tcp client"] {
        assert!(kinds[kind].iter().all(|id| closed.contains(id)), "{kind}");
    }
    let events = kinds["eventfd/"].iter().filter(|id| closed.contains(id));
    assert!(events.count() >= 40);
}

#[test]
fn a_thousand_ticks_leak_nothing() {
    let mut sampler = own();
    let mut out = Vec::new();
    let sockets = || {
        let mut sockets = 0;
        for entry in std::fs::read_dir("/proc/thread-self/fd").unwrap().flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            sockets += usize::from(target.to_string_lossy().starts_with("/proc/"));
        }
        sockets
    };
    sampler.identity_beat(0, &mut out);
    let before = sockets();
    for tick in 0..1000 {
        out.clear();
        assert_eq!(sampler.count_tick(tick, &mut out), 1);
        if tick % 10 == 0 {
            sampler.identity_beat(tick, &mut out);
        }
    }
    // Other tests hold a few for a moment; a leak would be hundreds.
    assert!(sockets() < before + 20);
    assert!(sampler.cost() > Duration::ZERO);
}
