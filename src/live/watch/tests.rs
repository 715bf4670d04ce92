//! Histories of handles in virtual time against the verdicts they must get.

use super::*;
use crate::live::facts::{
    Activity, Basis, Change, ConnectionCounts, Exhausted, FailedCall, HandleFacts, OpenedBy,
    Opener, SourceStatus, TargetFacts,
};
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::{FindingChange, ResourceOutcome};

/// Builds facts beat by beat, as the sampler does.
struct History {
    watch: Watch,
    next_id: u64,
    changes: Vec<FindingChange>,
}

impl History {
    fn new(settings: Settings, uptime_ms: Millis) -> Self {
        let mut watch = Watch::new(settings);
        let facts = TargetFacts { uptime_ms: Some(uptime_ms), ..TargetFacts::default() };
        watch.step(&[
            Fact::Target { target: TargetId(0), facts: Box::new(facts) },
            Fact::Limit {
                at: 0,
                target: TargetId(0),
                name: "nofile_soft".into(),
                value: Some(65_536),
                used: None,
            },
        ]);
        Self { watch, next_id: 1, changes: Vec::new() }
    }

    fn open(&mut self, facts: &mut Vec<Fact>, at: Millis, place: HandleFacts) -> HandleId {
        let id = HandleId(self.next_id);
        self.next_id += 1;
        facts.push(Fact::Open {
            at,
            target: TargetId(0),
            id,
            pre: at == 0,
            start_up: false,
            facts: std::sync::Arc::new(place),
        });
        id
    }

    fn beat(&mut self, at: Millis, mut facts: Vec<Fact>) {
        facts.push(Fact::Source {
            at,
            target: TargetId(0),
            name: "fds".into(),
            status: SourceStatus::Ok,
            reason: "".into(),
            watermark: Some(at),
            cost_us: 0,
        });
        self.changes.extend(self.watch.step(&facts).findings);
    }

    fn first(&self, verdict: Verdict) -> Option<&FindingChange> {
        self.changes.iter().find(|c| c.resource.verdict == verdict)
    }
}

fn connection(peer: &str, activity: Activity) -> HandleFacts {
    HandleFacts {
        role: "tcp client".into(),
        peer: peer.into(),
        state: "ESTABLISHED".into(),
        activity,
        ..HandleFacts::of_kind("socket")
    }
}

/// One leaked connection every `every` beats beside a pool that is used all the time.
fn leak(every: i64, beats: i64, settings: Settings, beat: Millis) -> History {
    let mut history = History::new(settings, 100_000 * beat);
    let mut first = Vec::new();
    for _ in 0..10 {
        history.open(&mut first, 0, connection("10.0.0.1:5432", Activity::Awake));
    }
    history.beat(0, first);
    let mut fresh: Option<HandleId> = None;
    for k in 1..=beats {
        let at = k * beat;
        let mut facts = Vec::new();
        if let Some(id) = fresh.take() {
            let silent = Change::Activity(Activity::SilentSince(at - beat));
            facts.push(Fact::Change { at, id, change: silent });
        }
        if k % every == 0 {
            fresh = Some(history.open(&mut facts, at, connection("10.0.0.2:80", Activity::Awake)));
        }
        history.beat(at, facts);
    }
    history
}

#[test]
fn a_leak_is_found_with_its_group_and_rate() {
    let history = leak(2, 120, Settings::default(), 5_000);
    let found = history.first(Verdict::Leaking).expect("leaking");
    assert!(found.at <= 300_000, "{}", found.at);
    assert_eq!(found.resource.group[..2], ["tcp client", "10.0.0.2:80"]);
    let outcome = history.watch.outcome();
    assert_eq!(outcome.verdict, Verdict::Leaking);
    let row = outcome.targets[0].resources.iter().find(|r| r.report.is_some()).expect("row");
    let rate = row.per_minute.expect("rate");
    assert!((rate.value - 6.0).abs() < 1.0, "{rate:?}");
}

#[test]
fn a_stated_lifetime_finds_it_sooner() {
    let settings = Settings { lifetime_ms: Some(1_900), ..Settings::default() };
    let history = leak(2, 120, settings, 100);
    let found = history.first(Verdict::Leaking).expect("leaking");
    assert!(found.at <= 6_000, "{}", found.at);
}

#[test]
fn a_pool_that_fills_and_stays_is_no_leak() {
    let mut history = History::new(Settings::default(), 10_000_000);
    history.beat(0, Vec::new());
    for k in 1..=240 {
        let at = k * 5_000;
        let mut facts = Vec::new();
        if k <= 10 {
            let silent = Activity::SilentSince(at - 5_000);
            history.open(&mut facts, at, connection("10.0.0.1:5432", silent));
        }
        history.beat(at, facts);
    }
    assert!(history.first(Verdict::Leaking).is_none());
    assert!(history.watch.outcome().verdict < Verdict::Suspect);
}

#[test]
fn idle_handles_from_before_are_no_evidence() {
    let mut history = History::new(Settings::default(), 3_000_000);
    let mut first = Vec::new();
    for k in 0..10 {
        let silent = Activity::SilentSince(-1_000 * k);
        history.open(&mut first, 0, connection("10.0.0.1:5432", silent));
    }
    history.beat(0, first);
    for k in 1..=120 {
        history.beat(k * 5_000, Vec::new());
    }
    assert!(history.changes.is_empty(), "{:?}", history.changes);
}

#[test]
fn handles_forgotten_over_the_uptime_are_suspect_at_the_first_look() {
    let mut history = History::new(Settings::default(), 7_200_000);
    let mut first = Vec::new();
    for k in 1..=40 {
        let silent = Activity::SilentSince(-k * 175_000);
        history.open(&mut first, 0, connection("10.0.0.1:5432", silent));
    }
    history.beat(0, first);
    assert_eq!(history.watch.outcome().verdict, Verdict::Suspect);
}

#[test]
fn a_leak_that_is_closed_clears() {
    let mut history = leak(1, 80, Settings::default(), 5_000);
    assert_eq!(history.watch.outcome().verdict, Verdict::Leaking);
    let mut facts = Vec::new();
    for id in 11..history.next_id {
        facts.push(Fact::Close { at: 405_000, id: HandleId(id) });
    }
    history.beat(405_000, facts);
    assert_eq!(history.watch.outcome().verdict, Verdict::Cleared);
}

#[test]
fn what_comes_late_is_counted() {
    let mut history = History::new(Settings::default(), 0);
    history.beat(0, Vec::new());
    history.beat(10_000, Vec::new());
    let mut facts = Vec::new();
    history.open(&mut facts, 5_000, HandleFacts::of_kind("file"));
    history.beat(15_000, facts);
    assert_eq!(history.watch.outcome().late_facts, 1);
}

/// The settings of an agent that looks every 15 s.
fn frugal() -> Settings {
    Settings { frugal_beat_ms: Some(15_000), ..Settings::default() }
}

#[test]
fn an_agent_finds_the_leak_at_its_slow_beat() {
    let history = leak(1, 80, frugal(), 15_000);
    let found = history.first(Verdict::Leaking).expect("a leak");
    assert_eq!(found.resource.group, ["tcp client", "10.0.0.2:80", "ESTABLISHED"]);
    let shortest = frugal().timing().shown().shortest_ms;
    assert!(found.at >= shortest && found.at < 2 * shortest, "{} of {shortest}", found.at);
}

#[test]
fn an_agent_computes_only_where_handles_it_saw_appear_are_old() {
    let mut history = History::new(frugal(), 100_000_000);
    let peers = |facts: &mut Vec<Fact>, history: &mut History, at: Millis, count: usize, each| {
        for peer in 0..count {
            for _ in 0..each {
                let place = connection(&format!("{at} {peer}"), Activity::Awake);
                history.open(facts, at, place);
            }
        }
    };
    // 30 groups that were there before, 30 with too few, then 300 with enough.
    let mut facts = Vec::new();
    peers(&mut facts, &mut history, 0, 30, 9);
    history.beat(0, facts);
    let mut facts = Vec::new();
    peers(&mut facts, &mut history, 15_000, 30, 4);
    history.beat(15_000, facts);
    for k in 2..30 {
        history.beat(k * 15_000, Vec::new());
    }
    let judged = |history: &History| {
        let target = &history.watch.targets[&TargetId(0)];
        target.own().census.groups().filter(|(_, group)| group.bank().engines() > 0).count()
    };
    // All of the new ones share a kind and a role: those two have enough.
    assert_eq!(judged(&history), 2);
    assert_eq!(history.watch.outcome().cost.evictions, 0);
    let mut facts = Vec::new();
    peers(&mut facts, &mut history, 450_000, 300, 6);
    history.beat(450_000, facts);
    for k in 31..70 {
        history.beat(k * 15_000, Vec::new());
    }
    assert_eq!(judged(&history), 64);
    let outcome = history.watch.outcome();
    assert!(outcome.cost.evictions > 300, "{}", outcome.cost.evictions);
}

#[test]
fn a_target_that_is_forgotten_leaves_nothing() {
    let mut history = leak(2, 20, Settings::default(), 5_000);
    history.watch.forget(TargetId(0));
    assert!(history.watch.targets.is_empty() && history.watch.owners.is_empty());
    assert!(history.watch.outcome().targets.is_empty());
}

/// One dump a minute: each new goroutine has just begun to wait, and the next dump tells since when.
fn goroutines(per_minute: u64, lives_minutes: Option<u64>, minutes: i64) -> History {
    let mut history = History::new(Settings::default(), 3_600_000);
    let place = |activity| HandleFacts {
        state: "chan send".into(),
        site: "main.ask (/src/main.go:20)".into(),
        activity,
        label: "goroutine in main.ask.func1 (/src/main.go:21)".into(),
        ..HandleFacts::of_kind("goroutine")
    };
    let mut alive: Vec<(HandleId, i64)> = Vec::new();
    for beat in 0..=minutes * 12 {
        let at = beat * 5_000;
        let mut facts = Vec::new();
        if beat % 12 == 0 {
            for &(id, born) in &alive {
                if born == beat - 12 {
                    let change = Change::Activity(Activity::SilentSince(at - 60_000));
                    facts.push(Fact::Change { at, id, change });
                }
            }
            if let Some(life) = lives_minutes {
                alive.retain(|&(id, born)| {
                    let ended = born + life as i64 * 12 <= beat;
                    if ended {
                        facts.push(Fact::Close { at, id });
                    }
                    !ended
                });
            }
            for _ in 0..per_minute {
                alive.push((history.open(&mut facts, at, place(Activity::Awake)), beat));
            }
        }
        history.beat(at, facts);
    }
    history
}

#[test]
fn goroutines_that_never_end_leak_by_the_line_that_created_them() {
    let history = goroutines(30, None, 14);
    let found = history.first(Verdict::Leaking).expect("leaks");
    // Ten minutes at the most, with one dump a minute.
    assert!(found.at <= 600_000, "{} s", found.at / 1000);
    let outcome = history.watch.outcome();
    let row = outcome.targets[0].resources.iter().find(|row| row.verdict == Verdict::Leaking);
    assert_eq!(found.resource.resource, "goroutines");
    assert_eq!(found.resource.sites, ["main.ask (/src/main.go:20)"]);
    assert!(row.is_some());
    // As many that end after two or three minutes do not.
    for life in [1, 2, 3] {
        let healthy = goroutines(30, Some(life), 14);
        assert!(healthy.first(Verdict::Leaking).is_none(), "{life} min");
    }
}

fn tally(at: Millis, place: &str, count: u64, proved: bool) -> Fact {
    let group = [std::sync::Arc::from(place)].into();
    Fact::Tally { at, target: TargetId(0), kind: "goroutine".into(), group, count, proved }
}

#[test]
fn a_number_that_grows_is_suspect_at_most_unless_it_is_proved() {
    let mut history = History::new(Settings::default(), 3_600_000);
    for beat in 0..=180 {
        let at = beat * 5_000;
        history.beat(
            at,
            vec![
                tally(at, "main.work (/src/main.go:36)", 50 + (beat as u64 % 3), false),
                tally(at, "main.ask.func1 (/src/main.go:21)", 10 + beat as u64, false),
            ],
        );
    }
    let outcome = history.watch.outcome();
    let worst: Vec<_> = outcome.targets[0]
        .resources
        .iter()
        .filter(|row| row.verdict.is_finding())
        .map(|row| (row.resource.as_str(), row.group.join(" "), row.verdict))
        .collect();
    let grown = "main.ask.func1 (/src/main.go:21)".to_owned();
    assert_eq!(worst, [("goroutines", grown.clone(), Verdict::Suspect)]);
    let at = 181 * 5_000;
    history.beat(at, vec![tally(at, "main.ask.func1 (/src/main.go:21)", 7, true)]);
    let outcome = history.watch.outcome();
    assert_eq!(outcome.verdict, Verdict::Leaking);
    let proved = outcome.targets[0].resources.iter().find(|row| row.id.ends_with("/proof"));
    assert_eq!(proved.map(|row| row.confidence), Some(crate::finding::Confidence::Proof));
    // Where they are told apart, identities are judged and the number is only shown.
    let at = 182 * 5_000;
    let mut facts = Vec::new();
    history.open(&mut facts, at, HandleFacts::of_kind("goroutine"));
    facts.push(tally(at, &grown, 0, true));
    history.beat(at, facts);
    assert_eq!(history.watch.outcome().verdict, Verdict::Stable);
}

#[test]
fn the_use_of_a_pool_that_only_grows_is_suspect() {
    let mut history = History::new(Settings::default(), 3_600_000);
    for beat in 0..=180 {
        let (at, target) = (beat * 5_000, TargetId(0));
        let pool = |name: &str, in_use: f64| Fact::Pool {
            at,
            target,
            name: name.into(),
            reading: Box::new(crate::live::facts::PoolReading {
                in_use: Some(in_use),
                max: Some(200.0),
                ..Default::default()
            }),
        };
        let busy = 40.0 + (beat * 7 % 11) as f64;
        history.beat(at, vec![pool("leaks", 5.0 + (beat / 4) as f64), pool("busy", busy)]);
    }
    let outcome = history.watch.outcome();
    let found: Vec<_> =
        outcome.targets[0].resources.iter().filter(|row| row.verdict.is_finding()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].resource.as_str(), &*found[0].group),
        ("pools", &["leaks".to_owned()][..])
    );
    assert_eq!((found[0].verdict, found[0].limit), (Verdict::Suspect, Some(200)));
    assert_eq!(outcome.targets[0].pools.len(), 2);
}

fn task(site: &str) -> HandleFacts {
    HandleFacts {
        role: "task".into(),
        site: site.into(),
        activity: Activity::Awake,
        ..HandleFacts::of_kind("task")
    }
}

fn tokio(at: Millis, status: SourceStatus, reason: &str, watermark: Option<Millis>) -> Fact {
    Fact::Source {
        at,
        target: TargetId(0),
        name: "tokio".into(),
        status,
        reason: reason.into(),
        watermark,
        cost_us: 0,
    }
}

/// Sessions that were spawned every 5 s of the ten minutes before the watch and never ended, beside
/// requests that did.
fn leaked_before(history: &mut History) -> Vec<Fact> {
    let mut facts = vec![tokio(0, SourceStatus::Ok, "", Some(-600_000))];
    for nth in 0..119 {
        let at = -599_000 + nth * 5_000;
        let leaked = history.open(&mut facts, at, task("src/main.rs:7"));
        let silent = Activity::SilentSince(at);
        let change = Change::Activity(silent);
        facts.push(Fact::Change { at: at + 5_000, id: leaked, change });
        let ended = history.open(&mut facts, at, task("src/main.rs:9"));
        facts.push(Fact::Close { at: at + 300, id: ended });
    }
    facts.push(tokio(0, SourceStatus::Ok, "", Some(-1_000)));
    facts
}

#[test]
fn what_a_console_knows_of_the_time_before_is_judged_at_once() {
    let mut history = History::new(Settings::default(), 7_200_000);
    let facts = leaked_before(&mut history);
    history.beat(0, facts);
    let found = history.first(Verdict::Leaking).expect("a verdict at the first beat");
    assert_eq!(found.resource.group, ["task", "src/main.rs:7"]);
    assert_eq!(found.resource.sites, ["src/main.rs:7"]);
    assert_eq!(found.resource.resource, "tasks");
    let rate = found.resource.per_minute.unwrap();
    assert!((rate.value - 12.0).abs() < 1.0, "{rate:?}");
}

#[test]
fn a_source_that_says_it_knows_too_little_withholds_the_verdict() {
    let mut history = History::new(Settings::default(), 7_200_000);
    let facts = leaked_before(&mut history);
    history.beat(0, facts);
    history.beat(5_000, vec![tokio(5_000, SourceStatus::Partial, "it is paused", Some(-1_000))]);
    let outcome = history.watch.outcome();
    let tasks = outcome.targets[0].resources.iter().filter(|row| row.resource == "tasks");
    let mut tasks = tasks.filter(|row| row.verdict.is_finding());
    assert!(tasks.all(|row| row.verdict == Verdict::Suspect), "{outcome:#?}");
    let found = |row: &&ResourceOutcome| row.id.ends_with("/cohort");
    let row = outcome.targets[0].resources.iter().find(found).unwrap();
    assert_eq!((row.missing.as_str(), row.conclusive), ("it is paused", false));
}

#[test]
fn a_source_with_its_own_time_holds_up_nobody() {
    // The same leak of connections, with and without a console that stands still from the start.
    let still = |with: bool| {
        let mut history = History::new(Settings::default(), 7_200_000);
        for beat in 0..100 {
            let at = beat * 5_000;
            let mut facts = Vec::new();
            if with && beat == 0 {
                facts.push(tokio(0, SourceStatus::Ok, "", Some(-60_000)));
                history.open(&mut facts, -1_000, task("src/main.rs:7"));
            }
            history.open(&mut facts, at, connection("10.0.0.9:80", Activity::SilentSince(at)));
            history.beat(at, facts);
        }
        history.first(Verdict::Leaking).map(|change| change.at)
    };
    assert!(still(true).is_some());
    assert_eq!(still(true), still(false));
}

/// A leak from one place beside many that live long but not too long, all of them traced.
fn traced(history: &mut History, beats: Millis, unknown: &str) {
    let target = TargetId(0);
    let place = |place, function: &str| {
        let opener = Opener { function: function.into(), certain: true, ..Opener::default() };
        Fact::Opener { at: 0, target, place, opener: std::sync::Arc::new(opener) }
    };
    let lost = Opener { unknown: unknown.into(), ..Opener::default() };
    let lost = Fact::Opener { at: 0, target, place: 2, opener: std::sync::Arc::new(lost) };
    history.watch.step(&[place(0, "lives"), place(1, "leaks"), lost]);
    let mut living = std::collections::VecDeque::new();
    for beat in 1..beats {
        let at = beat * 5_000;
        let mut facts = Vec::new();
        let mut open = |history: &mut History, place| {
            let id =
                history.open(&mut facts, at, connection("10.0.0.9:80", Activity::SilentSince(at)));
            let opened = OpenedBy { place, since: at };
            facts.push(Fact::Change { at, id, change: Change::OpenedBy(opened) });
            id
        };
        let short: Vec<HandleId> = (0..5).map(|_| open(history, 0)).collect();
        living.push_back(short);
        open(history, if beat % 10 == 0 { 2 } else { 1 });
        if living.len() > 4 {
            let ended = living.pop_front().into_iter().flatten();
            facts.extend(ended.map(|id| Fact::Close { at, id }));
        }
        for (place, count) in [(0, 5 * beat), (1, beat)] {
            facts.push(Fact::Openings { at, target, place, count: count.cast_unsigned() });
        }
        history.beat(at, facts);
    }
}

#[test]
fn the_place_whose_handles_outlive_the_normal_ones_comes_first() {
    let mut history = History::new(Settings::default(), 7_200_000);
    traced(&mut history, 120, "lost");
    let outcome = history.watch.outcome();
    let cohort = |row: &&ResourceOutcome| row.id.ends_with("/cohort");
    let found = outcome.targets[0].resources.iter().find(cohort).expect("a finding");
    assert_eq!(found.verdict, Verdict::Leaking);
    let openers = found.openers.as_ref().expect("what was traced");
    // The others are more at any time, and none of them is past the age.
    assert_eq!(openers.places.len(), 1, "{openers:?}");
    let first = &openers.places[0];
    assert!(&*first.opener.function == "leaks" && first.opener.certain);
    assert!(first.promoted >= 80 && first.share.unwrap() > 0.85, "{first:?}");
    assert_eq!(openers.unknown.len(), 1);
    assert!(found.sites.iter().any(|site| site.starts_with("leaks")), "{:?}", found.sites);
    let [wanted] = &history.watch.wanted()[..] else { panic!("one group asks") };
    assert!(wanted.answered);
}

#[test]
fn where_some_came_over_a_socket_no_place_is_certain() {
    let mut history = History::new(Settings::default(), 7_200_000);
    traced(&mut history, 120, crate::live::facts::NO_CALL);
    let outcome = history.watch.outcome();
    let places = outcome.targets[0].resources.iter().filter_map(|row| row.openers.as_ref());
    let places: Vec<_> = places.flat_map(|openers| &openers.places).collect();
    assert!(!places.is_empty() && places.iter().all(|place| !place.opener.certain), "{places:?}");
}

#[test]
fn who_opened_what_a_diagnosis_names_is_asked_and_told() {
    let mut history = History::new(Settings::default(), 7_200_000);
    let target = TargetId(0);
    let opener = std::sync::Arc::new(Opener { function: "forgets".into(), ..Opener::default() });
    history.watch.step(&[Fact::Opener { at: 0, target, place: 0, opener }]);
    // At once, as after a restart of the peer: that is no growth.
    for beat in 0..240 {
        let at = beat * 5_000;
        let mut facts = Vec::new();
        for _ in 0..if beat == 1 { 12 } else { 0 } {
            let closed = HandleFacts {
                state: "CLOSE_WAIT".into(),
                ..connection("10.0.0.9:80", Activity::SilentSince(at))
            };
            let id = history.open(&mut facts, at, closed);
            let opened = OpenedBy { place: 0, since: at };
            facts.push(Fact::Change { at, id, change: Change::OpenedBy(opened) });
        }
        history.beat(at, facts);
    }
    let outcome = history.watch.outcome();
    let [diagnosis] = &outcome.targets[0].diagnoses[..] else { panic!("{outcome:?}") };
    let last = diagnosis.next_steps.last().unwrap();
    assert!(last.contains("forgets") && last.contains("12 of them"), "{last}");
    let wanted = history.watch.wanted();
    assert!(wanted.iter().any(|group| group.id == diagnosis.id && group.answered), "{wanted:?}");
}

#[test]
fn two_survivors_of_a_place_are_no_answer() {
    let mut history = History::new(Settings::default(), 7_200_000);
    let target = TargetId(0);
    let opener = std::sync::Arc::new(Opener { function: "few".into(), ..Opener::default() });
    history.watch.step(&[Fact::Opener { at: 0, target, place: 0, opener }]);
    for beat in 1..120 {
        let at = beat * 5_000;
        let mut facts = Vec::new();
        let id = history.open(&mut facts, at, connection("10.0.0.9:80", Activity::SilentSince(at)));
        if beat < 3 {
            let opened = OpenedBy { place: 0, since: at };
            facts.push(Fact::Change { at, id, change: Change::OpenedBy(opened) });
        }
        history.beat(at, facts);
    }
    let outcome = history.watch.outcome();
    let mut rows = outcome.targets[0].resources.iter();
    let openers = rows.find_map(|row| row.openers.as_ref()).expect("what was traced");
    assert_eq!((openers.places.len(), openers.promoted), (0, 2));
    assert!(history.watch.wanted().iter().all(|group| !group.answered));
}

#[test]
fn a_peer_that_only_the_tracer_met_has_bounds() {
    let mut history = History::new(Settings::default(), 3_600_000);
    let (at, target) = (5_000, TargetId(0));
    let traced = ConnectionCounts {
        basis: Basis::Traced,
        role: "tcp server".into(),
        peer: ":80".into(),
        opened: 900,
        closed: 900,
        failed: 0,
        lives: LifeSpans::default(),
    };
    let name = "namespace_tcp_passive_opens".into();
    let opens = Fact::Gauge { at, target, pid: None, name, value: 1_000.0 };
    let traced = Fact::Connections { at, target, counts: std::sync::Arc::new(traced) };
    history.beat(at, vec![opens, traced]);
    let outcome = history.watch.outcome();
    let [row] = &outcome.targets[0].connections[..] else { panic!("one peer") };
    assert_eq!(row.opened, 0);
    let estimate = row.estimate.unwrap();
    // The other ends closed first: nothing tells how many of the namespace's were to this port.
    assert_eq!((estimate.opened, estimate.low, estimate.high), (None, 0, 1_000));
}

/// A watch in which 60 connections are held when a call fails.
fn exhausted(exhausted: Exhausted, opener: Opener) -> Watch {
    let settings = Settings { wall_start_ms: Some(1_700_000_000_000), ..Settings::default() };
    let mut history = History::new(settings, 7_200_000);
    let target = TargetId(0);
    let place = Opener { function: "pools".into(), certain: true, ..Opener::default() };
    let place = Fact::Opener { at: 0, target, place: 0, opener: std::sync::Arc::new(place) };
    history.watch.step(&[place]);
    let mut facts = Vec::new();
    for _ in 0..60 {
        let facts_of = connection("10.0.0.9:80", Activity::SilentSince(0));
        let id = history.open(&mut facts, 5_000, facts_of);
        let opened = OpenedBy { place: 0, since: 5_000 };
        facts.push(Fact::Change { at: 5_000, id, change: Change::OpenedBy(opened) });
    }
    let failed = FailedCall {
        failed_at: 4_800,
        pid: 7,
        exhausted,
        opener: std::sync::Arc::new(opener),
        held: Some(64),
        limit: Some(64),
    };
    facts.push(Fact::FailedCall { at: 5_000, target, failed: std::sync::Arc::new(failed) });
    let name = "calls_failed_at_limit".into();
    facts.push(Fact::Gauge { at: 5_000, target, pid: None, name, value: 9.0 });
    history.beat(5_000, facts);
    history.watch
}

#[test]
fn the_first_call_that_fails_is_told_with_what_was_held() {
    let opener = Opener {
        function: "reads_settings".into(),
        call: "openat".into(),
        certain: true,
        ..Opener::default()
    };
    let watch = exhausted(Exhausted::Process, opener);
    let outcome = watch.outcome();
    let [failed] = &outcome.targets[0].failed_calls[..] else { panic!("{outcome:?}") };
    let [group] = &failed.held[..] else { panic!("{failed:?}") };
    assert_eq!((group.count, &*group.path[0]), (60, "socket"));
    assert!(group.sites[0].starts_with("pools"), "{group:?}");
    let mut all = outcome.targets[0].diagnoses.iter();
    let told = all.find(|diagnosis| diagnosis.rule == "descriptors-exhausted").unwrap();
    for part in [
        "openat failed",
        "(EMFILE) in reads_settings",
        "2023-11-14T22:13:24Z",
        "process 7 held 64 of 64",
        "60 of socket",
        "9 calls that failed were heard",
    ] {
        assert!(told.message.contains(part), "{part}: {}", told.message);
    }
    assert!(told.next_steps[0].contains("pools"), "{told:?}");
    assert!(told.next_steps.iter().any(|step| step.contains("--nofile=128")), "{told:?}");
}

#[test]
fn a_full_host_is_told_apart_from_a_full_process() {
    let opener = Opener {
        call: "socket".into(),
        unknown: "the stack could not be unwound".into(),
        ..Opener::default()
    };
    let outcome = exhausted(Exhausted::System, opener).outcome();
    let mut all = outcome.targets[0].diagnoses.iter();
    let told = all.find(|diagnosis| diagnosis.rule == "host-files-exhausted").unwrap();
    assert!(told.message.contains("(ENFILE) at a place that is not known"), "{told:?}");
    assert!(told.message.contains("the host held 64 of 64"), "{told:?}");
    assert!(!told.next_steps.iter().any(|step| step.contains("prlimit")), "{told:?}");
}

#[test]
fn where_no_call_fails_nothing_is_told() {
    let mut history = History::new(Settings::default(), 7_200_000);
    traced(&mut history, 20, "lost");
    let outcome = history.watch.outcome();
    assert!(outcome.targets[0].failed_calls.is_empty());
    assert!(outcome.targets[0].diagnoses.iter().all(|d| !d.rule.contains("exhausted")));
}
