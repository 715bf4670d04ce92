//! Tests over the whole of recording, and what they share.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod reading;
mod round_trip;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Header, Issues, Item, Reader, Recorder};
use crate::live::facts::{Fact, HandleFacts, HandleId, TargetId};

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
    let facts = Arc::new(HandleFacts::of_kind("socket"));
    Fact::Open { at, target: TargetId(0), id: HandleId(id), pre, start_up: false, facts }
}

fn watermark(fact: &Fact) -> Option<(u32, Option<i64>)> {
    match fact {
        Fact::Source { name, target, watermark, .. } if &**name == "recording" => {
            Some((target.0, *watermark))
        }
        _ => None,
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
