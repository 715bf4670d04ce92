//! Any text as the only source file of a package: no panic, no hang, no overflow, every place of a
//! finding inside of the text.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use poolscan::lint::{Options, run};

/// A package that depends on what the rules are about.
fn package() -> &'static tempfile::TempDir {
    static PACKAGE: OnceLock<tempfile::TempDir> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("src")).expect("a folder for the source");
        let manifest = "[package]\nname = \"fuzzed\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
            [dependencies]\nlibc = \"0.2\"\nnix = \"0.29\"\ntokio = \"1\"\nreqwest = \"0.12\"\n\
            sqlx = \"0.8\"\nredis = \"0.32\"\ntracing = \"0.1\"\nfutures = \"0.3\"\n";
        std::fs::write(folder.path().join("Cargo.toml"), manifest).expect("a manifest");
        folder
    })
}

fuzz_target!(|text: &[u8]| {
    let folder = package().path();
    std::fs::write(folder.join("src/lib.rs"), text).expect("the source is written");
    let options =
        Options { paths: vec![folder.to_path_buf()], threads: Some(1), ..Options::default() };
    let report = run(&options).expect("the folder can be linted");
    for finding in &report.findings {
        let (start, end) = finding.region.bytes;
        assert!(start <= end && end as usize <= text.len(), "{finding:?} is outside of the text");
    }
});
