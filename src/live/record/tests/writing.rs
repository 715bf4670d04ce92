//! What the recorder leaves on disk, also when the disk or the bound is full.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{open, read, repository, written};
use crate::live::facts::{
    Activity, Basis, Change, ConnectionCounts, Exhausted, Fact, FailedCall, Flow, HandleFacts,
    HandleId, Lifecycle, OpenedBy, Poll, PoolReading, SourceStatus, TargetFacts, TargetId,
};
use crate::live::life_spans::LifeSpans;
use crate::live::record::{Header, Item, Reader, Recorder};

#[test]
fn header_survives() {
    let header = Header {
        wall_start_ms: Some(1_767_225_600_000),
        bucket_ms: Some(5000),
        lifetime_ms: Some(95_000),
        command: "watch \u{1b}[31m 1".into(),
        ..Header::new("0.1.0")
    };
    let mut out = Vec::new();
    Recorder::new(&mut out, Path::new("r"), false, &header, None).unwrap();
    let first = Reader::new(&out[..]).unwrap().next().unwrap().unwrap();
    assert_eq!(first, Item::Header(header));
}

#[test]
fn every_key_written_is_in_the_schema() {
    let schema = fs::read_to_string(repository("docs/schema/recording.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let flow = Flow {
        sent: Some(1),
        received: Some(1),
        heard: Some(1),
        unread: Some(1),
        unsent: Some(1),
        retries: Some(1),
        waiting_since: Some(1),
        opening: true,
    };
    let full = HandleFacts {
        group: Some(vec![Arc::from("g")].into()),
        pid: Some(1),
        role: "r".into(),
        peer: "p".into(),
        state: "s".into(),
        site: "l".into(),
        label: "l".into(),
        activity: Activity::Awake,
        fd: Some(1),
        inode: Some(1),
        bytes: Some(Box::new(1)),
        inherited_by: Some(4),
        born: Some(Box::new(1)),
        flow: Some(Arc::new(flow)),
        ..HandleFacts::of_kind("socket")
    };
    let poll = Poll {
        running_since: Some(1),
        lost_since: Some(1),
        spinning_since: Some(1),
        stuck_since: Some(1),
        waits_for: Some("w".into()),
    };
    let place = |activity| Arc::new(HandleFacts { activity, ..full.clone() });
    let (at, target, id) = (7, TargetId(3), HandleId(1));
    let some = || Arc::<str>::from("x");
    let change = |change| Fact::Change { at, id, change };
    let facts = [
        Fact::Target {
            target,
            facts: Box::new(TargetFacts {
                name: "n".into(),
                pids: vec![1],
                uptime_ms: Some(1),
                command: "c".into(),
                selector: "s".into(),
            }),
        },
        Fact::Open {
            at,
            target,
            id,
            pre: true,
            start_up: true,
            facts: place(Activity::SilentSince(1)),
        },
        change(Change::Place(place(Activity::Awake))),
        change(Change::State(some())),
        change(Change::Flow(Arc::new(flow))),
        change(Change::Poll(Arc::new(poll))),
        change(Change::InheritedBy(Some(4))),
        change(Change::OpenedBy(OpenedBy { place: 1, since: 2 })),
        change(Change::Stack(vec![some()].into())),
        change(Change::Activity(Activity::Unseen)),
        change(Change::Activity(Activity::SilentSince(3))),
        Fact::Gauge { at, target, pid: Some(2), name: some(), value: 1.5 },
        Fact::Limit { at, target, name: some(), value: None, used: Some(2) },
        Fact::TimeWait { at, target, peer: some(), count: 60 },
        Fact::Tally { at, target, kind: some(), group: [some()].into(), count: 3, proved: true },
        Fact::Pool {
            at,
            target,
            name: some(),
            reading: Box::new(PoolReading { max: Some(5.0), ..PoolReading::default() }),
        },
        Fact::Connections {
            at,
            target,
            counts: Arc::new(ConnectionCounts {
                basis: Basis::Traced,
                role: some(),
                peer: some(),
                opened: 3,
                closed: 2,
                failed: 1,
                lives: LifeSpans::of_counts(&[1, 1], 1),
            }),
        },
        Fact::Opener { at, target, place: 1, opener: Arc::default() },
        Fact::Openings { at, target, place: 1, count: 2 },
        Fact::FailedCall {
            at,
            target,
            failed: Arc::new(FailedCall {
                failed_at: 3,
                pid: 1,
                exhausted: Exhausted::Process,
                opener: Arc::default(),
                held: Some(4),
                limit: Some(5),
            }),
        },
        Fact::Environment { at, target, name: some(), text: some() },
        Fact::Source {
            at,
            target,
            name: some(),
            status: SourceStatus::Partial,
            reason: some(),
            watermark: Some(2),
            cost_us: 3,
        },
        Fact::Lifecycle { at, target, pid: 1, event: Lifecycle::Exec },
        Fact::Close { at, id },
    ];
    let mut types = BTreeSet::new();
    for line in String::from_utf8(written(&facts, false)).unwrap().lines() {
        let Value::Object(line) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
        let of_type = line["type"].as_str().unwrap();
        types.insert(of_type.to_owned());
        let definition = &schema["$defs"][of_type];
        for key in line.keys() {
            assert!(definition["properties"].get(key).is_some(), "{of_type}.{key}");
        }
        for key in definition["required"].as_array().unwrap() {
            assert!(line.contains_key(key.as_str().unwrap()), "{of_type} without {key}");
        }
    }
    let listed = schema["oneOf"].as_array().unwrap();
    let listed: BTreeSet<_> = listed
        .iter()
        .map(|entry| entry["$ref"].as_str().unwrap().trim_start_matches("#/$defs/").to_owned())
        .collect();
    assert_eq!(types, listed);
}

#[test]
fn each_tick_is_in_a_gzip_file_without_its_end() {
    let (dir, facts) = (tempfile::tempdir().unwrap(), [open(0, 1, true), open(5, 2, false)]);
    let path = dir.path().join("r.jsonl.gz");
    let mut recorder = Recorder::create(&path, &Header::new("0.1.0"), None).unwrap();
    for n in 0..2 {
        recorder.write(&facts[n..=n]).unwrap();
        recorder.flush_tick().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, recorder.bytes());
        let (again, issues) = read(&bytes);
        assert_eq!(again, facts[..=n]);
        assert!(issues.truncated.is_some() && issues.ended.is_none());
    }
    recorder.finish("target ended").unwrap();
    let issues = read(&fs::read(&path).unwrap()).1;
    assert_eq!((issues.truncated, issues.ended), (None, Some("target ended".into())));
}

#[test]
fn members_follow_one_another_and_damage_costs_what_follows() {
    let facts: Vec<_> = (0..60_000).map(|n| open(n, n as u64, false)).collect();
    let mut bytes = written(&facts, true);
    let members = bytes.windows(4).filter(|w| w == &[0x1f, 0x8b, 8, 0]).count();
    assert!(members > 2, "{members}");
    assert_eq!(read(&bytes).0.len(), facts.len());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    let (some, issues) = read(&bytes);
    assert!(!some.is_empty() && some.len() < facts.len() && issues.truncated.is_some());
}

#[test]
fn the_size_bound_holds_and_is_said() {
    let facts: Vec<_> = (0..20_000).map(|n| open(n, n as u64 * 7919, false)).collect();
    for gzip in [false, true] {
        let mut out = Vec::new();
        let path = Path::new("r");
        let header = Header::new("0.1.0");
        let mut recorder = Recorder::new(&mut out, path, gzip, &header, Some(40_000)).unwrap();
        for tick in facts.chunks(100) {
            recorder.write(tick).unwrap();
            recorder.flush_tick().unwrap();
        }
        assert!(recorder.is_full());
        recorder.finish("finished").unwrap();
        assert!(out.len() <= 40_000 && out.len() > 38_000, "{gzip} {}", out.len());
        let (again, issues) = read(&out);
        assert_eq!(again[..], facts[..again.len()]);
        assert_eq!(issues.ended.as_deref(), Some("size limit"));
        assert!(!issues.any_loss());
    }
}

#[test]
fn texts_too_long_for_a_line_are_cut() {
    let facts = HandleFacts {
        label: "\u{1}".repeat(100_000).into(),
        peer: "é".repeat(50_000).into(),
        group: Some(vec!["\u{1b}".repeat(9000).into(); 40].into()),
        ..HandleFacts::of_kind("\u{2}".repeat(70_000))
    };
    let fact = Fact::Change { at: 0, id: HandleId(1), change: Change::Place(Arc::new(facts)) };
    let huge = TargetFacts {
        command: "\0".repeat(2_000_000),
        pids: vec![u32::MAX; 50_000],
        ..TargetFacts::default()
    };
    let target = Fact::Target { target: TargetId(0), facts: Box::new(huge) };
    let (again, issues) = read(&written(&[fact, target], false));
    assert_eq!(again.len(), 2);
    assert!(!issues.any_loss());
}

#[test]
fn a_full_disk_is_an_error_with_the_path_and_keeps_what_was_written() {
    struct Disk(Vec<u8>);
    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = 5000 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = room.min(bytes.len());
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let facts: Vec<_> = (0..200).map(|n| open(n, n as u64, false)).collect();
    let mut disk = Disk(Vec::new());
    let path = Path::new("/var/r.jsonl");
    let mut recorder = Recorder::new(&mut disk, path, false, &Header::new("0.1.0"), None).unwrap();
    recorder.write(&facts).unwrap();
    let error = recorder.flush_tick().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("/var/r.jsonl"), "{error}");
    assert!(recorder.write(&facts).is_err());
    let (again, issues) = read(&disk.0);
    assert!(again.len() > 50 && issues.truncated.is_some());
    assert_eq!(again[..], facts[..again.len()]);

    let full = Recorder::create(Path::new("/dev/full"), &Header::new("0.1.0"), None);
    assert!(full.err().unwrap().to_string().contains("/dev/full"));
}

/// Run by hand: `cargo test --release --lib record::tests::writing::speed -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn speed() {
    let facts: Vec<_> = (0..1_000_000_u64)
        .map(|n| {
            let mut facts = HandleFacts::of_kind("socket");
            facts.role = "tcp client".into();
            facts.peer = "10.0.0.7:5432".into();
            facts.state = "ESTABLISHED".into();
            facts.activity = Activity::SilentSince(n as i64);
            facts.label = format!("10.0.0.1:{n} -> 10.0.0.7:5432").into();
            let (at, target, id) = (n as i64, TargetId(0), HandleId(n / 2));
            match n % 2 {
                0 => {
                    Fact::Open { at, target, id, pre: false, start_up: false, facts: facts.into() }
                }
                _ => Fact::Close { at, id },
            }
        })
        .collect();
    for gzip in [false, true] {
        let start = std::time::Instant::now();
        let bytes = written(&facts, gzip);
        let write = start.elapsed();
        let start = std::time::Instant::now();
        let count = Reader::new(&bytes[..]).unwrap().count();
        let took = start.elapsed();
        let rate = |took: std::time::Duration| count as f64 / took.as_secs_f64();
        let report = format!(
            "gzip {gzip}: {} bytes, written at {:.0} and read at {:.0} lines/s\n",
            bytes.len(),
            rate(write),
            rate(took)
        );
        io::stdout().write_all(report.as_bytes()).unwrap();
    }
}
