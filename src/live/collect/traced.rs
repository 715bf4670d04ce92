//! Every TCP connection of the targets, as a thread of its own hears of them from the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::beat::Beat;
use super::feed::{Closed, Feed, Outlet};
use super::socket_facts::{peer_of, role_of};
use super::sockets::Sockets;
use crate::live::facts::{Basis, ConnectionCounts, Fact, OTHER, SourceStatus, TargetId};
use crate::live::host::socket_row::End;
use crate::live::target::Target;
use crate::live::trace::connections::{
    Counts, FILTER, Layout, Lives, Owner, Report, Step, TRACEPOINT,
};
use crate::live::trace::ring::Rings;
use crate::live::trace::tracepoint::{self, Tracepoint};

/// Ends of connections told apart for one target; what goes beyond is one peer.
const MAX_ENDS: usize = 1024;
/// Rings are read so often, and whenever one is a quarter full.
const READ_EVERY: Duration = Duration::from_millis(100);
/// What was heard is handed over so often.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// Reports that may wait: more than a stretched beat takes.
const REPORTS: usize = 128;
/// An event that is older than this stands in its ring: then all rings agree on what came before.
const SETTLED: Duration = Duration::from_millis(5);
/// What opens the rings, and the folder that describes the tracepoint.
pub(super) const PERFMON: &str = "run as root, or: setcap cap_perfmon,cap_dac_read_search+ep \
    \"$(command -v poolscan)\"";
pub(super) const MOUNT: &str = "mount -t tracefs tracefs /sys/kernel/tracing";
/// Events that the kernel dropped, or that found no room.
const LOST: &str = "connection_events_lost";

/// What the thread hands over.
type Heard = io::Result<(Report, u64)>;

/// The tracepoint, heard for all targets at once.
#[derive(Debug)]
pub(super) struct Traced {
    feed: Option<Feed<Heard>>,
    /// Why nothing is heard (any more); empty while something is.
    failed: String,
    report: Report,
    /// Events that did not reach us, for whatever reason.
    lost: u64,
    targets: BTreeMap<TargetId, Known>,
}

/// What is known of one target.
#[derive(Debug, Default)]
struct Known {
    /// Its processes at the last beat: one that ended since may have done something before.
    pids: BTreeSet<u32>,
    ends: BTreeMap<Place, Counts>,
    /// Connections at ports of the target that another process closed.
    foreign: u64,
    /// How often it was looked at.
    looks: u32,
    /// Connections that it held when it was first looked at.
    older: u64,
    /// Connections that it closed since, and that nobody heard the beginning of.
    strangers: u64,
    told_lost: u64,
}

/// Role and peer; no peer for those that go beyond the bound.
type Place = (&'static str, Option<End>);

impl Traced {
    /// Begins to listen. What stands in the way is told as the state of a source.
    pub(super) fn start() -> Self {
        let (feed, failed) = match listen() {
            Ok(feed) => (Some(feed), String::new()),
            Err(error) => (None, error),
        };
        let report = Report::default();
        Self { feed, failed, report, lost: 0, targets: BTreeMap::new() }
    }

    /// Why nothing is heard; empty while something is.
    pub(super) fn failed(&self) -> &str {
        &self.failed
    }

    /// Takes what was heard so far; before processes are looked for, so that whoever did it is
    /// known by then.
    pub(super) fn take(&mut self) {
        self.report = Report::default();
        let Some(feed) = &mut self.feed else { return };
        while let Some(heard) = feed.take() {
            match heard {
                Ok((report, lost)) => {
                    self.lost += lost + report.missed;
                    for (pid, count) in report.strangers {
                        *self.report.strangers.entry(pid).or_default() += count;
                    }
                    for (key, counts) in report.counts {
                        self.report.counts.entry(key).or_default().add(&counts);
                    }
                }
                Err(error) => self.failed = error.to_string(),
            }
        }
        if feed.ended() && self.failed.is_empty() {
            self.failed = "the thread that listens has ended".to_owned();
        }
    }

    /// Tells what of it is a target's, and how this source fares.
    pub(super) fn deliver(&mut self, target: &Target, sockets: &Sockets, beat: &mut Beat<'_>) {
        let known = self.targets.entry(target.id).or_default();
        let pids: BTreeSet<u32> = target.processes.iter().map(|process| process.pid).collect();
        let before = std::mem::replace(&mut known.pids, pids);
        let own: BTreeSet<u32> = known.pids.union(&before).copied().collect();
        let strangers = self.report.strangers.iter().filter(|(pid, _)| own.contains(pid));
        let strangers: u64 = strangers.map(|(_, count)| count).sum();
        match known.looks {
            0 => known.older = sockets.older_connections(),
            // What ended before the first look may be heard of after it.
            1 => {}
            _ => known.strangers += strangers,
        }
        known.looks = known.looks.saturating_add(1);
        let mut changed = BTreeSet::new();
        for (&(owner, end), counts) in &self.report.counts {
            let listens = matches!(end, End::Server(port) if sockets.listens_at(port));
            let add = match owner {
                Owner::Process(pid) => own.contains(&pid).then(|| counts.clone()),
                Owner::Listener => listens.then(|| counts.clone()),
                // What it closed was its own. Where it did not listen, nobody has counted the
                // opening for it.
                Owner::Closer(pid) if own.contains(&pid) => {
                    let opened = if listens { 0 } else { counts.closed };
                    Some(Counts { opened, ..counts.clone() })
                }
                Owner::Closer(_) => {
                    if listens {
                        known.foreign += counts.closed;
                        let place = known.place(end);
                        let all = known.ends.entry(place).or_default();
                        all.opened = all.opened.saturating_sub(counts.closed);
                        changed.insert(place);
                    }
                    None
                }
            };
            if let Some(add) = add {
                let place = known.place(end);
                known.ends.entry(place).or_default().add(&add);
                changed.insert(place);
            }
        }
        for place in changed {
            let counts = Arc::new(counts_of(place, &known.ends[&place]));
            beat.out.push(Fact::Connections { at: beat.at, target: target.id, counts });
        }
        // What is older than the watch ends once, and nothing else without a beginning.
        let lost = self.lost + known.strangers.saturating_sub(known.older);
        if known.told_lost != lost {
            known.told_lost = lost;
            beat.count(target.id, None, LOST, lost);
        }
        let (status, reason) = state(&self.failed, lost, known.foreign);
        let cost = self.feed.as_ref().map(Feed::cost).unwrap_or_default();
        beat.source(target.id, "connections", status, &reason, cost);
    }
}

impl Known {
    fn place(&self, end: End) -> Place {
        let role = role_of(end);
        let place = (role, Some(end));
        let fits = self.ends.len() < MAX_ENDS || self.ends.contains_key(&place);
        if fits { place } else { (role, None) }
    }
}

fn counts_of((role, end): Place, counts: &Counts) -> ConnectionCounts {
    let peer = end.map_or_else(|| OTHER.to_owned(), peer_of);
    ConnectionCounts {
        basis: Basis::Traced,
        role: role.into(),
        peer: peer.into(),
        opened: counts.opened,
        closed: counts.closed,
        failed: counts.failed,
        lives: counts.lives,
    }
}

fn state(failed: &str, lost: u64, foreign: u64) -> (SourceStatus, String) {
    if !failed.is_empty() {
        return (SourceStatus::Unavailable, failed.to_owned());
    }
    let mut missing = Vec::new();
    if lost > 0 {
        missing.push(format!("{lost} events were missed: traced counts are lower bounds"));
    }
    if foreign > 0 {
        missing.push(format!(
            "{foreign} connections at its ports were closed by other processes, which serve the \
             same ports: incoming ones that are still open may be theirs, too"
        ));
    }
    (SourceStatus::without(&missing.join("; ")), missing.join("; "))
}

/// Why nothing can be heard, and the smallest remedy.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) fix: &'static str,
}

/// Finds the tracepoint and opens its rings.
pub(super) fn open() -> Result<(Layout, Rings), Refusal> {
    let refused = |fix| move |reason: String| Refusal { reason, fix };
    let tracepoint = Tracepoint::named(TRACEPOINT)
        .map_err(|error| format!("tracepoint {TRACEPOINT}: {error}"))
        .map_err(refused(if tracepoint::is_mounted() { PERFMON } else { MOUNT }))?;
    let layout = Layout::of(&tracepoint).map_err(|error| refused("")(error.to_string()))?;
    let rings = Rings::open(tracepoint.id, FILTER)
        .map_err(|error| format!("perf_event_open: {error}"))
        .map_err(refused(PERFMON))?;
    Ok((layout, rings))
}

/// Opens the rings and starts the thread that reads them.
fn listen() -> Result<Feed<Heard>, String> {
    let (layout, rings) = open().map_err(|Refusal { reason, fix }| match fix {
        "" => reason,
        fix => format!("{reason}: {fix}"),
    })?;
    let work = move |outlet: &Outlet<Heard>| {
        // Nobody listens any more: that is how it ends.
        let _ = hear(rings, &layout, outlet);
    };
    Feed::start("poolscan-trace", REPORTS, work).map_err(|error| error.to_string())
}

fn hear(mut rings: Rings, layout: &Layout, outlet: &Outlet<Heard>) -> Result<(), Closed> {
    let (mut lives, mut steps): (Lives, Vec<Step>) = Default::default();
    let (mut told, mut told_lost, mut misread) = (Instant::now(), 0, 0);
    loop {
        if let Err(error) = rings.wait(READ_EVERY) {
            return outlet.put(Err(error));
        }
        let settled = monotonic_ns().saturating_sub(SETTLED.as_nanos() as u64);
        rings.drain(&mut |event| match layout.step(event) {
            Some(step) => steps.push(step),
            None => misread += 1,
        });
        steps.sort_by_key(|step| step.at_ns);
        let ready = steps.partition_point(|step| step.at_ns < settled);
        steps.drain(..ready).for_each(|step| lives.take(&step));
        if told.elapsed() >= REPORT_EVERY {
            told = Instant::now();
            let lost = rings.lost() + misread;
            outlet.put(Ok((lives.report(), lost - told_lost)))?;
            told_lost = lost;
        }
    }
}

/// The clock of events.
pub(super) fn monotonic_ns() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::live::collect::beat::HandleIds;
    use crate::live::collect::pattern::Patterns;
    use crate::live::collect::socket_facts::Ports;
    use crate::live::collect::sockets::Found;
    use crate::live::facts::{HandleId, TargetFacts};
    use crate::live::host::socket_row::{Proto, SocketRow, TCP_LISTEN};
    use crate::live::target::{Follow, Process};

    const PEER: End = End::Client(IpAddr::V4(Ipv4Addr::LOCALHOST), 5432);

    fn counts(opened: u64, closed: u64) -> Counts {
        Counts { opened, closed, ..Counts::default() }
    }

    /// A target of this very process, which listens at port 80.
    fn target() -> (Target, Sockets, u32) {
        let pid = std::process::id();
        let processes = vec![Process::open(pid, 0).unwrap()];
        let facts = TargetFacts::default();
        let target = Target::new(TargetId(1), facts, processes, Follow::Fixed, 0);
        let mut sockets = Sockets::default();
        let found = Found { id: HandleId(1), pid, fd: 3, born: 0, pre: false, start_up: false };
        sockets.add(7, found);
        sockets.begin();
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let row = SocketRow::inet(7, Proto::Tcp, TCP_LISTEN, (any, 80), (any, 0));
        let patterns = &mut Patterns::default();
        sockets.hear(&row, &Ports::default(), (0, 1000), patterns, &mut Vec::new());
        (target, sockets, pid)
    }

    /// What is told of the target when this was heard.
    fn told(traced: &mut Traced, heard: &[(Owner, End, Counts)]) -> Vec<Fact> {
        let heard = heard.iter().map(|(owner, end, counts)| ((*owner, *end), counts.clone()));
        traced.report = Report { counts: heard.collect(), ..Report::default() };
        deliver(traced)
    }

    fn deliver(traced: &mut Traced) -> Vec<Fact> {
        let (target, sockets, _) = target();
        let (mut out, mut ids) = (Vec::new(), HandleIds::default());
        let mut beat = Beat {
            at: 5_000,
            first: false,
            bucket_ms: 5_000,
            start_up_ms: 0,
            out: &mut out,
            ids: &mut ids,
        };
        traced.deliver(&target, &sockets, &mut beat);
        out
    }

    fn numbers(facts: &[Fact], role: &str) -> Option<(u64, u64)> {
        facts.iter().find_map(|fact| match fact {
            Fact::Connections { counts, .. } if &*counts.role == role => {
                Some((counts.opened, counts.closed))
            }
            _ => None,
        })
    }

    fn silent() -> Traced {
        let report = Report::default();
        Traced { feed: None, failed: String::new(), report, lost: 0, targets: BTreeMap::new() }
    }

    #[test]
    fn only_what_is_the_targets_counts() {
        let (_, _, pid) = target();
        let mut traced = silent();
        let heard = [
            (Owner::Process(pid), PEER, counts(3, 2)),
            // Another process connects to the same peer.
            (Owner::Process(u32::MAX), PEER, counts(50, 50)),
            // Another process listens at another port.
            (Owner::Listener, End::Server(81), counts(70, 1)),
            (Owner::Listener, End::Server(80), counts(9, 1)),
            (Owner::Closer(pid), End::Server(80), counts(0, 4)),
        ];
        let facts = told(&mut traced, &heard);
        assert_eq!(numbers(&facts, "tcp client"), Some((3, 2)));
        assert_eq!(numbers(&facts, "tcp server"), Some((9, 5)));
        // Nothing new: nothing told but how the source fares.
        assert!(matches!(&told(&mut traced, &[])[..], [Fact::Source { .. }]));
    }

    #[test]
    fn an_end_without_a_beginning_is_a_loss_unless_it_is_older() {
        let (_, _, pid) = target();
        let mut traced = silent();
        // Before the first look nobody knows what was there.
        for _ in 0..2 {
            traced.report.strangers = BTreeMap::from([(pid, 5)]);
            let facts = deliver(&mut traced);
            assert!(matches!(&facts[..], [Fact::Source { status: SourceStatus::Ok, .. }]));
        }
        traced.targets.get_mut(&TargetId(1)).unwrap().older = 2;
        traced.report.strangers = BTreeMap::from([(pid, 2), (u32::MAX, 9)]);
        let older = deliver(&mut traced);
        assert!(matches!(&older[..], [Fact::Source { status: SourceStatus::Ok, .. }]), "{older:?}");
        traced.report.strangers = BTreeMap::from([(pid, 3)]);
        let lost = deliver(&mut traced).into_iter().find_map(|fact| match fact {
            Fact::Gauge { name, value, .. } if &*name == LOST => Some(value),
            _ => None,
        });
        assert_eq!(lost, Some(3.0));
    }

    #[test]
    fn who_closes_it_held_it() {
        let (_, _, pid) = target();
        let mut traced = silent();
        let facts = told(
            &mut traced,
            &[
                (Owner::Listener, End::Server(80), counts(9, 0)),
                // Somebody else serves the same port.
                (Owner::Closer(u32::MAX), End::Server(80), counts(0, 4)),
                // It was handed a connection of somebody else's port.
                (Owner::Closer(pid), End::Server(81), counts(0, 2)),
            ],
        );
        let shared = facts.iter().any(|fact| {
            matches!(fact, Fact::Source { status: SourceStatus::Partial, reason, .. }
                if reason.contains("4 connections at its ports were closed by other processes"))
        });
        assert!(shared, "{facts:?}");
        let of_80 = facts.iter().any(|fact| {
            matches!(fact, Fact::Connections { counts, .. }
                if &*counts.peer == ":80" && (counts.opened, counts.closed) == (5, 0))
        });
        let of_81 = facts.iter().any(|fact| {
            matches!(fact, Fact::Connections { counts, .. }
                if &*counts.peer == ":81" && (counts.opened, counts.closed) == (2, 2))
        });
        assert!(of_80 && of_81, "{facts:?}");
    }

    #[test]
    fn what_is_lost_or_shared_is_said() {
        assert_eq!(state("", 0, 0), (SourceStatus::Ok, String::new()));
        assert_eq!(state("refused", 3, 0).0, SourceStatus::Unavailable);
        let (status, reason) = state("", 3, 2);
        assert_eq!(status, SourceStatus::Partial);
        assert!(reason.contains("3 events were missed") && reason.contains("2 connections"));
    }
}
