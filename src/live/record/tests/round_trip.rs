//! What is written is read again, fact for fact; cut and damaged recordings are survived.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{read, read_cut, written};
use crate::live::facts::{
    Activity, Basis, Change, ConnectionCounts, Exhausted, Fact, FailedCall, Flow, HandleFacts,
    HandleId, Lifecycle, OpenedBy, Opener, Poll, PoolReading, SourceStatus, TargetFacts, TargetId,
};
use crate::live::life_spans::LifeSpans;
use crate::live::record::{MAX_TIME_MS, Reader};

prop_compose! {
    fn handle()(
        texts in vec(".{0,12}", 6),
        group in option::of(vec(".{0,5}", 0..3)),
        activity in activity(),
        pid in option::of(any::<u32>()),
        numbers in (option::of(any::<u32>()), option::of(any::<u64>()), option::of(any::<u64>())),
        flow in option::of(flow()),
        born in option::of(time()),
    ) -> Arc<HandleFacts> {
        let text = |n: usize| Arc::from(texts[n].as_str());
        Arc::new(HandleFacts {
            kind: text(0), role: text(1), peer: text(2), state: text(3), site: text(4),
            group: group.map(|levels| levels.into_iter().map(Arc::from).collect()),
            activity, label: text(5), pid,
            fd: numbers.0, inode: numbers.1, bytes: numbers.2.map(Box::new), born: born.map(Box::new), flow: flow.map(Arc::new),
            inherited_by: numbers.0,
        })
    }
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![0..5_i64, -100_000..1_000_000_i64, -MAX_TIME_MS..=MAX_TIME_MS]
}

prop_compose! {
    fn flow()(
        times in vec(option::of(time()), 4),
        queues in vec(option::of(any::<u64>()), 2),
        retries in option::of(any::<u32>()),
        opening in any::<bool>(),
    ) -> Flow {
        Flow {
            sent: times[0], received: times[1], heard: times[2], waiting_since: times[3],
            unread: queues[0], unsent: queues[1], retries, opening,
        }
    }
}

prop_compose! {
    fn pool()(numbers in vec(option::of(any::<f64>().prop_filter("a number", |f| !f.is_nan())), 10)) -> PoolReading {
        let mut reading = PoolReading::default();
        for ((name, _), value) in PoolReading::default().numbers().into_iter().zip(numbers) {
            *reading.number(name).unwrap() = value;
        }
        reading
    }
}

prop_compose! {
    fn connection_counts()(
        traced in any::<bool>(),
        texts in vec(".{0,12}", 2),
        counts in vec(any::<u64>(), 4),
        lives in vec(any::<u64>(), 0..30),
    ) -> Arc<ConnectionCounts> {
        Arc::new(ConnectionCounts {
            basis: if traced { Basis::Traced } else { Basis::TimeWait },
            role: texts[0].as_str().into(),
            peer: texts[1].as_str().into(),
            opened: counts[0],
            closed: counts[1],
            failed: counts[2],
            lives: LifeSpans::of_counts(&lives, counts[3]),
        })
    }
}

prop_compose! {
    fn opener()(
        texts in vec(".{0,12}", 6),
        line in option::of(any::<u32>()),
        certain in any::<bool>(),
        lists in vec(vec(".{0,9}", 0..4), 2),
    ) -> Arc<Opener> {
        let text = |n: usize| Arc::from(texts[n].as_str());
        let list = |n: usize| lists[n].iter().map(|text| Arc::from(text.as_str())).collect();
        Arc::new(Opener {
            function: text(0), file: text(1), line, module: text(2), through: text(3),
            families: list(0), call: text(4), certain, unknown: text(5), stack: list(1),
        })
    }
}

prop_compose! {
    fn failed_call()(
        failed_at in time(), pid: u32, opener in opener(), system: bool,
        held: Option<u64>, limit: Option<u64>,
    ) -> FailedCall {
        let exhausted = if system { Exhausted::System } else { Exhausted::Process };
        FailedCall { failed_at, pid, exhausted, opener, held, limit }
    }
}

prop_compose! {
    fn poll()(times in vec(option::of(time()), 4), name in option::of(".{0,9}")) -> Poll {
        Poll {
            running_since: times[0], lost_since: times[1], spinning_since: times[2],
            stuck_since: times[3], waits_for: name.map(Arc::from),
        }
    }
}

fn activity() -> impl Strategy<Value = Activity> {
    prop_oneof![
        Just(Activity::Unseen),
        Just(Activity::Awake),
        time().prop_map(Activity::SilentSince)
    ]
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let id = || (0..1_u64 << 63).prop_map(HandleId);
    let target = || prop_oneof![Just(0), any::<u32>()].prop_map(TargetId);
    let name = || ".{0,9}".prop_map(|n: String| Arc::<str>::from(n));
    let number = prop_oneof![
        any::<f64>().prop_filter("NaN equals nothing", |v| !v.is_nan()),
        any::<u64>().prop_map(|v| v as f64),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ];
    let status = prop_oneof![
        Just(SourceStatus::Ok),
        Just(SourceStatus::Partial),
        Just(SourceStatus::Unavailable)
    ];
    let event = prop_oneof![Just(Lifecycle::Joined), Just(Lifecycle::Exec), Just(Lifecycle::Ended)];
    let change = prop_oneof![
        activity().prop_map(Change::Activity),
        name().prop_map(Change::State),
        handle().prop_map(Change::Place),
        flow().prop_map(|flow| Change::Flow(Arc::new(flow))),
        option::of(any::<u32>()).prop_map(Change::InheritedBy),
        poll().prop_map(|poll| Change::Poll(Arc::new(poll))),
        (any::<u32>(), time())
            .prop_map(|(place, since)| Change::OpenedBy(OpenedBy { place, since })),
        vec(name(), 0..4).prop_map(|frames| Change::Stack(frames.into()))
    ];
    let facts = ("\\PC{0,9}", vec(any::<u32>(), 0..4), option::of(time()), ".{0,9}", ".{0,9}");
    prop_oneof![
        (time(), target(), any::<u32>(), opener())
            .prop_map(|(at, target, place, opener)| Fact::Opener { at, target, place, opener }),
        (time(), target(), any::<u32>(), any::<u64>())
            .prop_map(|(at, target, place, count)| Fact::Openings { at, target, place, count }),
        (time(), target(), failed_call()).prop_map(|(at, target, failed)| Fact::FailedCall {
            at,
            target,
            failed: Arc::new(failed)
        }),
        (target(), facts).prop_map(|(target, (name, pids, uptime_ms, command, selector))| {
            let facts = TargetFacts { name, pids, uptime_ms, command, selector };
            Fact::Target { target, facts: Box::new(facts) }
        }),
        (time(), target(), id(), any::<bool>(), any::<bool>(), handle()).prop_map(
            |(at, target, id, pre, start_up, facts)| Fact::Open {
                at,
                target,
                id,
                pre,
                start_up,
                facts
            }
        ),
        (time(), id(), change).prop_map(|(at, id, change)| Fact::Change { at, id, change }),
        (time(), id()).prop_map(|(at, id)| Fact::Close { at, id }),
        (time(), target(), option::of(any::<u32>()), name(), number).prop_map(
            |(at, target, pid, name, value)| Fact::Gauge { at, target, pid, name, value }
        ),
        (time(), target(), name(), option::of(any::<u64>()), option::of(any::<u64>())).prop_map(
            |(at, target, name, value, used)| Fact::Limit { at, target, name, value, used }
        ),
        (time(), target(), name(), name()).prop_map(|(at, target, name, text)| Fact::Environment {
            at,
            target,
            name,
            text
        }),
        (time(), target(), name(), any::<u64>())
            .prop_map(|(at, target, peer, count)| Fact::TimeWait { at, target, peer, count }),
        (time(), target(), name(), vec(name(), 0..3), any::<u64>(), any::<bool>()).prop_map(
            |(at, target, kind, group, count, proved)| Fact::Tally {
                at,
                target,
                kind,
                group: group.into(),
                count,
                proved,
            }
        ),
        (time(), target(), name(), pool()).prop_map(|(at, target, name, reading)| Fact::Pool {
            at,
            target,
            name,
            reading: Box::new(reading)
        }),
        (time(), target(), connection_counts())
            .prop_map(|(at, target, counts)| Fact::Connections { at, target, counts }),
        (time(), target(), name(), status, name(), option::of(time()), any::<u64>()).prop_map(
            |(at, target, name, status, reason, watermark, cost_us)| {
                Fact::Source { at, target, name, status, reason, watermark, cost_us }
            }
        ),
        (time(), target(), any::<u32>(), event)
            .prop_map(|(at, target, pid, event)| { Fact::Lifecycle { at, target, pid, event } }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read_again(facts in vec(any_fact(), 1..40), gzip: bool) {
        let (again, issues) = read(&written(&facts, gzip));
        prop_assert_eq!(again, facts);
        prop_assert!(!issues.any_loss(), "{:?}", issues);
        prop_assert_eq!(issues.ended.as_deref(), Some("finished"));
    }

    #[test]
    fn a_cut_recording_keeps_what_came_before(
        facts in vec(any_fact(), 1..20), gzip: bool, cut in 0.0..1.0_f64,
    ) {
        let whole = written(&facts, gzip);
        let (again, issues) = read_cut(&whole[..(whole.len() as f64 * cut) as usize]);
        prop_assert!(again.len() <= facts.len());
        prop_assert_eq!(&again[..], &facts[..again.len()]);
        prop_assert_eq!(issues.malformed, 0);
        // the cut may be just before the last line feed
        prop_assert!(issues.ended.is_none() || again.len() == facts.len());
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..400), gzip: bool) {
        let mut bytes = bytes;
        if gzip {
            bytes.splice(0..0, [0x1f, 0x8b, 8, 0]);
        }
        let _ = Reader::new(&bytes[..]).unwrap().count();
    }

    #[test]
    fn damaged_lines_are_survived(
        facts in vec(any_fact(), 1..10), gzip: bool, at in 0.0..1.0_f64, byte: u8,
    ) {
        let mut bytes = written(&facts, gzip);
        let at = (bytes.len() as f64 * at) as usize;
        bytes[at] = byte;
        // whatever was understood can be recorded again
        let (understood, _) = read_cut(&bytes);
        prop_assert_eq!(read(&written(&understood, gzip)).0.len(), understood.len());
    }
}
