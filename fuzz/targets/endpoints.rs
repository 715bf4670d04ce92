//! Any bytes an endpoint may send are read to their end, and what is kept of them is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poolscan::catalog::pools::mappings;
use poolscan::live::collect::endpoint::Lines;
use poolscan::live::collect::goroutines::{dump, profile};
use poolscan::live::collect::metrics::exposition;
use poolscan::live::collect::metrics::reading::Mappings;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    if let Ok(dump) = dump::parse(&mut Lines::new(bytes)) {
        assert!(dump.goroutines.len() <= lines);
    }
    if let Ok(profile) = profile::parse(&mut Lines::new(bytes)) {
        assert!(profile.places.len() <= lines);
    }
    let mappings = Mappings::new(mappings().to_vec());
    let mut collecting = mappings.collect();
    let _ = exposition::read(&mut Lines::new(bytes), |sample| collecting.take(sample));
    assert!(collecting.end().pools.len() <= lines);
});
