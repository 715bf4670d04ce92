//! Both texts of goroutines: recorded, of newer versions, hostile; and what follows from two dumps.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::mpsc;

use proptest::prelude::*;

use super::*;
use crate::live::collect::beat::HandleIds;
use crate::live::collect::endpoint::Lines;
use crate::live::collect::feed::Feed;
use crate::live::facts::{Activity, Change, TargetFacts, TargetId};
use crate::live::target::Follow;

fn wire(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn dump_of(text: &str) -> io::Result<Dump> {
    dump::parse(&mut Lines::new(text.as_bytes()))
}

fn profile_of(text: &str) -> io::Result<Profile> {
    profile::parse(&mut Lines::new(text.as_bytes()))
}

#[test]
fn a_recorded_profile_is_counted_without_our_own_request() {
    let profile = profile_of(&wire("goroutine-1.19.debug1")).unwrap();
    let text = wire("goroutine-1.19.debug1");
    let total: u64 = text.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(profile.total, total - 2);
    assert_eq!(profile.places.values().sum::<u64>(), total - 2);
    let at = |name: &str| -> Vec<(&str, u64)> {
        let found = profile.places.iter().filter(|(standing, _)| standing.place.starts_with(name));
        found.map(|(standing, count)| (standing.wait, *count)).collect()
    };
    assert_eq!(at("main.work "), [("", 50)]);
    assert_eq!(at("net.(*netFD).accept "), [("IO wait", 1)]);
    let leaked = at("main.ask.func1 ");
    assert!(leaked.len() == 1 && leaked[0].1 > 50, "{leaked:?}");
}

#[test]
fn a_recorded_dump_tells_creators_and_waits() {
    let dump = dump_of(&wire("goroutine-1.19.debug2")).unwrap();
    let of = |site: &str| -> Vec<&Goroutine> {
        dump.goroutines.iter().filter(|goroutine| goroutine.site.starts_with(site)).collect()
    };
    let asked = of("main.ask (");
    assert!(asked.len() >= 4 && asked.iter().all(|one| &*one.state == "chan send"), "{asked:?}");
    assert!(asked.iter().any(|one| one.minutes > 0));
    assert!(asked.iter().all(|one| one.place.starts_with("main.ask.func1 (/")));
    assert!(of("main.follow (").iter().all(|one| &*one.state == "chan receive"));
    assert!(dump.goroutines.iter().any(|one| one.id == 1 && one.site.is_empty()));
    assert!(!dump.goroutines.iter().any(|one| one.place.contains("pprof")));
    assert!(!dump.goroutines.iter().any(|one| one.place.contains("backgroundRead")));
}

#[test]
fn forms_of_newer_versions_are_read() {
    let dump = dump_of(&wire("goroutine-new.debug2")).unwrap();
    let told: Vec<_> = dump
        .goroutines
        .iter()
        .map(|one| (one.id, &*one.state, one.minutes, &*one.site, &*one.place))
        .collect();
    assert_eq!(
        told,
        [
            (
                1,
                "IO wait",
                1072,
                "",
                "net/http.(*Server).Serve (/usr/local/go/src/net/http/server.go:3330)"
            ),
            // The reader of another connection stays; ours was created by who serves us.
            (
                40,
                "IO wait",
                3,
                "net/http.(*connReader).startBackgroundRead (/usr/local/go/src/net/http/server.go:686)",
                "net/http.(*connReader).backgroundRead (/usr/local/go/src/net/http/server.go:690)"
            ),
            (
                33,
                "chan send (nil chan)",
                12,
                "example.com/shop/orders.Handle (/app/orders/handle.go:40)",
                "example.com/shop/orders.(*Queue[...]).put (/app/orders/queue.go:12)"
            ),
            (
                34,
                "sync.Mutex.Lock",
                2,
                "main.serve (/app/main.go:70)",
                "main.guarded (/app/main.go:77)"
            ),
            (
                35,
                "syscall",
                5,
                "os/signal.Notify.func1.1 (/usr/local/go/src/os/signal/signal.go:152)",
                "unknown"
            ),
            (36, "runnable", 0, "", "unknown"),
        ]
    );
    let leaked = profile_of(&wire("goroutineleak.debug1")).unwrap();
    let told: Vec<_> = leaked.places.iter().map(|(s, n)| (s.wait, &*s.place, *n)).collect();
    assert_eq!(
        told,
        [
            ("", "main.ask.func1 (/app/main.go:20)", 4),
            ("sync.Mutex.Lock", "main.deposit (/app/bank.go:31)", 7)
        ]
    );
}

#[test]
fn what_is_neither_is_refused() {
    for text in ["", "<html>404</html>\n", "heap profile: total 3\n", "\u{1f}\u{8b}\u{8}"] {
        assert!(profile_of(text).is_err() && dump_of(text).is_err(), "{text}");
    }
    // Go would say so many only in a lie.
    assert!(profile_of("goroutine profile: total 99999999999999999999\n").is_err());
}

#[test]
fn crowds_are_bounded() {
    let mut text = String::from("goroutine profile: total 18446744073709551615\n");
    for n in 0..20_000 {
        writeln!(text, "18446744073709551615 @ 0x1\n#\t0x1\tmain.f{n}+0x1\t\t/a.go:{n}\n").unwrap();
    }
    let profile = profile_of(&text).unwrap();
    assert!(profile.places.len() <= 4096 && profile.total == u64::MAX);
    let mut text = String::new();
    for n in 0..50_000 {
        writeln!(text, "goroutine {n} [select]:\nmain.f{n}()\n\t/a.go:{n} +0x1\n").unwrap();
    }
    let dump = dump_of(&text).unwrap();
    assert!(dump.cut && dump.goroutines.len() == 40_000);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        text in "(goroutine |\\[|\\]:|[0-9]{1,30}|, | minutes|created by | in goroutine |\t|\n|\n\n|@|#\t0x1\t|main\\.f\\(|\\)|:7 \\+0x|total |.){0,80}",
    ) {
        // Reading ends, and what is told is about lines that were there.
        if let Ok(dump) = dump_of(&text) {
            prop_assert!(dump.goroutines.len() <= text.matches("goroutine ").count());
        }
        if let Ok(profile) = profile_of(&text) {
            prop_assert!(profile.places.len() <= text.lines().count());
        }
    }

    #[test]
    fn damaged_texts_are_survived(at in 0..6000_usize, with in any::<u8>(), cut in any::<bool>()) {
        for name in ["goroutine-1.19.debug1", "goroutine-1.19.debug2", "goroutine-new.debug2"] {
            let mut bytes = wire(name).into_bytes();
            let at = at % bytes.len();
            bytes[at] = with;
            if cut {
                bytes.truncate(at);
            }
            let whole = Lines::new(&bytes[..]);
            let told = dump::parse(&mut { whole }).map_or(0, |dump| dump.goroutines.len());
            prop_assert!(told <= 40);
            let _ = profile::parse(&mut Lines::new(&bytes[..]));
        }
    }
}

/// A source that is handed its looks.
fn source() -> (mpsc::SyncSender<Result<Look, String>>, Goroutines) {
    let (looks, given) = mpsc::sync_channel(8);
    let feed = Feed::start("test", 8, move |outlet| {
        while let Ok(look) = given.recv() {
            if outlet.put(look).is_err() {
                break;
            }
        }
    });
    let address = Address::parse("http://test/").unwrap();
    let source = Goroutines::of(Asked::new(feed.unwrap(), &address, String::new()));
    (looks, source)
}

fn look(text: &str) -> Look {
    let dump = dump_of(text).unwrap();
    let counts = Profile { total: dump.goroutines.len() as u64, places: BTreeMap::new() };
    let dump = Some((dump, Duration::from_millis(12)));
    Look { counts, dump, missing: String::new(), leaked: None }
}

/// The facts of one look.
fn facts_of(source: &mut Goroutines, ids: &mut HandleIds, at: Millis, given: Look) -> Vec<Fact> {
    let target = Target::new(TargetId(0), TargetFacts::default(), Vec::new(), Follow::Fixed, 0);
    source.asked.early = Some(Ok(given));
    let mut out = Vec::new();
    let mut beat = Beat { at, first: false, bucket_ms: 5_000, start_up_ms: 0, out: &mut out, ids };
    source.deliver(&target, &mut beat);
    out
}

#[test]
fn births_ends_and_silences_come_from_the_difference_of_dumps() {
    let (_looks, mut source) = source();
    let mut ids = HandleIds::default();
    let one = |id: u32, state: &str| {
        format!(
            "goroutine {id} [{state}]:\nmain.f()\n\t/a.go:1 +0x1\ncreated by main.g\n\t/a.go:9 +0x1\n\n"
        )
    };
    let first = one(1, "select, 4 minutes") + &one(2, "chan send") + &one(3, "runnable");
    let facts = facts_of(&mut source, &mut ids, 300_000, look(&first));
    let opened: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { pre, facts, .. } => Some((*pre, facts.activity, &*facts.site)),
            _ => None,
        })
        .collect();
    let site = "main.g (/a.go:9)";
    assert_eq!(
        opened,
        [
            (true, Activity::SilentSince(60_000), site),
            (true, Activity::Awake, site),
            (true, Activity::Awake, site)
        ]
    );
    let second =
        one(1, "select, 5 minutes") + &one(2, "chan send, 1 minutes") + &one(4, "chan send");
    let facts = facts_of(&mut source, &mut ids, 365_000, look(&second));
    let told: Vec<String> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { pre: false, id, .. } => Some(format!("open {}", id.0)),
            Fact::Close { at, id } => Some(format!("close {} {at}", id.0)),
            Fact::Change { at, id, change } => Some(format!("{} {at} {change:?}", id.0)),
            _ => None,
        })
        .collect();
    // The first one is as silent as before, whatever rounding makes of it. Who is gone was last seen
    // in the dump before.
    assert_eq!(told, ["2 310000 Activity(SilentSince(305000))", "open 4", "close 3 300001"]);
}

#[test]
fn births_lie_where_counts_rose_between_two_dumps() {
    let (_looks, mut source) = source();
    let mut ids = HandleIds::default();
    let one = |id: u32, minutes: &str| {
        format!(
            "goroutine {id} [select{minutes}]:\nmain.f()\n\t/a.go:1 +0x1\ncreated by main.g\n\t/a.go:9 +0x1\n\n"
        )
    };
    let place = Standing { wait: "", place: "main.f (/a.go:1)".into() };
    let counted = |mut look: Look, count| {
        look.counts.places.insert(place.clone(), count);
        look
    };
    let none =
        || Look { counts: Profile::default(), dump: None, missing: String::new(), leaked: None };
    let mut take = |at, look| facts_of(&mut source, &mut ids, at, look);
    take(0, counted(look(&one(1, ", 3 minutes")), 1));
    for (at, count) in [(10_000, 1), (20_000, 2), (30_000, 2), (40_000, 4)] {
        let facts = take(at, counted(none(), count));
        let until = facts.iter().find_map(|fact| match fact {
            Fact::Source { watermark, .. } => *watermark,
            _ => None,
        });
        assert_eq!(until, Some(0), "nothing is known of who lives before the next dump");
    }
    let four = [one(9, ""), one(7, ""), one(8, ""), one(1, ", 4 minutes"), one(20, "")].concat();
    let facts = take(60_000, counted(look(&four), 4));
    let born: BTreeMap<u64, Millis> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { at, facts, .. } => Some((facts.inode?, *at)),
            _ => None,
        })
        .collect();
    // One more than the counts explain: another one left meanwhile.
    assert_eq!(born, BTreeMap::from([(7, 20_000), (8, 40_000), (9, 40_000), (20, 60_000)]));
    // They fell silent one after the other, too.
    let facts = take(120_000, look(&[one(7, ", 1 minutes"), one(9, ", 1 minutes")].concat()));
    let silent: Vec<Activity> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Change { change: Change::Activity(activity), .. } => Some(*activity),
            _ => None,
        })
        .collect();
    assert_eq!(silent, [Activity::SilentSince(20_000), Activity::SilentSince(40_000)]);
}

#[test]
fn before_the_first_collection_nobody_knows_who_waits() {
    let (_looks, mut source) = source();
    let text = "goroutine 1 [select]:\nmain.f()\n\t/a.go:1 +0x1\n\ngoroutine 2 [running]:\n";
    let facts = facts_of(&mut source, &mut HandleIds::default(), 0, look(text));
    let seen: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { facts, .. } => Some(facts.activity),
            _ => None,
        })
        .collect();
    assert_eq!(seen, [Activity::Unseen, Activity::Awake]);
}

#[test]
fn places_are_told_until_they_are_empty_and_the_fullest_first() {
    let (_looks, mut source) = source();
    let mut ids = HandleIds::default();
    let place = |n: u64| Standing { wait: "sleep", place: format!("main.f{n}").into() };
    let counts = |from: u64, to: u64| Look {
        counts: Profile { total: 1, places: (from..to).map(|n| (place(n), n)).collect() },
        dump: None,
        missing: String::new(),
        leaked: None,
    };
    let tallies = |facts: Vec<Fact>| -> Vec<(String, u64)> {
        let mut told = Vec::new();
        for fact in facts {
            if let Fact::Tally { group, count, .. } = fact {
                told.push((group[1].to_string(), count));
            }
        }
        told
    };
    let first = tallies(facts_of(&mut source, &mut ids, 0, counts(1, 1000)));
    assert_eq!((first.len(), first[0].clone()), (MAX_PLACES, ("main.f999".to_owned(), 999)));
    let gone = tallies(facts_of(&mut source, &mut ids, 10_000, counts(1, 3)));
    assert_eq!(gone.iter().filter(|(_, count)| *count == 0).count(), MAX_PLACES);
    assert_eq!(tallies(facts_of(&mut source, &mut ids, 20_000, counts(1, 3))).len(), 2);
}

#[test]
fn how_it_fares_is_said() {
    let (looks, mut source) = source();
    assert_eq!(source.state(0).0, SourceStatus::Partial);
    let mut ids = HandleIds::default();
    facts_of(&mut source, &mut ids, 0, look("goroutine 1 [select]:\n"));
    let (status, reason) = source.state(0);
    assert!(status == SourceStatus::Ok && reason.contains("12 ms"), "{reason}");
    assert!(source.state(120_000).1.contains("120 s ago"));
    source.total = MANY;
    let (status, reason) = source.state(0);
    assert!(status == SourceStatus::Partial && reason.contains("only counted"), "{reason}");
    looks.send(Err("connection refused".to_owned())).unwrap();
    source.wait(Duration::from_secs(60));
    let target = Target::new(TargetId(0), TargetFacts::default(), Vec::new(), Follow::Fixed, 0);
    let mut out = Vec::new();
    let mut beat = Beat {
        at: 5_000,
        first: false,
        bucket_ms: 5_000,
        start_up_ms: 0,
        out: &mut out,
        ids: &mut ids,
    };
    source.deliver(&target, &mut beat);
    assert_eq!(source.state(5_000).0, SourceStatus::Unavailable);
    // What was known stays known: an unanswered question ends nobody.
    assert!(!out.iter().any(|fact| matches!(fact, Fact::Close { .. })));
}
