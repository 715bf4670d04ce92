//! Any text as a file of facts and as a rule: errors, no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use poolscan::catalog::Catalog;

fuzz_target!(|text: &str| {
    let _ = Catalog::read(&[("apis/fuzzed.toml", text)]);
    let _ = Catalog::read(&[("lint/io/fuzzed.toml", text)]);
});
