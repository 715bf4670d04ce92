//! Recordings by hand, and files that are none.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::{open, read, read_text, repository, watermark, written};
use crate::live::facts::{Fact, HandleId};
use crate::live::record::{MAX_LINE_BYTES, ReadError, Reader};

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
    let changes = facts.iter().filter(|fact| matches!(fact, Fact::Change { .. })).count();
    assert_eq!(changes, 2);
}

#[test]
fn pre_is_implied_at_the_first_tick_only() {
    let facts = [open(-5000, 1, true), open(0, 2, false), open(0, 3, true), open(5, 4, false)];
    let bytes = written(&facts, false);
    assert_eq!(read(&bytes).0, facts);
    assert_eq!(String::from_utf8(bytes).unwrap().matches("\"pre\":").count(), 3);
    let line =
        |t: i64| format!("{{\"type\":\"open\",\"t_ms\":{t},\"id\":{},\"kind\":\"a\"}}\n", t + 9);
    let (facts, _) = read_text(&[line(-1), line(3), line(3), line(4)].concat());
    let pre: Vec<_> = facts
        .iter()
        .filter_map(|f| if let Fact::Open { pre, .. } = f { Some(*pre) } else { None })
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
    assert_eq!(marks, [(0, Some(0)), (1, Some(0)), (0, None), (1, Some(10)), (1, Some(20))]);
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
    let facts: Vec<_> = facts.into_iter().filter(|f| watermark(f).is_none()).collect();
    assert_eq!(read(&written(&facts, false)).0, facts);
}

#[test]
fn what_is_not_understood_is_skipped_and_counted() {
    let long = format!("{{\"type\":\"gauge\",\"reason\":\"{}\"}}\n", "x".repeat(MAX_LINE_BYTES));
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
    assert_eq!(facts, [Fact::Close { at: 1, id: HandleId(1) }]);
    assert_eq!((issues.unknown_types, issues.malformed, issues.oversized), (2, 3, 1));
    assert_eq!((issues.extra_headers, issues.newer_minor), (1, Some((1, 9))));
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
        assert!(error.contains("2.1") && error.contains("1.4"), "{error}");
        assert!(reader.next().is_none());
    }
}

#[test]
fn another_file_is_refused() {
    for text in ["hello\n".to_owned(), "\0".repeat(200_000), "x\n".repeat(1_000_000)] {
        let last = Reader::new(text.as_bytes()).unwrap().last().unwrap();
        assert!(matches!(last, Err(ReadError::NotARecording { .. })), "{last:?}");
    }
    assert_eq!(Reader::new(&b""[..]).unwrap().count(), 0);
    let missing = Reader::open(Path::new("/nonexistent/recording")).err().unwrap();
    assert!(missing.to_string().contains("/nonexistent/recording"));
}

#[test]
fn an_endless_line_takes_no_memory() {
    let endless = io::repeat(b'x').take(50_000_000).chain(&b"\n{\"type\":\"end\"}\n"[..]);
    let mut reader = Reader::new(endless).unwrap();
    assert_eq!(reader.by_ref().count(), 0);
    assert_eq!((reader.issues().oversized, reader.issues().lines), (1, 2));
    assert_eq!(reader.issues().ended.as_deref(), Some(""));
}
