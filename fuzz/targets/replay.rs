//! Any bytes as a recording: read, judged, no panic, no hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poolscan::live::record::{Item, Reader};
use poolscan::live::watch::{Settings, Watch};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = Reader::new(bytes) else { return };
    let mut facts = Vec::new();
    let mut settings = Settings { lifetime_ms: None, wall_start_ms: None };
    for item in reader {
        match item {
            Ok(Item::Header(header)) => settings.lifetime_ms = header.lifetime_ms,
            Ok(Item::Fact(fact)) => facts.push(fact),
            Err(_) => break,
        }
    }
    let mut watch = Watch::new(settings);
    watch.step(&facts);
    watch.outcome();
});
