//! Round trips, the documented example, and hostile input, over the whole of recording.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::live::facts::{
    Activity, Change, Fact, HandleFacts, HandleId, Lifecycle, SourceStatus, TargetFacts, TargetId,
};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn written(facts: &[Fact], gzip: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header::new("0.1.0");
    let mut recorder = Recorder::new(&mut out, Path::new("r"), gzip, &header, None).unwrap();
    for tick in facts.chunks(3) {
        recorder.write(tick).unwrap();
        recorder.flush_tick().unwrap();
    }
    recorder.finish("finished").unwrap();
    out
}

/// Facts and issues of a recording that has no fatal error.
fn read(bytes: &[u8]) -> (Vec<Fact>, Issues) {
    let mut reader = Reader::new(bytes).unwrap();
    let facts = reader
        .by_ref()
        .map(Result::unwrap)
        .filter_map(|item| match item {
            Item::Fact(fact) => Some(fact),
            Item::Header(_) => None,
        })
        .collect();
    (facts, reader.issues().clone())
}

fn read_text(lines: &str) -> (Vec<Fact>, Issues) {
    read(lines.as_bytes())
}

fn open(at: i64, id: u64, pre: bool) -> Fact {
    let facts = Box::new(HandleFacts::of_kind("socket"));
    Fact::Open {
        at,
        target: TargetId(0),
        id: HandleId(id),
        pre,
        start_up: false,
        facts,
    }
}

fn watermark(fact: &Fact) -> Option<(u32, Option<i64>)> {
    match fact {
        Fact::Source {
            name,
            target,
            watermark,
            ..
        } if &**name == "recording" => Some((target.0, *watermark)),
        _ => None,
    }
}

prop_compose! {
    fn handle()(
        texts in vec(".{0,12}", 6),
        group in option::of(vec(".{0,5}", 0..3)),
        activity in activity(),
        pid in option::of(any::<u32>()),
    ) -> Box<HandleFacts> {
        let text = |n: usize| Arc::from(texts[n].as_str());
        Box::new(HandleFacts {
            kind: text(0), role: text(1), peer: text(2), state: text(3), site: text(4),
            group: group.map(|levels| levels.into_iter().map(Arc::from).collect()),
            activity, label: text(5), pid,
        })
    }
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..5_i64,
        -100_000..1_000_000_i64,
        -MAX_TIME_MS..=MAX_TIME_MS
    ]
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
    let event = prop_oneof![
        Just(Lifecycle::Joined),
        Just(Lifecycle::Exec),
        Just(Lifecycle::Ended)
    ];
    let change = prop_oneof![
        activity().prop_map(Change::Activity),
        name().prop_map(Change::State),
        handle().prop_map(Change::Place)
    ];
    let facts = (
        "\\PC{0,9}",
        vec(any::<u32>(), 0..4),
        option::of(time()),
        ".{0,9}",
        ".{0,9}",
    );
    prop_oneof![
        (target(), facts).prop_map(|(target, (name, pids, uptime_ms, command, selector))| {
            let facts = TargetFacts {
                name,
                pids,
                uptime_ms,
                command,
                selector,
            };
            Fact::Target { target, facts }
        }),
        (
            time(),
            target(),
            id(),
            any::<bool>(),
            any::<bool>(),
            handle()
        )
            .prop_map(|(at, target, id, pre, start_up, facts)| Fact::Open {
                at,
                target,
                id,
                pre,
                start_up,
                facts
            }),
        (time(), id(), change).prop_map(|(at, id, change)| Fact::Change { at, id, change }),
        (time(), id()).prop_map(|(at, id)| Fact::Close { at, id }),
        (time(), target(), option::of(any::<u32>()), name(), number).prop_map(
            |(at, target, pid, name, value)| Fact::Gauge {
                at,
                target,
                pid,
                name,
                value
            }
        ),
        (
            time(),
            target(),
            name(),
            option::of(any::<u64>()),
            option::of(any::<u64>())
        )
            .prop_map(|(at, target, name, value, used)| Fact::Limit {
                at,
                target,
                name,
                value,
                used
            }),
        (
            time(),
            target(),
            name(),
            status,
            name(),
            option::of(time()),
            any::<u64>()
        )
            .prop_map(|(at, target, name, status, reason, watermark, cost_us)| {
                Fact::Source {
                    at,
                    target,
                    name,
                    status,
                    reason,
                    watermark,
                    cost_us,
                }
            }),
        (time(), target(), any::<u32>(), event).prop_map(|(at, target, pid, event)| {
            Fact::Lifecycle {
                at,
                target,
                pid,
                event,
            }
        }),
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
        prop_assert!(issues.malformed == 0 && issues.ended.is_none());
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
        let _ = Reader::new(&bytes[..]).unwrap().count();
    }
}

fn read_cut(bytes: &[u8]) -> (Vec<Fact>, Issues) {
    let mut reader = Reader::new(bytes).unwrap();
    let facts = reader
        .by_ref()
        .filter_map(|item| match item {
            Ok(Item::Fact(fact)) => Some(fact),
            _ => None,
        })
        .collect();
    (facts, reader.issues().clone())
}

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
fn the_documented_example_is_the_fixture_and_is_read() {
    let fixture = fs::read_to_string(repository("fixtures/recordings/ten-lines.jsonl")).unwrap();
    let page = fs::read_to_string(repository("docs/recording.md")).unwrap();
    assert!(page.contains(&format!("```json\n{fixture}```\n")));
    assert_eq!(fixture.lines().count(), 10);

    let (facts, issues) = read_text(&fixture);
    assert!(!issues.any_loss(), "{issues:?}");
    let pre: Vec<bool> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { pre, .. } => Some(*pre),
            _ => None,
        })
        .collect();
    assert_eq!(pre, [true, false, false]);
    let marks: Vec<_> = facts.iter().filter_map(watermark).collect();
    assert_eq!(marks, [0, 5000, 65_000, 70_000].map(|at| (0, Some(at))));
    // the line that changes two things is two facts
    let changes = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Change { .. }))
        .count();
    assert_eq!(changes, 2);
}

#[test]
fn every_key_written_is_in_the_schema() {
    let schema = fs::read_to_string(repository("docs/schema/recording.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let full = HandleFacts {
        group: Some(vec![Arc::from("g")].into()),
        pid: Some(1),
        role: "r".into(),
        peer: "p".into(),
        state: "s".into(),
        site: "l".into(),
        label: "l".into(),
        activity: Activity::Awake,
        ..HandleFacts::of_kind("socket")
    };
    let place = |activity| {
        Box::new(HandleFacts {
            activity,
            ..full.clone()
        })
    };
    let (at, target, id) = (7, TargetId(3), HandleId(1));
    let some = || Arc::<str>::from("x");
    let change = |change| Fact::Change { at, id, change };
    let facts = [
        Fact::Target {
            target,
            facts: TargetFacts {
                name: "n".into(),
                pids: vec![1],
                uptime_ms: Some(1),
                command: "c".into(),
                selector: "s".into(),
            },
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
        change(Change::Activity(Activity::Unseen)),
        change(Change::Activity(Activity::SilentSince(3))),
        Fact::Gauge {
            at,
            target,
            pid: Some(2),
            name: some(),
            value: 1.5,
        },
        Fact::Limit {
            at,
            target,
            name: some(),
            value: None,
            used: Some(2),
        },
        Fact::Source {
            at,
            target,
            name: some(),
            status: SourceStatus::Partial,
            reason: some(),
            watermark: Some(2),
            cost_us: 3,
        },
        Fact::Lifecycle {
            at,
            target,
            pid: 1,
            event: Lifecycle::Exec,
        },
        Fact::Close { at, id },
    ];
    let mut types = BTreeSet::new();
    for line in String::from_utf8(written(&facts, false)).unwrap().lines() {
        let Value::Object(line) = serde_json::from_str(line).unwrap() else {
            panic!("{line}")
        };
        let of_type = line["type"].as_str().unwrap();
        types.insert(of_type.to_owned());
        let definition = &schema["$defs"][of_type];
        for key in line.keys() {
            assert!(
                definition["properties"].get(key).is_some(),
                "{of_type}.{key}"
            );
        }
        for key in definition["required"].as_array().unwrap() {
            assert!(
                line.contains_key(key.as_str().unwrap()),
                "{of_type} without {key}"
            );
        }
    }
    let listed = schema["oneOf"].as_array().unwrap();
    let listed: BTreeSet<_> = listed
        .iter()
        .map(|entry| {
            entry["$ref"]
                .as_str()
                .unwrap()
                .trim_start_matches("#/$defs/")
                .to_owned()
        })
        .collect();
    assert_eq!(types, listed);
}

#[test]
fn pre_is_implied_at_the_first_tick_only() {
    let facts = [
        open(-5000, 1, true),
        open(0, 2, false),
        open(0, 3, true),
        open(5, 4, false),
    ];
    let bytes = written(&facts, false);
    assert_eq!(read(&bytes).0, facts);
    assert_eq!(
        String::from_utf8(bytes)
            .unwrap()
            .matches("\"pre\":")
            .count(),
        3
    );
    let line = |t: i64| {
        format!(
            "{{\"type\":\"open\",\"t_ms\":{t},\"id\":{},\"kind\":\"a\"}}\n",
            t + 9
        )
    };
    let (facts, _) = read_text(&[line(-1), line(3), line(3), line(4)].concat());
    let pre: Vec<_> = facts
        .iter()
        .filter_map(|f| {
            if let Fact::Open { pre, .. } = f {
                Some(*pre)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(pre, [true, true, true, false]);
}

#[test]
fn watermarks_end_at_the_first_source_line_of_a_target() {
    let (facts, _) = read_text(concat!(
        "{\"type\":\"gauge\",\"t_ms\":0,\"name\":\"a\",\"value\":1}\n",
        "{\"type\":\"gauge\",\"t_ms\":0,\"target\":1,\"name\":\"a\",\"value\":1}\n",
        "{\"type\":\"close\",\"t_ms\":10,\"id\":1}\n",
        "{\"type\":\"source\",\"t_ms\":10,\"name\":\"fds\",\"watermark_ms\":10}\n",
        "{\"type\":\"close\",\"t_ms\":5,\"id\":1}\n",
        "{\"type\":\"close\",\"t_ms\":20,\"id\":1}\n",
    ));
    let marks: Vec<_> = facts.iter().filter_map(watermark).collect();
    assert_eq!(
        marks,
        [
            (0, Some(0)),
            (1, Some(0)),
            (0, None),
            (1, Some(10)),
            (1, Some(20))
        ]
    );
}

#[test]
fn ids_may_be_texts_and_collide_with_nothing() {
    let (facts, issues) = read_text(concat!(
        "{\"type\":\"open\",\"t_ms\":0,\"id\":\"7\",\"kind\":\"a\"}\n",
        "{\"type\":\"open\",\"t_ms\":0,\"id\":7,\"kind\":\"a\"}\n",
        "{\"type\":\"close\",\"t_ms\":0,\"id\":\"7\"}\n",
        "{\"type\":\"open\",\"t_ms\":0,\"id\":\"7\",\"kind\":\"a\"}\n",
        "{\"type\":\"open\",\"t_ms\":0,\"id\":9223372036854775808,\"kind\":\"a\"}\n",
        "{\"type\":\"open\",\"t_ms\":0,\"id\":-1,\"kind\":\"a\"}\n",
    ));
    let ids: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Open { id, .. } | Fact::Close { id, .. } => Some(id.0),
            _ => None,
        })
        .collect();
    assert_eq!(ids[1], 7);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(issues.malformed, 2);
    // and such facts can be recorded again
    let facts: Vec<_> = facts
        .into_iter()
        .filter(|f| watermark(f).is_none())
        .collect();
    assert_eq!(read(&written(&facts, false)).0, facts);
}

#[test]
fn what_is_not_understood_is_skipped_and_counted() {
    let long = format!(
        "{{\"type\":\"gauge\",\"reason\":\"{}\"}}\n",
        "x".repeat(MAX_LINE_BYTES)
    );
    let text = [
        "\u{feff}{\"type\":\"header\",\"format\":[1,9],\"new\":{}}\r\n",
        "\n",
        "{\"type\":\"header\",\"format\":[1,0]}\n",
        "{\"type\":\"hologram\",\"state\":{\"deep\":[1]}}\n",
        "{\"type\":\"hologram\"}\n",
        "{\"type\":\"open\",\"t_ms\":0,\"id\":1}\n",
        "{\"type\":\"open\",\"t_ms\":9007199254740993,\"id\":1,\"kind\":\"a\"}\n",
        "[[[[\n",
        &long,
        "{\"type\":\"close\",\"t_ms\":1,\"id\":1,\"new\":true}\n",
        "{\"type\":\"close\",\"t_",
    ]
    .concat();
    let (facts, issues) = read_text(&text);
    assert_eq!(
        facts,
        [Fact::Close {
            at: 1,
            id: HandleId(1)
        }]
    );
    assert_eq!(
        (issues.unknown_types, issues.malformed, issues.oversized),
        (2, 3, 1)
    );
    assert_eq!(
        (issues.extra_headers, issues.newer_minor),
        (1, Some((1, 9)))
    );
    assert_eq!(issues.first_malformed, Some((6, "no \"kind\"".into())));
    assert!(issues.truncated.is_some() && issues.any_loss());
    let deep = "[".repeat(MAX_LINE_BYTES - 1) + "\n{\"type\":\"end\"}\n";
    assert_eq!(read_text(&deep).1.malformed, 1);
}

#[test]
fn a_newer_major_is_refused_by_name_even_when_its_header_looks_different() {
    for more in ["", ",\"poolscan\":{\"a\":1}"] {
        let text = format!("{{\"type\":\"header\",\"format\":[2,1]{more}}}\n");
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        let error = reader.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("2.1") && error.contains("1.0"), "{error}");
        assert!(reader.next().is_none());
    }
}

#[test]
fn another_file_is_refused() {
    for text in [
        "hello\n".to_owned(),
        "\0".repeat(200_000),
        "x\n".repeat(1_000_000),
    ] {
        let last = Reader::new(text.as_bytes()).unwrap().last().unwrap();
        assert!(
            matches!(last, Err(ReadError::NotARecording { .. })),
            "{last:?}"
        );
    }
    assert_eq!(Reader::new(&b""[..]).unwrap().count(), 0);
    let missing = Reader::open(Path::new("/nonexistent/recording"))
        .err()
        .unwrap();
    assert!(missing.to_string().contains("/nonexistent/recording"));
}

#[test]
fn an_endless_line_takes_no_memory() {
    let endless = io::repeat(b'x')
        .take(50_000_000)
        .chain(&b"\n{\"type\":\"end\"}\n"[..]);
    let mut reader = Reader::new(endless).unwrap();
    assert_eq!(reader.by_ref().count(), 0);
    assert_eq!((reader.issues().oversized, reader.issues().lines), (1, 2));
    assert_eq!(reader.issues().ended.as_deref(), Some(""));
}

#[test]
fn each_tick_is_in_a_gzip_file_without_its_end() {
    let (dir, facts) = (
        tempfile::tempdir().unwrap(),
        [open(0, 1, true), open(5, 2, false)],
    );
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
    assert_eq!(
        (issues.truncated, issues.ended),
        (None, Some("target ended".into()))
    );
}

#[test]
fn members_follow_one_another_and_damage_costs_what_follows() {
    let facts: Vec<_> = (0..60_000).map(|n| open(n, n as u64, false)).collect();
    let mut bytes = written(&facts, true);
    let members = bytes
        .windows(4)
        .filter(|w| w == &[0x1f, 0x8b, 8, 0])
        .count();
    assert!(members > 2, "{members}");
    assert_eq!(read(&bytes).0.len(), facts.len());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    let (some, issues) = read(&bytes);
    assert!(!some.is_empty() && some.len() < facts.len() && issues.truncated.is_some());
}

#[test]
fn the_size_bound_holds_and_is_said() {
    let facts: Vec<_> = (0..20_000)
        .map(|n| open(n, n as u64 * 7919, false))
        .collect();
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
        assert!(
            out.len() <= 40_000 && out.len() > 38_000,
            "{gzip} {}",
            out.len()
        );
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
    let fact = Fact::Change {
        at: 0,
        id: HandleId(1),
        change: Change::Place(Box::new(facts)),
    };
    let huge = TargetFacts {
        command: "\0".repeat(2_000_000),
        pids: vec![u32::MAX; 50_000],
        ..TargetFacts::default()
    };
    let target = Fact::Target {
        target: TargetId(0),
        facts: huge,
    };
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

/// Run by hand: `cargo test --release --lib record::tests::speed -- --ignored --nocapture`.
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
                0 => Fact::Open {
                    at,
                    target,
                    id,
                    pre: false,
                    start_up: false,
                    facts: facts.into(),
                },
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
