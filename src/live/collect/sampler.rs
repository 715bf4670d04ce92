//! Drives the collectors over all targets: cheap counts on every tick, identities on a beat.

mod exhaustion;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, statat};
use rustix::time::{ClockId, clock_gettime};

use super::beat::{Beat, HandleIds};
use super::churn::Churn;
use super::connection_counts::Counts;
use super::environment;
use super::exhaustion::Exhaustion;
use super::fds::Fds;
use super::feed::Remote;
use super::hidden::Hidden;
use super::inherited::Inherited;
use super::netns;
use super::openers::{LookTime, Openers};
use super::others::Others;
use super::own;
use super::socket_facts::{Ports, endpoint};
use super::traced::{Traced, monotonic_ns};
use crate::live::facts::{Fact, Lifecycle, Millis, SourceStatus, TargetId};
use crate::live::host::net_tables;
use crate::live::host::process_table::ProcessTable;
use crate::live::host::sock_diag::{Completeness, Family, SockDiag, TABLES, Table};
use crate::live::host::socket_row::{Proto, SocketRow, TCP_LISTEN, state_name};
use crate::live::target::{Process, Target};

/// Fewer of them within a minute are not told.
const LEAST_ENDED: u64 = 30;
/// Namespaces whose tables are read on one beat.
const NAMESPACES_READ: usize = 256;
/// Namespaces for which a diagnostics socket stays open from beat to beat.
const NAMESPACES_OPEN: usize = 32;
/// Namespaces remembered although no target has sockets in them.
const NAMESPACES: usize = 64;

/// Samples targets; all of a host's targets share one.
#[derive(Debug)]
pub struct Sampler {
    watched: Vec<Watched>,
    namespaces: BTreeMap<(u64, u64), Namespace>,
    ids: HandleIds,
    bucket_ms: Millis,
    start_up_ms: Millis,
    cost: Duration,
    fds_name: Arc<str>,
    threads_name: Arc<str>,
    /// Connections are counted as closely as can be.
    connections: bool,
    traced: Option<Traced>,
    openers: Option<Openers>,
    exhaustion: Option<Exhaustion>,
}

/// A target and its collectors.
#[derive(Debug)]
struct Watched {
    target: Target,
    first: bool,
    fds: Fds,
    fds_cost: Duration,
    /// When fd tables were last read, and where the facts of that beat begin.
    look: (LookTime, usize),
    sockets_cost: Duration,
    hidden: Hidden,
    hidden_cost: Duration,
    inherited: Inherited,
    inherited_cost: Duration,
    others: Others,
    remotes: Vec<Box<dyn Remote>>,
    /// What was told of connections that ended, by peer.
    time_wait: BTreeMap<(IpAddr, u16), u64>,
    counts: Counts,
}

/// A network namespace that targets live in.
#[derive(Debug, Default)]
struct Namespace {
    diag: Option<SockDiag>,
    ports: Ports,
    churn: Churn,
    /// Why sock_diag cannot be used here; empty when it can.
    refused: String,
    /// The refusal may pass: it is tried again.
    passing: bool,
}

/// How a pass over the socket tables went.
#[derive(Debug)]
struct Pass {
    status: SourceStatus,
    reason: String,
    complete: bool,
    /// Namespaces that were not read.
    left_out: u64,
}

impl Sampler {
    /// Watches targets. `bucket_ms` is the bucket width, at least 1; handles that appear in a
    /// process younger than `start_up_ms` are marked.
    pub fn new(targets: Vec<Target>, bucket_ms: Millis, start_up_ms: Millis) -> Self {
        Self {
            watched: targets.into_iter().map(Watched::new).collect(),
            namespaces: BTreeMap::new(),
            ids: HandleIds::default(),
            bucket_ms: bucket_ms.max(1),
            start_up_ms,
            cost: Duration::ZERO,
            fds_name: "fds".into(),
            threads_name: "threads".into(),
            connections: false,
            traced: None,
            openers: None,
            exhaustion: None,
        }
    }

    /// Gathers more for people than judgement needs: where threads stand in the kernel.
    pub fn with_stacks(&mut self) {
        for watched in &mut self.watched {
            watched.others.with_stacks();
        }
    }

    /// Asks another source about a target, from the next identity beat on.
    pub fn attach(&mut self, target: TargetId, remote: Box<dyn Remote>) {
        if let Some(watched) = self.watched.iter_mut().find(|watched| watched.target.id == target) {
            watched.remotes.push(remote);
        }
    }

    /// Counts ended connections on every beat, so that what was opened is estimated closely.
    pub fn with_connections(&mut self) {
        self.connections = true;
    }

    /// Has the kernel tell of every TCP connection from now on.
    ///
    /// # Errors
    /// Why it does not; the watch goes on without.
    pub fn with_traced_connections(&mut self) -> Result<(), String> {
        let traced = self.traced.insert(Traced::start());
        let failed = traced.failed();
        if failed.is_empty() { Ok(()) } else { Err(failed.to_owned()) }
    }

    /// Keeps what is needed to trace who opens handles, from the first look on.
    pub fn with_openers(&mut self) {
        self.openers = Some(Openers::default());
    }

    /// Begins to trace who opens the handles of a target. `stacks`: stacks are copied for so long;
    /// without, as long as it is traced.
    pub fn trace_openers(&mut self, target: TargetId, stacks: Option<Duration>) {
        let watched = self.watched.iter().find(|watched| watched.target.id == target);
        if let (Some(watched), Some(openers)) = (watched, &mut self.openers) {
            openers.begin(&watched.target, stacks);
        }
    }

    /// Traces them no more.
    pub fn end_openers(&mut self, target: TargetId) {
        if let Some(openers) = &mut self.openers {
            openers.end(target);
        }
    }

    /// Why openers are not traced although that was begun; empty where they are.
    pub fn openers_failed(&self, target: TargetId) -> &str {
        self.openers.as_ref().map_or("", |openers| openers.failed(target))
    }

    /// The bucket width.
    pub fn bucket_ms(&self) -> Millis {
        self.bucket_ms
    }

    /// What is true of the surroundings of each target, at event time 0.
    pub fn environment(&self) -> Vec<Fact> {
        self.watched.iter().flat_map(|watched| environment::of(&watched.target)).collect()
    }

    /// Who is watched: each target, and each of its processes as joined at event time 0.
    pub fn describe(&self) -> Vec<Fact> {
        self.watched.iter().flat_map(|watched| introduce(&watched.target, 0)).collect()
    }

    /// Watches one more target from now on, and says who it is.
    pub fn add(&mut self, target: Target, at: Millis, out: &mut Vec<Fact>) {
        out.extend(introduce(&target, at));
        self.watched.push(Watched::new(target));
    }

    /// Stops to watch targets without living processes; gives them.
    pub fn remove_ended(&mut self) -> Vec<TargetId> {
        let ended = |watched: &Watched| watched.target.processes.is_empty();
        self.watched.extract_if(.., |watched| ended(watched)).map(|w| w.target.id).collect()
    }

    /// Reads only what costs next to nothing: numbers of fds and threads. Gives the number of
    /// living processes.
    pub fn count_tick(&mut self, at: Millis, out: &mut Vec<Fact>) -> usize {
        let begin = cpu_time();
        let mut living = 0;
        for Watched { target, fds, .. } in &self.watched {
            let (mut total, mut known) = (0, false);
            for process in &target.processes {
                if !process.is_alive() {
                    continue;
                }
                living += 1;
                let mut gauge = |pid, name: &Arc<str>, value: u64| {
                    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                    let value = value as f64;
                    out.push(Fact::Gauge {
                        at,
                        target: target.id,
                        pid,
                        name: Arc::clone(name),
                        value,
                    });
                };
                if let Ok(held) = fds.count(process) {
                    gauge(Some(process.pid), &self.fds_name, held);
                    total += held;
                    known = true;
                }
                if let Ok(stat) = statat(process.dir(), "task", AtFlags::empty()) {
                    #[allow(clippy::useless_conversion, reason = "32 bits on some machines")]
                    let threads = u64::from(stat.st_nlink).saturating_sub(2);
                    gauge(Some(process.pid), &self.threads_name, threads);
                }
            }
            if known {
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                let value = total as f64;
                out.push(Fact::Gauge {
                    at,
                    target: target.id,
                    pid: None,
                    name: Arc::clone(&self.fds_name),
                    value,
                });
            }
        }
        self.cost += cpu_time().saturating_sub(begin);
        living
    }

    /// Identifies every handle. Gives the number of living processes.
    pub fn identity_beat(&mut self, at: Millis, out: &mut Vec<Fact>) -> usize {
        let begin = cpu_time();
        if let Some(traced) = &mut self.traced {
            traced.take();
        }
        if let Some(exhaustion) = &mut self.exhaustion {
            exhaustion.take(self.watched.iter().map(|watched| &watched.target));
        }
        let births_ns = monotonic_ns();
        let table = ProcessTable::read();
        let from = out.len();
        let mut living = 0;
        for watched in &mut self.watched {
            let begin = cpu_time();
            living += watched.target.refresh(&table, at, out);
            let mut beat = Beat {
                at,
                first: watched.first,
                bucket_ms: self.bucket_ms,
                start_up_ms: self.start_up_ms,
                out: &mut *out,
                ids: &mut self.ids,
            };
            watched.look = (LookTime::begin(births_ns), from);
            watched.fds.sweep(&watched.target, &mut beat);
            watched.look.0.end();
            watched.fds_cost += cpu_time().saturating_sub(begin);
        }
        let passes = self.hear_sockets(at, out);
        for (watched, pass) in self.watched.iter_mut().zip(passes) {
            let mut beat = Beat {
                at,
                first: watched.first,
                bucket_ms: self.bucket_ms,
                start_up_ms: self.start_up_ms,
                out: &mut *out,
                ids: &mut self.ids,
            };
            let (target, fds) = (&watched.target, &mut watched.fds);
            fds.finish(target, pass.complete, watched.fds_cost, &mut beat);
            let cost = watched.sockets_cost;
            beat.source(target.id, "sockets", pass.status, &pass.reason, cost);
            let begin = cpu_time();
            watched.hidden.sample(fds, target, watched.hidden_cost, &mut beat);
            watched.hidden_cost += cpu_time().saturating_sub(begin);
            let begin = cpu_time();
            watched.inherited.sample(fds, target, &table, watched.inherited_cost, &mut beat);
            watched.inherited_cost += cpu_time().saturating_sub(begin);
            watched.others.sample(target, &table, &mut beat);
            if let Some(traced) = &mut self.traced {
                traced.deliver(target, &fds.sockets, &mut beat);
            }
            if let Some(openers) = &mut self.openers {
                let (time, from) = watched.look;
                openers.deliver((target, fds, &watched.others), from, time, &mut beat);
            }
            if let Some(exhaustion) = &mut self.exhaustion {
                exhaustion.deliver(target, watched.look.0, &mut beat);
            }
            for remote in &mut watched.remotes {
                remote.deliver(target, &mut beat);
            }
            own::sample(target, &mut beat);
            watched.first = false;
        }
        self.cost += cpu_time().saturating_sub(begin);
        living
    }

    /// Who is watched now.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.watched.iter().map(|watched| &watched.target)
    }

    /// The processes of each target.
    pub fn processes(&self) -> impl Iterator<Item = &[Process]> {
        self.watched.iter().map(|watched| watched.target.processes.as_slice())
    }

    /// CPU time used so far.
    pub fn cost(&self) -> Duration {
        self.cost
    }

    /// One pass over every network namespace that targets with sockets live in; gives how it went
    /// for each target.
    fn hear_sockets(&mut self, at: Millis, out: &mut Vec<Fact>) -> Vec<Pass> {
        let begin = cpu_time();
        // Namespace -> targets in it, and a process to enter it by.
        let mut used: BTreeMap<(u64, u64), (usize, usize, BTreeSet<usize>)> = BTreeMap::new();
        let mut passes = Vec::new();
        for (nth, watched) in self.watched.iter().enumerate() {
            let mut pass = Pass::default();
            if let Some(reason) = watched.fds.blind() {
                pass.worsen(&reason);
                if let Some(states) = watched.tell_states(at, out) {
                    pass.worsen(&states);
                }
                pass.status = SourceStatus::Unavailable;
                pass.complete = false;
            }
            // Who holds none now may have opened many since the last beat.
            if self.connections || watched.counts.begun() || !watched.fds.sockets.is_empty() {
                for (index, process) in watched.target.processes.iter().enumerate() {
                    match statat(process.dir(), "ns/net", AtFlags::empty()) {
                        Ok(stat) => {
                            let key = (stat.st_dev, stat.st_ino);
                            let entry = used.entry(key).or_insert((nth, index, BTreeSet::new()));
                            entry.2.insert(nth);
                        }
                        Err(error) if process.is_alive() => {
                            pass.worsen(&format!("network namespace: {}", own::why(error)));
                        }
                        Err(_) => {}
                    }
                }
            }
            passes.push(pass);
        }
        // The socket of a namespace that nobody uses is let go; its ports are kept, they tell the
        // role of what comes later.
        for (key, namespace) in &mut self.namespaces {
            if !used.contains_key(key) {
                namespace.diag = None;
            }
        }
        if self.namespaces.len() > NAMESPACES {
            self.namespaces.retain(|key, _| used.contains_key(key));
        }
        for (nth, (key, (owner, index, members))) in used.into_iter().enumerate() {
            if nth >= NAMESPACES_READ {
                for &member in &members {
                    if let Some(pass) = passes.get_mut(member) {
                        pass.leave_out();
                    }
                }
                continue;
            }
            let Some(pid) = self.watched.get(owner).and_then(|watched| {
                let process = watched.target.processes.get(index)?;
                let namespace = self.namespaces.entry(key).or_default();
                namespace.open(process, key);
                namespace.churn.begin(process);
                Some(process.pid)
            }) else {
                continue;
            };
            let Some(namespace) = self.namespaces.get_mut(&key) else {
                continue;
            };
            let now = (at, self.bucket_ms);
            let mut present = members.iter().filter_map(|&member| self.watched.get(member));
            if !self.connections && present.all(|watched| watched.fds.sockets.is_empty()) {
                namespace.count_opens(&mut self.watched, (owner, index), &members);
                continue;
            }
            let watched = &mut self.watched;
            let outcome = namespace.pass(pid, self.connections, &mut |row, ports| {
                for watched in watched.iter_mut() {
                    watched.fds.hear(row, ports, now, out);
                }
            });
            namespace.count_opens(&mut self.watched, (owner, index), &members);
            for &member in &members {
                if let Some(watched) = self.watched.get_mut(member) {
                    watched.tell_ended(&namespace.churn.lately, at, out);
                }
                if let Some(pass) = passes.get_mut(member) {
                    if !outcome.reason.is_empty() {
                        pass.worsen(&outcome.reason);
                    }
                    pass.status = pass.status.max(outcome.status);
                    pass.complete &= outcome.complete;
                }
            }
            if nth >= NAMESPACES_OPEN {
                namespace.diag = None;
            }
        }
        for pass in passes.iter_mut().filter(|pass| pass.left_out > 0) {
            let reason = format!(
                "{} of its network namespaces are not read: only the first {NAMESPACES_READ} are",
                pass.left_out
            );
            pass.worsen(&reason);
        }
        for watched in &mut self.watched {
            watched.counts.tell(watched.target.id, at, out);
        }
        // The pass is shared; its cost is put down to the first target.
        if let Some(watched) = self.watched.first_mut() {
            watched.sockets_cost += cpu_time().saturating_sub(begin);
        }
        passes
    }
}

/// Who a target is, and its processes as joined.
fn introduce(target: &Target, at: Millis) -> impl Iterator<Item = Fact> {
    let facts = Fact::Target { target: target.id, facts: Box::new(target.facts.clone()) };
    let joined = target.processes.iter().map(move |process| Fact::Lifecycle {
        at,
        target: target.id,
        pid: process.pid,
        event: Lifecycle::Joined,
    });
    std::iter::once(facts).chain(joined)
}

impl Watched {
    fn new(target: Target) -> Self {
        Self {
            target,
            first: true,
            fds: Fds::new(),
            fds_cost: Duration::ZERO,
            look: (LookTime::default(), 0),
            sockets_cost: Duration::ZERO,
            hidden: Hidden::default(),
            hidden_cost: Duration::ZERO,
            inherited: Inherited::default(),
            inherited_cost: Duration::ZERO,
            others: Others::default(),
            remotes: Vec::new(),
            time_wait: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Tells the TCP states of the target's network namespace, whoever holds the sockets: all that
    /// can be read of them without rights. Gives them in words.
    fn tell_states(&self, at: Millis, out: &mut Vec<Fact>) -> Option<String> {
        let root = self.target.processes.first()?;
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        let read = net_tables::read(root.pid, &mut |row| {
            if row.proto == Proto::Tcp {
                *states.entry(state_name(row.state)).or_default() += 1;
            }
        });
        read.ok()?;
        for (&state, &count) in &states {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let value = count as f64;
            let name = format!("namespace_tcp_{}", state.to_ascii_lowercase()).into();
            out.push(Fact::Gauge { at, target: self.target.id, pid: None, name, value });
        }
        let words: Vec<String> =
            states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        Some(format!("in its network namespace, whoever holds them: {}", words.join(", ")))
    }

    /// Tells how many connections to the peers of this target ended lately, where that changed.
    fn tell_ended(
        &mut self,
        ended: &BTreeMap<(IpAddr, u16), u64>,
        at: Millis,
        out: &mut Vec<Fact>,
    ) {
        let mut tell = |(address, port): (IpAddr, u16), count| {
            let peer = endpoint(address, port).into();
            out.push(Fact::TimeWait { at, target: self.target.id, peer, count });
        };
        self.time_wait.retain(|peer, _| {
            let gone = ended.get(peer).is_none_or(|&count| count < LEAST_ENDED);
            if gone {
                tell(*peer, 0);
            }
            !gone
        });
        for (&peer, &count) in ended {
            if count < LEAST_ENDED || !self.fds.sockets.knows_peer(peer) {
                continue;
            }
            let told = self.time_wait.entry(peer).or_default();
            // A tenth more or less is no news.
            if told.abs_diff(count) * 10 > count {
                *told = count;
                tell(peer, count);
            }
        }
    }
}

impl Default for Pass {
    fn default() -> Self {
        Self { status: SourceStatus::Ok, reason: String::new(), complete: true, left_out: 0 }
    }
}

impl Pass {
    /// One more namespace is not read.
    fn leave_out(&mut self) {
        self.left_out += 1;
        self.complete = false;
    }

    fn worsen(&mut self, reason: &str) {
        self.status = self.status.max(SourceStatus::Partial);
        if !self.reason.is_empty() {
            self.reason.push_str("; ");
        }
        self.reason.push_str(reason);
    }
}

impl Namespace {
    /// Opens the diagnostics socket once, in our namespace or by entering the process's.
    fn open(&mut self, process: &Process, key: (u64, u64)) {
        if self.diag.is_some() || !(self.refused.is_empty() || self.passing) {
            return;
        }
        match netns::open(process, key) {
            Ok(diag) => (self.diag, self.refused) = (Some(diag), String::new()),
            Err(refusal) => (self.refused, self.passing) = (refusal.reason, refusal.passing),
        }
    }

    /// Reads the counters of opened connections by a process that lives here, and adds what the
    /// namespace shows to the counts of targets that live here.
    fn count_opens(
        &mut self,
        watched: &mut [Watched],
        (owner, index): (usize, usize),
        members: &BTreeSet<usize>,
    ) {
        let entered = watched.get(owner).map(|watched| &watched.target.processes);
        if let Some(process) = entered.and_then(|processes| processes.get(index)) {
            self.churn.read_opens(process);
        }
        for &member in members {
            if let Some(watched) = watched.get_mut(member) {
                watched.counts.add(&self.churn, &watched.fds.sockets);
            }
        }
    }

    /// Shows every socket to `visit`.
    fn pass(
        &mut self,
        pid: u32,
        connections: bool,
        visit: &mut dyn FnMut(&SocketRow<'_>, &Ports),
    ) -> Pass {
        if let Some(pass) = self.dump(connections, visit) {
            return pass;
        }
        let Self { ports, refused, .. } = self;
        let read = net_tables::read(pid, &mut |row| {
            if row.proto == Proto::Tcp && row.state == TCP_LISTEN {
                ports.add(row.local.1);
            }
            visit(row, ports);
        });
        match read {
            Ok(()) => Pass {
                status: SourceStatus::Partial,
                reason: format!("{refused}: read from /proc/PID/net, without idle times"),
                ..Pass::default()
            },
            Err(error) => Pass {
                status: SourceStatus::Unavailable,
                reason: format!("{refused}; /proc/PID/net: {error}"),
                complete: false,
                ..Pass::default()
            },
        }
    }

    /// By sock_diag; `None` when it cannot serve here, with the reason in `refused`.
    fn dump(
        &mut self,
        connections: bool,
        visit: &mut dyn FnMut(&SocketRow<'_>, &Ports),
    ) -> Option<Pass> {
        let diag = self.diag.as_mut()?;
        let ports = &mut self.ports;
        let mut missing = Vec::new();
        let mut failed = false;
        for table in TABLES {
            let listening = matches!(table, Table::TcpListen(_));
            let dumped = diag.dump(table, &mut |row| {
                if listening {
                    ports.add(row.local.1);
                }
                visit(row, ports);
            });
            match (dumped, table) {
                (Ok(Completeness::Complete), _) => {}
                (Ok(Completeness::Interrupted), _) => {
                    missing.push(format!("{table} changed while it was read"));
                }
                (Ok(Completeness::NoTable), Table::TcpListen(Family::V4)) => {
                    self.refused = "sock_diag: no TCP diagnostics in this kernel".to_owned();
                    self.diag = None;
                    return None;
                }
                (Err(error), Table::TcpListen(Family::V4)) => {
                    self.refused = format!("sock_diag: {error}");
                    self.diag = None;
                    return None;
                }
                // A kernel without IPv6 has no such sockets.
                (Ok(Completeness::NoTable), Table::TcpListen(_)) => {}
                (Ok(Completeness::NoTable), Table::Tcp(Family::V6) | Table::Udp(Family::V6)) => {}
                (Ok(Completeness::NoTable), _) => {
                    missing.push(format!("{table}: no diagnostics in this kernel"));
                }
                (Err(error), _) => {
                    missing.push(format!("{table}: {error}"));
                    // What is left of this dump would be in the way of the next one.
                    failed = true;
                    break;
                }
            }
        }
        // What cannot be counted is not known to be many.
        if failed || !self.churn.count(diag, &self.ports, connections) {
            self.diag = None;
        }
        Some(Pass {
            status: if missing.is_empty() { SourceStatus::Ok } else { SourceStatus::Partial },
            complete: missing.is_empty(),
            reason: missing.join("; "),
            ..Pass::default()
        })
    }
}

/// CPU time of this thread.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests;
