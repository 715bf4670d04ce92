//! Each rule on facts that show it, and on facts of a healthy look-alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::live::facts::{Activity, Flow, Poll};
use crate::live::outcome::{PoolLevel, PoolNeed};

const NOW: Millis = 1_000_000;

/// A target whose parts a test fills in.
#[derive(Default)]
struct Scene {
    handles: Vec<(HandleFacts, Option<Millis>)>,
    /// How those fare that are tasks, by their place among the handles.
    polls: BTreeMap<usize, Poll>,
    processes: BTreeMap<u32, BTreeMap<String, f64>>,
    limits: BTreeMap<String, LimitOutcome>,
    turnovers: Vec<(HandleFacts, u64, u64)>,
    time_wait: BTreeMap<String, u64>,
    threads: Option<f64>,
    numbers: Vec<(&'static str, f64)>,
    pools: Vec<PoolOutcome>,
    watched: Millis,
}

impl Scene {
    fn with(mut self, count: usize, facts: &HandleFacts) -> Self {
        self.handles.extend((0..count).map(|_| (facts.clone(), None)));
        self
    }

    /// Tasks of one place that fare alike, silent for so long.
    fn tasks(mut self, count: usize, role: &str, silent: i64, poll: &Poll) -> Self {
        let facts = HandleFacts {
            role: role.into(),
            site: "src/main.rs:7".into(),
            activity: Activity::SilentSince(NOW - silent * 1000),
            ..HandleFacts::of_kind("task")
        };
        for _ in 0..count {
            self.polls.insert(self.handles.len(), poll.clone());
            self.handles.push((facts.clone(), None));
        }
        self
    }

    fn limit(mut self, name: &str, value: u64, used: Option<u64>) -> Self {
        self.limits
            .insert(name.to_owned(), LimitOutcome { value: Some(value), used, per_minute: None });
        self
    }

    fn fds(mut self, number: f64) -> Self {
        self.processes.insert(7, BTreeMap::from([("fds".to_owned(), number)]));
        self
    }

    /// Births and deaths within the last minute, and what ended of anybody.
    fn turnover(mut self, facts: &HandleFacts, opened: u64, closed: u64, ended: u64) -> Self {
        self.watched = 60_000;
        self.turnovers.push((facts.clone(), opened, closed));
        self.ended(facts, ended)
    }

    fn ended(mut self, facts: &HandleFacts, ended: u64) -> Self {
        self.time_wait.insert(facts.peer.to_string(), ended);
        self
    }

    fn threads(self, threads: f64) -> Self {
        Self { threads: Some(threads), ..self }
    }

    fn diagnoses(&self) -> Vec<Diagnosis> {
        diagnose(&View {
            now: NOW,
            origin: NOW - self.watched,
            turnovers: self
                .turnovers
                .iter()
                .map(|(facts, opened, closed)| Turnover {
                    kind: &facts.kind,
                    role: &facts.role,
                    peer: &facts.peer,
                    opened: *opened,
                    closed: *closed,
                })
                .collect(),
            lately_ms: 60_000,
            time_wait: &self.time_wait,
            gauges: self
                .threads
                .iter()
                .map(|&threads| ("threads", threads))
                .chain(self.numbers.iter().copied())
                .collect(),
            pools: self.pools.clone(),
            handles: self
                .handles
                .iter()
                .enumerate()
                .map(|(nth, (facts, entered))| Handle {
                    facts,
                    entered: *entered,
                    now: NOW,
                    poll: self.polls.get(&nth),
                })
                .collect(),
            pids: &[7],
            processes: &self.processes,
            limits: &self.limits,
            scale: 1.0,
        })
    }

    /// Rules with their severities.
    fn rules(&self) -> Vec<(String, Severity)> {
        self.diagnoses().into_iter().map(|found| (found.rule, found.severity)).collect()
    }
}

#[track_caller]
fn only(scene: &Scene, rule: &str, severity: Severity) -> Diagnosis {
    assert_eq!(scene.rules(), [(rule.to_owned(), severity)]);
    scene.diagnoses().remove(0)
}

/// So many seconds ago.
fn ago(seconds: i64) -> Option<Millis> {
    Some(NOW - seconds * 1000)
}

fn socket(role: &str, peer: &str, state: &str, flow: Flow) -> HandleFacts {
    let last = flow.sent.max(flow.received).unwrap_or(NOW);
    HandleFacts {
        role: role.into(),
        peer: peer.into(),
        state: state.into(),
        label: "10.0.0.1:40000 -> 10.0.0.7:5432".into(),
        activity: Activity::SilentSince(last),
        flow: Some(Arc::new(flow)),
        ..HandleFacts::of_kind("socket")
    }
}

fn client(flow: Flow) -> HandleFacts {
    socket("tcp client", "10.0.0.7:5432", "ESTABLISHED", flow)
}

fn server(flow: Flow) -> HandleFacts {
    socket("tcp server", ":8080", "ESTABLISHED", flow)
}

/// Sent and received so many seconds ago; 0 for never.
fn flow(sent: i64, received: i64) -> Flow {
    let time = |seconds| (seconds > 0).then_some(ago(seconds)).flatten();
    Flow { sent: time(sent), received: time(received), heard: time(received), ..Flow::default() }
}

#[test]
fn at_the_limit() {
    let held = client(flow(400, 399));
    let full = Scene::default().with(40, &held).limit("nofile_soft", 100, None).fds(99.0);
    let found = only(&full, "fds-at-limit", Severity::Error);
    assert!(found.message.contains("99 of 100") && found.message.contains("10.0.0.7:5432"));
    assert!(found.next_steps.iter().any(|step| step.starts_with("prlimit --pid 7 --nofile=200")));
    let near = Scene::default().with(40, &held).limit("nofile_soft", 100, None).fds(90.0);
    assert_eq!(near.rules(), []);
    let tasks = Scene::default().limit("pids_max", 100, Some(95));
    only(&tasks, "tasks-near-limit", Severity::Warning);
    assert_eq!(Scene::default().limit("pids_max", 100, Some(80)).rules(), []);
    assert_eq!(Scene::default().limit("pids_max", 100, None).rules(), []);
    // Limits of the host are about no handle of this process.
    for (name, rule) in
        [("file_max", "host-files-near-limit"), ("conntrack_max", "conntrack-near-limit")]
    {
        let found = only(&Scene::default().limit(name, 100, Some(95)), rule, Severity::Warning);
        assert_eq!((found.kind, found.count), (None, None));
        assert_eq!(Scene::default().limit(name, 100, Some(80)).rules(), []);
    }
    let watchers = Scene::default().with(110, &HandleFacts::of_kind("inotify"));
    only(
        &watchers.limit("inotify_max_user_instances", 128, None),
        "inotify-near-limit",
        Severity::Warning,
    );
    let few = Scene::default().with(20, &HandleFacts::of_kind("inotify"));
    assert_eq!(few.limit("inotify_max_user_instances", 128, None).rules(), []);
}

#[test]
fn tasks_that_do_not_get_on() {
    let none = Poll::default;
    let with = |count, role: &str, poll: &Poll| Scene::default().tasks(count, role, 40, poll);
    let lost = Poll { lost_since: ago(40), ..none() };
    let found = only(&with(3, "task", &lost), "task-waker-lost", Severity::Warning);
    assert_eq!((found.group, found.count), (vec!["task".into(), "src/main.rs:7".into()], Some(3)));
    only(&with(1, "local", &lost), "task-waker-lost", Severity::Note);
    assert_eq!(with(3, "blocking", &lost).rules(), [], "it blocks a thread by right");
    let running = |seconds| Poll { running_since: ago(seconds), ..none() };
    only(&with(1, "task", &running(12)), "task-never-yields", Severity::Warning);
    assert_eq!(with(1, "task", &running(5)).rules(), []);
    assert_eq!(with(1, "block_on", &running(500)).rules(), []);
    let spins = Poll { spinning_since: ago(30), ..none() };
    only(&with(1, "task", &spins), "task-wakes-itself", Severity::Note);
    let name = Some(Arc::from("Semaphore src/main.rs:3"));
    let stuck = Poll { stuck_since: ago(40), waits_for: name, ..none() };
    let found = only(&with(5, "task", &stuck), "tasks-wait-in-vain", Severity::Warning);
    assert!(found.message.contains("for Semaphore src/main.rs:3"), "{}", found.message);
    assert_eq!(with(2, "task", &stuck).rules(), []);
    // Idle for an hour: many are worth a note.
    let idle = |count, seconds| {
        Scene { watched: 4_000_000, ..Scene::default() }.tasks(count, "task", seconds, &none())
    };
    only(&idle(50, 3_700), "tasks-idle-for-ever", Severity::Note);
    assert_eq!(idle(49, 3_700).rules(), []);
    assert_eq!(idle(50, 3_000).rules(), []);
    only(&idle(10_000, 10), "console-memory", Severity::Note);
}

#[test]
fn closed_by_the_other_end() {
    let closed = |flow| socket("tcp client", "10.0.0.7:5432", "CLOSE_WAIT", flow);
    let pile = Scene::default().with(12, &closed(flow(400, 90)));
    let found = only(&pile, "close-wait-pile-up", Severity::Warning);
    assert_eq!((found.count, found.held_seconds), (Some(12), Some(90.0)));
    let kill = "ss -K state close-wait dst 10.0.0.7 dport = :5432 ";
    assert!(found.next_steps.iter().any(|step| step.starts_with(kill)), "{found:?}");
    // The close came just now; too few; and streams on which data still flows.
    assert_eq!(Scene::default().with(12, &closed(flow(400, 20))).rules(), []);
    assert_eq!(Scene::default().with(9, &closed(flow(400, 90))).rules(), []);
    let busy = HandleFacts { activity: Activity::Awake, ..closed(flow(400, 90)) };
    assert_eq!(Scene::default().with(12, &busy).rules(), []);
    // Few to each of many peers are many to all of them.
    let mut many = Scene::default();
    for peer in 0..20 {
        let one = HandleFacts { peer: format!("10.0.0.{peer}:80").into(), ..closed(flow(400, 90)) };
        many = many.with(1, &one);
    }
    let found = only(&many, "close-wait-pile-up", Severity::Warning);
    assert_eq!(found.group, ["tcp client", "several peers", "CLOSE_WAIT"]);
    // There is no filter for them, and without one `ss -K` ends the connections of everybody.
    assert!(!found.next_steps.iter().any(|step| step.starts_with("ss ")), "{found:?}");
}

#[test]
fn replies_that_do_not_come() {
    let overdue = client(flow(400, 500));
    only(&Scene::default().with(5, &overdue), "reply-overdue", Severity::Warning);
    // One slow query is a note; an answer with an acknowledgement of windows is at rest.
    only(&Scene::default().with(1, &overdue), "reply-overdue", Severity::Note);
    let mut at_rest = flow(400, 400);
    at_rest.sent = at_rest.sent.map(|sent| sent + 40);
    assert_eq!(Scene::default().with(9, &client(at_rest)).rules(), []);
    assert_eq!(Scene::default().with(9, &client(flow(500, 400))).rules(), []);
    // A sink never answers; a first request to a peer that answers others does wait.
    let first = client(flow(400, 0));
    assert_eq!(Scene::default().with(9, &first).rules(), []);
    let other = client(flow(500, 400));
    only(&Scene::default().with(9, &first).with(1, &other), "reply-overdue", Severity::Warning);
    // Not long enough for a warning, whatever their number, and for a note.
    only(&Scene::default().with(9, &client(flow(90, 95))), "reply-overdue", Severity::Note);
    assert_eq!(Scene::default().with(9, &client(flow(50, 55))).rules(), []);
}

#[test]
fn requests_and_the_pool_they_wait_for() {
    let pinned = client(flow(95, 94));
    let waiting = server(flow(200, 40));
    let starved = Scene::default().with(10, &pinned).with(4, &waiting);
    let found = only(&starved, "pool-starved", Severity::Warning);
    assert_eq!(found.group, ["tcp client", "10.0.0.7:5432"]);
    assert!(found.message.contains("4 requests"), "{}", found.message);
    // Nobody waits; or somebody was answered since; or a connection is in use; or is new.
    assert_eq!(Scene::default().with(10, &pinned).with(4, &server(flow(39, 40))).rules(), []);
    let answered =
        Scene::default().with(10, &pinned).with(4, &waiting).with(1, &server(flow(20, 21)));
    assert_eq!(answered.rules(), []);
    let busy = HandleFacts { activity: Activity::Awake, ..pinned.clone() };
    assert_eq!(Scene::default().with(10, &pinned).with(1, &busy).with(4, &waiting).rules(), []);
    let mut new = Scene::default().with(10, &pinned).with(4, &waiting);
    new.handles[0].1 = ago(10);
    assert_eq!(new.rules(), []);
    // Both ends in one process: what came is what the pool itself sent.
    let reply = HandleFacts {
        label: "10.0.0.7:5432 -> 10.0.0.1:40000".into(),
        ..server(at(None, Some(94_500)))
    };
    let overdue = client(at(Some(95_000), None));
    assert_eq!(Scene::default().with(10, &overdue).with(4, &reply).rules(), []);
    // Without the pool there is only a note, and none where the server spoke last.
    only(&Scene::default().with(5, &server(flow(200, 90))), "requests-unanswered", Severity::Note);
    assert_eq!(Scene::default().with(50, &server(flow(90, 200))).rules(), []);
}

/// Sent and received so many milliseconds ago.
fn at(sent: Option<i64>, received: Option<i64>) -> Flow {
    let time = |ms: Option<i64>| ms.map(|ms| NOW - ms);
    Flow { sent: time(sent), received: time(received), heard: time(received), ..Flow::default() }
}

#[test]
fn requests_that_came_with_those_that_hold_the_pool() {
    // Each connection was used just after its request came, and the rest came in the same moment.
    let burst = |requests: i64| {
        let used = (0..10).map(|n| client(at(Some(39_900 - n * 7), Some(39_898 - n * 7))));
        let came = (0..requests).map(|n| server(at(None, Some(39_990 - n))));
        used.chain(came).fold(Scene::default(), |scene, facts| scene.with(1, &facts))
    };
    let found = burst(15).diagnoses().remove(0);
    assert_eq!((&*found.rule, found.severity), ("pool-starved", Severity::Warning));
    assert!(found.message.contains("5 requests"), "{}", found.message);
    let starved = |scene: &Scene| scene.rules().iter().any(|(rule, _)| rule == "pool-starved");
    // As many slow queries as connections, or hardly more: nobody is known to wait for one.
    assert!(!starved(&burst(10)) && !starved(&burst(12)));
    // Soon after the last use is after it, whoever has the connections.
    let soon = burst(0).with(3, &server(at(None, Some(39_600))));
    assert!(starved(&soon));
    // Clients that keep transactions open were answered, and keep their connections.
    let kept = burst(0).with(10, &server(at(Some(39_833), Some(39_990))));
    assert!(starved(&kept.with(5, &server(at(Some(60_000), Some(39_500))))));
    // New clients were greeted before they asked.
    let greeted = |opening| Flow { opening, ..at(Some(39_000), Some(38_900)) };
    assert!(starved(&burst(0).with(4, &server(greeted(true)))));
    assert!(!starved(&burst(0).with(4, &server(greeted(false)))));
    // One was answered meanwhile.
    assert!(!starved(&burst(15).with(1, &server(at(Some(39_950), Some(39_960))))));
    // Long polling beside a pool at rest, of which one connection was enough to look something up.
    let rest = Scene::default().with(9, &client(at(Some(400_000), Some(399_999))));
    let polled = rest.with(1, &client(at(Some(39_000), Some(38_999))));
    assert!(!starved(&polled.with(30, &server(at(None, Some(39_500))))));
}

#[test]
fn connections_that_do_not_come_about() {
    let trying = |retries| {
        socket("tcp client", "10.9.9.9:80", "SYN_SENT", Flow { retries, ..Flow::default() })
    };
    let hang = Scene::default().with(3, &trying(Some(4)));
    assert!(only(&hang, "connect-hang", Severity::Warning).message.contains("10.9.9.9:80"));
    only(&Scene::default().with(1, &trying(Some(4))), "connect-hang", Severity::Note);
    assert_eq!(Scene::default().with(3, &trying(Some(0))).rules(), []);
    assert_eq!(Scene::default().with(3, &trying(None)).rules(), []);
    let never = |peer: &str| HandleFacts {
        peer: peer.into(),
        activity: Activity::Unseen,
        ..socket("unconnected", "", "", Flow::default())
    };
    let seen = |count, peer: &str, entered| {
        let mut scene = Scene::default().with(count, &never(peer));
        scene.handles.iter_mut().for_each(|handle| handle.1 = entered);
        scene
    };
    only(&seen(20, "TCP", ago(20)), "sockets-never-connected", Severity::Warning);
    // Just being closed, for all that one look tells; of another protocol; few.
    for healthy in [seen(200, "TCP", None), seen(20, "UDP", ago(20)), seen(5, "TCP", ago(20))] {
        assert_eq!(healthy.rules(), []);
    }
}

#[test]
fn queues_that_nobody_empties() {
    let listening = |unread, waiting_since| {
        let flow =
            Flow { unread: Some(unread), unsent: Some(128), waiting_since, ..Flow::default() };
        HandleFacts { activity: Activity::Unseen, ..socket("tcp listen", ":8080", "LISTEN", flow) }
    };
    let full = Scene::default().with(1, &listening(129, ago(20)));
    let found = only(&full, "accept-queue-full", Severity::Warning);
    assert!(found.message.contains("129") && found.message.contains("128"), "{}", found.message);
    // A burst that is being accepted; a queue with room; one of which nobody knows for how long.
    for healthy in [listening(129, ago(0)), listening(90, ago(20)), listening(129, None)] {
        assert_eq!(Scene::default().with(1, &healthy).rules(), []);
    }
    let unread = |bytes| server(Flow { unread: Some(bytes), ..flow(90, 91) });
    only(&Scene::default().with(5, &unread(100)), "receive-queue-unread", Severity::Warning);
    only(&Scene::default().with(1, &unread(100)), "receive-queue-unread", Severity::Note);
    assert_eq!(Scene::default().with(50, &unread(0)).rules(), []);
    // What an idle client has not read yet is common.
    let idle = client(Flow { unread: Some(80), ..flow(91, 90) });
    assert_eq!(Scene::default().with(50, &idle).rules(), []);
    let stuck = server(Flow { unsent: Some(5000), ..flow(90, 91) });
    only(&Scene::default().with(50, &stuck), "peer-not-reading", Severity::Note);
}

#[test]
fn files_and_children() {
    let file = |bytes, inode| HandleFacts {
        bytes: Some(Box::new(bytes)),
        inode: Some(inode),
        ..HandleFacts::of_kind("deleted_file")
    };
    only(&Scene::default().with(1, &file(2 << 30, 1)), "deleted-files-held", Severity::Warning);
    only(&Scene::default().with(1, &file(200 << 20, 1)), "deleted-files-held", Severity::Note);
    // One file by many entries; and small temporary files.
    assert_eq!(Scene::default().with(200, &file(1 << 20, 1)).rules(), []);
    let child = |state: &str| HandleFacts { state: state.into(), ..HandleFacts::of_kind("child") };
    only(&Scene::default().with(10, &child("zombie")), "zombies-pile-up", Severity::Warning);
    assert_eq!(Scene::default().with(50, &child("")).with(3, &child("zombie")).rules(), []);
}

#[test]
fn ports_run_out_by_address_and_peer() {
    let used = client(flow(10, 9));
    let scene = Scene::default().with(80, &used).limit("ephemeral_ports", 100, None);
    only(&scene, "ephemeral-ports-near-limit", Severity::Warning);
    let other = HandleFacts { peer: "10.0.0.8:5432".into(), ..used.clone() };
    let two = Scene::default().with(60, &used).with(60, &other);
    assert_eq!(two.limit("ephemeral_ports", 100, None).rules(), []);
}

#[test]
fn nothing_hostile_gets_into_lines_that_are_pasted() {
    let peer = "$(reboot);\u{1b}[2J 10.0.0.7:80".to_owned();
    let evil = socket("tcp client", &peer, "CLOSE_WAIT", flow(400, 90));
    let found = only(&Scene::default().with(12, &evil), "close-wait-pile-up", Severity::Warning);
    assert!(found.message.contains("reboot"));
    assert!(found.next_steps.iter().all(|step| !step.contains("reboot")), "{found:?}");
    assert!(!found.next_steps.iter().any(|step| step.starts_with("ss ")), "{found:?}");
}

#[test]
fn connections_that_are_not_used_again() {
    let used = HandleFacts { activity: Activity::Awake, ..client(flow(2, 1)) };
    let churn = Scene::default().with(1, &used).turnover(&used, 12, 11, 6000);
    let found = only(&churn, "connections-not-reused", Severity::Warning);
    assert!(found.message.contains("6000") && found.message.contains("10.0.0.7:5432"), "{found:?}");
    // Where the peer closes first, only what was seen counts.
    let seen = Scene::default().turnover(&used, 700, 700, 0);
    only(&seen, "connections-not-reused", Severity::Warning);
    only(&Scene::default().turnover(&used, 9, 9, 200), "connections-not-reused", Severity::Note);
    // With one look it may be somebody else.
    only(
        &Scene::default().with(1, &used).ended(&used, 6000),
        "connections-not-reused",
        Severity::Note,
    );
    assert_eq!(Scene::default().ended(&used, 6000).rules(), []);
    let kept = Scene::default().with(1, &used).with(1, &client(flow(2, 1)));
    assert_eq!(kept.ended(&used, 6000).rules(), []);
    // They are kept; or those of somebody else end; or there are few.
    for healthy in [(700, 100, 0), (0, 0, 6000), (2, 2, 6000), (9, 9, 60)] {
        let (opened, closed, ended) = healthy;
        let kept = Scene::default().with(20, &used).turnover(&used, opened, closed, ended);
        assert_eq!(kept.rules(), [], "{healthy:?}");
    }
    // What comes to a server is not its doing.
    assert_eq!(Scene::default().turnover(&server(flow(2, 1)), 900, 900, 900).rules(), []);
}

#[test]
fn one_of_several_equals_has_nearly_everything() {
    let to = |peer: &str| HandleFacts { peer: peer.into(), ..client(flow(1, 1)) };
    let spread = |counts: [usize; 3], port: u16| {
        let hosts = ["10.1.0.1", "10.1.4.2", "10.1.9.3"];
        let each = counts.into_iter().zip(hosts);
        each.fold(Scene::default(), |scene, (count, host)| {
            scene.with(count, &to(&format!("{host}:{port}")))
        })
    };
    let found = only(&spread([90, 5, 5], 5432), "peers-unbalanced", Severity::Note);
    assert!(found.message.contains("90 of 100") && found.message.contains("10.1.0.1:5432"));
    assert_eq!(spread([40, 30, 30], 5432).rules(), []);
    assert_eq!(spread([20, 1, 1], 5432).rules(), []);
    // Two may be a first and its stand-in; other networks are other services.
    assert_eq!(spread([90, 10, 0], 5432).rules(), []);
    let others = Scene::default().with(90, &to("10.1.0.1:443")).with(5, &to("10.2.0.1:443"));
    assert_eq!(others.with(5, &to("10.3.0.1:443")).rules(), []);
    let by = |pid| HandleFacts { pid: Some(pid), ..server(flow(1, 2)) };
    let found = only(
        &Scene::default().with(60, &by(11)).with(4, &by(12)),
        "workers-unbalanced",
        Severity::Note,
    );
    assert!(found.message.contains("60 of 64") && found.message.contains("process 11"));
    assert_eq!(Scene::default().with(60, &by(11)).with(40, &by(12)).rules(), []);
    assert_eq!(Scene::default().with(60, &by(11)).rules(), []);
}

#[test]
fn what_children_hold_too() {
    let inherited = |facts: HandleFacts| HandleFacts { inherited_by: Some(99), ..facts };
    let used = inherited(client(flow(2, 1)));
    let found = only(&Scene::default().with(6, &used), "sockets-inherited", Severity::Warning);
    assert!(found.message.contains("child 99"), "{found:?}");
    assert!(found.next_steps.iter().any(|step| step.starts_with("kill -TERM 99 ")), "{found:?}");
    only(&Scene::default().with(1, &used), "sockets-inherited", Severity::Note);
    assert_eq!(Scene::default().with(6, &client(flow(2, 1))).rules(), []);
    let unix = inherited(socket("unix", "unnamed", "ESTABLISHED", Flow::default()));
    assert_eq!(Scene::default().with(6, &unix).rules(), []);
}

#[test]
fn more_of_them_than_threads_can_use() {
    let of = |kind: &str, count| Scene::default().with(count, &HandleFacts::of_kind(kind));
    only(&of("epoll", 70).threads(4.0), "epolls-pile-up", Severity::Warning);
    only(&of("inotify", 40).threads(4.0), "inotify-pile-up", Severity::Warning);
    only(&of("timerfd", 300).threads(4.0), "event-objects-pile-up", Severity::Note);
    // A loop for each thread; few; and nobody knows how many threads there are.
    for healthy in [of("epoll", 140).threads(128.0), of("epoll", 20).threads(1.0), of("epoll", 90)]
    {
        assert_eq!(healthy.rules(), []);
    }
    let mapped = |used: f64| {
        let mut scene = Scene::default().limit("max_map_count", 65_530, None);
        scene.processes.insert(7, BTreeMap::from([("mappings".to_owned(), used)]));
        scene
    };
    let mut watching = Scene::default().limit("inotify_max_user_watches", 8192, None);
    watching.processes.insert(7, BTreeMap::from([("inotify_watches".to_owned(), 8000.0)]));
    only(&watching, "inotify-watches-near-limit", Severity::Warning);
    only(&mapped(60_000.0), "mappings-near-limit", Severity::Warning);
    assert_eq!(mapped(6_000.0).rules(), []);
    let tasks = Scene::default().limit("nproc_soft", 1000, Some(950));
    let found = only(&tasks, "user-tasks-near-limit", Severity::Warning);
    assert!(found.next_steps.iter().any(|step| step.contains("--nproc=2000:2000")), "{found:?}");
    assert_eq!(Scene::default().limit("nproc_soft", 1000, Some(500)).rules(), []);
}

#[test]
fn the_worker_that_holds_most_is_to_be_restarted_first() {
    let by = |pid| HandleFacts { pid: Some(pid), ..client(flow(400, 500)) };
    let found = Scene::default().with(4, &by(7)).with(8, &by(8)).diagnoses().remove(0);
    assert_eq!(found.rule, "reply-overdue");
    assert!(found.next_steps.iter().any(|step| step.starts_with("kill -TERM 8 ")), "{found:?}");
    // The root of the tree (7) is no worker.
    let found = Scene::default().with(8, &by(7)).with(4, &by(8)).diagnoses().remove(0);
    assert!(!found.next_steps.iter().any(|step| step.starts_with("kill ")), "{found:?}");
}

fn pool(in_use: f64, waiting: f64, waited_s: Option<i64>) -> Scene {
    let pool = PoolOutcome {
        name: "HikariCP $(reboot)".to_owned(),
        in_use: Some(in_use),
        idle: Some(40.0 - in_use),
        max: Some(40.0),
        waiting: Some(waiting),
        level: PoolLevel::Unknown,
        share: Some(in_use / 40.0),
        peak: Some(in_use),
        watched_ms: 900_000,
        waiting_ms: waited_s.map(|seconds| seconds * 1000),
        waits: None,
        wait_seconds: None,
        timeouts: None,
        waiters_per_minute: None,
        per_second: None,
        hold_seconds: None,
        need: None,
    };
    Scene { pools: vec![pool], ..Scene::default() }
}

#[test]
fn a_full_pool_is_trouble_only_for_those_who_wait() {
    let found = only(&pool(40.0, 7.0, Some(12)), "pool-exhausted", Severity::Error);
    assert!(found.message.contains("40 of 40") && found.message.contains("7 callers"), "{found:?}");
    // What may be pasted holds nothing that a program chose.
    assert!(!found.next_steps.iter().any(|step| step.contains("reboot")), "{found:?}");
    for healthy in [pool(40.0, 0.0, None), pool(40.0, 3.0, Some(9)), pool(36.0, 7.0, Some(60))] {
        assert_eq!(healthy.rules(), []);
    }
    let mut counted = pool(40.0, 0.0, Some(60));
    counted.pools[0].waiting = None;
    let found = only(&counted, "pool-exhausted", Severity::Error);
    assert!(found.message.contains("and callers wait"), "{found:?}");
    let mut grows = pool(20.0, 9.0, Some(5));
    grows.pools[0].waiters_per_minute = Some(2.5);
    only(&grows, "pool-waiters-growing", Severity::Warning);
}

#[test]
fn a_pool_that_is_too_large_is_a_note_and_its_size_an_interval() {
    let found = only(&pool(3.0, 0.0, None), "pool-oversized", Severity::Note);
    assert!(found.message.contains("at most 3 of 40"), "{found:?}");
    // Nothing was measured: no size is proposed.
    assert!(!found.next_steps.iter().any(|step| step.contains("Little")), "{found:?}");
    let mut measured = pool(3.0, 0.0, None);
    measured.pools[0].per_second = Some(20.0);
    measured.pools[0].hold_seconds = Some(0.1);
    measured.pools[0].need = Some(PoolNeed { low: 4.0, high: 6.0 });
    let found = only(&measured, "pool-oversized", Severity::Note);
    assert!(found.next_steps[0].contains("needs 4 to 6"), "{found:?}");
    // It needs more than it was seen to use; it is used; nobody used it; it is small; too early.
    measured.pools[0].need = Some(PoolNeed { low: 8.0, high: 11.0 });
    let mut small = pool(3.0, 0.0, None);
    small.pools[0].max = Some(12.0);
    let mut early = pool(3.0, 0.0, None);
    early.pools[0].watched_ms = 60_000;
    for healthy in [measured, pool(11.0, 0.0, None), pool(0.0, 0.0, None), small, early] {
        assert_eq!(healthy.rules(), []);
    }
}

fn goroutine(state: &str, silent_s: Option<i64>) -> HandleFacts {
    HandleFacts {
        state: state.into(),
        site: "main.ask (/src/main.go:20)".into(),
        activity: silent_s.map_or(Activity::Awake, |s| Activity::SilentSince(NOW - s * 1000)),
        label: "goroutine 7 in main.ask.func1 (/src/main.go:21)".into(),
        ..HandleFacts::of_kind("goroutine")
    }
}

#[test]
fn goroutines_that_nobody_will_wake() {
    let of = |count, state, silent| Scene::default().with(count, &goroutine(state, silent));
    let found =
        only(&of(12, "chan send", Some(400)), "goroutines-blocked-sending", Severity::Warning);
    assert!(found.message.contains("main.ask (/src/main.go:20)"), "{found:?}");
    assert_eq!(found.group, ["main.ask (/src/main.go:20)", "chan send"]);
    only(&of(4, "chan send", Some(400)), "goroutines-blocked-sending", Severity::Note);
    only(&of(6, "sync.Mutex.Lock", Some(70)), "goroutines-blocked-on-lock", Severity::Warning);
    for healthy in [
        of(500, "chan receive", Some(4000)),
        of(500, "select", Some(4000)),
        of(12, "chan send", None),
        of(12, "chan send", Some(200)),
        of(2, "chan send", Some(4000)),
        of(6, "semacquire", Some(4000)),
    ] {
        assert_eq!(healthy.rules(), []);
    }
    let share = |percent, all| Scene {
        numbers: vec![("goroutines_blocked_percent", percent), ("goroutines", all)],
        ..Scene::default()
    };
    let found = only(&share(40.0, 200.0), "goroutines-mostly-waiting", Severity::Note);
    assert!(found.message.contains("40 % of 200"), "{found:?}");
    assert_eq!(share(34.0, 200.0).rules(), []);
    assert_eq!(share(90.0, 60.0).rules(), []);
}
