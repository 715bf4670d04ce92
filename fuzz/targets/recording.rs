//! Any bytes are read to their end without a panic, and what was read can be written and read again.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use poolscan::live::facts::Fact;
use poolscan::live::record::{Header, Item, Reader, Recorder};

fn facts(bytes: &[u8]) -> Vec<Fact> {
    let Ok(reader) = Reader::new(bytes) else { return Vec::new() };
    reader
        .filter_map(|item| match item {
            Ok(Item::Fact(fact)) => Some(fact),
            _ => None,
        })
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let first = facts(bytes);
    let mut written = Vec::new();
    let path = Path::new("fuzz");
    let mut recorder = Recorder::new(&mut written, path, false, &Header::new("fuzz"), None)
        .expect("writing to memory succeeds");
    recorder.write(&first).expect("writing to memory succeeds");
    recorder.finish("finished").expect("writing to memory succeeds");
    assert_eq!(facts(&written).len(), first.len());
});
